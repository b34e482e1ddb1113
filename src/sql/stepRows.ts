/**
 * What the driver does to step executions and skipped items.
 */
import type { Fragment } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { AnswerRecord } from "../decisions/flowHistory.js"
import type { Encoded, Fence, StepExecutionRow } from "../ports/JobRepository.js"
import type { Counts } from "../vocabulary/Counts.js"
import type { Env } from "./env.js"
import { conclude, often, read, write } from "./env.js"
import { repositoryError } from "./failure.js"
import type { Command } from "./pgQuery.js"
import type { Raw } from "./rows.js"
import * as Rows from "./rows.js"
import { classify } from "./sqlState.js"

/**
 * The lock on the execution, shared with other steps, makes a take-over wait that would otherwise miss this step. An insert
 * whose answer was lost may come true at any time, also behind the look for it: the index lets a place be visited once in a
 * round, and who comes second is given the row of the first. A request to stop waits for that lock too, so it comes before the
 * step, which is not inserted then, or finds it running. Why nothing was inserted is asked behind it, as that is rare.
 *
 * @internal
 */
export const insertStepExecution = (env: Env): Encoded["insertStepExecution"] => (row, { epoch, token }) => {
  const { dialect, sql, tables } = env
  return often(env, "createStepExecution", (execute) => {
    const insert = sql<Raw>`insert into ${tables.step} (
      job_execution_id, step_name, place, round, status, exit_code, exit_message, read_count, write_count, filter_count,
      read_skip_count, process_skip_count, write_skip_count, commit_count, rollback_count, create_time, start_time,
      end_time, last_updated, context, checkpoint, epoch
    ) select j.id, cast(${row.stepName} as text), cast(${row.place} as text), cast(${row.round} as text),
      cast(${row.status} as text),
      cast(${Rows.printable(row.exitCode)} as text), cast(${Rows.message(row.exitMessage)} as text),
      cast(${row.readCount} as bigint), cast(${row.writeCount} as bigint), cast(${row.filterCount} as bigint),
      cast(${row.readSkipCount} as bigint), cast(${row.processSkipCount} as bigint),
      cast(${row.writeSkipCount} as bigint), cast(${row.commitCount} as bigint), cast(${row.rollbackCount} as bigint),
      ${dialect.instant(row.createTime)}, ${dialect.instant(row.startTime)}, ${dialect.instant(row.endTime)},
      ${dialect.instant(row.lastUpdated)}, ${dialect.json(row.context)}, ${dialect.json(row.checkpoint)}, j.epoch
    from ${tables.execution} j
    where j.id = ${row.jobExecutionId} and j.epoch = ${epoch} and j.token = ${token} and j.status <> 'STOPPING'
      and (j.status not in ('STARTING', 'STARTED') or coalesce((
        select p.status from ${tables.execution} p where p.id = j.parent_execution_id
      ), '') not in ('STOPPING', 'STOPPED')) ${sql.literal(dialect.forShare)}
    on conflict (job_execution_id, place, round) where place is not null do nothing
    returning ${sql.literal(dialect.number("id"))} as "id"`
    const earlier = sql<Raw>`select ${sql.literal(dialect.number("s.id"))} as "id"
    from ${tables.execution} j left join ${tables.step} s
      on s.job_execution_id = j.id and s.place = ${row.place} and s.round = ${row.round}
    where j.id = ${row.jobExecutionId} and j.epoch = ${epoch} and j.token = ${token}`
    const stored = Effect.flatMap(
      execute(insert),
      (inserted) => inserted.length > 0 ? Effect.succeed(inserted) : earlier
    )
    return Effect.map(
      stored,
      ([found]) => found === undefined ? Option.none() : Option.some(found.id === null ? null : Rows.number(found.id))
    )
  })
}

