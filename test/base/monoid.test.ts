import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { combineAll } from "../../src/base/monoid.js"

const concat = combineAll((self: string, that: string) => self + that, "")
const strings = Schema.Array(Schema.String)

describe("monoid", () => {
  it.prop("combining the parts combines the whole, in order", [strings, strings], ([a, b]) => {
    assert.strictEqual(concat([...a, ...b]), concat([concat(a), concat(b)]))
    assert.strictEqual(concat(a), a.join(""))
  })
})
