/**
 * The first page: what is wrong now, what runs, what ran last.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Running from "../engine/session/running.js"
import { JobRepository } from "../ports/JobRepository.js"
import { executionJson, stepJson } from "../view/data.js"
import type { Html } from "../view/html.js"
import { html } from "../view/html.js"
import { urlPart } from "../view/html.js"
import { elapsed, executionLink, linked, since } from "../view/sections.js"
import { badge, number, timeOr } from "../view/words.js"
import * as Counts from "../vocabulary/Counts.js"
import * as ExitStatus from "../vocabulary/ExitStatus.js"
import type * as JobExecution from "../vocabulary/JobExecution.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"
import type { Page, View } from "./page.js"
import { action, link } from "./page.js"

/** Something that somebody should look at. */
export interface Trouble {
  readonly execution: JobExecution.JobExecution
  readonly what: string
  readonly cause: string
  readonly next: "restart" | "recover" | "stop"
}

interface Seen {
  readonly recent: ReadonlyArray<JobExecution.JobExecution>
  readonly running: ReadonlyArray<JobExecution.JobExecution>
  readonly steps: ReadonlyArray<StepExecution>
  readonly orphaned: ReadonlyArray<JobExecution.JobExecution>
}

/**
 * Pure. What died, what has not committed for a while, and what failed and was not run again; each with the cause in one
 * line and what to do next.
 */
export const troubles = (
  { orphaned, recent, running, steps }: Seen,
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
      execution,
      what: "its process died",
      cause: "The lease has expired, or the process is gone; what was committed is safe",
      next: "recover"
    })),
    ...running.filter(({ id }) => !dead.has(id)).flatMap((execution): ReadonlyArray<Trouble> => {
      const last = lastCommit(execution, steps)
      const isStalled = DateTime.distance(last, now) >= Duration.toMillis(stalledAfter)
      return isStalled
        ? [{
          execution,
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
        execution,
        what: `ended ${execution.status}`,
        cause: ExitStatus.description(execution.exitStatus),
        next: "restart"
      }))
  ]
}

export const overview = (view: View, stalledAfter: Duration.DurationInput) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const recent = yield* repository.jobExecutions({ limit: 100 })
    const running = yield* repository.jobExecutions({ statuses: ["STARTING", "STARTED", "STOPPING"], limit: 100 })
    const failed = yield* repository.jobExecutions({ statuses: ["FAILED", "UNKNOWN"], limit: 20 })
    const orphaned = yield* repository.expiredExecutions(yield* Running.witness)
    const steps = yield* repository.stepExecutionsOf(running.map(({ id }) => id))
    const known = new Set(recent.map(({ id }) => id))
    const all = [...recent, ...failed.filter(({ id }) => !known.has(id))]
    const found = troubles({ recent: all, running, steps, orphaned }, view.now, stalledAfter)
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
        troubles: found.map(({ execution, ...trouble }) => ({ ...trouble, execution: executionJson(execution) })),
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
          linked(link(view), `/jobs/${urlPart(row.instance.jobName)}`, row.instance.jobName)
        }</td><td>${badge(row.status, row.exitStatus.code)}</td><td>${timeOr(row.startTime)}</td><td class="n">${
          elapsed(row, view.now)
        }</td></tr>`
      )
    }</tbody></table></div>`

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const lastCommit = (execution: JobExecution.JobExecution, steps: ReadonlyArray<StepExecution>): DateTime.Utc =>
  steps.filter(({ jobExecutionId }) => jobExecutionId === execution.id)
    .map(({ lastUpdated }) => lastUpdated)
    .reduce((one, other) => DateTime.greaterThan(one, other) ? one : other, execution.lastUpdated)

const troubled = (view: View, { cause, execution, next, what }: Trouble): Html =>
  html`<div class="cause"><b>${execution.instance.jobName} ${
    executionLink(link(view), execution.id)
  }</b> ${what}: ${cause}
  <div class="actions">${
    action(view, `/executions/${execution.id}/${next}`, LABELS[next], `${next}-${execution.id}`)
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
      } written, ${elapsed(execution, view.now)}</li>`
    })
  }</ul>`
