/**
 * Every error the library itself can fail with.
 *
 * Each one carries what happened as data and says in one line what happened,
 * where, and what to do about it. Errors of your own readers, processors and
 * writers are never wrapped in one of these.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import { didYouMean, ownerInWords, plural, quoted, rootMessage, withoutAdvice } from "../base/text.js"
import { BatchStatus } from "./BatchStatus.js"
import * as Driver from "./driverText.js"

/**
 * Why a storage operation failed, in terms of what helps: `transient` – trying
 * again may work; `conflict` – somebody else was faster; `data` – the data is
 * refused; `fatal` – the store is unusable as it is.
 *
 * @since 0.1.0
 * @category schemas
 */
export const FailureReason: Schema.Literal<["transient", "conflict", "data", "fatal"]> = Schema.Literal(
  "transient",
  "conflict",
  "data",
  "fatal"
)

/**
 * @since 0.1.0
 * @category models
 */
export type FailureReason = typeof FailureReason.Type

/**
 * Represents parameters that a job cannot be started with: all problems at once. Nothing has been written.
 *
 * @see VALID-1
 * @since 0.1.0
 * @category errors
 */
export class InvalidJobParameters extends Schema.TaggedError<InvalidJobParameters>()("InvalidJobParameters", {
  jobName: Schema.optional(Schema.String),
  problems: Schema.Array(Schema.Struct({ parameter: Schema.String, message: Schema.String }))
}) {
  override get message(): string {
    // What a schema says is a sentence of its own: `size: Expected number`.
    const problems = this.problems.map(({ message, parameter }) =>
      `${parameter === "" ? "the parameters" : parameter}${/^[A-Z]/.test(message) ? ":" : ""} ${message}`
    )
    return `${ofJob(this.jobName, "The parameters")} are not valid: ${problems.join("; ")}`
  }
}

/**
 * Represents the launch of an instance that has nothing left to do: it completed, or was abandoned. With `abandoning`
 * it is about the attempt to abandon an execution that completed.
 *
 * @see LAUNCH-4
 * @since 0.1.0
 * @category errors
 */
export class JobInstanceAlreadyComplete
  extends Schema.TaggedError<JobInstanceAlreadyComplete>()("JobInstanceAlreadyComplete", {
    jobName: Schema.String,
    parameters: Schema.String,
    executionId: Schema.Number,
    status: BatchStatus,
    abandoning: Schema.optional(Schema.Boolean)
  })
{
  override get message(): string {
    const parameters = this.parameters === "" ? "without parameters" : `with parameters ${this.parameters}`
    return `Job "${this.jobName}" ${parameters} is ${this.status} already (execution ${this.executionId}): ` +
      (this.abandoning === true ? "there is nothing to abandon" : "change an identifying parameter to run it again")
  }
}

/**
 * Represents the launch of an instance that another execution is working on. `leaseLeftMillis` is the time until that
 * execution counts as dead unless its owner gives a sign of life; `here` says that its owner is the process that asks.
 *
 * @see LAUNCH-4, JOB-6
 * @since 0.1.0
 * @category errors
 */
export class JobExecutionAlreadyRunning
  extends Schema.TaggedError<JobExecutionAlreadyRunning>()("JobExecutionAlreadyRunning", {
    jobName: Schema.String,
    executionId: Schema.Number,
    owner: Schema.optional(Schema.String),
    here: Schema.optional(Schema.Boolean),
    since: Schema.optional(Schema.DateTimeUtc),
    leaseLeftMillis: Schema.optional(Schema.Number)
  })
{
  override get message(): string {
    const here = this.here === true
    const owner = here ? " in this very process" : this.owner === undefined ? "" : ` in ${ownerInWords(this.owner)}`
    const since = this.since === undefined ? "" : ` since ${DateTime.formatIso(this.since)}`
    const lease = here || this.leaseLeftMillis === undefined
      ? ""
      : `; if its process is dead, it can be taken over in ${Math.ceil(this.leaseLeftMillis / 1000)} s`
    return `Job "${this.jobName}" is already running as execution ${this.executionId}${owner}${since}: ` +
      `wait for it or stop it${lease}`
  }
}

