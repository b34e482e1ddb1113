/**
 * JavaScript values as the text of a PostgreSQL type: exactly, or not at all.
 *
 * The server would take more than it keeps: it drops the offset of a timestamp without zone, the time of a date, digits
 * behind the scale of a number, and reads `1` as true. What would change on the way is refused here, where the item is
 * known; what the server refuses by itself is left to it.
 */
import { repeated } from "../base/jsonNames.js"
import * as Decimal from "./decimal.js"
import { rangeOf } from "./pgRange.js"
import { recordOf } from "./pgRecord.js"
import { boundsOf, checked, type Elements, elementsOf, type Encode, onlyText, quote, type Scalar } from "./pgText.js"
import { dayOf, interval, stamp, temporal } from "./pgTime.js"
import { bytesOf, isoOf, jsonText, kindOf, notFor, refuse, Unfit } from "./unfit.js"

/**
 * What the catalog says about the type of a column, domains and arrays taken off.
 *
 * @internal
 */
export interface PgType {
  /** The name of the type of the values, or of the elements of an array. */
  readonly base: string
  /** Its category, a letter: "N" for numbers, "S" for texts, "D" for dates and times. */
  readonly category: string
  /** Whether it comes with every server, so that this library knows it. */
  readonly builtin: boolean
  readonly array: boolean
  /** Length, precision or scale in the way of the type; -1 when there is none. */
  readonly modifier: number
  /** What stands between the elements of an array. */
  readonly delimiter: string
  /** The fields of a composite type, where they are known. */
  readonly fields?: ReadonlyArray<PgType>
}

/**
 * How values are written to a column of a type.
 *
 * @internal
 */
export const encoder = (type: PgType): Encode => {
  const encode = scalar(type)
  const whole = type.array ? arrayOf(encode, type) : encode
  return (value) => value === null || value === undefined ? null : whole(value)
}

/**
 * One form for all texts that are the same value of a type, if this library knows: then equal forms are equal keys and
 * others are not. Undefined where the database must be asked.
 *
 * @internal
 */
