/**
 * What a job has come to, told from its rows alone: the way through the flow is walked once more by what is stored of each
 * place and round, without an engine. It finds what was left out, done twice, or called complete too early.
 */
import type { FlowGraph, FlowState } from "../../../src/definition/graph.js"
import type { StepExecution } from "../../../src/index.js"
import { Transition } from "../../../src/index.js"

/** All step executions of the instance and all recorded answers, oldest first; `stops`: where it has been held. */
export interface Rows {
  readonly steps: ReadonlyArray<StepExecution.StepExecution>
  readonly answers: ReadonlyArray<{ readonly place: string; readonly round: string; readonly code: string }>
  readonly stops: ReadonlyArray<{ readonly stoppedAt: string; readonly round?: string | undefined }>
}

/**
 * The end of a way, and all visits of steps on it that have completed. `isRefused`: it leads, or a branch of it, to where the
 * flow itself says that it fails, so that it may never come to another end.
 */
export interface Audit {
  readonly isRefused: boolean
  readonly status: string
  readonly code: string
  readonly completed: ReadonlyArray<{ readonly name: string; readonly place: string; readonly round: string }>
}

export const audit = (graph: FlowGraph, rows: Rows): Audit => {
  const completed: Array<Audit["completed"][number]> = []
  let isRefused = false
  const walk = (
    { start, states }: FlowGraph,
    names: Names,
    outer: ReadonlyArray<number>,
    visits: Map<string, number>
  ): End => {
    let came: End = end("COMPLETED")
    for (let at = start;;) {
      const state = states[at]!
      const { inner, place } = names[at]!
      if (state._tag === "End") {
        isRefused ||= state.status === "FAILED"
        return end(state.status, state.code)
      }
      const visit = (visits.get(place) ?? 0) + 1
      visits.set(place, visit)
      const round = roundOf([...outer, visit])
      const isHere = (row: { readonly place: string; readonly round: string }) =>
        row.place === place && row.round === round
      const answer = rows.answers.findLast(isHere)?.code
      const answered = answer === undefined ? undefined : end(answer === "FAILED" ? "ABANDONED" : "COMPLETED", answer)
      if (state._tag === "Step") {
        const row = rows.steps.findLast(isHere)
        came = row === undefined ? end(`MISSING ${place} ${round}`) : end(row.status, row.exitStatus.code)
        const { body, name } = state.definition
        const inside = body._tag === "Flow" && row !== undefined && row.status !== "ABANDONED"
          ? walk(body.graph, inner[0]!, [...outer, visit], new Map())
          : undefined
        if (row?.status === "COMPLETED") {
          completed.push({ name, place, round })
          if (inside !== undefined && inside.status !== "COMPLETED") {
            came = end(`${place} ${round} is COMPLETED, and inside ${inside.status}`)
          }
        }
      } else if (state._tag === "Decide") {
        // A failure is recorded when something that lasts follows it, and another decider does not.
        came = answered ?? end("FAILED")
      } else if (state._tag === "Split") {
        const inside = new Map<string, number>()
        const ends = state.branches.map((branch, i) => walk(branch, inner[i]!, [...outer, visit], inside))
        came = ends.every(({ status }) => status === "COMPLETED")
          ? end("COMPLETED")
          : answered ?? end(ends.find(({ status }) => status !== "COMPLETED")!.status)
        if (answered !== undefined && ends.some(({ status }) => status === "STOPPED")) came = end("STOPPED")
      } else {
        const held = rows.stops.some((stop) => stop.stoppedAt === place && (stop.round ?? "1") === round)
        came = held && isDone(came.status) ? end("COMPLETED") : end("STOPPED", state.code)
      }
      if (!isDone(came.status) && came.status !== "FAILED") return came
      const to = next(state, came)
      if (typeof to !== "number") {
        isRefused ||= to.status === "UNROUTED" || (to.status === "FAILED" && isDone(came.status))
        return to
      }
      at = to
    }
  }
  const { code, status } = walk(graph, namesOf(graph, new Set()), [], new Map())
  return { status, code, completed, isRefused }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface End {
  readonly status: string
  readonly code: string
}

const end = (status: string, code = status): End => ({ status, code })

const isDone = (status: string): boolean => status === "COMPLETED" || status === "ABANDONED"

const next = ({ ways }: Exclude<FlowState, { _tag: "End" }>, { code, status }: End): number | End => {
  let now = status
  for (let each = ways; each !== undefined; each = each.rest) {
    const { way } = each
    if (way._tag === "Completed" && now === "COMPLETED") return way.to.at
    if (way._tag === "Codes") {
      const chosen = Transition.select(way.transitions, code)
      if (chosen._tag === "Some") {
        if (chosen.value.to !== undefined) return chosen.value.to.at
      } else if (now === "COMPLETED") {
        if (code !== "FAILED") return end("UNROUTED", "FAILED")
        now = "FAILED"
      }
    }
  }
  return end(now === "ABANDONED" ? "FAILED" : now, code)
}

const roundOf = (visits: ReadonlyArray<number>): string => {
  const last = visits.findLastIndex((visit) => visit > 1)
  return visits.slice(0, Math.max(last, 0) + 1).join(".")
}

type Names = ReadonlyArray<{ readonly place: string; readonly inner: ReadonlyArray<Names> }>

/** The name of a state, with a number from the second place on. */
const namesOf = ({ states }: FlowGraph, used: Set<string>): Names => {
  const places = states.map((state) => {
    const name = state._tag === "Step"
      ? state.definition.name
      : state._tag === "Decide"
      ? state.decider.name
      : state.name
    let place = name
    for (let n = 2; used.has(place); n++) place = `${name}#${n}`
    used.add(place)
    return place
  })
  return states.map((state, at) => ({
    place: places[at]!,
    inner: (state._tag === "Split"
      ? state.branches
      : state._tag === "Step" && state.definition.body._tag === "Flow"
      ? [state.definition.body.graph]
      : []).map((graph) => namesOf(graph, used))
  }))
}
