/**
 * The only door to running and looking after jobs.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Types from "effect/Types"
import { nextParameters } from "../decisions/nextParameters.js"
import type { Job } from "../definition/Job.js"
import { definitionOf } from "../definition/tree.js"
import * as Launch from "../engine/job/launch.js"
import type * as Launched from "../engine/session/launched.js"
import * as Ownership_ from "../engine/session/ownership.js"
import * as Running from "../engine/session/running.js"
import * as Stopping from "../engine/session/stopping.js"
import type { ExecutionFilter, InstanceFilter, OwnerFailure } from "../ports/JobRepository.js"
import { JobRepository } from "../ports/JobRepository.js"
import type { Transactor } from "../ports/Transactor.js"
import * as Data from "../view/data.js"
import * as Report from "../view/report.js"
import type {
  EngineError,
  InvalidJobParameters,
  JobExecutionAlreadyRunning,
  JobExecutionNotRunning,
  JobInstanceAlreadyComplete,
  JobRepositoryError,
  LaunchError,
  NoSuchJobExecution,
  ReplayRefused,
  UnreadableContextKey
} from "../vocabulary/BatchError.js"
import { JobNotCompleted, JobRestartRefused } from "../vocabulary/BatchError.js"
import type { BatchEvent } from "../vocabulary/BatchEvent.js"
import type * as BatchStatus from "../vocabulary/BatchStatus.js"
import type * as JobExecution from "../vocabulary/JobExecution.js"
import type { JobInstance } from "../vocabulary/JobInstance.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import type { SkippedItem } from "../vocabulary/SkippedItem.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"
import * as Explain from "./explain.js"
import * as Operating from "./operating.js"
import * as Partitioned from "./partitioned.js"
import * as Purging from "./purging.js"
import * as Replay from "./replay.js"
import * as ReplayJob from "./replayJob.js"
import * as Summary_ from "./summary.js"

/**
 * An execution that has ended: its final record, and how it ended as a value. A job that FAILED holds the error of
 * the step that failed it.
 *
 * @since 0.1.0
 * @category models
 */
export type EndedJobExecution<Code extends string, E> = Launched.EndedJobExecution<Code, E>

/**
 * An execution that runs in this process.
 *
 * @since 0.1.0
 * @category models
 */
export type RunningJobExecution<Code extends string, E> = Launched.RunningJobExecution<Code, E>

/**
 * How this process owns what it runs.
 *
 * - `lease`: how long an execution stays owned without a sign of life; default 30 seconds. It is renewed four times as
 *   often. After a crash on another machine, or of the machine, a restart has to wait for the rest of it.
 * - `owner`: the name of this process, for people; default host, pid and what makes the pid unique.
 * - `isOwnerGone`: whether the process that an owner names is certainly gone, so that a restart on the same machine
 *   need not wait. A wrong answer is caught by the fencing token. Default: looks at the processes of this machine.
 *
 * @since 0.1.0
 * @category services
 */
export const Ownership: typeof Ownership_.Ownership = Ownership_.Ownership

/**
 * How long a step may continue after it was asked to stop: a chunk, or a call of a tasklet, that has not committed by
 * then is interrupted and rolled back, and the step ends as STOPPED. Default 30 seconds.
 *
 * @since 0.1.0
 * @category services
 */
export const StopGrace: typeof Stopping.StopGrace = Stopping.StopGrace

/**
 * Where the engine publishes its events. By default one hub for the whole process; it keeps the last 4,096 events for
 * a subscriber that lags and drops older ones.
 *
 * @since 0.1.0
 * @category services
 */
export const Events: typeof Launch.Events = Launch.Events

/**
 * The events of all jobs that run in this process, from the moment of subscription on.
 *
 * @since 0.1.0
 * @category utils
 */
export const events: Stream.Stream<BatchEvent> = Stream.unwrap(
  Effect.map(Launch.Events, (hub) => Stream.fromPubSub(hub))
)

