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
import type { PartitionPlan, PartitionRow } from "./partitions.js"
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

export interface Tables {
  nextId: number
  readonly instances: Map<number, JobInstanceRow>
  readonly executions: Map<number, StoredExecution>
  readonly steps: Map<number, StoredStep>
  skipped: ReadonlyArray<StoredSkip>
  audit: ReadonlyArray<AuditRow>
  notices: ReadonlyArray<Notice>
  answers: ReadonlyArray<AnswerRow>
  readonly plans: Map<number, PartitionPlan>
  readonly partitions: Map<number, StoredPartition>
}

export const empty = (): Tables => ({
  nextId: 1,
  instances: new Map(),
  executions: new Map(),
  steps: new Map(),
  skipped: [],
  audit: [],
  notices: [],
  answers: [],
  plans: new Map(),
  partitions: new Map()
})

export const RUNNING: ReadonlyArray<string> = ["STARTING", "STARTED", "STOPPING"]

export const put = <Row extends { readonly id: number }>(table: Map<number, Row>, row: Row): Effect.Effect<void> =>
  changing((open) => replace(open, table, row))

export const changing = <A>(change: (open: Transactor.Open | undefined) => A): Effect.Effect<A> =>
  Effect.map(FiberRef.get(Transactor.CurrentTransaction), change)

export const replace = <Row extends { readonly id: number }>(
  open: Transactor.Open | undefined,
  table: Map<number, Row>,
  row: Row
): void => {
  const before = table.get(row.id)
  table.set(row.id, row)
  open?.undos.push(Effect.sync(() => before === undefined ? table.delete(row.id) : table.set(row.id, before)))
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

export const newestFirst = <Row extends { readonly id: number }>(table: ReadonlyMap<number, Row>): ReadonlyArray<Row> =>
  [...table.values()].sort((a, b) => b.id - a.id)

export const stepsOf = (tables: Tables, executionId: number): ReadonlyArray<StoredStep> =>
  [...tables.steps.values()].filter((step) => step.jobExecutionId === executionId).sort((a, b) => a.id - b.id)
