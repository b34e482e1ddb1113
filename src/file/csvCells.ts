/**
 * Values as cells, and cells as a line: quoted or escaped so that they are read back as they are.
 */
import * as Redacted from "effect/Redacted"
import * as csvDialect from "./csvDialect.js"
import type { Options } from "./CsvItemWriter.js"

/** Text, or NULL. */
export type Cell = string | null

/** @internal */
export interface Cells {
  /** What a value is in a cell, or why it has no place in one. */
  readonly cell: (value: unknown) => Cell | { readonly problem: string }
  /** A row with its line ending, or which cell cannot be written. */
  readonly row: (cells: ReadonlyArray<Cell>) => string | { readonly index: number; readonly problem: string }
}

/** @internal */
export const cellsOf = (options: Options): Cells => {
  const format = cellFormat(options)
  const { delimiter, nullText } = csvDialect.dialect(options)
  const end = (options.trailingDelimiter === true ? delimiter : "") + (options.lineEnding ?? "\n")
  return {
    cell: (value) => toCell(value, nullText === undefined ? "" : null),
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
      } catch {
        return { index: -1, problem: "as a row it is longer than a text in JavaScript can be (512 MiB)" }
      }
    }
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

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
  const chars = `[\\r\\n\\uFEFF${inClass(quote + escape + delimiter)}]`
  const special = new RegExp(chars)
  const safe = options.escapeFormulas === true
    ? (text: string) => formula.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text
    : (text: string) => text
  const quoteIt = quoter(quote, escape)
  const all = options.quoting === "all"
  const plain = plainly(chars, escape, options.trim === true)
  return (cell, first, only) => {
    if (cell === null) {
      return only && nullText === "" ? undefined : nullText
    }
    const text = safe(cell)
    const ambiguous = text === nullText || (only && text === "") ||
      (first && comment !== "" && text.startsWith(comment))
    return quote === ""
      ? plain(text, ambiguous)
      : ambiguous || all || special.test(text) || hasBlankEdge(text)
      ? quoteIt(text)
      : text
  }
}

const formula = /^[=+\-@\t\r]/

/** Faster than a pattern with anchors, which is tried at each character. */
const hasBlankEdge = (text: string): boolean => isBlank(text.charCodeAt(0)) || isBlank(text.charCodeAt(text.length - 1))

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
