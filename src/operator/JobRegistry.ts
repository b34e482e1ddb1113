/**
 * The jobs of a program by name: for command lines, schedulers and other callers that only have text.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Job } from "../definition/Job.js"
import { definitionOf } from "../definition/tree.js"
import type { OwnerFailure } from "../ports/JobRepository.js"
import { JobRepository } from "../ports/JobRepository.js"
import { isPartition } from "../ports/partitions.js"
import type { Transactor } from "../ports/Transactor.js"
import type { JobRepositoryError, LaunchError, NoSuchJobExecution, ReplayRefused } from "../vocabulary/BatchError.js"
import { InvalidJobParameters, NoSuchJob } from "../vocabulary/BatchError.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import * as JobOperator from "./JobOperator.js"
import * as ReplayJob from "./replayJob.js"

/**
 * Represents a second job of the same name.
 *
 * @see REG-1
 * @since 0.1.0
 * @category errors
 */
export class DuplicateJob extends Schema.TaggedError<DuplicateJob>()("DuplicateJob", { name: Schema.String }) {
  override get message(): string {
    return `There is a job "${this.name}" already: the name of a job is part of the identity of its instances, ` +
      "so give one of them another name"
  }
}

/**
 * A job with the services that it needs.
 *
 * @since 0.1.0
 * @category models
 */
export interface Registered {
  readonly job: Job.Any
  readonly services: Context.Context<never>
}

/**
 * @since 0.1.0
 * @category services
 */
export class JobRegistry extends Context.Tag("effect-batch/JobRegistry")<JobRegistry, {
  /**
   * Sorted.
   *
   * @see REG-1
   */
  readonly names: Effect.Effect<ReadonlyArray<string>>
  /** Also gives the job that runs the skipped records of a registered one again, by its name. */
  readonly get: (name: string) => Effect.Effect<Registered, NoSuchJob>
  /** Adds a job together with the services it needs. */
  readonly register: <P, Code extends string, E, R>(job: Job<P, Code, E, R>) => Effect.Effect<void, DuplicateJob, R>
  readonly unregister: (name: string) => Effect.Effect<void>
}>() {}

/**
 * The registry of these jobs. What the jobs need, the layer needs. Two jobs of one name fail with `DuplicateJob`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Job, JobRegistry, JobRepository, Step } from "effect-batch"
 *
 * const tidy = Job.make("tidy", { flow: Step.tasklet("tidy", Effect.void) })
 *
 * const program = JobRegistry.run("tidy", {}).pipe(
 *   Effect.map((execution) => execution.status),
 *   Effect.provide([JobRegistry.layer([tidy]), JobRepository.layerMemory])
 * )
 * Effect.runPromise(program).then((status) => assert.strictEqual(status, "COMPLETED"))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <const Jobs extends ReadonlyArray<Job.Any>>(
  jobs: Jobs
): Layer.Layer<JobRegistry, DuplicateJob, Requirements<Jobs>> =>
  Layer.effect(
    JobRegistry,
    Effect.gen(function*() {
      const known = new Map<string, Registered>()
      const register = (job: Job.Any) =>
        Effect.flatMap(Effect.context<never>(), (services) =>
          known.has(job.name)
            ? Effect.fail(new DuplicateJob({ name: job.name }))
            : Effect.sync(() => void known.set(job.name, { job, services })))
      yield* Effect.forEach(jobs, register, { discard: true })
      const names = () => [...known.keys()].sort()
      return JobRegistry.of({
        names: Effect.sync(names),
        get: (name) =>
          Effect.suspend(() => {
            const entry = known.get(name) ?? replayOf(known, name)
            return entry === undefined ? Effect.fail(new NoSuchJob({ name, known: names() })) : Effect.succeed(entry)
          }),
        register: register as Context.Tag.Service<JobRegistry>["register"],
        unregister: (name) => Effect.sync(() => void known.delete(name))
      })
    })
  ) as any

/**
 * What the jobs of a registry need.
 *
 * @since 0.1.0
 * @category models
 */
