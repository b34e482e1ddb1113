/**
 * Cuts text into CSV rows, row by row and without looking at a character more often than needed: a line without quotes
 * and escapes is split, only the others are walked through.
 */
import { Buffer } from "node:buffer"
import { Finder } from "./finder.js"

/** @internal */
export interface Dialect {
  readonly delimiter: string
  /** Empty when the format has no quoting. */
  readonly quote: string
  /** Takes the meaning from the character behind it, inside and outside of quotes; without one a quote is doubled. */
  readonly escape?: string | undefined
  /** Empty when there are no comments. */
  readonly comment: string
  /** What ends a row; before a line feed a carriage return may stand. */
  readonly lineBreak?: "\n" | "\r" | undefined
  /** The text that means NULL where it is not in quotes. */
  readonly nullText?: string | undefined
  readonly skipEmptyLines: boolean
  /** Spaces and tabs around unquoted fields and around quotes do not count. */
  readonly trim: boolean
}

/** @internal */
export type Scan = "row" | "broken" | "more"

/** @internal */
export type Field = string | null

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
  fields: Array<Field> = []
  /** Where the last row starts, and the physical line of that place. */
  rowStart = 0
  rowLine = 1
  problem = ""
  /** Whether the last row is broken by a line break of another kind. */
  foreignBreak = false
  private text = ""
  private final = true
  private readonly escape: string
  private readonly lineBreak: "\n" | "\r"
  private readonly quotes = new Finder()
  private readonly delimiters = new Finder()
  private readonly escapes = new Finder()
  private readonly breaks = new Finder()
  private readonly foreign = new Finder()
  private readonly zeros = new Finder()
  private readonly zero: string

  constructor(private readonly dialect: Dialect, private readonly maxRowLength: number) {
    this.escape = dialect.escape === dialect.quote ? "" : dialect.escape ?? ""
    this.lineBreak = dialect.lineBreak ?? "\n"
    this.zero =
      [dialect.delimiter, dialect.quote, this.escape, dialect.comment, dialect.nullText].some((text) =>
          text?.includes(ZERO) === true
        )
        ? ""
        : ZERO
  }

  load(text: string, final: boolean, index: number, line: number): void {
    if (text !== this.text) {
      this.text = text
      this.quotes.load(text, this.dialect.quote)
      this.delimiters.load(text, this.dialect.delimiter)
      this.escapes.load(text, this.escape)
      this.breaks.load(text, this.lineBreak)
      this.foreign.load(text, this.lineBreak === "\n" ? "\r" : "\n")
      this.zeros.load(text, this.zero)
    }
    this.final = final
    this.index = index
    this.line = line
  }

  /** The text of the last row, without its line break. */
  get rowText(): string {
    const text = this.text.slice(this.rowStart, this.index)
    const end = text.endsWith(this.lineBreak) ? text.length - 1 : text.length
    return text.slice(0, this.beforeReturn(text, 0, end))
  }

  /** Whether the last row begins with this text. */
  begins(text: string): boolean {
    return this.text.startsWith(text, this.rowStart)
  }

  /** `more`: what is left is no complete row, or nothing; the cursor has not moved beyond skipped lines. */
  next(): Scan {
    for (;;) {
      const text = this.text
      const stop = this.endOfLine(this.index)
      if (this.index >= text.length || stop < 0) {
        return "more"
      }
      const end = this.beforeReturn(text, this.index, stop)
      if (this.skips(end)) {
        this.index = Math.min(stop + 1, text.length)
        this.line += 1
        continue
      }
      this.rowStart = this.index
      this.rowLine = this.line
      this.foreignBreak = false
      if (this.quotes.at(this.index) < end || this.escapes.at(this.index) < end) {
        return this.walk(stop)
      }
      return this.foreign.at(this.index) < end
        ? this.brokenByBreak(stop)
        : this.zeros.at(this.index) < end
        ? this.broken(stop, zeroProblem)
        : this.split(end, stop)
    }
  }

  private split(end: number, stop: number): Scan {
    const { delimiter, nullText, trim } = this.dialect
    const fields: Array<Field> = this.text.slice(this.index, end).split(delimiter)
    if (trim || nullText !== undefined) {
      for (let i = 0; i < fields.length; i++) {
        fields[i] = this.plain(fields[i]!)
      }
    }
    this.fields = fields
    this.index = Math.min(stop + 1, this.text.length)
    this.line += 1
    return "row"
  }

  private skips(end: number): boolean {
    const { index, text } = this
    const { comment, skipEmptyLines, trim } = this.dialect
    return (comment !== "" && text.startsWith(comment, index)) ||
      (skipEmptyLines && (end === index || (trim && this.isBlankLine(end))))
  }

  /** A tab or a space that delimits fields makes a row, if one of empty fields. */
  private isBlankLine(end: number): boolean {
    const line = this.text.slice(this.index, end)
    return blank.test(line) && !line.includes(this.dialect.delimiter)
  }

  /** A row with quotes or escapes, field by field. */
  private walk(firstStop: number): Scan {
    const { delimiter, quote, trim } = this.dialect
    const { text } = this
    const fields: Array<Field> = []
    let at = this.index
    for (;;) {
      const start = trim ? this.skipBlank(at) : at
      const quoted = quote !== "" && text.startsWith(quote, start)
      const end = quoted ? this.quotedField(fields, start + quote.length) : this.unquotedField(fields, at)
      if (end === unfinished) {
        return this.incomplete(firstStop, quoted)
      }
      if (end === foreignFound) {
        return this.brokenByBreak(firstStop)
      }
      if (end === zeroFound) {
        return this.broken(firstStop, zeroProblem)
      }
      if (text.startsWith(delimiter, end)) {
        at = end + delimiter.length
        continue
      }
      const next = this.behindBreak(end)
      return next < 0
        ? this.broken(firstStop, "text follows a closing quote")
        : next - 1 > firstStop && next - this.rowStart > this.maxRowLength
        // However much of the text was there when it was looked at, so that it ends alike for every reader.
        ? this.broken(firstStop, `the row is not complete within ${this.maxRowLength} characters`)
        : this.finish(fields, next)
    }
  }

  /** Adds the field whose opening quote ends at `from`; the index behind its closing quote. */
  private quotedField(fields: Array<Field>, from: number): number {
    const { quote, trim } = this.dialect
    const close = this.escape === "" ? closingQuote(this.text, quote, from) : this.unescapedQuote(from)
    if (close < 0) {
      return unfinished
    }
    const value = this.text.slice(from, close)
    const doubled = this.escape === "" && value.includes(quote)
    fields.push(doubled ? value.replaceAll(quote + quote, quote) : unescaped(value, this.escape))
    return trim ? this.skipBlank(close + quote.length) : close + quote.length
  }

  private unescapedQuote(from: number): number {
    let at = from
    for (;;) {
      const quote = this.quotes.at(at)
      const escape = this.escapes.at(at)
      if (escape > quote) {
        return quote
      }
      at = escape + this.escape.length + 1
      if (at > this.text.length) {
        return -1
      }
    }
  }

  /** Adds the field at `from`; the index of the delimiter or line break behind it. */
  private unquotedField(fields: Array<Field>, from: number): number {
    const { text } = this
    let at = from
    for (;;) {
      const stop = this.endOfLine(at)
      const next = this.delimiters.at(at)
      const end = next < (stop < 0 ? text.length : stop)
        ? next
        : stop < 0
        ? text.length
        : this.beforeReturn(text, at, stop)
      const escape = this.escapes.at(at)
      if (this.foreign.at(at) < Math.min(end, escape)) {
        return foreignFound
      }
      if (this.zeros.at(at) < Math.min(end, escape)) {
        return zeroFound
      }
      if (escape < end) {
        at = escape + this.escape.length + 1
        if (at > text.length) {
          return unfinished
        }
        continue
      }
      if (stop < 0 && end === text.length) {
        return unfinished
      }
      fields.push(this.plain(text.slice(from, end)))
      return end
    }
  }

  /** What an unquoted piece of text stands for. */
  private plain(raw: string): Field {
    const text = this.dialect.trim ? trimBlanks(raw, this.escape) : raw
    return text === this.dialect.nullText ? null : unescaped(text, this.escape)
  }

  private incomplete(firstStop: number, quoted: boolean): Scan {
    const what = quoted ? "a quote is opened but" : "the row ends with an escape character and is"
    if (this.final) {
      return this.broken(
        firstStop,
        quoted ? `${what} never closed` : "an escape character stands at the end of the file"
      )
    }
    return this.text.length - this.rowStart > this.maxRowLength
      ? this.broken(firstStop, `${what} not closed within ${this.maxRowLength} characters`)
      : "more"
  }

  private brokenByBreak(firstStop: number): Scan {
    this.foreignBreak = true
    return this.broken(
      firstStop,
      this.lineBreak === "\n"
        ? "a CR without an LF stands outside of quotes; if rows end so, set `lineEnding` to \"\\r\""
        : "an LF stands outside of quotes; if rows end so, leave out `lineEnding`"
    )
  }

  private broken(firstStop: number, problem: string): Scan {
    this.index = Math.min(firstStop + 1, this.text.length)
    this.line = this.rowLine + 1
    this.fields = []
    this.problem = problem
    return "broken"
  }

  private finish(fields: Array<Field>, end: number): Scan {
    this.index = Math.min(end, this.text.length)
    this.fields = fields
    this.line = this.rowLine + Math.max(1, countOf(this.text, this.lineBreak, this.rowStart, end))
    return "row"
  }

  private endOfLine(from: number): number {
    const stop = this.breaks.at(from)
    return stop < Infinity ? stop : this.final ? this.text.length : -1
  }

  /** The end of a line that goes up to `stop`, without the carriage return that belongs to its line feed. */
  private beforeReturn(text: string, from: number, stop: number): number {
    return this.lineBreak === "\n" && stop > from && text.charCodeAt(stop - 1) === CR ? stop - 1 : stop
  }

  /** The index behind a line break or the end of the text at `at`, or -1. */
  private behindBreak(at: number): number {
    const { text } = this
    const stop = this.lineBreak === "\n" && text.charCodeAt(at) === CR ? at + 1 : at
    return stop >= text.length || text[stop] === this.lineBreak ? stop + 1 : -1
  }

  private skipBlank(from: number): number {
    let at = from
    while (isBlank(this.text.charCodeAt(at)) && !this.text.startsWith(this.dialect.delimiter, at)) {
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
  comment: latin1(dialect.comment),
  escape: dialect.escape && latin1(dialect.escape),
  nullText: dialect.nullText && latin1(dialect.nullText)
})

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const CR = 13

