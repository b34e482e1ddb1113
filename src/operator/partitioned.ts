/**
 * The partitions of an execution as they are stored: where each stands, and what a restart would do about it. Memory does not
 * grow with their number.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { canonical } from "../base/json.js"
import { plural } from "../base/text.js"
import * as Measure from "../decisions/measure.js"
import * as Decision from "../decisions/partition.js"
import { planKey } from "../engine/partition/step.js"
import * as Running from "../engine/session/running.js"
import { JobRepository } from "../ports/JobRepository.js"
import type { PartitionState } from "../ports/partitions.js"
import type { JobRepositoryError, NoSuchJobExecution, UnreadableContextKey } from "../vocabulary/BatchError.js"
import * as ExecutionContext from "../vocabulary/ExecutionContext.js"
import type { Json } from "../vocabulary/ExecutionContext.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"

/**
 * Which partitions to list.
 *
 * - `standings`: only those that stand so.
 * - `order`: `slowest` first, which is the default, or as in the `plan`. Those that have not begun are the fastest.
 * - `limit`: at most so many of each step, 100 by default.
 */
export interface Filter {
  readonly standings?: ReadonlyArray<Decision.Standing> | undefined
  readonly order?: "slowest" | "plan" | undefined
  readonly limit?: number | undefined
}

/**
 * The partitions of a step.
 *
 * - `tally`: how many stand where, of all.
 * - `partitions`: those that were asked for.
 */
export interface StepPartitions {
  readonly stepName: string
  readonly tally: Decision.Tally
  readonly partitions: ReadonlyArray<PartitionState>
}

type Failure = JobRepositoryError | UnreadableContextKey

/** Of all partitioned steps of an execution, in the order in which they were run. */
export const list = (
  executionId: number,
  filter: Filter = {}
): Effect.Effect<ReadonlyArray<StepPartitions>, Failure | NoSuchJobExecution, JobRepository> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    yield* repository.jobExecution(executionId)
    const steps = yield* repository.stepExecutions(executionId)
    const plans = new Map<number, string>()
    for (const step of steps) {
      Option.map(yield* planOf(step), (id) => plans.set(id, step.stepName))
    }
    return yield* Effect.forEach(plans, ([id, stepName]) => stepPartitions(id, stepName, filter))
  })

/**
 * What would become of the partitions of a step that goes on.
 *
 * - `tally`: how many stand where.
 * - `partitions`: the first of those that have not completed, in the order of the plan.
 * - `plan`: `Keep`, or as `restart` of the step says, `Replan`, or `Refuse` because some have not completed.
 */
export interface PartitionsForecast {
  readonly tally: Decision.Tally
  readonly partitions: ReadonlyArray<PartitionForecast>
  readonly plan: "Keep" | "Replan" | "Refuse"
}

/**
 * - `run`: it has not begun.
 * - `resume`: goes on from `position` of `last`, the step that it was at; both are null when it had not come to one. `owner` had
 *   taken it, and began it at `startTime`, which is null when it died before.
 * - `follow`: it runs in another process, and is waited for.
 * - `stay`: it is left as it is, UNKNOWN or ABANDONED.
 */
export type PartitionForecast =
  & { readonly name: string; readonly executionId: number | null }
  & (
    | { readonly plan: "run" | "follow" }
    | {
      readonly plan: "resume"
      readonly position: Json
      readonly last: StepExecution | null
      readonly owner: string | null
      readonly startTime: DateTime.Utc | null
    }
    | { readonly plan: "stay"; readonly standing: Decision.Standing }
  )

/** None when the step has stored no plan: then a restart makes it. */
export const forecast = (
  step: StepExecution,
  restart: Decision.Restart
): Effect.Effect<Option.Option<PartitionsForecast>, Failure, JobRepository> =>
  Effect.gen(function*() {
    const { partitions, stepExecutionsOf } = yield* JobRepository
    const id = Option.getOrUndefined(yield* planOf(step))
    if (id === undefined || Option.isNone(yield* partitions.find(id))) {
      return Option.none()
    }
    const witness = yield* Running.witness
    const tally = yield* partitions.tally(id, witness)
    const unfinished = yield* partitions.list(id, witness, { standings: UNFINISHED, limit: FORESEEN })
    const begun = unfinished.flatMap(({ executionId }) => Option.toArray(executionId))
    // The job of a partition has one step.
    const rows = begun.length === 0 ? [] : yield* stepExecutionsOf(begun)
    const last = new Map(rows.map((row) => [row.jobExecutionId, row]))
    return Option.some({
      tally,
      plan: Decision.replanOf(restart, tally),
      partitions: unfinished.map((partition) => forecastOf(partition, last))
    })
  })

