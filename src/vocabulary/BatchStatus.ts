/**
 * The lifecycle status of a job or step execution, and the algebra that
 * combines the statuses of many executions into one.
 *
 * A status says how far an execution got; what it *means* for the flow that
 * follows is the exit status (see `ExitStatus`).
 *
 * @since 0.1.0
 */
import { dual } from "effect/Function"
import * as Order_ from "effect/Order"
import * as Schema from "effect/Schema"
import * as Monoid from "../base/monoid.js"

/**
 * The statuses in ascending order of severity.
 *
 * @see ENUM-1
 * @since 0.1.0
 * @category schemas
 */
export const BatchStatus: Schema.Literal<
  ["COMPLETED", "STARTING", "STARTED", "STOPPING", "STOPPED", "FAILED", "ABANDONED", "UNKNOWN"]
> = Schema.Literal(
  "COMPLETED",
  "STARTING",
  "STARTED",
  "STOPPING",
  "STOPPED",
  "FAILED",
  "ABANDONED",
  "UNKNOWN"
)

/**
 * @since 0.1.0
 * @category models
 */
export type BatchStatus = typeof BatchStatus.Type

/**
 * Orders statuses by severity, least severe (`COMPLETED`) first.
 *
 * @see ENUM-1
 * @since 0.1.0
 * @category instances
 */
export const Order: Order_.Order<BatchStatus> = Order_.mapInput(
  Order_.number,
  (status: BatchStatus) => BatchStatus.literals.indexOf(status)
)

/**
 * The more severe of two statuses.
 *
 * @example
 * ```ts
 * import { BatchStatus } from "effect-batch"
 *
 * assert.strictEqual(BatchStatus.max("STOPPED", "FAILED"), "FAILED")
 * ```
 *
 * @see ENUM-4
 * @since 0.1.0
 * @category combinators
 */
export const max: {
  (that: BatchStatus): (self: BatchStatus) => BatchStatus
  (self: BatchStatus, that: BatchStatus): BatchStatus
} = dual(2, Order_.max(Order))

/**
 * Combines the statuses of many executions: the result is the most severe one,
 * so it is `COMPLETED` only if all of them are.
 *
 * @example
 * ```ts
 * import { BatchStatus } from "effect-batch"
 *
 * assert.strictEqual(BatchStatus.combineAll(["COMPLETED", "FAILED"]), "FAILED")
 * assert.strictEqual(BatchStatus.combineAll([]), "COMPLETED")
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const combineAll: (statuses: Iterable<BatchStatus>) => BatchStatus = Monoid.combineAll(
  Order_.max(Order),
  "COMPLETED"
)

/**
 * Moves a status on to another one: while neither is beyond `STARTED`, `COMPLETED` wins; from then on only a more
 * severe status changes anything, so a failed execution cannot be completed by a late success.
 *
 * @example
 * ```ts
 * import { BatchStatus } from "effect-batch"
 *
 * assert.strictEqual(BatchStatus.upgradeTo("STARTED", "COMPLETED"), "COMPLETED")
 * assert.strictEqual(BatchStatus.upgradeTo("FAILED", "COMPLETED"), "FAILED")
 * ```
 *
 * @see ENUM-5
 * @since 0.1.0
 * @category combinators
 */
export const upgradeTo: {
  (that: BatchStatus): (self: BatchStatus) => BatchStatus
  (self: BatchStatus, that: BatchStatus): BatchStatus
} = dual(2, (self: BatchStatus, that: BatchStatus): BatchStatus => {
  const later = max(self, that)
  return isBeyondStarted(later) || (self !== "COMPLETED" && that !== "COMPLETED") ? later : "COMPLETED"
})

/**
 * The first status whose name is a prefix of the text, or `COMPLETED`. Reads a status off an exit code such as
 * `"FAILED - disk full"`.
 *
 * @example
 * ```ts
 * import { BatchStatus } from "effect-batch"
 *
 * assert.strictEqual(BatchStatus.match("FAILED - disk full"), "FAILED")
 * assert.strictEqual(BatchStatus.match("LATE"), "COMPLETED")
 * ```
 *
 * @see ENUM-6
 * @since 0.1.0
 * @category constructors
 */
export const match = (text: string): BatchStatus =>
  BatchStatus.literals.find((status) => text.startsWith(status)) ?? "COMPLETED"

/**
 * Whether work is still in progress.
 *
 * @see ENUM-2
 * @since 0.1.0
 * @category predicates
 */
export const isRunning = (self: BatchStatus): boolean =>
  self === "STARTING" || self === "STARTED" || self === "STOPPING"

/**
 * Whether the execution is over, well or badly: nothing moves it on any more
 * but an operator.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isTerminal = (self: BatchStatus): boolean => !isRunning(self)

/**
 * Whether the execution ended badly. `STOPPED` is not bad: somebody asked for it.
 *
 * @see ENUM-3
 * @since 0.1.0
 * @category predicates
 */
export const isUnsuccessful = (self: BatchStatus): boolean =>
  self === "FAILED" || self === "ABANDONED" || self === "UNKNOWN"

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const isBeyondStarted = (self: BatchStatus): boolean => Order(self, "STARTED") > 0
