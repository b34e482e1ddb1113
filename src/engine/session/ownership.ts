/**
 * As whom, and for how long, executions are claimed.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Owner from "./owner.js"

/** See `JobOperator.Ownership`. */
export class Ownership extends Context.Reference<Ownership>()("effect-batch/JobOperator/Ownership", {
  defaultValue: (): {
    readonly lease: Duration.DurationInput
    readonly owner: string
    readonly isOwnerGone: (owner: string) => boolean
  } => ({ lease: "30 seconds", owner: Owner.thisProcess, isOwnerGone: Owner.isGone })
}) {}
