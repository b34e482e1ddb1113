/**
 * What a cluster does about one job instance that it was asked to run, as a pure decision: everything follows from the
 * executions of that instance, so whoever asks, as often as they like and wherever, comes to the same answer.
 *
 * Laws, tested by properties: an execution that lives, or has completed, is never followed by another one; a failure of the job
 * itself is final; no more than `restarts` executions are launched in place of those that lost their process.
 */
import * as BatchStatus from "../vocabulary/BatchStatus.js"

/** - `isExpired`: it is running as far as anybody wrote down, but its process is gone. */
export interface Attempt {
  readonly id: number
  readonly status: BatchStatus.BatchStatus
  readonly exitCode: string
  readonly isExpired: boolean
}

/**
 * - `after`: the last execution that had ended when it was asked for. What happened until then does not count.
 * - `restarts`: how many times a job may be launched again because its process died.
 */
export interface Request {
  readonly after: number
  readonly restarts: number
}

/**
 * - `Launch`: `deaths` is how many processes it has lost.
 * - `Recover`: write down that this execution lost its process, and decide again.
 * - `Wait`: somebody is at it.
 * - `End`: this execution is the answer. `gaveUp`: because it lost its process once too often.
 */
export type Action =
  | { readonly _tag: "Launch"; readonly deaths: number }
  | { readonly _tag: "Recover"; readonly id: number }
  | { readonly _tag: "Wait" }
  | { readonly _tag: "End"; readonly id: number; readonly gaveUp: boolean }

/** @param attempts The executions of the instance, newest first. */
export const decide = (attempts: ReadonlyArray<Attempt>, { after, restarts }: Request): Action => {
  const [newest] = attempts
  if (newest === undefined) {
    return { _tag: "Launch", deaths: 0 }
  }
  const { exitCode, id, isExpired, status } = newest
  if (BatchStatus.isRunning(status)) {
    return isExpired ? { _tag: "Recover", id } : { _tag: "Wait" }
  }
  if (status === "COMPLETED" || status === "ABANDONED") {
    return { _tag: "End", id, gaveUp: false }
  }
  if (id <= after) {
    return { _tag: "Launch", deaths: 0 }
  }
  const deaths = attempts.filter((attempt) => attempt.id > after && hasDied(attempt)).length
  if (hasDied(newest)) {
    return deaths <= restarts ? { _tag: "Launch", deaths } : { _tag: "End", id, gaveUp: true }
  }
  return status === "STOPPED" && exitCode === "OWNER_LEFT"
    ? { _tag: "Launch", deaths }
    : { _tag: "End", id, gaveUp: false }
}

const hasDied = ({ exitCode, status }: Attempt): boolean => status === "FAILED" && exitCode === "OWNER_DIED"
