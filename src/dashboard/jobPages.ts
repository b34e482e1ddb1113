/**
 * The pages about jobs: what there is, and one job with its picture, its history and the form that runs it.
 */
import * as Effect from "effect/Effect"
import { definitionOf } from "../definition/tree.js"
import * as JobRegistry from "../operator/JobRegistry.js"
import { JobRepository } from "../ports/JobRepository.js"
import { executionJson } from "../view/data.js"
import type { Html } from "../view/html.js"
import { html, namePart } from "../view/html.js"
import type { Input } from "../view/inputs.js"
import { inputs } from "../view/inputs.js"
import { picture } from "../view/picture.js"
import * as Section from "../view/sections.js"
import { duration } from "../view/words.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import { executionTable } from "./overview.js"
import type { Page, View } from "./page.js"
import { link } from "./page.js"

export const jobsPage = (view: View) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const registered = yield* JobRegistry.names
    const stored = yield* repository.jobNames
    const names = [...new Set([...registered, ...stored])].sort()
    const page: Page = {
      title: "Jobs",
      live: html`<ul>${
        names.map((name) =>
          html`<li>${Section.linked(link(view), `/jobs/${namePart(name)}`, name)}${
            registered.includes(name) ? undefined : html` <span class="dim">(not in this program)</span>`
          }</li>`
        )
      }</ul>`,
      json: { jobs: names.map((name) => ({ name, registered: registered.includes(name) })) }
    }
    return page
  })

/** What somebody has typed into the form, and why it was refused. */
export interface Tried {
  readonly values: Readonly<Record<string, string>>
  readonly problems: ReadonlyArray<string>
}

export const jobPage = (view: View, name: string, tried?: Tried) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const registry = yield* JobRegistry.JobRegistry
    const found = yield* Effect.option(registry.get(name))
    const history = yield* repository.jobExecutions({ jobName: name, limit: 30 })
    if (found._tag === "None" && history.length === 0) {
      return yield* registry.get(name).pipe(Effect.zipRight(Effect.die("unreachable")))
    }
    const definition = found._tag === "Some" ? definitionOf(found.value.job) : undefined
    const fields = definition === undefined ? [] : inputs(definition.parameters ?? JobParameters.none)
    const page: Page = {
      title: name,
      live: html`${
        definition === undefined ?
          undefined :
          html`<h2>Flow</h2><div class="wide">${picture(definition.graph, [])}</div>`
      }
      <h2>The last ${history.length} executions</h2>${chart(view, history)}${executionTable(view, history)}`,
      rest: definition === undefined || view.access !== "operate" ? undefined : form(view, name, fields, tried),
      status: tried === undefined ? undefined : 422,
      json: {
        name,
        parameters: fields.map(({ description, isRequired, kind, parameter }) => ({
          name: parameter,
          kind: kind._tag,
          isRequired,
          description
        })),
        executions: history.map(executionJson),
        problems: tried?.problems
      }
    }
    return page
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** One bar per execution, oldest first, as high as it took long. */
const chart = (view: View, history: ReadonlyArray<JobExecution>): Html | undefined => {
  const ended = history.filter(({ startTime }) => startTime._tag === "Some").reverse()
  const times = ended.map((row) => Section.millis(row, view.now))
  const most = Math.max(1, ...times)
  return ended.length < 2 ? undefined : html`<svg role="img" aria-label="Durations of the last executions" width="620"
    height="110" viewBox="0 0 620 110">${
    ended.map((row, at) => {
      const height = Math.max(2, Math.round(80 * times[at]! / most))
      return html`<g><title>execution ${row.id}: ${row.status}, ${
        duration(times[at]!)
      }</title><rect class="bar ${row.status}" x="${at * 20 + 4}" y="${
        90 - height
      }" width="14" height="${height}"/></g>`
    })
  }<text class="small" x="4" y="104">longest ${duration(most)}</text></svg>`
}

const form = (view: View, name: string, fields: ReadonlyArray<Input>, tried: Tried | undefined): Html =>
  html`<h2>Run it</h2>${
    tried === undefined
      ? undefined
      : html`<div class="cause" role="alert">${tried.problems.map((each) => html`<p>${each}</p>`)}</div>`
  }<form method="post" action="${link(view)(`/jobs/${namePart(name)}/launch`)}" autocomplete="off">
  <input type="hidden" name="token" value="${view.session.token}">${
    fields.map((field) => {
      const id = `p-${field.parameter}`
      const given = tried?.values[field.parameter]
      return html`<label for="${id}">${field.parameter}${field.isRequired ? "" : " (optional)"}</label>
      <span class="dim" id="${id}-about">${field.description}</span>${
        control(field, id, given ?? field.fallback ?? "")
      }`
    })
  }<p><button id="launch">Run</button></p></form>`

/** The Schema decides what is right; the browser only helps. */
const control = ({ isRequired, isSecret, kind, parameter }: Input, id: string, value: string): Html => {
  const name = `p.${parameter}`
  const required = isRequired ? html` required` : undefined
  if (kind._tag === "Choice") {
    return html`<select id="${id}" name="${name}" aria-describedby="${id}-about"${required}>${
      isRequired ? undefined : html`<option value=""></option>`
    }${
      kind.choices.map((choice) =>
        html`<option value="${String(choice)}"${String(choice) === value ? html` selected` : undefined}>${
          String(choice)
        }</option>`
      )
    }</select>`
  }
  const type = isSecret
    ? "password"
    : kind._tag === "Number"
    ? "number"
    : kind._tag === "Text" && kind.hint === "date"
    ? "date"
    : "text"
  return html`<input id="${id}" name="${name}" type="${type}"${kind._tag === "Number" ? html` step="any"` : undefined}
    aria-describedby="${id}-about" value="${isSecret ? "" : value}"${required}>`
}
