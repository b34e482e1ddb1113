/**
 * What is kept of a skipped record, and whether it can be run again as it was: as itself, or not at all.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Quarantine from "../../src/definition/quarantine.js"
import * as Sensitive from "../../src/vocabulary/Sensitive.js"

const Secret = Sensitive.make(Schema.String)

const Item = Schema.Struct({
  id: Schema.Int,
  name: Schema.NullOr(Schema.String),
  lines: Schema.Array(Schema.Struct({ text: Schema.String, at: Schema.Date })),
  total: Schema.BigInt,
  more: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.Boolean }), { exact: true })
})

const keptOf = (schema: Schema.Schema<any, any>) => Quarantine.make({ input: schema }).process

const again = (schema: Schema.Schema<any, any>, item: unknown) =>
  Option.map(keptOf(schema).stored(item), (json) => keptOf(schema).revived(JSON.parse(JSON.stringify(json))))

describe("a skipped record", () => {
  it.prop("is run again exactly as it was, dates and big numbers included", [Schema.typeSchema(Item)], ([item]) => {
    assert.deepStrictEqual(again(Item, item), Option.some(Either.right(item)))
  })

  const secrets: Readonly<Record<string, readonly [schema: Schema.Schema<any, any>, item: unknown]>> = {
    "is one itself": [Secret, "s3"],
    "has one": [Schema.Struct({ id: Schema.Number, iban: Secret }), { id: 1, iban: "s3" }],
    "has one deep inside": [
      Schema.Struct({ owner: Schema.Struct({ card: Schema.Struct({ pin: Secret }) }) }),
      { owner: { card: { pin: "s3" } } }
    ],
    "has one in a list": [Schema.Struct({ all: Schema.Array(Secret) }), { all: ["s3"] }],
    "has one behind others in a list": [Schema.Tuple(Schema.String, Schema.String, Secret), ["a", "b", "s3"]],
    "has one in a record": [Schema.Record({ key: Schema.String, value: Secret }), { a: "s3" }],
    "has one that may be missing": [Schema.Struct({ iban: Schema.optional(Secret) }), { iban: "s3" }]
  }
  for (const [name, [schema, item]] of Object.entries(secrets)) {
    it(`is not run again with a mask in the place of a secret: it ${name}`, () => {
      assert.notInclude(JSON.stringify(keptOf(schema).stored(item)), "s3")
      assert.notInclude(JSON.stringify(keptOf(schema).shown(item)), "s3")
      assert.deepStrictEqual(
        again(schema, item),
        Option.some(Either.left("it holds sensitive values, which were not stored"))
      )
    })
  }

  it("is run again if the secret that it may have is not there", () => {
    const [schema] = secrets["has one that may be missing"]!
    assert.deepStrictEqual(again(schema, {}), Option.some(Either.right({})))
  })

  it("is stored as it is where JSON holds it, and else as its schema writes it", () => {
    const storedOf = (schema: Schema.Schema<any, any>, item: unknown) => keptOf(schema).stored(item)
    assert.deepStrictEqual(storedOf(Schema.NumberFromString, 5), Option.some(5))
    assert.deepStrictEqual(storedOf(Schema.Date, new Date(0)), Option.some("1970-01-01T00:00:00.000Z"))
    // It could be taken for the text.
    assert.deepStrictEqual(storedOf(Schema.Union(Schema.Date, Schema.String), new Date(0)), Option.none())
    assert.deepStrictEqual(storedOf(Schema.Struct({ f: Schema.Any }), { f: () => 1 }), Option.none())
  })

  it("is not run again if the items have changed since, or nobody says what they are", () => {
    assert.deepStrictEqual(
      keptOf(Schema.Struct({ id: Schema.Number })).revived({ id: "1" }),
      Either.left("what is stored does not fit the schema of the items any more")
    )
    const { process, write } = Quarantine.make({})
    assert.match(Either.getOrThrow(Either.flip(process.revived({ id: 1 }))), /as "input"/)
    assert.match(Either.getOrThrow(Either.flip(write.revived({ id: 1 }))), /as "output"/)
    assert.deepStrictEqual([process.known, write.known, keptOf(Item).known], [false, false, true])
  })
})
