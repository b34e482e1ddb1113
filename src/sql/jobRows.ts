/**
 * What the driver does to job instances and job executions.
 */
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment, Statement } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type {
  Encoded,
  ExecutionRowFilter,
  InstanceFilter,
  JobExecutionRow,
  JobInstanceRow
} from "../ports/JobRepository.js"
import type { JobRepositoryError } from "../vocabulary/BatchError.js"
import { batches } from "./batches.js"
import type { Control } from "./control.js"
import * as Database_ from "./database.js"
import type { Env } from "./env.js"
import { conclude, read, runningStatuses, write } from "./env.js"
import { fromTransactionError, repositoryError } from "./failure.js"
import type { Raw } from "./rows.js"
import * as Rows from "./rows.js"
import { classify } from "./sqlState.js"

/**
 * One statement that inserts or locks, so that no deletion can come between two.
 *
 * @internal
 */
export const lockInstance = (env: Env): Encoded["lockInstance"] => ({ createTime, jobKey, jobName }) => {
  const { dialect, sql, tables } = env
  const returning = sql.literal(
    `${dialect.number("id")} as "instanceId", ${dialect.millis("create_time")} as "created"`
  )
  return write(
    env,
    "launch",
    Effect.map(
      sql<Raw>`insert into ${tables.instance} (job_name, job_key, create_time)
        values (${jobName}, ${jobKey}, ${dialect.instant(createTime)})
        on conflict (job_name, job_key) do update set job_name = excluded.job_name
        returning ${returning}`,
      ([row]): JobInstanceRow => ({
        id: Rows.number(row?.instanceId),
        jobName,
        jobKey,
        createTime: Rows.number(row?.created)
      })
    )
  )
}

/** @internal */
export const launchHistory = (env: Env): Encoded["launchHistory"] => (instanceId) => {
  const { columns, sql, tables } = env
  return read(
    env,
    "launch",
    Effect.map(
      sql<Raw>`select ${columns.execution}, exists (
          select 1 from ${tables.step} s where s.job_execution_id = e.id and s.status = 'UNKNOWN'
        ) as "hasUnknownStep", e.token as "token"
        from ${tables.execution} e join ${tables.instance} i on i.id = e.job_instance_id
        where e.job_instance_id = ${instanceId} and (
          e.status in ('STARTING', 'STARTED', 'STOPPING', 'UNKNOWN', 'COMPLETED', 'ABANDONED')
          or e.id = (select max(n.id) from ${tables.execution} n where n.job_instance_id = ${instanceId})
        )
        order by e.id desc limit 50`,
      (rows) =>
        rows.map((raw) => ({
          ...Rows.execution(raw),
          hasUnknownStep: Boolean(raw.hasUnknownStep),
          token: Rows.text(raw.token)
        }))
    )
  )
}

/** @internal */
export const findClaims = (env: Env): Encoded["findClaims"] => {
  const { columns, sql, tables } = env
  return read(
    env,
    "findClaims",
    Effect.map(
      sql<Raw>`select ${columns.execution}, e.token as "token"
        from ${tables.execution} e join ${tables.instance} i on i.id = e.job_instance_id
        where e.status in ${sql.literal(runningStatuses)} order by e.id`,
      (rows) => rows.map((raw) => ({ ...Rows.execution(raw), token: Rows.text(raw.token) }))
    )
  )
}

/**
 * Looks before it writes: SQLite knows one writer at a time, and there is hardly ever anything to do. A millisecond more than
 * the length of a lease is a length that was rounded.
 *
 * @internal
 */
export const limitLeases = (env: Env): Encoded["limitLeases"] => {
  const { dialect, sql, tables } = env
  const tooLong = sql`select id from ${tables.execution} where status in ${sql.literal(runningStatuses)}
    and lease_until > ${sql.literal(dialect.ahead("(lease_millis + 1)"))}`
  const skipLocked = sql.literal(dialect.name === "pg" ? "for update skip locked" : "")
  const limit = sql`update ${tables.execution} set lease_until = ${sql.literal(dialect.ahead("lease_millis"))}
    where id in (${tooLong} ${skipLocked})`
  return Effect.flatMap(
    read(env, "limitLeases", sql<Raw>`${tooLong} limit 1`),
    (found) => found.length === 0 ? Effect.void : write(env, "limitLeases", Effect.asVoid(limit))
  )
}

