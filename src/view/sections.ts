/**
 * The parts of reports and pages about one execution.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Measure from "../decisions/measure.js"
import * as Counts from "../vocabulary/Counts.js"
import * as ExitStatus from "../vocabulary/ExitStatus.js"
import * as JobExecution from "../vocabulary/JobExecution.js"
import type { JobParameter } from "../vocabulary/JobParameters.js"
import type * as StepExecution from "../vocabulary/StepExecution.js"
import type { Executed, ExecutionData } from "./data.js"
import type { Html } from "./html.js"
import { html, namePart, urlPart } from "./html.js"
import { badge, duration, number, time, timeOr } from "./words.js"

/** Where links lead; a report has none. */
export type Links = ((path: string) => string) | undefined

export const linked = (links: Links, path: string, text: string | number): Html =>
  links === undefined ? html`${text}` : html`<a href="${links(path)}">${text}</a>`

export const executionLink = (links: Links, id: number): Html => linked(links, `/executions/${id}`, id)

/** Status, times and parameters. */
export const facts = ({ chain, execution }: ExecutionData, now: DateTime.Utc, links: Links): Html =>
  html`<dl>
    <dt>Status</dt><dd>${badge(execution.status, execution.exitStatus.code)}</dd>
    <dt>Job</dt><dd>${linked(links, `/jobs/${namePart(execution.instance.jobName)}`, execution.instance.jobName)}</dd>
    <dt>Started</dt><dd>${timeOr(execution.startTime)}</dd>
    <dt>Ended</dt><dd>${timeOr(execution.endTime)}</dd>
    <dt>Duration</dt><dd>${elapsed(execution, now)}</dd>
    ${
    chain.length < 2 ?
      undefined :
      html`<dt>Executions of this instance</dt><dd>${
        chain.map(({ id, status }) => html`${executionLink(links, id)} ${badge(status)} `)
      }</dd>`
  }
    ${
    Option.isNone(execution.owner) || !JobExecution.isRunning(execution)
      ? undefined
      : html`<dt>Process</dt><dd>${execution.owner.value}</dd>`
  }
  </dl>
  <h2>Parameters</h2>${parameters(execution.parameters)}`

export const elapsed = (
  { endTime, startTime }: Pick<JobExecution.JobExecution, "startTime" | "endTime">,
  now: DateTime.Utc
): string =>
  Option.match(startTime, {
    onNone: () => "–",
    onSome: (start) =>
      duration(Math.max(0, DateTime.distance(start, Option.getOrElse(endTime, () => now)))) +
      (Option.isNone(endTime) ? " so far" : "")
  })

/** Why it did not complete, in the words of its steps, or else of the job. */
export const causes = ({ execution, steps }: Executed): ReadonlyArray<Html> => {
  const failed = steps.filter(({ exitStatus, status }) =>
    (status === "FAILED" || status === "UNKNOWN") && exitStatus.messages.length > 0
  )
  return failed.length > 0
    ? failed.map(({ exitStatus, stepName }) => cause(stepName, ExitStatus.description(exitStatus)))
    : execution.status === "COMPLETED" || execution.exitStatus.messages.length === 0
    ? []
    : [cause(execution.instance.jobName, ExitStatus.description(execution.exitStatus))]
}

export const parameters = (given: ReadonlyArray<JobParameter>): Html =>
  given.length === 0 ?
    html`<p class="dim">none</p>` :
    html`<dl>${
      given.map(({ identifying, name, redacted, value }) =>
        html`<dt>${name}${identifying ? "" : " (does not identify)"}</dt><dd>${
          redacted === true
            ? html`<span class="dim">secret</span>`
            : typeof value === "string"
            ? value
            : JSON.stringify(value)
        }</dd>`
      )
    }</dl>`

