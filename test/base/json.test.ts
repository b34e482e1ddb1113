import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { isDeepStrictEqual } from "node:util"
import type { Json as JsonValue } from "../../src/base/json.js"
import * as Json from "../../src/base/json.js"

const json = FastCheck.jsonValue({ maxDepth: 3 }).map((value) => value as JsonValue)

/** Values so few that two of them are often the same, or nearly so. */
const alike = FastCheck.letrec<{ value: JsonValue }>((tie) => ({
  value: FastCheck.oneof(
    { maxDepth: 2, depthSize: "small" },
    FastCheck.constantFrom<JsonValue>(null, true, 1, "1", "null", ""),
    FastCheck.array(tie("value"), { maxLength: 2 }),
    FastCheck.dictionary(FastCheck.constantFrom("1", "a"), tie("value"), { maxKeys: 2, noNullPrototype: true })
  )
})).value

const reversed = (value: JsonValue): JsonValue => {
  if (Array.isArray(value)) {
    return value.map(reversed)
  }
  return Json.isRecord(value)
    ? Object.fromEntries(Object.entries(value).reverse().map(([key, member]) => [key, reversed(member)]))
    : value
}

describe("json", () => {
  it.prop("canonical text is JSON of the same value", [json], ([value]) => {
    assert.deepStrictEqual(JSON.parse(Json.canonical(value)), JSON.parse(JSON.stringify(value)))
  })

  it.prop("canonical text does not depend on the order of keys", [json], ([value]) => {
    assert.strictEqual(Json.canonical(reversed(value)), Json.canonical(value))
  })

  it.prop("canonical text is injective", [alike, alike], ([a, b]) => {
    const same = isDeepStrictEqual(a, b)
    assert.strictEqual(Json.canonical(a) === Json.canonical(b), same)
    assert.strictEqual(Json.equals(a, b), same)
  }, { fastCheck: { numRuns: 1000 } })

  it("canonical text tells types apart", () => {
    assert.strictEqual(new Set(["1", 1, [1], { 1: 1 }, true, "true", null, "null"].map(Json.canonical)).size, 8)
  })

  it.prop("fromUnknown equals a round trip through text", [FastCheck.anything()], ([value]) => {
    Either.match(Json.fromUnknown(value), {
      onLeft: (detail) => assert.isAbove(detail.length, 0),
      onRight: (copy) => assert.deepStrictEqual(copy, JSON.parse(JSON.stringify(value)))
    })
  })

  it("fromUnknown refuses what JSON would distort, and says where", () => {
    const refused = [NaN, Infinity, undefined, 1n, () => 1, new Date(0), new Map(), new Uint8Array(1), [undefined]]
    assert.deepStrictEqual(refused.map((value) => Either.isLeft(Json.fromUnknown(value))), refused.map(() => true))
    assert.deepStrictEqual(
      Json.fromUnknown({ rows: [{ at: new Date(0) }] }),
      Either.left("JSON cannot hold a Date at rows[0].at")
    )
  })

  it("fromUnknown loses no member whose name JSON cannot hold, at whatever depth", () => {
    const [list, named] = [Object.assign([1], { extra: 2 }), { a: 1, [Symbol("s")]: 2 }]
    for (const value of [list, named, { deep: list }, { deep: [named] }, [[list]], [{ deep: named }]]) {
      assert.match(
        Either.getOrThrow(Either.flip(Json.fromUnknown(value))),
        /a member (?:whose name is a symbol|named "extra")/
      )
    }
    const hidden = Object.defineProperty({ a: 1 }, Symbol("s"), { value: 2, enumerable: false })
    assert.deepStrictEqual(Json.fromUnknown(hidden), Either.right({ a: 1 }))
  })

  it("fromUnknown leaves undefined members out and survives cycles", () => {
    assert.deepStrictEqual(Json.fromUnknown({ a: undefined, b: -0 }), Either.right({ b: 0 }))
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    assert.deepStrictEqual(Json.fromUnknown(cycle), Either.left("the value is nested too deeply for JSON"))
  })

  it.prop("parseRecord is total", [FastCheck.oneof(FastCheck.string(), FastCheck.json())], ([text]) => {
    Either.match(Json.parseRecord(text), {
      onLeft: (detail) => assert.isAbove(detail.length, 0),
      onRight: (record) => assert.deepStrictEqual(record, JSON.parse(text))
    })
  })

  it("keeps a key named __proto__", () => {
    const text = `{"__proto__":{"a":1}}`
    assert.strictEqual(Json.canonical(Either.getOrThrow(Json.fromUnknown(JSON.parse(text)))), text)
    assert.strictEqual(Json.canonical(Schema.decodeUnknownSync(Json.JsonRecord)(JSON.parse(text))), text)
  })

  it.prop(
    "the schemas keep JSON as it is and refuse anything else",
    [Json.Json, Json.JsonRecord],
    ([value, record]) => {
      assert.deepStrictEqual(Schema.decodeUnknownSync(Json.Json)(value), value)
      assert.deepStrictEqual(Schema.encodeSync(Json.JsonRecord)(record), record)
      assert.isFalse(Schema.is(Json.Json)({ value, date: new Date(0) }))
      assert.isFalse(Schema.is(Json.JsonRecord)([value]))
    }
  )
})
