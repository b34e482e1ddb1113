/**
 * Runs the branches of a split and joins how they ended (FLOW-60 to FLOW-67).
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Race from "../../base/race.js"
import type { Outcome } from "../../decisions/outcome.js"
import type { SplitSettings } from "../../definition/tree.js"

/**
 * What a branch came to, in which the outcome is.
 *
 * - `began`: whether anything was begun for it.
 */
export interface Ended {
  readonly came: Outcome
  readonly began: boolean
}

/**
 * - `run`: walks the branch.
 * - `pass`: what it comes to if nothing of it may be begun any more.
 */
export interface Branch<out A extends Ended, out E, out R> {
  readonly run: Effect.Effect<A, E, R>
  readonly pass: Effect.Effect<A, E, R>
}

/**
 * Ends when every branch has ended, with what each came to, in their order. Fails when the walk of one could not go on,
 * with the first in their order (FLOW-61).
 */
export const runBranches = <A extends Ended, E, R>(
  branches: ReadonlyArray<Branch<A, E, R>>,
  settings: SplitSettings
): Effect.Effect<ReadonlyArray<A>, E, R> =>
  Effect.gen(function*() {
    const failed = yield* Deferred.make<void>()
    const exits = yield* Effect.forEach(
      branches,
      (branch) => settings.onBranchFailure === "wait" ? Effect.exit(branch.run) : untilFailure(branch, failed),
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

/**
 * Runs the branch unless, and until, another one has failed; then its running steps end as STOPPED. One in which nothing
 * is left to run has been ended by nobody: otherwise a branch that fails again and again would keep it from its end. For
 * the same reason a failure that a restart only finds again ends nobody: nothing has failed since the restart was asked for.
 */
const untilFailure = <A extends Ended, E, R>(
  { pass, run }: Branch<A, E, R>,
  failed: Deferred.Deferred<void>
): Effect.Effect<Exit.Exit<A, E>, never, R> =>
  Effect.if(Deferred.isDone(failed), {
    onTrue: () => Effect.exit(pass),
    onFalse: () =>
      Race.until(run, Effect.as(Deferred.await(failed), undefined)).pipe(
        Effect.flatMap((came) => came === undefined ? pass : Effect.succeed(came)),
        Effect.exit,
        Effect.tap((exit) =>
          Exit.isFailure(exit) || (exit.value.began && hasFailed(exit.value.came))
            ? Deferred.succeed(failed, undefined)
            : Effect.void
        )
      )
  })

const hasFailed = ({ status }: Outcome): boolean => status === "FAILED" || status === "UNKNOWN"
