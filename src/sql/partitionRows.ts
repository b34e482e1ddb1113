/**
 * What the driver does to plans and partitions.
 */
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type {
  EncodedPartitions,
  PartitionFactsRow,
  PartitionPlan,
  PartitionRow,
  PartitionStateRow
} from "../ports/partitions.js"
import type { Counts } from "../vocabulary/Counts.js"
import { batches } from "./batches.js"
import type { Env } from "./env.js"
import { read, runningStatuses, write } from "./env.js"
import type { Raw } from "./rows.js"
import * as Rows from "./rows.js"

/** @internal */
export const partitions = (env: Env): EncodedPartitions => ({
  ...planning(env),
  ...taking(env),
  ...looking(env)
})

// internal

const planning = (
  env: Env
): Pick<EncodedPartitions, "insertPlan" | "findPlan" | "findOpenPlans" | "updatePlan" | "close"> => {
  const { dialect, sql, tables } = env
  const found = (condition: Fragment) =>
    Effect.map(
      sql<Raw>`select ${planColumns(env)}
        from ${tables.plan} l join ${tables.instance} i on i.id = l.job_instance_id
        where ${condition} order by l.id`,
      (rows) => rows.map((row) => toPlan(row))
    )
  return {
    insertPlan: (plan, rows, fence) =>
      write(
        env,
        "planPartitions",
        Effect.flatMap(insertPlan(env, plan, fence), (stored) =>
          stored.length === 0 ? Effect.succeedNone : Effect.asSome(insertPartitions(env, plan.id, rows)))
      ),
    findPlan: (planId) => read(env, "findPlan", Effect.map(found(sql`l.id = ${planId}`), ([plan]) => plan ?? null)),
    findOpenPlans: (jobNames) =>
      read(
        env,
        "findPlans",
        found(sql`l.is_open = ${dialect.flag(true)} and ${sql.in("i.job_name", jobNames)} and exists (
          select 1 from ${tables.execution} e where e.id = l.job_execution_id and e.status = 'STARTED'
        )`)
      ),
    updatePlan: (plan, fence) =>
      write(
        env,
        "resumePartitions",
        Effect.map(
          sql<Raw>`update ${tables.plan} set job_execution_id = ${plan.executionId},
              step_execution_id = ${plan.stepExecutionId}, fingerprint = ${plan.fingerprint},
              is_open = ${dialect.flag(plan.isOpen)}
            where id = ${plan.id} and ${owns(env, plan.executionId, fence)}
            returning id as "id"`,
          (rows) => rows.length === 0 ? Option.none() : Option.some(undefined)
        )
      ),
    close: (planId, executionId) =>
      write(
        env,
        "closePartitions",
        Effect.asVoid(sql`update ${tables.plan} set is_open = ${dialect.flag(false)}
          where id = ${planId} and job_execution_id = ${executionId}`)
      )
  }
}

const owns = (
  { sql, tables }: Env,
  executionId: number,
  { epoch, token }: Parameters<EncodedPartitions["updatePlan"]>[1]
): Fragment =>
  sql`exists (
    select 1 from ${tables.execution} e where e.id = ${executionId} and e.epoch = ${epoch} and e.token = ${token}
  )`

const insertPlan = (
  env: Env,
  plan: PartitionPlan,
  fence: Parameters<EncodedPartitions["updatePlan"]>[1]
) => {
  const { dialect, sql, tables } = env
  return sql<Raw>`insert into ${tables.plan} (
      id, job_instance_id, job_execution_id, step_execution_id, step_name, fingerprint, size, is_open
    ) select ${cast(env, plan.id)}, ${cast(env, plan.instanceId)}, ${cast(env, plan.executionId)},
      ${cast(env, plan.stepExecutionId)}, cast(${plan.stepName} as text), cast(${plan.fingerprint} as text),
      ${cast(env, plan.size)}, ${dialect.flag(plan.isOpen)}
    where ${owns(env, plan.executionId, fence)}
    returning id as "id"`
}

const cast = ({ sql }: Env, value: number): Fragment => sql`cast(${value} as bigint)`

