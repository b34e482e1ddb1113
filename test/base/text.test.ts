import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Text from "../../src/base/text.js"

const known = ["file", "businessDate", "verbose"]

describe("text", () => {
  it("finds the name that is meant", () => {
    assert.strictEqual(Text.nearest("fiel", known), "file")
    assert.strictEqual(Text.nearest("fale", ["fill"]), undefined)
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

  it.prop("oneLine returns one line", [Schema.String], ([text]) => {
    assert.isFalse(/[\r\n]/.test(Text.oneLine(text)))
  })

  it.prop("visible leaves nothing that commands a terminal, and other text as it is", {
    text: FastCheck.string({ unit: "grapheme-composite" }),
    control: FastCheck.constantFrom("\u0000", "\u001b[2J", "\r", "\b", "\u007f", "\u009b2J", "\u202e")
  }, ({ control, text }) => {
    assert.isFalse(/(?![\n\t])[\p{Cc}\u202e]/u.test(Text.visible(`${text}${control}${text}`)))
    assert.isFalse(/[\p{Cc}\u202e]/u.test(Text.oneLine(`${text}${control}${text}`)))
    assert.strictEqual(JSON.parse(Text.visible(JSON.stringify({ [text]: control })))[text], control)
    const plain = text.replaceAll(/[\p{Cc}\p{Cf}]/gu, "")
    assert.strictEqual(Text.visible(plain), plain)
  })

  it("control characters are spelt as in JSON; lines and tabs stay", () => {
    assert.strictEqual(Text.visible("a\u001b[31mb\u009b\n\tc"), "a\\u001b[31mb\\u009b\n\tc")
  })

  it("lists, plurals and quotes read as words", () => {
    assert.strictEqual(Text.plural(1, "time"), "1 time")
    assert.strictEqual(Text.plural(2, "time"), "2 times")
    assert.strictEqual(Text.quoted(["a", "b"]), `"a", "b"`)
    assert.strictEqual(Text.didYouMean("vebose", known), ` (did you mean "verbose"?)`)
    assert.strictEqual(Text.didYouMean("x", known), "")
  })
})
