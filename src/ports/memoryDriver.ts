/**
 * The driver that keeps the rows in memory. It is as strict as the SQL drivers: rows hold JSON text, leases follow
 * the clock, one execution of an instance can run, and a rolled back transaction leaves nothing behind.
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { MEMORY, withDatabase } from "./address.js"
import type { Encoded, ExecutionRowFilter, JobExecutionRow, JobInstanceRow } from "./JobRepository.js"
import { deleteExecutions } from "./memoryDeleting.js"
import { partitions } from "./memoryPartitions.js"
import type { StoredExecution, Tables } from "./memoryTables.js"
import {
  changing,
  empty,
  executionsOf,
  fenced,
  instanceName,
  isOfPartition,
  newestFirst,
  put,
  replace,
  RUNNING,
  stepsOf
} from "./memoryTables.js"
import * as MemoryViews from "./memoryViews.js"
import * as Transactor from "./Transactor.js"

/** A driver with tables of its own, and the transactor that can undo what it does. */
export const make: Effect.Effect<{
  readonly driver: Encoded
  readonly transactor: Context.Tag.Service<Transactor.Transactor>
}> = Effect.map(Effect.makeSemaphore(1), (mutex) => {
  const transactor = Transactor.make((effect) => effect, (effect) => effect)
  withDatabase(transactor.transact, MEMORY)
  const tables = empty()
  return {
    transactor,
    driver: {
      ...launching(tables, transactor, mutex),
      ...runningJobs(tables),
      ...runningSteps(tables),
      ...operating(tables),
      ...querying(tables),
      ...MemoryViews.viewing(tables),
      partitions: partitions(tables)
    }
  }
})

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Outside of the transaction that is open: its rollback does not undo what an operator was told is done. */
const apart = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.locally(effect, Transactor.CurrentTransaction, undefined)

const BLOCKING: ReadonlyArray<string> = [...RUNNING, "UNKNOWN", "COMPLETED", "ABANDONED"]

const launching = (
  tables: Tables,
  transactor: Context.Tag.Service<Transactor.Transactor>,
  mutex: Effect.Semaphore
): Pick<
  Encoded,
  "transact" | "lockInstance" | "launchHistory" | "limitLeases" | "findLeases" | "insertJobExecution"
> => ({
  transact: (effect) =>
    mutex.withPermits(1)(apart(transactor.transact(effect))).pipe(
      Effect.catchAll((error) => Effect.fail(error as Exclude<typeof error, { readonly _tag: "TransactionError" }>))
    ),
  lockInstance: ({ createTime, jobKey, jobName }) =>
    Effect.suspend(() => {
      const [found] = tables.instances.find("name", instanceName({ jobName, jobKey }))
      if (found !== undefined) {
        return Effect.succeed(found)
      }
      const instance: JobInstanceRow = { id: tables.nextId++, jobName, jobKey, createTime }
      return Effect.as(put(tables.instances, instance), instance)
    }),
  launchHistory: (instanceId) =>
    withNow((now) => {
      return newestFirst(executionsOf(tables, instanceId))
        .filter((row, index) => index === 0 || BLOCKING.includes(row.status))
        .slice(0, 50)
        .map((row) => ({
          ...toRow(row, now),
          token: row.token,
          hasUnknownStep: stepsOf(tables, row.id).some((step) => step.status === "UNKNOWN")
        }))
    }),
  limitLeases: Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.forEach(
      tables.executions.find("running", "running").filter(({ leaseMillis, leaseUntil }) =>
        leaseUntil !== null && leaseUntil > now + leaseMillis
      ),
      (row) => put(tables.executions, { ...row, leaseUntil: now + row.leaseMillis }),
      { discard: true }
    )),
  findLeases: Effect.map(
    Clock.currentTimeMillis,
    (now) =>
      tables.executions.find("running", "running").flatMap(({ id, leaseMillis, leaseUntil }) =>
        leaseUntil === null
          ? []
          : [{ executionId: id, leftMillis: leaseUntil - now, lengthMillis: leaseMillis }]
      )
  ),
  insertJobExecution: (row, leaseMillis, token) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const id = tables.nextId++
      return Effect.as(put(tables.executions, { ...row, id, leaseMillis, leaseUntil: now + leaseMillis, token }), id)
    })
})

