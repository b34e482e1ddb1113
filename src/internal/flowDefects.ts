/**
 * What can't work about a job, found from its definition alone, all at once (BUILD-1, BUILD-6).
 */
import type { FlowNode, JobDefinition, StepDefinition } from "./definition.js"

/** One line per defect; none when the job can run. */
export const defects = (job: JobDefinition): ReadonlyArray<string> => [
  ...(job.name.trim() === "" ? ["a job needs a name"] : []),
  ...nameDefects(steps(job.flow))
]

/** Every step of a flow, in the order of the tree; a step that is used twice comes twice. */
export const steps = (node: FlowNode): ReadonlyArray<StepDefinition> => {
  switch (node._tag) {
    case "Step":
      return [node.definition]
    case "AndThen":
      return [...steps(node.self), ...steps(node.that)]
  }
}

/** The same step value may stand in several places; different steps may not share a name. */
const nameDefects = (all: ReadonlyArray<StepDefinition>): ReadonlyArray<string> => {
  const byName = new Map<string, StepDefinition>()
  const found = new Set<string>()
  for (const step of all) {
    const known = byName.get(step.name)
    if (step.name.trim() === "") {
      found.add("a step needs a name")
    } else if (known !== undefined && known !== step) {
      found.add(`two different steps are called "${step.name}"`)
    }
    byName.set(step.name, step)
  }
  return [...found]
}
