/** What flows mean, as a plain recursive interpreter over the tree that the user wrote: no graph, no effects. */
import { ExitStatus, Transition } from "../../../src/index.js"
import type { Script, Tree } from "./tree.js"

type Outcome = { readonly status: string; readonly code: string }
/** A step execution. `ended`: it was stopped when its work was done. */
type Row = Outcome & { readonly name: string; readonly round: string; readonly run: number; readonly ended?: boolean }
/** What a failure belongs to: a step execution, or the visit of a decider or a split. */
type Failed = { row: Row } | { answer: string; isSplit: boolean }
/** Where a walk is. `outer`, `visits`: rounds are counted inside each round of what is around. */
type Here = {
  came: Outcome
  ran: boolean
  failed: ReadonlyArray<Failed>
  readonly outer: ReadonlyArray<number>
  readonly visits: Map<unknown, number>
}

const and = (a: string, b: string) => ExitStatus.and(ExitStatus.make(a), ExitStatus.make(b)).code
const as = (status: string, code = status): Outcome => ({ status, code })
const UNROUTED = as("UNROUTED", "FAILED")

/** Each call is one more execution of the instance. What is thrown is an outcome that leaves the flow for good. */
export const makeReference = (tree: Tree, script: Script) => {
  const rows: Array<Row> = []
  const asked = new Map<string, number>()
  const stops = new Set<string>()
  /** With which code a decider, or a split that was dealt with, was left. */
  const answers = new Map<string, string>()
  const ask = (name: string) => script(name, asked.set(name, (asked.get(name) ?? -1) + 1).get(name)!)
  return (run: number): Outcome & { readonly steps: ReadonlyArray<string> } => {
    let stopping = false
    const visit = ({ outer, visits }: Here, what: unknown) => {
      const count = visits.set(what, (visits.get(what) ?? 0) + 1).get(what)!
      return { count, round: [...outer, count].join() }
    }
    const dealWith = (here: Here, isDone: (failed: Failed) => boolean = () => true) => {
      for (const failed of here.failed.filter(isDone)) {
        if ("answer" in failed) answers.set(failed.answer, "FAILED")
        else rows[rows.indexOf(failed.row)] = { ...failed.row, status: "ABANDONED" }
      }
      here.failed = []
    }
    const step = (here: Here, name: string, always: boolean, body: (count: number) => Outcome): Outcome => {
      dealWith(here)
      const { count, round } = visit(here, name)
      const known = rows.findLast((row) => row.name === name && row.round === round)
      if (known?.status === "ABANDONED" || (known?.status === "COMPLETED" && !always)) return known
      const at = rows.push({ name, round, run, ...as("STARTED") }) - 1
      const ended = known?.ended && known.status !== "COMPLETED" ? as("COMPLETED") : body(count)
      const row = rows[at] = { name, round, run, ...ended }
      here.ran = true
      here.failed = row.status === "FAILED" ? [{ row }] : []
      stopping ||= row.status === "STOPPED"
      return row
    }
    const flow = (node: Tree, from: Here, outer: ReadonlyArray<number>, visits = new Map<unknown, number>()) => {
      const here: Here = { came: as("COMPLETED"), ran: from.ran, failed: [], outer, visits }
      const end = () => {
        try {
          const { code, status } = walk(node, here)
          return as(status === "ABANDONED" ? "FAILED" : status, code)
        } catch (left) {
          return left as Outcome
        }
      }
      return { outcome: end(), ran: here.ran }
    }
    const flowStep = (node: Tree, here: Here, count: number): Outcome => {
      const { code, status } = flow(node, here, [...here.outer, count]).outcome
      if (status === "UNROUTED") return as("FAILED")
      return stopping && status === "COMPLETED" ? as("STOPPED", and(code, "STOPPED")) : as(status, code)
    }
    const split = (node: Tree & { readonly _tag: "split" }, here: Here): Outcome => {
      dealWith(here)
      const { count, round } = visit(here, node)
      const key = `${JSON.stringify(node)} ${round}`
      if (here.ran) answers.delete(key)
      if (answers.has(key)) return as("ABANDONED", answers.get(key))
      const ends = node.branches.map((branch) => flow(branch, here, [...here.outer, count]))
      here.ran = ends.some(({ ran }) => ran)
      const statuses = ends.map(({ outcome }) => outcome.status)
      if (statuses.includes("UNROUTED") && !statuses.includes("STOPPED")) throw UNROUTED
      const status = ["STOPPED", "FAILED"].find((worst) => statuses.includes(worst)) ?? "COMPLETED"
      here.failed = status === "FAILED" ? [{ answer: key, isSplit: true }] : []
      return as(status)
    }
    const answer = (name: string): Outcome => {
      const code = ask(name)
      const status = code === "FAILED" || code === "STOPPED" ? code : "COMPLETED"
      return { ...as(status, code), ...(status === "STOPPED" ? { ended: true } : {}) }
    }
    const decide = (here: Here, name: string): Outcome => {
      const key = `${name} ${visit(here, name).round}`
      if (here.ran) answers.delete(key)
      const known = answers.get(key)
      if (known !== undefined) return as(known === "FAILED" ? "ABANDONED" : "COMPLETED", known)
      const outcome = answer(name)
      if (outcome.status === "FAILED") here.failed = [...here.failed, { answer: key, isSplit: false }]
      else answers.set(key, outcome.code)
      return outcome
    }
    const stop = (here: Here, { code, name, then }: Tree & { readonly _tag: "stop" }): Outcome => {
      const key = `${name} ${visit(here, name).round}`
      if (stops.has(key) && (here.came.status === "COMPLETED" || here.came.status === "ABANDONED")) {
        return as("COMPLETED")
      }
      if (then !== undefined) dealWith(here, (failed) => !("answer" in failed && failed.isSplit))
      stops.add(key)
      return as("STOPPED", code)
    }
    const state = (node: Tree, here: Here): Outcome => {
      if (node._tag === "step") return step(here, node.name, node.always, () => answer(node.name))
      if (node._tag === "flowStep") return step(here, node.name, false, (count) => flowStep(node.inner, here, count))
      if (node._tag === "decide") return decide(here, node.name)
      if (node._tag === "stop") return stop(here, node)
      return split(node as Tree & { readonly _tag: "split" }, here)
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
    const root: Here = { came: as("COMPLETED"), ran: false, failed: [], outer: [], visits: new Map() }
    const end = flow(tree, root, []).outcome
    const mine = rows.filter((row) => row.run === run)
    const status = end.status === "UNROUTED" ? "FAILED" : end.status
    const code = mine.length === 0 && status !== "FAILED" ? and(end.code, "NOOP") : end.code
    return { status, code, steps: mine.map((row) => `${row.name} ${row.status} ${row.code}`) }
  }
}