const insertPartitions = (
  { dialect, sql, tables }: Env,
  planId: number,
  rows: ReadonlyArray<Pick<PartitionRow, "ordinal" | "name" | "input">>
): Effect.Effect<void, SqlError> =>
  Effect.forEach(
    batches(rows),
    (some) =>
      sql`insert into ${tables.partition} (plan_id, ordinal, name, input, waiting) values ${
        sql.csv(
          some.map(({ input, name, ordinal }) =>
            sql`(${planId}, ${ordinal}, ${Rows.printable(name)}, ${dialect.json(input)}, 1)`
          )
        )
      }`,
    { discard: true }
  )

const taking = (env: Env): Pick<EncodedPartitions, "take" | "setInstance" | "putUp"> => {
  const { sql, tables } = env
  return {
    take: take(env),
    setInstance: (partitionId, instanceId) =>
      write(
        env,
        "claimPartition",
        Effect.asVoid(sql`update ${tables.partition} set job_instance_id = ${instanceId} where id = ${partitionId}`)
      ),
    putUp: (partitionIds) =>
      write(
        env,
        "putUpPartitions",
        Effect.forEach(batches(partitionIds), (ids) =>
          sql`update ${tables.partition} set waiting = case when job_instance_id is null then 1 else 0 end
            where ${sql.in("id", ids)}`, { discard: true })
      )
  }
}

/** On PostgreSQL one statement: what it says of the plan is locked by it. */
const take = (env: Env): EncodedPartitions["take"] => (planId) => {
  const { dialect, sql, tables } = env
  const isPg = dialect.name === "pg"
  const update = sql`update ${tables.partition} set waiting = null where id = (
      select p.id from ${tables.partition} p
      join ${tables.plan} l on l.id = p.plan_id
      join ${tables.execution} e on e.id = l.job_execution_id
      where p.plan_id = ${planId} and p.waiting is not null
        and l.is_open = ${dialect.flag(true)} and e.status = 'STARTED'
      order by p.waiting, p.ordinal limit 1 ${sql.literal(isPg ? "for update of p skip locked for share of l" : "")}
    ) returning`
  // Ids of partitions and plans have the same name.
  const taken = (partition: Fragment) =>
    sql<Raw>`select ${partitionColumns(env, "p.")}, ${sql.literal(dialect.text("e.context"))} as "context",
        l.*
      from ${partition} p join (
        select ${planColumns(env, "plan_")} from ${tables.plan} l join ${tables.instance} i on i.id = l.job_instance_id
        where l.id = ${planId}
      ) l on 1 = 1 join ${tables.execution} e on e.id = l."plan_executionId"`
  const rows = isPg
    ? sql<Raw>`with taken as (${update} *) ${taken(sql.literal("taken"))}`
    : Effect.flatMap(sql<Raw>`${update} id as "id"`, ([row]) =>
      row === undefined
        ? Effect.succeed([])
        : taken(sql`(select * from ${tables.partition} where id = ${Rows.number(row.id)})`))
  return write(
    env,
    "claimPartition",
    Effect.map(rows, ([row]) =>
      row === undefined ? null : {
        partition: toPartition(row),
        plan: toPlan(row, "plan_"),
        context: row.context as string
      })
  )
}

const looking = (
  env: Env
): Pick<EncodedPartitions, "groups" | "sumCounts" | "countsOf" | "findStates" | "findContexts"> => ({
  groups: groups(env),
  sumCounts: (planId) =>
    read(
      env,
      "sumPartitions",
      Effect.map(
        env.sql<Raw>`select ${countColumns(env)} ${countTables(env)} where p.plan_id = ${planId}`,
        ([row]) => toCounts(row ?? {})
      )
    ),
  countsOf: countsOf(env),
  findStates: findStates(env),
  findContexts: findContexts(env)
})

const groups = (env: Env): EncodedPartitions["groups"] => (planId) => {
  const { dialect, sql } = env
  return read(
    env,
    "countPartitions",
    Effect.map(
      sql<Raw>`select ${sql.literal(GROUPED)}, ${sql.literal(dialect.number("count(*)"))} as "count"
        from (select ${factColumns(env)}, ${claimColumns(env)} ${factTables(env)} where p.plan_id = ${planId}) f
        group by ${sql.literal(GROUPED)}`,
      (rows) => rows.map((row) => ({ ...toFacts(row), ...toClaim(row), count: Rows.number(row.count) }))
    )
  )
}