export type Requirements<Jobs extends ReadonlyArray<Job.Any>> = Jobs[number] extends Job<any, any, any, infer R> ? R
  : never

/**
 * The names of the registered jobs, sorted.
 *
 * @since 0.1.0
 * @category utils
 */
export const names: Effect.Effect<ReadonlyArray<string>, never, JobRegistry> = Effect.flatMap(
  JobRegistry,
  (registry) => registry.names
)

/**
 * Runs a job by name, as `JobOperator.run` does, with parameters in their encoded form: as a command line, a request or
 * a schedule has them.
 *
 * @since 0.1.0
 * @category utils
 */
export const run = (
  name: string,
  parameters: unknown
): Effect.Effect<Ended, NoSuchJob | LaunchError | OwnerFailure, Services> =>
  withJob(name, (job) =>
    Effect.flatMap(
      decode(job, definitionOf(job).parameters ?? JobParameters.none, parameters),
      (decoded) => JobOperator.run(job, decoded)
    ))

/**
 * Runs an execution again with exactly its parameters; its job is found by its name.
 *
 * @see RESTART-1
 * @since 0.1.0
 * @category utils
 */
export const restart = (
  executionId: number
): Effect.Effect<Ended, NoSuchJob | NoSuchJobExecution | ReplayRefused | LaunchError | OwnerFailure, Services> =>
  Effect.flatMap(
    Effect.flatMap(JobRepository, (repository) => repository.jobExecution(executionId)),
    (execution) => {
      const of = ReplayJob.replayed(execution)
      return of === undefined
        ? withJob(execution.instance.jobName, (job) => JobOperator.restart(job, executionId))
        : replay(of)
    }
  )

/**
 * Starts a job by name in a fiber of the given Scope, as `JobOperator.start` does, with parameters in their encoded form.
 *
 * @since 0.1.0
 * @category utils
 */
export const start = (
  name: string,
  parameters: unknown
): Effect.Effect<Running, NoSuchJob | LaunchError | JobRepositoryError, Services | Scope.Scope> =>
  withJob(name, (job) =>
    Effect.flatMap(
      decode(job, definitionOf(job).parameters ?? JobParameters.none, parameters),
      (decoded) => JobOperator.start(job, decoded)
    ))

/**
 * As `restart`, but in a fiber of the given Scope: succeeds as soon as the execution runs.
 *
 * @see RESTART-1
 * @since 0.1.0
 * @category utils
 */
export const startAgain = (
  executionId: number
): Effect.Effect<
  Running,
  NoSuchJob | NoSuchJobExecution | ReplayRefused | LaunchError | JobRepositoryError,
  Services | Scope.Scope
> =>
  Effect.flatMap(
    Effect.flatMap(JobRepository, (repository) => repository.jobExecution(executionId)),
    (execution) => {
      const of = ReplayJob.replayed(execution)
      return of === undefined
        ? withJob(execution.instance.jobName, (job) => JobOperator.startAgain(job, executionId))
        : startReplay(of)
    }
  )

/**
 * Runs what an execution skipped again, as `JobOperator.replay` does; its job is found by its name.
 *
 * @since 0.1.0
 * @category utils
 */
export const replay = (
  executionId: number
): Effect.Effect<
  Ended,
  NoSuchJob | NoSuchJobExecution | ReplayRefused | LaunchError | OwnerFailure,
  Services
> => withJobOf(executionId, (job) => JobOperator.replay(job, executionId))

/**
 * As `replay`, but in a fiber of the given Scope: succeeds as soon as the execution runs.
 *
 * @since 0.1.0
 * @category utils
 */
export const startReplay = (
  executionId: number
): Effect.Effect<
  Running,
  NoSuchJob | NoSuchJobExecution | ReplayRefused | LaunchError | JobRepositoryError,
  Services | Scope.Scope
> => withJobOf(executionId, (job) => JobOperator.startReplay(job, executionId))

/**
 * What `replay` would do now, as `JobOperator.explainReplay` tells.
 *
 * @since 0.1.0
 * @category queries
 */
