/**
 * Texts of PostgreSQL as elements of an array literal and as fields of COPY, and array literals taken apart.
 */
import { notFor, refuse, wellFormed } from "./unfit.js"

/**
 * What a value is in the text of its type: null for NULL, and the text otherwise.
 *
 * @internal
 */
export type Encode = (value: unknown) => string | null

/**
 * The text of a value that is neither null nor undefined.
 *
 * @internal
 */
export type Scalar = (value: NonNullable<unknown>) => string

/**
 * The text, if PostgreSQL has all of its characters.
 *
 * @internal
 */
export const checked = (value: string): string =>
  value.includes("\0")
    ? refuse("the text holds the character U+0000, which PostgreSQL cannot store")
    : wellFormed(value)

/** @internal */
export const onlyText = (value: unknown, column: string): string => {
  if (typeof value !== "string") {
    throw notFor(value, column)
  }
  return checked(value)
}

/**
 * A value as an element of an array literal.
 *
 * @internal
 */
export const element = (encode: Encode) => (value: unknown): string => {
  const text = encode(value)
  return text === null ? "NULL" : typeof value === "number" || typeof value === "bigint" ? text : quote(text)
}

/** @internal */
export const literal = (elements: ReadonlyArray<string>): string => `{${elements.join(",")}}`

/** @internal */
export const quote = (text: string): string => special.test(text) ? `"${text.replace(/["\\]/g, "\\$&")}"` : `"${text}"`

/**
 * The text of an element as `element` made it, without its quotes; null for NULL.
 *
 * @internal
 */
export const unquote = (element: string): string | null =>
  element.charCodeAt(0) !== 34 ? element === "NULL" ? null : element : element.slice(1, -1).replace(/\\(.)/gs, "$1")

/**
 * A value as a field of the text format of COPY.
 *
 * @internal
 */
export const field = (encode: Encode) => (value: unknown): string => {
  const text = encode(value)
  return text === null ? "\\N" : breaks.test(text) ? text.replace(/[\\\t\n\r]/g, (found) => escapes[found]!) : text
}

/** An array as it stands in a literal: texts, NULLs, and arrays of them. */
export type Elements = ReadonlyArray<string | null | Elements>

/**
 * Takes an array literal apart, or gives undefined for what is not one or has bounds of its own, which an array of
 * JavaScript does not have.
 *
 * @internal
 */
export const elementsOf = (text: string, delimiter = ","): Elements | undefined => {
  const start = skipBlank(text, 0)
  const foreign = delimiter === "," && boxes.test(text)
  const [found, end] = text[start] === "{" && !foreign ? elementsFrom(text, start + 1, delimiter) : [undefined, 0]
  return found !== undefined && skipBlank(text, end) === text.length ? found : undefined
}

/**
 * Bounds of its own that an array literal begins with, such as `[0:2]=`, and what follows them.
 *
 * @internal
 */
export const boundsOf = (text: string): readonly [bounds: string, rest: string] => {
  const bounds = /^[ \t\n\r\v\f]*(?:\[[+-]?\d+(?::[+-]?\d+)?\])+[ \t\n\r\v\f]*=/.exec(text)?.[0] ?? ""
  return [bounds, text.slice(bounds.length)]
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const special = /["\\]/

const breaks = /[\\\t\n\r]/

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" }

// Sticky, so that each is tried where the one before it ended.
const quoted = /"((?:[^"\\]|\\.)*)"/ys
const bares: Record<string, RegExp> = {}
// Blanks of ASCII: PostgreSQL knows no others.
const blank = /[ \t\n\r\v\f]*/y

const bareUpTo = (delimiter: string): RegExp =>
  bares[delimiter] ??= new RegExp(`(?:[^"{}\\\\${/[\]^\\-]/.test(delimiter) ? "\\" : ""}${delimiter}]|\\\\.)+`, "ys")

// Boxes are the only elements that come with the server and stand unquoted with commas in them.
const boxes = /^\{+\([^()"]*,[^()"]*\),\([^()"]*\)[;}]/

const skipBlank = (text: string, from: number): number => {
  blank.lastIndex = from
  blank.exec(text)
  return blank.lastIndex
}

const unescaped = (text: string): string => text.replace(/\\(.)/gs, "$1")

/** Blanks around a bare element do not count. */
const bareValue = (text: string): string | null => {
  const found = text.replace(/^[ \t\n\r\v\f]+/, "").replace(/(?<!\\)[ \t\n\r\v\f]+$/, "")
  return found.toUpperCase() === "NULL" ? null : unescaped(found)
}

const elementsFrom = (
  text: string,
  start: number,
  delimiter: string
): readonly [found: Elements | undefined, end: number] => {
  const found: Array<string | null | Elements> = []
  const bare = bareUpTo(delimiter)
  let at = skipBlank(text, start)
  while (text[at] !== "}") {
    if (found.length > 0) {
      if (text[at] !== delimiter) {
        return [undefined, at]
      }
      at = skipBlank(text, at + 1)
    }
    if (text[at] === "{") {
      const [inner, end] = elementsFrom(text, at + 1, delimiter)
      if (inner === undefined) {
        return [undefined, at]
      }
      found.push(inner)
      at = skipBlank(text, end)
      continue
    }
    const pattern = text[at] === "\"" ? quoted : bare
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match === null) {
      return [undefined, at]
    }
    found.push(match[1] !== undefined ? unescaped(match[1]) : bareValue(match[0]))
    at = skipBlank(text, pattern.lastIndex)
  }
  return [found, at + 1]
}
