/**
 * Rows as tables for people. Pure.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { visible, withoutAdvice } from "../base/text.js"
import type { StepPartitions } from "../operator/JobOperator.js"
import type { AuditEntry } from "../ports/JobRepository.js"
import { AT } from "../vocabulary/failure.js"
import * as JobExecution from "../vocabulary/JobExecution.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import type { SkippedItem } from "../vocabulary/SkippedItem.js"
import * as StepExecution from "../vocabulary/StepExecution.js"
import { inCell, table } from "./layout.js"

/** @internal */
export const executions = (rows: ReadonlyArray<JobExecution.JobExecution>, width: number): string =>
  rows.length === 0 ? "No executions." : table(
    ["ID", "JOB", "STATUS", "EXIT CODE", "STARTED", "TOOK", "PARAMETERS"],
    rows.map((row) => [
      String(row.id),
      row.instance.jobName,
      row.status,
      row.exitStatus.code,
      time(Option.getOrElse(row.startTime, () => row.createTime)),
      took(JobExecution.duration(row)),
      JobParameters.format(row.parameters)
    ]),
    width
  )

/** @internal */
export const steps = (rows: ReadonlyArray<StepExecution.StepExecution>, width: number): string =>
  rows.length === 0 ? "No steps were run." : table(
    ["STEP", "STATUS", "EXIT CODE", "READ", "WRITTEN", "FILTERED", "SKIPPED", "COMMITS", "ROLLBACKS", "TOOK"],
    rows.map((row) => [
      row.stepName,
      row.status,
      row.exitStatus.code,
      ...[
        row.counts.read,
        row.counts.write,
        row.counts.filter,
        row.counts.readSkip + row.counts.processSkip + row.counts.writeSkip,
        row.counts.commit,
        row.counts.rollback
      ].map(number),
      took(StepExecution.duration(row))
    ]),
    width
  )

/** Partitions of a step, as they were asked for; those that run count until now. @internal */
export const partitions = (
  { partitions, stepName, tally }: StepPartitions,
  now: DateTime.Utc,
  width: number
): string => {
  const stand = Object.entries(tally).filter(([, count]) => count > 0).map(([standing, count]) =>
    `${number(count)} ${standing}`
  )
  const head = `Partitions of ${inCell(stepName)}: ${stand.length === 0 ? "none" : stand.join(", ")}`
  return partitions.length === 0 ? head : [
    head,
    table(
      ["PARTITION", "STANDING", "EXECUTION", "READ", "WRITTEN", "SKIPPED", "TOOK", "MESSAGE"],
      partitions.map(({ counts, endTime, executionId, message, name, standing, startTime }) => [
        name,
        standing,
        Option.match(executionId, { onNone: () => "", onSome: String }),
        number(counts.read),
        number(counts.write),
        number(counts.readSkip + counts.processSkip + counts.writeSkip),
        Option.match(startTime, {
          onNone: () => "",
          onSome: (begun) => duration(DateTime.distance(begun, Option.getOrElse(endTime, () => now)))
        }),
        withoutAdvice(message)
      ]),
      width
    )
  ].join("\n")
}

/** What failed, in the words that were stored. @internal */
export const failures = (
  job: JobExecution.JobExecution,
  steps: ReadonlyArray<StepExecution.StepExecution>
): ReadonlyArray<string> => {
  const told = steps.flatMap(({ exitStatus, stepName }) =>
    exitStatus.messages.map((message) => `${stepName}: ${message}`)
  )
  const own = job.exitStatus.messages.filter((message) => !told.some((line) => line.endsWith(message)))
  return [...told, ...own]
}

/** What is known of the failures: each step's, and the job's own where no step's is the same. @internal */
export const causes = (
  job: JobExecution.JobExecution,
  steps: ReadonlyArray<StepExecution.StepExecution>
): ReadonlyArray<string> => {
  const told = steps.filter(isBad).flatMap((step) => [`Causes of step ${inCell(step.stepName)}:`, ...causeLines(step)])
  // The job does not know at which item its step failed.
  const errors = ({ causes = [] }: Ended) => causes.filter((line) => !line.startsWith(AT)).join("\n")
  const isTold = steps.some((step) => errors(step) === errors(job))
  return isBad(job) && !(isTold && told.length > 0) ? [...told, "Causes of the job:", ...causeLines(job)] : told
}

/** Where those can be read. @internal */
export const causesHint = (
  job: JobExecution.JobExecution,
  steps: ReadonlyArray<StepExecution.StepExecution>
): ReadonlyArray<string> =>
  [job, ...steps].some(({ causes }) => causes !== undefined)
    ? [`All causes, with their fields and places: show ${job.id} --full`]
    : []

/** @internal */
export const skipped = (rows: ReadonlyArray<SkippedItem>, width: number): string =>
  rows.length === 0 ? "No items were skipped." : table(
    ["STEP", "PHASE", "ERROR", "MESSAGE", "ITEM"],
    rows.map(({ errorTag, item, message, phase, stepName }) => [
      stepName,
      phase,
      errorTag,
      withoutAdvice(message),
      Option.match(item, { onNone: () => "", onSome: (value) => JSON.stringify(value) })
    ]),
    width
  )

/** Who asked for what, oldest first. @internal */
export const audit = (entries: ReadonlyArray<AuditEntry>): ReadonlyArray<string> =>
  [...entries].reverse().map(({ createTime, outcome, what, who }) =>
    inCell(`${time(createTime)} ${who} asked for ${what}: ${outcome}`)
  )

/** A name or a message inside a sentence: nothing in it breaks the line. @internal */
export const inLine = inCell

/** @internal */
export const time = (at: DateTime.Utc): string => DateTime.formatIso(at).replace("T", " ").replace(/\.\d+Z$/, "Z")

/** @internal */
export const number = (n: number): string => n.toLocaleString("en-US")

/** `0.4 s`, `2 min 5 s`, `3 h 1 min`. @internal */
export const duration = (millis: number): string => {
  const seconds = Math.round(millis / 1000)
  return millis < 60_000
    ? `${(millis / 1000).toFixed(1)} s`
    : seconds < 3600
    ? `${Math.floor(seconds / 60)} min ${seconds % 60} s`
    : `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Ended = Pick<StepExecution.StepExecution, "causes" | "status">

const isBad = ({ causes, status }: Ended): boolean =>
  causes !== undefined || status === "FAILED" || status === "UNKNOWN"

const causeLines = ({ causes }: Ended): ReadonlyArray<string> =>
  (causes ?? [NO_CAUSES]).map((line) => `  ${visible(line)}`)

const NO_CAUSES = "none are stored: nothing raised an error, an older version ran it, or its process died"

const took = (span: ReturnType<typeof JobExecution.duration>): string =>
  Option.match(span, { onNone: () => "", onSome: (value) => duration(Duration.toMillis(value)) })
