/**
 * What must not get lost to a hiccup of the database, or to an outage that the lease outlasts: the final state of a step or a
 * job, and looking up what became of a commit.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
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
  Effect.catchAll(limited(session, write), (error) =>
    isTransient(error) && !session.isLost
      ? Effect.flatMap(monotonic, (since) => again(session, write, since))
      : Effect.fail(error))

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
  since: number
): Effect.Effect<A, E | JobRepositoryError, R> =>
  Effect.gen(function*() {
    const { execution, leaseMillis } = session
    const patience = Math.max(SHORTEST_PATIENCE, leaseMillis * 0.75)
    yield* Effect.logWarning(
      `The job repository is out of reach of execution ${execution.id}, which waits for it while its lease lasts`
    )
    for (let pause = 100;; pause = Math.min(1000, pause * 2)) {
      yield* Effect.sleep(pause)
      const answer = yield* Effect.either(limited(session, write))
      const waited = (yield* monotonic) - since
      if (answer._tag === "Right") {
        yield* Effect.logInfo(
          `The job repository is back: execution ${execution.id} goes on after ${Math.round(waited)} ms`
        )
        return answer.right
      }
      if (!isTransient(answer.left) || session.isLost || waited >= patience) {
        return yield* Effect.fail(answer.left)
      }
    }
  })

const briefly = Schedule.exponential("100 millis").pipe(Schedule.intersect(Schedule.recurs(5)))

/** In milliseconds. */
const SHORTEST_PATIENCE = 3000

/** Leaves a statement behind that has no answer some time after the lease was lost. */
const limited = <A, E extends OwnerFailure, R>(
  session: Session,
  write: Effect.Effect<A, E, R>
): Effect.Effect<A, E | JobRepositoryError, R> =>
  Effect.raceFirst(
    Effect.interruptible(Effect.disconnect(write)),
    Effect.interruptible(Effect.zipRight(lost(session), Effect.sleep(Math.max(250, session.leaseMillis / 16)))).pipe(
      Effect.zipRight(Effect.fail(
        new JobRepositoryError({
          operation: "save",
          reason: "transient",
          detail: "there was no answer before the lease ended"
        })
      ))
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
