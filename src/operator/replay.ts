/**
 * Whether, and how, what an execution skipped is run again: once, and only when nothing else can meet the same records.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { plural } from "../base/text.js"
import { steps as stepsOf } from "../definition/defects.js"
import type { Job } from "../definition/Job.js"
import { definitionOf } from "../definition/tree.js"
import type * as Launch from "../engine/job/launch.js"
import { childJob } from "../engine/partition/child.js"
import * as Running from "../engine/session/running.js"
import { JobRepository } from "../ports/JobRepository.js"
import { isPartition } from "../ports/partitions.js"
import type { JobRepositoryError, NoSuchJobExecution } from "../vocabulary/BatchError.js"
import { ReplayRefused } from "../vocabulary/BatchError.js"
import * as BatchStatus from "../vocabulary/BatchStatus.js"
import * as ExecutionContext from "../vocabulary/ExecutionContext.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import type { JobParameter } from "../vocabulary/JobParameters.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"
import type { Candidate } from "./replayJob.js"
import * as ReplayJob from "./replayJob.js"

/**
 * What a replay would do.
 *
 * - `records`: how many it would try. `unread`: how many could not be read then, so that there is nothing to run.
 * - `goesOn`: the execution of an earlier attempt that it would restart.
 */
export interface Replay {
  readonly executionId: number
  readonly records: number
  readonly unread: number
  readonly goesOn: number | undefined
  readonly job: Job.Any
  readonly parameters: ReadonlyArray<JobParameter>
  readonly part: Launch.Part
}

type Failure = NoSuchJobExecution | JobRepositoryError

export const plan = (
  job: Job.Any,
  executionId: number
): Effect.Effect<Replay, Failure | ReplayRefused, JobRepository> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const execution = yield* repository.jobExecution(executionId)
    const { instance } = execution
    const refused = (reason: ReplayRefused["reason"], detail: string) =>
      new ReplayRefused({ jobName: instance.jobName, executionId, reason, detail })
    const origin = yield* originOf(execution)
    const own = origin.instance.jobName === job.name ? job : yield* partitionJob(job, origin)
    if (own === undefined) {
      return yield* refused("otherJob", `it is not an execution of job "${job.name}"; name the job of the execution`)
    }
    const of = yield* repository.jobExecutions({ instanceId: instance.id, limit: Number.MAX_SAFE_INTEGER })
    const newest = of[0] ?? execution
    const steps = yield* repository.stepExecutionsOf(of.map(({ id }) => id))
    const obstacle = inTheWay(execution, newest, steps)
    if (obstacle !== undefined) {
      return yield* refused(...obstacle)
    }
    const mine = steps.filter(({ jobExecutionId }) => jobExecutionId === executionId)
    const found = counted(ReplayJob.candidates(own), mine)
    const replay = ReplayJob.make(own)
    if (replay === undefined || found.records === 0) {
      return yield* refused("none", nothing(found, yield* partsOf(executionId)))
    }
    const parameters = ReplayJob.parametersOf(execution)
    const before = yield* newestOf(replay.name, parameters)
    if (before !== undefined && (before.status === "COMPLETED" || before.status === "ABANDONED")) {
      return yield* refused("done", ended(before))
    }
    return {
      executionId,
      records: found.records,
      unread: found.unread,
      goesOn: before?.id,
      job: replay,
      parameters,
      part: {
        parent: { executionId, instanceId: instance.id },
        context: ExecutionContext.toJson(withoutReserved(newest.context))
      }
    }
  })

