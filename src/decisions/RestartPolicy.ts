/**
 * Decides, from what earlier executions left behind, whether a job may be
 * launched and what is to be done with each of its steps.
 *
 * Both decisions are pure and total: the repository takes the first one under a
 * lock, the engine takes the second one before each step.
 *
 * @since 0.1.0
 */
import type * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import type { LaunchRefused } from "../vocabulary/BatchError.js"
import {
  JobExecutionAlreadyRunning,
  JobInstanceAlreadyComplete,
  JobRestartRefused,
  StepStartLimitExceeded
} from "../vocabulary/BatchError.js"
import * as BatchStatus from "../vocabulary/BatchStatus.js"
import type { ExitStatus } from "../vocabulary/ExitStatus.js"

/**
 * What is to be done with a step.
 *
 * - `Skip`: not run; the result of `last` stands.
 * - `Start`: run from the beginning, with an empty context.
 * - `Resume`: run on from the context and checkpoint of `last`.
 * - `Refuse`: the job fails with `error`.
 *
 * @see HAND-5, HAND-9, HAND-10, HAND-4, HAND-6
 * @since 0.1.0
 * @category models
 */
export type StepPlan<Last> =
  | { readonly _tag: "Skip"; readonly last: Last }
  | { readonly _tag: "Start" }
  | { readonly _tag: "Resume"; readonly last: Last }
  | { readonly _tag: "Refuse"; readonly error: JobRestartRefused | StepStartLimitExceeded }

/**
 * What the decision needs to know of the last execution of the step in the whole instance. `startedInThisExecution`: it
 * belongs to the job execution that is running now.
 *
 * @see HAND-2
 * @since 0.1.0
 * @category models
 */
export interface LastStep {
  readonly status: BatchStatus.BatchStatus
  readonly exitStatus: ExitStatus
  readonly startedInThisExecution: boolean
}

/**
 * Decides how a step is treated.
 *
 * - `starts`: number of executions the step has had in the whole instance; skipped ones have none.
 * - `startLimit`: how many it may have; 0 or `Infinity` means any number.
 * - `allowStartIfComplete`: run it even though it completed.
 *
 * A step met again in the same job execution (a loop, a step used twice) is run again from the beginning.
 *
 * @see HAND-6, HAND-8, HAND-3
 * @since 0.1.0
 * @category constructors
 */
export const planStep = <Last extends LastStep>(options: {
  readonly jobName: string
  readonly stepName: string
  readonly last: Option.Option<Last>
  readonly starts: number
  readonly startLimit: number
  readonly allowStartIfComplete: boolean
}): StepPlan<Last> => {
  const last = Option.filter(options.last, (step) => !step.startedInThisExecution)
  if (Option.exists(last, (step) => step.status === "UNKNOWN")) {
    return refuse(stepUnknown(options.jobName, `step "${options.stepName}"`))
  }
  if (Option.isSome(last) && isSettled(last.value.status, options.allowStartIfComplete)) {
    return { _tag: "Skip", last: last.value }
  }
  if (options.startLimit > 0 && options.starts >= options.startLimit) {
    const { startLimit, starts, stepName } = options
    return refuse(new StepStartLimitExceeded({ step: stepName, startLimit, starts }))
  }
  return Option.isSome(last) && last.value.status !== "COMPLETED"
    ? { _tag: "Resume", last: last.value }
    : { _tag: "Start" }
}

/**
 * What is to be done with the request to launch a job.
 *
 * - `FirstRun`: the instance has no execution yet.
 * - `Restart`: run again after execution `of`.
 * - `Takeover`: the same, but an earlier owner is dead.
 * - `Refuse`: do not run.
 *
 * Whatever the plan, the executions in `expired` have a dead owner and are to be
 * marked as failed, together with their running steps.
 *
 * @since 0.1.0
 * @category models
 */
export type LaunchPlan =
  | { readonly _tag: "FirstRun"; readonly expired: readonly [] }
  | { readonly _tag: "Restart"; readonly of: number; readonly expired: readonly [] }
  | { readonly _tag: "Takeover"; readonly of: number; readonly expired: ReadonlyArray<number> }
  | { readonly _tag: "Refuse"; readonly error: LaunchRefused; readonly expired: ReadonlyArray<number> }