export const explainReplay = (
  executionId: number
): Effect.Effect<
  JobOperator.ReplayForecast,
  NoSuchJob | NoSuchJobExecution | ReplayRefused | JobRepositoryError,
  Services
> => withJobOf(executionId, (job) => JobOperator.explainReplay(job, executionId))

/**
 * Runs the next instance of a job by name, as `JobOperator.runNext` does, by default with the incrementer of the job,
 * or with the next `run.id` if it has none; the overrides are in their encoded form.
 *
 * @since 0.1.0
 * @category utils
 */
export const runNext = (
  name: string,
  options: {
    readonly incrementer?: JobParameters.Incrementer | undefined
    readonly overrides?: Readonly<Record<string, unknown>> | undefined
  } = {}
): Effect.Effect<Ended, NoSuchJob | LaunchError | OwnerFailure, Services> =>
  withJob(name, (job) =>
    Effect.flatMap(
      decodeSome(job, options.overrides ?? {}),
      (overrides) =>
        JobOperator.runNext(
          job,
          { incrementer: options.incrementer ?? definitionOf(job).incrementer ?? JobParameters.runId, overrides }
        )
    ))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Services = JobRegistry | JobRepository | Transactor
type Running = JobOperator.RunningJobExecution<string, unknown>
type Ended = JobOperator.EndedJobExecution<string, unknown>

/** The services of the caller come before those that the job was registered with. */
const withJob = <A, E>(
  name: string,
  use: (job: Job.Any) => Effect.Effect<A, E, any>
): Effect.Effect<A, E | NoSuchJob, Services> =>
  Effect.flatMap(
    JobRegistry,
    (registry) =>
      Effect.flatMap(registry.get(name), ({ job, services }) =>
        Effect.mapInputContext(
          use(job) as Effect.Effect<A, E, never>,
          (context: Context.Context<never>) => Context.merge(services, context)
        ))
  )

/** With the job whose records an execution has met, also as a replay or as a partition of it. */
const withJobOf = <A, E>(
  executionId: number,
  use: (job: Job.Any) => Effect.Effect<A, E, any>
): Effect.Effect<A, E | NoSuchJob | NoSuchJobExecution | JobRepositoryError, Services> =>
  Effect.flatMap(
    Effect.flatMap(JobRepository, (repository) => rootOf(repository, executionId)),
    (name) => withJob(name, use)
  )

/** A part of an execution belongs to its job, unless it is one by itself. */
const rootOf = (
  repository: Context.Tag.Service<JobRepository>,
  executionId: number
): Effect.Effect<string, NoSuchJobExecution | JobRepositoryError> =>
  Effect.flatMap(repository.jobExecution(executionId), (execution) => {
    const { parent } = execution
    return parent !== undefined && (isPartition(execution) || ReplayJob.replayed(execution) !== undefined)
      ? rootOf(repository, parent.executionId)
      : Effect.succeed(execution.instance.jobName)
  })

const replayOf = (known: ReadonlyMap<string, Registered>, name: string): Registered | undefined => {
  const base = known.get(ReplayJob.baseName(name) ?? "")
  const job = base && ReplayJob.make(base.job)
  return base && job && { ...base, job }
}

const decodeSome = (
  job: Job.Any,
  overrides: Readonly<Record<string, unknown>>
): Effect.Effect<object, InvalidJobParameters> => {
  const declaration = definitionOf(job).parameters ?? JobParameters.none
  const fields = Object.fromEntries(
    Object.entries(declaration.fields).filter(([name]) => Object.hasOwn(overrides, name))
  )
  return decode(job, { ...declaration, fields }, overrides)
}

const decode = <A>(
  job: Job.Any,
  declaration: JobParameters.Declaration<A, any>,
  input: unknown
): Effect.Effect<A, InvalidJobParameters> =>
  Effect.mapError(
    JobParameters.decodeUnknown(declaration, input),
    ({ problems }) => new InvalidJobParameters({ jobName: job.name, problems })
  )
