/**
 * A step that is at work in two places: a chunk is written while the next one is read and processed. Each place counts
 * and changes contexts for itself, until the chunk has ended and they become one again.
 */
import * as BatchStatus from "../../vocabulary/BatchStatus.js"
import * as Counts from "../../vocabulary/Counts.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import type { StepState } from "./state.js"

/** What is written beside the step, and what the step was when the ways parted. */
export interface Branch {
  readonly state: StepState
  readonly parted: Pick<StepState, "context" | "exitStatus">
}

/** Takes along everything that was counted and changed so far. */
export const branch = (state: StepState): Branch => {
  const own = { ...state }
  state.pending = Counts.empty
  state.held = Counts.empty
  state.jobChanges = []
  return { state: own, parted: { context: own.context, exitStatus: own.exitStatus } }
}

/** The chunk is durable: what was counted and changed beside it follows it. */
export const rejoin = (state: StepState, { parted, state: own }: Branch): void => {
  state.context = ExecutionContext.rebase(parted.context, state.context, own.context)
  state.step = own.step
  state.pending = Counts.add(own.pending, state.pending)
  state.held = Counts.add(own.held, state.held)
  state.jobChanges = [...own.jobChanges, ...state.jobChanges]
  state.exitStatus = own.exitStatus === parted.exitStatus
    ? state.exitStatus
    : state.exitStatus === parted.exitStatus
    ? own.exitStatus
    : ExitStatus.and(own.exitStatus, state.exitStatus)
  state.status = BatchStatus.upgradeTo(state.status, own.status)
  state.terminateOnly = state.terminateOnly || own.terminateOnly
}

/** The chunk failed: in a step that does one thing after the other, nothing would have happened beside it. */
export const fallBack = (state: StepState, { state: own }: Branch): void => {
  Object.assign(state, own)
}
