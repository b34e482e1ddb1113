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
  | { readonly _tag: "split"; readonly branches: ReadonlyArray<Tree> }
  | { readonly _tag: "end"; readonly status: "COMPLETED" | "FAILED"; readonly code: string }
  | { readonly _tag: "stop"; readonly name: string; readonly code: string; readonly then: Tree | undefined }
  | { readonly _tag: "loop"; readonly name: string; readonly body: Tree }

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

export const toFlow = (tree: Tree, ask: (name: string) => string): Flow.Flow<any, any> => {
  const flow = (node: Tree): Flow.Flow<any, any> => toFlow(node, ask)
  switch (tree._tag) {
    case "step": {
      const step = Step.tasklet(tree.name, Effect.suspend(() => outcome(ask(tree.name)))) as unknown as Step.Step<
        any,
        any
      >
      return tree.always ? Step.allowStartIfComplete(step) : step
    }
    case "flowStep":
      return Step.flow(tree.name, flow(tree.inner))
    case "decide":
      return Flow.decide(tree.name, ["LEFT", "RIGHT", "FAILED"], () => Effect.sync(() => ask(tree.name) as "LEFT"))
    case "andThen":
      return Flow.andThen(flow(tree.self), flow(tree.that))
    case "match":
      return Flow.match(
        flow(tree.self) as Flow.Flow<string, any>,
        Object.fromEntries(tree.cases.map(([pattern, to]) => [pattern, flow(to)]))
      )
    case "split":
      return Flow.split(tree.branches.map(flow))
    case "end":
      return tree.status === "COMPLETED" ? Flow.end(tree.code) : Flow.fail(tree.code)
    case "stop":
      return tree.then === undefined ? Flow.stop(tree.code) : Flow.stopAndRestart(flow(tree.then), tree.code)
    case "loop":
      return Flow.graph("body", {
        body: { run: flow(tree.body) as Flow.Flow<string, any>, on: { FAILED: "END", "*": "again" } },
        again: {
          run: Flow.decide(tree.name, ["AGAIN", "DONE"], () => Effect.sync(() => ask(tree.name) as "DONE")),
          on: { AGAIN: "body", DONE: "END" }
        }
      })
  }
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
      return `Flow.split([${tree.branches.map(toCode).join(", ")}])`
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