export const stepTable = (steps: ReadonlyArray<StepExecution.StepExecution>, now: DateTime.Utc): Html =>
  steps.length === 0 ? html`<p class="dim">No step has run.</p>` : html`<div class="wide"><table>
    <caption class="dim">Steps in the order in which they started</caption>
    <thead><tr><th scope="col">Step</th><th scope="col">Status</th><th scope="col" class="n">Read</th>
    <th scope="col" class="n">Written</th><th scope="col" class="n">Filtered</th><th scope="col" class="n">Skipped</th>
    <th scope="col" class="n">Commits</th><th scope="col" class="n">Rollbacks</th><th scope="col" class="n">Duration</th>
    <th scope="col" class="n">Items/s</th></tr></thead><tbody>${
    steps.map((step) =>
      html`<tr><th scope="row">${step.place}${step.round === "1" ? "" : ` (round ${step.round})`}</th>
      <td>${badge(step.status, step.exitStatus.code)}</td><td class="n">${number(step.counts.read)}</td>
      <td class="n">${number(step.counts.write)}</td><td class="n">${number(step.counts.filter)}</td>
      <td class="n">${number(Counts.skips(step.counts))}</td><td class="n">${number(step.counts.commit)}</td>
      <td class="n">${number(step.counts.rollback)}</td><td class="n">${elapsed(step, now)}${ahead(step, now)}</td>
      <td class="n">${rate(step, now)}</td></tr>`
    )
  }</tbody></table></div>`

/** What the execution launched as parts of itself, the slowest first. */
export const partTable = (parts: ReadonlyArray<Executed>, now: DateTime.Utc, links: Links): Html | undefined =>
  parts.length === 0 ? undefined : html`<h2>Parts, slowest first</h2><div class="wide"><table><thead><tr>
    <th scope="col">Execution</th><th scope="col">Job</th><th scope="col">Status</th><th scope="col" class="n">Read</th>
    <th scope="col" class="n">Written</th><th scope="col" class="n">Duration</th></tr></thead><tbody>${
    [...parts].sort((one, other) => millis(other.execution, now) - millis(one.execution, now))
      .map(({ execution, steps }) => {
        const total = Counts.combineAll(steps.map(({ counts }) => counts))
        return html`<tr><th scope="row">${executionLink(links, execution.id)}</th><td>${execution.instance.jobName}</td>
        <td>${badge(execution.status, execution.exitStatus.code)}</td><td class="n">${number(total.read)}</td>
        <td class="n">${number(total.write)}</td><td class="n">${elapsed(execution, now)}</td></tr>`
      })
  }</tbody></table></div>`

export const skippedTable = ({ execution, groups, steps }: ExecutionData, links: Links): Html => {
  const total = Counts.skips(Counts.combineAll(steps.map(({ counts }) => counts)))
  return groups.length === 0
    ? html`<p class="dim">${
      total === 0
        ? "Nothing was skipped."
        : `${number(total)} records were skipped; no step keeps them in a quarantine.`
    }</p>`
    : html`<div class="wide"><table><thead><tr><th scope="col" class="n">Records</th><th scope="col">Step</th>
      <th scope="col">In</th><th scope="col">Error</th><th scope="col">Message</th></tr></thead><tbody>${
      groups.map(({ count, errorTag, message, phase, stepName }) =>
        html`<tr><td class="n">${
          linked(
            links,
            `/executions/${execution.id}/skipped?step=${urlPart(stepName)}&phase=${phase}&tag=${
              urlPart(errorTag)
            }&message=${urlPart(message)}`,
            number(count)
          )
        }</td><td>${stepName}</td><td>${phase}</td><td>${errorTag}</td><td>${message}</td></tr>`
      )
    }</tbody></table></div>`
}

