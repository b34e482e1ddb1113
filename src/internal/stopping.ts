/**
 * How a request to stop reaches code that waits: at once for what may be given up (a read), after a grace time for
 * everything else.
 *
 * What runs here runs in a fiber of its own, so that it can be interrupted alone. The fibers that it starts are handed
 * to the fiber of the step, as if there were no other one: a reader's background fiber must outlive the read that
 * started it.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Race from "./race.js"
import type { Session } from "./session.js"

/**
 * How long a step that was asked to stop may take to reach a commit.
 */
export class StopGrace extends Context.Reference<StopGrace>()("effect-batch/JobOperator/StopGrace", {
  defaultValue: (): Duration.DurationInput => "30 seconds"
}) {}

/** Completes when the execution is asked to stop. */
export const awaitStop = (session: Session): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (session.stopRequested) {
      return resume(Effect.void)
    }
    const wake = () => resume(Effect.void)
    session.onStop.add(wake)
    return Effect.sync(() => session.onStop.delete(wake))
  })

/** Runs the effect, or gives it up for `otherwise` as soon as the execution is asked to stop. */
export const unlessStopped = <A, E, R>(
  session: Session,
  effect: Effect.Effect<A, E, R>,
  otherwise: () => A
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() =>
      session.stopRequested ? Effect.sync(otherwise) : Effect.flatMap(
        forkAlone(restore(effect)),
        (fiber) => {
          const giveUp = () => fiber.unsafeInterruptAsFork(fiber.id())
          session.onStop.add(giveUp)
          return Effect.flatMap(
            Effect.exit(Effect.onInterrupt(restore(Fiber.join(fiber)), () => Fiber.interrupt(fiber))),
            (exit) => {
              session.onStop.delete(giveUp)
              return Exit.isInterrupted(exit) && session.stopRequested ? Effect.sync(otherwise) : exit
            }
          )
        }
      )
    )
  )

/** Runs the body of a step; one that goes on for too long after a request to stop is interrupted. */
export const withinGrace = <A, E, R>(session: Session, body: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(StopGrace, (grace) =>
    Effect.withFiberRuntime((parent) =>
      Race.until(
        keepingChildren(body, parent),
        awaitStop(session).pipe(Effect.zipRight(Effect.sleep(grace)), Effect.zipRight(Effect.interrupt))
      )
    ))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const forkAlone = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Fiber.RuntimeFiber<A, E>, never, R> =>
  Effect.withFiberRuntime((parent) => Effect.fork(keepingChildren(effect, parent)))

/** The runtime can do this, but its types do not say so. */
interface WithChildren {
  readonly scope: () => unknown
  readonly transferChildren: (scope: unknown) => void
}

const keepingChildren = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  parent: Fiber.RuntimeFiber<any, any>
): Effect.Effect<A, E, R> =>
  Effect.ensuring(
    effect,
    Effect.withFiberRuntime((fiber) => {
      ;(fiber as unknown as WithChildren).transferChildren((parent as unknown as WithChildren).scope())
      return Effect.void
    })
  )
