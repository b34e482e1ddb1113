/**
 * One running job execution in this process: what the engine knows about it between two writes to the repository.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Erased } from "../../definition/erased.js"
import type { Job } from "../../definition/Job.js"
import type { JobRepository, OwnerFailure } from "../../ports/JobRepository.js"
import { JobScope } from "../../ports/JobScope.js"
import type { Transactor } from "../../ports/Transactor.js"
import type { JobRepositoryError, LaunchError } from "../../vocabulary/BatchError.js"
import { UnreadableContextKey } from "../../vocabulary/BatchError.js"
import type { BatchEvent } from "../../vocabulary/BatchEvent.js"
import type { BatchStatus } from "../../vocabulary/BatchStatus.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import type { JobExecution } from "../../vocabulary/JobExecution.js"
import type { StepExecution } from "../../vocabulary/StepExecution.js"
import type { Handler } from "./faultPoint.js"
import type { EndedJobExecution, RunningJobExecution } from "./launched.js"

/**
 * Whether a stop only means that this process ends, or has nothing to do with the execution any more, and another one is to go
 * on. It is told whether somebody asked the execution to stop.
 */
export type HandsOver = (isStopRequested: boolean) => boolean

/** What somebody who takes executions, to run them for others, says of them. */
export type Taken = Pick<Session, "handsOver" | "isLeaving">

export type RunClaimed = (
  job: Job.Any,
  execution: JobExecution,
  taken?: Taken
) => Erased<EndedJobExecution<string, unknown>, OwnerFailure>

export interface Session {
  readonly repository: Context.Tag.Service<JobRepository>
  readonly transactor: Context.Tag.Service<Transactor>
  readonly publish: (event: BatchEvent) => void
  readonly faults: Handler | undefined
  /** Starts another job in the same repository: closing the Scope stops it. */
  readonly startJob: (
    job: Job.Any,
    parameters: unknown
  ) => Erased<RunningJobExecution<string, unknown>, LaunchError | JobRepositoryError, Scope.Scope>
  /** Runs an execution of a partition that this process has claimed, in the same repository. */
  readonly runClaimed: RunClaimed
  /**
   * As stored, but for the context. What others see of it, so the secret of its fence is not part of it. Replaced by `saveJob`
   * only.
   */
  execution: JobExecution
  /** What the claim has drawn, see `JobRepository.Fence`. */
  readonly token: string | undefined
  readonly leaseMillis: number
  /** When the claim was asked for, on the clock of the heartbeat. */
  readonly claimedAt: number
  /** Whether the lease could not be renewed in time: what is written from now on may be somebody else's. */
  isLost: boolean
  /** Called when that happens, each of them once. */
  readonly onLost: Set<() => void>
  /** Since when a database is out of reach, on the clock of the heartbeat. */
  outage: number | undefined
  /** The job's context as the steps that have committed left it. Replaced by `setContext` only: branches share it. */
  context: ExecutionContext.ExecutionContext
  /** Held by a branch from the moment it writes the context until its transaction has ended. */
  readonly contextLock: Effect.Semaphore
  /**
   * What became of the job's context in commits of which nobody could tell in time whether they happened, by the id of
   * their step: to be asked once more with its stored row (D18).
   */
  readonly undecided: Map<number, (stored: StepExecution) => void>
  /**
   * How many steps have begun here, and of how many of them it is not known that their end was stored. Set by `stepBegins`,
   * `stepRefused` and `stepEnded` only.
   */
  steps: { readonly begun: number; readonly open: number }
  /** Set by `requestStop` only, from whatever fiber learns of the request. */
  stopRequested: boolean
  readonly handsOver?: HandsOver | undefined
  /** Whether who took the execution is leaving: what was just being taken stops before its first step. */
  readonly isLeaving?: (() => boolean) | undefined
  /** Called when the execution is asked to stop, each of them once. */
  readonly onStop: Set<() => void>
}

/** The execution as the repository has to see it from its owner. */
export const owned = ({ execution, token }: Session, changes?: Partial<JobExecution>): JobExecution => ({
  ...execution,
  ...changes,
  token
})

