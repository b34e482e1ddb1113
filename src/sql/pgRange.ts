/**
 * Ranges of dates and times as the texts of PostgreSQL: each bound is held to the same as a value of its own (OWN-24).
 */
import { onlyText, quote, type Scalar } from "./pgText.js"
import { temporal } from "./pgTime.js"

/**
 * How values are written to a column of a type of ranges, if their bounds can lose something.
 *
 * @internal
 */
export const rangeOf = (name: string): Scalar | undefined => {
  const bound = bounds[name]
  return bound === undefined ?
    undefined :
    (value) =>
      onlyText(value, `a ${name} column, which takes the text of the value`).replace(
        range,
        (_, open: string, low: string, high: string, close: string) =>
          `${open}${boundOf(bound, low)},${boundOf(bound, high)}${close}`
      )
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** By name of the type, how its bounds are written where the server would drop a part of them. */
const bounds: Readonly<Record<string, Scalar>> = (() => {
  const timestamp = temporal("timestamp", -1, undefined)
  const timestamptz = temporal("timestamptz", -1, undefined)
  const date = temporal("date", 6, undefined)
  return {
    tsrange: timestamp,
    tsmultirange: timestamp,
    tstzrange: timestamptz,
    tstzmultirange: timestamptz,
    daterange: date,
    datemultirange: date
  }
})()

// Bounds as they may be written: in quotes, in which a backslash or another quote takes the meaning from the next character.
const range = /([[(])\s*("(?:[^"\\]|\\.|"")*"|[^"\\,[\](){}]*),\s*("(?:[^"\\]|\\.|"")*"|[^"\\,[\](){}]*)([\])])/gs

const boundOf = (bound: Scalar, written: string): string => {
  const text = written.startsWith("\"")
    ? written.slice(1, -1).replace(/\\(.)|""/gs, (_, char: string | undefined) => char ?? "\"")
    : written.trim()
  return text === "" ? written : quote(bound(text))
}