/**
 * What the decision needs to know of an earlier execution of the instance.
 *
 * - `leaseExpired`: its owner has given no sign of life for longer than its
 *   lease; counts only while the status is a running one.
 * - `hasUnknownStep`: a step execution has status `UNKNOWN`.
 * - `owner`, `since`, `leaseLeftMillis`: for the error message.
 *
 * Running steps of an execution that is not running are not asked for: steps are
 * always buried together with their job, so they can only be leftovers and do not
 * keep the job from restarting.
 *
 * @since 0.1.0
 * @category models
 */
export interface EarlierExecution {
  readonly id: number
  readonly status: BatchStatus.BatchStatus
  readonly leaseExpired: boolean
  readonly hasUnknownStep: boolean
  readonly owner?: string | undefined
  readonly since?: DateTime.Utc | undefined
  readonly leaseLeftMillis?: number | undefined
}

/**
 * Decides how a request to launch a job is answered.
 *
 * - `executions`: all executions of the instance, newest first.
 * - `parameters`: the parameters as one line, for the error message.
 *
 * A completed or abandoned instance refuses to run again, with or without parameters. The first launch works for a job
 * that is not restartable, too.
 *
 * @see LAUNCH-4, LAUNCH-5, JOB-6
 * @since 0.1.0
 * @category constructors
 */
export const planLaunch = (options: {
  readonly jobName: string
  readonly restartable: boolean
  readonly executions: ReadonlyArray<EarlierExecution>
  readonly parameters: string
}): LaunchPlan => {
  const newest = options.executions[0]
  if (newest === undefined) {
    return { _tag: "FirstRun", expired: [] }
  }
  const expired = options.executions.filter(isDead).map((execution) => execution.id)
  const error = objection(options, newest)
  if (error !== undefined) {
    return { _tag: "Refuse", error, expired }
  }
  return expired.length > 0
    ? { _tag: "Takeover", of: newest.id, expired }
    : { _tag: "Restart", of: newest.id, expired: [] }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const isSettled = (status: BatchStatus.BatchStatus, allowStartIfComplete: boolean): boolean =>
  status === "ABANDONED" || (status === "COMPLETED" && !allowStartIfComplete)

const isDead = (execution: EarlierExecution): boolean =>
  BatchStatus.isRunning(execution.status) && execution.leaseExpired

const refuse = (error: JobRestartRefused | StepStartLimitExceeded): StepPlan<never> => ({ _tag: "Refuse", error })

const stepUnknown = (jobName: string, step: string, executionId?: number): JobRestartRefused =>
  new JobRestartRefused({
    jobName,
    executionId,
    reason: "stepUnknown",
    detail:
      `the outcome of ${step} is UNKNOWN; find out what it wrote, then give the execution up (abandon), or set the ` +
      "status of the step where the job repository stores it: FAILED lets it go on from its last commit, COMPLETED leaves it out"
  })

/** The first reason against a launch: that of the newest execution which has one, then the rules for a restart. */
const objection = (
  options: Parameters<typeof planLaunch>[0],
  newest: EarlierExecution
): LaunchRefused | undefined => {
  for (const execution of options.executions) {
    const error = objectionOf(execution, options)
    if (error !== undefined) {
      return error
    }
  }
  if (!options.restartable) {
    return new JobRestartRefused({
      jobName: options.jobName,
      executionId: newest.id,
      reason: "notRestartable",
      detail: "it is defined as not restartable; change an identifying parameter to run it anew"
    })
  }
  return newest.hasUnknownStep ? stepUnknown(options.jobName, "one of its steps", newest.id) : undefined
}

const objectionOf = (
  execution: EarlierExecution,
  options: { readonly jobName: string; readonly parameters: string }
): LaunchRefused | undefined => {
  const { jobName, parameters } = options
  const { id: executionId, leaseLeftMillis, owner, since, status } = execution
  switch (status) {
    case "COMPLETED":
    case "ABANDONED":
      return new JobInstanceAlreadyComplete({ jobName, parameters, executionId, status })
    case "UNKNOWN":
      return new JobRestartRefused({
        jobName,
        executionId,
        reason: "unknownStatus",
        detail:
          "its status is UNKNOWN; find out what it wrote, then give it up (abandon), or set its status where the job " +
          "repository stores it: FAILED lets a restart go on from its last commit, COMPLETED leaves nothing to do"
      })
    case "STOPPED":
    case "FAILED":
      return undefined
    default:
      return isDead(execution)
        ? undefined
        : new JobExecutionAlreadyRunning({ jobName, executionId, owner, since, leaseLeftMillis })
  }
}
