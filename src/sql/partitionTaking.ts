/**
 * How partitions are taken from their plan, and put up again.
 *
 * What nobody has begun yet, which is most of what is ever taken, PostgreSQL takes and claims in one statement: with the
 * statements of a launch it would be eight messages, and most of what an empty partition costs.
 */
import type { Fragment } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import type { EncodedPartitions, FirstClaim } from "../ports/partitionsDriver.js"
import { batches } from "./batches.js"
import type { Env } from "./env.js"
import { often, write } from "./env.js"
import { partitionColumns, planColumns, toPartition, toPlan } from "./partitionRecords.js"
import type { Raw } from "./rows.js"
import * as Rows from "./rows.js"

/** @internal */
export const taking = (env: Env): Pick<EncodedPartitions, "take" | "claimFirst" | "setInstance" | "putUp"> => {
  const { dialect, sql, tables } = env
  return {
    take: take(env),
    claimFirst: dialect.name === "pg" ? claimFirst(env) : undefined,
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

// internal

/** On PostgreSQL one statement: what it says of the plan is locked by it. */
const take = (env: Env): EncodedPartitions["take"] => (planId) => {
  const { dialect, sql, tables } = env
  // Ids of partitions and plans have the same name.
  const taken = (partition: Fragment) =>
    sql<Raw>`select ${partitionColumns(env, "p.")}, l.*
      from ${partition} p join (
        select ${planColumns(env, "plan_")}, ${sql.literal(dialect.text("e.context"))} as "context"
        from ${tables.plan} l join ${tables.instance} i on i.id = l.job_instance_id
          join ${tables.execution} e on e.id = l.job_execution_id
        where l.id = ${planId}
      ) l on 1 = 1`
  const rows = dialect.name === "pg"
    ? sql<Raw>`with ${nextOf(env, planId)}, taken as (
        update ${tables.partition} p set waiting = null from next where p.id = next.id returning p.*
      ) ${taken(sql.literal("taken"))}`
    : Effect.flatMap(
      sql<Raw>`update ${tables.partition} set waiting = null where id = (
          select p.id from ${tables.partition} p
          join ${tables.plan} l on l.id = p.plan_id
          join ${tables.execution} e on e.id = l.job_execution_id
          where p.plan_id = ${planId} and p.waiting is not null
            and l.is_open = ${dialect.flag(true)} and e.status = 'STARTED'
          order by p.waiting, p.ordinal limit 1
        ) returning id as "id"`,
      ([row]) =>
        row === undefined
          ? Effect.succeed([])
          : taken(sql`(select * from ${tables.partition} where id = ${Rows.number(row.id)})`)
    )
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

/**
 * The plan, if something may be begun, and what comes next in it, both locked; what somebody else is taking is passed over. In
 * parts, so that it follows the index of what is put up whatever the server knows of the tables: of a plan that is not older
 * than its last look at them it thinks that it is small.
 */
const nextOf = ({ sql, tables }: Env, planId: number): Fragment =>
  sql`open as materialized (
      select l.*, i.job_name, e.context from ${tables.plan} l
      join ${tables.instance} i on i.id = l.job_instance_id join ${tables.execution} e on e.id = l.job_execution_id
      where l.id = ${planId} and l.is_open and e.status = 'STARTED' for share of l
    ), next as materialized (
      select p.* from ${tables.partition} p where p.plan_id = (select id from open) and p.waiting is not null
      order by p.waiting, p.ordinal limit 1 for update of p skip locked
    )`

/**
 * Nothing is written where the partition had an execution before, or its key is not known, or already stands for an instance.
 * Its columns are those of `insertJobExecution`, of an execution that begins at once.
 */
const claimFirst = (env: Env) => (planId: number, claim: FirstClaim) => {
  const { dialect, sql, tables } = env
  const at = dialect.instant(claim.at)
  return often(env, "claimPartition", (execute) =>
    Effect.map(
      execute(sql<Raw>`with ${nextOf(env, planId)}, instance as (
          insert into ${tables.instance} (job_name, job_key, create_time)
          select open.job_name || '/' || open.step_name, next.job_key, ${at} from next, open
          where next.job_instance_id is null and next.job_key is not null
          on conflict do nothing returning id
        ), execution as (
          insert into ${tables.execution} (
            job_instance_id, status, exit_code, exit_message, create_time, start_time, last_updated, context, owner, epoch,
            token, lease_millis, lease_until, parent_execution_id, parent_instance_id
          ) select instance.id, 'STARTED', cast(${claim.exitCode} as text), '', ${at}, ${at}, ${at}, open.context,
            cast(${claim.owner} as text), 1, cast(${claim.token} as text), cast(${
        Math.round(claim.leaseMillis)
      } as bigint),
            ${dialect.after(claim.leaseMillis)}, open.job_execution_id, open.job_instance_id
          from instance, open returning id
        ), parameters as (
          insert into ${tables.params} (job_execution_id, ordinal, name, value, identifying, redacted)
          select execution.id, v.ordinal, v.name, v.value, true, false
          from execution, next, open, lateral (values
            (0, 'parentInstance', to_json(open.job_instance_id)), (1, 'plan', to_json(open.id)),
            (2, 'partition', to_json(next.name))
          ) v (ordinal, name, value)
        ), taken as (
          update ${tables.partition} p set waiting = null, job_instance_id = instance.id from next, instance
          where p.id = next.id
        )
        select ${partitionColumns(env, "next.")}, ${sql.literal(dialect.text("open.context"))} as "context",
          next.job_key as "jobKey", ${sql.literal(dialect.number("instance.id"))} as "newInstanceId",
          ${sql.literal(dialect.number("execution.id"))} as "executionId", l.*
        from next cross join open left join instance on true left join execution on true cross join (
          select ${planColumns(env, "plan_")} from open l join ${tables.instance} i on i.id = l.job_instance_id
        ) l`),
      ([row]) =>
        row === undefined ? null : row.executionId === null ? "begun" as const : {
          partition: toPartition(row),
          plan: toPlan(row, "plan_"),
          context: row.context as string,
          jobKey: row.jobKey as string,
          instanceId: Rows.number(row.newInstanceId),
          executionId: Rows.number(row.executionId)
        }
    ), { about: planId })
}
