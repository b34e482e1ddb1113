/**
 * The pure parts of the command line.
 */
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Format from "../../src/cli/format.js"
import { table, UNLIMITED } from "../../src/cli/layout.js"
import * as Flags from "../../src/cli/parameterFlags.js"
import { liveLines } from "../../src/cli/progress.js"
import { CsvError } from "../../src/file/FileError.js"
import { JobParameters } from "../../src/index.js"
import * as Inputs from "../../src/view/inputs.js"

class Params extends JobParameters.Tag<Params>()("Params", {
  businessDate: Schema.Date,
  count: Schema.NumberFromString,
  limit: Schema.optional(Schema.Int),
  level: Schema.Literal(1, 2),
  mixed: Schema.Literal("a", null),
  tags: Schema.Array(Schema.String),
  json: Schema.String,
  secret: JobParameters.nonIdentifying(Schema.Redacted(Schema.String))
}) {}

const flags = Flags.flags(Params, ["json"])
const flagOf = (parameter: string) => flags.find((flag) => flag.parameter === parameter)!

describe("the flags of a job's parameters", () => {
  it("have names that are easy to type, the kinds of the stored form, and show which are required", () => {
    assert.deepStrictEqual(flags.map(({ isRequired, kind, name }) => [name, kind._tag, isRequired]), [
      ["business-date", "Text", true],
      ["count", "Text", true],
      ["limit", "Number", false],
      ["level", "Choice", true],
      ["mixed", "Json", true],
      ["tags", "Json", true],
      ["param-json", "Text", true],
      ["secret", "Text", true]
    ])
    assert.deepStrictEqual(
      ["businessDate", "count", "secret"].map((name) => (flagOf(name).kind as { hint: string }).hint),
      ["date", "number", "secret"]
    )
  })

  it("text becomes the stored form, or stays text for the Schema to refuse", () => {
    const parse = (parameter: string, text: string) => Inputs.parse(flagOf(parameter).kind, text)
    assert.deepStrictEqual(
      [parse("limit", "7"), parse("limit", "x"), parse("level", "2"), parse("level", "3"), parse("tags", "[\"a\"]")],
      [7, "x", 2, "3", ["a"]]
    )
    assert.deepStrictEqual([parse("tags", "[a"), parse("count", "5"), parse("limit", " ")], ["[a", "5", " "])
  })

  it.prop("any string survives a text flag", { text: FastCheck.string() }, ({ text }) => {
    assert.strictEqual(Inputs.parse({ _tag: "Text", hint: "text" }, text), text)
  })
})

describe("what people read", () => {
  it("tables align numbers to the right", () => {
    assert.strictEqual(table(["N", "NAME"], [["1", "a"], ["10", "b"]]), " N  NAME\n 1  a\n10  b")
  })

  it("skipped records do not ask to be skipped", () => {
    const row = new CsvError({ path: "in.csv", line: 3, raw: "3,x", problem: "amount: Expected number" })
    const text = Format.skipped([{
      stepName: "load",
      phase: "read",
      position: Option.none(),
      errorTag: "CsvError",
      message: row.message,
      item: Option.none(),
      createTime: DateTime.unsafeMake(0)
    }], UNLIMITED)
    assert.include(text, "amount: Expected number. The row: 3,x")
    assert.notInclude(text, "skip \"CsvError\"")
  })

  it("a live line that is too long becomes two", () => {
    const samples = [0, 50].map((done, i) => ({ atMillis: i * 1000, items: done, progress: { done, total: 200 } }))
    assert.deepStrictEqual(
      liveLines({ stepName: "load", samples }, "50 read", 44),
      ["  load  ██████░░░░░░░░░░░░░░░░░░ 25 %", "    50 read, 50/s, 3.0 s left"]
    )
  })

  it("durations are short", () => {
    assert.deepStrictEqual([400, 65_000, 3_720_000].map(Format.duration), ["0.4 s", "1 min 5 s", "1 h 2 min"])
  })

  it("the live line says how far, how fast and how long", () => {
    const samples = [0, 50].map((done, i) => ({ atMillis: i * 1000, items: done, progress: { done, total: 200 } }))
    assert.deepStrictEqual(
      liveLines({ stepName: "load", samples }, "50 read", 80),
      ["  load  ██████░░░░░░░░░░░░░░░░░░ 25 %  50 read, 50/s, 3.0 s left"]
    )
    assert.deepStrictEqual(liveLines({ stepName: "load", samples: [] }, "0 read", 80), ["  load  0 read"])
  })
})
