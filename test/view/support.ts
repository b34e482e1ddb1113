/** Rows as they are stored, and pages as they are read. */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Counts from "../../src/vocabulary/Counts.js"
import * as ExitStatus from "../../src/vocabulary/ExitStatus.js"
import * as JobExecution from "../../src/vocabulary/JobExecution.js"
import * as StepExecution from "../../src/vocabulary/StepExecution.js"

export const at = (seconds: number) => DateTime.unsafeMake(1_780_000_000_000 + seconds * 1000)
export const now = at(100)

/** One that took ten seconds, unless something else is said. */
export const execution = (id: number, changes: Partial<JobExecution.JobExecution> = {}): JobExecution.JobExecution => ({
  ...JobExecution.make({
    id,
    instance: { id: 1, jobName: "load", jobKey: "key", createTime: at(0) },
    createTime: at(0)
  }),
  status: "COMPLETED",
  exitStatus: ExitStatus.COMPLETED,
  startTime: Option.some(at(0)),
  endTime: Option.some(at(10)),
  ...changes
})

export const step = (
  stepName: string,
  counts: Partial<Counts.Counts> = {},
  changes: Partial<StepExecution.StepExecution> = {}
): StepExecution.StepExecution => ({
  ...StepExecution.make({ id: 1, jobExecutionId: 1, stepName, createTime: at(0) }),
  status: "COMPLETED",
  exitStatus: ExitStatus.COMPLETED,
  startTime: Option.some(at(0)),
  endTime: Option.some(at(10)),
  counts: Counts.make(counts),
  ...changes
})

export const running = { status: "STARTED", endTime: Option.none() } as const

/** Without markup: cells and items between bars. */
export const text = (made: { readonly markup: string } | undefined): string =>
  (made?.markup ?? "").replace(/<\/(td|th|dt|dd|p|tr|li|h2|caption|label|option|text|title)>/g, "|")
    .replace(/<[^>]*>/g, "").replace(/\s+/g, " ").replace(/\s*\|[\s|]*/g, "|").trim()
