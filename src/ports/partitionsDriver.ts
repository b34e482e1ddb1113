/**
 * What a driver of the job repository does to plans and partitions.
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { JobRepositoryError } from "../vocabulary/BatchError.js"
import type { Counts } from "../vocabulary/Counts.js"
import type { Fence, LaunchRequest } from "./JobRepository.js"
import type { PartitionPlan } from "./partitions.js"

/**
 * @since 0.1.0
 * @category models
 */
export interface PartitionRow {
  readonly id: number
  readonly ordinal: number
  readonly name: string
  /** JSON text. */
  readonly input: string
  readonly instanceId: number | null
}

/**
 * What is known of a partition: `status` and what follows is of its newest execution, null when it has none.
 *
 * @since 0.1.0
 * @category models
 */
export interface PartitionFactsRow {
  readonly isWaiting: boolean
  readonly status: string | null
  /** Whether the execution that runs the plan now has launched it. */
  readonly isOfThisRun: boolean
  /** Running without a lease, FAILED with the code OWNER_DIED, or STOPPED with the code OWNER_LEFT. */
  readonly isOrphaned: boolean
  /**
   * How many executions that the execution which runs the plan now has launched of it have the code OWNER_DIED or are running;
   * 0 if the newest is neither running nor orphaned.
   */
  readonly deaths: number
}

/**
 * @since 0.1.0
 * @category models
 */
export interface PartitionStateRow extends PartitionRow, PartitionFactsRow {
  readonly executionId: number | null
  readonly exitCode: string | null
  readonly exitMessage: string | null
  readonly owner: string | null
  /** Of its claim. */
  readonly token: string | null
  readonly startTime: number | null
  readonly endTime: number | null
}

/**
 * How many partitions there are of a kind.
 *
 * @since 0.1.0
 * @category models
 */
export interface PartitionGroupRow extends PartitionFactsRow, Pick<PartitionStateRow, "owner" | "token"> {
  readonly count: number
}

/**
 * The first claim of a partition, whose execution begins at once.
 *
 * - `at`: milliseconds since the epoch.
 * - `exitCode`: of an execution that has none yet.
 *
 * @since 0.1.0
 * @category models
 */
export interface FirstClaim extends Pick<LaunchRequest, "owner" | "leaseMillis"> {
  readonly at: number
  readonly token: string
  readonly exitCode: string
}

/**
 * A partition that was taken, the plan that it was taken from, and the context of the execution which runs that.
 *
 * @since 0.1.0
 * @category models
 */
export interface TakenPartition {
  readonly partition: PartitionRow
  readonly plan: PartitionPlan
  readonly context: string
}

/**
 * A partition that was taken and claimed for the first time.
 *
 * @since 0.1.0
 * @category models
 */
export interface FirstClaimed extends TakenPartition {
  readonly jobKey: string
  readonly instanceId: number
  readonly executionId: number
}

/**
 * Single statements over the rows of plans and partitions, as in `JobRepository.Encoded`.
 *
 * @since 0.1.0
 * @category models
 */
export interface EncodedPartitions {
  /** Fenced by the row of the job execution. Also stores the partitions, all of them put up. */
  readonly insertPlan: (
    plan: PartitionPlan,
    partitions: ReadonlyArray<Pick<PartitionRow, "ordinal" | "name" | "input">>,
    fence: Fence
  ) => Effect.Effect<Option.Option<void>, JobRepositoryError>
  readonly findPlan: (planId: number) => Effect.Effect<PartitionPlan | null, JobRepositoryError>
  /** Of these jobs: open, with a parent that is STARTED. */
  readonly findOpenPlans: (
    jobNames: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<PartitionPlan>, JobRepositoryError>
  /** Fenced by the row of the job execution that the plan names. */
  readonly updatePlan: (plan: PartitionPlan, fence: Fence) => Effect.Effect<Option.Option<void>, JobRepositoryError>
  /** Only if it is this execution that runs the plan. */
  readonly close: (planId: number, executionId: number) => Effect.Effect<void, JobRepositoryError>
  /**
   * Takes down the first partition that is put up, if the plan is open and its execution STARTED; those that somebody else is
   * taking are passed over. Until the end of the transaction `close` and `updatePlan` of others wait.
   */
  readonly take: (planId: number) => Effect.Effect<TakenPartition | null, JobRepositoryError>
  /**
   * The same in a transaction of its own, together with a new instance of the partition and its first execution. Null when
   * there is nothing to take, `begun` when what comes next had an execution before, or can't be claimed like this: then nothing
   * was written. A driver that gains nothing by it leaves it out.
   */
  readonly claimFirst?:
    | ((planId: number, claim: FirstClaim) => Effect.Effect<FirstClaimed | "begun" | null, JobRepositoryError>)
    | undefined
  readonly setInstance: (partitionId: number, instanceId: number) => Effect.Effect<void, JobRepositoryError>
  /** Those that had an execution before come first. */
  readonly putUp: (partitionIds: ReadonlyArray<number>) => Effect.Effect<void, JobRepositoryError>
  /** How many there are of each kind. Of what runs, each claim is a kind of its own; of others `owner` and `token` may be null. */
  readonly groups: (planId: number) => Effect.Effect<ReadonlyArray<PartitionGroupRow>, JobRepositoryError>
  /** The same of those alone that were begun and have not completed, and of one of those that nobody has begun yet. */
  readonly unsettledGroups: (planId: number) => Effect.Effect<ReadonlyArray<PartitionGroupRow>, JobRepositoryError>
  /** The sums over all step executions of all executions of all partitions. */
  readonly sumCounts: (planId: number) => Effect.Effect<Counts, JobRepositoryError>
  /** The same by partition. */
  readonly countsOf: (
    partitionIds: ReadonlyArray<number>
  ) => Effect.Effect<ReadonlyMap<number, Counts>, JobRepositoryError>
  /** By ordinal; `unsettled`: only those that are neither put up nor COMPLETED. */
  readonly findStates: (
    planId: number,
    page: { readonly after: number; readonly limit: number; readonly unsettled: boolean }
  ) => Effect.Effect<ReadonlyArray<PartitionStateRow>, JobRepositoryError>
  /** Of COMPLETED ones, by ordinal. */
  readonly findContexts: (
    planId: number,
    page: { readonly after: number; readonly limit: number }
  ) => Effect.Effect<
    ReadonlyArray<{ readonly name: string; readonly ordinal: number; readonly context: string }>,
    JobRepositoryError
  >
  /** See `Partitions.wake`. A driver that cannot tell leaves both out. */
  readonly wake?: ((planId: number) => Effect.Effect<void>) | undefined
  readonly awaken?: ((planId: number) => Effect.Effect<void>) | undefined
}
