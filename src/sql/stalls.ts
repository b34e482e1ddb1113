/**
 * Finds connections whose network has died without a word: this side waits for an answer, nothing moves, and the server, asked
 * over another connection, says that it waits for this side. Such a connection is cut, so that what was sent over it can be
 * looked up; without that, TCP would keep everybody waiting for a quarter of an hour or longer.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import * as Effect from "effect/Effect"
import type { Control } from "./control.js"
import type { Env } from "./env.js"
import * as Silence from "./silence.js"

/**
 * A connection in use, and what was seen of it.
 *
 * @internal
 */
export interface Used {
  readonly client: Silence.RawClient
  /** Bytes that came and went, at the last look; and for how many looks that has been so while an answer was due. */
  bytes: number
  quiet: number
  /** How often, one after the other, the server said that it waits for us. */
  suspected: number
}

/** @internal */
export const used = (client: Silence.RawClient): Used => ({ client, bytes: -1, quiet: 0, suspected: 0 })

/**
 * What a look at a connection makes of what was seen before.
 *
 * @internal
 */
export const looked = (
  seen: Pick<Used, "bytes" | "quiet" | "suspected">,
  now: { readonly bytes: number; readonly isDue: boolean }
): Pick<Used, "bytes" | "quiet" | "suspected"> =>
  !now.isDue || now.bytes !== seen.bytes
    ? { bytes: now.bytes, quiet: 0, suspected: 0 }
    : { ...seen, quiet: seen.quiet + 1 }

/**
 * Whether to cut a connection, given what the server says of it: twice in a row, because an answer may be on its way.
 *
 * @internal
 */
export const isDead = ({ suspected }: Pick<Used, "suspected">): boolean => suspected >= 2

/**
 * Looks at the connections in use as long as there are any.
 *
 * @internal
 */
export const watch = (env: Env, control: Control, inUse: ReadonlySet<Used>): () => void => {
  let timer: NodeJS.Timeout | undefined
  const look = () => {
    if (inUse.size === 0) {
      clearInterval(timer)
      timer = undefined
      return
    }
    const quiet = [...inUse].filter((used) => {
      const { connection, readyForQuery } = used.client
      const stream = connection?.stream
      Object.assign(
        used,
        looked(used, {
          bytes: (stream?.bytesRead ?? 0) + (stream?.bytesWritten ?? 0),
          isDue: readyForQuery === false
        })
      )
      return used.quiet > 0
    })
    if (quiet.length > 0) {
      Effect.runFork(asked(env, control, quiet))
    }
  }
  return () => {
    timer ??= setInterval(look, LOOK_MILLIS).unref()
  }
}

/**
 * The driver's connection of a connection of the pool.
 *
 * @internal
 */
export const clientOf = (connection: Connection): Silence.RawClient | undefined =>
  (connection as { readonly pg?: Silence.RawClient }).pg

/**
 * The number that the server gives to a connection.
 *
 * @internal
 */
export const pidOf = (connection: Connection | undefined): number | undefined =>
  (connection === undefined ? undefined : clientOf(connection))?.processID ?? undefined

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** On the real clock, on which networks live. */
const LOOK_MILLIS = 2000

const asked = ({ sql }: Env, control: Control, quiet: ReadonlyArray<Used>): Effect.Effect<void> => {
  const pids = quiet.flatMap(({ client: { processID } }) => typeof processID === "number" ? [processID] : [])
  const busy = sql<{ readonly pid: unknown }>`select pid from pg_catalog.pg_stat_activity
    where ${sql.in("pid", pids)} and state = 'active' and wait_event is distinct from 'ClientRead'`
  return Effect.matchEffect(control.run(busy, LOOK_MILLIS), {
    // Nobody can tell: the heartbeat decides.
    onFailure: () => Effect.void,
    onSuccess: (rows) =>
      Effect.sync(() => {
        const working = new Set(rows.map(({ pid }) => Number(pid)))
        quiet.forEach((used) => {
          used.suspected = used.quiet === 0 || working.has(used.client.processID ?? 0) ? 0 : used.suspected + 1
          if (isDead(used)) {
            Silence.cut(used.client)
          }
        })
      })
  })
}
