/**
 * Runs the branches of a split and joins how they ended (FLOW-60 to FLOW-67).
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Race from "../../base/race.js"
import type { Outcome } from "../../decisions/outcome.js"
import { interruptedByBranch } from "../../decisions/outcome.js"
import type { SplitSettings } from "../../definition/tree.js"

/** What a branch came to, in which the outcome is. */
export interface Ended {
  readonly came: Outcome
}

/**
 * Ends when every branch has ended, with what each came to, in their order. Fails when the walk of one could not go on,
 * with the first in their order (FLOW-61). `interrupted`: what a branch came to that has not begun, or was interrupted.
 */
export const runBranches = <A extends Ended, E, R>(
  branches: ReadonlyArray<Effect.Effect<A, E, R>>,
  settings: SplitSettings,
  interrupted: (came: Outcome) => A
): Effect.Effect<ReadonlyArray<A>, E, R> =>
  Effect.gen(function*() {
    const failed = yield* Deferred.make<void>()
    const exits = yield* Effect.forEach(
      branches,
      (branch) =>
        settings.onBranchFailure === "wait"
          ? Effect.exit(branch)
          : untilFailure(branch, failed, interrupted(interruptedByBranch)),
      { concurrency: settings.concurrency }
    )
    const failure = exits.find(Exit.isFailure)
    return failure === undefined
      ? exits.flatMap((exit) => Exit.isSuccess(exit) ? [exit.value] : [])
      : yield* Effect.failCause(failure.cause)
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Runs the branch unless, and until, another one has failed; then its running steps end as STOPPED. */
const untilFailure = <A extends Ended, E, R>(
  branch: Effect.Effect<A, E, R>,
  failed: Deferred.Deferred<void>,
  interrupted: A
): Effect.Effect<Exit.Exit<A, E>, never, R> =>
  Effect.if(Deferred.isDone(failed), {
    onTrue: () => Effect.succeed(Exit.succeed(interrupted)),
    onFalse: () =>
      Race.until(branch, Effect.as(Deferred.await(failed), interrupted)).pipe(
        Effect.exit,
        Effect.tap((exit) =>
          Exit.isFailure(exit) || exit.value.came.status === "FAILED" || exit.value.came.status === "UNKNOWN"
            ? Deferred.succeed(failed, undefined)
            : Effect.void
        )
      )
  })
