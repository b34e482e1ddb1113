/**
 * Values as cells, and cells as a line: quoted or escaped so that they are read back as they are.
 */
import * as Redacted from "effect/Redacted"
import * as csvDialect from "./csvDialect.js"
import type { Options } from "./CsvItemWriter.js"

/** Text, or NULL. */
export type Cell = string | null

/** Which cell cannot be written, or none of them where the index is -1. */
export interface Unwritten {
  readonly index: number
  readonly problem: string
}

/** @internal */
export interface Cells {
  /** What a value is in a cell, or why it has no place in one. */
  readonly cell: (value: unknown) => Cell | { readonly problem: string }
  /** A row with its line ending. */
  readonly row: (cells: ReadonlyArray<Cell>) => string | Unwritten
  /** The values of these columns as a row, with its line ending. */
  readonly line: (
    record: { readonly [column: string]: unknown },
    columns: ReadonlyArray<string>
  ) => string | Unwritten
}

/** @internal */
export const cellsOf = (options: Options): Cells => {
  const format = cellFormat(options)
  const { delimiter, nullText } = csvDialect.dialect(options)
  const end = (options.trailingDelimiter === true ? delimiter : "") + (options.lineEnding ?? "\n")
  const none = nullText === undefined ? "" : null
  // Every item goes through this: it makes no array of its cells.
  const lineOf: Cells["line"] = (record, columns) => {
    const only = columns.length === 1
    let line = ""
    for (let i = 0; i < columns.length; i++) {
      const value = record[columns[i]!]
      const cell = typeof value === "string" ? value : toCell(value, none)
      if (typeof cell === "object" && cell !== null) {
        return { index: i, problem: `column "${columns[i]}" holds ${cell.problem}` }
      }
      const text = format(cell, i === 0, only)
      if (text === undefined) {
        return { index: i, problem: notWritten(cell, i) }
      }
      line = i === 0 ? text : line + delimiter + text
    }
    return line + end
  }
  return {
    cell: (value) => toCell(value, none),
    row: (cells) => {
      const texts: Array<string> = []
      for (let i = 0; i < cells.length; i++) {
        const text = format(cells[i]!, i === 0, cells.length === 1)
        if (text === undefined) {
          return { index: i, problem: notWritten(cells[i]!, i) }
        }
        texts.push(text)
      }
      try {
        return texts.join(delimiter) + end
      } catch (error) {
        return tooLong(error)
      }
    },
    line: (record, columns) => {
      try {
        return lineOf(record, columns)
      } catch (error) {
        return tooLong(error)
      }
    }
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const tooLong = (error: unknown): Unwritten => {
  if (error instanceof RangeError) {
    return { index: -1, problem: "as a row it is longer than a text in JavaScript can be (512 MiB)" }
  }
  throw error
}

const notWritten = (cell: Cell, index: number): string =>
  `${cell === null ? "a NULL" : "the text"} in column ${
    index + 1
  } would be read back as something else: the format has ` +
  "no quotes or escapes for it"

/** The text of a cell. */
const toCell = (value: unknown, none: Cell): Cell | { readonly problem: string } => {
  switch (typeof value) {
    case "string":
      return value
    case "number":
      return Object.is(value, -0) ? "-0" : String(value)
    case "boolean":
    case "bigint":
      return String(value)
    case "undefined":
      return none
    default:
      return value === null
        ? none
        : value instanceof Date && !Number.isNaN(value.getTime())
        ? value.toISOString()
        : { problem: Redacted.isRedacted(value) ? `a Redacted${unfit}` : `a value${unfit}` }
  }
}

const unfit = " that is no text, number, boolean or date; encode it by a schema"

type CellFormat = (cell: Cell, first: boolean, only: boolean) => string | undefined

const cellFormat = (options: Options): CellFormat => {
  const dialect = csvDialect.dialect(options)
  const { comment, delimiter, nullText, quote } = dialect
  const escape = dialect.escape === undefined || dialect.escape === quote ? "" : dialect.escape
  // Any character of the delimiter needs quotes: next to a longer delimiter it could be taken for a part of it.
  const chars = `[\\0\\r\\n\\uFEFF${inClass(quote + escape + delimiter)}]`
  const safe = options.escapeFormulas === true
    ? (text: string) => formula.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text
    : undefined
  const quoteIt = quoter(quote, escape)
  const all = options.quoting === "all"
  const needsQuotes = quotesNeeded(new RegExp(chars))
  const plain = plainly(chars, escape, options.trim === true)
  return (cell, first, only) => {
    if (cell === null) {
      return only && nullText === "" ? undefined : nullText
    }
    const text = safe === undefined ? cell : safe(cell)
    const ambiguous = text === nullText || (only && text === "") ||
      (first && comment !== "" && text.startsWith(comment))
    return quote === ""
      ? plain(text, ambiguous)
      : ambiguous || all || needsQuotes(text)
      ? quoteIt(text)
      : text
  }
}

/** Whether a text holds what means something, or has a blank at an end. */
const quotesNeeded = (special: RegExp): (text: string) => boolean => {
  const means = Uint8Array.from({ length: 128 }, (_, code) => special.test(String.fromCharCode(code)) ? 1 : 0)
  return (text) => {
    const { length } = text
    if (isBlank(text.charCodeAt(0)) || isBlank(text.charCodeAt(length - 1))) {
      return true
    }
    // To begin a pattern costs more than to look at a few characters.
    if (length > few) {
      return special.test(text)
    }
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code > 127) {
        return special.test(text)
      }
      if (means[code] === 1) {
        return true
      }
    }
    return false
  }
}

const few = 32

const formula = /^[=+\-@\t\r]/

const isBlank = (code: number): boolean => code === 32 || code === 9

/** A blank at the beginning or the end. */
const edge = "^[ \\t]|[ \\t]$"

/** Inside of a character class of a regular expression. */
const inClass = (chars: string): string => chars.replace(/[\]\\^-]/g, "\\$&")

const quoter = (quote: string, escape: string): (text: string) => string => {
  if (escape === "") {
    return (text) => quote + text.replaceAll(quote, quote + quote) + quote
  }
  const meant = new RegExp(`[${inClass(quote + escape)}]`, "gu")
  return (text) => quote + text.replace(meant, (char) => escape + char) + quote
}

/** Without quotes, by escapes alone; `undefined` where that is not enough. */
const plainly = (chars: string, escape: string, trim: boolean) => {
  const special = new RegExp(trim ? `${chars}|${edge}` : chars)
  const meant = new RegExp(`${chars}|${edge}`, "g")
  return (text: string, ambiguous: boolean): string | undefined => {
    if (escape === "" || text === "") {
      return ambiguous || special.test(text) ? undefined : text
    }
    const escaped = text.replace(meant, (char) => escape + char)
    return ambiguous && !escaped.startsWith(escape) ? escape + escaped : escaped
  }
}