/**
 * Saves the step, checks the epoch, renews the lease and polls the stop flag, on PostgreSQL in one round trip.
 *
 * The lease is renewed when a quarter of it is gone, and not while another step holds the row of the execution: steps
 * that run in parallel must not wait for each other's chunks.
 *
 * @internal
 */
export const updateStepExecution = (env: Env): Encoded["updateStepExecution"] => (row, fence, before) => {
  const { dialect, sql, tables } = env
  const follows = followed(env, before)
  return conclude(env, "updateStepExecution", (execute) => {
    const saved = dialect.name === "pg"
      ? execute(sql<Raw>`with lease as (${renewal(env, row, fence)}) ${update(env, row, fence, follows)}`)
      : Effect.tap(
        execute(
          sql<Raw>`update ${tables.step} set ${
            assignments(env, row)
          } where id = ${row.id} and epoch = ${fence.epoch} ${follows}
          and (select j.token from ${tables.execution} j where j.id = job_execution_id) = ${fence.token}
        returning (select j.status from ${tables.execution} j where j.id = job_execution_id) as "status"`
        ),
        ([saved]) => saved === undefined ? Effect.void : execute(renewal(env, row, fence))
      )
    return Effect.map(saved, ([saved]) => saved === undefined ? Option.none() : Option.some(saved.status as string))
  })
}

/**
 * The same for a transaction in one message, which can't be asked how many rows there were before it commits: a row that
 * is missing is an error there, a division by zero. The row must hold the numbers of commits and rollbacks that this one
 * follows, so that no transaction passes one that failed.
 *
 * @internal
 */
export const pipelinedUpdate = (env: Env): NonNullable<Encoded["pipelinedUpdate"]> => ({
  database: env.database,
  encode: (row, fence, before) => {
    const { sql } = env
    const [text, parameters] = sql`with lease as (${renewal(env, row, fence)}),
      saved as (${update(env, row, fence, followed(env, before))})
      select (select "status" from saved), 1 / (select count(*) from saved)`.compile()
    const command: Command = {
      text,
      parameters: parameters.map((value) => value === null ? null : String(value))
    }
    return {
      commands: [command],
      answer: (answer) => Either.fromNullable(answer?.[0], () => Option.none()),
      refused: (error) =>
        classify(error).sqlState === "22012"
          ? Option.none()
          : Option.some(repositoryError("updateStepExecution", error))
    }
  }
})

/** @internal */
export const flowHistory = (env: Env): Encoded["flowHistory"] => (instanceId) => {
  const { dialect, sql, tables } = env
  const number = (column: string) => sql.literal(dialect.number(column))
  const mine = sql`e.job_instance_id = ${instanceId}`
  const steps = sql<Raw>`select ${number("s.id")} as "id", ${number("s.job_execution_id")} as "jobExecutionId",
      s.step_name as "stepName", s.place as "place", s.round as "round", s.status as "status",
      s.exit_code as "exitCode", s.exit_message as "exitMessage"
    from ${tables.execution} e join ${tables.step} s on s.job_execution_id = e.id where ${mine} order by s.id`
  const answers = sql<AnswerRecord>`select a.place as "place", a.round as "round", a.code as "code"
    from ${tables.execution} e join ${tables.answer} a on a.job_execution_id = e.id where ${mine} order by a.id`
  return read(
    env,
    "flowHistory",
    Effect.map(
      Effect.zip(steps, answers),
      ([steps, answers]) => ({ steps: steps.map(Rows.stepRecord), answers })
    )
  )
}

/** @internal */
export const insertAnswer = (env: Env): Encoded["insertAnswer"] => (row, { epoch, token }) => {
  const { dialect, sql, tables } = env
  return write(
    env,
    "recordAnswer",
    Effect.map(
      sql<Raw>`insert into ${tables.answer} (job_execution_id, place, round, code, create_time)
        select j.id, cast(${Rows.printable(row.place)} as text), cast(${row.round} as text),
          cast(${Rows.printable(row.code)} as text), ${dialect.instant(row.createTime)}
        from ${tables.execution} j where j.id = ${row.jobExecutionId} and j.epoch = ${epoch}
          and j.token = ${token}
        returning ${sql.literal(dialect.number("id"))} as "id"`,
      ([inserted]) => inserted === undefined ? Option.none() : Option.some(undefined)
    )
  )
}

