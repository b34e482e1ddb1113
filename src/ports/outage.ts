/**
 * Waiting for a database that is out of reach: as long as the lease of the execution that needs it allows, told of once when it
 * begins and once when it is over (OWN-21).
 *
 * The execution that runs says here how it waits. Whoever sends something that may be sent again, because it has certainly
 * done nothing or does the same twice, sends it through here.
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import { identity } from "effect/Function"
import { globalValue } from "effect/GlobalValue"
import type { Open } from "./Transactor.js"
import { CurrentTransaction } from "./Transactor.js"

/** How an execution waits. */
export interface Waiting {
  /** On the clock of the lease. */
  readonly now: Effect.Effect<number>
  /** Pauses for a while; false when what has been tried since then has been tried for long enough. */
  readonly pause: (since: number) => Effect.Effect<boolean>
  /** Something was answered again. */
  readonly over: Effect.Effect<void>
}

/** Lets be interrupted what else could not be. */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** Of the execution that this fiber works for; nobody waits outside of one. */
export const Current: FiberRef.FiberRef<Waiting | undefined> = globalValue(
  "effect-batch/outage/Current",
  () => FiberRef.unsafeMake<Waiting | undefined>(undefined)
)

/**
 * Runs the effect again and again while it fails because of an outage and the execution waits. Nothing is made before it has
 * failed once. `restore` lets the pauses be interrupted where the effect cannot be.
 */
export const outlasting = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  isOutage: (error: E) => boolean,
  waiting: Waiting | undefined,
  restore: Restore = identity
): Effect.Effect<A, E, R> =>
  Effect.catchAll(
    effect,
    (error) =>
      isOutage(error)
        ? Effect.flatMap(
          waiting === undefined ? FiberRef.get(Current) : Effect.succeed(waiting),
          (waiting) =>
            waiting === undefined
              ? Effect.fail(error)
              : Effect.flatMap(waiting.now, (since) => again({ effect, isOutage, waiting, restore, since }, error))
        )
        : Effect.fail(error)
  )

/** The same for what only reads, which is not waited for while a transaction is open: that would keep it open. */
export const outlastingReads = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  isOutage: (error: E) => boolean
): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    FiberRef.get(CurrentTransaction),
    (open) => isOpen(open) ? effect : outlasting(effect, isOutage, undefined)
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Attempt<out A, in out E, out R> {
  readonly effect: Effect.Effect<A, E, R>
  readonly isOutage: (error: E) => boolean
  readonly waiting: Waiting
  readonly restore: Restore
  readonly since: number
}

const again = <A, E, R>(attempt: Attempt<A, E, R>, failed: E): Effect.Effect<A, E, R> => {
  const { effect, isOutage, restore, since, waiting } = attempt
  return Effect.flatMap(restore(waiting.pause(since)), (goesOn) =>
    goesOn
      ? Effect.matchEffect(effect, {
        onFailure: (error) => isOutage(error) ? again(attempt, error) : Effect.fail(error),
        onSuccess: (answer) => Effect.as(waiting.over, answer)
      })
      : Effect.fail(failed))
}

const isOpen = (open: Open | undefined): boolean => open !== undefined && (!open.isOver || isOpen(open.outer))
