/**
 * JavaScript values as SQLite stores them in a column: exactly, or not at all.
 *
 * A column of SQLite has no type but an affinity, a wish that is applied to what it gets: a text that looks like a number
 * becomes one, a number in a text column becomes text of 15 digits. What that would change is refused here or put
 * into the form that stays.
 */
import * as Decimal from "./decimal.js"
import { bytesOf, isoOf, jsonText, notFor, refuse, Unfit, wellFormed } from "./unfit.js"

/** @internal */
export type Affinity = "integer" | "real" | "numeric" | "text" | "none"

/**
 * The affinity that SQLite gives to a declared type (https://www.sqlite.org/datatype3.html, 3.1). In a STRICT table ANY keeps
 * everything as it is.
 *
 * @internal
 */
export const affinityOf = (declared: string, strict: boolean): Affinity => {
  const type = declared.toUpperCase()
  if (type.includes("INT")) {
    return "integer"
  }
  if (/CHAR|CLOB|TEXT/.test(type)) {
    return "text"
  }
  if (type === "" || type.includes("BLOB") || (strict && type === "ANY")) {
    return "none"
  }
  return /REAL|FLOA|DOUB/.test(type) ? "real" : "numeric"
}

/**
 * How values are bound for a column.
 *
 * @internal
 */
export const encoder = (declared: string, strict: boolean): (value: unknown) => unknown => {
  const affinity = affinityOf(declared, strict)
  const isNumber = numbers.test(declared)
  return (value) => {
    switch (typeof value) {
      case "string":
        return textIn(affinity, isNumber, wellFormed(value))
      case "number":
        return numberIn(affinity, value)
      case "bigint":
        return bigintIn(affinity, value)
      case "boolean":
        if (affinity === "text" || affinity === "real") {
          throw notFor(value, `a ${declared.toLowerCase()} column`)
        }
        return value ? 1n : 0n
      case "undefined":
        return null
      case "object":
        return value === null ? null : objectIn(affinity, value)
      default:
        throw notFor(value, "a column")
    }
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

// What people call a column of numbers. Any other name, STRING or DATE say, has numeric affinity by accident.
const numbers = /^\s*(?:\w*INT\w*|REAL|FLOAT|DOUBLE|NUMERIC|DECIMAL|NUMBER|MONEY|BOOL\w*)/i

const isFree = (affinity: Affinity): boolean => affinity === "text" || affinity === "none"

const textIn = (affinity: Affinity, isNumber: boolean, text: string): unknown => {
  if (isFree(affinity) || Decimal.canonical(text) === undefined) {
    return text
  }
  if (!isNumber) {
    return refuse("the column has numeric affinity, so the text would become a number; declare the column as TEXT")
  }
  const digits = /^\s*([+-]?\d+)\s*$/.exec(text)?.[1]
  if (digits !== undefined && affinity !== "real") {
    return within64Bits(BigInt(digits)) ? BigInt(digits) : refuse("the number has more than 64 bits")
  }
  const value = Number(text)
  return Number.isFinite(value) && Decimal.isDouble(text)
    ? value
    : refuse("the number has more digits than the column keeps; declare the column as TEXT")
}

// The driver binds every number as REAL. Columns that keep what they get would hold 5.0, or the text "5.0".
const numberIn = (affinity: Affinity, value: number): unknown => {
  if (Number.isNaN(value)) {
    throw new Unfit("SQLite stores NaN as NULL")
  }
  if (affinity === "text") {
    return Number.isFinite(value) ? String(value) : refuse(`${value} is no value of a text column`)
  }
  return affinity === "none" && Number.isSafeInteger(value) ? BigInt(value) : value
}

const bigintIn = (affinity: Affinity, value: bigint): unknown => {
  if (affinity === "text") {
    return String(value)
  }
  if (!within64Bits(value)) {
    return refuse("the number has more than 64 bits")
  }
  return affinity === "real" && BigInt(Number(value)) !== value
    ? refuse("the number has more digits than a real column keeps")
    : value
}

const within64Bits = (value: bigint): boolean => BigInt.asIntN(64, value) === value

const objectIn = (affinity: Affinity, value: object): unknown => {
  const bytes = bytesOf(value)
  if (bytes !== undefined) {
    return bytes
  }
  if (affinity === "integer" || affinity === "real") {
    throw notFor(value, "a column of numbers")
  }
  return value instanceof Date ? isoOf(value) : jsonText(value)
}
