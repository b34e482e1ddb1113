/**
 * What the driver does to plans and partitions.
 */
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { PartitionPlan } from "../ports/partitions.js"
import { childParameters } from "../ports/partitions.js"
import type {
  EncodedPartitions,
  PartitionFactsRow,
  PartitionRow,
  PartitionStateRow
} from "../ports/partitionsDriver.js"
import type { Counts } from "../vocabulary/Counts.js"
import { jobKey } from "../vocabulary/JobParameters.js"
import { batches } from "./batches.js"
import type { Env } from "./env.js"
import { read, runningStatuses, write } from "./env.js"
import { partitionColumns, planColumns, toPartition, toPlan } from "./partitionRecords.js"
import { taking } from "./partitionTaking.js"
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
          stored.length === 0 ? Effect.succeedNone : Effect.asSome(insertPartitions(env, plan, rows)))
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
  plan: PartitionPlan,
  rows: ReadonlyArray<Pick<PartitionRow, "ordinal" | "name" | "input">>
): Effect.Effect<void, SqlError> =>
  Effect.forEach(
    batches(rows),
    (some) =>
      sql`insert into ${tables.partition} (plan_id, ordinal, name, input, waiting, job_key) values ${
        sql.csv(
          some.map(({ input, ordinal, ...row }) => {
            const name = storedName(row.name)
            return sql`(${plan.id}, ${ordinal}, ${name}, ${dialect.json(input)}, 1, ${
              jobKey(childParameters(plan, name))
            })`
          })
        )
      }`,
    { discard: true }
  )

/** As it is read again: its key is made of that. */
const storedName = (name: string): string => Buffer.from(Rows.printable(name)).toString()

const looking = (
  env: Env
): Pick<
  EncodedPartitions,
  "groups" | "unsettledGroups" | "sumCounts" | "countsOf" | "findStates" | "findContexts"
> => ({
  groups: groups(env),
  unsettledGroups: unsettledGroups(env),
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
      (rows) => rows.map(toGroup)
    )
  )
}

const unsettledGroups = (env: Env): EncodedPartitions["unsettledGroups"] => (planId) => {
  const { dialect, sql, tables } = env
  return read(
    env,
    "countPartitions",
    Effect.map(
      sql<Raw>`${unsettledOf(env, planId)}
        select ${sql.literal(GROUPED)}, ${sql.literal(dialect.number("count(*)"))} as "count"
        from (select ${factColumns(env)}, ${claimColumns(env)} ${unsettledTables(env)} where p.plan_id = ${planId}) f
        group by ${sql.literal(GROUPED)}
        union all select 1, null, 0, 0, 0, null, null, 1 where (
          select max(waiting) from ${tables.partition} where plan_id = ${planId} and waiting is not null
        ) = 1`,
      (rows) => rows.map(toGroup)
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
      sql<Raw>`${unsettled ? unsettledOf(env, planId) : sql.literal("")}
        select ${partitionColumns(env, "p.")}, ${factColumns(env)},
          ${sql.literal(dialect.number("e.id"))} as "executionId", e.exit_code as "exitCode",
          e.exit_message as "exitMessage", e.owner as "owner", e.token as "token",
          ${sql.literal(dialect.millis("e.start_time"))} as "startTime",
          ${sql.literal(dialect.millis("e.end_time"))} as "endTime"
        ${unsettled ? unsettledTables(env) : factTables(env)}
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

/** The newest execution of each partition is `e`. */
const factTables = ({ sql, tables }: Env): Fragment =>
  sql`from ${tables.partition} p join ${tables.plan} l on l.id = p.plan_id
    left join ${tables.execution} e
      on e.id = (select max(n.id) from ${tables.execution} n where n.job_instance_id = p.job_instance_id)`

/**
 * What has been begun below the instance of the plan and whose newest execution has not completed, as `e`: few rows, before
 * anything is looked up for them, whatever the server knows of the tables. Left to itself it may look for each partition
 * through all of the others.
 */
const unsettledOf = ({ sql, tables }: Env, planId: number): Fragment =>
  sql`with e as materialized (
      select u.id, u.job_instance_id, u.parent_execution_id, u.status, u.exit_code, u.exit_message, u.owner, u.token,
        u.start_time, u.end_time, u.lease_until
      from ${tables.execution} u
      where u.parent_instance_id = (select r.job_instance_id from ${tables.plan} r where r.id = ${planId})
        and u.status <> 'COMPLETED'
        and u.id = (select max(n.id) from ${tables.execution} n where n.job_instance_id = u.job_instance_id)
    )`

/** Their partitions and plans. */
const unsettledTables = ({ dialect, sql, tables }: Env): Fragment =>
  dialect.name === "pg"
    ? sql`from e cross join lateral (
        select * from ${tables.partition} x where x.job_instance_id = e.job_instance_id offset 0
      ) p join ${tables.plan} l on l.id = p.plan_id`
    : sql`from e cross join ${tables.partition} p on p.job_instance_id = e.job_instance_id
        cross join ${tables.plan} l on l.id = p.plan_id`

const factColumns = ({ dialect, sql, tables }: Env): Fragment => {
  const isDead = sql.literal(
    "(e.status = 'FAILED' and e.exit_code = 'OWNER_DIED' or e.status = 'STOPPED' and e.exit_code = 'OWNER_LEFT')"
  )
  const isRunning = sql.literal(`e.status in ${runningStatuses}`)
  const now = sql.literal(dialect.now)
  // A sum, so that they are not looked for among all that this run has begun.
  const deaths = sql`(select count(*) from ${tables.execution} d
    where d.job_instance_id = p.job_instance_id and d.parent_execution_id + 0 = l.job_execution_id
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

const toGroup = (row: Raw) => ({ ...toFacts(row), ...toClaim(row), count: Rows.number(row.count) })

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
