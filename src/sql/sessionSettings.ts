/**
 * What a connection of the pool is told before it holds a transaction of ours.
 *
 * It gets a tag in its `application_name`, that of the process which owns it, so that others can tell it from those of
 * strangers: the first part of the token of each execution that the process claims.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type { Database } from "./database.js"
import * as Silence from "./silence.js"

/**
 * Prepares a connection for transactions of ours, once: the server gives up a client that is gone within seconds and not
 * within hours, unless somebody has set how long it shall take; and the tag. Costs a round trip per connection of the pool.
 *
 * @internal
 */
export const prepared = (database: Database, connection: Connection): Effect.Effect<Connection, SqlError> =>
  Effect.suspend(() => {
    const { pg } = connection as { readonly pg?: Silence.RawClient }
    const pid = pg?.processID
    if (pg === undefined || typeof pid !== "number" || database.isPooled || known.has(pg)) {
      return Effect.succeed(connection)
    }
    known.add(pg)
    database.backends.add(pid)
    pg.once?.("end", () => database.backends.delete(pid))
    Silence.whenCut(pg, () => {
      database.backends.delete(pid)
      database.orphans.add(pid)
      database.guard?.endOrphans()
    })
    const set = (settings: typeof SETTINGS) => connection.executeRaw(setting(settings), [tagged(database.tag)])
    // Not every system that PostgreSQL runs on knows how to look for a client that has left.
    const attempt = Effect.orElse(set(SETTINGS), () => set(SETTINGS.filter(([name]) => !name.startsWith("client_"))))
    return Effect.as(Effect.onError(attempt, () => Effect.sync(() => known.delete(pg))), connection)
  })

/** @internal */
export const tagged = (tag: string): string => `[batch ${tag}]`

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const known = new WeakSet<object>()

/** Three probes, so that the default lease of half a minute is not over before. */
const SETTINGS: ReadonlyArray<readonly [name: string, value: string]> = [
  ["tcp_keepalives_idle", "10"],
  ["tcp_keepalives_interval", "5"],
  ["tcp_keepalives_count", "3"],
  ["tcp_user_timeout", "25000"],
  ["client_connection_check_interval", "5000"]
]

const setting = (settings: typeof SETTINGS): string =>
  `select set_config(s.name, w.value, false) from (values ${
    settings.map(([name, value]) => `('${name}', '${value}')`).join(", ")
  }) as w (name, value) join pg_catalog.pg_settings s on s.name = w.name where s.source = 'default'
  union all select set_config('application_name', left(current_setting('application_name'), 44) || ' ' || $1, false)`
