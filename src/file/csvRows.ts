/**
 * Cuts text into CSV rows (RFC 4180), row by row and without looking at a character more often than needed:
 * a line without a quote is split, only the others are walked through.
 */
import { Buffer } from "node:buffer"

/** @internal */
export interface Dialect {
  readonly delimiter: string
  /** Empty when the format has no quoting. */
  readonly quote: string
  /** Empty when there are no comments. */
  readonly comment: string
  readonly skipEmptyLines: boolean
  /** Spaces and tabs around unquoted fields and around quotes do not count. */
  readonly trim: boolean
}

/** @internal */
export type Scan = "row" | "broken" | "more"

/**
 * A cursor over text. `next` moves behind one row and says what it found; the row is then in `fields`.
 *
 * A row with broken quoting ends at its first line break, so that a quote that is opened by mistake cannot
 * swallow the rows behind it.
 *
 * @internal
 */
export class RowScanner {
  index = 0
  line = 1
  fields: Array<string> = []
  /** Where the last row starts, and the physical line of that place. */
  rowStart = 0
  rowLine = 1
  problem = ""
  private text = ""
  private final = true
  private readonly quotes = new Finder()
  private readonly delimiters = new Finder()

  constructor(private readonly dialect: Dialect, private readonly maxRowLength: number) {}

  load(text: string, final: boolean, index: number, line: number): void {
    if (text !== this.text) {
      this.text = text
      this.quotes.load(text, this.dialect.quote)
      this.delimiters.load(text, this.dialect.delimiter)
    }
    this.final = final
    this.index = index
    this.line = line
  }

  /** The text of the last row, without its line break. */
  get rowText(): string {
    return withoutBreak(this.text.slice(this.rowStart, this.index))
  }

  /** `more`: what is left is no complete row, or nothing; the cursor has not moved beyond skipped lines. */
  next(): Scan {
    const { comment, delimiter, trim } = this.dialect
    for (;;) {
      const text = this.text
      const stop = this.endOfLine(this.index)
      if (this.index >= text.length || stop < 0) {
        return "more"
      }
      const end = stop > this.index && text.charCodeAt(stop - 1) === CR ? stop - 1 : stop
      if (this.skips(end, comment)) {
        this.index = Math.min(stop + 1, text.length)
        this.line += 1
        continue
      }
      this.rowStart = this.index
      this.rowLine = this.line
      if (this.quotes.at(this.index) < end) {
        return this.quotedRow(stop)
      }
      this.fields = text.slice(this.index, end).split(delimiter)
      if (trim) {
        trimAll(this.fields)
      }
      this.index = Math.min(stop + 1, text.length)
      this.line += 1
      return "row"
    }
  }

  private skips(end: number, comment: string): boolean {
    const { index, text } = this
    return (comment !== "" && text.startsWith(comment, index)) ||
      (this.dialect.skipEmptyLines && (end === index || (this.dialect.trim && this.isBlankLine(end))))
  }

  /** A tab or a space that delimits fields makes a row, if one of empty fields. */
  private isBlankLine(end: number): boolean {
    const line = this.text.slice(this.index, end)
    return blank.test(line) && !line.includes(this.dialect.delimiter)
  }

  private quotedRow(firstStop: number): Scan {
    const { delimiter, quote, trim } = this.dialect
    const text = this.text
    const fields: Array<string> = []
    let at = this.index
    for (;;) {
      const start = trim ? this.skipBlank(at) : at
      if (!text.startsWith(quote, start)) {
        const next = this.delimiters.at(at)
        const stop = this.endOfLine(at)
        if (next < (stop < 0 ? text.length : stop)) {
          fields.push(trim ? trimOne(text.slice(at, next)) : text.slice(at, next))
          at = next + delimiter.length
          continue
        }
        const last = withoutBreak(text.slice(at, stop < 0 ? text.length : stop + 1))
        fields.push(trim ? trimOne(last) : last)
        return stop < 0 ? this.incomplete(firstStop) : this.finish(fields, stop + 1)
      }
      const close = closingQuote(text, quote, start + quote.length)
      if (close < 0) {
        return this.incomplete(firstStop)
      }
      const value = text.slice(start + quote.length, close)
      fields.push(value.includes(quote) ? value.replaceAll(quote + quote, quote) : value)
      const after = trim ? this.skipBlank(close + quote.length) : close + quote.length
      if (text.startsWith(delimiter, after)) {
        at = after + delimiter.length
        continue
      }
      const end = this.lineBreakAt(after)
      return end < 0 ? this.broken(firstStop, "text follows a closing quote") : this.finish(fields, end)
    }
  }

