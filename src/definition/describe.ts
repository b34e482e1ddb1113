/**
 * A job as data: its steps, exit codes, routes and parameters, in a form that is JSON.
 */
import * as Either from "effect/Either"
import type { CompletionPolicy } from "../decisions/CompletionPolicy.js"
import * as Field from "../vocabulary/parameterFields.js"
import type { FlowGraph, FlowState } from "./graph.js"
import { codesOf, endCodes, foresee } from "./routes.js"
import type { JobDefinition, StepDefinition } from "./tree.js"
import { definitionOf } from "./tree.js"

export interface JobDescription {
  readonly name: string
  readonly restartable: boolean
  readonly parameters: ReadonlyArray<ParameterDescription>
  readonly needs: NeedsDescription
  readonly flow: FlowDescription
}

/** `required`: a launch without it is refused. */
export interface ParameterDescription {
  readonly name: string
  readonly required: boolean
  readonly identifying: boolean
  readonly redacted: boolean
}

/** What must be there before a launch: parameters, and other jobs, by name. Services are a matter of the types. */
export interface NeedsDescription {
  readonly parameters: ReadonlyArray<string>
  readonly jobs: ReadonlyArray<string>
}

/** `codes`: the exit codes with which the flow may end, as far as the definition tells. */
export interface FlowDescription {
  readonly start: string
  readonly codes: ReadonlyArray<string>
  readonly states: ReadonlyArray<StateDescription>
}

/**
 * - `codes`: the exit codes that are known from the definition; `open` when code in the step may set others.
 * - `routes`: where they lead. `to` is a state, or none where the flow ends as the state does.
 */
export interface StateDescription {
  readonly name: string
  readonly kind: "step" | "decider" | "split" | "end" | "stop"
  readonly codes: ReadonlyArray<string>
  readonly open: boolean
  readonly routes: ReadonlyArray<{ readonly on: string; readonly to: string | null }>
  readonly step?: StepDescription | undefined
  readonly branches?: ReadonlyArray<FlowDescription> | undefined
}

export interface StepDescription {
  readonly name: string
  readonly kind: "chunk" | "tasklet" | "flow" | "job" | "partition"
  readonly startLimit: number | null
  readonly allowStartIfComplete: boolean
  readonly listeners: number
  readonly chunk?:
    | { readonly completion: string; readonly concurrency: number; readonly delivery: string }
    | undefined
  readonly flow?: FlowDescription | undefined
  readonly job?: JobDescription | undefined
  /** `concurrency`: how many partitions the process of the job runs at once. `code`: the fingerprint that workers compare. */
  readonly partition?:
    | { readonly concurrency: number; readonly onFailure: "continue" | "stop"; readonly code: string }
    | undefined
}

export const describe = (job: JobDefinition): JobDescription => {
  const parameters = parametersOf(job)
  return {
    name: job.name,
    restartable: job.restartable,
    parameters,
    needs: {
      parameters: parameters.flatMap(({ name, required }) => required ? [name] : []),
      jobs: jobsIn(job.graph)
    },
    flow: describeFlow(job.graph)
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const parametersOf = ({ parameters }: JobDefinition): ReadonlyArray<ParameterDescription> =>
  parameters === undefined ? [] : Object.entries(parameters.fields).map(([name, field]) => ({
    name,
    required: Either.isLeft(Field.decode(name, field, {})),
    identifying: parameters.identifying.includes(name),
    redacted: parameters.redacted.includes(name)
  }))

const jobsIn = (graph: FlowGraph): ReadonlyArray<string> => [
  ...new Set(graph.states.flatMap((state): ReadonlyArray<string> => {
    if (state._tag === "Split") {
      return state.branches.flatMap(jobsIn)
    }
    if (state._tag !== "Step") {
      return []
    }
    const { body } = state.definition
    return body._tag === "Flow" ? jobsIn(body.graph) : body._tag === "Job" ? [body.job.name] : []
  }))
]

const describeFlow = (graph: FlowGraph): FlowDescription => ({
  start: graph.states[graph.start]!.name,
  codes: endCodes(graph),
  states: graph.states.map((state) => describeState(graph, state))
})

const KINDS = { Step: "step", Decide: "decider", Split: "split", End: "end", Stop: "stop" } as const

const describeState = (graph: FlowGraph, state: FlowState): StateDescription => {
  const { known, mayFail, open } = codesOf(state)
  return {
    name: state.name,
    kind: KINDS[state._tag],
    codes: state._tag === "End" || state._tag === "Stop" ? [state.code] : [...known, ...(mayFail ? ["FAILED"] : [])],
    open,
    routes: foresee(state).routes.map(({ on, to }) => ({
      on,
      to: typeof to === "number" ? graph.states[to]!.name : null
    })),
    ...(state._tag === "Step" ? { step: describeStep(state.definition) } : {}),
    ...(state._tag === "Split" ? { branches: state.branches.map(describeFlow) } : {})
  }
}

const describeStep = ({ body, name, settings }: StepDefinition): StepDescription => {
  const common = {
    name,
    startLimit: settings.startLimit > 0 && Number.isFinite(settings.startLimit) ? settings.startLimit : null,
    allowStartIfComplete: settings.allowStartIfComplete,
    listeners: settings.listeners.length
  }
  switch (body._tag) {
    case "Chunk": {
      // Without a transaction of the step there is nothing that its rows could commit with.
      const isAlone = settings.transaction.propagation === "notSupported" && body.writer.delivery === "transactional"
      const delivery = isAlone ? "at-least-once" : body.writer.delivery
      const chunk = { completion: completionOf(body.completion), concurrency: body.concurrency, delivery }
      return { ...common, kind: "chunk", chunk }
    }
    case "Flow":
      return { ...common, kind: "flow", flow: describeFlow(body.graph) }
    case "Job":
      return { ...common, kind: "job", job: describe(definitionOf(body.job)) }
    case "Partition": {
      const { concurrency, fingerprint, onFailure } = body
      return { ...common, kind: "partition", partition: { concurrency, onFailure, code: fingerprint } }
    }
    default:
      return { ...common, kind: "tasklet" }
  }
}

const completionOf = ({ maxItems, maxMillis, until }: CompletionPolicy<any>): string =>
  [
    ...(Number.isFinite(maxItems) ? [`${maxItems} items`] : []),
    ...(Number.isFinite(maxMillis) ? [`${maxMillis} ms`] : []),
    ...(until._tag === "Some" ? ["a condition"] : [])
  ].join(" or ")
