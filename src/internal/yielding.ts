/**
 * Lets timers, sockets and signals have their turn when the engine has kept the thread for a while.
 */
import * as Effect from "effect/Effect"

const BUDGET_MILLIS = 5

const turn = Effect.async<void>((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})

/** An effect that gives the event loop a turn, once per budget of time. */
export const makeBreather = (): Effect.Effect<void> => {
  let last = performance.now()
  return Effect.suspend(() => {
    if (performance.now() - last < BUDGET_MILLIS) {
      return Effect.void
    }
    return Effect.map(turn, () => {
      last = performance.now()
    })
  })
}
