/**
 * What is done at the end of an effect, whatever that is, where nothing can be interrupted. `Effect.ensuring` can stand
 * anywhere and therefore makes a region of its own, which for the statements of a transaction costs more than they do.
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"

/**
 * Runs the effect and then the finalizer. Only for regions that cannot be interrupted.
 *
 * @internal
 */
export const finishing = <A, E, R>(effect: Effect.Effect<A, E, R>, finalizer: () => void): Effect.Effect<A, E, R> =>
  Effect.matchCauseEffect(effect, {
    onFailure: (cause) => {
      finalizer()
      return Effect.failCause(cause)
    },
    onSuccess: (value) => {
      finalizer()
      return Effect.succeed(value)
    }
  })

/**
 * Runs the effect with another value of the reference. Only for regions that cannot be interrupted.
 *
 * @internal
 */
export const locally = <A, E, R, X>(
  effect: Effect.Effect<A, E, R>,
  ref: FiberRef.FiberRef<X>,
  value: X
): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => {
    const restored = FiberRef.set(ref, fiber.getFiberRef(ref))
    return Effect.zipRight(
      FiberRef.set(ref, value),
      Effect.matchCauseEffect(effect, {
        onFailure: (cause) => Effect.zipRight(restored, Effect.failCause(cause)),
        onSuccess: (value) => Effect.as(restored, value)
      })
    )
  })