/** @internal */
export const findLeases = (env: Env): Encoded["findLeases"] => {
  const { dialect, sql, tables } = env
  const left = sql.literal(dialect.millisUntil("e.lease_until"))
  return read(
    env,
    "leases",
    Effect.map(
      sql<Raw>`select ${sql.literal(dialect.number("e.id"))} as "executionId", ${left} as "leftMillis",
          ${sql.literal(dialect.number("e.lease_millis"))} as "lengthMillis"
        from ${tables.execution} e
        where e.status in ${sql.literal(runningStatuses)} and e.lease_until is not null`,
      (rows) =>
        rows.map((raw) => ({
          executionId: Rows.number(raw.executionId),
          leftMillis: Rows.number(raw.leftMillis),
          lengthMillis: Rows.number(raw.lengthMillis)
        }))
    )
  )
}

/** @internal */
export const insertJobExecution = (env: Env): Encoded["insertJobExecution"] => (row, leaseMillis, token) => {
  const { dialect, sql, tables } = env
  const insert = sql<Raw>`insert into ${tables.execution} (
      job_instance_id, status, exit_code, exit_message, create_time, start_time, end_time, last_updated, context, owner,
      epoch, token, lease_millis, lease_until, restart_of, parent_execution_id, parent_instance_id
    ) values (
      ${row.instance.id}, ${row.status}, ${Rows.printable(row.exitCode)}, ${Rows.message(row.exitMessage)},
      ${dialect.instant(row.createTime)}, ${dialect.instant(row.startTime)}, ${dialect.instant(row.endTime)},
      ${dialect.instant(row.lastUpdated)}, ${dialect.json(row.context)}, ${row.owner}, ${row.epoch}, ${token}, ${
    Math.round(leaseMillis)
  },
      ${dialect.after(leaseMillis)}, ${row.restartOf}, ${row.parentExecutionId}, ${row.parentInstanceId}
    ) returning ${sql.literal(dialect.number("id"))} as "id"`
  return write(
    env,
    "launch",
    Effect.gen(function*() {
      const [inserted] = yield* insert
      const id = Rows.number(inserted?.id)
      yield* insertParameters(env, id, JSON.parse(row.parameters))
      return id
    })
  )
}

/** @internal */
export const updateJobExecution =
  (env: Env): Encoded["updateJobExecution"] => (row, { epoch, token }, releaseLease) => {
    const { dialect, sql, tables } = env
    const going = row.status === "STARTING" || row.status === "STARTED"
    const status = going ? sql`case when status = 'STOPPING' then status else ${row.status} end` : sql`${row.status}`
    return conclude(
      env,
      "updateJobExecution",
      (execute) =>
        stored(execute(sql<Raw>`update ${tables.execution} set
        status = ${status},
        exit_code = ${Rows.printable(row.exitCode)},
        exit_message = ${Rows.message(row.exitMessage)},
        start_time = ${dialect.instant(row.startTime)},
        end_time = ${dialect.instant(row.endTime)},
        last_updated = ${dialect.instant(row.lastUpdated)},
        context = ${dialect.json(row.context)},
        causes = coalesce(${row.causes === null ? null : Rows.printable(row.causes)}, causes)
        ${sql.literal(releaseLease ? ", lease_until = null" : "")}
      where id = ${row.id} and epoch = ${epoch} and token = ${token}
      returning status as "status"`))
    )
  }

/**
 * An execution that is over takes no lease: the last heartbeat may come after the end.
 *
 * @internal
 */
export const renewLease =
  (env: Env, control: Control | undefined): Encoded["renewLease"] => (executionId, { epoch, token }, leaseMillis) => {
    const { dialect, sql, tables } = env
    const limit = Math.max(SHORTEST_LIMIT, leaseMillis / 8)
    const renewed = (atOnce: Fragment) =>
      sql<Raw>`update ${tables.execution} set
        lease_until = case when status in ${sql.literal(runningStatuses)} then ${dialect.after(leaseMillis)} end,
        status = case when status in ('STARTING', 'STARTED') and exists (
            select 1 from ${tables.execution} p
            where p.id = ${tables.execution}.parent_execution_id and p.status in ('STOPPING', 'STOPPED')
          ) then 'STOPPING' else status end
      where id = ${executionId} and epoch = ${epoch} and token = ${token} ${atOnce}
      returning status as "status"`
    const anywhere = Database_.detached(env.database, write(env, "renewLease", stored(renewed(sql.literal("")))))
    return control === undefined
      ? anywhere
      : beside(control, "renewLease", renewed(unlocked(env, limit)), limit, anywhere)
  }

