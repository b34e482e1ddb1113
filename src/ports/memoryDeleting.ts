/**
 * What the repository in memory deletes: instances with all that they launched as parts of themselves.
 */
import type { StoredExecution, Tables } from "./memoryTables.js"
import { RUNNING, stepsOf } from "./memoryTables.js"

/** See `JobRepository.Encoded.deleteJobExecutions`. */
export const deleteExecutions = (tables: Tables, executionIds: ReadonlyArray<number>): number => {
  const doomed = executionIds.flatMap((id) => {
    const stored = tables.executions.get(id)
    return stored === undefined || isBusy(tables, stored.instance.id) || isPart(tables, stored.instance.id)
      ? []
      : [stored]
  })
  return remove(tables, doomed)
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const executionsOf = (tables: Tables, instanceId: number): ReadonlyArray<StoredExecution> =>
  [...tables.executions.values()].filter((row) => row.instance.id === instanceId)

/** The instances that one has launched as parts of itself. */
const partsOf = (tables: Tables, instanceId: number): ReadonlyArray<number> => [
  ...new Set(
    [...tables.executions.values()].flatMap((row) => row.parentInstanceId === instanceId ? [row.instance.id] : [])
  )
]

const isPart = (tables: Tables, instanceId: number): boolean =>
  executionsOf(tables, instanceId).some((row) =>
    row.parentInstanceId !== null && tables.instances.has(row.parentInstanceId)
  )

const isBusy = (tables: Tables, instanceId: number): boolean =>
  executionsOf(tables, instanceId).some((row) => RUNNING.includes(row.status)) ||
  partsOf(tables, instanceId).some((part) => isBusy(tables, part))

const remove = (tables: Tables, doomed: ReadonlyArray<StoredExecution>): number => {
  for (const { id } of doomed) {
    const steps = stepsOf(tables, id).map((step) => step.id)
    tables.skipped = tables.skipped.filter((row) => !steps.includes(row.stepExecutionId))
    steps.forEach((step) => tables.steps.delete(step))
    tables.audit = tables.audit.filter((row) => row.executionId !== id)
    tables.answers = tables.answers.filter((row) => row.jobExecutionId !== id)
    tables.executions.delete(id)
  }
  const emptied = [...new Set(doomed.map(({ instance }) => instance.id))].filter((id) =>
    executionsOf(tables, id).length === 0
  )
  const parts = new Set(emptied.flatMap((id) => partsOf(tables, id)))
  for (const id of emptied) {
    const plans = [...tables.plans.values()].filter(({ instanceId }) => instanceId === id)
    plans.forEach((plan) => tables.plans.delete(plan.id))
    const planIds = new Set(plans.map((plan) => plan.id))
    tables.partitions.forEach(({ id, planId }) => planIds.has(planId) && tables.partitions.delete(id))
    tables.instances.delete(id)
  }
  const orphans = [...parts].filter((id) => !isPart(tables, id)).flatMap((id) => executionsOf(tables, id))
  return doomed.length + (orphans.length === 0 ? 0 : remove(tables, orphans))
}
