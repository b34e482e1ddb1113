/**
 * Where the outcome of a state may lead, foreseen from the definition alone, for checks and pictures. During a walk
 * `decisions/outcome` decides.
 */
import * as Option from "effect/Option"
import type { Target, Way } from "../decisions/outcome.js"
import * as Transition from "../decisions/Transition.js"
import type { FlowGraph, FlowState } from "./graph.js"
import type { StepDefinition } from "./tree.js"
import { definitionOf } from "./tree.js"

/** `to`: a state, or how the flow ends when it ends with the outcome of the state. */
export interface Route {
  readonly on: string
  readonly to: number | "completed" | "failed"
}

export interface Foresight {
  readonly routes: ReadonlyArray<Route>
  /** Codes that the state can end with and that no transition expects. */
  readonly missing: ReadonlyArray<string>
  /** The transitions that some code of the state may take. */
  readonly taken: ReadonlySet<Transition.Transition<Target | undefined>>
  /** Which codes, as far as they are known, each table of transitions is asked for. */
  readonly asked: ReadonlyMap<Table, ReadonlyArray<string>>
}

export type Table = ReadonlyArray<Transition.Transition<Target | undefined>>

/** The exit codes of a state as far as the definition tells; `open`: it may have others. */
export interface Codes {
  readonly known: ReadonlyArray<string>
  readonly open: boolean
  readonly mayFail: boolean
}

export const codesOf = (state: FlowState): Codes => {
  switch (state._tag) {
    case "Step":
      return { known: completionCodes(state.definition), open: true, mayFail: true }
    case "Decide": {
      const { codes } = state.decider
      return { known: codes.filter((code) => code !== "FAILED"), open: false, mayFail: codes.includes("FAILED") }
    }
    case "Split":
      return { known: ["COMPLETED"], open: false, mayFail: true }
    case "Stop":
      return { known: ["COMPLETED"], open: false, mayFail: false }
    case "End":
      return { known: [], open: false, mayFail: false }
  }
}

/** What the definition tells about where a state leads. */
export const foresee = (state: FlowState): Foresight => {
  const routes: Array<Route> = []
  const missing: Array<string> = []
  const taken = new Set<Transition.Transition<Target | undefined>>()
  const asked = new Map<Table, ReadonlyArray<string>>()
  let codes = codesOf(state)
  let mayComplete = state._tag !== "End"
  for (let next = state.ways; next !== undefined && (mayComplete || codes.mayFail); next = next.rest) {
    const { way } = next
    switch (way._tag) {
      case "Declare":
        codes = mayComplete ? { ...codes, known: [...codes.known, ...way.codes] } : codes
        break
      case "Completed":
        if (mayComplete) {
          routes.push({ on: "COMPLETED", to: way.to.at })
          mayComplete = false
        }
        break
      case "Codes": {
        const step = foreseeCodes(way, codes, mayComplete)
        asked.set(way.transitions, [...(mayComplete ? codes.known : []), ...(codes.mayFail ? ["FAILED"] : [])])
        routes.push(...step.routes)
        missing.push(...step.missing)
        step.taken.forEach((transition) => taken.add(transition))
        codes = step.codes
        mayComplete = step.mayComplete
        break
      }
    }
  }
  return {
    routes: [
      ...routes,
      ...(mayComplete ? [{ on: "COMPLETED", to: "completed" as const }] : []),
      ...(codes.mayFail ? [{ on: "FAILED", to: "failed" as const }] : [])
    ],
    missing,
    taken,
    asked
  }
}

/** The codes with which a flow may end, as far as the definition tells. A stop is not an end. */
export const endCodes = (graph: FlowGraph): ReadonlyArray<string> => {
  const found = new Set<string>()
  for (const state of graph.states) {
    if (state._tag === "End") {
      found.add(state.code)
    }
    for (const { to } of foresee(state).routes) {
      if (to === "completed") {
        codesOf(state).known.forEach((code) => found.add(code))
      } else if (to === "failed") {
        found.add("FAILED")
      }
    }
  }
  return [...found]
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const completionCodes = ({ body, settings }: StepDefinition): ReadonlyArray<string> => {
  const own = body._tag === "Flow"
    ? endCodes(body.graph)
    : body._tag === "Job"
    ? endCodes(definitionOf(body.job).graph)
    : ["COMPLETED"]
  const chosen = settings.exitCode === undefined
    ? own
    : [...own.filter((code) => code !== "COMPLETED"), ...settings.exitCode.codes]
  return chosen.filter((code) => code !== "FAILED")
}

const foreseeCodes = (
  way: Way & { readonly _tag: "Codes" },
  codes: Codes,
  mayComplete: boolean
): Omit<Foresight, "asked"> & { readonly codes: Codes; readonly mayComplete: boolean } => {
  const selected = (code: string) => Option.getOrUndefined(Transition.select(way.transitions, code))
  const completing = mayComplete ? codes.known : []
  const failing = codes.mayFail ? selected("FAILED") : undefined
  const chosen = new Set(completing.map(selected))
  const taken = way.transitions.filter((transition) =>
    chosen.has(transition) || transition === failing || (mayComplete && codes.open)
  )
  return {
    routes: taken.flatMap(({ pattern, to }) => to === undefined ? [] : [{ on: pattern, to: to.at }]),
    missing: completing.filter((code) => selected(code) === undefined),
    taken: new Set(taken),
    mayComplete: mayComplete && taken.some(({ to }) => to === undefined),
    codes: {
      known: completing.filter((code) => {
        const transition = selected(code)
        return transition !== undefined && transition.to === undefined
      }),
      open: codes.open,
      mayFail: codes.mayFail && failing?.to === undefined
    }
  }
}
