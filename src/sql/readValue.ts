/**
 * What a database gives, as what the Schema of a reader wants: exactly, or not at all.
 *
 * Where the Schema takes text, the value stays the text of the database, which a writer puts back unchanged. Where it takes
 * only a `Date`, a number or an object, the text becomes one if that holds all of it.
 */
import { endOfString, repeated } from "../base/jsonNames.js"
import * as Decimal from "./decimal.js"
import * as pgText from "./pgText.js"
import type { Want } from "./readShape.js"

/**
 * A value that what is wanted of it cannot hold. Thrown, and caught where the row is known.
 *
 * @internal
 */
export class Misread {
  constructor(readonly problem: string) {}
}

/**
 * The text of an array whose elements are not separated by commas.
 *
 * @internal
 */
export class ArrayText {
  constructor(readonly text: string, readonly delimiter: string) {}
}

/**
 * How the values of a column are adapted.
 *
 * @internal
 */
export const adapter = (want: Want): (value: unknown) => unknown => (value) => {
  switch (typeof value) {
    case "string":
      return want.text ? value : fromText(want, value)
    case "bigint":
      return fromBigint(want, value)
    case "number":
      return want.bigint && !want.number && Number.isSafeInteger(value) ? BigInt(value) : value
    default:
      if (value instanceof Misread) {
        throw value
      }
      return value instanceof ArrayText
        ? want.text || want.items === undefined ? value.text : elementsOf(want.items, value.text, value.delimiter)
        : value
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const fromBigint = (want: Want, value: bigint): unknown => {
  if (want.boolean && !want.number && !want.bigint && (value === 0n || value === 1n)) {
    return value === 1n
  }
  return (want.bigint && !want.number) || BigInt.asIntN(54, value) !== value ? value : Number(value)
}

const fromText = (want: Want, text: string): unknown => {
  if (want.date) {
    return dateOf(text)
  }
  if (want.boolean && truths.has(text)) {
    return truths.get(text)
  }
  if (want.bigint && /^-?\d+$/.test(text)) {
    return want.number && Decimal.isDouble(text) ? Number(text) : BigInt(text)
  }
  if (want.number && isNumber(text)) {
    return numberOf(text)
  }
  return want.items !== undefined && isArrayLiteral.test(text)
    ? elementsOf(want.items, text)
    : want.json
    ? jsonOf(text)
    : text
}

const truths: ReadonlyMap<string, boolean> = new Map([["t", true], ["true", true], ["f", false], ["false", false]])

const special = /^(?:NaN|-?Infinity)$/

const isNumber = (text: string): boolean => special.test(text) || Decimal.canonical(text) !== undefined

const numberOf = (text: string): number => {
  if (!special.test(text) && !Decimal.isDouble(text)) {
    throw new Misread("the number has more digits than a number of JavaScript; read it as text, or as a bigint")
  }
  return Number(text)
}

// -------------------------------------------------------------------------------------
// dates
// -------------------------------------------------------------------------------------

const stamp =
  /^(\d{4,})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?)?( BC)?$/

const expanded = /^[+-]\d{6}-\d\d-\d\dT[\d:.]+Z$/

/** A time without zone is one in UTC, wherever the process runs. */
const dateOf = (text: string): Date => {
  const parts = stamp.exec(text)
  const time = parts === null ? expanded.test(text) ? Date.parse(text) : Number.NaN : timeOf(parts)
  if (Number.isNaN(time)) {
    throw new Misread("the value is not one that a Date can hold; read it as text")
  }
  return new Date(time)
}

const timeOf = (
  [, year, month, day, hours = "0", minutes = "0", seconds = "0", fraction = "", zone, era]: RegExpExecArray
): number => {
  if (fraction.length > 3 && /[1-9]/.test(fraction.slice(3))) {
    throw new Misread("the time has microseconds, which a Date cannot hold; read it as text")
  }
  const date = new Date(0)
  date.setUTCFullYear(era === undefined ? Number(year) : 1 - Number(year), Number(month) - 1, Number(day))
  // A Date makes the first of March of the thirtieth of February, and an hour later of minute 60.
  const exists = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day) &&
    Number(hours) <= 23 && Number(minutes) <= 59 && Number(seconds) <= 59
  date.setUTCHours(Number(hours), Number(minutes), Number(seconds), Number(fraction.slice(0, 3).padEnd(3, "0")))
  return exists ? date.getTime() - offsetOf(zone) : Number.NaN
}

/**
 * The milliseconds that a zone such as +05:30 is ahead of UTC.
 *
 * @internal
 */
export const offsetOf = (zone: string | undefined): number => {
  if (zone === undefined || zone === "Z") {
    return 0
  }
  const [hours = 0, minutes = 0, seconds = 0] = zone.slice(1).match(/\d\d/g)?.map(Number) ?? []
  return (zone.startsWith("-") ? -1000 : 1000) * (hours * 3600 + minutes * 60 + seconds)
}

// -------------------------------------------------------------------------------------
// arrays and JSON
// -------------------------------------------------------------------------------------

const isArrayLiteral = /^(?:(?:\[-?\d+:-?\d+\])+=)?\{/

const elementsOf = (want: Want, text: string, delimiter?: string): unknown => {
  const elements = pgText.elementsOf(text, delimiter)
  if (elements === undefined) {
    if (want.json || isJson(text)) {
      return jsonOf(text)
    }
    throw new Misread("the array has bounds of its own, or is not one; read it as text")
  }
  const adapt = adapter(want)
  const part = (element: string | null | pgText.Elements): unknown =>
    element === null ? null : typeof element === "string" ? adapt(element) : element.map(part)
  return elements.map(part)
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** What is not JSON stays text, and the Schema says that it wants something else. */
const jsonOf = (text: string): unknown => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return text
  }
  if (value === null) {
    throw new Misread(
      "the value is the JSON value null, which would read like NULL; read it as text, with Schema.parseJson"
    )
  }
  if (mayRound.test(text)) {
    refuseRounding(text)
  }
  const name = repeated(text, value)
  if (name !== undefined) {
    throw new Misread(`the JSON has an object that has the name ${JSON.stringify(name)} twice; read it as text`)
  }
  return value
}

const mayRound = /[\d.]{16}|\d[eE]/

const refuseRounding = (text: string): void => {
  for (let from = 0; from < text.length;) {
    const quote = text.indexOf("\"", from)
    const end = quote < 0 ? text.length : quote
    for (const [token] of text.slice(from, end).matchAll(/-?\d[\d.eE+-]*/g)) {
      if (!Decimal.isDouble(token)) {
        throw new Misread("a number in the JSON has more digits than one of JavaScript; read it as text")
      }
    }
    from = quote < 0 ? end : endOfString(text, quote)
  }
}
