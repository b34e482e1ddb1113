/**
 * Dates, times and intervals as the texts of PostgreSQL: what a column would drop of them without a word is refused.
 */
import * as Decimal from "./decimal.js"
import { onlyText, type Scalar } from "./pgText.js"
import { isoOf, refuse } from "./unfit.js"

/**
 * Dates and times. A `Date` is an instant, and in a column without zone its time in UTC, wherever the process runs.
 *
 * @internal
 */
export const temporal = (
  name: string,
  modifier: number,
  fromDate: ((date: Date) => string) | undefined
): Scalar => {
  const precision = modifier < 0 ? 6 : modifier
  const dropped = lost[name]
  const complete = inUtc[name]
  return (value) => {
    // As nearly all of them are, and nothing of it could be lost.
    if (name === "timestamptz" && typeof value === "string" && instant.test(value)) {
      return value
    }
    if (value instanceof Date && fromDate !== undefined) {
      isoOf(value)
      return fraction(fromDate(value), precision)
    }
    const found = onlyText(value, `a ${name} column`)
    if (moving.test(found)) {
      return refuse("the text names a moment that depends on when it is read")
    }
    const problem = dropped === undefined ? undefined : dropped(found)
    return problem === undefined
      ? fraction(complete === undefined ? found : complete(found), precision)
      : refuse(problem)
  }
}

/**
 * What is finer than the fields of the column, `interval year to month` say, is dropped by the server.
 *
 * @internal
 */
export const interval = (modifier: number): Scalar => {
  const precision = modifier < 0 || (modifier & 0xffff) === 0xffff ? 6 : modifier & 0xffff
  const fields = modifier < 0 ? RANGE : (modifier >> 16) & RANGE
  const finest = fields === RANGE ? 0 : FINEST_FIRST.findIndex(({ bit }) => (fields & (1 << bit)) !== 0)
  return (value) => {
    const found = onlyText(value, "an interval column")
    const digits = /\.(\d+)/.exec(found)?.[1]?.replace(/0+$/, "")
    return digits !== undefined && digits.length > precision
      ? refuse(`it has ${digits.length} digits behind the point and the column keeps ${precision}`)
      : fields !== RANGE && Decimal.canonical(found) !== undefined
      ? refuse("it is a number without a unit")
      : finest > 0 && !span.test(found)
      ? refuse("it does not tell what the column would drop of it; give it such as 1 year 2 mons 3 days 04:05:06")
      : finest > 0 && finestIn(found) < finest
      ? refuse("it has fields that the column does not keep")
      : found
  }
}

/** @internal */
export const dayOf = (date: Date): string => {
  return date.getTime() % 86_400_000 === 0 ? day(date).join("") : refuse(
    "the time of day would be dropped: a date column takes a Date at midnight in UTC, or a text such as 2024-02-29"
  )
}

/** @internal */
export const stamp = (date: Date, zone: string): string => {
  const [shown, era] = day(date)
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(":")
  return `${shown} ${time}.${String(date.getUTCMilliseconds()).padStart(3, "0")}${zone}${era}`
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const RANGE = 0x7fff

const moving = /\b(?:now|today|tomorrow|yesterday|allballs)\b/i

/** To the second, with its zone. */
const instant = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:Z|[+-]\d\d(?::\d\d)?)$/

const isoLike = /^\s*\d{4,}-\d\d-\d\d(?:[T ]+(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)\s*(Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?)?/i

const offset = /^(?:Z|[+-]00(?::?00)?)$/i

const known =
  /\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?|am|pm|ad|bc|utc|gmt|infinity|epoch)\b/gi

/** The zone that a text of any form names: its offset, or `named` for words that are none of a date. */
const zoneOf = (text: string): string | undefined => {
  const iso = isoLike.exec(text)
  if (iso !== null && iso[0].length === text.length) {
    return iso[2]
  }
  const rest = text.replace(/(?<=\d)\s*[tz](?![a-z])/gi, " ").replace(known, "")
  return /[a-z]/i.test(rest)
    ? "named"
    : /(?::\d\d(?:\.\d+)?|T\d{4,6}(?:\.\d+)?)\s*([+-]\d\d(?::?\d\d)*)/i.exec(text)?.[1] ??
      (/\d\s*z\s*(?:bc|ad)?\s*$|\b(?:utc|gmt)\b/i.test(text) ? "Z" : undefined)
}

const timeOfDay = /T[0-5]*[1-9]\d*|\d:\d/i