/**
 * Represents a restart that the rules do not allow.
 *
 * @see LAUNCH-4, LAUNCH-5, HAND-4
 * @since 0.1.0
 * @category errors
 */
export class JobRestartRefused extends Schema.TaggedError<JobRestartRefused>()("JobRestartRefused", {
  jobName: Schema.String,
  executionId: Schema.optional(Schema.Number),
  reason: Schema.Literal("notRestartable", "unknownStatus", "stepUnknown", "stepAbandoned", "otherJob"),
  detail: Schema.String
}) {
  override get message(): string {
    const execution = this.executionId === undefined ? "" : ` after execution ${this.executionId}`
    return `Job "${this.jobName}" cannot be restarted${execution}: ${this.detail}`
  }
}

/**
 * Represents a step that has been started as often as it may be. The job fails.
 *
 * @see HAND-6
 * @since 0.1.0
 * @category errors
 */
export class StepStartLimitExceeded extends Schema.TaggedError<StepStartLimitExceeded>()("StepStartLimitExceeded", {
  step: Schema.String,
  startLimit: Schema.Number,
  starts: Schema.Number
}) {
  override get message(): string {
    return `Step "${this.step}" has been started ${plural(this.starts, "time")} and its start limit is ` +
      `${this.startLimit}: raise the limit or run the job with another identifying parameter`
  }
}

/**
 * Represents one bad item more than the step may skip. `cause` is the error of
 * that item; `limit` is text where the policy is more than a number.
 *
 * @since 0.1.0
 * @category errors
 */
export class SkipLimitExceeded extends Schema.TaggedError<SkipLimitExceeded>()("SkipLimitExceeded", {
  step: Schema.String,
  limit: Schema.Union(Schema.Number, Schema.String),
  skips: Schema.Number,
  cause: Schema.Defect
}) {
  override get message(): string {
    return `Step "${this.step}" met a bad item after ${plural(this.skips, "skip")} and its skip limit is ` +
      `${this.limit}${withoutAdvice(because(this.cause))}; mend the input or raise the limit, then restart`
  }
}

/**
 * Represents an execution that another process has taken over, or may take over at
 * any moment: this process could not renew its lease. What it had not committed is
 * discarded; if nobody had taken over by then, its rows end as STOPPED.
 *
 * @since 0.1.0
 * @category errors
 */
export class OwnershipLost extends Schema.TaggedError<OwnershipLost>()("OwnershipLost", {
  executionId: Schema.Number,
  epoch: Schema.Number
}) {
  override get message(): string {
    return `Execution ${this.executionId} was taken over by another process, or may be, because this one could not ` +
      `renew its lease (epoch ${this.epoch}): look at the newest execution of the job; ` +
      "if this happens to healthy processes, lengthen the lease"
  }
}

/**
 * Represents a failure of the store that holds the executions. `blockedBy`: the transaction of somebody else, in the
 * database, that was waited for in vain: its process there, its application, and when its last statement began.
 *
 * @since 0.1.0
 * @category errors
 */
export class JobRepositoryError extends Schema.TaggedError<JobRepositoryError>()("JobRepositoryError", {
  operation: Schema.String,
  reason: FailureReason,
  detail: Schema.String,
  cause: Schema.optional(Schema.Defect),
  blockedBy: Schema.optional(Schema.Struct({
    pid: Schema.Number,
    application: Schema.String,
    queryStart: Schema.DateTimeUtc
  }))
}) {
  override get message(): string {
    const advice = Driver.saysWhatToDo(this.detail) ? "" : `: ${ADVICE[this.reason]}`
    return `The job repository failed in ${this.operation}: ${this.detail} (${this.reason}${advice})`
  }
}

/**
 * Represents a transaction that could not be begun, committed or rolled back, or
 * whose connection broke in the middle. After a failed commit the outcome is not
 * known.
 *
 * @since 0.1.0
 * @category errors
 */
