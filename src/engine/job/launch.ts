/**
 * From a job and its parameters to a running execution: claims it, then runs it under the heartbeat.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Race from "../../base/race.js"
import { runName } from "../../decisions/outputRun.js"
import type { Erased } from "../../definition/erased.js"
import type { Job } from "../../definition/Job.js"
import { definitionOf } from "../../definition/tree.js"
import type { OwnerFailure } from "../../ports/JobRepository.js"
import { JobRepository } from "../../ports/JobRepository.js"
import * as Outage from "../../ports/outage.js"
import { OutputOwner } from "../../ports/outputOwner.js"
import type { ParentLink } from "../../ports/partitions.js"
import { isOpen, Transactor } from "../../ports/Transactor.js"
import type { JobRepositoryError, LaunchError } from "../../vocabulary/BatchError.js"
import { InvalidJobParameters, LaunchInTransaction } from "../../vocabulary/BatchError.js"
import type { BatchEvent } from "../../vocabulary/BatchEvent.js"
import * as BatchStatus from "../../vocabulary/BatchStatus.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import type { JobExecution } from "../../vocabulary/JobExecution.js"
import * as JobParameters from "../../vocabulary/JobParameters.js"
import { FaultPoint } from "../session/faultPoint.js"
import { heartbeat, monotonic } from "../session/heartbeat.js"
import type { EndedJobExecution, RunningJobExecution } from "../session/launched.js"
import { Ownership } from "../session/ownership.js"
import * as Running from "../session/running.js"
import { saving, waitingOf } from "../session/saving.js"
import type { Session, Taken } from "../session/session.js"
import { saveJob, stoppedAs } from "../session/session.js"
import * as Telemetry from "../session/telemetry.js"
import { isOver } from "./outputRuns.js"
import { runJob } from "./runner.js"

/** See `JobOperator.Events`. */
export class Events extends Context.Reference<Events>()("effect-batch/JobOperator/Events", {
  defaultValue: (): PubSub.PubSub<BatchEvent> => Effect.runSync(PubSub.sliding<BatchEvent>(4096))
}) {}

/** Claims an execution and runs it to its end. */
export const run = <P>(
  job: Job<P, string, unknown, unknown>,
  parameters: P
): Erased<EndedJobExecution<string, unknown>, LaunchError | OwnerFailure, JobRepository | Transactor> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(launch(job, parameters), (session) => restore(execute(job, session)).pipe(endedFor(session)))
  )

/**
 * Claims an execution and runs it in a fiber of the Scope: closing the Scope stops the job. `parent`: the execution of which it
 * is a part.
 */
export const start = <P>(
  job: Job<P, string, unknown, unknown>,
  parameters: P,
  parent?: ParentLink
): Erased<
  RunningJobExecution<string, unknown>,
  LaunchError | JobRepositoryError,
  JobRepository | Transactor | Scope.Scope
> => inBackground(job, launch(job, parameters, parent))

/** As `start`, with parameters as they are stored. */
export const startStored = (
  job: Job.Any,
  parameters: ReadonlyArray<JobParameters.JobParameter>,
  part?: Part
): Erased<
  RunningJobExecution<string, unknown>,
  LaunchError | JobRepositoryError,
  JobRepository | Transactor | Scope.Scope
> => inBackground(job, claim(job, parameters, part))

/** `context`: JSON text of the context with which its instance begins. */
export interface Part {
  readonly parent: ParentLink
  readonly context: string
}

/** As `startStored`, for a process that may be told to hand over: what stops then is to go on elsewhere. */
export const startHosted = (
  job: Job.Any,
  parameters: ReadonlyArray<JobParameters.JobParameter>,
  isLeaving: () => boolean
): Erased<
  RunningJobExecution<string, unknown>,
  LaunchError | JobRepositoryError,
  JobRepository | Transactor | Scope.Scope
> =>
  inBackground(job, Effect.map(claim(job, parameters), (session) => ({ ...session, handsOver: isLeaving, isLeaving })))

const inBackground = (
  job: Job.Any,
  claimed: Effect.Effect<Session, LaunchError, JobRepository | Transactor>
): Erased<
  RunningJobExecution<string, unknown>,
  LaunchError | JobRepositoryError,
  JobRepository | Transactor | Scope.Scope
> =>
  Effect.uninterruptible(
    Effect.gen(function*() {
      const session = yield* claimed
      const fiber = yield* Effect.forkScoped(Effect.interruptible(execute(job, session)).pipe(endedFor(session)))
      return {
        execution: session.execution,
        await: Fiber.join(fiber),
        stop: Running.stop(session.execution.id).pipe(
          Effect.provideService(JobRepository, session.repository),
          Effect.catchTags({ JobExecutionNotRunning: () => Effect.void, NoSuchJobExecution: () => Effect.void })
        )
      }
    })
  )

/** As `run`, with parameters as they are stored. */
export const runStored = (
  job: Job.Any,
  parameters: ReadonlyArray<JobParameters.JobParameter>,
  part?: Part
): Erased<EndedJobExecution<string, unknown>, LaunchError | OwnerFailure, JobRepository | Transactor> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(claim(job, parameters, part), (session) => restore(execute(job, session)).pipe(endedFor(session)))
  )

/**
 * Runs an execution that this process has claimed by other means, to its end. Who has claimed it calls this in the same region
 * that cannot be interrupted; the job can.
 */