/** @internal */
export const findStepExecution = (env: Env): Encoded["findStepExecution"] => (id) => {
  const { columns, sql, tables } = env
  return read(
    env,
    "findStepExecution",
    Effect.map(
      sql<Raw>`select ${columns.step} from ${tables.step} s where s.id = ${id}`,
      ([raw]) => raw === undefined ? null : Rows.step(raw)
    )
  )
}

/** @internal */
export const findStepExecutions = (env: Env): Encoded["findStepExecutions"] => (executionId) => {
  const { columns, sql, tables } = env
  return read(
    env,
    "findStepExecutions",
    Effect.map(
      sql<Raw>`select ${columns.step} from ${tables.step} s where s.job_execution_id = ${executionId} order by s.id`,
      (rows) => rows.map(Rows.step)
    )
  )
}

/** @internal */
export const findStepExecutionsOf = (env: Env): Encoded["findStepExecutionsOf"] => (executionIds) => {
  const { columns, sql, tables } = env
  return read(
    env,
    "findStepExecutionsOf",
    Effect.map(
      sql<Raw>`select ${columns.step} from ${tables.step} s
        where ${sql.in("s.job_execution_id", executionIds)} order by s.id`,
      (rows) => rows.map(Rows.step)
    )
  )
}

// internal

const renewal = ({ dialect, sql, tables }: Env, row: StepExecutionRow, { epoch, token }: Fence) => {
  const due = sql`id = ${row.jobExecutionId} and epoch = ${epoch} and token = ${token}
    and lease_until < ${sql.literal(dialect.ahead("lease_millis * 3 / 4"))}`
  const renew = sql`update ${tables.execution} set lease_until = ${sql.literal(dialect.ahead("lease_millis"))}`
  return dialect.name === "pg"
    ? sql`${renew} where id = (select id from ${tables.execution} where ${due} for update skip locked)`
    : sql`${renew} where ${due}`
}

const followed = ({ sql }: Env, before: Pick<Counts, "commit" | "rollback"> | undefined): Fragment =>
  before === undefined
    ? sql.literal("")
    : sql`and commit_count = ${before.commit} and rollback_count = ${before.rollback}`

const update = (env: Env, row: StepExecutionRow, { epoch, token }: Fence, follows: Fragment) =>
  env.sql`update ${env.tables.step} s set ${assignments(env, row)} from ${env.tables.execution} j
    where s.id = ${row.id} and s.epoch = ${epoch} ${follows} and j.id = s.job_execution_id and j.token = ${token}
    returning j.status as "status"`

/** A step that goes on has no causes; its chunks write none. */
const assignments = ({ dialect, sql }: Env, row: StepExecutionRow) =>
  sql`status = ${row.status}, exit_code = ${Rows.printable(row.exitCode)},
    exit_message = ${Rows.message(row.exitMessage)},
    read_count = ${row.readCount}, write_count = ${row.writeCount}, filter_count = ${row.filterCount},
    read_skip_count = ${row.readSkipCount}, process_skip_count = ${row.processSkipCount},
    write_skip_count = ${row.writeSkipCount}, commit_count = ${row.commitCount},
    rollback_count = ${row.rollbackCount}, start_time = ${dialect.instant(row.startTime)},
    end_time = ${dialect.instant(row.endTime)}, last_updated = ${dialect.instant(row.lastUpdated)},
    context = ${dialect.json(row.context)}, checkpoint = ${dialect.json(row.checkpoint)}
    ${row.causes === null ? sql.literal("") : sql`, causes = ${Rows.printable(row.causes)}`}`
