/**
 * What the driver in memory keeps for people who look: skipped records, what was done by whom, what was told.
 */
import * as Effect from "effect/Effect"
import type { SkippedGroup, SkipPhase } from "../vocabulary/SkippedItem.js"
import type { Encoded, SkippedFilter, SkippedItemRow } from "./JobRepository.js"
import type { StoredSkip, Tables } from "./memoryTables.js"
import { isOfPartition, stepsOf } from "./memoryTables.js"

export const viewing = (
  tables: Tables
): Pick<
  Encoded,
  | "findSkippedItems"
  | "findSkippedPage"
  | "findSkippedGroups"
  | "insertAudit"
  | "findAudit"
  | "insertNotice"
  | "findNotices"
  | "deleteNotices"
> => ({
  findSkippedItems: (executionId) => Effect.sync(() => skippedOf(tables, executionId)),
  findSkippedPage: (filter) =>
    Effect.sync(() =>
      skippedOf(tables, filter.executionId, filter.partitions)
        .filter((row) => row.id > (filter.after ?? 0) && isAsked(filter, row))
        .slice(0, filter.limit ?? 100)
    ),
  findSkippedGroups: (executionId, limit) =>
    Effect.sync(() => groupsOf(skippedOf(tables, executionId)).slice(0, limit)),
  insertAudit: (row) =>
    Effect.sync(() => {
      tables.audit = [row, ...tables.audit]
    }),
  findAudit: (executionId, limit) =>
    Effect.sync(() =>
      tables.audit.filter((row) => executionId === undefined || row.executionId === executionId).slice(0, limit)
    ),
  insertNotice: ({ kind, subject }, createTime) =>
    Effect.sync(() => {
      if (!tables.notices.some((notice) => notice.subject === subject && notice.kind === kind)) {
        tables.notices = [...tables.notices, { subject, kind, createTime }]
      }
    }),
  findNotices: (subjects) =>
    Effect.sync(() =>
      tables.notices.flatMap(({ kind, subject }) => subjects.includes(subject) ? [{ subject, kind }] : [])
    ),
  deleteNotices: ({ before, kind, subject }) =>
    Effect.sync(() => {
      tables.notices = tables.notices.filter((notice) =>
        notice.createTime >= before || (kind !== undefined && notice.kind !== kind) ||
        (subject !== undefined && notice.subject !== subject)
      )
    })
})

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Those of its partitions are among them. */
const skippedOf = (tables: Tables, executionId: number, partitions = true): ReadonlyArray<StoredSkip> => {
  const parts = tables.executions.find("parent", executionId).filter(({ instance }) =>
    partitions && isOfPartition(tables, instance.id)
  )
  return [executionId, ...parts.map(({ id }) => id)]
    .flatMap((id) => stepsOf(tables, id))
    .flatMap((step) => tables.skipped.find("step", step.id))
    .sort((a, b) => a.id - b.id)
}

const isAsked = ({ errorTag, message, phase, stepName }: SkippedFilter, row: SkippedItemRow): boolean =>
  (stepName === undefined || row.stepName === stepName) &&
  (phase === undefined || row.phase === phase) &&
  (errorTag === undefined || row.errorTag === errorTag) &&
  (message === undefined || row.message === message)

const groupsOf = (
  rows: ReadonlyArray<SkippedItemRow & { readonly id: number }>
): ReadonlyArray<SkippedGroup> => {
  const groups = new Map<string, SkippedGroup>()
  for (const { errorTag, id, message, phase, stepName } of rows) {
    const key = JSON.stringify([stepName, phase, errorTag, message])
    const group = groups.get(key)
    groups.set(
      key,
      group === undefined
        ? { stepName, phase: phase as SkipPhase, errorTag, message, count: 1, firstId: id }
        : { ...group, count: group.count + 1 }
    )
  }
  return [...groups.values()].sort((one, other) => other.count - one.count || one.firstId - other.firstId)
}