/** As data: what a replay would do, or why it does not. */
export const outlook = (
  job: Job.Any,
  executionId: number
): Effect.Effect<Either.Either<Replay, ReplayRefused>, Failure, JobRepository> =>
  plan(job, executionId).pipe(
    Effect.map((replay) => Either.right(replay)),
    Effect.catchTag("ReplayRefused", (error) => Effect.succeed(Either.left(error)))
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** The execution that met the records first: what was skipped in a replay can be run again, too. */
const originOf = (execution: JobExecution): Effect.Effect<JobExecution, Failure, JobRepository> => {
  const of = ReplayJob.replayed(execution)
  return of === undefined
    ? Effect.succeed(execution)
    : Effect.flatMap(Effect.flatMap(JobRepository, (repository) => repository.jobExecution(of)), originOf)
}

/** The job of a partition is made of its input. */
const partitionJob = (
  job: Job.Any,
  execution: JobExecution
): Effect.Effect<Job.Any | undefined, JobRepositoryError, JobRepository> =>
  Effect.gen(function*() {
    const value = (name: string) => execution.parameters.find((parameter) => parameter.name === name)?.value
    if (!isPartition(execution)) {
      return undefined
    }
    const { partitions } = yield* JobRepository
    const found = yield* partitions.find(Number(value("plan")))
    if (found._tag === "None" || found.value.jobName !== job.name) {
      return undefined
    }
    const { id, stepName } = found.value
    const body = stepsOf(definitionOf(job).graph).find(({ name }) => name === stepName)?.body
    const partition = (yield* partitions.list(id, yield* Running.witness, { limit: Number.MAX_SAFE_INTEGER })).find((
      { name }
    ) => name === value("partition"))
    return body?._tag !== "Partition" || partition === undefined
      ? undefined
      : childJob(body, { input: partition.input, jobName: execution.instance.jobName, name: partition.name, stepName })
  })

/** Pure. What may still meet the same records, or has met them since. */
const inTheWay = (
  { id }: JobExecution,
  newest: JobExecution,
  steps: ReadonlyArray<StepExecution>
): readonly [ReplayRefused["reason"], string] | undefined => {
  if (BatchStatus.isRunning(newest.status)) {
    const which = newest.id === id ? "it" : `execution ${newest.id} of the same instance`
    return ["running", `${which} is ${newest.status}; wait for its end`]
  }
  if (newest.status !== "COMPLETED" && newest.status !== "ABANDONED") {
    return [
      "restartable",
      `execution ${newest.id} of the same instance is ${newest.status}; restart it first, or give it up (abandon ${newest.id})`
    ]
  }
  const anew = steps.find((later) =>
    later.jobExecutionId > id &&
    steps.some((step) =>
      step.jobExecutionId === id && step.status === "COMPLETED" && step.place === later.place &&
      step.round === later.round
    )
  )
  return anew === undefined ? undefined : [
    "superseded",
    `step "${anew.stepName}" was run again from the beginning by execution ${anew.jobExecutionId}, which met them ` +
    `again; run again what that one skipped (replay ${anew.jobExecutionId})`
  ]
}

interface Found {
  readonly records: number
  readonly unread: number
  readonly obstacles: ReadonlyArray<string>
}

/** What each step has counted is what it keeps. */
const counted = (candidates: ReadonlyArray<Candidate>, steps: ReadonlyArray<StepExecution>): Found => {
  const known = new Map(candidates.map((candidate) => [candidate.step.name, candidate]))
  const baseOf = (name: string) => known.get(name) ?? known.get(name.replace(/( \(only write\))+$/, ""))
  return steps.reduce((found: Found, { counts, stepName }) => {
    const skipped = counts.processSkip + counts.writeSkip
    const candidate = baseOf(stepName)
    if (candidate === undefined || (skipped === 0 && counts.readSkip === 0)) {
      return found
    }
    const { process, write } = candidate.step.settings.quarantine ?? {}
    const known = (process?.known === true ? counts.processSkip : 0) + (write?.known === true ? counts.writeSkip : 0)
    const obstacle = candidate.obstacle ?? (known === 0 ? UNKNOWN : undefined)
    return {
      records: found.records + (obstacle === undefined ? skipped : 0),
      unread: found.unread + counts.readSkip,
      obstacles: skipped === 0 || obstacle === undefined
        ? found.obstacles
        : [...found.obstacles, `step "${stepName}" skipped ${plural(skipped, "record")}, but ${obstacle}`]
    }
  }, { records: 0, unread: 0, obstacles: [] })
}

const UNKNOWN =
  "it does not describe its items; give Step.quarantine their schemas, then what is skipped from now on can be " +
  "run again"

const nothing = ({ obstacles, unread }: Found, parts: ReadonlyArray<number>): string =>
  [
    ...obstacles,
    ...(unread === 0 ? [] : [
      `${
        plural(unread, "record")
      } could not be read, so that there is nothing to run; mend the source, then run the job ` +
      "with another identifying parameter"
    ]),
    ...(parts.length === 0 ? [] : [
      `its partitions have skipped records; run them again one by one: ${
        parts.slice(0, TOLD).map((id) => `replay ${id}`).join(", ")
      }${parts.length > TOLD ? `, and ${parts.length - TOLD} more` : ""}`
    ])
  ].join("; ") || "it skipped none"

const TOLD = 5

/** Partitions that skipped something, newest execution of each first. */
const partsOf = (executionId: number): Effect.Effect<ReadonlyArray<number>, JobRepositoryError, JobRepository> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const parts = yield* repository.jobExecutions({ parentId: executionId, limit: Number.MAX_SAFE_INTEGER })
    const steps = yield* repository.stepExecutionsOf(parts.filter(isPartition).map(({ id }) => id))
    return [
      ...new Set(
        steps.filter(({ counts }) => counts.processSkip + counts.writeSkip > 0).map((step) => step.jobExecutionId)
      )
    ]
  })

const newestOf = (jobName: string, parameters: ReadonlyArray<JobParameter>) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const [instance] = yield* repository.jobInstances({ jobName, jobKey: JobParameters.jobKey(parameters), limit: 1 })
    const [newest] = instance === undefined
      ? []
      : yield* repository.jobExecutions({ instanceId: instance.id, limit: 1 })
    return newest
  })

const ended = ({ id, status }: JobExecution): string =>
  status === "COMPLETED"
    ? `execution ${id} has run it again; what that one skipped can be run again in turn (replay ${id})`
    : `execution ${id} was to run it again, and was given up`

/** What the engine remembers of the flow of the job does not concern this one. */
const withoutReserved = (context: ExecutionContext.ExecutionContext): ExecutionContext.ExecutionContext =>
  ExecutionContext.fromEntries(
    Object.fromEntries(
      Object.entries(JSON.parse(ExecutionContext.toJson(context)) as Record<string, never>).filter(
        ([name]) => !name.startsWith("batch.")
      )
    )
  )
