/**
 * The table of values: kinds of JavaScript values, and the columns they are written to.
 */
import * as Redacted from "effect/Redacted"
import * as Decimal from "../../src/sql/decimal.js"

export interface Kind {
  readonly label: string
  readonly value: unknown
}

const kind = (label: string, value: unknown): Kind => ({ label, value })

class Money {
  constructor(readonly cents: number) {}
}

export const kinds: ReadonlyArray<Kind> = [
  kind("null", null),
  kind("undefined", undefined),
  kind("7", 7),
  kind("1.5", 1.5),
  kind("0.1 + 0.2", 0.1 + 0.2),
  kind("2 ** 53 + 2", 2 ** 53 + 2),
  kind("-0", -0),
  kind("NaN", Number.NaN),
  kind("Infinity", Number.POSITIVE_INFINITY),
  kind("7n", 7n),
  kind("2n ** 53n + 1n", 2n ** 53n + 1n),
  kind("2n ** 70n", 2n ** 70n),
  kind("true", true),
  kind("false", false),
  kind("\"\"", ""),
  kind("\"abc\"", "abc"),
  kind("\"ab  \"", "ab  "),
  kind("\"12\"", "12"),
  kind("\"0012\"", "0012"),
  kind("\"1.005\"", "1.005"),
  kind("\"a\\0b\"", "a\0b"),
  kind("half a surrogate pair", "a\ud800b"),
  kind("a day", "2024-02-29"),
  kind("a time", "12:34:56.789012"),
  kind("a time without zone", "2024-02-29 12:34:56.789012"),
  kind("a time with offset", "2024-02-29T12:34:56.789+02:00"),
  kind("\"now\"", "now"),
  kind("JSON text", "{\"a\": [1, null]}"),
  kind("an array literal", "{1,NULL}"),
  kind("Date at midnight", new Date("2024-02-29T00:00:00.000Z")),
  kind("Date", new Date("2024-02-29T12:34:56.789Z")),
  kind("an invalid Date", new Date(Number.NaN)),
  kind("Uint8Array", new Uint8Array([0, 92, 255])),
  kind("Float64Array", new Float64Array([1])),
  kind("ArrayBuffer", new ArrayBuffer(2)),
  kind("[1, null]", [1, null]),
  kind("[[1], [2]]", [[1], [2]]),
  kind("[[], []]", [[], []]),
  kind("{ a: 1 }", { a: 1 }),
  kind("{ a: NaN }", { a: Number.NaN }),
  kind("Map", new Map([[1, 2]])),
  kind("Set", new Set([1])),
  kind("an instance of a class", new Money(5)),
  kind("Redacted", Redacted.make("secret")),
  kind("a symbol", Symbol.iterator),
  kind("a function", () => 1)
]

export const pgColumns: ReadonlyArray<string> = [
  "smallint",
  "integer",
  "bigint",
  "oid",
  "numeric",
  "numeric(6, 2)",
  "real",
  "double precision",
  "money",
  "boolean",
  "text",
  "varchar(3)",
  "char(4)",
  "name",
  "\"char\"",
  "bytea",
  "date",
  "time",
  "time with time zone",
  "timestamp",
  "timestamp(0)",
  "timestamptz",
  "interval",
  "interval year to month",
  "uuid",
  "json",
  "jsonb",
  "inet",
  "cidr",
  "macaddr",
  "bit(3)",
  "bit varying",
  "point",
  "int4range",
  "int4multirange",
  "tsrange",
  "xml",
  "tsvector",
  "pg_lsn",
  "integer[]",
  "numeric(6, 2)[]",
  "text[]",
  "jsonb[]",
  "timestamptz[]",
  "box[]",
  "mood",
  "pair",
  "positive",
  "labels"
]

export const pgTypes: ReadonlyArray<string> = [
  "create type mood as enum ('abc', '12')",
  "create type pair as (a int, b text)",
  "create domain positive as numeric(6, 2) check (value > 0)",
  "create domain labels as text[]"
]