/**
 * The events of one execution, up to its end.
 *
 * Only what happens after the subscription is seen: to miss nothing, subscribe to `events` before the start.
 *
 * @since 0.1.0
 * @category utils
 */
export const eventsOf = (executionId: number): Stream.Stream<BatchEvent> =>
  Stream.takeUntil(Stream.filter(events, ({ job }) => job.id === executionId), ({ _tag }) => _tag === "JobEnded")

/**
 * Runs a job to its end and succeeds with the ended execution, whatever its status.
 *
 * Running again with the same identifying parameters *is* the restart: steps that completed are skipped, the others go
 * on from their last commit. Fails only when the job cannot run at all, or when its end could not be recorded; while a
 * transaction is open, with `LaunchInTransaction`.
 * Interrupting it stops the job: the current chunk is rolled back and the rows end as STOPPED, restartable.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Job, JobOperator, JobRepository, Step } from "effect-batch"
 *
 * const job = Job.make("hello", { flow: Step.tasklet("greet", Effect.log("Hello")) })
 *
 * const program = JobOperator.run(job, {}).pipe(
 *   Effect.tap((execution) => Effect.log(execution.status)),
 *   Effect.provide(JobRepository.layerMemory)
 * )
 * assert.ok(Effect.isEffect(program))
 * ```
 *
 * @see RESTART-2
 * @since 0.1.0
 * @category utils
 */
export const run = <P, Code extends string, E, R>(
  job: Job<P, Code, E, R>,
  parameters: Types.NoInfer<P>
): Effect.Effect<
  EndedJobExecution<Code, E>,
  LaunchError | OwnerFailure,
  R | JobRepository | Transactor
> => Launch.run(job, parameters) as any

/**
 * As `run`, but a job that does not complete fails: with the error of its step, or with `JobNotCompleted` when it was
 * stopped, or failed without an error. For use inside a larger program.
 *
 * @since 0.1.0
 * @category utils
 */
export const runOrFail = <P, Code extends string, E, R>(
  job: Job<P, Code, E, R>,
  parameters: Types.NoInfer<P>
): Effect.Effect<
  EndedJobExecution<Code, E>,
  E | EngineError | JobNotCompleted | LaunchError | OwnerFailure,
  R | JobRepository | Transactor
> =>
  Effect.flatMap(run(job, parameters), (execution): Effect.Effect<
    EndedJobExecution<Code, E>,
    E | EngineError | JobNotCompleted
  > => {
    if (execution.status === "COMPLETED") {
      return Effect.succeed(execution)
    }
    return Exit.isFailure(execution.exit) ? Effect.failCause(execution.exit.cause) : Effect.fail(
      new JobNotCompleted({
        jobName: job.name,
        executionId: execution.id,
        status: execution.status,
        exitCode: execution.exitStatus.code
      })
    )
  })

/**
 * Claims an execution and runs it in a fiber of the given Scope: closing the Scope stops the job.
 *
 * @since 0.1.0
 * @category utils
 */
export const start = <P, Code extends string, E, R>(
  job: Job<P, Code, E, R>,
  parameters: Types.NoInfer<P>
): Effect.Effect<
  RunningJobExecution<Code, E>,
  LaunchError | JobRepositoryError,
  R | JobRepository | Transactor | Scope.Scope
> => Launch.start(job, parameters) as any

/**
 * Runs an execution again, with exactly its parameters. The same rules as for `run` apply; an execution of another job is
 * refused with `JobRestartRefused`.
 *
 * @see RESTART-1
 * @since 0.1.0
 * @category utils
 */
export const restart = <P, Code extends string, E, R>(
  job: Job<P, Code, E, R>,
  executionId: number
): Effect.Effect<
  EndedJobExecution<Code, E>,
  LaunchError | OwnerFailure | NoSuchJobExecution,
  R | JobRepository | Transactor
> => Effect.flatMap(stored(job, executionId), (stored) => Launch.runStored(...stored)) as any

/**
 * As `restart`, but in a fiber of the given Scope: succeeds as soon as the execution runs.
 *
 * @see RESTART-1
 * @since 0.1.0
 * @category utils
 */
