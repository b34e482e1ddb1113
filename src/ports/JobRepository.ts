/**
 * The memory of batch processing: which job instances exist, what ran, how far each step came, and who owns a
 * running execution.
 *
 * `JobRepository` is the port that the engine uses; `JobRepository.Encoded` is the smaller one, over plain
 * rows, that a driver implements. `makeEncoded` adds decisions, typing and error handling once for all drivers,
 * so that memory, SQLite and PostgreSQL cannot differ.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type { Json } from "../base/json.js"
import type { AnswerRecord, StepRecord } from "../decisions/flowHistory.js"
import type { JobRepositoryError, LaunchError, NoSuchJobExecution, OwnershipLost } from "../vocabulary/BatchError.js"
import type { BatchStatus } from "../vocabulary/BatchStatus.js"
import type { Counts } from "../vocabulary/Counts.js"
import type { ExecutionContext } from "../vocabulary/ExecutionContext.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import type { JobInstance } from "../vocabulary/JobInstance.js"
import type { JobParameter } from "../vocabulary/JobParameters.js"
import type { SkippedGroup, SkippedItem, SkipPhase } from "../vocabulary/SkippedItem.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"
import * as MemoryDriver from "./memoryDriver.js"
import type { ParentLink, Partitions } from "./partitions.js"
import type { EncodedPartitions } from "./partitionsDriver.js"
import type { Pipelined } from "./pipelining.js"
import { makeRepository } from "./repository.js"
import * as Transactor from "./Transactor.js"

/**
 * What a launch requests.
 *
 * @since 0.1.0
 * @category models
 */
export interface LaunchRequest {
  readonly jobName: string
  readonly parameters: ReadonlyArray<JobParameter>
  /**
   * False when an instance may run only once.
   *
   * @see LAUNCH-5
   */
  readonly restartable: boolean
  /** Names the process that will run the execution. */
  readonly owner: string
  /** How long, in milliseconds, the ownership lasts without a heartbeat. */
  readonly leaseMillis: number
  /** Whether the process that an owner names is known to be gone; may answer false when it can't tell. */
  readonly isOwnerGone: (owner: string) => boolean
  /**
   * Whether the claim with this secret was made and given up by this very process, which may take the execution back at
   * once; by default it was not.
   *
   * @see OWN-21
   */
  readonly hasGivenUp?: ((token: string) => boolean) | undefined
  /**
   * Told the secret of the claim before that is stored: when the answer is lost, it is what the claim can be given up by.
   *
   * @see OWN-21
   */
  readonly onToken?: ((token: string) => void) | undefined
  /** The execution that launches this one as a part of itself. */
  readonly parent?: ParentLink | undefined
  /** JSON text of the context with which an instance begins; empty by default. */
  readonly context?: string | undefined
  /** Whether the execution is STARTED by its claim, and not by what its process does next. Default: false. */
  readonly begins?: boolean | undefined
}

/**
 * What a process knows, beyond what is stored, about claims that are over.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClaimWitness extends Pick<LaunchRequest, "isOwnerGone" | "hasGivenUp" | "onToken"> {}

/**
 * A new step execution: where it starts, and what it inherits.
 *
 * @see HAND-9
 * @since 0.1.0
 * @category models
 */
export interface NewStepExecution {
  readonly stepName: string
  /** See `StepExecution`. By default the name of the step, in round 1. */
  readonly place?: string | undefined
  readonly round?: string | undefined
  readonly context: ExecutionContext
  readonly checkpoint: Option.Option<Json>
}

/**
 * Which job executions to list, newest first.
 *
 * - `before`: only ids smaller than this one, for paging. `limit`: at most so many, 100 by default.
 * - `parentId`: those that this execution has launched as parts of itself.
 * - `partitions`: whether those of partitions are among them. By default only where a job, an instance or a parent is given.
 * - `createdFrom`, `createdTo`: created at this time or later, and before this time.
 * - `changedSince`: whose row was written at this time or later; what its steps commit does not count.
 *
 * @since 0.1.0
 * @category models
 */
