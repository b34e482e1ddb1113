/**
 * What the driver deletes: instances with all that they launched as parts of themselves.
 */
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type { Encoded } from "../ports/JobRepository.js"
import type { JobRepositoryError } from "../vocabulary/BatchError.js"
import { batches } from "./batches.js"
import type { Env } from "./env.js"
import { runningStatuses, write } from "./env.js"
import type { Raw } from "./rows.js"
import * as Rows from "./rows.js"

/** @internal */
export const deleteJobExecutions = (
  env: Env
): Encoded["deleteJobExecutions"] =>
(executionIds): Effect.Effect<number, JobRepositoryError> =>
  write(env, "deleteJobExecutions", sumOver(executionIds, (ids) => deleteSome(env, ids)))

// internal

const sumOver = (
  ids: ReadonlyArray<number>,
  run: (ids: ReadonlyArray<number>) => Effect.Effect<number, SqlError>
): Effect.Effect<number, SqlError> =>
  Effect.map(Effect.forEach(batches(ids), run), (counts) => counts.reduce((sum, count) => sum + count, 0))

const idsOf = (rows: ReadonlyArray<Raw>): ReadonlyArray<number> => rows.map((row) => Rows.number(row.id))

/**
 * The instances are locked first, as a launch locks them, so that none gets an execution while it is deleted. What runs
 * somewhere below an instance keeps all of it: a restart of the root goes on from there.
 */
const deleteSome = (env: Env, executionIds: ReadonlyArray<number>): Effect.Effect<number, SqlError> =>
  Effect.gen(function*() {
    const { dialect, sql, tables } = env
    const forUpdate = sql.literal(dialect.forUpdate)
    const id = sql.literal(`${dialect.number("id")} as "id"`)
    const instances = idsOf(
      yield* sql<Raw>`select ${id} from ${tables.instance} where id in (
        select job_instance_id from ${tables.execution} where ${sql.in("id", executionIds)}
      ) order by id ${forUpdate}`
    )
    const busy = idsOf(
      yield* sql<Raw>`with recursive below (root, instance_id) as (
          select id, id from ${tables.instance} where ${sql.in("id", instances)}
          union
          select below.root, c.job_instance_id
          from below join ${tables.execution} c on c.parent_instance_id = below.instance_id
        )
        select distinct ${sql.literal(dialect.number("below.root"))} as "id"
        from below join ${tables.execution} r on r.job_instance_id = below.instance_id
        where r.status in ${sql.literal(runningStatuses)}`
    )
    const ids = idsOf(
      yield* sql<Raw>`select ${id} from ${tables.execution} e
        where ${sql.in("id", executionIds)} and not (${sql.in("e.job_instance_id", busy)}) and not ${isPart(env)}
        order by id ${forUpdate}`
    )
    return yield* remove(env, ids, instances.filter((instance) => !busy.includes(instance)))
  })

/** Whether the instance of `e` was launched by one that is still there. */
const isPart = ({ sql, tables }: Env) =>
  sql`exists (
    select 1 from ${tables.execution} o join ${tables.instance} p on p.id = o.parent_instance_id
    where o.job_instance_id = e.job_instance_id
  )`

const remove = (
  env: Env,
  executionIds: ReadonlyArray<number>,
  instanceIds: ReadonlyArray<number>
): Effect.Effect<number, SqlError> =>
  Effect.gen(function*() {
    const { dialect, sql, tables } = env
    const id = sql.literal(`${dialect.number("i.id")} as "id"`)
    const deleted = yield* sumOver(executionIds, (ids) => removeExecutions(env, ids))
    const emptied = idsOf(
      yield* sql<Raw>`select ${id} from ${tables.instance} i where ${sql.in("i.id", instanceIds)}
        and not exists (select 1 from ${tables.execution} e where e.job_instance_id = i.id)`
    )
    if (emptied.length === 0) {
      return deleted
    }
    const plans = sql`select id from ${tables.plan} where ${sql.in("job_instance_id", emptied)}`
    yield* sql`delete from ${tables.partition} where plan_id in (${plans})`
    yield* sql`delete from ${tables.plan} where ${sql.in("job_instance_id", emptied)}`
    yield* sql`delete from ${tables.instance} where ${sql.in("id", emptied)}`
    return deleted + (yield* removePartsOf(env, emptied))
  })

/** Whole instances, unless another one that is there has launched them too. */
const removePartsOf = (env: Env, instanceIds: ReadonlyArray<number>): Effect.Effect<number, SqlError> =>
  Effect.gen(function*() {
    const { dialect, sql, tables } = env
    const instance = sql.literal(`${dialect.number("e.job_instance_id")} as "id"`)
    const parts = idsOf(
      yield* sql<Raw>`select distinct ${instance} from ${tables.execution} e
        where ${sql.in("e.parent_instance_id", instanceIds)} and not ${isPart(env)}`
    )
    return yield* sumOver(parts, (some) =>
      Effect.flatMap(
        sql<Raw>`select ${sql.literal(dialect.number("id"))} as "id" from ${tables.execution}
          where ${sql.in("job_instance_id", some)}`,
        (rows) => remove(env, idsOf(rows), some)
      ))
  })

const removeExecutions = (env: Env, ids: ReadonlyArray<number>): Effect.Effect<number, SqlError> =>
  Effect.gen(function*() {
    const { sql, tables } = env
    const steps = sql`select id from ${tables.step} where ${sql.in("job_execution_id", ids)}`
    yield* sql`delete from ${tables.skipped} where step_execution_id in (${steps})`
    yield* sql`delete from ${tables.step} where ${sql.in("job_execution_id", ids)}`
    yield* sql`delete from ${tables.audit} where ${sql.in("job_execution_id", ids)}`
    yield* sql`delete from ${tables.answer} where ${sql.in("job_execution_id", ids)}`
    yield* sql`delete from ${tables.params} where ${sql.in("job_execution_id", ids)}`
    yield* sql`delete from ${tables.notice} where ${sql.in("subject", ids.map((id) => `execution ${id}`))}`
    yield* sql`delete from ${tables.execution} where ${sql.in("id", ids)}`
    return ids.length
  })