export const startAgain = <P, Code extends string, E, R>(
  job: Job<P, Code, E, R>,
  executionId: number
): Effect.Effect<
  RunningJobExecution<Code, E>,
  LaunchError | JobRepositoryError | NoSuchJobExecution,
  R | JobRepository | Transactor | Scope.Scope
> => Effect.flatMap(stored(job, executionId), (stored) => Launch.startStored(...stored)) as any

/**
 * Runs what an execution skipped again, and nothing else: through the step that skipped it, with the same parameters and
 * job context, once. What failed in processing is processed and written; what failed in writing is written. For the morning
 * after: mend the cause, then run the few bad records instead of the whole job.
 *
 * It is an execution of a job of its own, called `NAME (replay)`, whose parameter `replay.of` identifies it: running it
 * twice is refused with `ReplayRefused`, running it again after a failure goes on from its last commit, and records that
 * fail once more are kept, and can be run again, by their new execution. The guarantee is that of the writer.
 *
 * Which records can be run again: those of steps with `Step.quarantine` and a schema of the items, without sensitive
 * values, whose writer adds to what is there; a writer of files would begin its file anew. Refused as long as a restart of
 * the instance could meet the same records. Job listeners are not called, those of the steps are.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step } from "effect-batch"
 *
 * let rate: number | undefined
 * const written: Array<number> = []
 * const convert = Step.chunk("convert", {
 *   reader: ItemReader.fromIterable([1, 2]),
 *   processor: (n) => n === 1 || rate !== undefined ? Effect.succeed(n) : Effect.fail({ _tag: "NoRate" as const }),
 *   writer: ItemWriter.inMemory(written),
 *   chunkSize: 10
 * }).pipe(Step.skip("NoRate", { limit: 10 }), Step.quarantine({ input: Schema.Number }))
 * const job = Job.make("convert", { flow: convert })
 *
 * const program = Effect.gen(function*() {
 *   const { id } = yield* JobOperator.run(job, {})
 *   rate = 1.1
 *   return yield* JobOperator.replay(job, id)
 * })
 * const { status } = await Effect.runPromise(Effect.provide(program, JobRepository.layerMemory))
 * assert.deepStrictEqual([status, written], ["COMPLETED", [1, 2]])
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const replay = <P, Code extends string, E, R>(
  job: Job<P, Code, E, R>,
  executionId: number
): Effect.Effect<
  EndedJobExecution<string, E>,
  LaunchError | OwnerFailure | NoSuchJobExecution | ReplayRefused,
  R | JobRepository | Transactor
> =>
  Effect.flatMap(
    Replay.plan(job, executionId),
    ({ job, parameters, part }) => Launch.runStored(job, parameters, part)
  ) as any

/**
 * As `replay`, but in a fiber of the given Scope: succeeds as soon as the execution runs.
 *
 * @since 0.1.0
 * @category utils
 */
export const startReplay = <P, Code extends string, E, R>(
  job: Job<P, Code, E, R>,
  executionId: number
): Effect.Effect<
  RunningJobExecution<string, E>,
  LaunchError | JobRepositoryError | NoSuchJobExecution | ReplayRefused,
  R | JobRepository | Transactor | Scope.Scope
> =>
  Effect.flatMap(
    Replay.plan(job, executionId),
    ({ job, parameters, part }) => Launch.startStored(job, parameters, part)
  ) as any

/**
 * What `replay` would do now, without doing or writing anything.
 *
 * - `records`: so many would be run again. `unread`: so many could not be read then, so that there is nothing to run.
 * - `goesOn`: an earlier attempt that it would restart.
 *
 * @since 0.1.0
 * @category models
 */
export interface ReplayForecast {
  readonly executionId: number
  readonly records: number
  readonly unread: number
  readonly goesOn: number | undefined
}

/**
 * What `replay` would do now; fails with the refusal, if that is what it would do.
 *
 * @since 0.1.0
 * @category queries
 */
