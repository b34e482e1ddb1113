import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { decodeUnknownEither } from "../../src/base/fastDecode.js"

class Account extends Schema.Class<Account>("Account")({ id: Schema.Int, name: Schema.NonEmptyString }) {}

interface Tree {
  readonly label: string
  readonly children: ReadonlyArray<Tree>
}

const Tree: Schema.Schema<Tree> = Schema.Struct({
  label: Schema.String,
  children: Schema.Array(Schema.suspend(() => Tree))
})

const Asynchronous = Schema.transformOrFail(Schema.String, Schema.String, {
  strict: true,
  decode: (text) => Effect.as(Effect.sleep("1 millis"), text),
  encode: (text) => ParseResult.succeed(text)
})

const schemas: ReadonlyArray<Schema.Schema<any, any>> = [
  Schema.Struct({
    id: Schema.NumberFromString.pipe(Schema.int(), Schema.positive()),
    email: Schema.String.pipe(Schema.pattern(/@/)),
    currency: Schema.Literal("EUR", "USD"),
    flag: Schema.BooleanFromString
  }),
  Schema.Struct({ a: Schema.optional(Schema.String), b: Schema.optionalWith(Schema.Number, { default: () => 1 }) }),
  Schema.Struct({ a: Schema.NullOr(Schema.String), b: Schema.Literal(1, null, true) }),
  Schema.Struct({ when: Schema.Date, day: Schema.DateTimeUtc, data: Schema.Uint8ArrayFromBase64 }),
  Schema.Struct({ a: Schema.Trim, b: Schema.compose(Schema.Trim, Schema.NumberFromString) }),
  Schema.Struct({ ["__proto__"]: Schema.String, a: Schema.Number }),
  Schema.Struct({ a: Schema.String.annotations({ decodingFallback: () => Either.right("none") }) }),
  Schema.Struct({
    a: Schema.Struct({ b: Schema.String }).annotations({ parseOptions: { onExcessProperty: "error" } })
  }),
  Schema.Struct({ a: Asynchronous }),
  Schema.Struct({ a: Schema.parseJson(Schema.Struct({ b: Schema.Number })), rest: Schema.Unknown }),
  Schema.Struct({ a: Schema.String }, Schema.Record({ key: Schema.String, value: Schema.String })),
  Schema.Struct({ a: Schema.propertySignature(Schema.String).pipe(Schema.fromKey("b")) }),
  Schema.Union(Schema.Struct({ a: Schema.String }), Schema.Struct({ b: Schema.Number })),
  Schema.Tuple(Schema.String, Schema.optionalElement(Schema.Number)),
  Schema.Struct({}),
  Schema.Array(Schema.Number),
  Account,
  Tree
]

const texts = ["1", "-1", "1.5", "a@b", "EUR", "true", "", " x ", "2024-01-01T00:00:00Z", "YQ==", `{"b":1}`, "{"]

const value = FastCheck.oneof(
  FastCheck.constantFrom<Array<unknown>>(...texts, 1, 0, Number.NaN, -0, true, null, undefined, [], {}),
  FastCheck.anything()
)

/** Anything; but often a record with the names that the schemas know. */
const input = FastCheck.oneof(
  value,
  FastCheck.dictionary(
    FastCheck.constantFrom("id", "email", "currency", "flag", "a", "b", "when", "day", "data", "name", "label", "rest"),
    value
  ),
  FastCheck.constant(JSON.parse(`{"__proto__":"x","a":1}`)),
  FastCheck.array(value, { maxLength: 3 })
)

const same = (schema: Schema.Schema<any, any>, input: unknown): void => {
  const expected = ParseResult.decodeUnknownEither(schema)(input)
  const actual = decodeUnknownEither(schema)(input)
  assert.strictEqual(actual._tag, expected._tag)
  if (Either.isRight(actual) && Either.isRight(expected)) {
    assert.deepStrictEqual(actual.right, expected.right)
    assert.deepStrictEqual(Reflect.ownKeys(Object(actual.right)), Reflect.ownKeys(Object(expected.right)))
  }
}

describe("decoding fast", () => {
  schemas.forEach((schema, index) => {
    it.prop(`returns what Schema returns, whatever the input (schema ${index})`, [input], ([input]) => {
      same(schema, input)
    })
  })

  // Effect makes no values of a recursive schema without an annotation, nor of one with a field "__proto__".
  schemas.filter((schema) => !/children|__proto__/.test(String(schema.ast))).forEach((schema, index) => {
    it.prop(
      `decodes what Schema encoded as Schema does (schema ${index})`,
      [Arbitrary.make(Schema.encodedBoundSchema(schema))],
      ([encoded]) => {
        same(schema, encoded)
        same(schema, typeof encoded === "object" && encoded !== null ? { ...encoded, more: 1 } : encoded)
      },
      { fastCheck: { numRuns: 50 } }
    )
  })
})
