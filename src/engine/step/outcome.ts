/**
 * How a step ended, decided from how its body ended (STEP-5, STEP-9 to STEP-12). Pure.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as BatchStatus from "../../vocabulary/BatchStatus.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import { describe } from "../../vocabulary/failure.js"

export interface Ending {
  readonly status: BatchStatus.BatchStatus
  readonly exitStatus: ExitStatus.ExitStatus
}

/**
 * - `stopping`: a stop was requested, by an operator or by the step itself.
 * - `status`, `exitStatus`: what code inside the step made of them.
 * - `completedCode`: the exit code of a step that completes without another one.
 */
export const endingOf = (
  exit: Exit.Exit<unknown, unknown>,
  step: {
    readonly stopping: boolean
    readonly status: BatchStatus.BatchStatus
    readonly exitStatus: ExitStatus.ExitStatus
  },
  completedCode: () => string
): Ending => {
  if (Exit.isFailure(exit)) {
    return Cause.isInterruptedOnly(exit.cause)
      ? raise(step, "STOPPED", ExitStatus.addDescription(ExitStatus.STOPPED, "interrupted"))
      : raise(step, "FAILED", ExitStatus.addDescription(ExitStatus.FAILED, describe(exit.cause)))
  }
  if (step.stopping) {
    return raise(step, "STOPPED", ExitStatus.addDescription(ExitStatus.STOPPED, "stopped on request"))
  }
  const exitStatus = ExitStatus.and(ExitStatus.COMPLETED, step.exitStatus)
  return {
    status: BatchStatus.upgradeTo(step.status, "COMPLETED"),
    exitStatus: exitStatus.code === "COMPLETED"
      ? ExitStatus.and(exitStatus, ExitStatus.make(completedCode()))
      : exitStatus
  }
}

const raise = (
  step: { readonly status: BatchStatus.BatchStatus; readonly exitStatus: ExitStatus.ExitStatus },
  status: BatchStatus.BatchStatus,
  exitStatus: ExitStatus.ExitStatus
): Ending => ({
  status: BatchStatus.upgradeTo(step.status, status),
  exitStatus: ExitStatus.and(ExitStatus.and(ExitStatus.COMPLETED, step.exitStatus), exitStatus)
})
