/**
 * Plans and partitions in memory.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Hints from "../base/hints.js"
import type { Counts } from "../vocabulary/Counts.js"
import * as Counts_ from "../vocabulary/Counts.js"
import type { StoredExecution, StoredPartition, Tables } from "./memoryTables.js"
import { executionsOf, fenced, put, RUNNING, stepsOf, waitingKey } from "./memoryTables.js"
import type { PartitionPlan } from "./partitions.js"
import type { EncodedPartitions, PartitionFactsRow, PartitionStateRow } from "./partitionsDriver.js"

export const partitions = (tables: Tables): EncodedPartitions => ({
  ...planning(tables),
  ...taking(tables),
  ...looking(tables),
  ...waking()
})

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const planning = (
  tables: Tables
): Pick<EncodedPartitions, "insertPlan" | "findPlan" | "findOpenPlans" | "updatePlan" | "close"> => ({
  insertPlan: (plan, rows, fence) =>
    fenced(tables, plan.executionId, fence, () =>
      Effect.zipRight(
        put(tables.plans, plan),
        Effect.forEach(
          rows,
          (row) =>
            Effect.suspend(() =>
              put(tables.partitions, { ...row, id: tables.nextId++, planId: plan.id, instanceId: null, waiting: 1 })
            ),
          { discard: true }
        )
      )),
  findPlan: (planId) => Effect.sync(() => tables.plans.get(planId) ?? null),
  findOpenPlans: (jobNames) =>
    Effect.sync(() =>
      [...new Set(jobNames)].flatMap((jobName) => tables.plans.find("job", jobName))
        .filter((plan) => isTakeable(tables, plan))
        .sort((a, b) => a.id - b.id)
    ),
  updatePlan: (plan, fence) => fenced(tables, plan.executionId, fence, () => put(tables.plans, plan)),
  close: (planId, executionId) =>
    Effect.suspend(() => {
      const plan = tables.plans.get(planId)
      return plan?.executionId === executionId ? put(tables.plans, { ...plan, isOpen: false }) : Effect.void
    })
})

const isTakeable = (tables: Tables, { executionId, isOpen }: PartitionPlan): boolean =>
  isOpen && tables.executions.get(executionId)?.status === "STARTED"

const taking = (tables: Tables): Pick<EncodedPartitions, "take" | "setInstance" | "putUp"> => ({
  take: (planId) =>
    Effect.suspend(() => {
      const plan = tables.plans.get(planId)
      const first = plan === undefined || !isTakeable(tables, plan) ? undefined : firstWaiting(tables, planId)
      return plan === undefined || first === undefined ? Effect.succeed(null) : Effect.as(
        put(tables.partitions, { ...first, waiting: null }),
        { partition: first, plan, context: tables.executions.get(plan.executionId)?.context ?? "{}" }
      )
    }),
  setInstance: (partitionId, instanceId) => changed(tables, partitionId, { instanceId }),
  putUp: (partitionIds) =>
    Effect.forEach(
      partitionIds,
      (id) => changed(tables, id, { waiting: tables.partitions.get(id)?.instanceId == null ? 1 : 0 }),
      { discard: true }
    )
})

const changed = (tables: Tables, id: number, changes: Partial<StoredPartition>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const row = tables.partitions.get(id)
    return row === undefined ? Effect.void : put(tables.partitions, { ...row, ...changes })
  })

/** In the order of their ids, which is that of the plan; what had an execution before comes first. */
const firstWaiting = (tables: Tables, planId: number): StoredPartition | undefined => {
  const waiting = ([0, 1] as const).flatMap((kind) =>
    tables.partitions.ids("waiting", waitingKey(planId, kind))[0] ?? []
  )
  return waiting[0] === undefined ? undefined : tables.partitions.get(waiting[0])
}

const looking = (
  tables: Tables
): Pick<
  EncodedPartitions,
  "groups" | "unsettledGroups" | "sumCounts" | "countsOf" | "findStates" | "findContexts"
> => ({
  groups: (planId) => grouped(tables, () => rowsOf(tables, planId)),
  unsettledGroups: (planId) =>
    grouped(tables, () => {
      const [first] = tables.partitions.ids("waiting", waitingKey(planId, 1))
      return [...unsettledOf(tables, planId), ...(first === undefined ? [] : [tables.partitions.get(first)!])]
    }),
  sumCounts: (planId) =>
    Effect.sync(() => Counts_.combineAll(rowsOf(tables, planId).map((row) => countsOf(tables, row)))),
  countsOf: (partitionIds) =>
    Effect.sync(() =>
      new Map(partitionIds.flatMap((id) => {
        const row = tables.partitions.get(id)
        return row === undefined ? [] : [[id, countsOf(tables, row)] as const]
      }))
    ),
  findStates: (planId, { after, limit, unsettled }) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const found: Array<PartitionStateRow> = []
      const rows = unsettled
        ? unsettledOf(tables, planId).filter(({ ordinal, waiting }) => waiting === null && ordinal > after)
        : behind(tables, planId, after)
      for (const row of rows) {
        found.push(stateOf(tables, row, now))
        if (found.length === limit) {
          break
        }
      }
      return found
    }),
  findContexts: (planId, { after, limit }) =>
    Effect.sync(() => {
      const found: Array<{ readonly name: string; readonly ordinal: number; readonly context: string }> = []
      for (const row of behind(tables, planId, after)) {
        const newest = newestOf(tables, row)
        if (newest?.status === "COMPLETED") {
          found.push({ name: row.name, ordinal: row.ordinal, context: newest.context })
        }
        if (found.length === limit) {
          break
        }
      }
      return found
    })
})

