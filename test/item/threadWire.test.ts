/** What is said of a value that no thread can be given. */
import { assert, it } from "@effect/vitest"
import { cloneProblem } from "../../src/item/threadWire.js"

it("what cannot be cloned is named by its place, whatever stands beside or around it", () => {
  const noFunction = "a function can't be cloned"
  const cyclic: Record<string, unknown> = { fine: {} }
  cyclic["self"] = cyclic
  cyclic["bad"] = () => 1
  const shared = { bad: () => 1 }
  const cases: ReadonlyArray<readonly [unknown, string | undefined]> = [
    [null, undefined],
    [undefined, undefined],
    ["text", undefined],
    [{ a: [{ b: new Map([["c", new Set([1n])]]) }], at: new Date(0) }, undefined],
    [() => 1, noFunction],
    [Symbol("s"), "a symbol can't be cloned"],
    [Object.assign(() => 1, { inner: Symbol("s") }), noFunction],
    [{ fine: { a: 1 }, none: null, list: [1], bad: () => 1 }, `bad: ${noFunction}`],
    [{ a: [{ b: 1 }, { b: () => 1 }] }, `a.1.b: ${noFunction}`],
    [new Map([["k", { f: () => 1 }]]), `k.f: ${noFunction}`],
    [new Map([[() => 1, 1]]), `a key: ${noFunction}`],
    [new Set([1, () => 1]), `1: ${noFunction}`],
    [cyclic, `bad: ${noFunction}`],
    [{ first: { again: shared }, second: shared }, `first.again.bad: ${noFunction}`]
  ]
  for (const [value, problem] of cases) {
    assert.strictEqual(cloneProblem(value), problem, problem ?? "nothing is wrong")
  }
})
