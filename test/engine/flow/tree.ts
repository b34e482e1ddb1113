/**
 * Random flows: as a tree, as the `Flow` that a user would write, and with a script of what its steps will do.
 */
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import { Flow, Step, StepScope, Tasklet } from "../../../src/index.js"

export type Tree =
  | { readonly _tag: "step"; readonly name: string; readonly always: boolean }
  | { readonly _tag: "flowStep"; readonly name: string; readonly inner: Tree }
  | { readonly _tag: "decide"; readonly name: string }
  | { readonly _tag: "andThen"; readonly self: Tree; readonly that: Tree }
  | { readonly _tag: "match"; readonly self: Tree; readonly cases: ReadonlyArray<readonly [string, Tree]> }
  | { readonly _tag: "split"; readonly branches: ReadonlyArray<Tree>; readonly how?: How }
  | { readonly _tag: "end"; readonly status: "COMPLETED" | "FAILED"; readonly code: string }
  | { readonly _tag: "stop"; readonly name: string; readonly code: string; readonly then: Tree | undefined }
  | { readonly _tag: "loop"; readonly name: string; readonly body: Tree }

/** How the branches of a split run: in sequence, side by side, or so until one fails. */
export type How = "in sequence" | "side by side" | "until one fails"

/** What the n-th start of a step ends with, and what the n-th question to a decider is answered, over all executions. */
export type Script = (name: string, n: number) => string

/** A script whose entries are taken in turn; deciders of loops (`loop…`) let go for good after some turns. */
export const scriptOf = (seed: ReadonlyArray<number>): Script => (name, n) => {
  const codes = name.startsWith("loop")
    ? ["AGAIN", "DONE"]
    : name.startsWith("decide")
    ? ["LEFT", "RIGHT", "FAILED"]
    : ["COMPLETED", "COMPLETED", "FAILED", "CUSTOM", "STOPPED"]
  const own = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0)
  return name.startsWith("loop") && n > 1 ? "DONE" : codes[seed[(own + n) % seed.length]! % codes.length]!
}

/** What the steps and deciders of a flow are; for the same name always the same value. */
export interface Parts {
  readonly step: (name: string, always: boolean) => Step.Step<any, any, any>
  readonly flowStep: (step: Step.Step<any, any, any>, name: string) => Step.Step<any, any, any>
  readonly answer: (name: string) => Effect.Effect<string, any, any>
}

/** Steps and deciders that do what they are told when they are asked. */
export const told = (ask: (name: string) => string): Parts => ({
  step: memoized((name: string, always: boolean) => {
    const step: Step.Step<any, any, any> = Step.tasklet(name, Effect.suspend(() => outcome(ask(name)))) as any
    return always ? Step.allowStartIfComplete(step) : step
  }),
  flowStep: (step) => step,
  answer: (name) => Effect.sync(() => ask(name))
})

/** One value for each name. */
export const memoized = <Args extends readonly [name: string, ...rest: ReadonlyArray<any>], A>(
  make: (...args: Args) => A
) => {
  const made = new Map<string, A>()
  return (...args: Args): A => {
    const [name] = args
    const value = made.get(name) ?? make(...args)
    made.set(name, value)
    return value
  }
}

export const toFlow = (tree: Tree, parts: Parts): Flow.Flow<any, any> => {
  type Flows = Flow.Flow<any, any, any>
  const decider = memoized((name: string, codes: ReadonlyArray<string>) =>
    Flow.decide(name, codes, () => parts.answer(name))
  )
  const flow = (node: Tree): Flows => {
    switch (node._tag) {
      case "step":
        return parts.step(node.name, node.always) as unknown as Flows
      case "flowStep":
        return parts.flowStep(Step.flow(node.name, flow(node.inner)), node.name) as unknown as Flows
      case "decide":
        return decider(node.name, ["LEFT", "RIGHT", "FAILED"])
      case "andThen":
        return Flow.andThen(flow(node.self), flow(node.that))
      case "match":
        return Flow.match(
          flow(node.self) as Flow.Flow<string, any>,
          Object.fromEntries(node.cases.map(([pattern, to]) => [pattern, flow(to)]))
        )
      case "split":
        return Flow.split(node.branches.map(flow), {
          concurrency: node.how === undefined || node.how === "in sequence" ? 1 : "unbounded",
          onBranchFailure: node.how === "until one fails" ? "interrupt" : "wait"
        })
      case "end":
        return node.status === "COMPLETED" ? Flow.end(node.code) : Flow.fail(node.code)
      case "stop":
        return node.then === undefined ? Flow.stop(node.code) : Flow.stopAndRestart(flow(node.then), node.code)
      case "loop":
        return Flow.graph("body", {
          body: { run: flow(node.body) as Flow.Flow<string, any>, on: { FAILED: "END", "*": "again" } },
          again: { run: decider(node.name, ["AGAIN", "DONE"]), on: { AGAIN: "body", DONE: "END" } }
        }) as Flows
    }
  }
  return flow(tree) as Flow.Flow<any, any>
}

