/**
 * What must not get lost to a hiccup of the database, or to an outage that the lease outlasts: the final state of a step or a
 * job, and looking up what became of a commit.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Race from "../../base/race.js"
import type { AnswerRecord } from "../../decisions/flowHistory.js"
import type { OwnerFailure } from "../../ports/JobRepository.js"
import * as Outage from "../../ports/outage.js"
import { JobRepositoryError, type NoSuchJobExecution } from "../../vocabulary/BatchError.js"
import type { StepExecution } from "../../vocabulary/StepExecution.js"
import { monotonic } from "./heartbeat.js"
import type { Session } from "./session.js"
import { noteStatus, owned } from "./session.js"

/**
 * Tries again while the repository says that this may help, for as long as the execution keeps its lease (OWN-21). When the
 * lease is lost, it is tried once, and not for long: nobody may be there to answer (OWN-18). So it is for what may be stored twice:
 * its answer may have been lost.
 */
export const saving = <A, E extends Failure, R>(
  session: Session,
  write: Effect.Effect<A, E, R>
): Effect.Effect<A, E | JobRepositoryError, R> => {
  const once = Effect.tap(
    limited(session, write),
    () => session.outage === undefined ? Effect.void : backAgain(session)
  )
  return Outage.outlasting(once, isTransient, waitingOf(session))
}

/** The last one of a place and round counts, so it may be stored twice. */
export const savingAnswer = (session: Session, record: AnswerRecord): Effect.Effect<void, OwnerFailure> =>
  saving(session, Effect.suspend(() => session.repository.recordAnswer(owned(session), record)))

/** A step execution that is over, as it is. */
export const savingStep = (session: Session, step: StepExecution): Effect.Effect<void, OwnerFailure> =>
  Effect.map(
    saving(session, Effect.suspend(() => session.repository.updateStepExecution(owned(session), step))),
    (status) => noteStatus(session, status)
  )

/** How everything waits that runs in the execution: as long as the lease lasts. */
export const waitingOf = (session: Session): Outage.Waiting => ({
  now: monotonic,
  pause: (since) => waitOut(session, since),
  over: Effect.suspend(() => backAgain(session))
})

/**
 * Waits for a while because a database is out of reach, and says whether to try again what has been tried since then, on the
 * clock of the heartbeat. An outage is told of once, whoever meets it in this execution (OWN-21).
 */
export const waitOut = (session: Session, since = Infinity): Effect.Effect<boolean> =>
  Effect.flatMap(monotonic, (now) => {
    const { execution, leaseMillis, outage } = session
    const waited = now - Math.min(since, outage ?? now)
    if (session.isLost || waited >= Math.max(SHORTEST_PATIENCE, leaseMillis * 0.75)) {
      return Effect.succeed(false)
    }
    session.outage ??= now
    const told = outage !== undefined ? Effect.void : Effect.logWarning(
      `A database is out of reach of execution ${execution.id}, which waits for it while its lease lasts`
    )
    const pause = Math.min(1000, Math.max(100, waited))
    return told.pipe(Effect.zipRight(Effect.sleep(pause)), Effect.as(true))
  })

/** Something was answered: if there was an outage, it is over. */
export const backAgain = (session: Session): Effect.Effect<void> =>
  session.outage === undefined ? Effect.void : Effect.flatMap(monotonic, (now) => {
    const { execution, outage } = session
    session.outage = undefined
    return outage === undefined ? Effect.void : Effect.logInfo(
      `The database is back: execution ${execution.id} goes on after ${Math.round(now - outage)} ms`
    )
  })

/** The same for what is nobody's in particular: for about three seconds. */
export const retrying = <A, E extends OwnerFailure, R>(write: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.catchAll(write, (error) =>
    isTransient(error)
      ? Effect.retry(write, { schedule: briefly, while: isTransient })
      : Effect.fail(error))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Failure = OwnerFailure | NoSuchJobExecution

const briefly = Schedule.exponential("100 millis").pipe(Schedule.intersect(Schedule.recurs(5)))

/** In milliseconds. */
const SHORTEST_PATIENCE = 3000

/** Leaves a statement behind that has no answer some time after the lease was lost. */
const limited = <A, E extends Failure, R>(
  session: Session,
  write: Effect.Effect<A, E, R>
): Effect.Effect<A, E | JobRepositoryError, R> =>
  Race.orLeave(
    write,
    Effect.zipRight(
      Effect.zipRight(lost(session), Effect.sleep(Math.max(250, session.leaseMillis / 16))),
      // Made when it is needed: with its stack it costs more than what is saved.
      Effect.suspend(() =>
        Effect.fail(
          new JobRepositoryError({
            operation: "save",
            reason: "transient",
            detail: "there was no answer before the lease ended"
          })
        )
      )
    )
  )

const lost = (session: Session): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (session.isLost) {
      return resume(Effect.void)
    }
    const wake = () => resume(Effect.void)
    session.onLost.add(wake)
    return Effect.sync(() => session.onLost.delete(wake))
  })

const isTransient = (error: Failure): boolean => error._tag === "JobRepositoryError" && error.reason === "transient"
