/**
 * Values of composite types as the texts of PostgreSQL: each field is held to the same as a value of its own (OWN-24).
 */
import { type Encode, onlyText, type Scalar } from "./pgText.js"

/**
 * How texts are written to a column of a composite type whose fields are written so.
 *
 * @internal
 */
export const recordOf = (fields: ReadonlyArray<Encode>, name: string): Scalar => (value) => {
  const text = onlyText(value, `a ${name} column, which takes the text of the value`)
  const found = fieldsOf(text)
  // The server says what is wrong with a text that is none, or has another number of fields.
  return found === undefined || found.length !== fields.length
    ? text
    : `(${found.map((field, index) => field === null ? "" : quote(fields[index]!(field) ?? "")).join(",")})`
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const quote = (text: string): string => `"${text.replace(/["\\]/g, "$&$&")}"`

const record = /^[ \t\n\r\v\f]*\((.*)\)[ \t\n\r\v\f]*$/s

// Sticky, so that each is tried where the one before it ended: a field is made of pieces in quotes and others.
const piece = /"((?:[^"\\]|\\.|"")*)"|((?:[^",\\()]|\\.)+)/ys

/** The fields of a text, null for those that are empty; undefined for what is no record. */
const fieldsOf = (text: string): ReadonlyArray<string | null> | undefined => {
  const inner = record.exec(text)?.[1]
  if (inner === undefined) {
    return undefined
  }
  const fields: Array<string | null> = []
  let at = 0
  for (;;) {
    let field: string | null = null
    for (piece.lastIndex = at; at < inner.length; at = piece.lastIndex) {
      const found = piece.exec(inner)
      if (found === null) {
        break
      }
      field = (field ?? "") + (found[1] === undefined ? found[2]! : found[1].replaceAll("\"\"", "\\\"")).replace(
        /\\(.)/gs,
        "$1"
      )
    }
    fields.push(field)
    if (at === inner.length) {
      return fields
    }
    if (inner[at] !== ",") {
      return undefined
    }
    at++
  }
}
