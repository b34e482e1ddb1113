/**
 * The tables of the repository in memory, and how rows change so that a rollback can undo it.
 */
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import type { JobRepositoryError } from "../vocabulary/BatchError.js"
import type {
  AnswerRow,
  AuditRow,
  Fence,
  JobExecutionRow,
  JobInstanceRow,
  Notice,
  SkippedItemRow,
  StepExecutionRow
} from "./JobRepository.js"
import * as Table from "./memoryTable.js"
import type { PartitionPlan } from "./partitions.js"
import type { PartitionRow } from "./partitionsDriver.js"
import * as Transactor from "./Transactor.js"

export interface StoredExecution extends Omit<JobExecutionRow, "leaseLeftMillis"> {
  readonly leaseMillis: number
  readonly leaseUntil: number | null
  readonly token: string
}

export interface StoredStep extends StepExecutionRow {
  readonly epoch: number
}

/** `waiting`: 0 when it is to be taken again, 1 when nobody has taken it yet, null when it is not put up. */
export interface StoredPartition extends PartitionRow {
  readonly planId: number
  readonly waiting: 0 | 1 | null
}

export interface StoredSkip extends SkippedItemRow {
  readonly id: number
}

export interface StoredAnswer extends AnswerRow {
  readonly id: number
}

export interface Tables {
  nextId: number
  readonly instances: Table.Table<JobInstanceRow, "name">
  readonly executions: Table.Table<StoredExecution, "instance" | "parent" | "root" | "unsettled" | "running">
  readonly steps: Table.Table<StoredStep, "execution">
  readonly skipped: Table.Table<StoredSkip, "step">
  audit: ReadonlyArray<AuditRow>
  notices: ReadonlyArray<Notice & { readonly createTime: number }>
  readonly answers: Table.Table<StoredAnswer, "execution">
  readonly plans: Table.Table<PartitionPlan, "job" | "instance">
  readonly partitions: Table.Table<StoredPartition, "plan" | "instance" | "waiting">
}

export const empty = (): Tables => ({
  nextId: 1,
  instances: Table.make({ name: (row: JobInstanceRow) => instanceName(row) }),
  executions: Table.make({
    instance: ({ instance }) => instance.id,
    parent: ({ parentExecutionId }) => parentExecutionId,
    root: ({ parentInstanceId }) => parentInstanceId,
    unsettled: ({ parentInstanceId, status }) => status === "COMPLETED" ? undefined : parentInstanceId,
    running: ({ status }) => RUNNING.includes(status) ? "running" : undefined
  }),
  steps: Table.make({ execution: ({ jobExecutionId }) => jobExecutionId }),
  skipped: Table.make({ step: ({ stepExecutionId }) => stepExecutionId }),
  audit: [],
  notices: [],
  answers: Table.make({ execution: ({ jobExecutionId }) => jobExecutionId }),
  plans: Table.make({ job: ({ jobName }) => jobName, instance: ({ instanceId }) => instanceId }),
  partitions: Table.make({
    plan: ({ planId }) => planId,
    instance: ({ instanceId }) => instanceId,
    waiting: ({ planId, waiting }) => waiting === null ? undefined : waitingKey(planId, waiting)
  })
})

export const instanceName = ({ jobKey, jobName }: Pick<JobInstanceRow, "jobName" | "jobKey">): string =>
  JSON.stringify([jobName, jobKey])

export const waitingKey = (planId: number, waiting: 0 | 1): string => `${planId} ${waiting}`

export const RUNNING: ReadonlyArray<string> = ["STARTING", "STARTED", "STOPPING"]

type AnyTable<Row extends { readonly id: number }> = Table.Table<Row, any>

export const put = <Row extends { readonly id: number }>(table: AnyTable<Row>, row: Row): Effect.Effect<void> =>
  changing((open) => replace(open, table, row))

export const changing = <A>(change: (open: Transactor.Open | undefined) => A): Effect.Effect<A> =>
  Effect.map(FiberRef.get(Transactor.CurrentTransaction), change)

export const replace = <Row extends { readonly id: number }>(
  open: Transactor.Open | undefined,
  table: AnyTable<Row>,
  row: Row
): void => {
  const before = table.get(row.id)
  table.set(row)
  open?.undos.push(Effect.sync(() => {
    const current = table.get(row.id)
    if (before === undefined) {
      table.delete(row.id)
    } else if (current !== undefined) {
      table.set(current === row ? before : withoutChange(current, { before, after: row }))
    }
  }))
}

/** The row without what was made of it, but with what others have made of it since: a database keeps that, too. */
const withoutChange = <Row extends object>(
  current: Row,
  { after, before }: { readonly before: Row; readonly after: Row }
): Row => {
  const restored: Partial<Row> = {}
  for (const key of Object.keys(after) as Array<keyof Row>) {
    if (after[key] !== before[key] && current[key] === after[key]) {
      restored[key] = before[key]
    }
  }
  return { ...current, ...restored }
}

export const fenced = <A>(
  tables: Tables,
  executionId: number,
  { epoch, token }: Fence,
  write: (stored: StoredExecution) => Effect.Effect<A, JobRepositoryError>
): Effect.Effect<Option.Option<A>, JobRepositoryError> =>
  Effect.suspend(() => {
    const stored = tables.executions.get(executionId)
    return stored === undefined || stored.epoch !== epoch || stored.token !== token
      ? Effect.succeed(Option.none())
      : Effect.map(write(stored), Option.some)
  })

export const newestFirst = <Row extends { readonly id: number }>(rows: Iterable<Row>): ReadonlyArray<Row> =>
  [...rows].sort((a, b) => b.id - a.id)

export const stepsOf = (tables: Tables, executionId: number): ReadonlyArray<StoredStep> =>
  tables.steps.find("execution", executionId)

/** Oldest first. */
export const executionsOf = (tables: Tables, instanceId: number): ReadonlyArray<StoredExecution> =>
  tables.executions.find("instance", instanceId)

/** Whether the instance is that of a partition. */
export const isOfPartition = (tables: Tables, instanceId: number): boolean =>
  tables.partitions.ids("instance", instanceId).length > 0
