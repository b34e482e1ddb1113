/**
 * CSV as written: columns, quoting and what has no place in a cell.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Buffer } from "node:buffer"
import type { Json } from "../base/json.js"
import { lostMember } from "../base/lostMembers.js"
import { quoted } from "../base/text.js"
import { type Cell, type Cells, cellsOf } from "./csvCells.js"
import { compare, expected, unlikeSchema } from "./csvColumns.js"
import * as csvDialect from "./csvDialect.js"
import type { Options } from "./CsvItemWriter.js"
import { type Field, RowScanner } from "./csvRows.js"
import * as csvTrailer from "./csvTrailer.js"
import * as encodings from "./encodings.js"
import { ItemEncodeError } from "./FileError.js"
import type { Format } from "./fileSink.js"
import { flags, footers, oneOf, refuse } from "./options.js"
import * as recognise from "./recognise.js"
import * as records from "./records.js"
import { withBreak } from "./text.js"

/** @internal */
export const make = <A>(
  path: string,
  options: Options & { readonly schema?: Schema.Schema<A, any> | undefined }
): Format<A> => {
  refuse(`CsvItemWriter(${path})`, [
    ...csvDialect.misshapen(options),
    ...flags(options, ["escapeFormulas"]),
    ...footers(options)
  ])
  const known = options.schema && expected(options.schema)
  const columns = options.columns ?? (known && [...known.required, ...known.optional])
  const { encoding = "utf-8", footer, lineEnding = "\n", trailer } = options
  const mismatch = options.columns && compare(options.columns, known, true)
  refuse(`CsvItemWriter(${path})`, [
    ...csvDialect.defects(options, columns),
    ...defects(options),
    ...unlikeSchema(mismatch?.missing ?? [], mismatch?.unexpected ?? [])
  ])
  const cells = cellsOf(options)
  const setting: Setting = {
    path,
    encoder: records.encoder(options.schema, isRecord, "it is not a record of columns"),
    cells,
    encoding,
    optional: new Set(known?.optional),
    trailer,
    summed: csvTrailer.summed(trailer ?? []),
    headerNames: options.headerNames ?? {}
  }
  refuse(`CsvItemWriter(${path})`, aboutRows(setting, options, columns))
  return {
    memo: memoOf(columns, trailer && csvTrailer.none(trailer)),
    lineEnding,
    begin: (memo) => beginning(options, setting, columnsOf(memo)),
    encode: (memo, items, before) => encodeAll(setting, columnsOf(memo), totalsOf(memo), items, before),
    end: (memo, summary) =>
      (trailer === undefined
        ? ""
        : lineOf(cells, csvTrailer.cells(trailer, totalsOf(memo) ?? csvTrailer.none(trailer)))) +
      (footer === undefined ? "" : withBreak(footer(summary), lineEnding)),
    adopt: (options.header ?? true) ? (head) => adoptHeader(head, options, setting, columns) : undefined
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Columns = ReadonlyArray<string>

interface Setting {
  readonly path: string
  readonly encoder: records.Encoder<object>
  readonly cells: Cells
  readonly encoding: encodings.Encoding
  readonly optional: ReadonlySet<string>
  readonly trailer: Options["trailer"]
  readonly summed: ReadonlyArray<string>
  readonly headerNames: { readonly [column: string]: string }
}

const defects = (options: Options): ReadonlyArray<string> => [
  ...oneOf("quoting", options.quoting, ["needed", "all"]),
  ...oneOf("ifExists", options.ifExists, ["overwrite", "fail", "append"]),
  ...(options.quote === false && options.quoting === "all" ? ["`quoting: \"all\"` needs a `quote`"] : []),
  ...(options.ifExists === "append" && options.trailer !== undefined
    ? ["rows cannot be appended behind a `trailer`: choose `overwrite` or `fail`"]
    : []),
  ...(options.footer !== undefined && options.trailer !== undefined && options.comment === undefined
    ? ["`footer` stands behind the `trailer`, which has to come last: make it a comment, and set `comment`"]
    : [])
]

const Totals = Schema.Struct({ rows: Schema.NonNegativeInt, sums: Schema.Array(Schema.String) })

const WithTotals = Schema.Struct({ columns: Schema.NullOr(Schema.Array(Schema.String)), totals: Totals })

const isColumns = (memo: Json): memo is Columns => Array.isArray(memo)

const isWithTotals = Schema.is(WithTotals)

/** The columns as they are; with a trailer, also what it will say. */
const memoOf = (columns: Columns | undefined, totals: csvTrailer.Totals | undefined): Json =>
  totals === undefined ? columns ?? null : { columns: columns ?? null, totals: { ...totals } }

const columnsOf = (memo: Json): Columns | undefined =>
  isColumns(memo) ? memo : isWithTotals(memo) ? memo.columns ?? undefined : undefined

const totalsOf = (memo: Json): csvTrailer.Totals | undefined => isWithTotals(memo) ? memo.totals : undefined

/** What has members of its own. A `Map` or a `Redacted` is an object, too, though one that shows none of what it holds. */
const isRecord = (value: unknown): value is object =>
  typeof value === "object" && value !== null &&
  (Object.getPrototypeOf(value) === Object.prototype || Object.prototype.toString.call(value) === "[object Object]")

/** A row of texts that were found to fit. */
const lineOf = (cells: Cells, texts: ReadonlyArray<string>): string => {
  const line = cells.row(texts)
  return typeof line === "string" ? line : ""
}

/** A column may be called like a member that every object has. */
const headerOf = (headerNames: Setting["headerNames"]) => (column: string): string =>
  Object.hasOwn(headerNames, column) ? headerNames[column]! : column

/** Why the names of columns cannot be the header. */
const aboutNames = ({ cells, encoding, headerNames }: Setting, columns: Columns): string | undefined => {
  const names = columns.map(headerOf(headerNames))
  const line = cells.row(names)
  const wrong = typeof line === "string" ? encodings.misfit(line, encoding) : undefined
  return columns.length === 0
    ? "it has no members that could be columns"
    : new Set(names).size < names.length
    ? "`headerNames` gives two columns one name"
    : typeof line !== "string"
    ? `its names make no header: ${line.problem}`
    : csvDialect.separatorIn(line.replace(/[\r\n]+$/, "")) !== undefined
    ? "its names make a header that tells a spreadsheet the delimiter"
    : recognise.noTable(line) !== undefined
    ? "its names make a header that is not taken for one of CSV"
    : wrong && `a name holds ${wrong}, which ${encodings.labels[encoding]} cannot hold`
}

/** What is wrong with the rows that are known before there is an item. */
const aboutRows = (setting: Setting, options: Options, columns: Columns | undefined): ReadonlyArray<string> => {
  const named = columns && columns.length > 0 && (options.header ?? true) ? aboutNames(setting, columns) : undefined
  const trailer = setting.cells.row((options.trailer ?? []).map((field) => typeof field === "string" ? field : "0"))
  return [
    ...(named === undefined ? [] : [`\`columns\`: ${named}`]),
    ...(typeof trailer === "string" ? [] : [`\`trailer\`: ${trailer.problem}`])
  ]
}

const beginning = (options: Options, { cells, headerNames }: Setting, columns: Columns | undefined): string => {
  const lineEnding = options.lineEnding ?? "\n"
  const before = (options.preamble ?? []).map((line) => line + lineEnding).join("")
  return (options.header ?? true) && columns !== undefined
    ? before + lineOf(cells, columns.map(headerOf(headerNames)))
    : before
}

/** Texts of rows, as long as makes it cheap to look at one at once, and to put them together. */
const blockLength = 1024 * 1024

const encodeAll = (
  setting: Setting,
  columns: Columns | undefined,
  before: csvTrailer.Totals | undefined,
  items: ReadonlyArray<unknown>,
  count: number
): Either.Either<readonly [ReadonlyArray<string>, Json], ItemEncodeError> => {
  const { encoder, encoding, path } = setting
  const blocks: Array<string> = []
  let block = ""
  let begin = 0
  let names = columns
  let totals = setting.trailer && (before ?? csvTrailer.none(setting.trailer))
  /** An item in front is told first, if the encoding cannot hold what it has. */
  const fail = (index: number, { key, problem }: records.Explanation) => {
    const early = unheldIn(setting, names, items, begin, index)
    const { item, key: column, problem: told } = early ?? { item: index, key, problem }
    return Either.left(new ItemEncodeError({ path, item: count + item + 1, column, problem: told }))
  }
  for (let i = 0; i < items.length; i++) {
    const encoded = encoder(items[i])
    if (Either.isLeft(encoded)) {
      return fail(i, encoded.left)
    }
    const record = encoded.right as Record<string, unknown>
    const problem = names === undefined ? aboutNames(setting, Object.keys(record)) : undefined
    if (problem !== undefined) {
      return fail(i, { problem, key: undefined })
    }
    names ??= Object.keys(record)
    const line = encodeItem(setting, names, record)
    if (typeof line !== "string") {
      return fail(i, line)
    }
    const added = totals === undefined ? undefined : addUp(setting, totals, names, record)
    if (added !== undefined && "problem" in added) {
      return fail(i, added)
    }
    totals = added
    if (block.length + line.length > blockLength && block !== "") {
      if (encodings.misfit(block, encoding) !== undefined) {
        return fail(i, noProblem)
      }
      blocks.push(block)
      block = ""
      begin = i
    }
    block += line
  }
  return encodings.misfit(block, encoding) === undefined
    ? Either.right([[...blocks, block], memoOf(names, totals)])
    : fail(items.length, noProblem)
}

const noProblem: records.Explanation = { problem: "", key: undefined }

const encodeItem = (
  { cells, optional }: Setting,
  names: Columns,
  record: { readonly [column: string]: unknown }
): string | records.Explanation => {
  const lost = lostMember(record)
  const mismatch = lost === undefined ? compareKeys(record, names, optional) : `it has ${lost}, which can be no column`
  if (mismatch !== undefined) {
    return { problem: mismatch, key: undefined }
  }
  const line = cells.line(record, names)
  return typeof line === "string" ? line : { problem: line.problem, key: names[line.index] }
}

const rowOf = ({ cells }: Setting, names: Columns, record: { readonly [column: string]: unknown }) =>
  names.map((name) => cells.cell(record[name]) as Cell)

/** The totals with one more row, which has been found to have a place in the file. */
const addUp = (
  setting: Setting,
  totals: csvTrailer.Totals,
  names: Columns,
  record: { readonly [column: string]: unknown }
): csvTrailer.Totals | records.Explanation => {
  const { summed, trailer = [] } = setting
  const row: ReadonlyArray<Field> = rowOf(setting, names, record)
  if (csvTrailer.isTrailer(trailer, row)) {
    return { problem: "as a row it would be taken for the trailer", key: undefined }
  }
  const added = csvTrailer.add(totals, summed.map((name) => row[names.indexOf(name)] ?? null))
  const key = typeof added === "number" ? summed[added]! : undefined
  return typeof added === "number"
    ? { problem: `column "${key}" is added up in the trailer and holds no decimal number`, key }
    : added
}

/** The first of some items that holds what the encoding cannot. All of them have been rows. */
const unheldIn = (
  setting: Setting,
  names: Columns | undefined,
  items: ReadonlyArray<unknown>,
  from: number,
  to: number
): (records.Explanation & { readonly item: number }) | undefined => {
  const { cells, encoder, encoding } = setting
  for (let item = from; item < to && names !== undefined; item++) {
    const record = Either.getOrThrow(encoder(items[item])) as Record<string, unknown>
    const line = cells.line(record, names)
    if (typeof line !== "string" || encodings.misfit(line, encoding) !== undefined) {
      const row = rowOf(setting, names, record)
      const index = row.findIndex((cell) => cell !== null && encodings.misfit(cell, encoding) !== undefined)
      const what = encodings.misfit(row[index] ?? "", encoding)
      return {
        item,
        problem: `it holds ${what} in column "${names[index]}", which ${encodings.labels[encoding]} cannot hold`,
        key: names[index]
      }
    }
  }
  return undefined
}

/** Nothing is dropped silently: an item with other keys than the columns is an error. */
const compareKeys = (record: object, columns: Columns, optional: ReadonlySet<string>): string | undefined => {
  const keys = Object.keys(record)
  if (sameNames(keys, columns)) {
    return undefined
  }
  let present = 0
  for (let c = 0; c < columns.length; c++) {
    present += Object.hasOwn(record, columns[c]!) ? 1 : 0
  }
  if (present === columns.length && keys.length === present) {
    return undefined
  }
  const known = new Set(columns)
  const unexpected = keys.filter((key) => !known.has(key))
  const missing = columns.filter((name) => !Object.hasOwn(record, name) && !optional.has(name))
  const problems = [
    ...(missing.length === 0 ? [] : [`it lacks ${quoted(missing)}`]),
    ...(unexpected.length === 0 ? [] : [`the file has no column for ${quoted(unexpected)}`])
  ]
  return problems.length === 0 ? undefined : problems.join("; ")
}

/** As most items have them: all columns, in their order. */
const sameNames = (keys: ReadonlyArray<string>, columns: Columns): boolean => {
  if (keys.length !== columns.length) {
    return false
  }
  for (let i = 0; i < keys.length; i++) {
    if (keys[i] !== columns[i]) {
      return false
    }
  }
  return true
}

const adoptHeader = (
  head: Buffer,
  options: Options,
  { headerNames }: Setting,
  columns: Columns | undefined
): Either.Either<Json, string> => {
  const unit = encodings.unitOf(options.encoding ?? "utf-8")
  const { text } = encodings.decode(head.subarray(0, head.length - head.length % unit), options.encoding ?? "utf-8")
  const scanner = new RowScanner(csvDialect.dialect(options), text.length)
  scanner.load(text, true, startOfHeader(text, options), 1)
  if (scanner.next() !== "row") {
    return Either.left("its header cannot be read")
  }
  const columnOf = new Map(Object.entries(headerNames).map(([column, inFile]) => [inFile, column]))
  const inFile = scanner.fields.map((field) => columnOf.get(field ?? "") ?? field ?? options.nullText ?? "")
  const found = options.trailingDelimiter === true && inFile.at(-1) === "" ? inFile.slice(0, -1) : inFile
  return columns === undefined || (columns.length === found.length && columns.every((name, i) => name === found[i]))
    ? Either.right(found)
    : Either.left(`its columns are ${quoted(found)}, those of the items ${quoted(columns)}`)
}

const startOfHeader = (text: string, options: Options): number => {
  const lineBreak = csvDialect.lineBreakOf(options)
  let at = text.startsWith(encodings.byteOrderMark) ? 1 : 0
  const stop = text.indexOf(lineBreak, at)
  const line = text.slice(at, stop).replace(/\r$/, "")
  // The reader passes over it, too.
  if (stop > 0 && line !== options.preamble?.[0] && csvDialect.separatorIn(line) === (options.delimiter ?? ",")) {
    at = stop + 1
  }
  for (let i = 0; i < (options.preamble ?? []).length; i++) {
    at = text.indexOf(lineBreak, at) + 1
  }
  return at
}
