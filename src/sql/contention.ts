/**
 * Trying a transaction again after the database gave it up in favour of another one.
 */
import * as Effect from "effect/Effect"
import { isContention } from "./failure.js"

/**
 * Runs a whole transaction again when it lost against another one, a few times, after a pause.
 *
 * @internal
 */
export const retry = <A, E, R>(transaction: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => attempt(transaction, 1)

/**
 * Waits, on the real clock: the transaction waited for lives there too, so a test clock must not hold this up. Give a
 * random time, so that two that met once do not meet again.
 *
 * @internal
 */
export const realPause = (millis: number): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    return Effect.sync(() => clearTimeout(timer))
  })

// internal

const maxAttempts = 6

const attempt = <A, E, R>(transaction: Effect.Effect<A, E, R>, number: number): Effect.Effect<A, E, R> =>
  Effect.catchAll(transaction, (error) =>
    number < maxAttempts && isContention(error)
      ? Effect.zipRight(realPause(Math.random() * 20 * 2 ** number), attempt(transaction, number + 1))
      : Effect.fail(error))
