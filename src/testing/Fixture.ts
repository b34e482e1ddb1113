/**
 * Ready records for tests of code that is given an execution, such as a listener, a decider or a report: with fixed ids
 * and times, complete, and with whatever you want to be different.
 *
 * @see TEST-3
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as JobExecution from "../vocabulary/JobExecution.js"
import type { JobInstance } from "../vocabulary/JobInstance.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import * as StepExecution from "../vocabulary/StepExecution.js"

/**
 * When everything in these records was created: the first moment of the year 2020, in UTC.
 *
 * @since 0.1.0
 * @category constructors
 */
export const createTime: DateTime.Utc = DateTime.unsafeMake("2020-01-01T00:00:00Z")

/**
 * The job instance 12 of the job `job`, without parameters.
 *
 * @see TEST-3
 * @since 0.1.0
 * @category constructors
 */
export const jobInstance = (overrides: Partial<JobInstance> = {}): JobInstance => ({
  id: 12,
  jobName: "job",
  jobKey: JobParameters.jobKey([]),
  createTime,
  ...overrides
})

/**
 * The job execution 123 of {@link jobInstance}, which has just been launched: STARTING, with nothing in its context.
 * With `parameters`, its instance is the one of these parameters, unless an `instance` is given too.
 *
 * @example
 * ```ts
 * import { Fixture } from "effect-batch/testing"
 *
 * const failed = Fixture.jobExecution({ status: "FAILED" })
 * assert.deepStrictEqual([failed.id, failed.instance.id, failed.status], [123, 12, "FAILED"])
 * ```
 *
 * @see TEST-3
 * @since 0.1.0
 * @category constructors
 */
export const jobExecution = (
  overrides: Partial<JobExecution.JobExecution> = {}
): JobExecution.JobExecution => ({
  ...JobExecution.make({
    id: 123,
    instance: jobInstance({ jobKey: JobParameters.jobKey(overrides.parameters ?? []) }),
    createTime
  }),
  ...overrides
})

/**
 * The step execution 1234 of the step `step` in {@link jobExecution}, which has just been created: STARTING, with
 * nothing counted, nothing in its context, and no checkpoint.
 *
 * @example
 * ```ts
 * import { Counts } from "effect-batch"
 * import { Fixture } from "effect-batch/testing"
 *
 * const step = Fixture.stepExecution({ stepName: "load", counts: Counts.make({ read: 3, write: 2, filter: 1 }) })
 * assert.deepStrictEqual([step.id, step.jobExecutionId, step.counts.read], [1234, 123, 3])
 * ```
 *
 * @see TEST-3
 * @since 0.1.0
 * @category constructors
 */
export const stepExecution = (
  overrides: Partial<StepExecution.StepExecution> = {}
): StepExecution.StepExecution => ({
  ...StepExecution.make({ id: 1234, jobExecutionId: 123, stepName: "step", createTime }),
  ...overrides
})