export const sameKey = (type: PgType, deterministic: boolean): (text: string) => string | undefined => {
  if (type.array || !type.builtin) {
    return type.category === "E" ? identity : () => undefined
  }
  switch (type.base) {
    case "int2":
    case "int4":
    case "int8":
    case "numeric":
      return Decimal.canonical
    case "text":
    case "varchar":
    case "name":
    case "bpchar":
      return deterministic ? type.base === "bpchar" ? (text) => text.replace(/ +$/, "") : identity : () => undefined
    case "uuid":
      return (text) => text.toLowerCase().replace(/[{}-]/g, "")
    case "date":
      return (text) => /^\d{4}-\d\d-\d\d$/.test(text) ? text : undefined
    case "timestamptz":
    case "timestamp":
      return (text) => /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}(?:\+00)?$/.test(text) ? text : undefined
    default:
      return () => undefined
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const identity = (text: string): string => text

const scalar = (type: PgType): Scalar => {
  if (type.builtin && special[type.base] !== undefined) {
    return special[type.base]!(type.modifier)
  }
  const range = type.builtin ? rangeOf(type.base) : undefined
  if (range !== undefined) {
    return range
  }
  if (type.fields !== undefined) {
    // The server may write bytes in another form than the one that is taken here.
    return recordOf(
      type.fields.map((field) => field.base === "bytea" ? (text) => text as string : encoder(field)),
      type.base
    )
  }
  switch (type.category) {
    case "S":
      return characters(type)
    case "N":
      return (value) => isNumeric(value) ? String(value) : onlyText(value, `a ${type.base} column`)
    default:
      return type.builtin || type.category === "C" || type.category === "E" || type.category === "R"
        ? (value) => onlyText(value, `a ${type.base} column, which takes the text of the value`)
        : anything
  }
}

/** By name of the type, for a modifier. */
const special: Readonly<Record<string, (modifier: number) => Scalar>> = {
  bool: () => (value) => typeof value === "boolean" ? String(value) : onlyText(value, "a boolean column"),
  json: () => json,
  jsonb: () => jsonb,
  bytea: () => bytes,
  int2: () => integer,
  int4: () => integer,
  int8: () => integer,
  oid: () => unsigned,
  xid: () => unsigned,
  cid: () => unsigned,
  numeric: (modifier) => numeric(modifier < 0 ? undefined : scaleOf(modifier), "numeric"),
  money: () => {
    const encode = numeric(2, "money")
    return (value) => {
      const found = encode(value)
      return /\d/.test(found) ? found : refuse("the text has no digits, which the database takes for no money")
    }
  },
  inet: () => address,
  cidr: () => address,
  xml: () => xml,
  float4: () => single,
  float8: () => double,
  date: () => temporal("date", 6, (date) => dayOf(date)),
  timestamp: (modifier) => temporal("timestamp", modifier, (date) => stamp(date, "")),
  timestamptz: (modifier) => temporal("timestamptz", modifier, (date) => stamp(date, "+00")),
  time: (modifier) => temporal("time", modifier, undefined),
  timetz: (modifier) => temporal("timetz", modifier, undefined),
  interval: (modifier) => interval(modifier),
  name: () => (value) => {
    const found = text(value, "a name column")
    return Buffer.byteLength(found) > 63 ? refuse("the text is longer than the 63 bytes of a name") : found
  },
  char: () => (value) => {
    const found = onlyText(value, "a \"char\" column")
    // The server shows bytes that are no ASCII in octal.
    return Buffer.byteLength(found) > 1 && !/^\\[23][0-7]{2}$/.test(found)
      ? refuse("the text is longer than the single byte of a \"char\"")
      : found
  }
}

const isNumeric = (value: unknown): value is number | bigint => typeof value === "number" || typeof value === "bigint"

/** What can be said in text without a doubt. A truth value cannot: who reads `true` back has a text. */
const text = (value: unknown, column: string): string => {
  switch (typeof value) {
    case "string":
      return checked(value)
    case "bigint":
      return String(value)
    case "number":
      return Number.isFinite(value) ? String(value) : refuse(`${value} is no value of ${column}`)
    case "object":
      if (value instanceof Date) {
        return isoOf(value)
      }
      return checked(jsonText(value))
    default:
      throw notFor(value, column)
  }
}

// A text that is too long is refused by the server, unless it is blanks that are too many: those it cuts off.
const characters = ({ base, modifier }: PgType): Scalar => {
  const column = `a ${base} column`
  const length = modifier < 4 ? Number.POSITIVE_INFINITY : modifier - 4
  return (value) => {
    const found = text(value, column)
    return found.length > length && found.endsWith(" ") && [...found].length > length &&
        [...found.replace(/ +$/, "")].length <= length
      ? refuse(`blanks at the end would be cut off: the column keeps ${length} characters`)
      : found
  }
}

/** Types of extensions and of users: their input function decides about any text. */
const anything: Scalar = (value) =>
  typeof value === "boolean"
    ? String(value)
    : typeof value === "number"
    ? String(value)
    : text(value, "the column")

const json: Scalar = (value) => {
  switch (typeof value) {
    case "string":
      return checked(value)
    case "bigint":
      return String(value)
    default:
      return jsonText(value)
  }
}

// The server keeps the last of members that have one name.
const jsonb: Scalar = (value) => {
  const text = json(value)
  const name = typeof value === "string" ? repeatedIn(text) : undefined
  return name === undefined
    ? text
    : refuse(`its JSON has an object that has the name ${JSON.stringify(name)} twice, of which the column keeps one`)
}

const repeatedIn = (text: string): string | undefined => {
  try {
    return repeated(text, JSON.parse(text))
  } catch {
    // The server says what is wrong with it.
    return undefined
  }
}

const bytes: Scalar = (value) => {
  if (typeof value === "string") {
    return /^\\x(?:[\da-f]{2})*$/i.test(value) ? value : refuse("a text is no bytes; give a Uint8Array")
  }
  const found = typeof value === "object" ? bytesOf(value) : undefined
  if (found === undefined) {
    throw notFor(value, "a bytea column; give a Uint8Array")
  }
  return `\\x${found.toString("hex")}`
}

const integer: Scalar = (value) => {
  if (typeof value === "number") {
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? String(BigInt(value)) : String(value)
  }
  return typeof value === "bigint" ? String(value) : onlyText(value, "an integer column")
}

// The server reads negative numbers as large ones, and those with a zero in front as octal.
const unsigned: Scalar = (value) => {
  const found = integer(value)
  return /^\s*(?:-|\+?0\w)/.test(found) ? refuse("a number without sign and zeros in front is needed") : found
}

// The server fills up what looks like the beginning of an address.
const address: Scalar = (value) => {
  const found = onlyText(value, "a column of addresses")
  return /:|\d\.\d+\.\d+\.\d/.test(found) ? found : refuse("the text is not a whole address")
}

const declaration = /^<\?xml\s[^>]*\?>/

const shownDeclaration =
  /^<\?xml version="(?:1\.0" standalone="(?:yes|no)"|(?!1\.0")[^"]+"(?: standalone="(?:yes|no)")?)\?>$/

// The server gives a document back without its declaration, or with another: it shows only what is not the default, and never
// an encoding, as that of the text is the one of the connection.
const xml: Scalar = (value) => {
  const found = onlyText(value, "an xml column, which takes the text of the value")
  const [declared] = declaration.exec(found) ?? []
  return declared === undefined || shownDeclaration.test(declared)
    ? found
    : refuse("its declaration (`<?xml … ?>`) would be dropped: leave it out, or use a text column")
}

/** A typmod holds precision and scale; the scale has eleven bits and may be negative. */
const scaleOf = (modifier: number): number => (((modifier - 4) & 0x7ff) ^ 1024) - 1024

const numeric = (scale: number | undefined, name: string): Scalar => (value) => {
  const found = isNumeric(value) ? String(value) : onlyText(value, `a ${name} column`)
  if (scale !== undefined && scale < 0 && Decimal.zeros(found) < -scale) {
    return refuse(`its last ${-scale} digits would be rounded to zeros; round it before`)
  }
  const needed = scale === undefined || scale < 0 ? undefined : Decimal.decimals(found)
  return needed !== undefined && needed > scale!
    ? refuse(`it has ${needed} digits behind the point and the column keeps ${scale}; round it before`)
    : found
}

const single: Scalar = (value) => {
  const found = double(value)
  const number = Number(found)
  return Number.isFinite(number) && !Decimal.isSingle(number)
    ? refuse("it has more digits than a column of 32 bits keeps; round it with Math.fround before")
    : found
}

const double: Scalar = (value) => {
  if (typeof value === "number") {
    return Object.is(value, -0) ? "-0" : String(value)
  }
  const found = typeof value === "bigint" ? String(value) : onlyText(value, "a float column")
  return Decimal.canonical(found) !== undefined && !Decimal.isShownDouble(found)
    ? refuse("it has more digits than a column of 64 bits keeps; round it before")
    : found
}

// -------------------------------------------------------------------------------------
// arrays
// -------------------------------------------------------------------------------------

/** The whole array as text: `unnest` would take the elements of a nested one apart. */
const arrayOf = (encode: Scalar, { base, delimiter }: PgType): Scalar => {
  const isJson = base === "json" || base === "jsonb"
  const part = (value: unknown): string =>
    value === null || value === undefined
      ? "NULL"
      : Array.isArray(value) && !isJson
      ? value.length === 0 ? refuse("an empty array inside an array would be dropped") : elements(value)
      : quote(encode(value))
  // A loop, as `map` would leave out what is not there.
  const elements = (value: ReadonlyArray<unknown>): string => `{${Array.from(value, part).join(delimiter)}}`
  // The server would round and cut the elements of a literal as it does single values.
  const ofText = (value: string | null | Elements): string =>
    value === null
      ? "NULL"
      : typeof value === "string"
      ? quote(encode(value))
      : `{${value.map(ofText).join(delimiter)}}`
  return (value) => {
    if (Array.isArray(value)) {
      return elements(value)
    }
    if (typeof value !== "string") {
      throw new Unfit(`the column is an array and the value is ${kindOf(value)}`)
    }
    const [bounds, rest] = boundsOf(checked(value))
    const found = base === "bytea" ? undefined : elementsOf(rest, delimiter)
    return found === undefined ? value : bounds + ofText(found)
  }
}