/** Beside the last execution that completed. */
export const difference = ({ execution, previous, steps }: ExecutionData, now: DateTime.Utc, links: Links): Html => {
  if (previous === undefined) {
    return html`<p class="dim">No earlier execution of this job completed.</p>`
  }
  const totals = [steps, previous.steps].map((of) => Counts.combineAll(of.map(({ counts }) => counts)))
  const [mine, theirs] = [totals[0]!, totals[1]!]
  const rows = [
    ["read", mine.read, theirs.read],
    ["written", mine.write, theirs.write],
    ["filtered", mine.filter, theirs.filter],
    ["skipped", Counts.skips(mine), Counts.skips(theirs)]
  ] as const
  return html`<div class="wide"><table><thead><tr><th scope="col"></th><th scope="col" class="n">This execution</th>
    <th scope="col" class="n">Execution ${executionLink(links, previous.execution.id)}</th>
    <th scope="col" class="n">Difference</th></tr></thead><tbody>
    <tr><th scope="row">duration</th><td class="n">${elapsed(execution, now)}</td>
    <td class="n">${elapsed(previous.execution, now)}</td><td class="n">${
    signed(millis(execution, now) - millis(previous.execution, now), (value) => duration(value))
  }</td></tr>${
    rows.map(([name, one, other]) =>
      html`<tr><th scope="row">${name}</th><td class="n">${number(one)}</td><td class="n">${number(other)}</td>
      <td class="n">${signed(one - other, number)}</td></tr>`
    )
  }</tbody></table></div>`
}

/** Where every record that was read has gone. */
export const totals = (steps: ReadonlyArray<StepExecution.StepExecution>): Html => {
  const sum = Counts.combineAll(steps.map(({ counts }) => counts))
  const gone = sum.write + sum.filter + sum.processSkip + sum.writeSkip
  return html`<p>${number(sum.read)} read = ${number(sum.write)} written + ${number(sum.filter)} filtered + ${
    number(sum.processSkip + sum.writeSkip)
  } skipped after reading${gone === sum.read ? "" : ` + ${number(sum.read - gone)} otherwise`}; ${
    number(sum.readSkip)
  } could not be read. ${number(sum.commit)} commits, ${number(sum.rollback)} rollbacks.</p>`
}

export const millis = (row: Pick<JobExecution.JobExecution, "startTime" | "endTime">, now: DateTime.Utc): number =>
  Option.match(row.startTime, {
    onNone: () => 0,
    onSome: (start) => Math.max(0, DateTime.distance(start, Option.getOrElse(row.endTime, () => now)))
  })

/** `, 42 % of it, about 3 min left`, of a step that runs and whose reader knows the size of its source. */
export const ahead = (step: StepExecution.StepExecution, now: DateTime.Utc): string => {
  if (Option.isSome(step.endTime) || Option.isNone(step.startTime)) {
    return ""
  }
  const began = step.startTime.value
  return Option.match(Measure.read(step.checkpoint), {
    onNone: () => "",
    onSome: (measure) => {
      const left = Measure.left(
        measure,
        DateTime.distance(began, now),
        Math.max(0, DateTime.distance(step.lastUpdated, now))
      )
      return `, ${Math.floor(100 * Measure.share(measure))} % of it${
        Option.match(left, {
          onNone: () => "",
          onSome: (millis) => millis < 1000 ? ", nearly done" : `, about ${duration(millis)} left`
        })
      }`
    }
  })
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const cause = (where: string, what: string): Html => html`<p class="cause"><b>${where}</b>: ${what}</p>`

const rate = (step: StepExecution.StepExecution, now: DateTime.Utc): string => {
  const time = millis(step, now)
  return time === 0 || step.counts.read === 0 ? "–" : number(Math.round(step.counts.read * 1000 / time))
}

const signed = (value: number, words: (value: number) => string): string =>
  value === 0 ? "±0" : `${value > 0 ? "+" : "−"}${words(Math.abs(value))}`

/** Kept for pages that show one time only. */
export const at = time

export const since = (then: DateTime.Utc, now: DateTime.Utc): string =>
  duration(Duration.millis(Math.max(0, DateTime.distance(then, now))))
