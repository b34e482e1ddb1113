/**
 * What the driver keeps for people who look: skipped records, what was done by whom, what was told.
 */
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import type { AuditRow, Encoded, Notice, SkippedItemRow } from "../ports/JobRepository.js"
import type { SkipPhase } from "../vocabulary/SkippedItem.js"
import { batches } from "./batches.js"
import * as Database_ from "./database.js"
import type { Env } from "./env.js"
import { read, write } from "./env.js"
import type { Raw } from "./rows.js"
import * as Rows from "./rows.js"

/** @internal */
export const insertSkippedItems = (env: Env): Encoded["insertSkippedItems"] => (rows) =>
  write(
    env,
    "insertSkippedItems",
    Effect.forEach(batches(rows), (some) => insertSome(env, some), { discard: true })
  )

/** @internal */
export const findSkippedItems = (env: Env): Encoded["findSkippedItems"] => (executionId) => {
  const { columns, sql, tables } = env
  return read(
    env,
    "findSkippedItems",
    Effect.map(
      sql<Raw>`select ${columns.skipped}
        from ${tables.skipped} k join ${tables.step} s on s.id = k.step_execution_id
        where ${ofExecution(env, executionId)} order by k.id`,
      (rows) => rows.map(Rows.skippedItem)
    )
  )
}

/** @internal */
export const findSkippedPage = (env: Env): Encoded["findSkippedPage"] => (filter) => {
  const { columns, dialect, sql, tables } = env
  const given = (column: string, value: unknown): ReadonlyArray<Fragment> =>
    value === undefined ? [] : [sql`${sql.literal(column)} = ${value}`]
  return read(
    env,
    "findSkippedPage",
    Effect.map(
      sql<Raw>`select ${sql.literal(dialect.number("k.id"))} as "id", ${columns.skipped}
        from ${tables.skipped} k join ${tables.step} s on s.id = k.step_execution_id
        where ${
        sql.and([
          filter.partitions === false
            ? sql`s.job_execution_id = ${filter.executionId}`
            : ofExecution(env, filter.executionId),
          sql`k.id > ${filter.after ?? 0}`,
          ...given("s.step_name", filter.stepName),
          ...given("k.phase", filter.phase),
          ...given("k.error_tag", filter.errorTag),
          ...given("k.message", filter.message)
        ])
      } order by k.id limit ${filter.limit ?? 100}`,
      (rows) => rows.map((raw) => ({ ...Rows.skippedItem(raw), id: Rows.number(raw.id) }))
    )
  )
}

/**
 * Grouped by step execution first, which an index may do, and then by the name of the step: its partitions and visits have
 * one.
 *
 * @internal
 */
export const findSkippedGroups = (env: Env): Encoded["findSkippedGroups"] => (executionId, limit) => {
  const { dialect, sql, tables } = env
  const [count, firstId] = [dialect.number("sum(g.n)"), dialect.number("min(g.first)")].map((text) => sql.literal(text))
  return read(
    env,
    "findSkippedGroups",
    Effect.map(
      sql<Raw>`select s.step_name as "stepName", g.phase as "phase", g.error_tag as "errorTag", g.message as "message",
          ${count!} as "count", ${firstId!} as "firstId"
        from (
          select k.step_execution_id as step, k.phase, k.error_tag, k.message, count(*) as n, min(k.id) as first
          from ${tables.skipped} k
          where k.step_execution_id in (select s.id from ${tables.step} s where ${ofExecution(env, executionId)})
          group by k.step_execution_id, k.phase, k.error_tag, k.message
        ) g join ${tables.step} s on s.id = g.step
        group by s.step_name, g.phase, g.error_tag, g.message
        order by sum(g.n) desc, min(g.first) limit ${limit}`,
      (rows) =>
        rows.map((raw) => ({
          stepName: raw.stepName as string,
          phase: raw.phase as SkipPhase,
          errorTag: raw.errorTag as string,
          message: raw.message as string,
          count: Rows.number(raw.count),
          firstId: Rows.number(raw.firstId)
        }))
    )
  )
}

