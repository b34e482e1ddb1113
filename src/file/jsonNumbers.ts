/**
 * Numbers in JSON text that a JavaScript number cannot hold: `JSON.parse` rounds them, or makes them infinite (OWN-24).
 */
import { endOfString } from "../base/jsonNames.js"

/**
 * A number in a text.
 *
 * @internal
 */
export interface Literal {
  readonly text: string
  readonly index: number
}

/**
 * Whether the text may hold such a number: it has a long row of digits or a long exponent somewhere, if only in a string.
 *
 * @internal
 */
export const suspicious = (text: string): boolean => /\d[\d.]{15}|\d[eE][+-]?\d{3}/.test(text)

/**
 * The numbers of JSON text that would not be read as they are.
 *
 * @internal
 */
export const inexact = (text: string): ReadonlyArray<Literal> => {
  const found: Array<Literal> = []
  let from = 0
  while (from < text.length) {
    const quote = text.indexOf("\"", from)
    const end = quote < 0 ? text.length : quote
    for (const match of text.slice(from, end).matchAll(/-?\d[\d.eE+-]*/g)) {
      if (!isExact(match[0])) {
        found.push({ text: match[0], index: from + match.index })
      }
    }
    from = quote < 0 ? end : endOfString(text, quote)
  }
  return found
}

/**
 * The text with these numbers as strings.
 *
 * @internal
 */
export const quoteAll = (text: string, literals: ReadonlyArray<Literal>): string => {
  const pieces: Array<string> = []
  let from = 0
  for (const literal of literals) {
    pieces.push(text.slice(from, literal.index), `"${literal.text}"`)
    from = literal.index + literal.text.length
  }
  return pieces.join("") + text.slice(from)
}

/**
 * Whether a number is read as it is written, or as close as its digits tell: what other programs write for a binary
 * number has more digits than it needs.
 *
 * @internal
 */
export const isExact = (literal: string): boolean => {
  const value = Number(literal)
  const written = significant(literal)
  if (written === undefined || Number.isNaN(value)) {
    // Not JSON, which the parser says in its own words.
    return true
  }
  if (!Number.isFinite(value)) {
    return false
  }
  if (value === 0 || written.digits === "") {
    return value === 0 && written.digits === ""
  }
  return same(significant(String(value)), written) ||
    (written.digits.length <= 100 && same(significant(value.toPrecision(written.digits.length)), written))
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** A number as its digits, without zeros at the ends, and the power of ten of the first one. */
interface Significant {
  readonly digits: string
  readonly exponent: number
}

const significant = (literal: string): Significant | undefined => {
  const found = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(literal)
  if (found === null) {
    return undefined
  }
  const [, whole, fraction = "", exponent = "0"] = found
  const all = whole! + fraction
  const zeros = /^0*/.exec(all)![0].length
  const digits = all.slice(zeros).replace(/0+$/, "")
  return { digits, exponent: digits === "" ? 0 : Number(exponent) + whole!.length - zeros }
}

const same = (self: Significant | undefined, that: Significant): boolean =>
  self !== undefined && self.digits === that.digits && self.exponent === that.exponent
