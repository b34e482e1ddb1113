/**
 * What a text of the database becomes where the Schema takes a list: an array of PostgreSQL and JSON look alike.
 */
import { assert, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { shapeOf } from "../../src/sql/readShape.js"
import { adapter, Misread } from "../../src/sql/readValue.js"

const read = (schema: Schema.Schema.Any, text: string): unknown => {
  try {
    return adapter(shapeOf(Schema.Struct({ column: schema })).columns.get("column")!)(text)
  } catch (error) {
    assert.instanceOf(error, Misread)
    return "misread"
  }
}

const Numbers = Schema.Array(Schema.Number)

it("a text of a list is an array of PostgreSQL, or JSON, or is not read (OWN-24)", () => {
  const cases: ReadonlyArray<readonly [Schema.Schema.Any, string, unknown]> = [
    [Numbers, "{1,2}", [1, 2]],
    [Numbers, "{}", []],
    [Schema.Array(Schema.NullOr(Schema.Number)), "{1,NULL}", [1, null]],
    [Schema.Array(Numbers), "{{1},{2}}", [[1], [2]]],
    [Numbers, "[1,2]", [1, 2]],
    // An object, of which the Schema says then that it is no list.
    [Numbers, "{\"a\":1}", { a: 1 }],
    [Numbers, "{\"a\":{\"b\":[1]}}", { a: { b: [1] } }],
    [Schema.Union(Numbers, Schema.Struct({ a: Schema.Number })), "{\"a\":1}", { a: 1 }],
    [Schema.Array(Schema.Struct({ a: Schema.Number })), "[{\"a\":1}]", [{ a: 1 }]],
    [Numbers, "[2:3]={1,2}", "misread"],
    [Numbers, "{1,2", "misread"],
    [Numbers, "{\"a\"", "misread"],
    [Schema.Array(Schema.String), "{a,\"b c\"}", ["a", "b c"]]
  ]
  for (const [schema, text, expected] of cases) {
    assert.deepStrictEqual(read(schema, text), expected, text)
  }
})