/** @internal */
export const insertAudit = (env: Env): Encoded["insertAudit"] => (row) => {
  const { dialect, sql, tables } = env
  return lasting(
    env,
    "recordAudit",
    sql`insert into ${tables.audit} (job_execution_id, job_name, who, what, outcome, create_time) values (
      ${row.executionId}, ${Rows.printable(row.jobName)}, ${Rows.message(row.who)}, ${Rows.message(row.what)},
      ${Rows.message(row.outcome)}, ${dialect.instant(row.createTime)})`
  )
}

/** @internal */
export const findAudit = (env: Env): Encoded["findAudit"] => (executionId, limit) => {
  const { dialect, sql, tables } = env
  const mine = executionId === undefined ? sql.literal("1 = 1") : sql`a.job_execution_id = ${executionId}`
  const [id, created] = [dialect.number("a.job_execution_id"), dialect.millis("a.create_time")]
  return read(
    env,
    "audit",
    Effect.map(
      sql<Raw>`select ${sql.literal(id!)} as "executionId", a.job_name as "jobName", a.who as "who", a.what as "what",
          a.outcome as "outcome", ${sql.literal(created!)} as "createTime"
        from ${tables.audit} a where ${mine} order by a.id desc limit ${limit}`,
      (rows) =>
        rows.map((raw): AuditRow => ({
          executionId: raw.executionId === null ? null : Rows.number(raw.executionId),
          jobName: raw.jobName as string,
          who: raw.who as string,
          what: raw.what as string,
          outcome: raw.outcome as string,
          createTime: Rows.number(raw.createTime)
        }))
    )
  )
}

/** @internal */
export const insertNotice = (env: Env): Encoded["insertNotice"] => ({ kind, subject }, createTime) => {
  const { dialect, sql, tables } = env
  return lasting(
    env,
    "recordNotice",
    sql`insert into ${tables.notice} (subject, kind, create_time)
      values (${subject}, ${kind}, ${dialect.instant(createTime)}) on conflict (subject, kind) do nothing`
  )
}

/** @internal */
export const findNotices = (env: Env): Encoded["findNotices"] => (subjects) => {
  const { sql, tables } = env
  return read(
    env,
    "notices",
    sql<Notice>`select subject as "subject", kind as "kind" from ${tables.notice} where ${sql.in("subject", subjects)}`
  )
}

/** @internal */
export const deleteNotices = (env: Env): Encoded["deleteNotices"] => ({ before, kind, subject }) => {
  const { dialect, sql, tables } = env
  const conditions = [
    sql`create_time < ${dialect.instant(before)}`,
    ...(kind === undefined ? [] : [sql`kind = ${kind}`]),
    ...(subject === undefined ? [] : [sql`subject = ${subject}`])
  ]
  return write(env, "forgetNotices", Effect.asVoid(sql`delete from ${tables.notice} where ${sql.and(conditions)}`))
}

// internal

/** What somebody has done, or was told, stays so when the transaction rolls back in which it is written down. */
const lasting = (env: Env, operation: string, insert: Effect.Effect<unknown, SqlError>) =>
  Database_.behind(env.database, write(env, operation, insert))

/** Its own steps, and those of its partitions. */
const ofExecution = ({ sql, tables }: Env, executionId: number): Fragment =>
  sql`s.job_execution_id in (
    select ${executionId} union all
    select e.id from ${tables.execution} e
    where e.parent_execution_id = ${executionId}
      and exists (select 1 from ${tables.partition} p where p.job_instance_id = e.job_instance_id)
  )`

const insertSome = (env: Env, rows: ReadonlyArray<SkippedItemRow>): Effect.Effect<unknown, SqlError> => {
  const { dialect, sql, tables } = env
  const values = rows.map((row) =>
    sql`(${row.stepExecutionId}, ${row.phase}, ${dialect.json(row.position)}, ${Rows.printable(row.errorTag)},
      ${Rows.message(row.message)}, ${dialect.json(row.item)}, ${dialect.instant(row.createTime)})`
  )
  return sql`insert into ${tables.skipped} (
      step_execution_id, phase, position, error_tag, message, item, create_time
    ) values ${sql.csv(values)}`
}
