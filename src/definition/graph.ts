/**
 * A flow as a graph of named states: what the engine walks, `Job.make` checks and `Job.toMermaid` draws. Lowering is
 * pure and total; what can't work is found afterwards (`flowDefects`), all at once.
 *
 * Flows compose like functions: a composed flow ends with an outcome, and what surrounds it routes on that. So each
 * state carries its ways: what to do with its outcome, innermost combinator first.
 */
import { didYouMean } from "../base/text.js"
import type { Target, Way, Ways } from "../decisions/outcome.js"
import * as Transition from "../decisions/Transition.js"
import type { Decider, FlowNode, SplitSettings, StepDefinition } from "./tree.js"

export type FlowState = { readonly name: string; readonly ways: Ways | undefined } & StateKind

export type StateKind =
  | { readonly _tag: "Step"; readonly definition: StepDefinition }
  | { readonly _tag: "Decide"; readonly decider: Decider }
  | { readonly _tag: "Split"; readonly branches: ReadonlyArray<FlowGraph>; readonly settings: SplitSettings }
  | { readonly _tag: "End"; readonly status: "COMPLETED" | "FAILED"; readonly code: string }
  | { readonly _tag: "Stop"; readonly code: string; readonly abandon: boolean }

export interface FlowGraph {
  readonly start: number
  /** Names are unique. In the order in which a walk may meet them. */
  readonly states: ReadonlyArray<FlowState>
  /** What lowering itself could not make sense of. */
  readonly defects: ReadonlyArray<string>
}

/** The target in `Flow.graph` that ends the graph with the outcome of the state. */
export const END = "END"

export const lower = (node: FlowNode): FlowGraph => {
  const builder: Builder = { drafts: [], cells: [], completed: new Map(), defects: new Set() }
  const start = cell(builder, enter(builder, node, undefined))
  const order = reachableFirst(builder, start.at)
  const position = new Map(order.map((old, index) => [old, index]))
  for (const target of builder.cells) {
    target.at = position.get(target.at)!
  }
  const drafts = order.map((old) => builder.drafts[old]!)
  return { start: start.at, states: named(drafts), defects: [...builder.defects] }
}