export interface ExecutionFilter {
  readonly jobName?: string | undefined
  readonly instanceId?: number | undefined
  readonly parentId?: number | undefined
  readonly partitions?: boolean | undefined
  readonly statuses?: ReadonlyArray<BatchStatus> | undefined
  readonly createdFrom?: DateTime.Utc | undefined
  readonly createdTo?: DateTime.Utc | undefined
  readonly changedSince?: DateTime.Utc | undefined
  readonly before?: number | undefined
  readonly limit?: number | undefined
}

/**
 * How long the owner of a running execution has left to renew its lease, by the clock that writes leases, and how long a
 * lease of it is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lease {
  readonly executionId: number
  readonly leftMillis: number
  readonly lengthMillis: number
}

/**
 * Which skipped records of an execution to list, oldest first.
 *
 * - `partitions`: whether those of its partitions are among them; default true.
 * - `stepName`, `phase`, `errorTag`, `message`: only those of one group, or of one kind of error.
 * - `after`: only ids greater than this one, for paging. `limit`: at most so many, 100 by default.
 *
 * @since 0.1.0
 * @category models
 */
export interface SkippedFilter {
  readonly executionId: number
  readonly partitions?: boolean | undefined
  readonly stepName?: string | undefined
  readonly phase?: SkipPhase | undefined
  readonly errorTag?: string | undefined
  readonly message?: string | undefined
  readonly after?: number | undefined
  readonly limit?: number | undefined
}

/**
 * What somebody did to an execution, or tried to: kept for as long as the execution is.
 *
 * - `who`: as the program names its users. `what`: the action. `outcome`: `done`, or why not.
 *
 * @since 0.1.0
 * @category models
 */
export interface AuditEntry {
  readonly executionId: number | undefined
  readonly jobName: string
  readonly who: string
  readonly what: string
  readonly outcome: string
  readonly createTime: DateTime.Utc
}

/**
 * What somebody was told about: an execution, or a job that did not run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Notice {
  readonly subject: string
  readonly kind: string
}

/**
 * Which notices to forget: those that were remembered before a time, only about this subject or of this kind.
 *
 * @since 0.1.0
 * @category models
 */
export interface NoticeFilter {
  readonly subject?: string | undefined
  readonly kind?: string | undefined
  readonly before: DateTime.Utc
}

/**
 * Which job instances to list, newest first. Those of partitions are among them where a job is given.
 *
 * @since 0.1.0
 * @category models
 */
export interface InstanceFilter {
  readonly jobName?: string | undefined
  readonly jobKey?: string | undefined
  readonly before?: number | undefined
  readonly limit?: number | undefined
}

/**
 * What became of a job instance so far, oldest first: its step executions, without what only a restart of one needs, and
 * the codes with which deciders, and splits whose failure was dealt with, were left.
 *
 * @see HAND-2, HAND-6, OWN-5
 * @since 0.1.0
 * @category models
 */
export interface FlowHistory {
  readonly steps: ReadonlyArray<StepRecord>
  readonly answers: ReadonlyArray<AnswerRecord>
}

/**
 * Why a write of the owner failed.
 *
 * @since 0.1.0
 * @category models
 */
export type OwnerFailure = OwnershipLost | JobRepositoryError

/**
 * @since 0.1.0
 * @category services
 */