export const explainReplay = (
  job: Job.Any,
  executionId: number
): Effect.Effect<ReplayForecast, NoSuchJobExecution | JobRepositoryError | ReplayRefused, JobRepository> =>
  Effect.map(Replay.plan(job, executionId), ({ executionId, goesOn, records, unread }) => ({
    executionId,
    records,
    unread,
    goesOn
  }))

/**
 * Runs the next instance of a job: an incrementer computes its parameters from those of the last execution of the last
 * instance, or from none.
 *
 * - `incrementer`: default that of the job, see `Job.make`. With neither it fails with `InvalidJobParameters`.
 * - `overrides`: values that replace computed parameters. A first instance needs every parameter that the incrementer
 *   does not compute.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Job, JobOperator, JobParameters, JobRepository, Step } from "effect-batch"
 *
 * const job = Job.make("hourly", { flow: Step.tasklet("tidy", Effect.void), incrementer: JobParameters.runId })
 *
 * const twice = JobOperator.runNext(job).pipe(
 *   Effect.zipRight(JobOperator.runNext(job)),
 *   Effect.map((execution) => JobParameters.format(execution.parameters)),
 *   Effect.provide(JobRepository.layerMemory)
 * )
 * Effect.runPromise(twice).then((parameters) => assert.strictEqual(parameters, "run.id=2"))
 * ```
 *
 * @see NEXT-1, INC-1
 * @since 0.1.0
 * @category utils
 */
export const runNext = <P, Code extends string, E, R>(
  job: Job<P, Code, E, R>,
  options: {
    readonly incrementer?: JobParameters.Incrementer<Types.NoInfer<P>> | undefined
    readonly overrides?: Partial<Types.NoInfer<P>> | undefined
  } = {}
): Effect.Effect<
  EndedJobExecution<Code, E>,
  LaunchError | OwnerFailure,
  R | JobRepository | Transactor
> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const [instance] = yield* repository.jobInstances({ jobName: job.name, limit: 1 })
    const [last] = instance === undefined
      ? []
      : yield* repository.jobExecutions({ instanceId: instance.id, limit: 1 })
    const definition = definitionOf(job)
    const declaration = definition.parameters ?? JobParameters.none
    const incrementer = options.incrementer ?? definition.incrementer
    const previous = Option.map(Option.fromNullable(last), ({ parameters }) => parameters)
    return yield* Launch.runStored(
      job,
      yield* Launch.named(job, nextParameters(declaration, incrementer, previous, options.overrides ?? {}))
    )
  }) as any

/**
 * Asks a running execution to stop, from whatever process. It tells the execution, if that runs in this process, and sets
 * one flag and nothing else: only the owner writes the rows, so a stop can't collide with the running job.
 *
 * The step that runs commits its chunk and ends as STOPPED; one that waits for its source ends at once. A tasklet sees
 * `StepScope.stopRequested`; see `StopGrace` for one that does not look. The job can be restarted from its last commit.
 * Another process learns of the request at its next commit, or by its next heartbeat at the latest; on PostgreSQL it is
 * notified at once.
 *
 * @see STOP-1, STOP-2, STOP-7
 * @since 0.1.0
 * @category operations
 */
export const stop: (
  executionId: number
) => Effect.Effect<void, JobExecutionNotRunning | NoSuchJobExecution | JobRepositoryError, JobRepository> = Running.stop

/**
 * Abandons an execution that did not complete for good: ABANDONED, so that its instance can't be restarted. Fails while
 * it is running, and with `JobInstanceAlreadyComplete` when there is nothing to abandon. An execution that was asked to
 * stop and does not is taken from its owner, which can no longer commit.
 *
 * @see ABANDON-1, ABANDON-2
 * @since 0.1.0
 * @category operations
 */
export const abandon: (
  executionId: number
) => Effect.Effect<
  JobExecution.JobExecution,
  JobExecutionAlreadyRunning | JobInstanceAlreadyComplete | NoSuchJobExecution | JobRepositoryError,
  JobRepository
