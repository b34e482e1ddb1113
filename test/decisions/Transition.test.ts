import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { pipe } from "effect/Function"
import * as Option from "effect/Option"
import * as Pattern from "../../src/base/pattern.js"
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
  it.prop("* is any run of characters, ? exactly one (FLOW-3)", [pattern, code], ([pattern, code]) => {
    assert.strictEqual(Transition.matches(pattern, code), means(pattern, code))
    assert.strictEqual(pipe(pattern, Transition.matches(code)), means(pattern, code))
  })

  it("examples (FLOW-3)", () => {
    assert.deepStrictEqual(["cat", "count", "Cat"].map((each) => Transition.matches("c*t", each)), [true, true, false])
    assert.deepStrictEqual(["cat", "count"].map((each) => Transition.matches("c?t", each)), [true, false])
    assert.isTrue(Transition.matches("a+(b)", "a+(b)"))
  })

  it("the more specific of two patterns is tried first: text, then fewer *, then fewer ? (FLOW-4, OWN-26)", () => {
    const before: ReadonlyArray<readonly [first: string, second: string, code: string]> = [
      ["COMPLETED", "COMPLETED*", "COMPLETED"],
      ["COMPLETED*", "*", "COMPLETED"],
      ["??", "?*", "AB"],
      ["CO*", "?O*", "COMPLETED"],
      ["?", "*", "A"],
      ["*", "**", "A"],
      ["*FAIL*", "*", "A FAIL B"],
      ["COMPLETED WITH SKIPS*", "*SKIPS*", "COMPLETED WITH SKIPS"],
      ["?:Next*", "*", "1:Next page"]
    ]
    for (const [first, second, exitCode] of before) {
      assert.strictEqual(chosen([first, second], exitCode), first)
      assert.strictEqual(chosen([second, first], exitCode), first)
    }
  })

  it.prop(
    "the order of declaration plays no part (FLOW-4)",
    [FastCheck.uniqueArray(pattern, { maxLength: 6 }), code],
    ([patterns, code]) => {
      assert.strictEqual(chosen(patterns.toReversed(), code), chosen(patterns, code))
    }
  )

  it.prop("no wildcard beats the exact code (FLOW-4)", [FastCheck.array(pattern), code], ([patterns, code]) => {
    assert.strictEqual(chosen([...patterns, code], code), code)
  })

  it.prop(
    "nothing is chosen only if nothing matches (FLOW-6)",
    [FastCheck.array(pattern), code],
    ([patterns, code]) => {
      const choice = pipe(table(patterns), Transition.select(code))
      assert.strictEqual(Option.isSome(choice), patterns.some((each) => means(each, code)))
      assert.isTrue(Option.match(choice, { onNone: () => true, onSome: ({ to }) => means(to, code) }))
    }
  )

  it.prop(
    "without a defect, each pattern is taken by some code and the choice never depends on the alphabet (FLOW-5, OWN-26)",
    [FastCheck.array(pattern, { maxLength: 4 }), code],
    ([patterns, code]) => {
      if (Transition.defects(table(patterns)).length === 0) {
        const matching = patterns.filter((each) => means(each, code))
        const [first, second] = matching.sort((a, b) => Pattern.compare(a, b))
        assert.isTrue(second === undefined || Pattern.compare(first!, second) < 0)
      }
    }
  )

  it("a defect names the pattern (FLOW-5)", () => {
    assert.deepStrictEqual(Transition.defects(table(["A", "*", "A"])), [`the pattern "A" is declared 2 times`])
    assert.deepStrictEqual(Transition.defects(table([""])), ["a pattern is empty"])
  })

  it("two patterns of which neither is more specific are refused when they can match the same code (OWN-26)", () => {
    assert.deepStrictEqual(Transition.defects(table(["*LATE", "LATE*"])), [
      `the patterns "*LATE" and "LATE*" can match the same code and neither is more specific`
    ])
    assert.deepStrictEqual(Transition.defects(table(["LATE", "DONE", "A*", "B*"])), [])
  })

  it("a pattern that a more specific one hides altogether is refused, with the name of that one (OWN-26)", () => {
    assert.deepStrictEqual(Transition.defects(table(["LATE*", "LATE*?"])), [
      `the pattern "LATE*?" is never taken: "LATE*" is more specific and takes every code that could lead there`
    ])
    assert.deepStrictEqual(Transition.defects(table(["COMPLETED", "COMPLETED*", "*"])), [])
  })
})
