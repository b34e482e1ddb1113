/**
 * The only door to running and looking after jobs.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Types from "effect/Types"
import type { EngineError, JobRepositoryError, LaunchError, NoSuchJobExecution } from "./BatchError.js"
import { InvalidJobParameters, JobNotCompleted } from "./BatchError.js"
import type { BatchEvent } from "./BatchEvent.js"
import { heartbeat } from "./internal/heartbeat.js"
import { runJob } from "./internal/jobRunner.js"
import * as Owner from "./internal/owner.js"
import type { Session } from "./internal/session.js"
import type { Job } from "./Job.js"
import type * as JobExecution from "./JobExecution.js"
import type { JobInstance } from "./JobInstance.js"
import * as JobParameters from "./JobParameters.js"
import type { ExecutionFilter, InstanceFilter, OwnerFailure } from "./JobRepository.js"
import { JobRepository } from "./JobRepository.js"
import type { StepExecution } from "./StepExecution.js"
import { Transactor } from "./Transactor.js"

/**
 * An execution that has ended: its final record, and how it ended as a value. A job that FAILED holds the error of
 * the step that failed it.
 *
 * @since 0.1.0
 * @category models
 */
export interface EndedJobExecution<out Code extends string, out E> extends JobExecution.JobExecution {
  readonly exit: Exit.Exit<Code, E | EngineError>
}

/**
 * An execution that runs in this process.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunningJobExecution<out Code extends string, out E> {
  readonly execution: JobExecution.JobExecution
  /** Waits for the end. */
  readonly await: Effect.Effect<EndedJobExecution<Code, E>, OwnerFailure>
}

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
export class Ownership extends Context.Reference<Ownership>()("effect-batch/JobOperator/Ownership", {
  defaultValue: (): {
    readonly lease: Duration.DurationInput
    readonly owner: string
    readonly isOwnerGone: (owner: string) => boolean
  } => ({ lease: "30 seconds", owner: Owner.thisProcess, isOwnerGone: Owner.isGone })
}) {}

/**
 * Where the engine tells what happens. By default one hub for the whole process; it keeps the last 4,096 events for
 * a subscriber that lags and drops older ones.
 *
 * @since 0.1.0
 * @category services
 */
export class Events extends Context.Reference<Events>()("effect-batch/JobOperator/Events", {
  defaultValue: (): PubSub.PubSub<BatchEvent> => Effect.runSync(PubSub.sliding<BatchEvent>(4096))
}) {}

/**
 * The events of all jobs that run in this process, from the moment of subscription on.
 *
 * @since 0.1.0
 * @category utils
 */
export const events: Stream.Stream<BatchEvent> = Stream.unwrap(
  Effect.map(Events, (hub) => Stream.fromPubSub(hub))
)

/**
 * Runs a job to its end and succeeds with the ended execution, whatever its status.
 *
 * Running again with the same identifying parameters *is* the restart: steps that completed are skipped, the others go
 * on from their last commit (RESTART-2). Fails only when the job cannot run at all, or when its end could not be
 * recorded. Interrupting it stops the job: the current chunk is rolled back and the rows end as STOPPED, restartable.
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
> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(launch(job, parameters), (session) => restore(execute(job, session)))
  ) as any

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
> =>
  Effect.uninterruptible(
    Effect.gen(function*() {
      const session = yield* launch(job, parameters)
      const fiber = yield* Effect.forkScoped(Effect.interruptible(execute(job, session)))
      return { execution: session.execution, await: Fiber.join(fiber) }
    })
  ) as any

/**
 * Runs an execution again, with exactly its parameters (RESTART-1). The same rules as for `run` apply.
 *
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
> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const execution = yield* repository.jobExecution(executionId)
    const declaration = job.definition.parameters ?? JobParameters.none
    const parameters = yield* JobParameters.decode(declaration, execution.parameters)
    return yield* run(job, parameters as P)
  })

/**
 * The executions that the repository holds, newest first (EXPL-1).
 *
 * @since 0.1.0
 * @category queries
 */
export const executions = (
  filter: ExecutionFilter = {}
): Effect.Effect<ReadonlyArray<JobExecution.JobExecution>, JobRepositoryError, JobRepository> =>
  Effect.flatMap(JobRepository, (repository) => repository.jobExecutions(filter))

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
 * The step executions of a job execution, in the order in which they started (EXEC-10).
 *
 * @since 0.1.0
 * @category queries
 */
export const steps = (
  executionId: number
): Effect.Effect<ReadonlyArray<StepExecution>, JobRepositoryError, JobRepository> =>
  Effect.flatMap(JobRepository, (repository) => repository.stepExecutions(executionId))

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

/** Checks the parameters, then claims the execution. Nothing is written when the parameters are wrong (D11). */
const launch = <P>(
  job: Job<P, string, any, any>,
  parameters: P
): Effect.Effect<Session, InvalidJobParameters | LaunchError | JobRepositoryError, JobRepository | Transactor> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const transactor = yield* Transactor
    const hub = yield* Events
    const { isOwnerGone, lease, owner } = yield* Ownership
    const encoded = yield* named(job, JobParameters.encode(job.definition.parameters ?? JobParameters.none, parameters))
    const claimed = yield* repository.launch({
      jobName: job.name,
      parameters: encoded,
      restartable: job.definition.restartable,
      owner,
      leaseMillis: Duration.toMillis(lease),
      isOwnerGone
    })
    return {
      repository,
      transactor,
      publish: (event) => {
        hub.unsafeOffer(event)
      },
      execution: claimed,
      context: claimed.context,
      stopRequested: false
    }
  })

const named = <A>(job: Job.Any, encoded: Either.Either<A, InvalidJobParameters>) =>
  Either.mapLeft(encoded, ({ problems }) => new InvalidJobParameters({ jobName: job.name, problems }))

/** Runs the job under the heartbeat; whichever ends first ends the other. */
const execute = (
  job: Job.Any,
  session: Session
): Effect.Effect<EndedJobExecution<string, unknown>, OwnerFailure, any> =>
  Effect.gen(function*() {
    const { lease } = yield* Ownership
    const declaration = job.definition.parameters
    const provided = declaration === undefined
      ? Context.empty()
      : Context.make(
        declaration,
        yield* Effect.orDie(JobParameters.decode(declaration, session.execution.parameters))
      )
    const running = Effect.provide(runJob(session, job.definition), provided as Context.Context<never>)
    const { cause } = yield* Effect.raceFirst(running, heartbeat(session, Duration.toMillis(lease)))
    return {
      ...session.execution,
      exit: Option.match(cause as Option.Option<Cause.Cause<unknown>>, {
        onNone: () => Exit.succeed(session.execution.exitStatus.code),
        onSome: Exit.failCause
      }) as Exit.Exit<string, any>
    }
  })
