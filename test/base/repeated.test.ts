import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { repeated } from "../../src/base/repeated.js"

const names = FastCheck.array(FastCheck.constantFrom("a", "b", "c", "__proto__"), { maxLength: 12 })

describe("names that stand more than once", () => {
  it.prop("are told once each, and no others", [names], ([names]) => {
    const found = repeated(names)
    assert.strictEqual(new Set(found).size, found.length)
    assert.sameMembers(
      [...found],
      ["a", "b", "c", "__proto__"].filter((name) => names.filter((each) => each === name).length > 1)
    )
  })
})
