/**
 * What the repository in memory deletes: instances with all that they launched as parts of themselves.
 */
import type { StoredExecution, Tables } from "./memoryTables.js"
import { executionsOf, RUNNING, stepsOf } from "./memoryTables.js"

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

/** The instances that one has launched as parts of itself. */
const partsOf = (tables: Tables, instanceId: number): ReadonlyArray<number> => [
  ...new Set(tables.executions.find("root", instanceId).map(({ instance }) => instance.id))
]

const isPart = (tables: Tables, instanceId: number): boolean =>
  executionsOf(tables, instanceId).some((row) =>
    row.parentInstanceId !== null && tables.instances.get(row.parentInstanceId) !== undefined
  )

const isBusy = (tables: Tables, instanceId: number): boolean =>
  executionsOf(tables, instanceId).some((row) => RUNNING.includes(row.status)) ||
  partsOf(tables, instanceId).some((part) => isBusy(tables, part))

const remove = (tables: Tables, doomed: ReadonlyArray<StoredExecution>): number => {
  for (const { id } of doomed) {
    for (const step of stepsOf(tables, id)) {
      tables.skipped.find("step", step.id).forEach((row) => tables.skipped.delete(row.id))
      tables.steps.delete(step.id)
    }
    tables.answers.find("execution", id).forEach((row) => tables.answers.delete(row.id))
    tables.executions.delete(id)
  }
  const gone = new Set<number | null>(doomed.map(({ id }) => id))
  tables.audit = tables.audit.filter((row) => !gone.has(row.executionId))
  const subjects = new Set(doomed.map(({ id }) => `execution ${id}`))
  tables.notices = tables.notices.filter(({ subject }) => !subjects.has(subject))
  const emptied = [...new Set(doomed.map(({ instance }) => instance.id))].filter((id) =>
    executionsOf(tables, id).length === 0
  )
  const parts = new Set(emptied.flatMap((id) => partsOf(tables, id)))
  for (const id of emptied) {
    for (const plan of tables.plans.find("instance", id)) {
      tables.partitions.find("plan", plan.id).forEach((row) => tables.partitions.delete(row.id))
      tables.plans.delete(plan.id)
    }
    tables.instances.delete(id)
  }
  const orphans = [...parts].filter((id) => !isPart(tables, id)).flatMap((id) => executionsOf(tables, id))
  return doomed.length + (orphans.length === 0 ? 0 : remove(tables, orphans))
}