/** The flow as a user would write it, for the report of one that fails. */
export const toCode = (tree: Tree): string => {
  const cases = (entries: ReadonlyArray<readonly [string, Tree]>) =>
    entries.map(([pattern, to]) => `${JSON.stringify(pattern)}: ${toCode(to)}`).join(", ")
  switch (tree._tag) {
    case "step":
      return tree.always ? `Step.allowStartIfComplete(${tree.name})` : tree.name
    case "flowStep":
      return `Step.flow("${tree.name}", ${toCode(tree.inner)})`
    case "decide":
      return tree.name
    case "andThen":
      return `${toCode(tree.self)}.pipe(Flow.andThen(${toCode(tree.that)}))`
    case "match":
      return `${toCode(tree.self)}.pipe(Flow.match({ ${cases(tree.cases)} }))`
    case "split":
      return `Flow.split([${tree.branches.map(toCode).join(", ")}]${SETTINGS[tree.how ?? "in sequence"]})`
    case "end":
      return `Flow.${tree.status === "COMPLETED" ? "end" : "fail"}("${tree.code}")`
    case "stop":
      return tree.then === undefined
        ? `Flow.stop("${tree.code}")`
        : `Flow.stopAndRestart(${toCode(tree.then)}, "${tree.code}")`
    case "loop":
      return `Flow.graph("body", { body: { run: ${toCode(tree.body)}, on: { FAILED: "END", "*": "${tree.name}" } }, ` +
        `${tree.name}: { run: ${tree.name}, on: { AGAIN: "body", DONE: "END" } } })`
  }
}

const SETTINGS: { readonly [K in How]: string } = {
  "in sequence": "",
  "side by side": `, { concurrency: "unbounded" }`,
  "until one fails": `, { concurrency: "unbounded", onBranchFailure: "interrupt" }`
}

const outcome = (code: string): Effect.Effect<unknown, unknown, StepScope.StepScope> =>
  code === "FAILED"
    ? Effect.fail("failed")
    : code === "STOPPED"
    ? StepScope.requestStop
    : Effect.succeed(Tasklet.finishedWith(code))

const often = fc.integer({ min: 0, max: 4 }).map((n) => n === 0)

const shape = fc.letrec<{ readonly leaf: Tree; readonly tree: Tree; readonly case: Tree }>((tie) => ({
  leaf: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ _tag: fc.constant("step" as const), name: fc.constant("step"), always: often })
    },
    { weight: 2, arbitrary: fc.record({ _tag: fc.constant("decide" as const), name: fc.constant("decide") }) }
  ),
  case: fc.oneof(
    { weight: 5, arbitrary: tie("tree") },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.constantFrom("COMPLETED" as const, "FAILED" as const), fc.boolean()).map(
        ([status, custom]): Tree => ({ _tag: "end", status, code: custom ? "ENDED" : status })
      )
    },
    {
      weight: 2,
      arbitrary: fc.record({
        _tag: fc.constant("stop" as const),
        name: fc.constant("stop"),
        code: fc.constantFrom("STOPPED", "PAUSED"),
        then: fc.option(tie("tree"), { nil: undefined })
      })
    }
  ),
  tree: fc.oneof(
    { maxDepth: 4, depthSize: "small", withCrossShrink: true },
    { weight: 4, arbitrary: tie("leaf") },
    {
      weight: 3,
      arbitrary: fc.record({ _tag: fc.constant("andThen" as const), self: tie("tree"), that: tie("case") })
    },
    {
      weight: 4,
      arbitrary: fc.record({
        _tag: fc.constant("match" as const),
        self: tie("tree"),
        cases: fc.uniqueArray(
          fc.tuple(fc.constantFrom("FAILED", "CUSTOM", "COMPLETED", "LEFT", "C*", "?OMPLETED", "*"), tie("case")),
          { minLength: 1, maxLength: 3, selector: ([pattern]) => pattern }
        )
      })
    },
    {
      weight: 2,
      arbitrary: fc.record({
        _tag: fc.constant("split" as const),
        branches: fc.array(tie("tree"), { minLength: 1, maxLength: 3 })
      })
    },
    {
      weight: 1,
      arbitrary: fc.record({
        _tag: fc.constant("flowStep" as const),
        name: fc.constant("flow"),
        inner: tie("tree")
      })
    },
    {
      weight: 1,
      arbitrary: fc.record({ _tag: fc.constant("loop" as const), name: fc.constant("loop"), body: tie("tree") })
    }
  )
}))

/** The same flow with a number behind every name, so that no two are the same. */
const numbered = (tree: Tree): Tree => {
  let count = 0
  const visit = (node: any): any =>
    Array.isArray(node)
      ? node.map(visit)
      : typeof node === "object" && node !== null
      ? Object.fromEntries(
        Object.entries(node).map(([key, value]) => [key, key === "name" ? `${value}${++count}` : visit(value)])
      )
      : node
  return visit(tree)
}

export const arbitrary: fc.Arbitrary<Tree> = shape.tree.map(numbered)

/** Changes every node, the inner ones first. */
const mapTree = (tree: Tree, f: (node: Tree) => Tree): Tree => {
  const visit = (node: any): any => {
    if (Array.isArray(node)) return node.map(visit)
    if (typeof node !== "object" || node === null) return node
    const mapped = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, visit(value)]))
    return "_tag" in node ? f(mapped as Tree) : mapped
  }
  return visit(tree)
}

/** Flows in which some values stand in several places, and whose branches run side by side. */
export const shared: fc.Arbitrary<Tree> = fc.tuple(arbitrary, fc.array(fc.nat(99), { minLength: 12, maxLength: 12 }))
  .map(
    ([tree, dice]) => {
      let node = 0
      const next = () => dice[node++ % dice.length]!
      const hows: ReadonlyArray<How> = ["in sequence", "side by side", "until one fails"]
      return mapTree(tree, (each) => {
        switch (each._tag) {
          case "step": {
            const number = next()
            return number < 50 ? { _tag: "step", name: `same${number % 2}`, always: false } : each
          }
          case "decide": {
            const number = next()
            return number < 30 ? { _tag: "decide", name: "decide0" } : each
          }
          case "split":
            return { ...each, how: hows[next() % hows.length]! }
          default:
            return each
        }
      })
    }
  )
