/**
 * What must not get lost to a hiccup of the database, or to an outage that the lease outlasts: the final state of a step or a
 * job, and looking up what became of a commit.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Race from "../../base/race.js"
import type { OwnerFailure } from "../../ports/JobRepository.js"
import { JobRepositoryError } from "../../vocabulary/BatchError.js"
import { monotonic } from "./heartbeat.js"
import type { Session } from "./session.js"

/**
 * Tries again while the repository says that this may help, for as long as the execution keeps its lease (OWN-21). When the
 * lease is lost, it is tried once, and not for long: nobody may be there to answer (OWN-18).
 */
export const saving = <A, E extends OwnerFailure, R>(
  session: Session,
  write: Effect.Effect<A, E, R>
): Effect.Effect<A, E | JobRepositoryError, R> =>
  Effect.matchEffect(limited(session, write), {
    onFailure: (error) => isTransient(error) && !session.isLost ? again(session, write, error) : Effect.fail(error),
    onSuccess: (answer) => session.outage === undefined ? Effect.succeed(answer) : Effect.as(backAgain(session), answer)
  })

/**
 * Waits for a while because the repository is out of reach, and says whether to try again: as long as the lease lasts. An outage
 * is told of once, whoever meets it in this execution (OWN-21).
 */
export const waitOut = (session: Session): Effect.Effect<boolean> =>
  Effect.flatMap(monotonic, (now) => {
    const { execution, leaseMillis, outage } = session
    const waited = outage === undefined ? 0 : now - outage
    if (session.isLost || waited >= Math.max(SHORTEST_PATIENCE, leaseMillis * 0.75)) {
      return Effect.succeed(false)
    }
    session.outage ??= now
    const told = outage !== undefined ? Effect.void : Effect.logWarning(
      `The job repository is out of reach of execution ${execution.id}, which waits for it while its lease lasts`
    )
    const pause = Math.min(1000, Math.max(100, waited))
    return told.pipe(Effect.zipRight(Effect.sleep(pause)), Effect.as(true))
  })

/** Something was stored: if there was an outage, it is over. */
export const backAgain = (session: Session): Effect.Effect<void> =>
  session.outage === undefined ? Effect.void : Effect.flatMap(monotonic, (now) => {
    const { execution, outage } = session
    session.outage = undefined
    return outage === undefined ? Effect.void : Effect.logInfo(
      `The job repository is back: execution ${execution.id} goes on after ${Math.round(now - outage)} ms`
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

const again = <A, E extends OwnerFailure, R>(
  session: Session,
  write: Effect.Effect<A, E, R>,
  failed: E | JobRepositoryError
): Effect.Effect<A, E | JobRepositoryError, R> =>
  Effect.flatMap(waitOut(session), (goesOn) =>
    goesOn
      ? Effect.matchEffect(limited(session, write), {
        onFailure: (error) => isTransient(error) && !session.isLost ? again(session, write, error) : Effect.fail(error),
        onSuccess: (answer) => Effect.as(backAgain(session), answer)
      })
      : Effect.fail(failed))

const briefly = Schedule.exponential("100 millis").pipe(Schedule.intersect(Schedule.recurs(5)))

/** In milliseconds. */
const SHORTEST_PATIENCE = 3000

/** Leaves a statement behind that has no answer some time after the lease was lost. */
const limited = <A, E extends OwnerFailure, R>(
  session: Session,
  write: Effect.Effect<A, E, R>
): Effect.Effect<A, E | JobRepositoryError, R> =>
  Race.orLeave(
    write,
    Effect.zipRight(
      Effect.zipRight(lost(session), Effect.sleep(Math.max(250, session.leaseMillis / 16))),
      Effect.fail(
        new JobRepositoryError({
          operation: "save",
          reason: "transient",
          detail: "there was no answer before the lease ended"
        })
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

const isTransient = (error: OwnerFailure): boolean =>
  error._tag === "JobRepositoryError" && error.reason === "transient"
