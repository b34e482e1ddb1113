/**
 * The pages about one execution: everything about it, its skipped records, and the list of all.
 */
import type * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { Job } from "../definition/Job.js"
import { definitionOf } from "../definition/tree.js"
import * as JobOperator from "../operator/JobOperator.js"
import * as JobRegistry from "../operator/JobRegistry.js"
import { JobRepository } from "../ports/JobRepository.js"
import type { AuditEntry } from "../ports/JobRepository.js"
import * as Data from "../view/data.js"
import type { Html } from "../view/html.js"
import { html, urlPart } from "../view/html.js"
import { picture } from "../view/picture.js"
import { report } from "../view/report.js"
import * as Section from "../view/sections.js"
import { duration, number, time } from "../view/words.js"
import * as BatchStatus from "../vocabulary/BatchStatus.js"
import * as Counts from "../vocabulary/Counts.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import type { SkipPhase } from "../vocabulary/SkippedItem.js"
import { executionTable } from "./overview.js"
import type { Page, View } from "./page.js"
import { action, link } from "./page.js"

/** Everything about one execution. */
export const executionPage = (view: View, id: number) =>
  Effect.gen(function*() {
    const data = yield* Data.load(id)
    const { execution, steps } = data
    const repository = yield* JobRepository
    const job = yield* jobNamed(execution.instance.jobName)
    const forecast = job === undefined ? undefined : yield* whatRestartDoes(job, execution)
    const audit = yield* repository.audit({ executionId: id })
    const usually = yield* usualDuration(execution)
    const again = yield* runAgain(view, data)
    const page: Page = {
      title: `${execution.instance.jobName} – execution ${id}`,
      live: html`${Section.causes(data)}
      ${actions(view, execution, job !== undefined)}
      <div role="status">${Section.facts(data, view.now, link(view))}</div>
      ${
        usually === undefined
          ? undefined
          : html`<p>Usually ${duration(usually)}; ${pace(execution, usually, view.now)}</p>`
      }
      ${
        forecast === undefined ?
          undefined :
          html`<h2>What a restart would do</h2><ul>${forecast.map((line) => html`<li>${line}</li>`)}</ul>`
      }
      ${
        job === undefined ?
          undefined :
          html`<h2>Flow</h2><div class="wide">${picture(definitionOf(job).graph, steps)}</div>`
      }
      <h2>Steps</h2>${Section.stepTable(steps, view.now)}
      ${Section.partTable(data.parts, view.now, link(view))}
      <h2>Skipped records</h2>${Section.skippedTable(data, link(view))}${again}
      <h2>Difference to the last execution that completed</h2>${Section.difference(data, view.now, link(view))}
      <h2>What was done by whom</h2>${audited(audit)}
      <p><a href="${link(view)(`/executions/${id}/report`)}">Report as a file</a></p>`,
      json: { ...Data.dataJson(data), restart: forecast ?? null, audit }
    }
    return page
  })

/** The report of an execution. */
export const reportOf = (id: number, now: DateTime.Utc) =>
  Effect.gen(function*() {
    const data = yield* Data.load(id)
    const job = yield* jobNamed(data.execution.instance.jobName)
    return report(data, job && definitionOf(job).graph, now)
  })

/** Its skipped records, page by page. */
export const skippedPage = (view: View, id: number) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const execution = yield* repository.jobExecution(id)
    const asked = (name: string) => view.query.get(name) ?? undefined
    const filter = {
      executionId: id,
      stepName: asked("step"),
      phase: asked("phase") as SkipPhase | undefined,
      errorTag: asked("tag"),
      message: asked("message")
    }
    const items = yield* repository.skippedPage({ ...filter, after: count(asked("after")) ?? 0, limit: 50 })
    const groups = yield* repository.skippedGroups(id, 50)
    const last = items.at(-1)
    const next = new URLSearchParams(view.query)
    next.set("after", String(last?.id ?? 0))
    const page: Page = {
      title: `${execution.instance.jobName} – skipped in execution ${id}`,
      live: html`<p>${Section.linked(link(view), `/executions/${id}`, "Back to the execution")}</p>
      <h2>By error and message</h2>${
        Section.skippedTable({ execution, groups, steps: [], chain: [], parts: [], previous: undefined }, link(view))
      }<h2>Records${filter.message === undefined ? "" : html`: ${filter.errorTag} ${filter.message}`}</h2>
      <div class="wide"><table><thead><tr><th scope="col">Step</th><th scope="col">In</th><th scope="col">Error</th>
      <th scope="col">Message</th><th scope="col">Position</th><th scope="col">Record</th></tr></thead><tbody>${
        items.map((item) =>
          html`<tr><td>${item.stepName}</td><td>${item.phase}</td><td>${item.errorTag}</td><td>${item.message}</td>
          <td>${jsonOf(item.position)}</td><td><code>${jsonOf(item.item)}</code></td></tr>`
        )
      }</tbody></table></div>${
        items.length < 50 ?
          undefined :
          html`<p><a id="next" href="${link(view)(`/executions/${id}/skipped?${next.toString()}`)}">Next 50</a></p>`
      }`,
      json: { groups, items: items.map(Data.skippedJson), after: items.length < 50 ? null : last?.id }
    }
    return page
  })

