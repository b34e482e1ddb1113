import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Text from "../../src/internal/text.js"

const known = ["file", "businessDate", "verbose"]

describe("text", () => {
  it("finds the name that is meant", () => {
    assert.strictEqual(Text.nearest("fiel", known), undefined)
    assert.strictEqual(Text.nearest("fille", known), "file")
    assert.strictEqual(Text.nearest("business-date", known), "businessDate")
    assert.strictEqual(Text.nearest("BUSINESS_DATE", known), "businessDate")
    assert.strictEqual(Text.nearest("buisnessDate", known), "businessDate")
    assert.strictEqual(Text.nearest("colour", known), undefined)
  })

  it.prop("a known name is its own nearest", [Schema.NonEmptyArray(Schema.NonEmptyString)], ([names]) => {
    const name = names[names.length - 1]!
    const near = Text.nearest(name, [name])
    assert.strictEqual(near, name)
  })

  it.prop("oneLine gives one line", [Schema.String], ([text]) => {
    assert.isFalse(/[\r\n]/.test(Text.oneLine(text)))
  })

  it("words", () => {
    assert.strictEqual(Text.plural(1, "time"), "1 time")
    assert.strictEqual(Text.plural(2, "time"), "2 times")
    assert.strictEqual(Text.quoted(["a", "b"]), `"a", "b"`)
    assert.strictEqual(Text.didYouMean("vebose", known), ` (did you mean "verbose"?)`)
    assert.strictEqual(Text.didYouMean("x", known), "")
  })
})