/**
 * Raises the stop flag and, on PostgreSQL, wakes who listens to the channel `<prefix>stop`: a hint that carries the id.
 *
 * @internal
 */
export const requestStop = (env: Env, control: Control | undefined): Encoded["requestStop"] => (executionId) => {
  const { dialect, prefix, sql, tables } = env
  if (dialect.name === "pg") {
    const flagged = sql<
      Raw
    >`with before as (select id, status from ${tables.execution} where id = ${executionId} for update),
        flagged as (
          update ${tables.execution} e set status = 'STOPPING' from before
          where e.id = before.id and before.status in ('STARTING', 'STARTED')
          returning pg_notify(${`${prefix}stop`}, cast(e.id as text))
        )
        select status as "status", (select count(*) from flagged) as "flagged" from before`
    const anywhere = outlasting(env, "requestStop", stored(flagged))
    return control === undefined ? anywhere : beside(control, "requestStop", flagged, STOP_LIMIT, anywhere)
  }
  const flag = sql`update ${tables.execution} set status = 'STOPPING'
    where id = ${executionId} and status in ('STARTING', 'STARTED')`
  const statement = Effect.tap(
    sql<Raw>`select status as "status" from ${tables.execution} where id = ${executionId}`,
    () => flag
  )
  return outlasting(env, "requestStop", stored(statement))
}

/**
 * The executions before their steps: the lock on an execution keeps its owner from inserting another step meanwhile.
 *
 * @internal
 */
export const close = (env: Env): Encoded["close"] => (executionIds, end) => {
  const { dialect, sql, tables } = env
  const outcome = sql`exit_code = ${Rows.printable(end.exitCode)}, exit_message = ${Rows.message(end.exitMessage)},
    end_time = ${dialect.instant(end.endTime)}, last_updated = ${dialect.instant(end.endTime)}`
  const running = sql.literal(runningStatuses)
  const closeSome = (ids: ReadonlyArray<number>) =>
    Effect.gen(function*() {
      yield* sql`select id from ${tables.execution} where ${sql.in("id", ids)} order by id
        ${sql.literal(dialect.forUpdate)}`
      yield* sql`update ${tables.execution} set status = ${end.status}, ${outcome}, lease_until = null, epoch = epoch + 1
        where ${sql.in("id", ids)}`
      const steps = sql.in("job_execution_id", ids)
      yield* sql`update ${tables.step} set status = ${end.status}, ${outcome}
        where ${steps} and status in ${running}`
      yield* sql`update ${tables.step} set epoch = epoch + 1 where ${steps}`
    })
  return write(env, "close", inBatches(executionIds, closeSome))
}

/** @internal */
export const findJobExecutions = (env: Env): Encoded["findJobExecutions"] => (filter) => {
  const { columns, sql, tables } = env
  return read(
    env,
    "findJobExecutions",
    Effect.map(
      sql<Raw>`select ${columns.execution}
        from ${tables.execution} e join ${tables.instance} i on i.id = e.job_instance_id
        where ${sql.and(executionConditions(env, filter))}
        order by e.id desc limit ${filter.limit ?? 100}`,
      (rows): ReadonlyArray<JobExecutionRow> => rows.map(Rows.execution)
    )
  )
}

/** @internal */
export const findJobInstances = (env: Env): Encoded["findJobInstances"] => (filter: InstanceFilter) => {
  const { columns, sql, tables } = env
  return read(
    env,
    "findJobInstances",
    Effect.map(
      sql<Raw>`select ${columns.instance} from ${tables.instance} i
        where ${
        sql.and([
          sql`1 = 1`,
          ...given(filter.jobName, (name) => sql`i.job_name = ${name}`),
          ...given(filter.jobKey, (key) => sql`i.job_key = ${key}`),
          ...(filter.jobName === undefined ? [isNoPartition(env, "i.id")] : []),
          ...given(filter.before, (id) => sql`i.id < ${id}`)
        ])
      }
        order by i.id desc limit ${filter.limit ?? 100}`,
      (rows) => rows.map(Rows.instance)
    )
  )
}

/**
 * Sorted by code unit, whatever the collation of the database is.
 *
 * @internal
 */