export class TransactionError extends Schema.TaggedError<TransactionError>()("TransactionError", {
  reason: FailureReason,
  phase: Schema.Literal("begin", "body", "commit", "rollback"),
  sqlState: Schema.optional(Schema.String),
  cause: Schema.Defect
}) {
  override get message(): string {
    const state = this.sqlState === undefined ? "" : `, SQLSTATE ${this.sqlState}`
    const problem = Driver.problemOf(this.sqlState)
    return problem === undefined
      ? `A transaction failed in its ${this.phase}${state}${because(this.cause)} (${this.reason}: ${
        ADVICE[this.reason]
      })`
      : `A transaction failed in its ${this.phase}${state}: ${problem}`
  }
}

/**
 * Represents an execution id that the repository does not have.
 *
 * @since 0.1.0
 * @category errors
 */
export class NoSuchJobExecution extends Schema.TaggedError<NoSuchJobExecution>()("NoSuchJobExecution", {
  executionId: Schema.Number
}) {
  override get message(): string {
    return `There is no job execution ${this.executionId}: list the executions of the job to find its id`
  }
}

/**
 * Represents skipped records that cannot be run again, now or at all. Nothing has been written.
 *
 * - `running`: the execution, or one of its instance, still runs. `restartable`: a restart comes first, which may meet them.
 * - `done`: they have been run again. `superseded`: a later execution met them again. `none`: there are none, or none that
 *   can. `otherJob`: the execution is of another job.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReplayRefused extends Schema.TaggedError<ReplayRefused>()("ReplayRefused", {
  jobName: Schema.String,
  executionId: Schema.Number,
  reason: Schema.Literal("running", "restartable", "done", "superseded", "none", "otherJob"),
  detail: Schema.String
}) {
  override get message(): string {
    return `What execution ${this.executionId} of job "${this.jobName}" skipped is not run again: ${this.detail}`
  }
}

/**
 * Represents a skipped record that cannot be run again because what is stored of it is not all that it was. A replay skips
 * it, whatever the policy of the step; it stays with the execution that skipped it first.
 *
 * @since 0.1.0
 * @category errors
 */
export class RecordNotReplayed extends Schema.TaggedError<RecordNotReplayed>()("RecordNotReplayed", {
  record: Schema.Number,
  executionId: Schema.Number,
  step: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `Record ${this.record} that step "${this.step}" skipped in execution ${this.executionId} is not run again: ` +
      `${this.detail}; it is still listed there`
  }
}

/**
 * Represents a job name that nobody has registered.
 *
 * @since 0.1.0
 * @category errors
 */
export class NoSuchJob extends Schema.TaggedError<NoSuchJob>()("NoSuchJob", {
  name: Schema.String,
  known: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const known = this.known.length === 0 ? "no job is registered" : `the jobs are ${quoted(this.known)}`
    return `There is no job "${this.name}"${didYouMean(this.name, this.known)}: ${known}`
  }
}

/**
 * Represents the attempt to stop an execution that is over.
 *
 * @since 0.1.0
 * @category errors
 */
export class JobExecutionNotRunning extends Schema.TaggedError<JobExecutionNotRunning>()("JobExecutionNotRunning", {
  executionId: Schema.Number,
  status: BatchStatus
}) {
  override get message(): string {
    return `Execution ${this.executionId} is not running, it is ${this.status}: there is nothing to stop`
  }
}

/**
 * Represents a job that ended, but not as COMPLETED, and without an error of its
 * own: it was stopped, or its flow ended it as failed.
 *
 * @since 0.1.0
 * @category errors
 */
export class JobNotCompleted extends Schema.TaggedError<JobNotCompleted>()("JobNotCompleted", {
  jobName: Schema.String,
  executionId: Schema.Number,
  status: BatchStatus,
  exitCode: Schema.String
}) {
  override get message(): string {
    return `Job "${this.jobName}" ended as ${this.status} with exit code "${this.exitCode}" ` +
      `(execution ${this.executionId}): run it again with the same parameters to go on`
  }
}