/** The lease could not be renewed in time. */
export const lose = (session: Session): void => {
  session.isLost = true
  const waiting = [...session.onLost]
  session.onLost.clear()
  waiting.forEach((wake) => wake())
}

/** The execution is to stop: what waits hears of it at once, everything else at the next commit. */
export const requestStop = (session: Session): void => {
  session.stopRequested = true
  const waiting = [...session.onStop]
  session.onStop.clear()
  waiting.forEach((wake) => wake())
}

/** A step is about to begin. */
export const stepBegins = (session: Session): void => {
  const { begun, open } = session.steps
  session.steps = { begun: begun + 1, open: open + 1 }
}

/** A step that was about to begin does not: the execution is to stop. */
export const stepRefused = (session: Session): void => {
  const { begun, open } = session.steps
  session.steps = { begun: begun - 1, open: open - 1 }
}

/** The end of a step that had begun here is stored. */
export const stepEnded = (session: Session): void => {
  const { begun, open } = session.steps
  session.steps = { begun, open: open - 1 }
}

/** The exit status of an execution that was stopped: one that is handed over says so, and is taken again without a restart. */
export const stoppedAs = (
  { handsOver, stopRequested }: Session,
  exitStatus: ExitStatus.ExitStatus
): ExitStatus.ExitStatus =>
  handsOver?.(stopRequested) === true
    ? ExitStatus.make("OWNER_LEFT", "its process has left it; another one goes on from the last commit")
    : exitStatus

/** Remembers what the repository answered: somebody may have asked for a stop. */
export const noteStatus = (session: Session, status: BatchStatus): void => {
  if (status === "STOPPING" || status === "STOPPED") {
    requestStop(session)
  }
}

/** What the stored row of a step says about a commit of it that nobody could look up before. */
export const decide = ({ undecided }: Session, stored: StepExecution): void => undecided.get(stored.id)?.(stored)

/** The one place where the context of the job is replaced: branches, listeners and deciders share it. */
export const setContext = (session: Session, context: ExecutionContext.ExecutionContext): void => {
  session.context = context
}

/** Saves the execution with these changes and the current context. */
export const saveJob = (session: Session, changes: Partial<JobExecution>): Effect.Effect<void, OwnerFailure> =>
  Effect.suspend(() => {
    const next = { ...session.execution, ...changes, context: session.context }
    return Effect.map(session.repository.updateJobExecution({ ...next, token: session.token }), (status) => {
      session.execution = next
      noteStatus(session, status)
    })
  })

/** The context with the value of a key changed by what it is. */
export const updated = <A>(
  context: ExecutionContext.ExecutionContext,
  key: ExecutionContext.Key<A>,
  f: (current: Option.Option<A>) => A
): Either.Either<ExecutionContext.ExecutionContext, UnreadableContextKey> =>
  Either.flatMap(ExecutionContext.get(context, key), (current) => ExecutionContext.set(context, key, f(current)))

/** An entry that cannot be read or written tells in which context it stands. */
export const entryOf =
  (scope: () => string) =>
  <A>(result: Either.Either<A, UnreadableContextKey>): Either.Either<A, UnreadableContextKey> =>
    Either.mapLeft(result, ({ detail, key }) => new UnreadableContextKey({ key, detail, scope: scope() }))

/** `the context of job "import"`. */
export const jobContextName = ({ execution: { instance } }: Session): string =>
  `the context of job "${instance.jobName}"`

/** The scope of job listeners and deciders, which work on the job's context directly. */
export const jobScope = (session: Session): Context.Context<JobScope> => {
  const inJob = entryOf(() => jobContextName(session))
  return Context.make(JobScope, {
    execution: Effect.sync(() => ({ ...session.execution, context: session.context })),
    get: (key) => Effect.suspend(() => inJob(ExecutionContext.get(session.context, key))),
    set: (key, value) =>
      Effect.suspend(() =>
        inJob(Either.map(ExecutionContext.set(session.context, key, value), (context) => setContext(session, context)))
      ),
    update: (key, f) =>
      Effect.suspend(() =>
        inJob(Either.map(updated(session.context, key, f), (context) => setContext(session, context)))
      ),
    remove: (key) => Effect.sync(() => setContext(session, ExecutionContext.remove(session.context, key)))
  })
}
