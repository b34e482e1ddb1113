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
import * as FiberRef from "effect/FiberRef"
import * as Runtime from "effect/Runtime"
import type { RuntimeFlags } from "effect/RuntimeFlags"
import * as Race from "../../base/race.js"
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

/**
 * Runs the effect, or gives it up for `otherwise` as soon as the execution is asked to stop. An effect that does not have
 * to wait is done before anybody could ask, and costs a quarter of what a fork and a join would.
 */
export const unlessStopped = <A, E, R>(
  session: Session,
  effect: Effect.Effect<A, E, R>,
  otherwise: () => A
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiberRuntime((parent, { runtimeFlags }) => {
      if (session.stopRequested) {
        return Effect.sync(otherwise)
      }
      const child = startAlone(restore(effect), parent, runtimeFlags)
      return child.unsafePoll() ?? awaitOrGiveUp(session, child, restore(Fiber.join(child)), otherwise)
    })
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

const awaitOrGiveUp = <A, E>(
  session: Session,
  child: Fiber.RuntimeFiber<A, E>,
  joined: Effect.Effect<A, E>,
  otherwise: () => A
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const giveUp = () => child.unsafeInterruptAsFork(child.id())
    session.onStop.add(giveUp)
    // It may have been asked for by what is to be given up.
    if (session.stopRequested) {
      giveUp()
    }
    return Effect.flatMap(Effect.exit(Effect.onInterrupt(joined, () => Fiber.interrupt(child))), (exit) => {
      session.onStop.delete(giveUp)
      return Exit.isInterrupted(exit) && session.stopRequested ? Effect.sync(otherwise) : exit
    })
  })

/** Begins at once, where `Effect.fork` would wait for its turn. */
const startAlone = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  parent: Fiber.RuntimeFiber<unknown, unknown>,
  runtimeFlags: RuntimeFlags
): Fiber.RuntimeFiber<A, E> =>
  Runtime.runFork(
    Runtime.make({
      context: parent.getFiberRef(FiberRef.currentContext) as Context.Context<R>,
      fiberRefs: parent.getFiberRefs(),
      runtimeFlags
    })
  )(keepingChildren(effect, parent))

/** The runtime can do this, but its types do not say so. */
interface WithChildren {
  readonly scope: () => unknown
  readonly transferChildren: (scope: unknown) => void
}

const keepingChildren = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  parent: Fiber.RuntimeFiber<unknown, unknown>
): Effect.Effect<A, E, R> =>
  Effect.ensuring(
    effect,
    Effect.withFiberRuntime((fiber) => {
      ;(fiber as unknown as WithChildren).transferChildren((parent as unknown as WithChildren).scope())
      return Effect.void
    })
  )
