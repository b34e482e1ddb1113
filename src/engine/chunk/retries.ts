/**
 * How often one operation was tried again: one read, the processing of one item, one write.
 */
import type { RetryRun } from "../../decisions/RetryPolicy.js"
import type { UserServices } from "../step/engine.js"

export interface Retries {
  /** What the policy remembers of the operation; it is asked from the first failure on. */
  readonly run: RetryRun<unknown, UserServices> | undefined
  readonly count: number
}

export const noRetries: Retries = { run: undefined, count: 0 }
