/**
 * The part of the job repository that knows partitions: the plan of a step, stored once with its inputs, and the children
 * that run them, each a job execution of its own.
 *
 * Who runs a partition is decided as for any other execution: by the claim of its instance. Taking one from the plan and
 * claiming it are one transaction, so nothing is ever taken and not run.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { Json } from "../base/json.js"
import { isOver } from "../decisions/claimOver.js"
import * as Decision from "../decisions/partition.js"
import type { LaunchRefused } from "../vocabulary/BatchError.js"
import { JobRepositoryError, OwnershipLost } from "../vocabulary/BatchError.js"
import * as BatchStatus from "../vocabulary/BatchStatus.js"
import type { Counts } from "../vocabulary/Counts.js"
import * as Counts_ from "../vocabulary/Counts.js"
import * as ExitStatus from "../vocabulary/ExitStatus.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import type { JobParameter } from "../vocabulary/JobParameters.js"
import { tokenOf } from "./claimToken.js"
import type { ClaimWitness, Encoded, Fence, LaunchRequest, OwnerFailure } from "./JobRepository.js"
import type { PartitionFactsRow, PartitionGroupRow, PartitionRow, PartitionStateRow } from "./partitionsDriver.js"
import * as Rows from "./repositoryRows.js"

/**
 * The execution that launches another one as a part of itself, and its instance.
 *
 * @since 0.1.0
 * @category models
 */
export interface ParentLink {
  readonly executionId: number
  readonly instanceId: number
}

/**
 * A partition as it is planned: its name, and its input as JSON.
 *
 * @since 0.1.0
 * @category models
 */
export interface NewPartition {
  readonly name: string
  readonly input: Json
}

/**
 * The plan of a step.
 *
 * - `id`: that of the step execution which made it.
 * - `executionId`, `stepExecutionId`: who runs it now.
 * - `fingerprint`: of the code that runs it now.
 * - `isOpen`: whether partitions may be begun, as far as the step is concerned.
 *
 * @since 0.1.0
 * @category models
 */
export interface PartitionPlan {
  readonly id: number
  readonly jobName: string
  readonly instanceId: number
  readonly executionId: number
  readonly stepExecutionId: number
  readonly stepName: string
  readonly fingerprint: string
  readonly size: number
  readonly isOpen: boolean
}

/**
 * A partition that this process has claimed, as an execution of its own.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClaimedPartition {
  readonly name: string
  readonly input: Json
  readonly execution: JobExecution
}

/**
 * A partition with what is known of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface PartitionState {
  readonly name: string
  readonly ordinal: number
  readonly input: Json
  readonly standing: Decision.Standing
  /** Of the newest execution. */
  readonly executionId: Option.Option<number>
  readonly status: Option.Option<BatchStatus.BatchStatus>
  readonly exitCode: string
  readonly message: string
  readonly owner: Option.Option<string>
  readonly startTime: Option.Option<DateTime.Utc>
  readonly endTime: Option.Option<DateTime.Utc>
  /** The sums over all of its executions. */
  readonly counts: Counts
}

/**
 * How a claim is made, as in `LaunchRequest`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClaimRequest extends ClaimWitness, Pick<LaunchRequest, "owner" | "leaseMillis"> {}

/**
 * - `plan`: stores a plan and all of its partitions in one transaction, fenced by the execution.
 * - `resume`: the stored plan, run by this execution from now on: what earlier ones left unfinished waits again. None when
 *   nothing was stored.
 * - `close`: as far as this execution of the parent is concerned, no further partitions may be begun; those that somebody is just taking are running when it is done.
 * - `openPlans`: the plans of these jobs whose parents are STARTED and from which something may be begun.
 * - `claim`: takes the next partition, abandoned ones first, then in the order of the plan, and claims an execution of it.
 *   None when there is nothing to take; also when the parent is not STARTED. Whether the parent's process lives is not asked:
 *   what is done now is nothing that a restart has to do.
 * - `putUp`: puts up again what lost its process; how many.
 * - `tally`, `counts`: sums over all partitions, whichever execution of the parent they ended in, each once. What is held by a
 *   claim that is over, as the witness knows, waits; so it does in `list`.
 * - `glance`: the same without what has completed, and with at most one of what nobody has begun; a look that costs no more for
 *   100,000 partitions.
 * - `list`: in the order of the plan, those after an ordinal; `standings` says which, `limit` how many at most, 100 by default.
 * - `contexts`: the contexts that completed partitions left, in the order of the plan.
 *
 * @since 0.1.0
 * @category models
 */