/** Where a list of ways may lead to, in order of preference. */
export const targets = (ways: Ways | undefined): ReadonlyArray<number> => {
  const found = new Set<number>()
  for (let next = ways; next !== undefined; next = next.rest) {
    targetsOf(next.way).forEach((to) => found.add(to))
  }
  return [...found]
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Draft = StateKind & { readonly ways: Ways | undefined }
type Cell = { at: number }

interface Builder {
  readonly drafts: Array<Draft>
  readonly cells: Array<Cell>
  readonly completed: Map<Ways | undefined, Map<number, Ways>>
  readonly defects: Set<string>
}

/**
 * The state with which the node begins. A value that stands in several places of the flow becomes several states, each with
 * a history of its own (OWN-6, OWN-27).
 */
const enter = (builder: Builder, node: FlowNode, ways: Ways | undefined): number => {
  let first = node
  let after = ways
  while (first._tag === "AndThen") {
    after = completed(builder, enter(builder, first.that, after), after)
    first = first.self
  }
  return enterNew(builder, first, after)
}

const enterNew = (builder: Builder, node: Exclude<FlowNode, { _tag: "AndThen" }>, ways: Ways | undefined): number => {
  switch (node._tag) {
    case "Match": {
      const transitions = node.cases.map(({ pattern, to }) =>
        Transition.make(pattern, cell(builder, enter(builder, to, ways)))
      )
      return enter(builder, node.self, { way: { _tag: "Codes", transitions }, rest: ways })
    }
    case "Declare":
      return enter(builder, node.self, { way: { _tag: "Declare", codes: node.codes }, rest: ways })
    case "Graph":
      return enterGraph(builder, node, ways)
    case "Split":
      return add(builder, {
        _tag: "Split",
        branches: node.branches.map(lower),
        settings: node.settings,
        ways
      })
    case "End":
      return add(builder, { ...node, ways: undefined })
    default:
      return add(builder, { ...node, ways })
  }
}

const enterGraph = (builder: Builder, graph: FlowNode & { _tag: "Graph" }, ways: Ways | undefined): number => {
  const names = graph.states.map(({ name }) => name)
  const cells = new Map(names.map((name) => [name, cell(builder, 0)]))
  const targetOf = (from: string, to: string): Target | undefined => {
    const target = cells.get(to)
    if (target === undefined && to !== END) {
      builder.defects.add(`state "${from}" goes to "${to}", which is no state${didYouMean(to, names)}`)
    }
    return target
  }
  for (const { name, on, run } of graph.states) {
    if (name === END) {
      builder.defects.add(`a state can't be called "${END}", which stands for the end of the graph`)
    }
    const after: Ways | undefined = on === undefined ? ways : {
      way: {
        _tag: "Codes",
        transitions: on.map(({ pattern, to }) => Transition.make(pattern, targetOf(name, to)))
      },
      rest: ways
    }
    cells.get(name)!.at = enter(builder, run, after)
  }
  const start = cells.get(graph.start)
  if (start === undefined) {
    builder.defects.add(`the graph starts at "${graph.start}", which is no state${didYouMean(graph.start, names)}`)
    return add(builder, { _tag: "End", status: "FAILED", code: "FAILED", ways: undefined })
  }
  return start.at
}

const targetsOf = (way: Way): ReadonlyArray<number> => {
  switch (way._tag) {
    case "Completed":
      return [way.to.at]
    case "Codes":
      return way.transitions.flatMap(({ to }) => to === undefined ? [] : [to.at])
    case "Declare":
      return []
  }
}

const add = (builder: Builder, draft: Draft): number => builder.drafts.push(draft) - 1

const cell = (builder: Builder, at: number): Cell => {
  const target = { at }
  builder.cells.push(target)
  return target
}

const completed = (builder: Builder, to: number, rest: Ways | undefined): Ways => {
  const known = remembered(builder.completed, rest)
  const found = known.get(to) ?? { way: { _tag: "Completed", to: cell(builder, to) }, rest }
  known.set(to, found)
  return found
}

const remembered = <K, K2, V>(map: Map<K, Map<K2, V>>, key: K): Map<K2, V> => {
  const known = map.get(key) ?? new Map<K2, V>()
  map.set(key, known)
  return known
}

/** The states in the order of a walk, then those that no walk can meet. */
const reachableFirst = ({ drafts }: Builder, start: number): ReadonlyArray<number> => {
  const order = new Set([start])
  const seen = new Set<Ways>()
  for (const at of order) {
    for (let next = drafts[at]!.ways; next !== undefined && !seen.has(next); next = next.rest) {
      seen.add(next)
      targetsOf(next.way).forEach((to) => order.add(to))
    }
  }
  drafts.forEach((_, at) => order.add(at))
  return [...order]
}

/**
 * Stops and ends are called after where they stand, since a stop is remembered by its name across executions. A state
 * that stands in several places gets a number from the second place on.
 */
const named = (drafts: ReadonlyArray<Draft>): ReadonlyArray<FlowState> => {
  const used = new Map<string, number>()
  const taken = new Set<string>()
  const names: Array<string> = []
  drafts.forEach((draft, at) => {
    const name = nameOf(draft, () => placeOf(drafts, names, at))
    let times = (used.get(name) ?? 0) + 1
    // The stop after the second "a" is called as the second stop after "a" would be.
    while (taken.has(numbered(name, times))) {
      times++
    }
    used.set(name, times)
    taken.add(numbered(name, times))
    names.push(numbered(name, times))
  })
  return drafts.map((draft, at) => ({ ...draft, name: names[at]! }))
}

const numbered = (name: string, times: number): string => times === 1 ? name : `${name}#${times}`

const nameOf = (draft: Draft, place: () => string): string => {
  switch (draft._tag) {
    case "Step":
      return draft.definition.name
    case "Decide":
      return draft.decider.name
    case "Split":
      return draft.settings.name ??
        `split(${draft.branches.map(({ start, states }) => states[start]!.name).join(", ")})`
    case "End":
      return `${draft.status === "COMPLETED" ? "end" : "fail"} ${place()}`
    case "Stop":
      return `stop ${place()}`
  }
}

const placeOf = (drafts: ReadonlyArray<Draft>, names: ReadonlyArray<string>, at: number): string => {
  const from = names.findIndex((_, before) => targets(drafts[before]!.ways).includes(at))
  if (from < 0) {
    return "at the start"
  }
  for (let next = drafts[from]!.ways; next !== undefined; next = next.rest) {
    const transition = next.way._tag === "Codes"
      ? next.way.transitions.find(({ to }) => to?.at === at)
      : undefined
    if (transition !== undefined) {
      return `after ${names[from]} on ${transition.pattern}`
    }
  }
  return `after ${names[from]}`
}
