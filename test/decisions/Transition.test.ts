import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { pipe } from "effect/Function"
import * as Option from "effect/Option"
import * as Transition from "../../src/decisions/Transition.js"

const pattern = FastCheck.string({ unit: FastCheck.constantFrom("A", "B", ".", "*", "?"), maxLength: 6 })
const code = FastCheck.string({ unit: FastCheck.constantFrom("A", "B", ".", "\n"), maxLength: 6 })

/** The meaning of a pattern, told by recursion. */
const means = (pattern: string, code: string): boolean => {
  const [first] = pattern
  switch (first) {
    case undefined:
      return code === ""
    case "*":
      return means(pattern.slice(1), code) || (code !== "" && means(pattern, code.slice(1)))
    default:
      return code !== "" && (first === "?" || first === code[0]) && means(pattern.slice(1), code.slice(1))
  }
}

const table = (patterns: ReadonlyArray<string>) => patterns.map((each) => Transition.make(each, each))
const chosen = (patterns: ReadonlyArray<string>, exitCode: string) =>
  Option.getOrUndefined(Transition.select(table(patterns), exitCode))?.to

describe("Transition", () => {
  it.prop("FLOW-3: * is any run of characters, ? exactly one", [pattern, code], ([pattern, code]) => {
    assert.strictEqual(Transition.matches(pattern, code), means(pattern, code))
    assert.strictEqual(pipe(pattern, Transition.matches(code)), means(pattern, code))
  })

  it("FLOW-3: examples", () => {
    assert.deepStrictEqual(["cat", "count", "Cat"].map((each) => Transition.matches("c*t", each)), [true, true, false])
    assert.deepStrictEqual(["cat", "count"].map((each) => Transition.matches("c?t", each)), [true, false])
    assert.isTrue(Transition.matches("a+(b)", "a+(b)"))
  })

  it("FLOW-4: which of two patterns is tried first", () => {
    const before: ReadonlyArray<readonly [first: string, second: string, code: string]> = [
      ["COMPLETED", "COMPLETED*", "COMPLETED"],
      ["COMPLETED*", "*", "COMPLETED"],
      ["??", "?*", "AB"],
      ["CO*", "?O*", "COMPLETED"],
      ["?", "*", "A"],
      ["**", "*", "A"],
      ["*FAIL*", "*", "A FAIL B"]
    ]
    for (const [first, second, exitCode] of before) {
      assert.strictEqual(chosen([first, second], exitCode), first)
      assert.strictEqual(chosen([second, first], exitCode), first)
    }
  })

  it.prop(
    "FLOW-4: the order of declaration plays no part",
    [FastCheck.uniqueArray(pattern, { maxLength: 6 }), code],
    ([patterns, code]) => {
      assert.strictEqual(chosen(patterns.toReversed(), code), chosen(patterns, code))
    }
  )

  it.prop("FLOW-4: no wildcard beats the exact code", [FastCheck.array(pattern), code], ([patterns, code]) => {
    assert.strictEqual(chosen([...patterns, code], code), code)
  })

  it.prop("FLOW-6: nothing is chosen only if nothing matches", [FastCheck.array(pattern), code], ([patterns, code]) => {
    const choice = pipe(table(patterns), Transition.select(code))
    assert.strictEqual(Option.isSome(choice), patterns.some((each) => means(each, code)))
    assert.isTrue(Option.match(choice, { onNone: () => true, onSome: ({ to }) => means(to, code) }))
  })

  it.prop("FLOW-5: every repeated or empty pattern is one defect", [FastCheck.array(pattern)], ([patterns]) => {
    const distinct = Array.from(new Set(patterns))
    const repeated = distinct.filter((each) => patterns.indexOf(each) !== patterns.lastIndexOf(each))
    const empty = distinct.includes("") ? 1 : 0
    assert.strictEqual(Transition.defects(table(patterns)).length, repeated.length + empty)
  })

  it("FLOW-5: a defect names the pattern", () => {
    assert.deepStrictEqual(Transition.defects(table(["A", "*", "A"])), [`the pattern "A" is declared 2 times`])
    assert.deepStrictEqual(Transition.defects(table([""])), ["a pattern is empty"])
  })
})