  private incomplete(firstStop: number): Scan {
    if (this.final) {
      return this.broken(firstStop, "a quote is opened but never closed")
    }
    return this.text.length - this.rowStart > this.maxRowLength
      ? this.broken(firstStop, `a quote is opened but not closed within ${this.maxRowLength} characters`)
      : "more"
  }

  private broken(firstStop: number, problem: string): Scan {
    this.index = Math.min(firstStop + 1, this.text.length)
    this.line = this.rowLine + 1
    this.fields = []
    this.problem = problem
    return "broken"
  }

  private finish(fields: Array<string>, end: number): Scan {
    this.index = Math.min(end, this.text.length)
    this.fields = fields
    this.line = this.rowLine + Math.max(1, countBreaks(this.text, this.rowStart, end))
    return "row"
  }

  private endOfLine(from: number): number {
    const stop = this.text.indexOf("\n", from)
    return stop < 0 && this.final ? this.text.length : stop
  }

  /** The index behind a line break or the end of the text at `at`, or -1. */
  private lineBreakAt(at: number): number {
    const { text } = this
    const stop = text.charCodeAt(at) === CR ? at + 1 : at
    return stop >= text.length || text.charCodeAt(stop) === LF ? stop + 1 : -1
  }

  private skipBlank(from: number): number {
    let at = from
    while ((this.text[at] === " " || this.text[at] === "\t") && !this.text.startsWith(this.dialect.delimiter, at)) {
      at++
    }
    return at
  }
}

/**
 * The same dialect over text with one character per UTF-8 byte.
 *
 * @internal
 */
export const toBytes = (dialect: Dialect): Dialect => ({
  ...dialect,
  delimiter: latin1(dialect.delimiter),
  quote: latin1(dialect.quote),
  comment: latin1(dialect.comment)
})

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const CR = 13

const LF = 10

const blank = /^[ \t]*$/

/** Remembers where the next occurrence is, so that a rare character is not searched for again and again. */
class Finder {
  private text = ""
  private wanted = ""
  private from = 0
  private found = -1

  load(text: string, wanted: string): void {
    this.text = text
    this.wanted = wanted
    this.from = 0
    this.found = -1
  }

  /** The index of the next occurrence at or behind `index`; infinite when there is none. */
  at(index: number): number {
    if (index < this.from || index > this.found) {
      const found = this.wanted === "" ? -1 : this.text.indexOf(this.wanted, index)
      this.from = index
      this.found = found < 0 ? Infinity : found
    }
    return this.found
  }
}

const closingQuote = (text: string, quote: string, from: number): number => {
  let at = text.indexOf(quote, from)
  while (at >= 0 && text.startsWith(quote, at + quote.length)) {
    at = text.indexOf(quote, at + 2 * quote.length)
  }
  return at
}

const countBreaks = (text: string, from: number, to: number): number => {
  let count = 0
  for (let at = text.indexOf("\n", from); at >= 0 && at < to; at = text.indexOf("\n", at + 1)) {
    count++
  }
  return count
}

const withoutBreak = (text: string): string => {
  const end = text.endsWith("\n") ? text.length - 1 : text.length
  return text.slice(0, text.charCodeAt(end - 1) === CR ? end - 1 : end)
}

/** Only spaces and tabs: `String.trim` would also cut bytes of damaged text. */
const trimOne = (field: string): string => {
  let start = 0
  let end = field.length
  while (start < end && isBlank(field.charCodeAt(start))) {
    start++
  }
  while (end > start && isBlank(field.charCodeAt(end - 1))) {
    end--
  }
  return field.slice(start, end)
}

const trimAll = (fields: Array<string>): void => {
  for (let i = 0; i < fields.length; i++) {
    fields[i] = trimOne(fields[i]!)
  }
}

const isBlank = (code: number): boolean => code === 32 || code === 9

const latin1 = (text: string): string => Buffer.from(text, "utf8").toString("latin1")