/** In words, one line each, and only so many. */
export const forecastLines = (step: string, { partitions, plan, tally }: PartitionsForecast): ReadonlyArray<string> => {
  const all = Decision.total(tally)
  if (plan !== "Keep") {
    const unfinished = Decision.unfinished(tally)
    return plan === "Refuse"
      ? [
        `${step}: refuse. Its plan is to be made anew, and ${unfinished} of ${
          plural(all, "partition")
        } have not completed`
      ]
      : [
        `${step}: make its plan anew${
          unfinished === 0 ? "" : `, and give up ${unfinished} of ${plural(all, "partition")}`
        }`
      ]
  }
  const shown = partitions.slice(0, TOLD)
  const left = all - tally.completed - shown.length
  return [
    `${step}: resume, ${tally.completed} of ${plural(all, "partition")} completed`,
    ...shown.map((partition) => `${step}/${partition.name}: ${lineOf(partition)}`),
    ...(left > 0 ? [`${step}: and ${plural(left, "further partition")}`] : [])
  ]
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Partitions that a forecast holds, and that it tells in words. */
const FORESEEN = 100
const TOLD = 10

const PAGE = 1000

const UNFINISHED: ReadonlyArray<Decision.Standing> = ["waiting", "running", "failed", "stopped", "unknown", "abandoned"]

/** The id of the plan that a step has stored, or was about to store. */
const planOf = (step: StepExecution) => ExecutionContext.get(step.context, planKey)

const stepPartitions = (planId: number, stepName: string, { limit = 100, order = "slowest", standings }: Filter) =>
  Effect.gen(function*() {
    const { partitions } = yield* JobRepository
    const witness = yield* Running.witness
    const tally = yield* partitions.tally(planId, witness)
    const found = order === "plan"
      ? yield* partitions.list(planId, witness, { standings, limit })
      : yield* slowest(planId, standings, limit)
    return { stepName, tally, partitions: found }
  })

/** Page by page: of those that are not among the slowest so far, nothing is kept. */
const slowest = (planId: number, standings: Filter["standings"], limit: number) =>
  Effect.gen(function*() {
    const { partitions } = yield* JobRepository
    const witness = yield* Running.witness
    const now = yield* DateTime.now
    const took = ({ endTime, startTime }: PartitionState): number =>
      Option.match(startTime, {
        onNone: () => -1,
        onSome: (begun) => DateTime.distance(begun, Option.getOrElse(endTime, () => now))
      })
    let kept: ReadonlyArray<PartitionState> = []
    let after = -1
    while (true) {
      const page = yield* partitions.list(planId, witness, { standings, after, limit: PAGE })
      kept = [...kept, ...page]
        .sort((self, that) => took(that) - took(self) || self.ordinal - that.ordinal)
        .slice(0, limit)
      if (page.length < PAGE) {
        return kept
      }
      after = page[page.length - 1]!.ordinal
    }
  })

const forecastOf = (
  { executionId, name, owner, standing, startTime }: PartitionState,
  steps: ReadonlyMap<number, StepExecution>
): PartitionForecast => {
  const named = { name, executionId: Option.getOrNull(executionId) }
  if (standing === "running") {
    return { ...named, plan: "follow" }
  }
  if (standing === "unknown" || standing === "abandoned") {
    return { ...named, plan: "stay", standing }
  }
  if (named.executionId === null) {
    return { ...named, plan: "run" }
  }
  const last = steps.get(named.executionId) ?? null
  return {
    ...named,
    plan: "resume",
    position: last === null ? null : Option.getOrNull(Option.map(last.checkpoint, Measure.without)),
    last,
    owner: Option.getOrNull(owner),
    startTime: Option.getOrNull(startTime)
  }
}

const lineOf = (partition: PartitionForecast): string => {
  const at = partition.executionId === null ? "" : ` (execution ${partition.executionId})`
  switch (partition.plan) {
    case "run":
      return "run"
    case "follow":
      return `wait for it, it runs elsewhere${at}`
    case "stay":
      return `leave it, it is ${partition.standing.toUpperCase()}${at}`
    case "resume": {
      const { last, owner, position, startTime } = partition
      const place = position === null ? "from the beginning" : `at ${canonical(position)}`
      const by = owner === null ? "" : ` by ${owner}`
      if (last === null) {
        return startTime === null
          ? `resume from the beginning: never begun, only taken${by}${at}`
          : `resume from the beginning: begun at ${DateTime.formatIso(startTime)}${by}, which came to no step${at}`
      }
      return `resume ${last.stepName} ${place}, after ${plural(last.counts.read, "item")} read and ${
        plural(last.counts.commit, "commit")
      }${at}`
    }
  }
}
