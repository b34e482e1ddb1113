/**
 * Runs the branches of a split and aggregates how they ended (FLOW-60 to FLOW-67).
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Race from "../../base/race.js"
import type { SplitSettings } from "../../definition/tree.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import type { Outcome } from "./runner.js"

type Branch = Effect.Effect<Outcome, any, any>

/** Ends when every branch has ended. Fails with the failure of the first branch that has one, in their order (FLOW-61). */
export const runBranches = (branches: ReadonlyArray<Branch>, settings: SplitSettings): Branch =>
  Effect.gen(function*() {
    const failed = yield* Deferred.make<void>()
    const exits = yield* Effect.forEach(
      branches,
      (branch) => settings.onBranchFailure === "wait" ? Effect.exit(branch) : untilFailure(branch, failed),
      { concurrency: settings.concurrency }
    )
    const failure = exits.find(Exit.isFailure)
    return failure === undefined
      ? aggregate(exits.flatMap((exit) => Exit.isSuccess(exit) ? [exit.value] : []))
      : yield* failure
  })

/** The worst status: UNKNOWN before FAILED before STOPPED before COMPLETED (FLOW-62). */
export const aggregate = (outcomes: ReadonlyArray<Outcome>): Outcome => {
  const status = ORDER.find((worst) => outcomes.some((outcome) => outcome.status === worst)) ?? "COMPLETED"
  const deciding = outcomes.filter((outcome) => outcome.status === status)
  const causes = deciding.flatMap(({ cause }) => Option.isSome(cause) ? [cause.value] : [])
  const [first, ...others] = causes
  return {
    status,
    exitStatus: ExitStatus.make(
      status,
      ...(status === "COMPLETED" ? [] : deciding.flatMap(({ exitStatus }) => exitStatus.messages))
    ),
    cause: first === undefined
      ? Option.none()
      : Option.some(others.reduce((all, cause) => Cause.parallel(all, cause), first))
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const ORDER = ["UNKNOWN", "FAILED", "STOPPED"] as const

/** Runs the branch unless, and until, another one has failed; then its running steps end as STOPPED. */
const untilFailure = (
  branch: Branch,
  failed: Deferred.Deferred<void>
): Effect.Effect<Exit.Exit<Outcome, any>, never, any> =>
  Effect.if(Deferred.isDone(failed), {
    onTrue: () => Effect.succeed(Exit.succeed(interrupted)),
    onFalse: () =>
      Race.until(branch, Effect.as(Deferred.await(failed), interrupted)).pipe(
        Effect.exit,
        Effect.tap((exit) =>
          Exit.isFailure(exit) || exit.value.status === "FAILED" || exit.value.status === "UNKNOWN"
            ? Deferred.succeed(failed, undefined)
            : Effect.void
        )
      )
  })

const interrupted: Outcome = {
  status: "STOPPED",
  exitStatus: ExitStatus.addDescription(ExitStatus.STOPPED, "stopped because another branch failed"),
  cause: Option.none()
}
