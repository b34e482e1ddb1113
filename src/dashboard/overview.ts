/**
 * The first page: what is wrong now, what runs, what ran last.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Deadlines from "../decisions/deadline.js"
import * as Running from "../engine/session/running.js"
import type { Lease } from "../ports/JobRepository.js"
import { JobRepository } from "../ports/JobRepository.js"
import { executionJson, stepJson } from "../view/data.js"
import type { Html } from "../view/html.js"
import { html, namePart } from "../view/html.js"
import { ahead, elapsed, executionLink, linked, since } from "../view/sections.js"
import { badge, duration, number, timeOr } from "../view/words.js"
import * as Counts from "../vocabulary/Counts.js"
import * as ExitStatus from "../vocabulary/ExitStatus.js"
import type * as JobExecution from "../vocabulary/JobExecution.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"
import type { Page, View } from "./page.js"
import { action, link } from "./page.js"

/** Something that somebody should look at. A deadline may be missed by a job that did not run: it has no execution. */
export interface Trouble {
  readonly jobName: string
  readonly execution: JobExecution.JobExecution | undefined
  readonly what: string
  readonly cause: string
  readonly next: "restart" | "recover" | "stop" | "launch"
}

interface Seen {
  readonly recent: ReadonlyArray<JobExecution.JobExecution>
  readonly running: ReadonlyArray<JobExecution.JobExecution>
  readonly steps: ReadonlyArray<StepExecution>
  readonly orphaned: ReadonlyArray<JobExecution.JobExecution>
  readonly leases: ReadonlyArray<Lease>
  readonly missed: ReadonlyArray<Missed>
}

/** A job that had not completed when it had to. */
export interface Missed {
  readonly jobName: string
  readonly due: number
}

/** Of a lease this part is left when its owner has missed several times to renew it. */
const LOW = 0.5

/**
 * Pure. What died, what is about to lose its lease, what has not committed for a while, what is late, and what failed and was
 * not run again; each with the cause in one line and what to do next.
 */
export const troubles = (
  { leases, missed, orphaned, recent, running, steps }: Seen,
  now: DateTime.Utc,
  stalledAfter: Duration.DurationInput
): ReadonlyArray<Trouble> => {
  const dead = new Set(orphaned.map(({ id }) => id))
  const again = new Set(recent.map(({ instance }) => instance.id).filter((id, at, all) => all.indexOf(id) !== at))
  const newest = new Map<number, number>()
  recent.forEach(({ id, instance }) => newest.set(instance.id, Math.max(id, newest.get(instance.id) ?? 0)))
  const isLast = ({ id, instance }: JobExecution.JobExecution) =>
    !again.has(instance.id) || newest.get(instance.id) === id
  return [
    ...orphaned.map((execution): Trouble => ({
      ...about(execution),
      what: "its process died",
      cause: "The lease has expired, or the process is gone; what was committed is safe",
      next: "recover"
    })),
    ...running.filter(({ id }) => !dead.has(id)).flatMap((execution) => runningOut(execution, leases)),
    ...missed.map(({ due, jobName }): Trouble => ({
      jobName,
      execution: running.find(({ instance }) => instance.jobName === jobName),
      what: "is late",
      cause: `It had not completed by ${new Date(due).toISOString().slice(0, 16).replace("T", " ")} UTC`,
      next: "launch"
    })),
    ...running.filter(({ id }) => !dead.has(id)).flatMap((execution): ReadonlyArray<Trouble> => {
      const last = lastCommit(execution, steps)
      const isStalled = DateTime.distance(last, now) >= Duration.toMillis(stalledAfter)
      return isStalled
        ? [{
          ...about(execution),
          what: `no commit for ${since(last, now)}`,
          cause: "It holds its lease, but no step has committed anything",
          next: "stop"
        }]
        : []
    }),
    ...recent.filter((execution) =>
      (execution.status === "FAILED" || execution.status === "UNKNOWN") && isLast(execution)
    )
      .map((execution): Trouble => ({
        ...about(execution),
        what: `ended ${execution.status}`,
        cause: ExitStatus.description(execution.exitStatus),
        next: "restart"
      }))
  ]
}

export const overview = (view: View, { deadlines, stalledAfter }: {
  readonly deadlines: ReadonlyArray<Deadlines.Deadline>
  readonly stalledAfter: Duration.DurationInput
}) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const recent = yield* repository.jobExecutions({ limit: 100 })
    const running = yield* repository.jobExecutions({ statuses: ["STARTING", "STARTED", "STOPPING"], limit: 100 })
    const failed = yield* repository.jobExecutions({ statuses: ["FAILED", "UNKNOWN"], limit: 20 })
    const orphaned = yield* repository.expiredExecutions(yield* Running.witness)
    const steps = yield* repository.stepExecutionsOf(running.map(({ id }) => id))
    const known = new Set(recent.map(({ id }) => id))
    const all = [...recent, ...failed.filter(({ id }) => !known.has(id))]
    const leases = yield* repository.leases
    const missed = (yield* Effect.forEach(deadlines, (deadline) => lastMissed(deadline, view.now))).flat()
    const found = troubles({ recent: all, running, steps, orphaned, leases, missed }, view.now, stalledAfter)
    const page: Page = {
      title: "Now",
      live: html`<section aria-label="What is wrong now"><h2>What is wrong now</h2><p role="status">${
        found.length === 0
          ? "Nothing."
          : `${found.length} ${found.length === 1 ? "thing needs" : "things need"} attention.`
      }</p>${found.map((trouble) => troubled(view, trouble))}</section>
      <h2>Running</h2>${runningTable(view, running, steps)}
      <h2>Last executions</h2>${executionTable(view, recent.slice(0, 20))}`,
      json: {
        troubles: found.map(({ execution, ...trouble }) => ({
          ...trouble,
          execution: execution === undefined ? null : executionJson(execution)
        })),
        running: running.map((execution) => ({
          ...executionJson(execution),
          steps: steps.filter(({ jobExecutionId }) => jobExecutionId === execution.id).map(stepJson)
        })),
        recent: recent.slice(0, 20).map(executionJson)
      }
    }
    return page
  })

