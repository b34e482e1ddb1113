/**
 * What can be known about a transaction that did not end well: about a commit whose answer is missing, above all.
 */
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import { canonical } from "../../base/json.js"
import { TransactionError } from "../../vocabulary/BatchError.js"
import type { StepExecution } from "../../vocabulary/StepExecution.js"

/** The answer to the commit was lost, or an interruption came while it was on its way. */
export const mayHaveCommitted = (cause: Cause.Cause<unknown>): boolean =>
  Cause.isInterruptedOnly(cause) || Option.exists(Cause.failureOption(cause), isCommitError)

const isCommitError = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "TransactionError" &&
  "phase" in error && error.phase === "commit"

/** No connection came free, which nothing was done on. */
export const couldNotBegin = (error: unknown): boolean =>
  error instanceof TransactionError
    ? error.phase === "begin" && error.reason === "fatal"
    : error instanceof Error && error.cause !== undefined && couldNotBegin(error.cause)

/** Only this process writes the row, so commits that it does not know of are its own. */
export const hasAdvanced = (known: StepExecution, stored: StepExecution): boolean =>
  stored.counts.commit > known.counts.commit

/** Whether the stored row shows that a commit has made of the row from before what it attempted, or was followed. */
export const hasHappened = (before: StepExecution, attempted: StepExecution, stored: StepExecution): boolean =>
  fingerprint(stored) === fingerprint(attempted) || hasAdvanced(before, stored)

/** Whether the row is what was to be stored: only the answer was lost, the last time. */
export const isStored = (attempted: StepExecution, stored: StepExecution): boolean =>
  stored.status === attempted.status && fingerprint(stored) === fingerprint(attempted)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const fingerprint = (step: StepExecution): string =>
  canonical([{ ...step.counts }, Option.getOrNull(step.checkpoint), step.context.entries])
