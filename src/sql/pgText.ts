/**
 * JavaScript values as elements of a PostgreSQL array literal, in the text each type reads.
 */
import { json, Unfit } from "./tableWrite.js"

/**
 * What decides how a value is written: `json` takes any value, `local` is a date or time without zone, which the
 * `pg` driver reads and writes in local time, `instant` a time with zone.
 *
 * @internal
 */
export type Kind = "json" | "local" | "instant" | "plain"

/** @internal */
export const element = (kind: Kind) => (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return quote(value)
    case "number":
      if (kind === "json" && !Number.isFinite(value)) {
        throw new Unfit(`${value} is not a JSON number`)
      }
      return String(value)
    case "bigint":
    case "boolean":
      return String(value)
    case "undefined":
      return "NULL"
    case "object":
      return value === null ? "NULL" : quote(objectText(kind, value))
    default:
      throw new Unfit(`a ${typeof value} is not a value of a column`)
  }
}

/**
 * A value of an array column, itself as text: `unnest` would take the elements of a nested array apart.
 *
 * @internal
 */
export const arrayElement = (kind: Kind) => (value: unknown): string => {
  if (value === null || value === undefined) {
    return "NULL"
  }
  if (Array.isArray(value)) {
    return quote(literal(value.map(nested(kind))))
  }
  if (typeof value === "string") {
    return quote(value)
  }
  throw new Unfit("the column is an array and the value is not")
}

/** @internal */
export const literal = (elements: ReadonlyArray<string>): string => `{${elements.join(",")}}`

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const nested = (kind: Kind) => (value: unknown): string =>
  Array.isArray(value) && kind !== "json" ? literal(value.map(nested(kind))) : element(kind)(value)

const special = /["\\]/

const quote = (text: string): string => special.test(text) ? `"${text.replace(/["\\]/g, "\\$&")}"` : `"${text}"`

const objectText = (kind: Kind, value: object): string => {
  if (kind === "json") {
    return json(value)
  }
  if (value instanceof Date) {
    return dateText(kind, value)
  }
  return ArrayBuffer.isView(value)
    ? `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex")}`
    : json(value)
}

const dateText = (kind: Kind, date: Date): string => {
  if (Number.isNaN(date.getTime())) {
    throw new Unfit("the date is not valid")
  }
  switch (kind) {
    case "local":
      return stamp(
        date.getFullYear(),
        [date.getMonth() + 1, date.getDate()],
        [date.getHours(), date.getMinutes(), date.getSeconds()],
        date.getMilliseconds(),
        ""
      )
    case "instant":
      return stamp(
        date.getUTCFullYear(),
        [date.getUTCMonth() + 1, date.getUTCDate()],
        [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()],
        date.getUTCMilliseconds(),
        "+00"
      )
    default:
      return date.toISOString()
  }
}

// PostgreSQL has no year 0 and no negative ones: the year before 1 is 1 BC.
const stamp = (
  year: number,
  monthAndDay: ReadonlyArray<number>,
  time: ReadonlyArray<number>,
  millis: number,
  zone: string
): string => {
  const [era, shown] = year > 0 ? ["", year] : [" BC", 1 - year]
  const day = [padded(shown, 4), ...monthAndDay.map((part) => padded(part, 2))].join("-")
  return `${day} ${time.map((part) => padded(part, 2)).join(":")}.${padded(millis, 3)}${zone}${era}`
}

const padded = (value: number, width: number): string => String(value).padStart(width, "0")
