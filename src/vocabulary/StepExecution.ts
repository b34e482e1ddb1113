/**
 * One attempt to run a step within a job execution: how far it got, what it
 * counted, and the checkpoint from which a restart continues.
 *
 * A plain record: the engine writes it, everything else reads it. `counts` holds what was counted; `Counts.skips` adds
 * the skips of all phases up.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
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
  /** Where in the job the step stands: its name, with a number from the second place on. */
  readonly place: string
  /** Which visit of that place it is, from `"1"` on; `"2.3"` is the third one in the second round of the flow around. */
  readonly round: string
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
  /**
   * What is known of the failure, for people who look closer: one error a line, what caused it below and indented. Bounded,
   * without secrets. Left out where nothing failed, and in rows that older versions wrote.
   */
  readonly causes?: ReadonlyArray<string> | undefined
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
  readonly place: string
  readonly round: string
  readonly status: BatchStatus.BatchStatus
  readonly exitStatus: { readonly code: string; readonly messages: ReadonlyArray<string> }
  readonly counts: Counts
  readonly createTime: string
  readonly startTime: string | null
  readonly endTime: string | null
  readonly lastUpdated: string
  readonly context: Readonly<Record<string, ExecutionContext.Json>>
  readonly checkpoint?: ExecutionContext.Json
  readonly causes?: ReadonlyArray<string> | undefined
}

/**
 * The record of a step execution.
 *
 * @see EXEC-5
 * @since 0.1.0
 * @category schemas
 */
export const StepExecution: Schema.Schema<StepExecution, Encoded> = Schema.Struct({
  id: Schema.Int,
  jobExecutionId: Schema.Int,
  stepName: Schema.String,
  place: Schema.String,
  round: Schema.String,
  status: BatchStatus.BatchStatus,
  exitStatus: ExitStatus.ExitStatus,
  counts: Counts_.Counts,
  createTime: Schema.DateTimeUtc,
  startTime: Schema.OptionFromNullOr(Schema.DateTimeUtc),
  endTime: Schema.OptionFromNullOr(Schema.DateTimeUtc),
  lastUpdated: Schema.DateTimeUtc,
  context: ExecutionContext.ExecutionContext,
  checkpoint: Schema.optionalWith(Json.Json, { as: "Option", exact: true }),
  causes: Schema.optional(Schema.Array(Schema.String))
})

/**
 * A new step execution: `STARTING`, exit status `EXECUTING`, nothing counted. By default with an empty context and no
 * checkpoint; a resumed step is given those of its last execution.
 *
 * @see EXEC-5, HAND-9
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly id: number
  readonly jobExecutionId: number
  readonly stepName: string
  readonly place?: string | undefined
  readonly round?: string | undefined
  readonly createTime: DateTime.Utc
  readonly context?: ExecutionContext.ExecutionContext | undefined
  readonly checkpoint?: Option.Option<ExecutionContext.Json> | undefined
}): StepExecution => ({
  id: options.id,
  jobExecutionId: options.jobExecutionId,
  stepName: options.stepName,
  place: options.place ?? options.stepName,
  round: options.round ?? "1",
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
 * Oldest first: by create time, then by id, so that the greatest is the last execution.
 *
 * @see EXEC-9
 * @since 0.1.0
 * @category instances
 */
export const Order: Order_.Order<StepExecution> = Order_.combine(
  Order_.mapInput(DateTime.Order, (self: StepExecution) => self.createTime),
  Order_.mapInput(Order_.number, (self: StepExecution) => self.id)
)
