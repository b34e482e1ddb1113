/**
 * From what the drivers give to the rows of the port. Numbers and flags arrive in the form that the user's settings of
 * the driver give them (text, bigint, 0 and 1).
 */
import type {
  JobExecutionRow,
  JobInstanceRow,
  SkippedItemRow,
  StepExecutionRow,
  StepRecordRow
} from "../ports/JobRepository.js"

/** @internal */
export type Raw = { readonly [column: string]: unknown }

/** @internal */
export const instance = (raw: Raw): JobInstanceRow => ({
  id: number(raw.instanceId),
  jobName: raw.jobName as string,
  jobKey: raw.jobKey as string,
  createTime: number(raw.instanceCreateTime)
})

/** @internal */
export const execution = (raw: Raw): JobExecutionRow => ({
  id: number(raw.id),
  instance: instance(raw),
  parameters: parameters(raw.parameters as string),
  ...outcome(raw),
  context: raw.context as string,
  owner: nullable(raw.owner, text),
  epoch: number(raw.epoch),
  leaseLeftMillis: nullable(raw.leaseLeftMillis, number),
  restartOf: nullable(raw.restartOf, number),
  parentExecutionId: nullable(raw.parentExecutionId, number),
  parentInstanceId: nullable(raw.parentInstanceId, number),
  causes: nullable(raw.causes, text)
})

/** @internal */
export const step = (raw: Raw): StepExecutionRow => ({
  id: number(raw.id),
  jobExecutionId: number(raw.jobExecutionId),
  stepName: raw.stepName as string,
  place: nullable(raw.place, text),
  round: nullable(raw.round, text),
  ...outcome(raw),
  readCount: number(raw.readCount),
  writeCount: number(raw.writeCount),
  filterCount: number(raw.filterCount),
  readSkipCount: number(raw.readSkipCount),
  processSkipCount: number(raw.processSkipCount),
  writeSkipCount: number(raw.writeSkipCount),
  commitCount: number(raw.commitCount),
  rollbackCount: number(raw.rollbackCount),
  context: raw.context as string,
  checkpoint: nullable(raw.checkpoint, text),
  causes: nullable(raw.causes, text)
})

/** @internal */
export const stepRecord = (raw: Raw): StepRecordRow => ({
  id: number(raw.id),
  jobExecutionId: number(raw.jobExecutionId),
  stepName: raw.stepName as string,
  place: nullable(raw.place, text),
  round: nullable(raw.round, text),
  status: raw.status as string,
  exitCode: raw.exitCode as string,
  exitMessage: raw.exitMessage as string
})

/** @internal */
export const skippedItem = (raw: Raw): SkippedItemRow => ({
  stepExecutionId: number(raw.stepExecutionId),
  stepName: raw.stepName as string,
  phase: raw.phase as string,
  position: nullable(raw.position, text),
  errorTag: raw.errorTag as string,
  message: raw.message as string,
  item: nullable(raw.item, text),
  createTime: number(raw.createTime)
})

/** @internal */
export const number = (value: unknown): number => Number(value)

/**
 * A stored parameter. `redacted` is left out unless it is true, as it is where parameters are made.
 *
 * @internal
 */
export interface Parameter {
  readonly name: string
  readonly value: unknown
  readonly identifying: boolean
  readonly redacted?: boolean | undefined
}

/**
 * Text for people: no longer than the port allows, and without the character that PostgreSQL cannot store.
 *
 * @internal
 */
export const message = (value: string): string => printable(value.slice(0, maxMessage))

/** @internal */
export const printable = (value: string): string => value.replaceAll("\0", "\uFFFD")

/** @internal */
export const text = (value: unknown): string => value as string

/** @internal */
export const nullable = <A>(value: unknown, read: (value: unknown) => A): A | null =>
  value === null || value === undefined ? null : read(value)

// internal

const maxMessage = 2500

const outcome = (raw: Raw) => ({
  status: raw.status as string,
  exitCode: raw.exitCode as string,
  exitMessage: raw.exitMessage as string,
  createTime: number(raw.createTime),
  startTime: nullable(raw.startTime, number),
  endTime: nullable(raw.endTime, number),
  lastUpdated: number(raw.lastUpdated)
})

const parameters = (stored: string): string =>
  JSON.stringify(
    (JSON.parse(stored) as ReadonlyArray<Raw>).map(({ identifying, name, redacted, value }) => ({
      name,
      value,
      identifying: Boolean(identifying),
      ...(redacted ? { redacted: true } : {})
    }))
  )
