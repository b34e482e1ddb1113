import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as FastCheck from "effect/FastCheck"
import { pipe } from "effect/Function"
import * as Hash from "effect/Hash"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { UnreadableContextKey } from "../../src/vocabulary/BatchError.js"
import * as ExecutionContext from "../../src/vocabulary/ExecutionContext.js"

const { ExecutionContext: Context, get, key, remove, unsafeSet: set } = ExecutionContext

const Value = Schema.Struct({
  id: Schema.Int,
  when: Schema.DateTimeUtc,
  tags: Schema.Array(Schema.String),
  note: Schema.optional(Schema.NullOr(Schema.String)),
  big: Schema.BigInt
})
const value = key("value", Value)
const number = key("n", Schema.Int)
const valueOf = <A>(context: ExecutionContext.ExecutionContext, name: ExecutionContext.Key<A>) =>
  Option.getOrThrow(Either.getOrThrow(get(context, name)))

describe("ExecutionContext", () => {
  it("a key is there only when it was set, whatever every object inherits", () => {
    for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
      const key = ExecutionContext.key(name, Schema.Number)
      assert.isFalse(ExecutionContext.has(ExecutionContext.empty, key))
      assert.deepStrictEqual(ExecutionContext.get(ExecutionContext.empty, key), Either.right(Option.none()))
      const stored = ExecutionContext.toJson(ExecutionContext.unsafeSet(ExecutionContext.empty, key, 7))
      const read = Either.getOrThrow(ExecutionContext.fromJson(stored))
      assert.deepStrictEqual(ExecutionContext.get(read, key), Either.right(Option.some(7)))
      assert.strictEqual(ExecutionContext.toJson(ExecutionContext.remove(read, key)), "{}")
    }
  })

  it.prop("get returns the value that was set, also after storage (CTX-1)", [Context, Value], ([context, a]) => {
    const written = set(context, value, a)
    const stored = Either.getOrThrow(ExecutionContext.fromJson(ExecutionContext.toJson(written)))
    // an optional member that is undefined is stored as absent
    const expected = Schema.decodeSync(Schema.parseJson(Value))(Schema.encodeSync(Schema.parseJson(Value))(a))
    assert.deepStrictEqual(valueOf(written, value), expected)
    assert.deepStrictEqual(valueOf(stored, value), expected)
    assert.isTrue(Equal.equals(stored, written))
  })

  it.prop("set leaves the other entries and the original alone (CTX-2)", [Context, Schema.Int], ([context, n]) => {
    const before = ExecutionContext.toJson(context)
    const others = (self: ExecutionContext.ExecutionContext) => ExecutionContext.toJson(remove(self, number))
    assert.strictEqual(others(set(context, number, n)), others(context))
    assert.strictEqual(ExecutionContext.toJson(context), before)
  })

  it.prop("a context changes only when a value does (CTX-2)", [Context, Schema.Int, Schema.Int], ([context, a, b]) => {
    const once = set(context, number, a)
    assert.strictEqual(set(once, number, a), once)
    assert.strictEqual(Equal.equals(set(once, number, b), once), a === b)
  })

  it.prop("remove after set is the original (CTX-3)", [Context, Schema.Int], ([context, n]) => {
    const without = remove(context, number)
    assert.strictEqual(remove(without, number), without)
    const again = pipe(without, set(number, n), remove(number))
    assert.isTrue(Equal.equals(again, without))
    assert.isFalse(ExecutionContext.has(again, number))
    assert.isTrue(ExecutionContext.has(set(again, number, n), number))
  })

  it("absent is None, unreadable is a typed error that names the key (CTX-4)", () => {
    const context = ExecutionContext.fromEntries({ n: "one" })
    assert.deepStrictEqual(get(ExecutionContext.empty, number), Either.right(Option.none()))
    const error = Either.getOrThrow(Either.flip(get(context, number)))
    assert.instanceOf(error, UnreadableContextKey)
    assert.strictEqual(error.key, "n")
    assert.include(error.message, `The entry "n" does not fit its schema: Expected`)
  })

  it("a null that was stored is a value (CTX-4)", () => {
    const nullable = key("n", Schema.NullOr(Schema.Int))
    assert.deepStrictEqual(
      pipe(ExecutionContext.empty, set(nullable, null), get(nullable)),
      Either.right(Option.some(null))
    )
  })

  it("refuses a value that the schema or JSON cannot hold", () => {
    const loose = key("n", Schema.Number)
    assert.throws(() => set(ExecutionContext.empty, number, 1.5), UnreadableContextKey)
    assert.throws(() => set(ExecutionContext.empty, loose, NaN), /JSON cannot hold the number NaN/)
    assert.isTrue(Either.isLeft(ExecutionContext.set(ExecutionContext.empty, loose, Infinity)))
    assert.deepStrictEqual(
      Either.map(ExecutionContext.set(ExecutionContext.empty, loose, 1), ExecutionContext.toJson),
      Either.right(`{"n":1}`)
    )
  })

  it.prop("equality is that of the entries, whatever their order (CTX-6)", [Context], ([context]) => {
    const same = ExecutionContext.fromEntries(Object.fromEntries(Object.entries(context.entries).reverse()))
    assert.isTrue(Equal.equals(context, same))
    assert.strictEqual(Hash.hash(context), Hash.hash(same))
  })

  it.prop("fromJson is total", [FastCheck.oneof(FastCheck.string(), FastCheck.json())], ([text]) => {
    Either.match(ExecutionContext.fromJson(text), {
      onLeft: (detail) => assert.isAbove(detail.length, 0),
      onRight: (context) => assert.deepStrictEqual(context.entries, JSON.parse(text))
    })
  })

  it.prop("the schema stores a plain JSON object", [Context], ([context]) => {
    const encoded = Schema.encodeSync(Context)(context)
    // JSON has no negative zero.
    assert.deepStrictEqual(encoded, JSON.parse(JSON.stringify(context.entries)))
    assert.isTrue(Equal.equals(Schema.decodeSync(Context)(encoded), context))
  })

  it("prints its entries", () => {
    const context = ExecutionContext.fromEntries({ n: 1 })
    assert.deepStrictEqual(JSON.parse(String(context)), { _id: "ExecutionContext", entries: { n: 1 } })
    assert.isTrue(ExecutionContext.isExecutionContext(context))
    assert.isFalse(ExecutionContext.isExecutionContext({ entries: {} }))
  })
})
