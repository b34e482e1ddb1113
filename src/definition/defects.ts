/**
 * What can't work about a job, found from its definition alone, all at once (BUILD-1, BUILD-6, FLOW-5, FLOW-9).
 */
import * as Option from "effect/Option"
import { quoted } from "../base/text.js"
import type { Target, Ways } from "../decisions/outcome.js"
import * as Transition from "../decisions/Transition.js"
import type { FlowGraph, FlowState } from "./graph.js"
import { foresee } from "./routes.js"
import type { Table } from "./routes.js"
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
          ? `two different ${kind}s are called "${name}": give one of them another name`
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
  ...graph.states.flatMap(partitionDefects),
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

const partitionDefects = (state: FlowState): ReadonlyArray<string> => {
  const body = state._tag === "Step" ? state.definition.body : undefined
  return body?._tag !== "Partition" || (Number.isInteger(body.concurrency) && body.concurrency >= 0)
    ? []
    : [`the concurrency of "${state.name}" is ${body.concurrency}, it must be a whole number from 0 on`]
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
  const taken = new Set<Transition.Transition<Target | undefined>>()
  const asked = new Map<Table, Set<string>>()
  for (const state of graph.states) {
    const foreseen = foresee(state)
    foreseen.taken.forEach((transition) => taken.add(transition))
    foreseen.asked.forEach((codes, table) => asked.set(table, new Set([...(asked.get(table) ?? []), ...codes])))
  }
  return [...holders(graph)].flatMap(([table, name]) => {
    const bad = Transition.defects(table)
    const never = table.filter((transition) => !taken.has(transition)).map(({ pattern }) => ({
      pattern,
      by: hiding(table, pattern, asked.get(table) ?? new Set())
    }))
    const unmatched = never.filter(({ by }) => by.length === 0).map(({ pattern }) => pattern)
    const hidden = never.filter(({ by }) => by.length > 0).map(({ by, pattern }) => Transition.hidden(pattern, by))
    return [
      ...[...new Set([...bad, ...hidden])].map((defect) => `after "${name}" ${defect}`),
      ...(unmatched.length === 0 ? [] : [`after "${name}" no exit code can match ${quoted(unmatched)}`])
    ]
  })
}

/** The name of the state that a table of transitions directly follows, or else of the first that may come to it. */
const holders = (graph: FlowGraph): ReadonlyMap<Table, string> => {
  const names = new Map<Table, string>()
  const direct = new Set<Table>()
  for (const { name, ways } of graph.states) {
    let isFirst = true
    for (let next: Ways | undefined = ways; next !== undefined; next = next.rest) {
      const { way } = next
      if (way._tag === "Codes" && (!names.has(way.transitions) || (isFirst && !direct.has(way.transitions)))) {
        names.set(way.transitions, name)
      }
      if (way._tag === "Codes" && isFirst) {
        direct.add(way.transitions)
      }
      isFirst = isFirst && way._tag === "Declare"
    }
  }
  return names
}

/** The patterns that are taken by the codes which the given one matches, too. */
const hiding = (table: Table, pattern: string, codes: ReadonlySet<string>): ReadonlyArray<string> => [
  ...new Set(
    [...codes].filter((code) => Transition.matches(pattern, code)).flatMap((code) =>
      Option.match(Transition.select(table, code), { onNone: () => [], onSome: (chosen) => [chosen.pattern] })
    )
  )
]
