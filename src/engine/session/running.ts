/**
 * The executions that run in this process: who stops the process, or one of them, reaches them without a detour over
 * the repository.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { ClaimWitness } from "../../ports/JobRepository.js"
import { JobRepository } from "../../ports/JobRepository.js"
import type { JobRepositoryError, NoSuchJobExecution } from "../../vocabulary/BatchError.js"
import { JobExecutionAlreadyRunning, JobExecutionNotRunning } from "../../vocabulary/BatchError.js"
import * as BatchStatus from "../../vocabulary/BatchStatus.js"
import { Ownership } from "./ownership.js"
import type { Session } from "./session.js"
import { requestStop } from "./session.js"

export interface RunningSessions {
  readonly sessions: Set<Session>
  /** Set, once and for all sessions to come, when the process is about to end: what is launched from then on stops before its first step. */
  closing: boolean
  /** Called after each execution that has ended. */
  readonly onEnd: Set<() => void>
  /**
   * The secrets of executions that have ended here while nobody could store it: nothing is done in their names any more, and
   * they may be taken back before their leases end (OWN-21).
   */
  readonly givenUp: Set<string>
}

export const make = (): RunningSessions => ({
  sessions: new Set(),
  closing: false,
  onEnd: new Set(),
  givenUp: new Set()
})

/** Notes that nothing of the session goes on, unless the repository knows. */
export const giveUp = (running: RunningSessions, { execution, token }: Session): void => {
  if (token !== undefined && BatchStatus.isRunning(execution.status)) {
    running.givenUp.add(token)
  }
}

/** By default one for the whole process. */
export class Running extends Context.Reference<Running>()("effect-batch/JobOperator/Running", {
  defaultValue: make
}) {}

/** What this process knows about claims that are over. */
export const witness: Effect.Effect<ClaimWitness> = Effect.zipWith(
  Ownership,
  Running,
  ({ isOwnerGone }, { givenUp }) => ({ isOwnerGone, hasGivenUp: (token) => givenUp.has(token) })
)

/** Runs what claims an execution. A claim without an answer may be stored all the same, and is given up (OWN-21). */
export const claiming = <A, E, R>(claim: (witness: ClaimWitness) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.zipWith(witness, Running, (known, { givenUp }) => ({ known, givenUp })).pipe(
    Effect.flatMap(({ givenUp, known }) => {
      const drawn: Array<string> = []
      return Effect.onError(
        claim({ ...known, onToken: (token) => void drawn.push(token) }),
        () => Effect.sync(() => drawn.forEach((token) => givenUp.add(token)))
      )
    })
  )

/** Runs the effect with the session in the register. */
export const registered = <A, E, R>(session: Session, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Running, (running) =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        running.sessions.add(session)
        if (running.closing || session.isLeaving?.() === true) {
          requestStop(session)
        }
      }),
      () => effect,
      () =>
        Effect.sync(() => {
          running.sessions.delete(session)
          running.onEnd.forEach((tell) => tell())
        })
    ))

/** The sessions of an execution; ids are unique in one repository only. */
export const find = (
  running: RunningSessions,
  repository: Session["repository"],
  executionId: number
): ReadonlyArray<Session> =>
  [...running.sessions].filter((session) => session.repository === repository && session.execution.id === executionId)

/** Says of an execution that keeps another one from running whether it runs in this very process. */
export const located = <E>(
  running: RunningSessions,
  repository: Session["repository"],
  error: E
): E | JobExecutionAlreadyRunning => {
  if (!(error instanceof JobExecutionAlreadyRunning) || find(running, repository, error.executionId).length === 0) {
    return error
  }
  const { executionId, jobName, leaseLeftMillis, owner, since } = error
  return new JobExecutionAlreadyRunning({ jobName, executionId, owner, since, leaseLeftMillis, here: true })
}

/**
 * Asks an execution to stop: the sessions of this process first, then the repository, which may have to wait for a
 * connection that the execution itself holds (STOP-1, STOP-2, D16).
 */
export const stop = (
  executionId: number
): Effect.Effect<void, JobExecutionNotRunning | NoSuchJobExecution | JobRepositoryError, JobRepository> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const running = yield* Running
    const told = find(running, repository, executionId).filter(({ stopRequested }) => !stopRequested)
    told.forEach(requestStop)
    const before = yield* repository.requestStop(executionId)
    // One that was told here may have stopped before its row could be asked.
    if (told.length === 0 && before !== "STARTING" && before !== "STARTED") {
      return yield* Effect.fail(new JobExecutionNotRunning({ executionId, status: before }))
    }
  })