/** All executions, page by page. */
export const executionsPage = (view: View) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const jobName = view.query.get("job") || undefined
    const status = BatchStatus.BatchStatus.literals.find((each) => each === view.query.get("status"))
    const before = count(view.query.get("before") ?? undefined)
    const rows = yield* repository.jobExecutions({
      jobName,
      statuses: status === undefined ? undefined : [status],
      before,
      limit: 50
    })
    const names = yield* repository.jobNames
    const more = new URLSearchParams(view.query)
    more.set("before", String(rows.at(-1)?.id ?? 0))
    const option = (value: string, chosen: string | undefined) =>
      html`<option value="${value}"${value === chosen ? html` selected` : undefined}>${value}</option>`
    const page: Page = {
      title: "Executions",
      live: html`<form method="get" action="${link(view)("/executions")}" aria-label="Filter">
        <label for="job">Job</label><select id="job" name="job"><option value="">all</option>${
        names.map((name) => option(name, jobName))
      }</select><label for="status">Status</label><select id="status" name="status"><option value="">all</option>${
        BatchStatus.BatchStatus.literals.map((each) => option(each, status))
      }</select> <button>Show</button></form>
      ${executionTable(view, rows)}${
        rows.length < 50
          ? undefined
          : html`<p><a id="next" href="${link(view)(`/executions?${more.toString()}`)}">Older</a></p>`
      }`,
      json: { executions: rows.map(Data.executionJson), before: rows.length < 50 ? null : rows.at(-1)?.id }
    }
    return page
  })

export const jobNamed = (name: string): Effect.Effect<Job.Any | undefined, never, JobRegistry.JobRegistry> =>
  Effect.flatMap(JobRegistry.JobRegistry, (registry) =>
    registry.get(name).pipe(
      Effect.map(({ job }) => job),
      Effect.catchAll(() => Effect.succeed(undefined))
    ))

/** An id, or a place in a list, as a request names it. */
export const count = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const actions = (view: View, { id, status }: JobExecution, isKnown: boolean): Html | undefined => {
  const path = (what: string) => `/executions/${id}/${what}`
  const restart = isKnown ? action(view, path("restart"), "Restart", "restart") : undefined
  const abandon = action(view, path("abandon"), "Give up for good", "abandon")
  const shown = status === "COMPLETED" || status === "ABANDONED"
    ? []
    : BatchStatus.isRunning(status)
    ? [action(view, path("stop"), "Stop", "stop"), action(view, path("recover"), "Recover", "recover")]
    : [
      restart,
      abandon === undefined ? undefined : html`<details id="giveup"><summary>Give up…</summary><p>The instance can
      then never run again.</p>${abandon}</details>`
    ]
  return html`<div class="actions">${shown}</div>`
}

/** The button that runs the skipped records again, or why there is none; nothing where nothing was skipped. */
const runAgain = (view: View, { execution: { id }, steps }: Data.ExecutionData) =>
  steps.every(({ counts }) => Counts.skips(counts) === 0) ?
    Effect.succeed(undefined) :
    JobRegistry.explainReplay(id).pipe(
      Effect.map(({ goesOn, records, unread }) =>
        html`<p>${number(records)} of them can be run again${
          goesOn === undefined ? "" : html`: execution ${Section.executionLink(link(view), goesOn)} has begun to`
        }${unread === 0 ? "" : `; ${number(unread)} could not be read`}.</p>
      <div class="actions">${action(view, `/executions/${id}/replay`, "Run these again", "replay")}</div>`
      ),
      Effect.catchTags({
        ReplayRefused: ({ detail }) => Effect.succeed(html`<p class="dim">Not run again: ${detail}.</p>`),
        NoSuchJob: () => Effect.succeed(html`<p class="dim">Not run again: its job is not in this program.</p>`)
      })
    )

/** Nothing for what runs, or is done with. */
const whatRestartDoes = (job: Job.Any, { parameters, status }: JobExecution) => {
  if (BatchStatus.isRunning(status) || status === "COMPLETED" || status === "ABANDONED") {
    return Effect.succeed(undefined)
  }
  const decoded = JobParameters.decode(definitionOf(job).parameters ?? JobParameters.none, parameters)
  return Either.isLeft(decoded)
    ? Effect.succeed([decoded.left.message])
    : JobOperator.explain(job, decoded.right).pipe(
      Effect.map(({ lines }) => lines),
      Effect.catchTag("UnreadableContextKey", (error) => Effect.succeed([error.message]))
    )
}

/** The median of the last 30 that completed, when there are three. */
const usualDuration = ({ id, instance }: JobExecution) =>
  Effect.flatMap(JobRepository, (repository) =>
    Effect.map(
      repository.jobExecutions({ jobName: instance.jobName, statuses: ["COMPLETED"], before: id, limit: 30 }),
      (rows) => {
        const times = rows.map((row) => Section.millis(row, row.lastUpdated)).sort((one, other) => one - other)
        return times.length < 3 ? undefined : times[times.length >> 1]
      }
    ))

const pace = (execution: JobExecution, usually: number, now: DateTime.Utc): string => {
  const taken = Section.millis(execution, now)
  return Option.isSome(execution.endTime)
    ? `this time ${duration(taken)}.`
    : taken < usually
    ? `now ${duration(taken)}, so about ${duration(usually - taken)} are left.`
    : `now ${duration(taken)}, longer than usual.`
}

const audited = (entries: ReadonlyArray<AuditEntry>): Html =>
  entries.length === 0 ?
    html`<p class="dim">Nothing.</p>` :
    html`<ul>${
      entries.map(({ createTime, outcome, what, who }) =>
        html`<li>${time(createTime)}: ${who} asked for ${what}: ${outcome}</li>`
      )
    }</ul>`

const jsonOf = (value: Option.Option<unknown>): string =>
  Option.match(value, { onNone: () => "–", onSome: (json) => JSON.stringify(json) })

export const amount = number
export const path = urlPart