const countsOf = (env: Env): EncodedPartitions["countsOf"] => (partitionIds) => {
  const { dialect, sql } = env
  return read(
    env,
    "sumPartitions",
    Effect.map(
      Effect.forEach(
        batches(partitionIds),
        (ids) =>
          sql<Raw>`select ${sql.literal(dialect.number("p.id"))} as "id", ${countColumns(env)} ${countTables(env)}
          where ${sql.in("p.id", ids)} group by p.id`
      ),
      (pages) => new Map(pages.flat().map((row) => [Rows.number(row.id), toCounts(row)]))
    )
  )
}

const findStates = (env: Env): EncodedPartitions["findStates"] => (planId, { after, limit, unsettled }) => {
  const { dialect, sql } = env
  return read(
    env,
    "listPartitions",
    Effect.map(
      sql<Raw>`select ${partitionColumns(env, "p.")}, ${factColumns(env)},
          ${sql.literal(dialect.number("e.id"))} as "executionId", e.exit_code as "exitCode",
          e.exit_message as "exitMessage", e.owner as "owner", e.token as "token",
          ${sql.literal(dialect.millis("e.start_time"))} as "startTime",
          ${sql.literal(dialect.millis("e.end_time"))} as "endTime"
        ${unsettled ? unsettledTables(env, planId) : factTables(env)}
        where p.plan_id = ${planId} and p.ordinal > ${after} ${sql.literal(unsettled ? "and p.waiting is null" : "")}
        order by p.ordinal limit ${limit}`,
      (rows) => rows.map(toState)
    )
  )
}

const findContexts = (env: Env): EncodedPartitions["findContexts"] => (planId, { after, limit }) => {
  const { dialect, sql } = env
  return read(
    env,
    "listPartitions",
    Effect.map(
      sql<Raw>`select p.name as "name", ${sql.literal(dialect.number("p.ordinal"))} as "ordinal",
          ${sql.literal(dialect.text("e.context"))} as "context"
        ${factTables(env)}
        where p.plan_id = ${planId} and p.ordinal > ${after} and e.status = 'COMPLETED'
        order by p.ordinal limit ${limit}`,
      (rows) =>
        rows.map((row) => ({
          name: row.name as string,
          ordinal: Rows.number(row.ordinal),
          context: row.context as string
        }))
    )
  )
}

const planColumns = ({ dialect, sql }: Env, prefix = ""): Fragment =>
  sql.literal(
    [
      ...[["l.id", "id"], ["l.job_instance_id", "instanceId"], ["l.job_execution_id", "executionId"], [
        "l.step_execution_id",
        "stepExecutionId"
      ], ["l.size", "size"]].map(([column, name]) => `${dialect.number(column!)} as "${prefix}${name}"`),
      ...[["i.job_name", "jobName"], ["l.step_name", "stepName"], ["l.fingerprint", "fingerprint"], [
        "l.is_open",
        "isOpen"
      ]].map(([column, name]) => `${column} as "${prefix}${name}"`)
    ].join(", ")
  )

const partitionColumns = ({ dialect, sql }: Env, table: string): Fragment =>
  sql.literal(
    `${dialect.number(`${table}id`)} as "id", ${dialect.number(`${table}ordinal`)} as "ordinal",
    ${table}name as "name", ${dialect.text(`${table}input`)} as "input",
    ${dialect.number(`${table}job_instance_id`)} as "instanceId"`
  )

/** The newest execution of each partition is `e`. */
const factTables = ({ sql, tables }: Env): Fragment =>
  sql`from ${tables.partition} p join ${tables.plan} l on l.id = p.plan_id
    left join ${tables.execution} e
      on e.id = (select max(n.id) from ${tables.execution} n where n.job_instance_id = p.job_instance_id)`

/** The same of those whose newest execution has not completed, without a look at the others: what is not put up has an execution. */
const unsettledTables = ({ sql, tables }: Env, planId: number): Fragment =>
  sql`from ${tables.execution} e join ${tables.partition} p on p.job_instance_id = e.job_instance_id
    join ${tables.plan} l on l.id = p.plan_id
      and e.parent_instance_id = (select r.job_instance_id from ${tables.plan} r where r.id = ${planId})
      and e.status <> 'COMPLETED'
      and e.id = (select max(n.id) from ${tables.execution} n where n.job_instance_id = e.job_instance_id)`