const runningJobs = (tables: Tables): Pick<Encoded, "updateJobExecution" | "renewLease"> => ({
  updateJobExecution: (row, fence, releaseLease) =>
    fenced(tables, row.id, fence, (stored) => {
      const status = stored.status === "STOPPING" && row.status === "STARTED" ? "STOPPING" : row.status
      const { leaseLeftMillis: _, ...fields } = row
      return Effect.as(
        put(tables.executions, {
          ...fields,
          parentExecutionId: stored.parentExecutionId,
          parentInstanceId: stored.parentInstanceId,
          causes: row.causes ?? stored.causes,
          status,
          token: stored.token,
          leaseMillis: stored.leaseMillis,
          leaseUntil: releaseLease ? null : stored.leaseUntil
        }),
        status
      )
    }),
  renewLease: (executionId, fence, leaseMillis) =>
    fenced(
      tables,
      executionId,
      fence,
      (stored) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          const leaseUntil = RUNNING.includes(stored.status) ? now + leaseMillis : null
          const status = isToStop(tables, stored) ? "STOPPING" : stored.status
          return Effect.as(put(tables.executions, { ...stored, leaseUntil, status }), status)
        })
    )
})

/** Whoever launched it has been stopped meanwhile. */
const isToStop = ({ executions }: Tables, { parentExecutionId, status }: StoredExecution): boolean =>
  (status === "STARTING" || status === "STARTED") && parentExecutionId !== null &&
  ["STOPPING", "STOPPED"].includes(executions.get(parentExecutionId)?.status ?? "")

const runningSteps = (
  tables: Tables
): Pick<Encoded, "insertStepExecution" | "updateStepExecution" | "insertSkippedItems" | "insertAnswer"> => ({
  insertAnswer: (row, fence) =>
    fenced(tables, row.jobExecutionId, fence, () => put(tables.answers, { ...row, id: tables.nextId++ })),
  insertStepExecution: (row, fence) =>
    fenced(tables, row.jobExecutionId, fence, (execution) => {
      const earlier = row.place === null ? undefined : tables.steps.find("execution", row.jobExecutionId).find(
        ({ place, round }) => place === row.place && round === row.round
      )
      if (earlier !== undefined) {
        return Effect.succeed<number | null>(earlier.id)
      }
      if (execution.status === "STOPPING" || isToStop(tables, execution)) {
        return Effect.succeed(null)
      }
      const id = tables.nextId++
      return Effect.as(put(tables.steps, { ...row, id, epoch: fence.epoch }), id)
    }),
  updateStepExecution: (row, { epoch, token }, before) =>
    Effect.clockWith((clock) =>
      changing((open) => {
        const stored = tables.steps.get(row.id)
        const execution = tables.executions.get(row.jobExecutionId)
        if (
          stored === undefined || execution === undefined || stored.epoch !== epoch || execution.token !== token ||
          (before !== undefined && (stored.commitCount !== before.commit || stored.rollbackCount !== before.rollback))
        ) {
          return Option.none()
        }
        // `epoch` first: V8 takes four times as long to let a copy grow, and this is done for every chunk.
        const saved = { epoch, ...row }
        replace(open, tables.steps, stored.causes === null ? saved : { ...saved, causes: row.causes ?? stored.causes })
        if (execution.leaseUntil !== null) {
          const leaseUntil = clock.unsafeCurrentTimeMillis() + execution.leaseMillis
          replace(open, tables.executions, Object.assign({ ...execution }, { leaseUntil }))
        }
        return Option.some(execution.status)
      })
    ),
  insertSkippedItems: (rows) =>
    changing((open) => rows.forEach((row) => replace(open, tables.skipped, { ...row, id: tables.nextId++ })))
})

const operating = (
  tables: Tables
): Pick<Encoded, "requestStop" | "close" | "deleteJobExecutions"> => ({
  requestStop: (executionId) =>
    Effect.suspend(() => {
      const stored = tables.executions.get(executionId)
      if (stored === undefined) {
        return Effect.succeed(Option.none())
      }
      return stored.status === "STARTING" || stored.status === "STARTED"
        ? Effect.as(apart(put(tables.executions, { ...stored, status: "STOPPING" })), Option.some(stored.status))
        : Effect.succeed(Option.some(stored.status))
    }),
  close: (executionIds, end) =>
    Effect.forEach(executionIds, (id) =>
      Effect.suspend(() => {
        const stored = tables.executions.get(id)
        return stored === undefined ? Effect.void : Effect.zipRight(
          put(tables.executions, {
            ...stored,
            ...end,
            epoch: stored.epoch + 1,
            leaseUntil: null,
            lastUpdated: end.endTime
          }),
          Effect.forEach(stepsOf(tables, id), (step) =>
            put(tables.steps, {
              ...step,
              ...(RUNNING.includes(step.status) ? { ...end, lastUpdated: end.endTime } : {}),
              epoch: step.epoch + 1
            }), { discard: true })
        )
      }), { discard: true }),
  deleteJobExecutions: (executionIds) => Effect.sync(() => deleteExecutions(tables, executionIds))
})

