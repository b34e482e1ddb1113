/** What flows mean, as a plain recursive interpreter over the tree that the user wrote: no graph, no effects. */
import { ExitStatus, Transition } from "../../../src/index.js"
import type { Script, Tree } from "./tree.js"

type Outcome = { readonly status: string; readonly code: string }
/** `ended`: it was stopped when its work was done. */
type Row = Outcome & { readonly name: string; readonly run: number; readonly ended?: boolean }
type Here = { last: Row | undefined; came: Outcome }

const and = (a: string, b: string) => ExitStatus.and(ExitStatus.make(a), ExitStatus.make(b)).code
const as = (status: string, code = status): Outcome => ({ status, code })
const UNROUTED = as("UNROUTED", "FAILED")

/** Each call is one more execution of the instance. What is thrown is an outcome that leaves the flow for good. */
export const makeReference = (tree: Tree, script: Script) => {
  const rows: Array<Row> = []
  const asked = new Map<string, number>()
  const stops = new Set<string>()
  const ask = (name: string) => script(name, asked.set(name, (asked.get(name) ?? -1) + 1).get(name)!)
  return (run: number): Outcome & { readonly steps: ReadonlyArray<string> } => {
    const met = new Set<string>()
    let stopping = false
    const abandon = ({ last }: Here) => {
      if (last?.status === "FAILED") rows[rows.indexOf(last)] = { ...last, status: "ABANDONED" }
    }
    const step = (here: Here, name: string, always: boolean, body: () => Outcome): Outcome => {
      if (here.last?.name !== name) abandon(here)
      const known = rows.findLast((row) => row.name === name)
      const again = met.has(name) || known?.run === run
      met.add(name)
      if (!again && (known?.status === "ABANDONED" || (known?.status === "COMPLETED" && !always))) {
        return here.last = known
      }
      const at = rows.push({ name, run, ...as("STARTED") }) - 1
      here.last = rows[at] = { name, run, ...(!again && known?.ended ? as("COMPLETED") : body()) }
      stopping ||= here.last.status === "STOPPED"
      return here.last
    }
    const flow = (node: Tree): Outcome => {
      try {
        const { code, status } = walk(node, { last: undefined, came: as("COMPLETED") })
        return as(status === "ABANDONED" ? "FAILED" : status, code)
      } catch (left) {
        return left as Outcome
      }
    }
    const flowStep = (node: Tree): Outcome => {
      const { code, status } = flow(node)
      if (status === "UNROUTED") return as("FAILED")
      return stopping && status === "COMPLETED" ? as("STOPPED", and(code, "STOPPED")) : as(status, code)
    }
    const split = (branches: ReadonlyArray<Tree>): Outcome => {
      const statuses = branches.map((branch) => flow(branch).status)
      if (statuses.includes("UNROUTED") && !statuses.includes("STOPPED")) throw UNROUTED
      return as(["STOPPED", "FAILED"].find((worst) => statuses.includes(worst)) ?? "COMPLETED")
    }
    const answer = (name: string): Outcome => {
      const code = ask(name)
      const status = code === "FAILED" || code === "STOPPED" ? code : "COMPLETED"
      return { ...as(status, code), ...(status === "STOPPED" ? { ended: true } : {}) }
    }
    const stop = (name: string, code: string, { came }: Here): Outcome => {
      const pass = stops.has(name) && !met.has(name) && (came.status === "COMPLETED" || came.status === "ABANDONED")
      met.add(name)
      stops.add(name)
      return pass ? as("COMPLETED") : as("STOPPED", code)
    }
    const state = (node: Tree, here: Here): Outcome => {
      if (node._tag === "step") return step(here, node.name, node.always, () => answer(node.name))
      if (node._tag === "flowStep") return step(here, node.name, false, () => flowStep(node.inner))
      if (node._tag === "decide") return answer(node.name)
      if (node._tag === "split" || (node._tag === "stop" && node.then !== undefined)) abandon(here)
      if (node._tag === "stop") return stop(node.name, node.code, here)
      here.last = undefined
      return split((node as Tree & { readonly _tag: "split" }).branches)
    }
    const walk = (node: Tree, here: Here): Outcome => {
      if (node._tag === "end") throw node
      if (node._tag === "andThen") {
        const outcome = walk(node.self, here)
        return outcome.status === "COMPLETED" ? walk(node.that, here) : outcome
      }
      if (node._tag === "match" || node._tag === "loop") {
        const outcome = walk(node._tag === "match" ? node.self : node.body, here)
        const cases = node._tag === "match" ? node.cases : []
        const way = Transition.select(cases.map(([pattern, to]) => Transition.make(pattern, to)), outcome.code)
        if (way._tag === "Some") return walk(way.value.to, here)
        if (node._tag === "loop" && outcome.code !== "FAILED") {
          const again = walk({ _tag: "decide", name: node.name }, here)
          return again.code === "AGAIN" ? walk(node, here) : again
        }
        if (outcome.status === "COMPLETED" && outcome.code !== "FAILED") throw UNROUTED
        return outcome.status === "COMPLETED" ? as("FAILED") : outcome
      }
      if (stopping) throw as("STOPPED")
      const outcome = here.came = state(node, here)
      if (outcome.status === "STOPPED") throw outcome
      if (stopping && outcome.status !== "COMPLETED") throw as("STOPPED")
      return node._tag === "stop" && node.then !== undefined ? walk(node.then, here) : outcome
    }
    const end = flow(tree)
    const mine = rows.filter((row) => row.run === run)
    const status = end.status === "UNROUTED" ? "FAILED" : end.status
    const code = mine.length === 0 && status !== "FAILED" ? and(end.code, "NOOP") : end.code
    return { status, code, steps: mine.map((row) => `${row.name} ${row.status} ${row.code}`) }
  }
}