> = Operating.abandon

/**
 * Closes an execution whose process died without a word, with its running steps, as FAILED: a restart continues from
 * its last commit. A launch of the same instance does the same; use this to look first. One that had been asked to stop becomes
 * STOPPED: its partitions, wherever they run, stop as well, and no cluster runs it again by itself.
 *
 * An execution that is not running is left as it is. One whose owner lives fails with `JobExecutionAlreadyRunning`,
 * unless `force` is true: then its owner can no longer commit. The exit code says which it was,
 * `OWNER_DIED` or `RECOVERED`; `reason` is added to the exit message.
 *
 * @see RECOVER-1
 * @since 0.1.0
 * @category operations
 */
export const recover = (
  executionId: number,
  options: { readonly force?: boolean | undefined; readonly reason?: string | undefined } = {}
): Effect.Effect<
  JobExecution.JobExecution,
  JobExecutionAlreadyRunning | NoSuchJobExecution | JobRepositoryError,
  JobRepository
> => Operating.recover(executionId, { force: options.force ?? false, reason: options.reason })

/**
 * Recovers every execution whose owner is dead: its lease has expired, its process on this machine is gone, or this process has
 * given it up in an outage of the repository. For the start of a program. Safe with any number of processes: a living process keeps its lease.
 *
 * @since 0.1.0
 * @category operations
 */
export const recoverExpired = (
  options: { readonly jobName?: string | undefined } = {}
): Effect.Effect<ReadonlyArray<JobExecution.JobExecution>, JobRepositoryError, JobRepository> =>
  Operating.recoverExpired(options.jobName)

/**
 * What to forget.
 *
 * - `olderThan`: instances whose last execution ended longer ago than that. Default: of any age.
 * - `keepLast`: so many of the newest instances of each job stay in any case. Default 0.
 * - `statuses`: how the last execution ended. Default COMPLETED and ABANDONED: those that can't be restarted.
 * - `jobName`: only this job. Default: all.
 * - `dryRun`: only say what would go. Default false.
 *
 * @since 0.1.0
 * @category models
 */
export interface PurgeOptions {
  readonly olderThan?: Duration.DurationInput | undefined
  readonly keepLast?: number | undefined
  readonly statuses?: ReadonlyArray<"COMPLETED" | "ABANDONED" | "FAILED" | "STOPPED" | "UNKNOWN"> | undefined
  readonly jobName?: string | undefined
  readonly dryRun?: boolean | undefined
}

/**
 * - `instances`: the instances that go, or would go, with their executions.
 * - `deleted`: the number of executions that were deleted; 0 for a dry run.
 *
 * @since 0.1.0
 * @category models
 */
export interface PurgeReport {
  readonly instances: ReadonlyArray<{
    readonly jobName: string
    readonly instanceId: number
    readonly status: BatchStatus.BatchStatus
    readonly executionIds: ReadonlyArray<number>
  }>
  readonly deleted: number
}

/**
 * Deletes old job instances with all of their executions, in batches. An instance goes as a whole or not at all, and
 * never while one of its executions is running. Afterwards the same parameters may run again.
 *
 * @since 0.1.0
 * @category operations
 */
export const purge = (
  options: PurgeOptions
): Effect.Effect<PurgeReport, JobRepositoryError, JobRepository> =>
  Effect.map(
    Purging.purge({ ...options, statuses: options.statuses ?? ["COMPLETED", "ABANDONED"] }, options.dryRun ?? false),
    ({ deleted, selected }) => ({
      deleted,
      instances: selected.map(({ executionIds, instanceId, jobName, status }) => ({
        jobName,
        instanceId,
        status,
        executionIds
      }))
    })
  )