export const sqliteColumns: ReadonlyArray<string> = [
  "",
  "integer",
  "bigint",
  "boolean",
  "text",
  "varchar(3)",
  "blob",
  "real",
  "double",
  "numeric",
  "decimal(10, 2)",
  "date",
  "datetime",
  "json",
  "string"
]

export const strictColumns: ReadonlyArray<string> = ["integer", "real", "text", "blob", "any"]

/**
 * Whether a stored value, as the text that the database shows, is the value that was given. Told from the text alone, by
 * the kind of the value: nothing here knows how values are written.
 */
export const isExact = (value: unknown, text: string | null, column: string): boolean => {
  if (value === null || value === undefined) {
    return text === null
  }
  if (text === null) {
    return false
  }
  switch (typeof value) {
    case "number":
      return Object.is(value === 0 ? 0 : value, numberIn(text) === 0 ? 0 : numberIn(text))
    case "bigint":
      return Decimal.canonical(text.replaceAll(/[$,]/g, "")) === Decimal.canonical(String(value))
    case "boolean":
      return text === String(value) || text === (value ? "1" : "0")
    case "string":
      return isSameText(value, text, column)
    default:
      return isSameObject(value as object, text)
  }
}

const numberIn = (text: string): number =>
  text === "Inf" ? Number.POSITIVE_INFINITY : Number(text.replaceAll(/[$,]/g, ""))

const isSameObject = (value: object, text: string): boolean => {
  if (value instanceof Date) {
    return text === JSON.stringify(value) ||
      Date.parse(/[Z+]|T/.test(text) ? text.replace(/\+00$/, "Z") : text.length > 10 ? `${text}Z` : text) ===
        value.getTime()
  }
  return value instanceof Uint8Array
    ? text === `\\x${Buffer.from(value).toString("hex")}`
    : text.replace(/\s/g, "").replaceAll(/\.0+(?=[,}])/g, "").replaceAll("NULL", "null").replaceAll("{", "[")
      .replaceAll("}", "]") ===
      JSON.stringify(value).replaceAll("{", "[").replaceAll("}", "]")
}

const isSameText = (value: string, text: string, column: string): boolean => {
  const number = Decimal.canonical(value)
  return text === value ||
    (number !== undefined && Decimal.canonical(text.replace("$", "")) === number && !/char|text/.test(column)) ||
    (/^char/.test(column) && text.trimEnd() === value.trimEnd()) ||
    (column === "jsonb" && text === JSON.stringify(JSON.parse(value)).replaceAll(/([:,])/g, "$1 ")) ||
    (/^time|^date$/.test(column) && isSameTime(value, text)) ||
    (column === "numeric(6, 2)[]" && text.replaceAll(".00", "") === value) ||
    (spelled[column] ?? []).some(([from, to]) => from === value && to === text)
}

const isSameTime = (value: string, text: string): boolean =>
  timeIn(value.length === 10 ? `${value} 00:00:00` : value) ===
    timeIn(text.length === 10 ? `${text} 00:00:00` : text) && value.match(/\d{6}/)?.[0] === text.match(/\d{6}/)?.[0]

const timeIn = (text: string): number => {
  const day = /^\d{4}/.test(text)
    ? text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00")
    : `2000-01-01T${text.replace(/([+-]\d\d)$/, "$1:00")}`
  return Date.parse(/T.*[Z+-]/.test(day) || day.length === 10 ? day : `${day}Z`)
}

/** What a type has another spelling for. */
const spelled: { readonly [column: string]: ReadonlyArray<readonly [given: string, shown: string]> } = {
  interval: [["12", "00:00:12"], ["0012", "00:00:12"], ["1.005", "00:00:01.005"], [
    "12:34:56.789012",
    "12:34:56.789012"
  ]],
  tsvector: [
    ["abc", "'abc'"],
    ["ab  ", "'ab'"],
    ["12", "'12'"],
    ["0012", "'0012'"],
    ["1.005", "'1.005'"],
    ["now", "'now'"],
    ["{1,NULL}", "'{1,NULL}'"],
    ["2024-02-29", "'2024-02-29'"]
  ]
}