export interface Partitions {
  readonly plan: (
    execution: JobExecution,
    plan: Pick<PartitionPlan, "id" | "stepName" | "fingerprint">,
    partitions: ReadonlyArray<NewPartition>
  ) => Effect.Effect<void, OwnerFailure>
  readonly resume: (
    execution: JobExecution,
    plan: Pick<PartitionPlan, "id" | "stepExecutionId" | "fingerprint">,
    witness: ClaimWitness
  ) => Effect.Effect<Option.Option<PartitionPlan>, OwnerFailure>
  readonly find: (planId: number) => Effect.Effect<Option.Option<PartitionPlan>, JobRepositoryError>
  readonly close: (planId: number, executionId: number) => Effect.Effect<void, JobRepositoryError>
  readonly openPlans: (
    jobNames: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<PartitionPlan>, JobRepositoryError>
  readonly claim: (
    planId: number,
    request: ClaimRequest
  ) => Effect.Effect<Option.Option<ClaimedPartition>, JobRepositoryError>
  readonly putUp: (
    planId: number,
    witness: ClaimWitness
  ) => Effect.Effect<number, JobRepositoryError>
  readonly tally: (planId: number, witness: ClaimWitness) => Effect.Effect<Decision.Tally, JobRepositoryError>
  readonly glance: (planId: number, witness: ClaimWitness) => Effect.Effect<Decision.Tally, JobRepositoryError>
  readonly counts: (planId: number) => Effect.Effect<Counts, JobRepositoryError>
  readonly list: (
    planId: number,
    witness: ClaimWitness,
    filter?: {
      readonly standings?: ReadonlyArray<Decision.Standing> | undefined
      readonly after?: number | undefined
      readonly limit?: number | undefined
    }
  ) => Effect.Effect<ReadonlyArray<PartitionState>, JobRepositoryError>
  readonly contexts: (
    planId: number,
    page: { readonly after: number; readonly limit: number }
  ) => Effect.Effect<
    ReadonlyArray<{ readonly name: string; readonly ordinal: number; readonly context: string }>,
    JobRepositoryError
  >
  /** Wakes who waits for this plan, in whichever process. A hint, like `JobRepository.stopHint`. */
  readonly wake: (planId: number) => Effect.Effect<void>
  readonly awaken: (planId: number) => Effect.Effect<void>
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** The name of the job that the children of a step are executions of. */
export const childJobName = (jobName: string, stepName: string): string => `${jobName}/${stepName}`

/** What identifies a partition among the instances of its job. The plan stands there for a place, a round and a rerun of it. */
export const childParameters = (
  { id, instanceId }: Pick<PartitionPlan, "id" | "instanceId">,
  name: string
): ReadonlyArray<JobParameter> => [
  { name: "parentInstance", value: instanceId, identifying: true },
  { name: "plan", value: id, identifying: true },
  { name: "partition", value: name, identifying: true }
]

/** Whether an execution is that of a partition. */
export const isPartition = ({ parameters, parent }: JobExecution): boolean =>
  parent !== undefined && parameters.length === 3 &&
  parameters.every(({ name }) => name === "parentInstance" || name === "plan" || name === "partition")

type Launch = (
  driver: Encoded,
  request: LaunchRequest
) => Effect.Effect<Effect.Effect<JobExecution, LaunchRefused>, JobRepositoryError>

export const makePartitions = (driver: Encoded, launch: Launch): Partitions => ({
  ...planning(driver),
  ...taking(driver, launch),
  ...looking(driver),
  wake: driver.partitions.wake ?? (() => Effect.void),
  awaken: driver.partitions.awaken ?? (() => Effect.never)
})

const planning = (driver: Encoded): Pick<Partitions, "plan" | "resume" | "find" | "close" | "openPlans"> => ({
  plan: (execution, { fingerprint, id, stepName }, partitions) =>
    Effect.flatMap(
      transact(
        driver,
        "planPartitions",
        driver.partitions.insertPlan(
          {
            id,
            jobName: execution.instance.jobName,
            instanceId: execution.instance.id,
            executionId: execution.id,
            stepExecutionId: id,
            stepName,
            fingerprint,
            size: partitions.length,
            isOpen: true
          },
          partitions.map(({ input, name }, ordinal) => ({ ordinal, name, input: JSON.stringify(input) })),
          fenceOf(execution)
        )
      ),
      (stored) => Option.isSome(stored) ? Effect.void : lost(execution)
    ),
  resume: (execution, { fingerprint, id, stepExecutionId }, witness) =>
    Effect.flatten(transact(
      driver,
      "resumePartitions",
      Effect.gen(function*() {
        const stored = yield* driver.partitions.findPlan(id)
        if (stored === null) {
          return Effect.succeedNone
        }
        const plan: PartitionPlan = { ...stored, executionId: execution.id, stepExecutionId, fingerprint, isOpen: true }
        const updated = yield* driver.partitions.updatePlan(plan, fenceOf(execution))
        if (Option.isNone(updated)) {
          return lost(execution)
        }
        yield* putUp(driver, id, witness)
        return Effect.succeedSome(plan)
      })
    )),
  find: (planId) => Effect.map(driver.partitions.findPlan(planId), Option.fromNullable),
  close: driver.partitions.close,
  openPlans: (jobNames) => jobNames.length === 0 ? Effect.succeed([]) : driver.partitions.findOpenPlans(jobNames)
})

const taking = (driver: Encoded, launch: Launch): Pick<Partitions, "claim" | "putUp"> => ({
  claim: (planId, request) =>
    Effect.flatMap(
      claimFirst(driver, planId, request),
      (claimed) =>
        claimed === "nothing"
          ? Effect.succeedNone
          : claimed === "begun"
          ? claimAgain(driver, launch, planId, request)
          : Effect.succeedSome(claimed)
    ),
  putUp: (planId, witness) => transact(driver, "putUpPartitions", putUp(driver, planId, witness))
})

/** Of a partition that nobody has begun there is nothing to decide: it is one statement, if the driver has that. */
const claimFirst = (
  driver: Encoded,
  planId: number,
  request: ClaimRequest
): Effect.Effect<ClaimedPartition | "nothing" | "begun", JobRepositoryError> =>
  Effect.gen(function*() {
    if (driver.partitions.claimFirst === undefined) {
      return "begun"
    }
    const at = DateTime.toEpochMillis(yield* DateTime.now)
    const token = tokenOf(driver)
    request.onToken?.(token)
    const { leaseMillis, owner } = request
    const claimed = yield* driver.partitions.claimFirst(planId, {
      at,
      token,
      exitCode: ExitStatus.UNKNOWN.code,
      owner,
      leaseMillis
    })
    if (claimed === null || claimed === "begun") {
      return claimed ?? "nothing"
    }
    const { context, executionId, instanceId, jobKey, partition, plan } = claimed
    const launched = launchOf(plan, partition, context, request)
    const instance = { id: instanceId, jobName: launched.jobName, jobKey, createTime: at }
    const row = {
      ...Rows.newJobExecution(instance, launched, at),
      id: executionId,
      leaseLeftMillis: leaseMillis,
      context
    }
    const execution = yield* Effect.mapError(
      Rows.toJobExecution(row),
      (detail) => new JobRepositoryError({ operation: "claimPartition", reason: "data", detail })
    )
    return { name: partition.name, input: parsed(partition), execution: { ...execution, token } }
  })

const claimAgain = (
  driver: Encoded,
  launch: Launch,
  planId: number,
  request: ClaimRequest
): Effect.Effect<Option.Option<ClaimedPartition>, JobRepositoryError> =>
  Effect.flatMap(
    transact(driver, "claimPartition", takeOne(driver, launch, planId, request)),
    (taken) =>
      taken === "nothing"
        ? Effect.succeedNone
        : taken === "refused"
        ? claimAgain(driver, launch, planId, request)
        : Effect.succeedSome(taken)
  )

/** As there is nothing to do before, its execution begins with the claim. */
const launchOf = (
  plan: PartitionPlan,
  { instanceId, name }: PartitionRow,
  context: string,
  request: ClaimRequest
): LaunchRequest => ({
  ...request,
  jobName: childJobName(plan.jobName, plan.stepName),
  parameters: childParameters(plan, name),
  restartable: true,
  parent: { executionId: plan.executionId, instanceId: plan.instanceId },
  context: instanceId === null ? context : undefined,
  begins: true
})

/**
 * `refused`: somebody else has it, or it has ended; then it is not put up any more. That happens when it was put up by two
 * who had both found its process dead.
 */
const takeOne = (
  driver: Encoded,
  launch: Launch,
  planId: number,
  request: ClaimRequest
): Effect.Effect<ClaimedPartition | "nothing" | "refused", JobRepositoryError> =>
  Effect.gen(function*() {
    const taken = yield* driver.partitions.take(planId)
    if (taken === null) {
      return "nothing"
    }
    const { context, partition: row, plan } = taken
    const launched = yield* launch(driver, launchOf(plan, row, context, request))
    const claimed = yield* Effect.either(launched)
    if (Either.isLeft(claimed)) {
      return "refused"
    }
    const execution = claimed.right
    if (row.instanceId === null) {
      yield* driver.partitions.setInstance(row.id, execution.instance.id)
    }
    return { name: row.name, input: parsed(row), execution }
  })

const looking = (driver: Encoded): Pick<Partitions, "tally" | "glance" | "counts" | "list" | "contexts"> => ({
  tally: (planId, witness) => Effect.map(driver.partitions.groups(planId), tallyOf(witness)),
  glance: (planId, witness) => Effect.map(driver.partitions.unsettledGroups(planId), tallyOf(witness)),
  counts: driver.partitions.sumCounts,
  list: (planId, witness, { after = -1, limit = 100, standings } = {}) =>
    Effect.gen(function*() {
      const found: Array<PartitionStateRow> = []
      let from = after
      while (found.length < limit) {
        const page = yield* driver.partitions.findStates(planId, { after: from, limit: PAGE, unsettled: false })
        found.push(...page.filter((row) => standings === undefined || standings.includes(standingOf(row, witness))))
        if (page.length < PAGE) {
          break
        }
        from = page[page.length - 1]!.ordinal
      }
      const rows = found.slice(0, limit)
      const counts = yield* driver.partitions.countsOf(rows.map(({ id }) => id))
      return rows.map((row) => toState(row, witness, counts.get(row.id)))
    }),
  contexts: driver.partitions.findContexts
})

const PAGE = 1000

/** The rows that wait without having been put up are found by the same decision that counts them. */
const putUp = (
  driver: Encoded,
  planId: number,
  witness: ClaimWitness
): Effect.Effect<number, JobRepositoryError> =>
  Effect.gen(function*() {
    yield* driver.limitLeases
    let count = 0
    let after = -1
    while (true) {
      const page = yield* driver.partitions.findStates(planId, { after, limit: PAGE, unsettled: true })
      const ids = page.filter((row) => Decision.isToPutUp(factsOf(row, witness))).map(({ id }) => id)
      if (ids.length > 0) {
        yield* driver.partitions.putUp(ids)
      }
      count += ids.length
      if (page.length < PAGE) {
        return count
      }
      after = page[page.length - 1]!.ordinal
    }
  })

const factsOf = (
  row: PartitionFactsRow & Pick<PartitionStateRow, "owner" | "token">,
  witness: ClaimWitness
): Decision.Facts => {
  const status = row.status as BatchStatus.BatchStatus | null
  const isRunning = status !== null && BatchStatus.isRunning(status)
  const claim = { leaseLeftMillis: 0, owner: row.owner, token: row.token ?? "" }
  return {
    ...row,
    status,
    // What is known of its lease is part of the row.
    isOrphaned: row.isOrphaned || (isRunning && isOver(claim, witness))
  }
}

const tallyOf = (witness: ClaimWitness) => (groups: ReadonlyArray<PartitionGroupRow>): Decision.Tally =>
  Decision.tallyOf(groups.map((group) => ({ ...factsOf(group, witness), count: group.count })))

const standingOf = (row: PartitionStateRow, witness: ClaimWitness): Decision.Standing =>
  Decision.standingOf(factsOf(row, witness))

const toState = (row: PartitionStateRow, witness: ClaimWitness, counts: Counts | undefined): PartitionState => ({
  name: row.name,
  ordinal: row.ordinal,
  input: parsed(row),
  standing: standingOf(row, witness),
  executionId: Option.fromNullable(row.executionId),
  status: Option.fromNullable(row.status as BatchStatus.BatchStatus | null),
  exitCode: row.exitCode ?? "",
  message: row.exitMessage ?? "",
  owner: Option.fromNullable(row.owner),
  startTime: Option.map(Option.fromNullable(row.startTime), DateTime.unsafeMake),
  endTime: Option.map(Option.fromNullable(row.endTime), DateTime.unsafeMake),
  counts: counts ?? Counts_.empty
})

/** Text that this module has written. */
const parsed = ({ input }: PartitionRow): Json => JSON.parse(input) as Json

const fenceOf = ({ epoch, token = "" }: JobExecution): Fence => ({ epoch, token })

const lost = ({ epoch, id }: JobExecution) => Effect.fail(new OwnershipLost({ executionId: id, epoch }))

const transact = <A, R>(driver: Encoded, operation: string, effect: Effect.Effect<A, JobRepositoryError, R>) =>
  Effect.mapError(
    driver.transact(effect),
    ({ cause, detail, reason }) => new JobRepositoryError({ operation, reason, detail, cause })
  )