/** What a column of the type would drop without a word. */
const lost: Readonly<Record<string, (text: string) => string | undefined>> = {
  date: (text) => {
    const zone = zoneOf(text)
    const isMidnight = !timeOfDay.test(text) || /(?:^|[ T])(?:00:00(?::00(?:\.0+)?)?)(?![\d:.])/i.test(text)
    return !isMidnight
      ? "the time of day would be dropped; a date column takes midnight in UTC or a day such as 2024-02-29"
      : zone !== undefined && !offset.test(zone)
      ? "the offset would be dropped; give the day alone, such as 2024-02-29"
      : undefined
  },
  timestamp: (text) => {
    const zone = zoneOf(text)
    return zone !== undefined && !offset.test(zone)
      ? "the offset would be dropped; give the time in UTC, or use a timestamptz column"
      : undefined
  },
  timestamptz: (text) =>
    zoneOf(text) === undefined && !naive.test(text) && !/infinity|epoch/i.test(text)
      ? "the text has no zone, and would be read in that of the session; give the time in UTC, such as 2024-02-29T12:34:56Z"
      : undefined,
  time: (text) =>
    !text.includes(":")
      ? "it is not a time such as 12:34:56"
      : isoLike.test(text)
      ? "the day would be dropped; give the time alone"
      : zoneOf(text) !== undefined
      ? "the offset would be dropped; give the time alone, or use a timetz column"
      : undefined,
  timetz: (text) =>
    !text.includes(":")
      ? "it is not a time such as 12:34:56+00"
      : isoLike.test(text)
      ? "the day would be dropped; give the time alone"
      : zoneOf(text) === undefined && !plainTime.test(text)
      ? "the text has no zone, and would be read in that of the session; give one, such as 12:34:56+00"
      : undefined
}

const plainTime = /^\d\d:\d\d(?::\d\d(?:\.\d+)?)?$/

/** A text without zone is one in UTC, as a `Date` would be, whatever zone the session has. */
const inUtc: Readonly<Record<string, (text: string) => string>> = {
  timestamptz: (text) =>
    text.replace(
      naive,
      (_, day: string, time: string | undefined, era = "") => `${day} ${time ?? "00:00:00"}+00${era}`
    ),
  timetz: (text) => plainTime.test(text) ? `${text}+00` : text
}

const naive = /^\s*(\d{4,}-\d\d-\d\d)(?:[T ]+(\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?( BC| AD)?\s*$/i

const fraction = (text: string, precision: number): string => {
  const digits = /:\d\d\.(\d+)/.exec(text)?.[1]?.replace(/0+$/, "")
  return digits !== undefined && digits.length > precision
    ? refuse(`it has ${digits.length} digits of a second and the column keeps ${precision}`)
    : text
}

/** The fields of intervals, with the bits that PostgreSQL gives them. A column keeps what is coarser than its fields, too. */
const FINEST_FIRST = [
  { unit: "sec", bit: 12 },
  { unit: "min", bit: 11 },
  { unit: "hour", bit: 10 },
  { unit: "day", bit: 3 },
  { unit: "mon", bit: 1 },
  { unit: "year", bit: 2 }
]

const span = new RegExp(
  "^\\s*(?:@\\s+)?(?:[+-]?\\d+\\s+(?:years?|mon(?:th)?s?|weeks?|days?|hours?|min(?:ute)?s?|sec(?:ond)?s?)\\s*)*" +
    "(?:[+-]?\\d+:\\d\\d(?::\\d\\d(?:\\.\\d+)?)?)?(?:\\s+ago)?\\s*$",
  "i"
)

/** The place of the finest field of a span that is not 0. */
const finestIn = (text: string): number => {
  const named = [...text.matchAll(/(\d+)\s+(year|mon|week|day|hour|min|sec)/gi)].filter(([, count]) =>
    Number(count) !== 0
  )
    .map(([, , unit]) => FINEST_FIRST.findIndex((field) => field.unit === unit!.toLowerCase().replace("week", "day")))
  const [, hours, minutes, seconds] = /(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?/.exec(text) ?? []
  const clock = [seconds, minutes, hours].flatMap((part, at) => Number(part ?? 0) === 0 ? [] : [at])
  return Math.min(FINEST_FIRST.length, ...named, ...clock)
}

// PostgreSQL has no year 0 and no negative ones: the year before 1 is 1 BC.
const day = (date: Date): readonly [day: string, era: string] => {
  const year = date.getUTCFullYear()
  const shown = String(year > 0 ? year : 1 - year).padStart(4, "0")
  return [`${shown}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`, year > 0 ? "" : " BC"]
}

const two = (value: number): string => String(value).padStart(2, "0")
