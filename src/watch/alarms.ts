/**
 * What somebody has to be told, given what the repository holds. Pure; nothing is remembered here.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Deadlines from "../decisions/deadline.js"
import * as BatchStatus from "../vocabulary/BatchStatus.js"
import * as ExitStatus from "../vocabulary/ExitStatus.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"

export type Kind = "ended" | "failed" | "stalled" | "late" | "recovered"

/** `subject` and `kind` name what was told; the text is for people. */
export interface Alarm {
  readonly subject: string
  readonly kind: Kind
  readonly jobName: string
  readonly executionId: number | undefined
  readonly text: string
}

/**
 * - `changed`: executions whose row changed lately, running ones among them; `orphaned`: running ones whose owner is dead.
 * - `earlier`: what those that completed lately had restarted, whenever that was.
 * - `since`: the beginning of what is looked at. `steps`: of what runs. `completed`: when the jobs that have a deadline completed lately.
 */
export interface Seen {
  readonly since: DateTime.Utc
  readonly changed: ReadonlyArray<JobExecution>
  readonly earlier: ReadonlyArray<JobExecution>
  readonly orphaned: ReadonlyArray<JobExecution>
  readonly steps: ReadonlyArray<StepExecution>
  readonly completed: ReadonlyArray<JobExecution>
}

export const alarms = (
  seen: Seen,
  { deadlines, now, stalledAfter }: {
    readonly deadlines: ReadonlyArray<Deadlines.Deadline>
    readonly now: DateTime.Utc
    readonly stalledAfter: Duration.Duration
  }
): ReadonlyArray<Alarm> => {
  const dead = new Set(seen.orphaned.map(({ id }) => id))
  return [
    ...seen.orphaned.map((execution) =>
      about(execution, "failed", "its process died; what was committed is safe, and a restart goes on from there")
    ),
    ...seen.changed.flatMap((execution) =>
      BatchStatus.isRunning(execution.status)
        ? dead.has(execution.id) ? [] : stalled(execution, seen.steps, now, stalledAfter)
        : ended(execution)
    ),
    ...deadlines.flatMap((deadline) => late(deadline, seen.completed, now, seen.since))
  ]
}

/** The alarms that a success has made void: each is told once that it has. */
export const recoveries = (
  seen: Seen,
  told: ReadonlyArray<Pick<Alarm, "subject" | "kind">>,
  current: ReadonlyArray<Alarm>
): ReadonlyArray<Alarm> => {
  const isTold = (subject: string, kind: Kind) => told.some((each) => each.subject === subject && each.kind === kind)
  return seen.changed.flatMap((execution) => {
    const subject = subjectOf(execution)
    const failed = execution.status === "COMPLETED"
      ? [...seen.changed, ...seen.earlier].find((other) =>
        other.instance.id === execution.instance.id && other.id < execution.id && isTold(subjectOf(other), "failed")
      )
      : undefined
    const goesOn = isTold(subject, "stalled") && execution.status !== "FAILED" &&
      !current.some((alarm) => alarm.subject === subject)
    return failed !== undefined
      ? [{ ...about(failed, "recovered", `execution ${execution.id} completed it`) }]
      : goesOn || (execution.status === "COMPLETED" && isTold(subject, "stalled"))
      ? [about(execution, "recovered", "it commits again")]
      : []
  })
}

export const subjectOf = ({ id }: Pick<JobExecution, "id">): string => `execution ${id}`

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const about = (execution: JobExecution, kind: Kind, text: string): Alarm => ({
  subject: subjectOf(execution),
  kind,
  jobName: execution.instance.jobName,
  executionId: execution.id,
  text
})

const ended = (execution: JobExecution): ReadonlyArray<Alarm> => {
  const { exitStatus, status } = execution
  const words = [status, exitStatus.code === status ? "" : exitStatus.code, ExitStatus.description(exitStatus)]
    .filter((word) => word !== "").join(": ")
  return status === "FAILED" || status === "UNKNOWN"
    ? [about(execution, "failed", words)]
    : [about(execution, "ended", words)]
}

const stalled = (
  execution: JobExecution,
  steps: ReadonlyArray<StepExecution>,
  now: DateTime.Utc,
  after: Duration.Duration
): ReadonlyArray<Alarm> => {
  const last = steps.filter(({ jobExecutionId }) => jobExecutionId === execution.id)
    .map(({ lastUpdated }) => lastUpdated)
    .reduce((one, other) => DateTime.greaterThan(one, other) ? one : other, execution.lastUpdated)
  const quiet = DateTime.distance(last, now)
  return quiet >= Duration.toMillis(after)
    ? [about(execution, "stalled", `nothing was committed for ${Math.round(quiet / 1000)} s`)]
    : []
}

/** Between two times at which the job had to be done, it was not. */
const late = (
  deadline: Deadlines.Deadline,
  completed: ReadonlyArray<JobExecution>,
  now: DateTime.Utc,
  since: DateTime.Utc
): ReadonlyArray<Alarm> => {
  const { jobName } = deadline
  const ends = completed.flatMap(({ endTime, instance }) =>
    instance.jobName === jobName && Option.isSome(endTime) ? [DateTime.toEpochMillis(endTime.value)] : []
  )
  const due = Deadlines.dues(deadline, DateTime.toEpochMillis(since), DateTime.toEpochMillis(now))
  return Deadlines.missed(due, ends).map(({ due }) => {
    const time = new Date(due).toISOString()
    return {
      subject: `deadline of ${jobName} at ${time}`,
      kind: "late",
      jobName,
      executionId: undefined,
      text: `it has not completed by ${time}`
    }
  })
}
