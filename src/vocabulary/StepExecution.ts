/**
 * One attempt to run a step within a job execution: how far it got, what it
 * counted, and the checkpoint from which a restart goes on.
 *
 * A plain record with pure updates; saving it is the repository's business.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import * as Order_ from "effect/Order"
import * as Schema from "effect/Schema"
import * as Json from "../base/json.js"
import * as BatchStatus from "./BatchStatus.js"
import * as Counts_ from "./Counts.js"
import * as ExecutionContext from "./ExecutionContext.js"
import * as ExitStatus from "./ExitStatus.js"

/**
 * What a step counts; `Counts` is the module that adds them up.
 *
 * @since 0.1.0
 * @category models
 */
export type Counts = Counts_.Counts

/**
 * @since 0.1.0
 * @category models
 */
export interface StepExecution {
  readonly id: number
  readonly jobExecutionId: number
  readonly stepName: string
  readonly status: BatchStatus.BatchStatus
  readonly exitStatus: ExitStatus.ExitStatus
  readonly counts: Counts
  readonly createTime: DateTime.Utc
  readonly startTime: Option.Option<DateTime.Utc>
  readonly endTime: Option.Option<DateTime.Utc>
  readonly lastUpdated: DateTime.Utc
  readonly context: ExecutionContext.ExecutionContext
  /** The reader's position after the last committed chunk. */
  readonly checkpoint: Option.Option<ExecutionContext.Json>
}

/**
 * The persisted form of a `StepExecution`: times as ISO 8601 text, absent times
 * as `null`, the context as a JSON object. The checkpoint is left out when there
 * is none, because `null` is a position, too.
 *
 * @since 0.1.0
 * @category models
 */
export interface Encoded {
  readonly id: number
  readonly jobExecutionId: number
  readonly stepName: string
  readonly status: BatchStatus.BatchStatus
  readonly exitStatus: { readonly code: string; readonly messages: ReadonlyArray<string> }
  readonly counts: Counts
  readonly createTime: string
  readonly startTime: string | null
  readonly endTime: string | null
  readonly lastUpdated: string
  readonly context: Readonly<Record<string, ExecutionContext.Json>>
  readonly checkpoint?: ExecutionContext.Json
}

/**
 * The record of a step execution (EXEC-5).
 *
 * @since 0.1.0
 * @category schemas
 */
export const StepExecution: Schema.Schema<StepExecution, Encoded> = Schema.Struct({
  id: Schema.Int,
  jobExecutionId: Schema.Int,
  stepName: Schema.String,
  status: BatchStatus.BatchStatus,
  exitStatus: ExitStatus.ExitStatus,
  counts: Counts_.Counts,
  createTime: Schema.DateTimeUtc,
  startTime: Schema.OptionFromNullOr(Schema.DateTimeUtc),
  endTime: Schema.OptionFromNullOr(Schema.DateTimeUtc),
  lastUpdated: Schema.DateTimeUtc,
  context: ExecutionContext.ExecutionContext,
  checkpoint: Schema.optionalWith(Json.Json, { as: "Option", exact: true })
})

/**
 * A new step execution: `STARTING`, exit status `EXECUTING`, nothing counted
 * (EXEC-5). By default with an empty context and no checkpoint; a resumed step
 * is given those of its last execution (HAND-9).
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly id: number
  readonly jobExecutionId: number
  readonly stepName: string
  readonly createTime: DateTime.Utc
  readonly context?: ExecutionContext.ExecutionContext | undefined
  readonly checkpoint?: Option.Option<ExecutionContext.Json> | undefined
}): StepExecution => ({
  id: options.id,
  jobExecutionId: options.jobExecutionId,
  stepName: options.stepName,
  status: "STARTING",
  exitStatus: ExitStatus.EXECUTING,
  counts: Counts_.empty,
  createTime: options.createTime,
  startTime: Option.none(),
  endTime: Option.none(),
  lastUpdated: options.createTime,
  context: options.context ?? ExecutionContext.empty,
  checkpoint: options.checkpoint ?? Option.none()
})

/**
 * The execution from the moment its work begins.
 *
 * @since 0.1.0
 * @category combinators
 */
export const start: {
  (at: DateTime.Utc): (self: StepExecution) => StepExecution
  (self: StepExecution, at: DateTime.Utc): StepExecution
} = dual(2, (self: StepExecution, at: DateTime.Utc): StepExecution => ({
  ...self,
  status: self.status === "STARTING" ? "STARTED" : self.status,
  startTime: Option.some(at),
  lastUpdated: at
}))

/**
 * The execution from the moment its work is over. Says nothing about how it
 * ended.
 *
 * @since 0.1.0
 * @category combinators
 */
export const end: {
  (at: DateTime.Utc): (self: StepExecution) => StepExecution
  (self: StepExecution, at: DateTime.Utc): StepExecution
} = dual(2, (self: StepExecution, at: DateTime.Utc): StepExecution => ({
  ...self,
  endTime: Option.some(at),
  lastUpdated: at
}))

/**
 * Overwrites the status (ENUM-7).
 *
 * @since 0.1.0
 * @category combinators
 */
export const setStatus: {
  (status: BatchStatus.BatchStatus): (self: StepExecution) => StepExecution
  (self: StepExecution, status: BatchStatus.BatchStatus): StepExecution
} = dual(2, (self: StepExecution, status: BatchStatus.BatchStatus): StepExecution => ({ ...self, status }))

