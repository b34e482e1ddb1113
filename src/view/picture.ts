/**
 * A job as a picture: its flow graph, coloured by what became of its steps, as SVG without any script.
 */
import { innerGraphs } from "../definition/defects.js"
import type { FlowGraph, FlowState } from "../definition/graph.js"
import { foresee } from "../definition/routes.js"
import * as Counts from "../vocabulary/Counts.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"
import type { Html } from "./html.js"
import { html } from "./html.js"
import { number } from "./words.js"

/** Of the last execution of each step. */
export const picture = (graph: FlowGraph, steps: ReadonlyArray<StepExecution>): Html => {
  const laid = layout(graph)
  const [width, height] = [laid.width + 2 * EDGE, laid.height + 2 * EDGE]
  const latest = new Map(steps.map((step) => [step.stepName, step]))
  return html`<svg role="img" aria-label="The flow of the job" viewBox="0 0 ${width} ${height}" width="${width}"
    height="${height}">${draw(laid, EDGE, EDGE, latest)}</svg>`
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const [WIDTH, HEIGHT, GAP, EDGE, HEAD] = [190, 48, 44, 14, 24]

interface Box {
  readonly state: FlowState
  readonly inner: ReadonlyArray<Laid>
  readonly width: number
  readonly height: number
  readonly x: number
  readonly y: number
}

interface Laid {
  readonly boxes: ReadonlyArray<Box>
  readonly edges: ReadonlyArray<Edge>
  readonly width: number
  readonly height: number
}

/** `isBack`: it leads to where the way to it has come from. */
interface Edge extends Route {
  readonly isBack: boolean
}

interface Route {
  readonly from: number
  readonly to: number
  readonly on: ReadonlyArray<string>
}

/** Rows by the longest way from the start, on which nothing leads back. */
const layout = ({ start, states }: FlowGraph): Laid => {
  const { edges, order } = walked(states.map((state, from) => edgesOf(state, from)), start)
  const rank = states.map(() => 0)
  for (const at of order) {
    for (const { to } of edges[at]!.filter(({ isBack }) => !isBack)) {
      rank[to] = Math.max(rank[to]!, rank[at]! + 1)
    }
  }
  const sized = states.map((state) => sizeOf(state))
  const rows: Array<Array<number>> = []
  rank.forEach((row, at) => (rows[row] ??= []).push(at))
  const widthOf = (row: ReadonlyArray<number>) =>
    row.reduce((sum, at) => sum + sized[at]!.width, (row.length - 1) * GAP)
  const width = Math.max(0, ...rows.map(widthOf))
  const places = new Map<number, readonly [x: number, y: number]>()
  let y = 0
  for (const row of rows.filter((row) => row !== undefined)) {
    let x = (width - widthOf(row)) / 2
    for (const at of row) {
      places.set(at, [x, y])
      x += sized[at]!.width + GAP
    }
    y += Math.max(...row.map((at) => sized[at]!.height)) + GAP
  }
  const boxes = states.map((state, at): Box => {
    const [x, top] = places.get(at)!
    return { state, ...sized[at]!, x, y: top }
  })
  const all = edges.flat()
  const goesBack = all.some(({ isBack }) => isBack)
  return { boxes, edges: all, width: width + (goesBack ? GAP : 0), height: Math.max(0, y - GAP) }
}

/** Walks along the routes of each state, and gives an order in which no route leads back but those that are marked so. */
const walked = (
  routes: ReadonlyArray<ReadonlyArray<Route>>,
  start: number
): { readonly edges: ReadonlyArray<ReadonlyArray<Edge>>; readonly order: ReadonlyArray<number> } => {
  const edges: Array<ReadonlyArray<Edge>> = []
  const onTheWay = new Set<number>()
  const met = new Set<number>()
  const behind: Array<number> = []
  const visit = (at: number): void => {
    met.add(at)
    onTheWay.add(at)
    edges[at] = routes[at]!.map((route) => {
      const isBack = onTheWay.has(route.to)
      if (!met.has(route.to)) {
        visit(route.to)
      }
      return { ...route, isBack }
    })
    onTheWay.delete(at)
    behind.push(at)
  }
  visit(start)
  return { edges, order: behind.reverse() }
}

const edgesOf = (state: FlowState, from: number): ReadonlyArray<Route> => {
  const byTarget = new Map<number, Array<string>>()
  for (const { on, to } of foresee(state).routes) {
    if (typeof to === "number") {
      byTarget.set(to, [...byTarget.get(to) ?? [], on])
    }
  }
  return [...byTarget].map(([to, on]) => ({ from, to, on }))
}

const sizeOf = (state: FlowState): Pick<Box, "inner" | "width" | "height"> => {
  const inner = innerGraphs(state).map(layout)
  return inner.length === 0 ? { inner, width: WIDTH, height: HEIGHT } : {
    inner,
    width: Math.max(WIDTH, inner.reduce((sum, { width }) => sum + width, (inner.length - 1) * EDGE) + 2 * EDGE),
    height: Math.max(...inner.map(({ height }) => height)) + HEAD + EDGE
  }
}

type Latest = ReadonlyMap<string, StepExecution>

const draw = (laid: Laid, left: number, top: number, latest: Latest): Html =>
  html`${laid.edges.map((edge) => drawEdge(laid, edge, left, top))}${
    laid.boxes.map((box) => drawBox(box, left + box.x, top + box.y, latest))
  }`

const drawEdge = ({ boxes, width }: Laid, { from, isBack, on, to }: Edge, left: number, top: number): Html => {
  const [a, b] = [boxes[from]!, boxes[to]!]
  const [x1, x2] = [left + a.x + a.width / 2, left + b.x + b.width / 2]
  const [y1, y2] = [top + a.y + a.height, top + b.y]
  const path = isBack
    ? `M${left + a.x + a.width} ${y1 - a.height / 2} H${left + width - 8} V${y2 + b.height / 2} H${
      left + b.x + b.width
    }`
    : `M${x1} ${y1} C${x1} ${y1 + 22} ${x2} ${y2 - 22} ${x2} ${y2}`
  const tip = isBack
    ? [left + b.x + b.width, y2 + b.height / 2, 8, -4, 8, 4]
    : [x2, y2, -4, -8, 4, -8]
  const [tx, ty, ax, ay, bx, by] = tip as [number, number, number, number, number, number]
  const label = short(on.join(", "), 22)
  const [lx, ly] = isBack ? [left + width - 12, (y1 + y2) / 2] : [(x1 + x2) / 2, (y1 + y2) / 2]
  return html`<path class="edge" d="${path}"/><path class="tip" d="M${tx} ${ty} l${ax} ${ay} L${tx + bx} ${ty + by} z"/>
    <text class="small" x="${lx + 4}" y="${ly + 3}">${label}</text>`
}

const drawBox = (box: Box, x: number, y: number, latest: Latest): Html => {
  const { inner, state } = box
  const step = state._tag === "Step" ? latest.get(state.definition.name) : undefined
  const status = step?.status ?? ""
  const round = state._tag === "End" || state._tag === "Stop" ? 22 : state._tag === "Decide" ? 14 : 5
  const says = wordsOf(state)
  const told = step === undefined ? undefined : countsOf(step)
  const shape = html`<rect class="box ${status}" x="${x}" y="${y}" width="${box.width}" height="${box.height}"
    rx="${round}"/>`
  const full = step === undefined ? says : `${says}: ${step.status} ${step.exitStatus.code}, ${told}`
  if (inner.length > 0) {
    let at = x + EDGE
    const insides = inner.map((laid) => {
      const inside = draw(laid, at, y + HEAD, latest)
      at += laid.width + EDGE
      return inside
    })
    return html`<g><title>${full}</title>${shape}<text x="${x + 8}" y="${y + 16}">${
      short(says, 40)
    }</text>${insides}</g>`
  }
  const middle = y + (told === undefined ? 28 : 20)
  return html`<g><title>${full}</title>${shape}<text x="${x + 10}" y="${middle}">${short(says, 26)}</text>${
    told === undefined
      ? undefined
      : html`<text class="small" x="${x + 10}" y="${y + 37}">${short(`${status} ${told}`, 34)}</text>`
  }</g>`
}

const wordsOf = (state: FlowState): string => {
  switch (state._tag) {
    case "Step":
      return state.definition.name
    case "Decide":
      return `${state.name} ?`
    case "Split":
      return `${state.name} (side by side)`
    case "End":
      return state.status === state.code ? state.code : `${state.status} ${state.code}`
    case "Stop":
      return `STOPPED ${state.code}`
  }
}

const countsOf = ({ counts }: StepExecution): string => {
  const skips = Counts.skips(counts)
  return `${number(counts.read)} → ${number(counts.write)}${skips > 0 ? `, ${number(skips)} skipped` : ""}`
}

const short = (text: string, most: number): string => text.length > most ? `${text.slice(0, most - 1)}…` : text
