/**
 * Names that an object of JSON has twice, of which JavaScript would keep the last without a word.
 */
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { endOfString, repeated } from "../../src/base/jsonNames.js"

const found = (text: string) => repeated(text, JSON.parse(text))

/** Names and texts that look like what stands between them. */
const text = FastCheck.oneof(
  FastCheck.constantFrom(":", "\"", "\\", "\\\"", "{", "}", "a:b", "__proto__", ""),
  FastCheck.string()
)

const json = FastCheck.letrec<{ value: unknown }>((tie) => ({
  value: FastCheck.oneof(
    { maxDepth: 3 },
    text,
    FastCheck.constantFrom(null, 1, true),
    FastCheck.array(tie("value"), { maxLength: 3 }),
    FastCheck.array(FastCheck.tuple(text, tie("value")), { maxLength: 3 }).map(Object.fromEntries)
  )
})).value

describe("names of JSON", () => {
  it.prop("that stand there once are not repeated, whatever stands in texts", [json], ([value]) => {
    assert.isUndefined(found(JSON.stringify(value)))
    assert.isUndefined(found(JSON.stringify(value, null, 2)))
  })

  it.prop("that one object has twice are found, however deep and however they are written", [
    json,
    text,
    json,
    FastCheck.boolean(),
    FastCheck.nat(3)
  ], ([first, name, second, isEscaped, depth]) => {
    const quoted = JSON.stringify(name)
    const other = isEscaped && /^[a-z]/.test(name)
      ? `"\\u00${name.charCodeAt(0).toString(16)}${quoted.slice(2)}`
      : quoted
    let whole = `{${quoted}: ${JSON.stringify(first)}, ${other}: ${JSON.stringify(second)}}`
    for (let level = 0; level < depth; level++) {
      whole = level % 2 === 0 ? `[{}, ${whole}]` : `{"outer": ${whole}, "last": [1]}`
    }
    assert.strictEqual(found(whole), name)
  })

  it.prop("end where their text ends", [text, text], ([name, behind]) => {
    const quoted = JSON.stringify(name)
    assert.strictEqual(endOfString(`${quoted}${behind}`, 0), quoted.length)
    assert.strictEqual(endOfString(`: ${quoted}`, 2), quoted.length + 2)
  })
})