/**
 * What `run` with these parameters would do now, without doing or writing anything: begin a new instance, restart an
 * earlier execution and skip, resume or run which steps, or refuse, and why. `lines` says it in words.
 *
 * What depends on outcomes that are not known yet is marked as not certain.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Flow, Job, JobOperator, JobRepository, Step } from "effect-batch"
 *
 * const job = Job.make("import", {
 *   flow: Step.tasklet("load", Effect.void).pipe(Flow.andThen(Step.tasklet("report", Effect.fail("no paper"))))
 * })
 *
 * const program = JobOperator.run(job, {}).pipe(
 *   Effect.zipRight(JobOperator.explain(job, {})),
 *   Effect.map(({ lines }) => lines.slice(1)),
 *   Effect.provide(JobRepository.layerMemory)
 * )
 * Effect.runPromise(program).then((lines) =>
 *   assert.deepStrictEqual(lines, [
 *     "load: skip, it ended before with COMPLETED",
 *     "report: resume from the beginning, after 0 items read and 0 commits"
 *   ])
 * )
 * ```
 *
 * @since 0.1.0
 * @category queries
 */
export const explain = <P, Code extends string, E, R>(
  job: Job<P, Code, E, R>,
  parameters: P
): Effect.Effect<Explanation, JobRepositoryError | UnreadableContextKey, JobRepository> =>
  Explain.explain(job, parameters)

/**
 * What a launch would do now.
 *
 * @since 0.1.0
 * @category models
 */
export type Explanation = Explain.Explanation

/**
 * What a launch would do with one step.
 *
 * @since 0.1.0
 * @category models
 */
export type StepForecast = Explain.StepForecast

/**
 * The executions that the repository holds, newest first.
 *
 * @see EXPL-1
 * @since 0.1.0
 * @category queries
 */
export const executions = (
  filter: ExecutionFilter = {}
): Effect.Effect<ReadonlyArray<JobExecution.JobExecution>, JobRepositoryError, JobRepository> =>
  Effect.flatMap(JobRepository, (repository) => repository.jobExecutions(filter))

/**
 * As `executions`, but all that match, page by page; `limit` is the size of a page (100 by default).
 *
 * @since 0.1.0
 * @category queries
 */
export const streamExecutions = (
  filter: ExecutionFilter = {}
): Stream.Stream<JobExecution.JobExecution, JobRepositoryError, JobRepository> =>
  Stream.paginateChunkEffect(filter, (filter) =>
    Effect.map(executions(filter), (page) => [
      Chunk.unsafeFromArray(page),
      page.length < (filter.limit ?? 100)
        ? Option.none()
        : Option.some({ ...filter, before: page[page.length - 1]!.id })
    ]))

/**
 * One execution as the repository holds it.
 *
 * @since 0.1.0
 * @category queries
 */
export const execution = (
  executionId: number
): Effect.Effect<JobExecution.JobExecution, NoSuchJobExecution | JobRepositoryError, JobRepository> =>
  Effect.flatMap(JobRepository, (repository) => repository.jobExecution(executionId))

/**
 * The step executions of a job execution, in the order in which they started.
 *
 * @see EXEC-10
 * @since 0.1.0
 * @category queries
 */
export const steps = (
  executionId: number
): Effect.Effect<ReadonlyArray<StepExecution>, JobRepositoryError, JobRepository> =>
  Effect.flatMap(JobRepository, (repository) => repository.stepExecutions(executionId))

/**
 * The partitioned steps of a job execution, each with the numbers of its partitions that have completed, failed and so on, and
 * the slowest of them, or others as the filter says. Where a partition stands is its newest execution's, whichever execution of
 * the job has begun that. Memory does not grow with the number of partitions.
 *
 * @see PART-6
 * @since 0.1.0
 * @category queries
 */
export const partitions = (
  executionId: number,
  filter: PartitionsFilter = {}
): Effect.Effect<
  ReadonlyArray<StepPartitions>,
  NoSuchJobExecution | JobRepositoryError | UnreadableContextKey,
  JobRepository
> => Partitioned.list(executionId, filter)

/**
 * Which partitions to list.
 *
 * - `standings`: only those that stand so. Default: all.
 * - `order`: `slowest` first, which is the default, or as in the `plan`. Those that have not begun are the fastest.
 * - `limit`: at most so many of each step. Default 100.
 *
 * @since 0.1.0
 * @category models
 */