export const findJobNames = (env: Env): Encoded["findJobNames"] =>
  read(
    env,
    "findJobNames",
    Effect.map(
      env.sql<Raw>`select distinct i.job_name as "jobName" from ${env.tables.instance} i
        where ${isNoPartition(env, "i.id")}`,
      (rows) => rows.map((row) => row.jobName as string).sort()
    )
  )

// internal

const inBatches = (
  ids: ReadonlyArray<number>,
  run: (ids: ReadonlyArray<number>) => Effect.Effect<unknown, SqlError>
) => Effect.forEach(batches(ids), run, { discard: true })

/** In milliseconds: what a server needs on a bad day to answer at all. */
const SHORTEST_LIMIT = 250
const STOP_LIMIT = 5000

/** Runs a statement on the control connection, and on the pool when that cannot be reached or does not answer. */
const beside = (
  control: Control,
  operation: string,
  statement: Statement<Raw>,
  limitMillis: number,
  anywhere: Effect.Effect<Option.Option<string>, JobRepositoryError>
): Effect.Effect<Option.Option<string>, JobRepositoryError> =>
  Effect.catchAll(
    stored(control.run(statement, limitMillis)),
    (error) => classify(error).kind === "connection" ? anywhere : Effect.fail(repositoryError(operation, error))
  )

/**
 * A condition that holds, and keeps the statement around it from waiting for a lock longer than half of the time: what others
 * prove on the same connection must not wait behind it.
 */
const unlocked = ({ sql }: Env, limitMillis: number): Fragment =>
  sql`and (select set_config('lock_timeout', ${String(Math.ceil(limitMillis / 2))}, true)) is not null`

/** What an operator asks for inside of a step stays when that rolls back. */
const outlasting = <A>(
  env: Env,
  operation: string,
  effect: Effect.Effect<A, SqlError>
): Effect.Effect<A, JobRepositoryError> =>
  Database_.lasting(env.database, write(env, operation, effect), (error) => fromTransactionError(operation, error))

const stored = (rows: Effect.Effect<ReadonlyArray<Raw>, SqlError>): Effect.Effect<Option.Option<string>, SqlError> =>
  Effect.map(rows, ([row]) => row === undefined ? Option.none() : Option.some(row.status as string))

const given = <A>(value: A | undefined, condition: (value: A) => Fragment): ReadonlyArray<Fragment> =>
  value === undefined ? [] : [condition(value)]

const executionConditions = (
  env: Env,
  filter: ExecutionRowFilter
): ReadonlyArray<Fragment> => {
  const { dialect, sql } = env
  return [
    sql`1 = 1`,
    ...given(filter.jobName, (name) => sql`i.job_name = ${name}`),
    ...given(filter.instanceId, (id) => sql`e.job_instance_id = ${id}`),
    ...given(filter.statuses, (statuses) => sql.in("e.status", statuses)),
    ...given(filter.createdFrom, (millis) => sql`e.create_time >= ${dialect.instant(millis)}`),
    ...given(filter.createdTo, (millis) => sql`e.create_time < ${dialect.instant(millis)}`),
    ...given(filter.changedSince, (millis) => sql`e.last_updated >= ${dialect.instant(millis)}`),
    ...given(filter.before, (id) => sql`e.id < ${id}`),
    ...given(filter.ids, (ids) => sql.in("e.id", ids)),
    ...given(filter.parentId, (id) => sql`e.parent_execution_id = ${id}`),
    ...(filter.partitions === false ? [isNoPartition(env, "e.job_instance_id")] : [])
  ]
}

const isNoPartition = ({ sql, tables }: Env, instanceId: string): Fragment =>
  sql`not exists (select 1 from ${tables.partition} x where x.job_instance_id = ${sql.literal(instanceId)})`

const insertParameters = (env: Env, executionId: number, parameters: ReadonlyArray<Rows.Parameter>) => {
  const { dialect, sql, tables } = env
  const values = parameters.map((parameter, ordinal) =>
    sql`(${executionId}, ${ordinal}, ${parameter.name}, ${dialect.json(JSON.stringify(parameter.value))},
      ${dialect.flag(parameter.identifying)}, ${dialect.flag(parameter.redacted === true)})`
  )
  return Effect.forEach(
    batches(values),
    (values) =>
      sql`insert into ${tables.params} (job_execution_id, ordinal, name, value, identifying, redacted)
        values ${sql.csv(values)}`,
    { discard: true }
  )
}
