/**
 * CSV as written: columns, quoting (RFC 4180) and what has no place in a cell.
 */
import * as Either from "effect/Either"
import type * as Schema from "effect/Schema"
import type { Buffer } from "node:buffer"
import type { Json } from "../base/json.js"
import { quoted } from "../base/text.js"
import { expected } from "./csvColumns.js"
import type { Options } from "./CsvItemWriter.js"
import { RowScanner } from "./csvRows.js"
import { ItemEncodeError } from "./FileError.js"
import type { Format } from "./fileSink.js"
import * as records from "./records.js"
import { wellFormed, withBreak } from "./text.js"

/** @internal */
export const make = <A>(
  path: string,
  options: Options & { readonly schema?: Schema.Schema<A, any> | undefined }
): Format<A> => {
  const known = options.schema && expected(options.schema)
  const columns = options.columns ?? (known && [...known.required, ...known.optional])
  const optional = new Set(known?.optional)
  const line = lineWriter(options)
  const encoder = records.encoder(options.schema, isObject, "it is not a record of columns")
  const footer = options.footer
  return {
    memo: columns ?? null,
    lines: true,
    begin: (memo) => (options.header ?? true) && isColumns(memo) ? line(memo) : "",
    encode: (memo, items, before) =>
      encodeAll({ path, encoder, line, optional }, isColumns(memo) ? memo : undefined, items, before),
    end: (_memo, summary) => footer === undefined ? "" : withBreak(footer(summary), options.lineEnding ?? "\n"),
    adopt: (options.header ?? true) ? (head) => adoptHeader(head, options, columns) : undefined
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Columns = ReadonlyArray<string>

type Line = (cells: ReadonlyArray<string>) => string

const isColumns = (memo: Json): memo is Columns => Array.isArray(memo)

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

interface Setting {
  readonly path: string
  readonly encoder: records.Encoder<object>
  readonly line: Line
  readonly optional: ReadonlySet<string>
}

const encodeAll = (
  { encoder, line, optional, path }: Setting,
  columns: Columns | undefined,
  items: ReadonlyArray<unknown>,
  before: number
): Either.Either<readonly [string, Json], ItemEncodeError> => {
  const fail = (index: number, problem: string) =>
    Either.left(new ItemEncodeError({ path, item: before + index + 1, problem }))
  const lines: Array<string> = []
  let names = columns
  for (let i = 0; i < items.length; i++) {
    const encoded = encoder(items[i])
    if (Either.isLeft(encoded)) {
      return fail(i, encoded.left)
    }
    const record = encoded.right as { readonly [column: string]: unknown }
    names ??= Object.keys(record)
    const mismatch = compareKeys(record, names, optional)
    if (mismatch !== undefined) {
      return fail(i, mismatch)
    }
    const cells: Array<string> = []
    for (let c = 0; c < names.length; c++) {
      const cell = toCell(record[names[c]!])
      if (cell === undefined) {
        return fail(
          i,
          `column "${names[c]}" holds a value that is no text, number, boolean or date; encode it by a schema`
        )
      }
      cells.push(cell)
    }
    lines.push(line(cells))
  }
  const text = lines.join("")
  return wellFormed(text)
    ? Either.right([text, names ?? null])
    : fail(lines.findIndex((each) => !wellFormed(each)), "it holds half of a surrogate pair, which UTF-8 cannot hold")
}

/** Nothing is dropped silently: an item with other keys than the columns is an error. */
const compareKeys = (record: object, columns: Columns, optional: ReadonlySet<string>): string | undefined => {
  const keys = Object.keys(record)
  let present = 0
  for (let c = 0; c < columns.length; c++) {
    present += Object.hasOwn(record, columns[c]!) ? 1 : 0
  }
  if (present === columns.length && keys.length === present) {
    return undefined
  }
  const unexpected = keys.filter((key) => !columns.includes(key))
  const missing = columns.filter((name) => !Object.hasOwn(record, name) && !optional.has(name))
  const problems = [
    ...(missing.length === 0 ? [] : [`it lacks ${quoted(missing)}`]),
    ...(unexpected.length === 0 ? [] : [`the file has no column for ${quoted(unexpected)}`])
  ]
  return problems.length === 0 ? undefined : problems.join("; ")
}

/** The text of a cell; `undefined` if the value has none. */
const toCell = (value: unknown): string | undefined => {
  switch (typeof value) {
    case "string":
      return value
    case "number":
    case "boolean":
    case "bigint":
      return String(value)
    case "undefined":
      return ""
    default:
      return value === null
        ? ""
        : value instanceof Date && !Number.isNaN(value.getTime())
        ? value.toISOString()
        : undefined
  }
}

const lineWriter = (options: Options): Line => {
  const delimiter = options.delimiter ?? ","
  const end = options.lineEnding ?? "\n"
  // Any character of the delimiter needs quotes: next to a longer delimiter it could be taken for a part of it.
  const special = new RegExp(`["\\r\\n\\uFEFF${delimiter.replace(/[\]\\^-]/g, "\\$&")}]|^[ \\t]|[ \\t]$`)
  const formula = /^[=+\-@\t\r]/
  const safe = options.escapeFormulas === true
    ? (text: string) => formula.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text
    : (text: string) => text
  return (cells) => {
    const only = cells.length === 1
    let line = ""
    for (let i = 0; i < cells.length; i++) {
      const text = safe(cells[i]!)
      const cell = special.test(text) || (only && text === "") ? `"${text.replaceAll("\"", "\"\"")}"` : text
      line = i === 0 ? cell : line + delimiter + cell
    }
    return line + end
  }
}

const adoptHeader = (head: Buffer, options: Options, columns: Columns | undefined): Either.Either<Json, string> => {
  const dialect = { delimiter: options.delimiter ?? ",", quote: "\"", comment: "", skipEmptyLines: true, trim: false }
  const scanner = new RowScanner(dialect, head.length)
  scanner.load(head.toString("utf8").replace(/^\uFEFF/, ""), true, 0, 1)
  if (scanner.next() !== "row") {
    return Either.left("its header cannot be read")
  }
  const found = scanner.fields
  return columns === undefined || (columns.length === found.length && columns.every((name, i) => name === found[i]))
    ? Either.right(found)
    : Either.left(`its columns are ${quoted(found)}, those of the items ${quoted(columns)}`)
}
