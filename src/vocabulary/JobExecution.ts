/**
 * One attempt to run a job instance: its parameters, how far it got, and who
 * works on it.
 *
 * A plain record: the engine writes it, everything else reads it.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Order_ from "effect/Order"
import * as Schema from "effect/Schema"
import * as BatchStatus from "./BatchStatus.js"
import * as ExecutionContext from "./ExecutionContext.js"
import * as ExitStatus from "./ExitStatus.js"
import * as JobInstance from "./JobInstance.js"
import * as JobParameters from "./JobParameters.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface JobExecution {
  readonly id: number
  readonly instance: JobInstance.JobInstance
  /**
   * All parameters of this execution, non-identifying ones included.
   *
   * @see JOB-7
   */
  readonly parameters: ReadonlyArray<JobParameters.JobParameter>
  readonly status: BatchStatus.BatchStatus
  readonly exitStatus: ExitStatus.ExitStatus
  readonly createTime: DateTime.Utc
  readonly startTime: Option.Option<DateTime.Utc>
  readonly endTime: Option.Option<DateTime.Utc>
  readonly lastUpdated: DateTime.Utc
  readonly context: ExecutionContext.ExecutionContext
  /** The process that works, or worked, on it; for people. */
  readonly owner: Option.Option<string>
  /** Fencing token: goes up with every change of owner. */
  readonly epoch: number
  /**
   * The secret of the claim. Only the process that claimed the execution has it: it is neither read back nor encoded.
   *
   * @see OWN-16
   */
  readonly token?: string | undefined
  /** The execution that this one restarts. */
  readonly restartOf: Option.Option<number>
  /** The execution that launched this one as a part of itself: a step that runs a job, or a partition. */
  readonly parent?: { readonly executionId: number; readonly instanceId: number } | undefined
  /**
   * What is known of the failure, for people who look closer: one error a line, what caused it below and indented. Bounded,
   * without secrets. Left out where nothing failed, and in rows that older versions wrote.
   */
  readonly causes?: ReadonlyArray<string> | undefined
}

/**
 * The persisted form of a `JobExecution`: times as ISO 8601 text, what is absent
 * as `null`, the context as a JSON object.
 *
 * @since 0.1.0
 * @category models
 */
export interface Encoded {
  readonly id: number
  readonly instance: JobInstance.Encoded
  readonly parameters: ReadonlyArray<JobParameters.JobParameter>
  readonly status: BatchStatus.BatchStatus
  readonly exitStatus: { readonly code: string; readonly messages: ReadonlyArray<string> }
  readonly createTime: string
  readonly startTime: string | null
  readonly endTime: string | null
  readonly lastUpdated: string
  readonly context: Readonly<Record<string, ExecutionContext.Json>>
  readonly owner: string | null
  readonly epoch: number
  readonly restartOf: number | null
  readonly parent?: { readonly executionId: number; readonly instanceId: number } | undefined
  readonly causes?: ReadonlyArray<string> | undefined
}

/**
 * The record of a job execution.
 *
 * @see EXEC-2
 * @since 0.1.0
 * @category schemas
 */
export const JobExecution: Schema.Schema<JobExecution, Encoded> = Schema.Struct({
  id: Schema.Int,
  instance: JobInstance.JobInstance,
  parameters: Schema.Array(JobParameters.JobParameter),
  status: BatchStatus.BatchStatus,
  exitStatus: ExitStatus.ExitStatus,
  createTime: Schema.DateTimeUtc,
  startTime: Schema.OptionFromNullOr(Schema.DateTimeUtc),
  endTime: Schema.OptionFromNullOr(Schema.DateTimeUtc),
  lastUpdated: Schema.DateTimeUtc,
  context: ExecutionContext.ExecutionContext,
  owner: Schema.OptionFromNullOr(Schema.String),
  epoch: Schema.Int,
  restartOf: Schema.OptionFromNullOr(Schema.Int),
  parent: Schema.optional(Schema.Struct({ executionId: Schema.Int, instanceId: Schema.Int })),
  causes: Schema.optional(Schema.Array(Schema.String))
})

/**
 * A new execution: `STARTING`, exit status `UNKNOWN`, not started. By default without parameters, context and owner,
 * epoch 0.
 *
 * @see EXEC-2, LAUNCH-10
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly id: number
  readonly instance: JobInstance.JobInstance
  readonly createTime: DateTime.Utc
  readonly parameters?: ReadonlyArray<JobParameters.JobParameter> | undefined
  readonly context?: ExecutionContext.ExecutionContext | undefined
  readonly owner?: string | undefined
  readonly epoch?: number | undefined
  readonly restartOf?: number | undefined
}): JobExecution => ({
  id: options.id,
  instance: options.instance,
  parameters: options.parameters ?? [],
  status: "STARTING",
  exitStatus: ExitStatus.UNKNOWN,
  createTime: options.createTime,
  startTime: Option.none(),
  endTime: Option.none(),
  lastUpdated: options.createTime,
  context: options.context ?? ExecutionContext.empty,
  owner: Option.fromNullable(options.owner),
  epoch: options.epoch ?? 0,
  restartOf: Option.fromNullable(options.restartOf)
})

/**
 * Whether the execution is in progress.
 *
 * @see EXEC-4
 * @since 0.1.0
 * @category predicates
 */
export const isRunning = (self: JobExecution): boolean => BatchStatus.isRunning(self.status)

/**
 * The time from start to end, if both are known.
 *
 * @since 0.1.0
 * @category utils
 */
export const duration = (self: JobExecution): Option.Option<Duration.Duration> =>
  Option.zipWith(self.startTime, self.endTime, DateTime.distanceDuration)

/**
 * Oldest first: by create time, then by id, so that the greatest is the last execution.
 *
 * @see EXEC-9
 * @since 0.1.0
 * @category instances
 */
export const Order: Order_.Order<JobExecution> = Order_.combine(
  Order_.mapInput(DateTime.Order, (self: JobExecution) => self.createTime),
  Order_.mapInput(Order_.number, (self: JobExecution) => self.id)
)