/**
 * Moves the status on by `BatchStatus.upgradeTo` (ENUM-7).
 *
 * @since 0.1.0
 * @category combinators
 */
export const upgradeStatus: {
  (status: BatchStatus.BatchStatus): (self: StepExecution) => StepExecution
  (self: StepExecution, status: BatchStatus.BatchStatus): StepExecution
} = dual(
  2,
  (self: StepExecution, status: BatchStatus.BatchStatus): StepExecution =>
    setStatus(self, BatchStatus.upgradeTo(self.status, status))
)

/**
 * Overwrites the exit status.
 *
 * @since 0.1.0
 * @category combinators
 */
export const setExitStatus: {
  (exitStatus: ExitStatus.ExitStatus): (self: StepExecution) => StepExecution
  (self: StepExecution, exitStatus: ExitStatus.ExitStatus): StepExecution
} = dual(2, (self: StepExecution, exitStatus: ExitStatus.ExitStatus): StepExecution => ({ ...self, exitStatus }))

/**
 * Combines the exit status with another one by `ExitStatus.and` (EXEC-8).
 *
 * @since 0.1.0
 * @category combinators
 */
export const addExitStatus: {
  (exitStatus: ExitStatus.ExitStatus): (self: StepExecution) => StepExecution
  (self: StepExecution, exitStatus: ExitStatus.ExitStatus): StepExecution
} = dual(
  2,
  (self: StepExecution, exitStatus: ExitStatus.ExitStatus): StepExecution =>
    setExitStatus(self, ExitStatus.and(self.exitStatus, exitStatus))
)

/**
 * Overwrites the execution context.
 *
 * @since 0.1.0
 * @category combinators
 */
export const setContext: {
  (context: ExecutionContext.ExecutionContext): (self: StepExecution) => StepExecution
  (self: StepExecution, context: ExecutionContext.ExecutionContext): StepExecution
} = dual(2, (self: StepExecution, context: ExecutionContext.ExecutionContext): StepExecution => ({ ...self, context }))

/**
 * Overwrites the checkpoint.
 *
 * @since 0.1.0
 * @category combinators
 */
export const setCheckpoint: {
  (checkpoint: ExecutionContext.Json): (self: StepExecution) => StepExecution
  (self: StepExecution, checkpoint: ExecutionContext.Json): StepExecution
} = dual(2, (self: StepExecution, checkpoint: ExecutionContext.Json): StepExecution => ({
  ...self,
  checkpoint: Option.some(checkpoint)
}))

/**
 * Adds what a chunk counted (EXEC-8).
 *
 * @since 0.1.0
 * @category combinators
 */
export const addCounts: {
  (counts: Counts): (self: StepExecution) => StepExecution
  (self: StepExecution, counts: Counts): StepExecution
} = dual(2, (self: StepExecution, counts: Counts): StepExecution => ({
  ...self,
  counts: Counts_.add(self.counts, counts)
}))

/**
 * Number of items read.
 *
 * @since 0.1.0
 * @category utils
 */
export const readCount = (self: StepExecution): number => self.counts.read

/**
 * Number of items written.
 *
 * @since 0.1.0
 * @category utils
 */
export const writeCount = (self: StepExecution): number => self.counts.write

/**
 * Number of items that the processor filtered out.
 *
 * @since 0.1.0
 * @category utils
 */
export const filterCount = (self: StepExecution): number => self.counts.filter

/**
 * Number of items skipped while reading.
 *
 * @since 0.1.0
 * @category utils
 */
export const readSkipCount = (self: StepExecution): number => self.counts.readSkip

/**
 * Number of items skipped while processing.
 *
 * @since 0.1.0
 * @category utils
 */
export const processSkipCount = (self: StepExecution): number => self.counts.processSkip

/**
 * Number of items skipped while writing.
 *
 * @since 0.1.0
 * @category utils
 */
export const writeSkipCount = (self: StepExecution): number => self.counts.writeSkip

/**
 * Number of items skipped in any phase (EXEC-6).
 *
 * @since 0.1.0
 * @category utils
 */
export const skipCount = (self: StepExecution): number => Counts_.skips(self.counts)

/**
 * Number of chunks that committed with at least one item (D1).
 *
 * @since 0.1.0
 * @category utils
 */
export const commitCount = (self: StepExecution): number => self.counts.commit

/**
 * Number of transactions rolled back.
 *
 * @since 0.1.0
 * @category utils
 */
export const rollbackCount = (self: StepExecution): number => self.counts.rollback

/**
 * Whether the step is in progress.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isRunning = (self: StepExecution): boolean => BatchStatus.isRunning(self.status)

/**
 * The time from start to end, if both are known.
 *
 * @since 0.1.0
 * @category utils
 */
export const duration = (self: StepExecution): Option.Option<Duration.Duration> =>
  Option.zipWith(self.startTime, self.endTime, DateTime.distanceDuration)

/**
 * Oldest first: by create time, then by id, so that the greatest is the last
 * execution (EXEC-9).
 *
 * @since 0.1.0
 * @category instances
 */
export const Order: Order_.Order<StepExecution> = Order_.combine(
  Order_.mapInput(DateTime.Order, (self: StepExecution) => self.createTime),
  Order_.mapInput(Order_.number, (self: StepExecution) => self.id)
)

/**
 * By id, the order in which step executions are listed (EXEC-10).
 *
 * @since 0.1.0
 * @category instances
 */
export const OrderById: Order_.Order<StepExecution> = Order_.mapInput(
  Order_.number,
  (self: StepExecution) => self.id
)
