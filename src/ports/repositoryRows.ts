/**
 * Between domain records and the plain rows of a driver. Reading is total: a row that does not fit says why.
 */
import * as DateTime from "effect/DateTime"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Json } from "../base/json.js"
import type { StepRecord } from "../decisions/flowHistory.js"
import * as BatchStatus from "../vocabulary/BatchStatus.js"
import * as ExecutionContext from "../vocabulary/ExecutionContext.js"
import * as ExitStatus from "../vocabulary/ExitStatus.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import type { JobInstance } from "../vocabulary/JobInstance.js"
import { JobParameter } from "../vocabulary/JobParameters.js"
import type { SkippedItem, SkipPhase } from "../vocabulary/SkippedItem.js"
import * as StepExecution from "../vocabulary/StepExecution.js"
import type {
  JobExecutionRow,
  JobInstanceRow,
  LaunchRequest,
  NewStepExecution,
  SkippedItemRow,
  StepExecutionRow,
  StepRecordRow
} from "./JobRepository.js"

export const toStatus = (status: string): Either.Either<BatchStatus.BatchStatus, string> =>
  isStatus(status) ? Either.right(status) : Either.left(`"${status}" is not a batch status`)

export const toJobInstance = (row: JobInstanceRow): JobInstance => ({ ...row, createTime: toTime(row.createTime) })

export const toJobExecution = (row: JobExecutionRow): Either.Either<JobExecution, string> =>
  Either.gen(function*() {
    return {
      id: row.id,
      instance: toJobInstance(row.instance),
      parameters: yield* labelled("parameters", parseParameters(row.parameters)),
      status: yield* toStatus(row.status),
      exitStatus: toExitStatus(row),
      createTime: toTime(row.createTime),
      startTime: toOptionalTime(row.startTime),
      endTime: toOptionalTime(row.endTime),
      lastUpdated: toTime(row.lastUpdated),
      context: yield* labelled("context", ExecutionContext.fromJson(row.context)),
      owner: Option.fromNullable(row.owner),
      epoch: row.epoch,
      restartOf: Option.fromNullable(row.restartOf),
      ...(row.parentExecutionId === null || row.parentInstanceId === null
        ? {}
        : { parent: { executionId: row.parentExecutionId, instanceId: row.parentInstanceId } }),
      ...toCauses(row.causes)
    }
  }).pipe(Either.mapLeft((problem) => `job execution ${row.id}: ${problem}`))

export const fromJobExecution = (execution: JobExecution, now: DateTime.Utc): JobExecutionRow => ({
  id: execution.id,
  instance: { ...execution.instance, createTime: DateTime.toEpochMillis(execution.instance.createTime) },
  parameters: JSON.stringify(execution.parameters),
  status: execution.status,
  exitCode: execution.exitStatus.code,
  exitMessage: ExitStatus.description(execution.exitStatus),
  createTime: DateTime.toEpochMillis(execution.createTime),
  startTime: fromOptionalTime(execution.startTime),
  endTime: fromOptionalTime(execution.endTime),
  lastUpdated: DateTime.toEpochMillis(now),
  context: ExecutionContext.toJson(execution.context),
  owner: Option.getOrNull(execution.owner),
  epoch: execution.epoch,
  leaseLeftMillis: null,
  restartOf: Option.getOrNull(execution.restartOf),
  parentExecutionId: execution.parent?.executionId ?? null,
  parentInstanceId: execution.parent?.instanceId ?? null,
  causes: fromCauses(execution.causes)
})

/** LAUNCH-10. */
export const newJobExecution = (
  instance: JobInstanceRow,
  request: LaunchRequest,
  now: number
): Omit<JobExecutionRow, "id" | "leaseLeftMillis"> => ({
  instance,
  parameters: JSON.stringify(request.parameters),
  status: request.begins === true ? "STARTED" : "STARTING",
  exitCode: ExitStatus.UNKNOWN.code,
  exitMessage: "",
  createTime: now,
  startTime: request.begins === true ? now : null,
  endTime: null,
  lastUpdated: now,
  context: "{}",
  owner: request.owner,
  epoch: 1,
  restartOf: null,
  parentExecutionId: request.parent?.executionId ?? null,
  parentInstanceId: request.parent?.instanceId ?? null,
  causes: null
})

export const toStepRecord = (row: StepRecordRow): Either.Either<StepRecord, string> =>
  Either.map(toStatus(row.status), (status) => ({
    id: row.id,
    jobExecutionId: row.jobExecutionId,
    stepName: row.stepName,
    place: row.place,
    round: row.round,
    status,
    exitStatus: toExitStatus(row)
  })).pipe(Either.mapLeft((problem) => `step execution ${row.id} of "${row.stepName}": ${problem}`))

