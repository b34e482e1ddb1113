/**
 * What the buttons do. Everything that was asked for is written down with who asked and what became of it; what does not
 * apply any more is told what is the case now.
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { definitionOf } from "../definition/tree.js"
import * as JobOperator from "../operator/JobOperator.js"
import * as JobRegistry from "../operator/JobRegistry.js"
import { JobRepository } from "../ports/JobRepository.js"
import type { Transactor } from "../ports/Transactor.js"
import { html } from "../view/html.js"
import { inputs, parse } from "../view/inputs.js"
import { executionLink } from "../view/sections.js"
import { badge } from "../view/words.js"
import type { InvalidJobParameters } from "../vocabulary/BatchError.js"
import { messageOf } from "../vocabulary/failure.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import { jobPage } from "./jobPages.js"
import type { View } from "./page.js"
import * as Pages from "./page.js"

/** One of the actions on an execution. */
export const onExecution = (view: View, id: number, action: string) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const { instance } = yield* repository.jobExecution(id)
    const done = yield* Effect.either(perform(view, id, action))
    const failure = done._tag === "Left" ? messageOf(done.left) : undefined
    yield* written(view, { executionId: id, jobName: instance.jobName, what: action, failure })
    return done._tag === "Right" ? goTo(view, done.right) : yield* stale(view, id, action, failure!)
  })

/** Runs a job with what somebody has typed into its form. */
export const launch = (view: View, name: string, form: ReadonlyMap<string, string>) =>
  Effect.gen(function*() {
    const registry = yield* JobRegistry.JobRegistry
    const { job } = yield* registry.get(name)
    const declaration = definitionOf(job).parameters ?? JobParameters.none
    const fields = inputs(declaration)
    const typed = fields.flatMap((field) => {
      const text = form.get(`p.${field.parameter}`) ?? ""
      return text === "" && !(field.isRequired && field.kind._tag === "Text") ? [] : [{ field, text }]
    })
    const given = Object.fromEntries(typed.map(({ field, text }) => [field.parameter, parse(field.kind, text)]))
    const started = yield* Effect.either(JobRegistry.start(name, given))
    if (started._tag === "Right") {
      const { id } = started.right.execution
      yield* written(view, { executionId: id, jobName: name, what: "launch", failure: undefined })
      return goTo(view, id)
    }
    const failure = messageOf(started.left)
    yield* written(view, { executionId: undefined, jobName: name, what: "launch", failure })
    const page = yield* jobPage(view, name, {
      values: Object.fromEntries(
        typed.filter(({ field }) => !field.isSecret).map(({ field, text }) => [field.parameter, text])
      ),
      problems: started.left._tag === "InvalidJobParameters" ? problemsOf(started.left) : [failure]
    })
    return view.wantsJson ? Pages.json(view, page.json, page.status) : Pages.render(view, page)
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Answers with the execution to look at then. */
const perform = (
  view: View,
  id: number,
  action: string
): Effect.Effect<number, unknown, JobRegistry.JobRegistry | JobRepository | Transactor | Scope.Scope> => {
  switch (action) {
    case "stop":
      return Effect.as(JobOperator.stop(id), id)
    case "restart":
      return Effect.map(JobRegistry.startAgain(id), ({ execution }) => execution.id)
    case "recover":
      return Effect.as(JobOperator.recover(id, { reason: `asked by ${view.who}` }), id)
    case "abandon":
      return Effect.as(JobOperator.abandon(id), id)
    case "replay":
      return Effect.map(JobRegistry.startReplay(id), ({ execution }) => execution.id)
    default:
      return Effect.fail(`There is no action "${action}"`)
  }
}

const problemsOf = ({ problems }: InvalidJobParameters): ReadonlyArray<string> =>
  problems.map(({ message, parameter }) => `${parameter} ${message}`)

const goTo = (view: View, id: number): HttpServerResponse.HttpServerResponse =>
  Pages.protect(
    view,
    view.wantsJson
      ? Pages.json(view, { id })
      : HttpServerResponse.redirect(Pages.link(view)(`/executions/${id}`), { status: 303 })
  )

/** The page that somebody acted on may be an old one. */
const stale = (view: View, id: number, action: string, failure: string) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const { exitStatus, status } = yield* repository.jobExecution(id)
    const page: Pages.Page = {
      title: `Nothing was done: ${action}`,
      live: html`<p class="cause" role="alert">${failure}</p><p>Execution ${
        executionLink(Pages.link(view), id)
      } is now ${badge(status, exitStatus.code)}.</p>`,
      json: { error: failure, status },
      status: 409
    }
    return view.wantsJson ? Pages.json(view, page.json, page.status) : Pages.render(view, page)
  })

const written = (view: View, entry: {
  readonly executionId: number | undefined
  readonly jobName: string
  readonly what: string
  readonly failure: string | undefined
}) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const { failure, ...rest } = entry
    yield* Effect.logInfo(`${view.who} asked for ${rest.what} of ${rest.jobName}: ${failure ?? "done"}`)
    yield* repository.recordAudit({
      ...rest,
      who: view.who,
      outcome: failure ?? "done",
      createTime: yield* DateTime.now
    })
  })
