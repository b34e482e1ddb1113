/**
 * A job as a Mermaid flowchart, before it runs from its definition alone, after a run with statuses and counts.
 */
import type { Counts } from "../vocabulary/Counts.js"
import * as Counts_ from "../vocabulary/Counts.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"
import { innerGraphs } from "./defects.js"
import type { FlowGraph, FlowState } from "./graph.js"
import { foresee } from "./routes.js"
import type { JobDefinition } from "./tree.js"

/** Executions to colour the picture with. */
export interface Executed {
  readonly execution: Pick<JobExecution, "status" | "exitStatus">
  readonly steps: ReadonlyArray<StepExecution>
}

/** Edges that every step has, to a failed end of the job, are left out. */
export const toMermaid = (job: JobDefinition, executed?: Executed): string => {
  const picture: Picture = {
    lines: [],
    classes: [],
    /** A later execution of a step says more than an earlier one. */
    steps: new Map(executed?.steps.map((step) => [step.stepName, step]))
  }
  const status = executed?.execution.status
  const title = executed === undefined
    ? [job.name]
    : [job.name, withCode(executed.execution.status, executed.execution.exitStatus.code)]
  picture.lines.push(`job(["${label(title)}"])`)
  colour(picture, "job", status)
  const ends = draw(picture, job.graph, "s", true)
  return [
    "flowchart TD",
    ...indent(picture.lines),
    `  job --> s${job.graph.start}`,
    ...(ends ? ["  done([\"COMPLETED\"])"] : []),
    ...COLOURS.filter(([name]) => picture.classes.some((line) => line.endsWith(` ${name}`))).map(([name, style]) =>
      `  classDef ${name} ${style}`
    ),
    ...indent(picture.classes)
  ].join("\n")
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Picture {
  readonly lines: Array<string>
  readonly classes: Array<string>
  readonly steps: ReadonlyMap<string, StepExecution>
}

/** Draws the states and their edges; answers whether an edge leads to the end of the job. */
const draw = (picture: Picture, { states }: FlowGraph, prefix: string, outermost: boolean): boolean => {
  states.forEach((state, at) => drawState(picture, state, `${prefix}${at}`))
  let ends = false
  states.forEach((state, at) => {
    for (const { on, to } of foresee(state).routes) {
      if (typeof to === "number") {
        picture.lines.push(`${prefix}${at} -->|"${label([on])}"| ${prefix}${to}`)
      } else if (to === "completed" && outermost) {
        picture.lines.push(`${prefix}${at} --> done`)
        ends = true
      }
    }
  })
  return ends
}

const drawState = (picture: Picture, state: FlowState, id: string): void => {
  const inner = innerGraphs(state)
  if (inner.length > 0) {
    picture.lines.push(`subgraph ${id}["${label(wordsOf(picture, state))}"]`)
    inner.forEach((graph, branch) => draw(picture, graph, `${id}_${branch}_`, false))
    picture.lines.push("end")
  } else {
    const [open, close] = SHAPES[state._tag]
    picture.lines.push(`${id}${open}"${label(wordsOf(picture, state))}"${close}`)
  }
  if (state._tag === "Step") {
    colour(picture, id, picture.steps.get(state.definition.name)?.status)
  }
}

const SHAPES = {
  Step: ["[", "]"],
  Decide: ["{", "}"],
  Split: ["[", "]"],
  End: ["([", "])"],
  Stop: ["[/", "/]"]
} as const

const wordsOf = ({ steps }: Picture, state: FlowState): ReadonlyArray<string> => {
  switch (state._tag) {
    case "Step": {
      const step = steps.get(state.definition.name)
      const { body, name } = state.definition
      const what = body._tag === "Job"
        ? [`${name} (job ${body.job.name})`]
        : body._tag === "Partition"
        ? [`${name} (partitions)`]
        : [name]
      return step === undefined ? what : [...what, withCode(step.status, step.exitStatus.code), ...counted(step.counts)]
    }
    case "End":
      return [withCode(state.status, state.code)]
    case "Stop":
      return [withCode("STOPPED", state.code)]
    case "Decide":
    case "Split":
      return [state.name]
  }
}

const withCode = (status: string, code: string): string => status === code ? status : `${status} ${code}`

const counted = (counts: Counts): ReadonlyArray<string> => {
  const words = [
    ["read", counts.read],
    ["written", counts.write],
    ["filtered", counts.filter],
    ["skipped", Counts_.skips(counts)]
  ] as const
  const seen = words.flatMap(([word, count]) => count > 0 ? [`${count} ${word}`] : [])
  return seen.length === 0 ? [] : [seen.join(", ")]
}

/** Nothing that a name may hold is read as Mermaid or as HTML. */
const label = (lines: ReadonlyArray<string>): string => lines.map(escape).join("<br/>")

const escape = (text: string): string =>
  text.replace(/[^\p{L}\p{N} _.,:;()*?!+=/-]/gu, (char) => char === "\n" ? " " : `#${char.codePointAt(0)};`)

const colour = (picture: Picture, id: string, status: string | undefined): void => {
  if (COLOURS.some(([name]) => name === status)) {
    picture.classes.push(`class ${id} ${status}`)
  }
}

/** Readable on light and dark ground, and told apart by shade as well as by hue. */
const COLOURS: ReadonlyArray<readonly [string, string]> = [
  ["COMPLETED", "fill:#c8e6c9,stroke:#2e7d32,color:#1b1b1b"],
  ["STARTING", "fill:#bbdefb,stroke:#1565c0,color:#1b1b1b"],
  ["STARTED", "fill:#bbdefb,stroke:#1565c0,color:#1b1b1b"],
  ["STOPPING", "fill:#fff3cd,stroke:#b07d00,color:#1b1b1b"],
  ["STOPPED", "fill:#fff3cd,stroke:#b07d00,color:#1b1b1b"],
  ["FAILED", "fill:#ffcdd2,stroke:#c62828,color:#1b1b1b"],
  ["ABANDONED", "fill:#e0e0e0,stroke:#616161,color:#1b1b1b"],
  ["UNKNOWN", "fill:#e1bee7,stroke:#6a1b9a,color:#1b1b1b"]
]

const indent = (lines: ReadonlyArray<string>): ReadonlyArray<string> => {
  let depth = 1
  return lines.map((line) => {
    depth -= line === "end" ? 1 : 0
    const indented = `${"  ".repeat(depth)}${line}`
    depth += line.startsWith("subgraph ") ? 1 : 0
    return indented
  })
}