const factColumns = ({ dialect, sql, tables }: Env): Fragment => {
  const isDead = sql.literal(
    "(e.status = 'FAILED' and e.exit_code = 'OWNER_DIED' or e.status = 'STOPPED' and e.exit_code = 'OWNER_LEFT')"
  )
  const isRunning = sql.literal(`e.status in ${runningStatuses}`)
  const now = sql.literal(dialect.now)
  const deaths = sql`(select count(*) from ${tables.execution} d
    where d.job_instance_id = p.job_instance_id and d.parent_execution_id = l.job_execution_id
      and (d.exit_code = 'OWNER_DIED' or d.status in ${sql.literal(runningStatuses)}))`
  return sql`case when p.waiting is null then 0 else 1 end as "isWaiting",
    e.status as "status",
    case when e.parent_execution_id = l.job_execution_id then 1 else 0 end as "isOfThisRun",
    case when ${isDead} then 1 when ${isRunning} and (e.lease_until is null or e.lease_until < ${now}) then 1
      else 0 end as "isOrphaned",
    case when ${isRunning} or (${isDead}) then ${deaths} else 0 end as "deaths"`
}

const GROUPED = `"isWaiting", "status", "isOfThisRun", "isOrphaned", "deaths", "owner", "token"`

/** Only of what runs, which is as much as there are slots: what has ended is counted together, whoever ran it. */
const claimColumns = ({ sql }: Env): Fragment =>
  sql.literal(
    ["owner", "token"].map((column) => `case when e.status in ${runningStatuses} then e.${column} end as "${column}"`)
      .join(", ")
  )

const countTables = ({ sql, tables }: Env): Fragment =>
  sql`from ${tables.partition} p
    join ${tables.execution} e on e.job_instance_id = p.job_instance_id
    join ${tables.step} s on s.job_execution_id = e.id`

const COUNTS = ["read", "write", "filter", "readSkip", "processSkip", "writeSkip", "commit", "rollback"] as const

const countColumns = ({ dialect, sql }: Env): Fragment =>
  sql.literal(
    COUNTS.map((name) => {
      const column = `${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}_count`
      return `${dialect.number(`coalesce(sum(s.${column}), 0)`)} as "${name}"`
    }).join(", ")
  )

const toPlan = (row: Raw, prefix = ""): PartitionPlan => {
  const value = (name: string): unknown => row[`${prefix}${name}`]
  return {
    id: Rows.number(value("id")),
    jobName: value("jobName") as string,
    instanceId: Rows.number(value("instanceId")),
    executionId: Rows.number(value("executionId")),
    stepExecutionId: Rows.number(value("stepExecutionId")),
    stepName: value("stepName") as string,
    fingerprint: value("fingerprint") as string,
    size: Rows.number(value("size")),
    isOpen: Boolean(value("isOpen"))
  }
}

const toPartition = (row: Raw): PartitionRow => ({
  id: Rows.number(row.id),
  ordinal: Rows.number(row.ordinal),
  name: row.name as string,
  input: row.input as string,
  instanceId: Rows.nullable(row.instanceId, Rows.number)
})

const toFacts = (row: Raw): PartitionFactsRow => ({
  isWaiting: Rows.number(row.isWaiting) === 1,
  status: Rows.nullable(row.status, Rows.text),
  isOfThisRun: Rows.number(row.isOfThisRun) === 1,
  isOrphaned: Rows.number(row.isOrphaned) === 1,
  deaths: Rows.number(row.deaths)
})

const toClaim = (row: Raw): Pick<PartitionStateRow, "owner" | "token"> => ({
  owner: Rows.nullable(row.owner, Rows.text),
  token: Rows.nullable(row.token, Rows.text)
})

const toState = (row: Raw): PartitionStateRow => ({
  ...toPartition(row),
  ...toFacts(row),
  executionId: Rows.nullable(row.executionId, Rows.number),
  exitCode: Rows.nullable(row.exitCode, Rows.text),
  exitMessage: Rows.nullable(row.exitMessage, Rows.text),
  ...toClaim(row),
  startTime: Rows.nullable(row.startTime, Rows.number),
  endTime: Rows.nullable(row.endTime, Rows.number)
})

const toCounts = (row: Raw): Counts =>
  Object.fromEntries(COUNTS.map((name) => [name, Rows.number(row[name] ?? 0)])) as unknown as Counts
