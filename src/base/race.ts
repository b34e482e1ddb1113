/**
 * Two races that Effect's own can't run, because that leaves its children behind when it is interrupted from outside, and hands
 * an interruption on to them even where it can't be interrupted itself. A job that is interrupted must have written its last
 * rows before its layers are released.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

/**
 * Runs the effect until it ends, or until the signal ends first: then the effect is interrupted. In any case, also when
 * all of it is interrupted, both have ended before this does. An effect that succeeds in spite of the signal counts.
 */
export const until = <A, E, R, B, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  signal: Effect.Effect<B, E2, R2>
): Effect.Effect<A | B, E | E2, R | R2> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const running = yield* Effect.fork(restore(effect))
      let over = false
      let signalled: Exit.Exit<B, E2> | undefined
      const watching = yield* Effect.fork(
        Effect.flatMap(Effect.exit(Effect.interruptible(signal)), (exit) => {
          if (over) {
            return Effect.void
          }
          signalled = exit
          return Fiber.interrupt(running)
        })
      )
      const exit: Exit.Exit<A | B, E | E2> = yield* restore(Fiber.await(running)).pipe(
        Effect.onExit((ended) => {
          over = true
          return Exit.isFailure(ended) ? Fiber.interrupt(running) : Effect.void
        }),
        Effect.ensuring(Fiber.interrupt(watching))
      )
      const result = Exit.isFailure(exit) && signalled !== undefined ? signalled : exit
      return yield* result
    })
  )

/**
 * Runs the effect until it ends, or until the signal fails first: then the effect is left behind, interrupted. Both run in fibers
 * apart from this one, which hear of its interruption only where it can be interrupted.
 */
export const orLeave = <A, E, R, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  signal: Effect.Effect<never, E2, R2>
): Effect.Effect<A, E | E2, R | R2> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const running = yield* Effect.forkDaemon(Effect.interruptible(effect))
      const watching = yield* Effect.forkDaemon(Effect.interruptible(signal))
      const first = Effect.async<A, E | E2>((resume) => {
        running.addObserver(resume)
        watching.addObserver(resume)
      })
      const leave = Effect.fiberIdWith((id) =>
        Effect.sync(() => {
          running.unsafeInterruptAsFork(id)
          watching.unsafeInterruptAsFork(id)
        })
      )
      return yield* Effect.ensuring(restore(first), leave)
    })
  )
