import { assert, describe, it } from "@effect/vitest"
import { parse } from "csv-parse/sync"
import * as FastCheck from "effect/FastCheck"
import { type Dialect, type Field, RowScanner } from "../../src/file/csvRows.js"

const dialect: Dialect = { delimiter: ",", quote: "\"", comment: "", skipEmptyLines: true, trim: false }

const scan = (text: string, options: Partial<Dialect> = {}) => {
  const scanner = new RowScanner({ ...dialect, ...options }, 1_000_000)
  scanner.load(text, true, 0, 1)
  const rows: Array<{ line: number; fields?: ReadonlyArray<Field>; problem?: string; text: string }> = []
  for (let found = scanner.next(); found !== "more"; found = scanner.next()) {
    const { fields, problem, rowLine: line, rowText } = scanner
    rows.push(found === "row" ? { line, fields, text: rowText } : { line, problem, text: rowText })
  }
  assert.strictEqual(scanner.index, text.length)
  return rows
}

const fieldsOf = (text: string, options?: Partial<Dialect>) => scan(text, options).map((row) => row.fields)

const cell = FastCheck.stringOf(
  FastCheck.constantFrom("a", "é", "😀", " ", ",", ";", "\"", "\n", "\r", "\r\n", "\t", "#", "0"),
  { maxLength: 6 }
)

const table = FastCheck.integer({ min: 1, max: 4 }).chain((width) =>
  FastCheck.array(FastCheck.array(cell, { minLength: width, maxLength: width }), { maxLength: 6 })
)

const encode = (field: string, always: boolean) =>
  always || field === "" || /[",;\r\n]/.test(field) ? `"${field.replaceAll("\"", "\"\"")}"` : field

describe("csvRows", () => {
  it.prop("reads what csv-parse reads", [table, FastCheck.boolean(), FastCheck.boolean(), FastCheck.boolean()], (
    [rows, always, crlf, last]
  ) => {
    const lines = rows.map((row) => row.map((field) => encode(field, always)).join(","))
    const eol = crlf ? "\r\n" : "\n"
    const text = lines.join(eol) + (last ? eol : "")
    assert.deepStrictEqual(fieldsOf(text), rows)
    assert.deepStrictEqual(fieldsOf(text), parse(text, { record_delimiter: eol, skip_empty_lines: true }))
  })

  it.prop("reads what csv-parse reads, unquoted and with empty fields", [
    FastCheck.array(FastCheck.stringOf(FastCheck.constantFrom("a", "b", ",", " ", "\n", ";"), { maxLength: 12 }))
  ], ([lines]) => {
    const text = lines.join("\n")
    assert.deepStrictEqual(
      fieldsOf(text),
      parse(text, { record_delimiter: "\n", skip_empty_lines: true, relax_column_count: true })
    )
  })

  it.prop("moves forward and loses nothing, whatever the text", [
    FastCheck.stringOf(FastCheck.constantFrom("a", ",", "\"", "\n", "\r", " ", "#"), { maxLength: 40 }),
    FastCheck.boolean()
  ], ([text, trim]) => {
    const rows = scan(text, { trim, skipEmptyLines: false })
    const lines = rows.map((row) => row.line)
    assert.deepStrictEqual(lines, [...lines].sort((a, b) => a - b))
    assert.strictEqual(
      rows.map((row) => row.text).join("\n").replaceAll("\r", ""),
      text.replace(/\n$/, "").replaceAll("\r", "")
    )
  })

  it.prop("asks for more until the row is complete, and then returns the same row", [
    table.filter((rows) => rows.length > 0),
    FastCheck.nat()
  ], ([rows, cut]) => {
    const text = rows.map((row) => row.map((field) => encode(field, true)).join(",")).join("\n") + "\n"
    const scanner = new RowScanner(dialect, 1_000_000)
    const seen: Array<ReadonlyArray<Field>> = []
    scanner.load(text.slice(0, text.lastIndexOf("\n", cut % text.length) + 1), false, 0, 1)
    while (scanner.next() === "row") {
      seen.push(scanner.fields)
    }
    scanner.load(text, true, scanner.index, scanner.line)
    while (scanner.next() === "row") {
      seen.push(scanner.fields)
    }
    assert.deepStrictEqual(seen, rows)
  })

  it("counts physical lines, also inside of quotes and over comments and empty lines", () => {
    const text = "# note\n\na,\"1\n2\n3\"\nb,4\n#end\n\nc,5"
    assert.deepStrictEqual(scan(text, { comment: "#" }).map((row) => row.line), [3, 6, 9])
  })

  it("ends a row with broken quoting at its first line break", () => {
    assert.deepStrictEqual(scan("a,\"b\nc,d\ne,\"f\"\n"), [
      { line: 1, problem: "text follows a closing quote", text: "a,\"b" },
      { line: 2, fields: ["c", "d"], text: "c,d" },
      { line: 3, fields: ["e", "f"], text: "e,\"f\"" }
    ])
    assert.deepStrictEqual(scan("a,\"b\nc,d\n"), [
      { line: 1, problem: "a quote is opened but never closed", text: "a,\"b" },
      { line: 2, fields: ["c", "d"], text: "c,d" }
    ])
  })

  it("does not look for a closing quote beyond the longest row allowed", () => {
    const scanner = new RowScanner(dialect, 10)
    scanner.load("a,\"b\n" + "c,d\n".repeat(5), false, 0, 1)
    assert.strictEqual(scanner.next(), "broken")
    assert.strictEqual(scanner.problem, "a quote is opened but not closed within 10 characters")
    assert.strictEqual(scanner.next(), "row")
    assert.deepStrictEqual(scanner.fields, ["c", "d"])
  })

  it("takes other delimiters and quotes, and formats without quotes", () => {
    assert.deepStrictEqual(fieldsOf("a||'b||''c'''||d", { delimiter: "||", quote: "'" }), [["a", "b||'c'", "d"]])
    assert.deepStrictEqual(fieldsOf("a\t\"b\n", { delimiter: "\t", quote: "" }), [["a", "\"b"]])
    assert.deepStrictEqual(fieldsOf("5\" pipe,6\"\n"), [["5\" pipe", "6\""]])
  })

  it("trims around fields and quotes, not inside of quotes", () => {
    assert.deepStrictEqual(fieldsOf(" a , \" b \" ,\tc\t\n  \n", { trim: true }), [["a", " b ", "c"]])
    assert.deepStrictEqual(fieldsOf(" a \t\" b \"\t \n", { trim: true, delimiter: "\t" }), [["a", " b ", ""]])
  })

  it("does not take a row of empty fields for an empty line, even if blanks delimit them", () => {
    assert.deepStrictEqual(fieldsOf("\t\n \n\n", { trim: true, delimiter: "\t" }), [["", ""]])
  })

  it("keeps empty lines when told to", () => {
    assert.deepStrictEqual(fieldsOf("a\n\nb\n", { skipEmptyLines: false }), [["a"], [""], ["b"]])
  })
})