/**
 * Represents a restart that was to make the plan of a partitioned step anew, while partitions of the old one have not completed.
 * Nothing of the old plan was changed.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReplanRefused extends Schema.TaggedError<ReplanRefused>()("ReplanRefused", {
  step: Schema.String,
  unfinished: Schema.Number,
  /** How many of these run now. */
  running: Schema.Number,
  total: Schema.Number,
  /** The first of them, in the order of the plan. */
  first: Schema.String
}) {
  override get message(): string {
    const advice = this.running === 0
      ? "finish them with `restart: \"keep\"`, or give them up with `restart: \"abandonAndReplan\"`"
      : `${plural(this.running, "partition")} of them still run: stop them, or wait for their end`
    return `Step "${this.step}" can't make its plan anew: ${this.unfinished} of ${
      plural(this.total, "partition")
    } of the old ` +
      `one have not completed, the first is "${this.first}"; ${advice}`
  }
}

/**
 * Represents a plan of partitions that can't be used: a name is missing or stands there twice, or an input does not fit its
 * schema. All problems at once. Nothing of the plan has been stored, and no partition has begun.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidPartitionPlan extends Schema.TaggedError<InvalidPartitionPlan>()("InvalidPartitionPlan", {
  step: Schema.String,
  problems: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `The plan of step "${this.step}" can't be used: ${this.problems.join("; ")}. ` +
      "Nothing was begun; a restart makes the plan again"
  }
}

/**
 * Represents a step of which partitions failed: how many, and the first of them in the order of the plan.
 *
 * @since 0.1.0
 * @category errors
 */
export class PartitionsFailed extends Schema.TaggedError<PartitionsFailed>()("PartitionsFailed", {
  step: Schema.String,
  failed: Schema.Number,
  total: Schema.Number,
  notBegun: Schema.Number,
  first: Schema.String,
  executionId: Schema.optional(Schema.Number),
  reason: Schema.String
}) {
  override get message(): string {
    const execution = this.executionId === undefined ? "" : ` (execution ${this.executionId})`
    const left = this.notBegun === 0 ? "" : `, ${this.notBegun} were not begun`
    const reason = this.reason === "" ? "" : `: ${this.reason}`
    return `${this.failed} of ${plural(this.total, "partition")} of "${this.step}" failed${left}, ` +
      `first "${this.first}"${execution}${reason}; mend the cause and restart the job, which runs those again that did not ` +
      "complete"
  }
}

/**
 * Represents a partition whose stored input the code of this process does not understand. Only that partition fails.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnreadablePartitionInput
  extends Schema.TaggedError<UnreadablePartitionInput>()("UnreadablePartitionInput", {
    step: Schema.String,
    partition: Schema.String,
    detail: Schema.String
  })
{
  override get message(): string {
    return `The stored input of partition "${this.partition}" of step "${this.step}" does not fit its schema: ` +
      `${this.detail}; accept the stored form in the schema, then restart the job`
  }
}

/**
 * Represents a worker that leaves the partitions of a step alone, because its code of that step is not that of the process
 * which runs the job. Nothing has been begun: other workers may take them.
 *
 * @since 0.1.0
 * @category errors
 */
export class PartitionCodeDiffers extends Schema.TaggedError<PartitionCodeDiffers>()("PartitionCodeDiffers", {
  jobName: Schema.String,
  step: Schema.String,
  executionId: Schema.Number,
  planned: Schema.String,
  own: Schema.String
}) {
  override get message(): string {
    return `This worker's code of step "${this.step}" of job "${this.jobName}" (${this.own}) is not that of execution ` +
      `${this.executionId} (${this.planned}): its partitions are left to workers with the same code. ` +
      "Deploy the same version, or give both versions the same `version` if they are compatible"
  }
}

/**
 * Represents a partitioned step inside of a partition, which is not possible.
 *
 * @since 0.1.0
 * @category errors
 */
export class NestedPartition extends Schema.TaggedError<NestedPartition>()("NestedPartition", {
  step: Schema.String,
  jobName: Schema.String
}) {
  override get message(): string {
    return `Step "${this.step}" is partitioned, and cannot run inside of a partition ("${this.jobName}"): ` +
      "make one plan of all of them"
  }
}

