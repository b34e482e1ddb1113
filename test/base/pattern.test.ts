import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Pattern from "../../src/base/pattern.js"

const pattern = FastCheck.string({ unit: FastCheck.constantFrom("A", "B", "*", "?"), maxLength: 6 })
const text = FastCheck.string({ unit: FastCheck.constantFrom("A", "B", "C"), maxLength: 6 })

/** The meaning of a pattern, told by recursion. */
const means = (pattern: string, text: string): boolean => {
  const [first] = pattern
  switch (first) {
    case undefined:
      return text === ""
    case "*":
      return means(pattern.slice(1), text) || (text !== "" && means(pattern, text.slice(1)))
    default:
      return text !== "" && (first === "?" || first === text[0]) && means(pattern.slice(1), text.slice(1))
  }
}

/** All texts over three letters, longer than what tells two short patterns apart. */
const texts = (maxLength: number): ReadonlyArray<string> => {
  const all = [""]
  for (const each of all) {
    if (each.length < maxLength) {
      all.push(`${each}A`, `${each}B`, `${each}C`)
    }
  }
  return all
}
const TEXTS = texts(7)
const short = FastCheck.string({ unit: FastCheck.constantFrom("A", "B", "*", "?"), maxLength: 3 })

describe("pattern", () => {
  it.prop("* is any run of characters, ? exactly one", [pattern, text], ([pattern, text]) => {
    assert.strictEqual(Pattern.matches(pattern, text), means(pattern, text))
  })

  it("a character is a code point, and line ends are characters", () => {
    assert.isTrue(Pattern.matches("?", "💥"))
    assert.isTrue(Pattern.matches("a?b*", "a\nb\r\n"))
    assert.isTrue(Pattern.matches("a+(b)", "a+(b)"))
    assert.isFalse(Pattern.matches("a.c", "abc"))
  })

  it("no pattern makes matching slow", () => {
    const long = "a".repeat(20_000)
    assert.isFalse(Pattern.matches(`${"*a".repeat(30)}*b`, long))
    assert.isTrue(Pattern.matches(`${"*a".repeat(30)}*`, long))
    assert.isFalse(Pattern.matches(`${"a*".repeat(200)}b`, long))
  })

  it("the most specific of two patterns has more literals, then fewer *, then fewer ? (OWN-26)", () => {
    const inOrder = ["COMPLETED WITH SKIPS*", "COMPLETED", "COMPLETED*", "?:Next*", "*SKIP", "??", "*", "**"]
    for (const [at, before] of inOrder.entries()) {
      for (const behind of inOrder.slice(at + 1)) {
        assert.strictEqual(Pattern.compare(before, behind), -1, `${before} before ${behind}`)
        assert.strictEqual(Pattern.compare(behind, before), 1)
      }
    }
    assert.strictEqual(Pattern.compare("*A", "B*"), 0)
  })

  it.prop("two patterns overlap when a text matches both", [short, short], ([a, b]) => {
    assert.strictEqual(Pattern.overlaps(a, b), TEXTS.some((each) => means(a, each) && means(b, each)))
    assert.strictEqual(Pattern.overlaps(a, b), Pattern.overlaps(b, a))
  })

  it.prop("one pattern contains another when it matches whatever that matches", [short, short], ([a, b]) => {
    assert.strictEqual(
      Pattern.contains(a, b),
      TEXTS.every((each) => !means(b, each) || means(a, each)),
      `${a} contains ${b}`
    )
  })
})