const unfinished = -1

const foreignFound = -2

const zeroFound = -3

const ZERO = "\0"

const zeroProblem =
  "a zero byte stands outside of quotes: the file is damaged, or it is UTF-16 and `encoding` says otherwise"

const blank = /^[ \t]*$/

const closingQuote = (text: string, quote: string, from: number): number => {
  let at = text.indexOf(quote, from)
  while (at >= 0 && text.startsWith(quote, at + quote.length)) {
    at = text.indexOf(quote, at + 2 * quote.length)
  }
  return at
}

const unescaped = (text: string, escape: string): string => {
  if (escape === "" || !text.includes(escape)) {
    return text
  }
  const pieces: Array<string> = []
  let from = 0
  for (let at = text.indexOf(escape); at >= 0; at = text.indexOf(escape, at + escape.length + 1)) {
    pieces.push(text.slice(from, at))
    from = at + escape.length
  }
  return pieces.join("") + text.slice(from)
}

const countOf = (text: string, char: string, from: number, to: number): number => {
  let count = 0
  for (let at = text.indexOf(char, from); at >= 0 && at < to; at = text.indexOf(char, at + 1)) {
    count++
  }
  return count
}

/** Only spaces and tabs: `String.trim` would also cut bytes of damaged text. What is escaped at the end stays. */
const trimBlanks = (field: string, escape: string): string => {
  let start = 0
  let end = field.length
  while (start < end && isBlank(field.charCodeAt(start))) {
    start++
  }
  while (end > start && isBlank(field.charCodeAt(end - 1))) {
    end--
  }
  const kept = escape !== "" && end < field.length && endsInEscape(field.slice(start, end), escape) ? end + 1 : end
  return field.slice(start, kept)
}

const endsInEscape = (text: string, escape: string): boolean => {
  let count = 0
  while (text.endsWith(escape, text.length - count * escape.length)) {
    count++
  }
  return count % 2 === 1
}

const isBlank = (code: number): boolean => code === 32 || code === 9

const latin1 = (text: string): string => Buffer.from(text, "utf8").toString("latin1")