/**
 * Represents an entry of an execution context that does not fit its key's schema.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnreadableContextKey extends Schema.TaggedError<UnreadableContextKey>()("UnreadableContextKey", {
  key: Schema.String,
  scope: Schema.optional(Schema.String),
  detail: Schema.String
}) {
  override get message(): string {
    const scope = this.scope === undefined ? "" : ` of ${this.scope}`
    return `The entry "${this.key}"${scope} does not fit its schema: ${this.detail}; ` +
      "accept the stored form in the schema, or use another key"
  }
}

/**
 * Represents a stored position from which a reader cannot go on. `advice` is what
 * helps, where the reader knows more about that than this error.
 *
 * @since 0.1.0
 * @category errors
 */
export class UnreadablePosition extends Schema.TaggedError<UnreadablePosition>()("UnreadablePosition", {
  reader: Schema.String,
  detail: Schema.String,
  advice: Schema.optional(Schema.String)
}) {
  override get message(): string {
    const advice = this.advice ??
      "restart with the component that stored it, or run the job with another identifying parameter"
    return `"${this.reader}" cannot go on from its stored state: ${this.detail}; ${advice}`
  }
}

/**
 * Represents a job or a part of one that cannot work as defined: all defects at
 * once. Thrown where the definition is made, never during a run.
 *
 * @since 0.1.0
 * @category errors
 */
export class JobDefinitionError extends Schema.TaggedError<JobDefinitionError>()("JobDefinitionError", {
  jobName: Schema.optional(Schema.String),
  defects: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `${ofJob(this.jobName, "The definition")} cannot work: ${this.defects.join("; ")}`
  }
}

/**
 * Represents an exit code for which the flow has no way on. The job fails; the step keeps its status.
 *
 * @see FLOW-6
 * @since 0.1.0
 * @category errors
 */
export class UnroutedExitCode extends Schema.TaggedError<UnroutedExitCode>()("UnroutedExitCode", {
  state: Schema.String,
  code: Schema.String
}) {
  override get message(): string {
    return `"${this.state}" ended with exit code "${this.code}", for which there is no transition: ` +
      `add a case for "${this.code}" or "*"`
  }
}

/**
 * Why the earlier executions of an instance forbid another one.
 *
 * @since 0.1.0
 * @category errors
 */
export type LaunchRefused = JobInstanceAlreadyComplete | JobExecutionAlreadyRunning | JobRestartRefused

/**
 * Represents the launch of a job inside of a transaction that is open: in a
 * tasklet, a writer or a listener of a chunk, or in `SqlClient.withTransaction`.
 * A rollback would take back what the job stores about itself, while it runs or
 * after it has ended. Nothing has been written.
 *
 * @since 0.1.0
 * @category errors
 * @see OWN-13
 */
export class LaunchInTransaction extends Schema.TaggedError<LaunchInTransaction>()("LaunchInTransaction", {
  jobName: Schema.String
}) {
  override get message(): string {
    return `Job "${this.jobName}" cannot be launched while a transaction is open, which could take back what the job ` +
      "stores: run it as a step of its own with Step.job, or launch it after the transaction"
  }
}

/**
 * What can keep a run from beginning: its parameters, earlier executions, a
 * transaction that is open, or the store.
 *
 * @since 0.1.0
 * @category errors
 */
export type LaunchError = InvalidJobParameters | LaunchInTransaction | LaunchRefused | JobRepositoryError

/**
 * What the engine itself can fail with while a job runs.
 *
 * @since 0.1.0
 * @category errors
 */
export type EngineError =
  | JobRestartRefused
  | StepStartLimitExceeded
  | SkipLimitExceeded
  | OwnershipLost
  | JobRepositoryError
  | TransactionError
  | UnreadableContextKey
  | UnreadablePosition
  | UnroutedExitCode

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const ADVICE: Readonly<Record<FailureReason, string>> = {
  transient: "trying again may help",
  conflict: "somebody else was faster; look at the current state and try again",
  data: "the data was refused; trying again will not help",
  fatal: "check that the store is reachable and its schema is up to date"
}

/** What the cause says, when it says anything. */
const because = (cause: unknown): string => {
  const message = rootMessage(cause)
  return message === "" ? "" : `: ${message}`
}

const ofJob = (jobName: string | undefined, what: string): string =>
  jobName === undefined ? what : `${what} of job "${jobName}"`
