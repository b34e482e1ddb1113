/**
 * Executions in the words of a log: one line each.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import { plural } from "../base/text.js"
import type { Counts } from "../vocabulary/Counts.js"
import * as JobExecution from "../vocabulary/JobExecution.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import * as StepExecution from "../vocabulary/StepExecution.js"

/** `import 7 COMPLETED (file=a.csv) in 1.2 s`; an exit code that says more than the status follows in brackets. */
export const jobLine = (job: JobExecution.JobExecution): string =>
  [
    job.instance.jobName,
    `execution ${job.id}`,
    statusText(job),
    ...(job.parameters.length === 0 ? [] : [`(${JobParameters.format(job.parameters)})`]),
    ...durationText(JobExecution.duration(job))
  ].join(" ")

/** `load COMPLETED: 100 read, 98 written, 2 skipped, 10 commits in 0.4 s`. */
export const stepLine = (step: StepExecution.StepExecution): string =>
  [
    `${step.stepName} ${statusText(step)}:`,
    countsText(step.counts),
    ...durationText(StepExecution.duration(step))
  ].join(" ")

export const countsText = (counts: Counts): string => {
  const skipped = counts.readSkip + counts.processSkip + counts.writeSkip
  return [
    `${counts.read} read`,
    `${counts.write} written`,
    ...(counts.filter === 0 ? [] : [`${counts.filter} filtered`]),
    ...(skipped === 0 ? [] : [`${skipped} skipped`]),
    plural(counts.commit, "commit"),
    ...(counts.rollback === 0 ? [] : [plural(counts.rollback, "rollback")])
  ].join(", ")
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const statusText = ({
  exitStatus,
  status
}: Pick<StepExecution.StepExecution, "status" | "exitStatus">): string => {
  const code = exitStatus.code === status || exitStatus.code === "UNKNOWN" || exitStatus.code === "EXECUTING"
    ? ""
    : ` [${exitStatus.code}]`
  return `${status}${code}`
}

const durationText = (duration: Option.Option<Duration.Duration>): ReadonlyArray<string> =>
  Option.match(duration, {
    onNone: () => [],
    onSome: (time) => [`in ${(Duration.toMillis(time) / 1000).toFixed(1)} s`]
  })