export interface PartitionsFilter extends Partitioned.Filter {}

/**
 * The partitions of a step: `tally` says how many stand where, `partitions` are those that were asked for.
 *
 * @since 0.1.0
 * @category models
 */
export interface StepPartitions extends Partitioned.StepPartitions {}

/**
 * An execution with its steps, and each of them in one line for people. The values of secret parameters are not shown.
 *
 * @since 0.1.0
 * @category models
 */
export interface Summary {
  readonly execution: JobExecution.JobExecution
  readonly text: string
  readonly steps: ReadonlyArray<{ readonly step: StepExecution; readonly text: string }>
}

/**
 * What an execution did, as data and in words.
 *
 * @since 0.1.0
 * @category queries
 */
export const summary = (
  executionId: number
): Effect.Effect<Summary, NoSuchJobExecution | JobRepositoryError, JobRepository> =>
  Effect.zipWith(execution(executionId), steps(executionId), (execution, steps) => ({
    execution,
    text: Summary_.jobLine(execution),
    steps: steps.map((step) => ({ step, text: Summary_.stepLine(step) }))
  }))

/**
 * An execution as one page of HTML, to be mailed, kept and printed: cause, flow, steps, control totals, skipped records
 * and the difference to the last execution that completed. It holds no script, and links to nothing; whatever names,
 * records and errors contain is text. Secret parameters are not in it.
 *
 * - `job`: draws its flow. Default: no picture.
 *
 * @since 0.1.0
 * @category queries
 */
export const report = (
  executionId: number,
  options: { readonly job?: Job.Any | undefined } = {}
): Effect.Effect<string, NoSuchJobExecution | JobRepositoryError, JobRepository> =>
  Effect.zipWith(
    Data.load(executionId),
    DateTime.now,
    (data, now) => Report.report(data, options.job && definitionOf(options.job).graph, now)
  )

/**
 * The records that steps with `Step.quarantine` skipped in a job execution, oldest first.
 *
 * @since 0.1.0
 * @category queries
 */
export const skipped = (
  executionId: number
): Effect.Effect<ReadonlyArray<SkippedItem>, JobRepositoryError, JobRepository> =>
  Effect.flatMap(JobRepository, (repository) => repository.skippedItems(executionId))

/**
 * The job instances that the repository holds, newest first.
 *
 * @since 0.1.0
 * @category queries
 */
export const instances = (
  filter: InstanceFilter = {}
): Effect.Effect<ReadonlyArray<JobInstance>, JobRepositoryError, JobRepository> =>
  Effect.flatMap(JobRepository, (repository) => repository.jobInstances(filter))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/**
 * The parameters of an execution as they are stored, provided that the job can still read them, and the job to run with
 * them: where the execution runs skipped records of the job again, so does a restart.
 */
const stored = (
  job: Job.Any,
  executionId: number
): Effect.Effect<
  [job: Job.Any, parameters: ReadonlyArray<JobParameters.JobParameter>, part?: Launch.Part],
  InvalidJobParameters | JobRestartRefused | NoSuchJobExecution | JobRepositoryError,
  JobRepository
> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const execution = yield* repository.jobExecution(executionId)
    const { jobName } = execution.instance
    const isReplay = ReplayJob.replayed(execution) !== undefined && ReplayJob.baseName(jobName) === job.name
    if (!isReplay && jobName !== job.name) {
      return yield* new JobRestartRefused({
        jobName: job.name,
        executionId,
        reason: "otherJob",
        detail: `that is an execution of job "${jobName}"`
      })
    }
    const declaration = definitionOf(job).parameters ?? JobParameters.none
    yield* Launch.named(job, JobParameters.decode(declaration, execution.parameters))
    const { parameters, parent } = execution
    return isReplay && parent !== undefined
      ? [ReplayJob.make(job) ?? job, parameters, { parent, context: "{}" }]
      : [job, parameters]
  })
