/**
 * Plans and partitions in memory.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Counts } from "../vocabulary/Counts.js"
import * as Counts_ from "../vocabulary/Counts.js"
import type { StoredExecution, StoredPartition, Tables } from "./memoryTables.js"
import { fenced, put, RUNNING, stepsOf } from "./memoryTables.js"
import type { EncodedPartitions, PartitionFactsRow, PartitionPlan, PartitionStateRow } from "./partitions.js"

/** Whether the instance is that of a partition. */
export const isOfPartition = (tables: Tables): (instanceId: number) => boolean => {
  const instances = new Set([...tables.partitions.values()].map(({ instanceId }) => instanceId))
  return (instanceId) => instances.has(instanceId)
}

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
): Pick<EncodedPartitions, "insertPlan" | "findPlan" | "findOpenPlans" | "updatePlan" | "setOpen"> => ({
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
      [...tables.plans.values()].filter((plan) => jobNames.includes(plan.jobName) && isTakeable(tables, plan))
    ),
  updatePlan: (plan, fence) => fenced(tables, plan.executionId, fence, () => put(tables.plans, plan)),
  setOpen: (planId, isOpen) =>
    Effect.suspend(() => {
      const plan = tables.plans.get(planId)
      return plan === undefined ? Effect.void : put(tables.plans, { ...plan, isOpen })
    })
})

const isTakeable = (tables: Tables, { executionId, isOpen }: PartitionPlan): boolean =>
  isOpen && tables.executions.get(executionId)?.status === "STARTED"

const taking = (tables: Tables): Pick<EncodedPartitions, "take" | "setInstance" | "putUp"> => ({
  take: (planId) =>
    Effect.suspend(() => {
      const plan = tables.plans.get(planId)
      const first = plan === undefined || !isTakeable(tables, plan) ? undefined : firstWaiting(tables, planId)
      return first === undefined
        ? Effect.succeed(null)
        : Effect.as(put(tables.partitions, { ...first, waiting: null }), first)
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
  let fresh: StoredPartition | undefined
  for (const row of tables.partitions.values()) {
    if (row.planId === planId && row.waiting === 0) {
      return row
    }
    if (row.planId === planId && row.waiting === 1) {
      fresh ??= row
    }
  }
  return fresh
}

const looking = (
  tables: Tables
): Pick<EncodedPartitions, "groups" | "sumCounts" | "countsOf" | "findStates" | "findContexts"> => ({
  groups: (planId) =>
    Effect.map(
      Clock.currentTimeMillis,
      (now) =>
        statesOf(tables, planId, now).map(({ deaths, isOfThisRun, isOrphaned, isWaiting, status }) => ({
          deaths,
          isOfThisRun,
          isOrphaned,
          isWaiting,
          status,
          count: 1
        }))
    ),
  sumCounts: (planId) =>
    Effect.sync(() => {
      const executions = executionsOf(tables)
      return Counts_.combineAll(rowsOf(tables, planId).map((row) => countsOf(tables, executions(row))))
    }),
  countsOf: (partitionIds) =>
    Effect.sync(() =>
      new Map(partitionIds.flatMap((id) => {
        const row = tables.partitions.get(id)
        return row === undefined ? [] : [[id, countsOf(tables, executionsOf(tables)(row))] as const]
      }))
    ),
  findStates: (planId, { after, limit, unsettled }) =>
    Effect.map(Clock.currentTimeMillis, (now) =>
      statesOf(tables, planId, now)
        .filter((row) => row.ordinal > after && (!unsettled || (!row.isWaiting && row.status !== "COMPLETED")))
        .slice(0, limit)),
  findContexts: (planId, { after, limit }) =>
    Effect.sync(() => {
      const executions = executionsOf(tables)
      return rowsOf(tables, planId)
        .filter(({ ordinal }) => ordinal > after)
        .flatMap((row) => {
          const newest = newestOf(executions(row))
          return newest?.status === "COMPLETED"
            ? [{ name: row.name, ordinal: row.ordinal, context: newest.context }]
            : []
        })
        .slice(0, limit)
    })
})

const rowsOf = (tables: Tables, planId: number): ReadonlyArray<StoredPartition> =>
  [...tables.partitions.values()].filter((row) => row.planId === planId).sort((a, b) => a.ordinal - b.ordinal)

/** The executions of each partition, oldest first. */
const executionsOf = (tables: Tables): (row: StoredPartition) => ReadonlyArray<StoredExecution> => {
  const found = new Map<number, Array<StoredExecution>>()
  for (const row of [...tables.executions.values()].sort((a, b) => a.id - b.id)) {
    const others = found.get(row.instance.id)
    if (others === undefined) {
      found.set(row.instance.id, [row])
    } else {
      others.push(row)
    }
  }
  return ({ instanceId }) => instanceId === null ? [] : found.get(instanceId) ?? []
}

const newestOf = (executions: ReadonlyArray<StoredExecution>): StoredExecution | undefined =>
  executions[executions.length - 1]

const countsOf = (tables: Tables, executions: ReadonlyArray<StoredExecution>): Counts =>
  Counts_.combineAll(
    executions.flatMap(({ id }) => stepsOf(tables, id)).map((step) => ({
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

const statesOf = (tables: Tables, planId: number, now: number): ReadonlyArray<PartitionStateRow> => {
  const plan = tables.plans.get(planId)
  const executions = executionsOf(tables)
  return plan === undefined ? [] : rowsOf(tables, planId).map((row) => {
    const newest = newestOf(executions(row))
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
      startTime: newest?.startTime ?? null,
      endTime: newest?.endTime ?? null,
      ...facts(plan, row, executions(row), now)
    }
  })
}

const facts = (
  plan: PartitionPlan,
  row: StoredPartition,
  executions: ReadonlyArray<StoredExecution>,
  now: number
): PartitionFactsRow => {
  const newest = newestOf(executions)
  const isRunning = newest !== undefined && RUNNING.includes(newest.status)
  const isDead = (newest?.status === "FAILED" && newest.exitCode === "OWNER_DIED") ||
    (newest?.status === "STOPPED" && newest.exitCode === "OWNER_LEFT")
  return {
    isWaiting: row.waiting !== null,
    status: newest?.status ?? null,
    isOfThisRun: newest?.parentExecutionId === plan.executionId,
    isOrphaned: isDead || (isRunning && (newest.leaseUntil === null || newest.leaseUntil < now)),
    deaths: isDead || isRunning
      ? executions.filter(({ exitCode, parentExecutionId, status }) =>
        parentExecutionId === plan.executionId && (exitCode === "OWNER_DIED" || RUNNING.includes(status))
      ).length
      : 0
  }
}

/** In memory everybody who may wait is in this process. A call that comes while nobody waits is remembered. */
const waking = (): Required<Pick<EncodedPartitions, "wake" | "awaken">> => {
  const waiting = new Map<number, Set<() => void>>()
  const missed = new Set<number>()
  return {
    wake: (planId) =>
      Effect.sync(() => {
        const all = waiting.get(planId)
        if (all === undefined) {
          missed.add(planId)
          return
        }
        waiting.delete(planId)
        all.forEach((wake) => wake())
      }),
    awaken: (planId) =>
      Effect.async<void>((resume) => {
        if (missed.delete(planId)) {
          return resume(Effect.void)
        }
        const wake = () => resume(Effect.void)
        const all = waiting.get(planId) ?? new Set()
        waiting.set(planId, all.add(wake))
        return Effect.sync(() => {
          all.delete(wake)
          if (all.size === 0 && waiting.get(planId) === all) {
            waiting.delete(planId)
          }
        })
      })
  }
}