const querying = (
  tables: Tables
): Pick<
  Encoded,
  | "flowHistory"
  | "findStepExecution"
  | "findJobExecutions"
  | "findClaims"
  | "findJobInstances"
  | "findJobNames"
  | "findStepExecutions"
  | "findStepExecutionsOf"
> => ({
  flowHistory: (instanceId) =>
    Effect.sync(() => {
      const executions = executionsOf(tables, instanceId)
      return {
        steps: executions.flatMap(({ id }) => stepsOf(tables, id)).sort((a, b) => a.id - b.id),
        answers: executions.flatMap(({ id }) => tables.answers.find("execution", id)).sort((a, b) => a.id - b.id)
          .map(({ id: _, ...answer }) => answer)
      }
    }),
  findStepExecution: (id) => Effect.sync(() => tables.steps.get(id) ?? null),
  findJobExecutions: (filter) =>
    withNow((now) => {
      return newestFirst(candidates(tables, filter))
        .filter((row) =>
          matches(filter, row) && (filter.partitions !== false || !isOfPartition(tables, row.instance.id))
        )
        .slice(0, filter.limit ?? 100)
        .map((row) => toRow(row, now))
    }),
  findClaims: withNow((now) =>
    tables.executions.find("running", "running").map((row) => ({ ...toRow(row, now), token: row.token }))
  ),
  findJobInstances: ({ before, jobKey, jobName, limit }) =>
    Effect.sync(() => {
      const rows = jobName === undefined || jobKey === undefined
        ? tables.instances.values()
        : tables.instances.find("name", instanceName({ jobName, jobKey }))
      return newestFirst(rows)
        .filter((row) =>
          (jobName === undefined || row.jobName === jobName) && (jobKey === undefined || row.jobKey === jobKey) &&
          (before === undefined || row.id < before) && (jobName !== undefined || !isOfPartition(tables, row.id))
        )
        .slice(0, limit ?? 100)
    }),
  findJobNames: Effect.sync(() =>
    [
      ...new Set([...tables.instances.values()].flatMap(({ id, jobName }) => isOfPartition(tables, id) ? [] : jobName))
    ].sort()
  ),
  findStepExecutions: (executionId) => Effect.sync(() => stepsOf(tables, executionId)),
  findStepExecutionsOf: (executionIds) =>
    Effect.sync(() => [...new Set(executionIds)].flatMap((id) => stepsOf(tables, id)).sort((a, b) => a.id - b.id))
})

/** The rows among which those of the filter are. */
const candidates = (
  { executions }: Tables,
  { ids, instanceId, parentId, statuses }: ExecutionRowFilter
): Iterable<StoredExecution> =>
  ids !== undefined
    ? [...new Set(ids)].flatMap((id) => executions.get(id) ?? [])
    : instanceId !== undefined
    ? executions.find("instance", instanceId)
    : parentId !== undefined
    ? executions.find("parent", parentId)
    : statuses !== undefined && (statuses as ReadonlyArray<string>).every((status) => RUNNING.includes(status))
    ? executions.find("running", "running")
    : executions.values()

const matches = (
  { before, changedSince, createdFrom, createdTo, instanceId, jobName, parentId, statuses }: ExecutionRowFilter,
  row: StoredExecution
): boolean =>
  (parentId === undefined || row.parentExecutionId === parentId) &&
  (jobName === undefined || row.instance.jobName === jobName) &&
  (instanceId === undefined || row.instance.id === instanceId) &&
  (statuses === undefined || (statuses as ReadonlyArray<string>).includes(row.status)) &&
  (createdFrom === undefined || row.createTime >= createdFrom) &&
  (createdTo === undefined || row.createTime < createdTo) &&
  (changedSince === undefined || row.lastUpdated >= changedSince) &&
  (before === undefined || row.id < before)

const toRow = (
  { leaseMillis: _, leaseUntil, token: _token, ...row }: StoredExecution,
  now: number
): JobExecutionRow => ({
  ...row,
  leaseLeftMillis: leaseUntil === null ? null : leaseUntil - now
})

const withNow = <A>(f: (now: number) => A): Effect.Effect<A> => Effect.map(Clock.currentTimeMillis, f)