export class JobRepository extends Context.Tag("effect-batch/JobRepository")<JobRepository, {
  /**
   * Finds or creates the instance of these parameters and claims a new execution of it, all in one transaction. Of many
   * concurrent callers exactly one succeeds. An execution whose owner is dead is closed as FAILED with the code
   * `OWNER_DIED` first.
   *
   * @see LAUNCH-4, LAUNCH-8
   */
  readonly launch: (request: LaunchRequest) => Effect.Effect<JobExecution, LaunchError | JobRepositoryError>
  /**
   * Saves status, exit status, times and context of an execution that this process owns, and answers with the
   * status that is stored now: `STOPPING` when somebody asked for a stop meanwhile.
   */
  readonly updateJobExecution: (execution: JobExecution) => Effect.Effect<BatchStatus, OwnerFailure>
  /**
   * Proves that the owner lives: extends the lease. Answers with the stored status, `STOPPING` also when the execution that
   * launched this one as a part of itself is asked to stop or has stopped.
   */
  readonly renewLease: (execution: JobExecution, leaseMillis: number) => Effect.Effect<BatchStatus, OwnerFailure>
  /**
   * Whether `renewLease` waits for the transactions of this process, which keep every other process from taking over for
   * as long as they are open: then it is given the time it takes. By default it has not.
   *
   * @see OWN-18
   */
  readonly beatsQueue?: boolean | undefined
  /**
   * Inserts a step execution together with the context and checkpoint it starts from. A place is visited once in a round of
   * an execution: when it is stored already, perhaps by a call whose answer was lost, that row is the answer. None, and
   * nothing is stored, when the execution, or the one that launched it as a part of itself, is asked to stop or has stopped.
   *
   * @see HAND-1, HAND-15
   */
  readonly createStepExecution: (
    execution: JobExecution,
    step: NewStepExecution
  ) => Effect.Effect<Option.Option<StepExecution>, OwnerFailure>
  /**
   * Saves counts, context, checkpoint and status of a step in one statement that is also the fence: when another
   * process took over, it fails with `OwnershipLost` and the transaction rolls back. So it does when the row has other
   * numbers of commits and rollbacks than `before`: a commit whose answer was lost may come true late. Answers with the
   * status of the job, so that a stop request is seen without another query. It is the last statement of every chunk.
   */
  readonly updateStepExecution: (
    execution: JobExecution,
    step: StepExecution,
    before?: StepExecution
  ) => Effect.Effect<BatchStatus, OwnerFailure>
  /** What happened in all executions of the instance. */
  readonly flowHistory: (instance: JobInstance) => Effect.Effect<FlowHistory, JobRepositoryError>
  /** A step execution by its id; none when there is no such row. */
  readonly stepExecution: (id: number) => Effect.Effect<Option.Option<StepExecution>, JobRepositoryError>
  /** Stores with which code a state was left that is no step, so that a restart follows the same way (OWN-5). Fenced. */
  readonly recordAnswer: (execution: JobExecution, answer: AnswerRecord) => Effect.Effect<void, OwnerFailure>
  /** Stores skipped records; called in the transaction that makes the skip durable. */
  readonly addSkippedItems: (
    step: StepExecution,
    items: ReadonlyArray<SkippedItem>
  ) => Effect.Effect<void, JobRepositoryError>
  /**
   * Sets the stop flag of a running execution; answers with its status before.
   *
   * @see STOP-2
   */
  readonly requestStop: (
    executionId: number
  ) => Effect.Effect<BatchStatus, NoSuchJobExecution | JobRepositoryError>
  /**
   * Completes when somebody may have asked the execution to stop. Only a hint, which shortens the wait until the next
   * heartbeat: it may come for nothing, and with some repositories it never comes.
   */
  readonly stopHint: (executionId: number) => Effect.Effect<void>
  /**
   * Takes an execution from its owner and closes it and its running steps with the given status. The epoch grows, so
   * the owner, should it live, can no longer commit.
   */
  readonly close: (
    executionId: number,
    end: { readonly status: BatchStatus; readonly exitCode: string; readonly message: string }
  ) => Effect.Effect<void, NoSuchJobExecution | JobRepositoryError>
  /** Running executions whose lease has expired, whose owner is known to be gone, or which this process has given up. */
  readonly expiredExecutions: (
    witness: ClaimWitness
  ) => Effect.Effect<ReadonlyArray<JobExecution>, JobRepositoryError>
  /** The leases of running executions. */
  readonly leases: Effect.Effect<ReadonlyArray<Lease>, JobRepositoryError>
  readonly jobNames: Effect.Effect<ReadonlyArray<string>, JobRepositoryError>
  readonly jobInstances: (filter: InstanceFilter) => Effect.Effect<ReadonlyArray<JobInstance>, JobRepositoryError>
  readonly jobExecutions: (filter: ExecutionFilter) => Effect.Effect<ReadonlyArray<JobExecution>, JobRepositoryError>
  readonly jobExecution: (
    executionId: number
  ) => Effect.Effect<JobExecution, NoSuchJobExecution | JobRepositoryError>
  /**
   * The step executions of a job execution, oldest first.
   *
   * @see EXEC-10
   */
  readonly stepExecutions: (executionId: number) => Effect.Effect<ReadonlyArray<StepExecution>, JobRepositoryError>
  /** The step executions of many job executions, oldest first, in one statement. */
  readonly stepExecutionsOf: (
    executionIds: ReadonlyArray<number>
  ) => Effect.Effect<ReadonlyArray<StepExecution>, JobRepositoryError>
  /** The quarantined records of a job execution, oldest first. */
  readonly skippedItems: (executionId: number) => Effect.Effect<ReadonlyArray<SkippedItem>, JobRepositoryError>
  /** A page of them, each with the id after which the next page begins. */
  readonly skippedPage: (
    filter: SkippedFilter
  ) => Effect.Effect<ReadonlyArray<SkippedItem & { readonly id: number }>, JobRepositoryError>
  /** What they say, the most frequent first; at most `limit` groups, 100 by default. */
  readonly skippedGroups: (
    executionId: number,
    limit?: number
  ) => Effect.Effect<ReadonlyArray<SkippedGroup>, JobRepositoryError>
  /** Writes down what somebody did. */
  readonly recordAudit: (entry: AuditEntry) => Effect.Effect<void, JobRepositoryError>
  /** What was done to an execution, or to all of them; newest first. */
  readonly audit: (filter: {
    readonly executionId?: number | undefined
    readonly limit?: number | undefined
  }) => Effect.Effect<ReadonlyArray<AuditEntry>, JobRepositoryError>
  /** Remembers that somebody was told; again does no harm. */
  readonly recordNotice: (notice: Notice) => Effect.Effect<void, JobRepositoryError>
  /** What was told about these subjects. */
  readonly notices: (subjects: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Notice>, JobRepositoryError>
  /** Forgets what was remembered before a time, about a subject or of a kind. What is about an execution goes with that. */
  readonly forgetNotices: (filter: NoticeFilter) => Effect.Effect<void, JobRepositoryError>
  /**
   * Deletes ended executions and the instances that are left without any. While an instance has a running execution,
   * none of it is deleted: a restart continues from what earlier executions left. For the same reason an instance that
   * others have launched as a part of themselves stays as long as one of them, and goes with the last: it is not deleted
   * by itself. The number of executions that are gone, those of such parts included.
   */
  readonly deleteJobExecutions: (executionIds: ReadonlyArray<number>) => Effect.Effect<number, JobRepositoryError>
  /** The partitions of steps: their plans, and who takes which. */
  readonly partitions: Partitions
}>() {}

// -------------------------------------------------------------------------------------
// the driver's side
// -------------------------------------------------------------------------------------

/**
 * Times are milliseconds since the epoch, contexts and checkpoints JSON text, statuses their names.
 *
 * @since 0.1.0
 * @category models
 */
export interface JobInstanceRow {
  readonly id: number
  readonly jobName: string
  readonly jobKey: string
  readonly createTime: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface JobExecutionRow {
  readonly id: number
  readonly instance: JobInstanceRow
  /** JSON text of the parameters. */
  readonly parameters: string
  readonly status: string
  readonly exitCode: string
  readonly exitMessage: string
  readonly createTime: number
  readonly startTime: number | null
  readonly endTime: number | null
  readonly lastUpdated: number
  readonly context: string
  readonly owner: string | null
  readonly epoch: number
  /** Computed by the clock that also writes leases. Null when the execution holds no lease. */
  readonly leaseLeftMillis: number | null
  readonly restartOf: number | null
  /** The execution that launched this one as a part of itself, with its instance. Null, both, when a user did. */
  readonly parentExecutionId: number | null
  readonly parentInstanceId: number | null
  /** Lines. Null where nothing failed, and in rows of 0.1; an update with null leaves what is stored. */
  readonly causes: string | null
}

/**
 * @since 0.1.0
 * @category models
 */
export interface StepExecutionRow {
  readonly id: number
  readonly jobExecutionId: number
  readonly stepName: string
  /** Null in rows of 0.1, like `round`. */
  readonly place: string | null
  readonly round: string | null
  readonly status: string
  readonly exitCode: string
  readonly exitMessage: string
  readonly readCount: number
  readonly writeCount: number
  readonly filterCount: number
  readonly readSkipCount: number
  readonly processSkipCount: number
  readonly writeSkipCount: number
  readonly commitCount: number
  readonly rollbackCount: number
  readonly createTime: number
  readonly startTime: number | null
  readonly endTime: number | null
  readonly lastUpdated: number
  readonly context: string
  readonly checkpoint: string | null
  /** Lines. Null where nothing failed, and in rows of 0.1; an update with null leaves what is stored. */
  readonly causes: string | null
}

/**
 * @since 0.1.0
 * @category models
 */
export type StepRecordRow = Pick<
  StepExecutionRow,
  "id" | "jobExecutionId" | "stepName" | "place" | "round" | "status" | "exitCode" | "exitMessage"
>

/**
 * @since 0.1.0
 * @category models
 */
export interface AnswerRow extends AnswerRecord {
  readonly jobExecutionId: number
  readonly createTime: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface SkippedItemRow {
  readonly stepExecutionId: number
  readonly stepName: string
  readonly phase: string
  readonly position: string | null
  readonly errorTag: string
  readonly message: string
  readonly item: string | null
  readonly createTime: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface AuditRow extends Omit<AuditEntry, "createTime" | "executionId"> {
  readonly executionId: number | null
  readonly createTime: number
}

/**
 * As `ExecutionFilter`, with times in milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface ExecutionRowFilter extends Omit<ExecutionFilter, "createdFrom" | "createdTo" | "changedSince"> {
  readonly createdFrom?: number | undefined
  readonly createdTo?: number | undefined
  readonly changedSince?: number | undefined
  readonly ids?: ReadonlyArray<number> | undefined
}

/**
 * What a fenced statement compares: the epoch, which grows when somebody takes an execution away, and the token that its
 * claim has drawn. Numbers alone are given out again by a database that was restored, or that lost its last commits when
 * another one took over.
 *
 * @since 0.1.0
 * @category models
 */
export interface Fence {
  readonly epoch: number
  readonly token: string
}

/**
 * What a driver implements: single statements over rows. Every operation joins the transaction that is open in its
 * fiber, if there is one. Fenced operations answer `none` unless epoch and token are the stored ones.
 *
 * @since 0.1.0
 * @category models
 */
export interface Encoded {
  /** Runs the effect in a transaction of its own, or joins an open one. */
  readonly transact: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    /** How long it may wait for locks that others hold. */
    patienceMillis?: number
  ) => Effect.Effect<A, E | JobRepositoryError, R>
  /** What the token of each claim begins with, in front of a dot: what the claims of this process are known by. */
  readonly claimTag?: string | undefined
  /** Inserts the instance unless it exists, locks it until the end of the transaction, and returns it. */
  readonly lockInstance: (instance: Omit<JobInstanceRow, "id">) => Effect.Effect<JobInstanceRow, JobRepositoryError>
  /**
   * The newest execution of the instance and all that are running, unknown, completed or abandoned; newest first, at
   * most 50 of them, with the token of its claim, and whether any of its steps has the status UNKNOWN.
   */
  readonly launchHistory: (
    instanceId: number
  ) => Effect.Effect<
    ReadonlyArray<JobExecutionRow & { readonly hasUnknownStep: boolean; readonly token: string }>,
    JobRepositoryError
  >
  /**
   * Cuts each lease that would end later than its own length from now to that length: the clock that wrote it was set back
   * since. Waits for no lock: who holds one on the row is about to renew the lease.
   *
   * @see OWN-20
   */
  readonly limitLeases: Effect.Effect<void, JobRepositoryError>
  readonly insertJobExecution: (
    row: Omit<JobExecutionRow, "id" | "leaseLeftMillis">,
    leaseMillis: number,
    token: string
  ) => Effect.Effect<number, JobRepositoryError>
  /** Fenced. A stored STOPPING stays when STARTED is written. Gives the stored status. */
  readonly updateJobExecution: (
    row: JobExecutionRow,
    fence: Fence,
    releaseLease: boolean
  ) => Effect.Effect<Option.Option<string>, JobRepositoryError>
  /** See `JobRepository.beatsQueue`. */
  readonly beatsQueue?: boolean | undefined
  /**
   * Fenced. Gives the stored status, which becomes STOPPING when the execution runs and its parent is STOPPING or STOPPED: whoever
   * passes on a stop may be gone.
   */
  readonly renewLease: (
    executionId: number,
    fence: Fence,
    leaseMillis: number
  ) => Effect.Effect<Option.Option<string>, JobRepositoryError>
  /**
   * Fenced by the row of the job execution. Gives the id. The step row keeps the epoch. One that is there already, of the same
   * execution, place and round (a place may be null, which is none), is the answer, also when it was inserted at this very moment
   * by a call whose answer was lost: there is never a second one. Without one, nothing is inserted and null is the answer while
   * the job execution is STOPPING, or it runs and its parent is STOPPING or STOPPED.
   */
  readonly insertStepExecution: (
    row: Omit<StepExecutionRow, "id">,
    fence: Fence
  ) => Effect.Effect<Option.Option<number | null>, JobRepositoryError>
  /**
   * One statement, fenced by the epoch in the step row, the token of its job execution and, if they are given, by its numbers of commits and rollbacks.
   * Gives the status of the job.
   */
  readonly updateStepExecution: (
    row: StepExecutionRow,
    fence: Fence,
    before?: Pick<Counts, "commit" | "rollback">
  ) => Effect.Effect<Option.Option<string>, JobRepositoryError>
  /**
   * The same as a command that must be refused when it finds no row, or one with other numbers of commits or rollbacks.
   * Then there is no error. A driver that cannot leaves it out.
   *
   * @internal
   */
  readonly pipelinedUpdate?: {
    readonly database: object
    readonly encode: (
      row: StepExecutionRow,
      fence: Fence,
      before: Pick<Counts, "commit" | "rollback">
    ) => Pipelined<string, Option.Option<JobRepositoryError>>
  } | undefined
  /** Of all executions of the instance, oldest first. */
  readonly flowHistory: (
    instanceId: number
  ) => Effect.Effect<
    { readonly steps: ReadonlyArray<StepRecordRow>; readonly answers: ReadonlyArray<AnswerRecord> },
    JobRepositoryError
  >
  /** Fenced by the epoch of the job execution: none when it is not that. */
  readonly insertAnswer: (row: AnswerRow, fence: Fence) => Effect.Effect<Option.Option<void>, JobRepositoryError>
  readonly findStepExecution: (id: number) => Effect.Effect<StepExecutionRow | null, JobRepositoryError>
  readonly insertSkippedItems: (rows: ReadonlyArray<SkippedItemRow>) => Effect.Effect<void, JobRepositoryError>
  /** STARTING or STARTED becomes STOPPING. Gives the status before. */
  readonly requestStop: (executionId: number) => Effect.Effect<Option.Option<string>, JobRepositoryError>
  /** See `JobRepository.stopHint`. A driver that cannot tell leaves it out. */
  readonly stopHint?: ((executionId: number) => Effect.Effect<void>) | undefined
  /**
   * Sets status, exit and end time of the executions, raises their epoch and drops their lease. Raises the epoch of
   * all their steps too, and closes those that are running in the same way.
   */
  readonly close: (
    executionIds: ReadonlyArray<number>,
    end: {
      readonly status: string
      readonly exitCode: string
      readonly exitMessage: string
      readonly endTime: number
    }
  ) => Effect.Effect<void, JobRepositoryError>
  /** Those of partitions are left out only when `partitions` is false. */
  readonly findJobExecutions: (
    filter: ExecutionRowFilter
  ) => Effect.Effect<ReadonlyArray<JobExecutionRow>, JobRepositoryError>
  /** All that are running, with the tokens of their claims. */
  readonly findClaims: Effect.Effect<ReadonlyArray<JobExecutionRow & { readonly token: string }>, JobRepositoryError>
  /** Those of partitions are left out unless a job is given. */
  readonly findJobInstances: (
    filter: InstanceFilter
  ) => Effect.Effect<ReadonlyArray<JobInstanceRow>, JobRepositoryError>
  /** Distinct and sorted, without those of partitions. */
  readonly findJobNames: Effect.Effect<ReadonlyArray<string>, JobRepositoryError>
  /** In id order. */
  readonly findStepExecutions: (
    executionId: number
  ) => Effect.Effect<ReadonlyArray<StepExecutionRow>, JobRepositoryError>
  /** In id order. */
  readonly findStepExecutionsOf: (
    executionIds: ReadonlyArray<number>
  ) => Effect.Effect<ReadonlyArray<StepExecutionRow>, JobRepositoryError>
  /** In the order of insertion. */
  readonly findSkippedItems: (
    executionId: number
  ) => Effect.Effect<ReadonlyArray<SkippedItemRow>, JobRepositoryError>
  /** In the order of insertion. */
  readonly findSkippedPage: (
    filter: SkippedFilter
  ) => Effect.Effect<ReadonlyArray<SkippedItemRow & { readonly id: number }>, JobRepositoryError>
  /** The most frequent first, then in the order of their first ones. */
  readonly findSkippedGroups: (
    executionId: number,
    limit: number
  ) => Effect.Effect<ReadonlyArray<SkippedGroup>, JobRepositoryError>
  readonly insertAudit: (row: AuditRow) => Effect.Effect<void, JobRepositoryError>
  /** Newest first. */
  readonly findAudit: (
    executionId: number | undefined,
    limit: number
  ) => Effect.Effect<ReadonlyArray<AuditRow>, JobRepositoryError>
  /** Does nothing when it is there. */
  readonly insertNotice: (notice: Notice, createTime: number) => Effect.Effect<void, JobRepositoryError>
  readonly findNotices: (subjects: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Notice>, JobRepositoryError>
  readonly deleteNotices: (
    filter: Omit<NoticeFilter, "before"> & { readonly before: number }
  ) => Effect.Effect<void, JobRepositoryError>
  /** Of running executions that hold one. */
  readonly findLeases: Effect.Effect<ReadonlyArray<Lease>, JobRepositoryError>
  /**
   * Deletes, with the notices about each (`execution ID`), the executions of instances of which none is running, nor of what they launched as parts of themselves, and
   * which no existing instance has launched so; with all that belongs to them, then empty instances; then, whole, the
   * instances that these had launched, unless another one has too. Gives the number of executions.
   */
  readonly deleteJobExecutions: (executionIds: ReadonlyArray<number>) => Effect.Effect<number, JobRepositoryError>
  readonly partitions: EncodedPartitions
}

/**
 * Makes the repository of a driver.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeEncoded: (driver: Encoded) => Context.Tag.Service<JobRepository> = makeRepository

/**
 * A repository in memory, complete and as strict as the SQL ones: everything but surviving the process. Its
 * transactions undo what the repository wrote; writers take part with `Transactor.onRollback`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<JobRepository | Transactor.Transactor> = Layer.effectContext(
  Effect.map(
    MemoryDriver.make,
    ({ driver, transactor }) =>
      Context.make(JobRepository, makeEncoded(driver)).pipe(Context.add(Transactor.Transactor, transactor))
  )
)
