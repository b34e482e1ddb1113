/**
 * The other ends of our connections: what PostgreSQL does with a transaction whose client is gone or frozen, who blocks whom,
 * and which of them may be ended. They are told from those of strangers by their tags.
 */
import type { SqlError } from "@effect/sql/SqlError"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { JobRepositoryError } from "../vocabulary/BatchError.js"
import { realPause } from "./contention.js"
import type { Control } from "./control.js"
import type { Env } from "./env.js"
import { runningStatuses } from "./env.js"
import { tagged } from "./sessionSettings.js"

/**
 * Has the server end what it still does for connections that were cut here. It is tried again with each heartbeat until it is
 * done.
 *
 * @internal
 */
export const endOrphans = ({ database, sql }: Env, control: Control): Effect.Effect<void> =>
  Effect.suspend(() => {
    const pids = [...database.orphans]
    return pids.length === 0 ? Effect.void : Effect.matchEffect(
      control.run(
        sql`select pg_terminate_backend(pid) from pg_stat_activity
          where ${sql.in("pid", pids)} and application_name like ${`%${tagged(database.tag)}`}`,
        LIMIT_MILLIS
      ),
      {
        onFailure: () => Effect.void,
        onSuccess: () => Effect.sync(() => pids.forEach((pid) => database.orphans.delete(pid)))
      }
    )
  })

/** A transaction that keeps another one waiting. */
interface Blocker {
  readonly pid: number
  readonly application: string
  readonly since: number
  readonly ended: boolean
}

/**
 * Watches over a transaction of the repository that waits for locks: ends those it waits for that belong to an owner whose
 * lease has expired, or to a connection that was cut here, and fails with the name of any other when its patience is over.
 *
 * @internal
 */
export const watch = (
  env: Env,
  control: Control,
  patienceMillis: number,
  pid: () => number | undefined
): Effect.Effect<never, JobRepositoryError> =>
  Effect.suspend(() => {
    const since = performance.now()
    const look = Effect.flatMap(realPause(Math.min(LOOK_MILLIS, patienceMillis / 4)), () => {
      const waiting = pid()
      return waiting === undefined
        ? Effect.succeed([])
        : Effect.orElseSucceed(blockers(env, control, waiting), () => [])
    })
    return Effect.forever(Effect.flatMap(look, (found) => {
      const other = found.find(({ ended }) => !ended)
      return other !== undefined && performance.now() - since >= patienceMillis
        ? Effect.fail(blocked(other))
        : Effect.void
    }))
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const LOOK_MILLIS = 1000
const LIMIT_MILLIS = 5000

const blockers = (env: Env, control: Control, pid: number): Effect.Effect<ReadonlyArray<Blocker>, SqlError> => {
  const { database, dialect, sql, tables } = env
  const mine = [...database.backends]
  const isOrphan = sql`b.tag = ${database.tag} and not (${sql.in("b.pid", mine.length === 0 ? [0] : mine)})`
  const isExpired = sql`exists (
    select 1 from ${tables.execution} e where split_part(e.token, '.', 1) = b.tag
      and e.status in ${sql.literal(runningStatuses)} and e.lease_until < ${sql.literal(dialect.now)}
  )`
  return control.run(
    sql<Blocker>`with blockers as (
        select a.pid, a.application_name, coalesce(a.query_start, a.xact_start) as since,
          substring(a.application_name from '\\[batch ([0-9a-f]+)\\]$') as tag
        from unnest(pg_blocking_pids(${pid})) as blocking (pid) join pg_catalog.pg_stat_activity a on a.pid = blocking.pid
      )
      select b.pid as "pid", b.application_name as "application", ${sql.literal(dialect.millis("b.since"))} as "since",
        case when ${isOrphan} or ${isExpired} then pg_terminate_backend(b.pid) else false end as "ended"
      from blockers b`,
    LIMIT_MILLIS
  )
}

const blocked = ({ application, pid, since }: Blocker): JobRepositoryError => {
  const queryStart = DateTime.unsafeMake(since)
  return new JobRepositoryError({
    operation: "transaction",
    reason: "transient",
    detail:
      `another transaction holds the rows: the process ${pid} of PostgreSQL ("${application}"), whose last statement ` +
      `began at ${DateTime.formatIso(queryStart)}. Wait for it, or end it with select pg_terminate_backend(${pid})`,
    blockedBy: { pid, application, queryStart }
  })
}
