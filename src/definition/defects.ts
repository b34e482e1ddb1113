/**
 * What can't work about a job, found from its definition alone, all at once (BUILD-1, BUILD-6, FLOW-5, FLOW-9).
 */
import { quoted } from "../base/text.js"
import * as Transition from "../decisions/Transition.js"
import type { FlowGraph, FlowState, Target, Ways } from "./graph.js"
import { foresee } from "./routes.js"
import type { JobDefinition, StepDefinition } from "./tree.js"

/** One line per defect; none when the job can run. */
export const defects = (job: JobDefinition): ReadonlyArray<string> => {
  const graphs = allGraphs(job.graph)
  return [
    ...new Set([
      ...(job.name.trim() === "" ? ["a job needs a name"] : []),
      ...nameDefects(graphs),
      ...graphs.flatMap(graphDefects)
    ])
  ]
}

/** The graph, those of its split branches and those of its flow steps, the outer ones first. */
export const allGraphs = (graph: FlowGraph): ReadonlyArray<FlowGraph> => [
  graph,
  ...graph.states.flatMap(innerGraphs).flatMap(allGraphs)
]

/** The flows inside a state. */
export const innerGraphs = (state: FlowState): ReadonlyArray<FlowGraph> =>
  state._tag === "Split"
    ? state.branches
    : state._tag === "Step" && state.definition.body._tag === "Flow"
    ? [state.definition.body.graph]
    : []

/** The steps of a flow and of all flows inside it, each once (FLOW-72). */
export const steps = (graph: FlowGraph): ReadonlyArray<StepDefinition> => [
  ...new Set(
    allGraphs(graph).flatMap(({ states }) => states.flatMap((state) => state._tag === "Step" ? [state.definition] : []))
  )
]

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** The same value may stand in several places; different ones may not share a name. */
const nameDefects = (graphs: ReadonlyArray<FlowGraph>): ReadonlyArray<string> => {
  const found: Array<string> = []
  const byName = new Map<string, { readonly kind: string; readonly value: unknown }>()
  const check = (kind: string, name: string, value: unknown) => {
    const known = byName.get(name)
    if (name.trim() === "") {
      found.push(`a ${kind} needs a name`)
    } else if (known !== undefined && known.value !== value) {
      found.push(
        known.kind === kind
          ? `two different ${kind}s are called "${name}"`
          : `a ${known.kind} and a ${kind} are both called "${name}"`
      )
    }
    byName.set(name, { kind, value })
  }
  for (const state of graphs.flatMap(({ states }) => states)) {
    if (state._tag === "Step") {
      check("step", state.definition.name, state.definition)
    } else if (state._tag === "Decide") {
      check("decider", state.decider.name, state.decider)
    }
  }
  return found
}

const graphDefects = (graph: FlowGraph): ReadonlyArray<string> => [
  ...graph.defects,
  ...graph.states.flatMap(splitDefects),
  ...unreachable(graph).map((name) => `"${name}" can't be reached`),
  ...graph.states.flatMap((state) =>
    foresee(state).missing.map((code) => `"${state.name}" may end with "${code}", for which there is no transition`)
  ),
  ...transitionDefects(graph)
]

const splitDefects = (state: FlowState): ReadonlyArray<string> => {
  if (state._tag !== "Split") {
    return []
  }
  const { concurrency } = state.settings
  return [
    ...(state.branches.length === 0 ? ["a split needs at least one branch"] : []),
    ...(concurrency === "unbounded" || (Number.isInteger(concurrency) && concurrency >= 1)
      ? []
      : [`the concurrency of "${state.name}" is ${concurrency}, it must be a whole number from 1 on`])
  ]
}

const unreachable = ({ start, states }: FlowGraph): ReadonlyArray<string> => {
  const reached = new Set([start])
  for (const at of reached) {
    foresee(states[at]!).routes.forEach(({ to }) => typeof to === "number" && reached.add(to))
  }
  return states.flatMap(({ name }, at) => reached.has(at) ? [] : [name])
}

/** Per table of transitions: bad patterns, and those that no code of any state before it can take. */
const transitionDefects = (graph: FlowGraph): ReadonlyArray<string> => {
  const tables = new Map<ReadonlyArray<Transition.Transition<Target | undefined>>, string>()
  const taken = new Set<Transition.Transition<Target | undefined>>()
  for (const state of graph.states) {
    foresee(state).taken.forEach((transition) => taken.add(transition))
    for (let next: Ways | undefined = state.ways; next !== undefined; next = next.rest) {
      if (next.way._tag === "Codes" && !tables.has(next.way.transitions)) {
        tables.set(next.way.transitions, state.name)
      }
    }
  }
  return [...tables].flatMap(([transitions, name]) => {
    const never = transitions.filter((transition) => !taken.has(transition)).map(({ pattern }) => pattern)
    return [
      ...Transition.defects(transitions).map((defect) => `after "${name}" ${defect}`),
      ...(never.length === 0 ? [] : [`after "${name}" no exit code can match ${quoted(never)}`])
    ]
  })
}
