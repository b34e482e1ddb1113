/**
 * Texts of PostgreSQL as elements of an array literal and as fields of COPY, and array literals taken apart.
 */

/**
 * What a value is in the text of its type: null for NULL, and the text otherwise.
 *
 * @internal
 */
export type Encode = (value: unknown) => string | null

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
export const elementsOf = (text: string): Elements | undefined => {
  const [found, end] = text.charCodeAt(0) === 123 && !boxes.test(text) ? elementsFrom(text, 1) : [undefined, 0]
  return end === text.length ? found : undefined
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const special = /["\\]/

const breaks = /[\\\t\n\r]/

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" }

// Sticky, so that each is tried where the one before it ended.
const quoted = /"((?:[^"\\]|\\.)*)"/ys
const bare = /[^",{}\\]+/y

// Boxes are the only elements that stand unquoted with commas in them; their delimiter is another one.
const boxes = /^\{+\([^()"]*,[^()"]*\),\([^()"]*\)[;}]/

const elementsFrom = (text: string, start: number): readonly [found: Elements | undefined, end: number] => {
  const found: Array<string | null | Elements> = []
  let at = start
  while (text[at] !== "}") {
    if (found.length > 0) {
      if (text[at] !== ",") {
        return [undefined, at]
      }
      at++
    }
    if (text[at] === "{") {
      const [inner, end] = elementsFrom(text, at + 1)
      if (inner === undefined) {
        return [undefined, at]
      }
      found.push(inner)
      at = end
      continue
    }
    const pattern = text[at] === "\"" ? quoted : bare
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match === null) {
      return [undefined, at]
    }
    found.push(
      match[1] !== undefined ? match[1].replace(/\\(.)/gs, "$1") : match[0] === "NULL" ? null : match[0]
    )
    at = pattern.lastIndex
  }
  return [found, at + 1]
}