export const toStepExecution = (row: StepExecutionRow): Either.Either<StepExecution.StepExecution, string> =>
  Either.gen(function*() {
    return {
      id: row.id,
      jobExecutionId: row.jobExecutionId,
      stepName: row.stepName,
      place: row.place ?? row.stepName,
      round: row.round ?? "1",
      status: yield* toStatus(row.status),
      exitStatus: toExitStatus(row),
      counts: {
        read: row.readCount,
        write: row.writeCount,
        filter: row.filterCount,
        readSkip: row.readSkipCount,
        processSkip: row.processSkipCount,
        writeSkip: row.writeSkipCount,
        commit: row.commitCount,
        rollback: row.rollbackCount
      },
      createTime: toTime(row.createTime),
      startTime: toOptionalTime(row.startTime),
      endTime: toOptionalTime(row.endTime),
      lastUpdated: toTime(row.lastUpdated),
      context: yield* labelled("context", ExecutionContext.fromJson(row.context)),
      checkpoint: row.checkpoint === null
        ? Option.none()
        : Option.some(yield* labelled("checkpoint", parseJson(row.checkpoint))),
      ...toCauses(row.causes)
    }
  }).pipe(Either.mapLeft((problem) => `step execution ${row.id} of "${row.stepName}": ${problem}`))

export const fromStepExecution = (step: StepExecution.StepExecution, now: DateTime.Utc): StepExecutionRow => ({
  id: step.id,
  jobExecutionId: step.jobExecutionId,
  stepName: step.stepName,
  place: step.place,
  round: step.round,
  status: step.status,
  exitCode: step.exitStatus.code,
  exitMessage: ExitStatus.description(step.exitStatus),
  readCount: step.counts.read,
  writeCount: step.counts.write,
  filterCount: step.counts.filter,
  readSkipCount: step.counts.readSkip,
  processSkipCount: step.counts.processSkip,
  writeSkipCount: step.counts.writeSkip,
  commitCount: step.counts.commit,
  rollbackCount: step.counts.rollback,
  createTime: DateTime.toEpochMillis(step.createTime),
  startTime: fromOptionalTime(step.startTime),
  endTime: fromOptionalTime(step.endTime),
  lastUpdated: DateTime.toEpochMillis(now),
  context: ExecutionContext.toJson(step.context),
  checkpoint: Option.isNone(step.checkpoint) ? null : JSON.stringify(step.checkpoint.value),
  causes: fromCauses(step.causes)
})

/** A step execution that has started; its id comes from the driver. */
export const newStepExecution = (
  jobExecutionId: number,
  step: NewStepExecution,
  now: DateTime.Utc
): StepExecution.StepExecution => ({
  ...StepExecution.make({ id: 0, jobExecutionId, createTime: now, ...step }),
  status: "STARTED",
  startTime: Option.some(now)
})

export const toSkippedItem = (row: SkippedItemRow): Either.Either<SkippedItem, string> =>
  Either.gen(function*() {
    return {
      stepName: row.stepName,
      phase: row.phase as SkipPhase,
      position: yield* optionalJson("position", row.position),
      errorTag: row.errorTag,
      message: row.message,
      item: yield* optionalJson("item", row.item),
      createTime: toTime(row.createTime)
    }
  }).pipe(Either.mapLeft((problem) => `skipped item of step execution ${row.stepExecutionId}: ${problem}`))

export const fromSkippedItem = (stepExecutionId: number, item: SkippedItem): SkippedItemRow => ({
  stepExecutionId,
  stepName: item.stepName,
  phase: item.phase,
  position: fromOptionalJson(item.position),
  errorTag: item.errorTag,
  message: item.message,
  item: fromOptionalJson(item.item),
  createTime: DateTime.toEpochMillis(item.createTime)
})

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

// Asked with every commit, for which a decoder would be slow.
const statuses: ReadonlySet<string> = new Set(BatchStatus.BatchStatus.literals)

const isStatus = (status: string): status is BatchStatus.BatchStatus => statuses.has(status)

const parseParameters = (text: string): Either.Either<ReadonlyArray<JobParameter>, string> =>
  Either.mapLeft(decodeParameters(text), (error) => error.message)

const decodeParameters = Schema.decodeEither(Schema.parseJson(Schema.Array(JobParameter)))

const parseJson = (text: string): Either.Either<Json, string> =>
  Either.try({ try: () => JSON.parse(text) as Json, catch: (error) => (error as Error).message })

const optionalJson = (name: string, text: string | null): Either.Either<Option.Option<Json>, string> =>
  text === null ? Either.right(Option.none()) : labelled(name, Either.map(parseJson(text), Option.some))

const fromOptionalJson = (json: Option.Option<Json>): string | null =>
  Option.isNone(json) ? null : JSON.stringify(json.value)

const labelled = <A>(name: string, value: Either.Either<A, string>): Either.Either<A, string> =>
  Either.mapLeft(value, (problem) => `its ${name} can't be read: ${problem}`)

const toExitStatus = (row: { readonly exitCode: string; readonly exitMessage: string }): ExitStatus.ExitStatus =>
  row.exitMessage === "" ? ExitStatus.make(row.exitCode) : ExitStatus.make(row.exitCode, row.exitMessage)

const toCauses = (text: string | null): { readonly causes?: ReadonlyArray<string> } =>
  text === null ? {} : { causes: text.split("\n") }

const fromCauses = (causes: ReadonlyArray<string> | undefined): string | null =>
  causes === undefined ? null : causes.join("\n")

const toTime = (millis: number): DateTime.Utc => DateTime.unsafeMake(millis)

const toOptionalTime = (millis: number | null): Option.Option<DateTime.Utc> =>
  millis === null ? Option.none() : Option.some(toTime(millis))

const fromOptionalTime = (time: Option.Option<DateTime.Utc>): number | null =>
  Option.isNone(time) ? null : DateTime.toEpochMillis(time.value)