/** By ordinal: they got their ids in this order. */
const rowsOf = (tables: Tables, planId: number): ReadonlyArray<StoredPartition> =>
  tables.partitions.find("plan", planId)

/** Those with a greater ordinal, without a look at the others: there is one for each ordinal. */
function* behind(tables: Tables, planId: number, after: number): Iterable<StoredPartition> {
  const ids = tables.partitions.ids("plan", planId)
  for (let ordinal = Math.max(0, after + 1); ordinal < ids.length; ordinal++) {
    yield tables.partitions.get(ids[ordinal]!)!
  }
}

/** What was begun and has not completed, by ordinal, without a look at what has. */
const unsettledOf = (tables: Tables, planId: number): ReadonlyArray<StoredPartition> => {
  const plan = tables.plans.get(planId)
  const rows = plan === undefined ? [] : tables.executions.find("unsettled", plan.instanceId).flatMap((execution) => {
    const row = tables.partitions.find("instance", execution.instance.id)[0]
    return row !== undefined && row.planId === planId && newestOf(tables, row) === execution ? [row] : []
  })
  return rows.sort((a, b) => a.ordinal - b.ordinal)
}

const grouped = (tables: Tables, rows: () => ReadonlyArray<StoredPartition>) =>
  Effect.map(
    Clock.currentTimeMillis,
    (now) =>
      rows().map((row) => {
        const { owner = null, token = null } = newestOf(tables, row) ?? {}
        return { ...factsOf(tables, row, now), owner, token, count: 1 }
      })
  )

/** Oldest first. */
const runsOf = (tables: Tables, { instanceId }: StoredPartition): ReadonlyArray<StoredExecution> =>
  instanceId === null ? [] : executionsOf(tables, instanceId)

const newestOf = (tables: Tables, { instanceId }: StoredPartition): StoredExecution | undefined => {
  const ids = instanceId === null ? [] : tables.executions.ids("instance", instanceId)
  return ids.length === 0 ? undefined : tables.executions.get(ids[ids.length - 1]!)
}

const countsOf = (tables: Tables, row: StoredPartition): Counts =>
  Counts_.combineAll(
    runsOf(tables, row).flatMap(({ id }) => stepsOf(tables, id)).map((step) => ({
      read: step.readCount,
      write: step.writeCount,
      filter: step.filterCount,
      readSkip: step.readSkipCount,
      processSkip: step.processSkipCount,
      writeSkip: step.writeSkipCount,
      commit: step.commitCount,
      rollback: step.rollbackCount
    }))
  )

const stateOf = (tables: Tables, row: StoredPartition, now: number): PartitionStateRow => {
  const newest = newestOf(tables, row)
  return {
    id: row.id,
    ordinal: row.ordinal,
    name: row.name,
    input: row.input,
    instanceId: row.instanceId,
    executionId: newest?.id ?? null,
    exitCode: newest?.exitCode ?? null,
    exitMessage: newest?.exitMessage ?? null,
    owner: newest?.owner ?? null,
    token: newest?.token ?? null,
    startTime: newest?.startTime ?? null,
    endTime: newest?.endTime ?? null,
    ...factsOf(tables, row, now)
  }
}

const factsOf = (tables: Tables, row: StoredPartition, now: number): PartitionFactsRow => {
  const executionId = tables.plans.get(row.planId)?.executionId
  const newest = newestOf(tables, row)
  const isRunning = newest !== undefined && RUNNING.includes(newest.status)
  const isDead = (newest?.status === "FAILED" && newest.exitCode === "OWNER_DIED") ||
    (newest?.status === "STOPPED" && newest.exitCode === "OWNER_LEFT")
  return {
    isWaiting: row.waiting !== null,
    status: newest?.status ?? null,
    isOfThisRun: newest !== undefined && newest.parentExecutionId === executionId,
    isOrphaned: isDead || (isRunning && (newest.leaseUntil === null || newest.leaseUntil < now)),
    deaths: isDead || isRunning
      ? runsOf(tables, row).filter(({ exitCode, parentExecutionId, status }) =>
        parentExecutionId === executionId && (exitCode === "OWNER_DIED" || RUNNING.includes(status))
      ).length
      : 0
  }
}

/** In memory everybody who may wait is in this process. */
const waking = (): Required<Pick<EncodedPartitions, "wake" | "awaken">> => {
  const { give, next } = Hints.make()
  return { wake: (planId) => Effect.sync(() => give(planId)), awaken: next }
}
