/**
 * Where a step goes on, in words. The stored position also holds checksums and the state of the file, which tell nobody
 * anything.
 */
import { canonical, isRecord, type Json } from "../base/json.js"

/**
 * The line and byte of a file where the position says so, and otherwise the position as it is stored, cut to a line.
 *
 * @internal
 */
export const placeText = (position: Json): string => {
  const reader = isRecord(position) ? position["reader"] : undefined
  const { line, offset } = reader !== undefined && isRecord(reader) ? reader : {}
  if (typeof line === "number" && typeof offset === "number") {
    return `line ${line}, byte ${offset}`
  }
  const text = canonical(position)
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}…`
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const LONGEST = 160
