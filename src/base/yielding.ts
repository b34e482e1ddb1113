/**
 * Lets timers, sockets and signals have their turn when the engine has kept the thread for a while.
 */
import * as Effect from "effect/Effect"

const BUDGET_MILLIS = 5

/** Goes on when timers, sockets and signals had their turn. */
export const turn = Effect.async<void>((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})

/** Asked again and again, it gives an effect that gives the event loop a turn once a budget of time is used up. */
export const makeBreather = (): () => Effect.Effect<void> | undefined => {
  let last = performance.now()
  const breath = Effect.map(turn, () => {
    last = performance.now()
  })
  return () => performance.now() - last < BUDGET_MILLIS ? undefined : breath
}