export const executionTable = (view: View, rows: ReadonlyArray<JobExecution.JobExecution>): Html =>
  rows.length === 0 ?
    html`<p class="dim">None.</p>` :
    html`<div class="wide"><table><thead><tr><th scope="col">Execution</th>
    <th scope="col">Job</th><th scope="col">Status</th><th scope="col">Started</th><th scope="col" class="n">Duration</th>
    </tr></thead><tbody>${
      rows.map((row) =>
        html`<tr><th scope="row">${executionLink(link(view), row.id)}</th><td>${
          linked(link(view), `/jobs/${namePart(row.instance.jobName)}`, row.instance.jobName)
        }</td><td>${badge(row.status, row.exitStatus.code)}</td><td>${timeOr(row.startTime)}</td><td class="n">${
          elapsed(row, view.now)
        }</td></tr>`
      )
    }</tbody></table></div>`

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const about = (execution: JobExecution.JobExecution) => ({ execution, jobName: execution.instance.jobName })

const runningOut = (execution: JobExecution.JobExecution, leases: ReadonlyArray<Lease>): ReadonlyArray<Trouble> =>
  leases.filter(({ executionId, leftMillis, lengthMillis }) =>
    executionId === execution.id && leftMillis < LOW * lengthMillis
  ).map(({ leftMillis, lengthMillis }) => ({
    ...about(execution),
    what: `its lease runs out in ${duration(Math.max(0, leftMillis))}`,
    cause: `Its process has not renewed it for ${duration(lengthMillis - leftMillis)} of ${
      duration(lengthMillis)
    }: it hangs, it cannot reach the database, or it has died just now`,
    next: "stop"
  }))

const lastCommit = (execution: JobExecution.JobExecution, steps: ReadonlyArray<StepExecution>): DateTime.Utc =>
  steps.filter(({ jobExecutionId }) => jobExecutionId === execution.id)
    .map(({ lastUpdated }) => lastUpdated)
    .reduce((one, other) => DateTime.greaterThan(one, other) ? one : other, execution.lastUpdated)

/** The last time at which the job had to be done, if it was not. */
const lastMissed = (deadline: Deadlines.Deadline, now: DateTime.Utc) =>
  Effect.gen(function*() {
    const { jobName } = deadline
    const [due] = Deadlines.dues(deadline, 0, DateTime.toEpochMillis(now)).slice(-1)
    if (due === undefined) {
      return []
    }
    const repository = yield* JobRepository
    const completed = yield* repository.jobExecutions({
      jobName,
      statuses: ["COMPLETED"],
      changedSince: DateTime.unsafeMake(Math.max(0, due.after)),
      limit: Number.MAX_SAFE_INTEGER
    })
    // Who completed after it is late no more.
    const ends = completed.flatMap(({ endTime }) =>
      endTime._tag === "Some" ? [DateTime.toEpochMillis(endTime.value)] : []
    )
    return Deadlines.missed([due], ends).flatMap(({ due }) => ends.some((end) => end > due) ? [] : [{ jobName, due }])
  })

const troubled = (view: View, { cause, execution, jobName, next, what }: Trouble): Html =>
  html`<div class="cause"><b>${
    execution === undefined || next === "launch"
      ? linked(link(view), `/jobs/${namePart(jobName)}`, jobName)
      : html`${jobName} ${executionLink(link(view), execution.id)}`
  }</b> ${what}: ${cause}
  <div class="actions">${
    execution === undefined
      ? linked(link(view), `/jobs/${namePart(jobName)}`, "Look at the job")
      : next === "launch"
      ? html`It runs now: ${executionLink(link(view), execution.id)}`
      : action(view, `/executions/${execution.id}/${next}`, LABELS[next], `${next}-${execution.id}`)
  }</div></div>`

const LABELS = { restart: "Restart", recover: "Recover", stop: "Stop" }

const runningTable = (
  view: View,
  running: ReadonlyArray<JobExecution.JobExecution>,
  steps: ReadonlyArray<StepExecution>
): Html =>
  running.length === 0 ? html`<p class="dim">Nothing runs.</p>` : html`<ul>${
    running.map((execution) => {
      const mine = steps.filter(({ jobExecutionId }) => jobExecutionId === execution.id)
      const at = mine.find(({ endTime, status }) => endTime._tag === "None" && status !== "COMPLETED")
      const total = Counts.combineAll(mine.map(({ counts }) => counts))
      return html`<li>${badge(execution.status)} ${execution.instance.jobName} ${
        executionLink(link(view), execution.id)
      }${at === undefined ? "" : `, in step ${at.place}`}: ${number(total.read)} read, ${
        number(total.write)
      } written, ${elapsed(execution, view.now)}${at === undefined ? "" : ahead(at, view.now)}</li>`
    })
  }</ul>`
