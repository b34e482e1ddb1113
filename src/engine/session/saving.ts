/**
 * Writes that must not get lost to a hiccup of the database: the final state of a step or a job.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { OwnerFailure } from "../../ports/JobRepository.js"

const patience = Schedule.exponential("100 millis").pipe(Schedule.intersect(Schedule.recurs(5)))

/** Tries again, for about three seconds, while the repository says that this may help. */
export const saving = <A, R>(write: Effect.Effect<A, OwnerFailure, R>): Effect.Effect<A, OwnerFailure, R> =>
  Effect.catchAll(write, (error) =>
    isTransient(error)
      ? Effect.retry(write, { schedule: patience, while: isTransient })
      : Effect.fail(error))

const isTransient = (error: OwnerFailure): boolean =>
  error._tag === "JobRepositoryError" && error.reason === "transient"
