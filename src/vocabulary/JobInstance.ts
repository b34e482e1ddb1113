/**
 * A job instance: one job for one set of identifying parameters, the thing that gets done once, in as many executions
 * as it takes.
 *
 * @see JOB-1, JOB-6
 * @since 0.1.0
 */
import type * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"

/**
 * @since 0.1.0
 * @category models
 */
export interface JobInstance {
  readonly id: number
  readonly jobName: string
  /** Digest of the identifying parameters, see `JobParameters.jobKey`. */
  readonly jobKey: string
  readonly createTime: DateTime.Utc
}

/**
 * The persisted form of a `JobInstance`: times as ISO 8601 text.
 *
 * @since 0.1.0
 * @category models
 */
export interface Encoded {
  readonly id: number
  readonly jobName: string
  readonly jobKey: string
  readonly createTime: string
}

/**
 * The record of a job instance.
 *
 * @see EXEC-1
 * @since 0.1.0
 * @category schemas
 */
export const JobInstance: Schema.Schema<JobInstance, Encoded> = Schema.Struct({
  id: Schema.Int,
  jobName: Schema.String,
  jobKey: Schema.String,
  createTime: Schema.DateTimeUtc
})