export const runClaimed = (
  job: Job.Any,
  claimed: JobExecution,
  taken: Taken = {}
): Erased<EndedJobExecution<string, unknown>, OwnerFailure, JobRepository | Transactor> =>
  Effect.flatMap(
    Effect.flatMap(monotonic, (now) => sessionOf(claimed, now)),
    (made) => {
      const session = { ...made, ...taken }
      return Effect.interruptible(execute(job, session)).pipe(endedFor(session))
    }
  )

/** Says of which job the parameters were wrong. */
export const named = <A>(job: Job.Any, encoded: Either.Either<A, InvalidJobParameters>) =>
  Either.mapLeft(encoded, ({ problems }) => new InvalidJobParameters({ jobName: job.name, problems }))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Checks the parameters, then claims the execution. Nothing is written when the parameters are wrong (D11). */
const launch = <P>(
  job: Job<P, string, unknown, unknown>,
  parameters: P,
  parent?: ParentLink
): Effect.Effect<Session, LaunchError, JobRepository | Transactor> =>
  Effect.flatMap(
    named(
      job,
      JobParameters.encodeGiven(definitionOf(job).parameters ?? JobParameters.none, parameters as object as {})
    ),
    (encoded) => claim(job, encoded, parent && { parent })
  )

const claim = (
  job: Job.Any,
  encoded: ReadonlyArray<JobParameters.JobParameter>,
  part: Partial<Part> = {}
): Effect.Effect<Session, LaunchError, JobRepository | Transactor> =>
  Effect.gen(function*() {
    if (yield* isOpen) {
      return yield* new LaunchInTransaction({ jobName: job.name })
    }
    const repository = yield* JobRepository
    const { lease, owner } = yield* Ownership
    const claimedAt = yield* monotonic
    const running = yield* Running.Running
    const claimed = yield* Effect.mapError(
      Running.claiming((witness) =>
        repository.launch({
          jobName: job.name,
          parameters: encoded,
          restartable: definitionOf(job).restartable,
          owner,
          leaseMillis: Duration.toMillis(lease),
          ...witness,
          parent: part.parent,
          context: part.context
        })
      ),
      (error) => Running.located(running, repository, error)
    )
    yield* Telemetry.launched(job.name)
    return yield* sessionOf(claimed, claimedAt)
  })

/** What this process knows of an execution that it has claimed. */
const sessionOf = (
  claimed: JobExecution,
  claimedAt: number
): Effect.Effect<Session, never, JobRepository | Transactor> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const transactor = yield* Transactor
    const hub = yield* Events
    const { lease } = yield* Ownership
    const services = Context.make(JobRepository, repository).pipe(Context.add(Transactor, transactor))
    return {
      repository,
      transactor,
      faults: yield* FaultPoint,
      publish: (event) => {
        hub.unsafeOffer(event)
      },
      startJob: (child, parameters) =>
        Effect.provide(
          start(child, parameters, { executionId: claimed.id, instanceId: claimed.instance.id }),
          services
        ),
      runClaimed: (child, execution, taken) => Effect.provide(runClaimed(child, execution, taken), services),
      execution: withoutToken(claimed),
      token: claimed.token,
      leaseMillis: Duration.toMillis(lease),
      claimedAt,
      isLost: false,
      onLost: new Set(),
      outage: undefined,
      context: claimed.context,
      contextLock: Effect.unsafeMakeSemaphore(1),
      undecided: new Map(),
      steps: { begun: 0, open: 0 },
      stopRequested: false,
      onStop: new Set()
    }
  })

/**
 * An interruption that comes before the job could begin still ends the claimed row (EFF-3). What could not be stored when all
 * is over is given up (OWN-21).
 */
const endedFor = (session: Session) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.onInterrupt(effect, () =>
    BatchStatus.isRunning(session.execution.status)
      ? Effect.flatMap(DateTime.now, (now) =>
        Effect.ignoreLogged(saving(
          session,
          saveJob(session, {
            status: "STOPPED",
            exitStatus: stoppedAs(
              session,
              ExitStatus.addDescription(ExitStatus.STOPPED, "interrupted before it began")
            ),
            endTime: Option.some(now),
            lastUpdated: now
          })
        )))
      : Effect.void).pipe(
      Effect.ensuring(Effect.map(Running.Running, (running) => Running.giveUp(running, session)))
    )

/** The secret stays with the engine. */
const withoutToken = ({ token: _, ...execution }: JobExecution): JobExecution => execution

/** Runs the job under the heartbeat; whichever ends first ends the other. */
const execute = (
  job: Job.Any,
  session: Session
): Erased<EndedJobExecution<string, unknown>, OwnerFailure> =>
  Effect.gen(function*() {
    const { isOwnerGone, owner } = yield* Ownership
    const declaration = definitionOf(job).parameters
    const provided = declaration === undefined
      ? Context.empty()
      : Context.make(
        declaration,
        yield* Effect.orDie(JobParameters.decode(declaration, session.execution.parameters))
      )
    const running = Running.registered(
      session,
      Effect.provide(
        Telemetry.job(session, runJob(session, definitionOf(job))),
        Context.add(provided as Context.Context<never>, OutputOwner, {
          owner,
          isGone: isOwnerGone,
          run: runName(session.execution),
          isOver: isOver(session.repository)
        })
      )
    )
    const waiting = Effect.locally(running, Outage.Current, waitingOf(session))
    // A beat has its own patience.
    const beating = Effect.locally(heartbeat(session), Outage.Current, undefined)
    const { cause } = yield* Race.until(waiting, beating)
    return {
      ...session.execution,
      exit: Option.match(cause as Option.Option<Cause.Cause<unknown>>, {
        onNone: () => Exit.succeed(session.execution.exitStatus.code),
        onSome: Exit.failCause
      })
    }
  })
