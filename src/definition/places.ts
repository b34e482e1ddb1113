/**
 * The durable names of the states of a job: a step execution belongs to a place and to the round in which that place was
 * visited (OWN-5, OWN-6).
 *
 * The place of a step is its name, with a number from the second place on at which it stands in the job. So a history
 * survives that a step is moved into a split or a flow, or that other steps are put beside it.
 */
import { innerGraphs } from "./defects.js"
import type { FlowGraph, FlowState } from "./graph.js"

export interface Place {
  readonly place: string
  /** How 0.1 called the place of a stop. */
  readonly path: string
  /** Of the flows inside the state. */
  readonly inner: ReadonlyArray<Places>
}

/** One for each state of a graph. */
export type Places = ReadonlyArray<Place>

export const placesOf = (graph: FlowGraph): Places => placesIn(graph, "", new Set())

/** In how many places of the job each step stands. */
export const standings = (graph: FlowGraph): ReadonlyMap<string, number> => {
  const found = new Map<string, number>()
  const count = ({ states }: FlowGraph): void =>
    states.forEach((state) => {
      if (state._tag === "Step") {
        found.set(state.definition.name, (found.get(state.definition.name) ?? 0) + 1)
      }
      innerGraphs(state).forEach(count)
    })
  count(graph)
  return found
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const placesIn = (graph: FlowGraph, path: string, used: Set<string>): Places => {
  const names = graph.states.map((state) => free(nameOf(state), used))
  return graph.states.map((state, at) => ({
    place: names[at]!,
    path: `${path}${state.name}`,
    inner: innerGraphs(state).map((inner, index) =>
      placesIn(inner, `${path}${state.name}/${state._tag === "Split" ? `${index}/` : ""}`, used)
    )
  }))
}

const nameOf = (state: FlowState): string =>
  state._tag === "Step" ? state.definition.name : state._tag === "Decide" ? state.decider.name : state.name

const free = (name: string, used: Set<string>): string => {
  let found = name
  for (let n = 2; used.has(found); n++) {
    found = `${name}#${n}`
  }
  used.add(found)
  return found
}
