/**
 * Rows of PostgreSQL as the server says them: the driver would cut off microseconds, take times without zone for local ones,
 * round the elements of arrays of numeric, and take JSON apart that is meant as a text.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Statement } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import { speaksProtocol } from "./pgQuery.js"
import { unchecked } from "./pgUnchecked.js"
import { ArrayText, offsetOf } from "./readValue.js"
import { inNames, Unreadable } from "./resultColumns.js"

/**
 * Runs queries of the client of `@effect/sql-pg` and gives numbers of 32 bits, floats, truth values and bytes as such, and
 * everything else as text. Times are ISO text, those with zone in UTC. Other clients give what they give.
 *
 * @internal
 */
export const exactly = (sql: SqlClient) => {
  if (!speaksProtocol(sql)) {
    return <A extends object>(statement: Statement<A>): Effect.Effect<ReadonlyArray<A>, SqlError | Unreadable> =>
      statement
  }
  let areDigitsShown = false
  const delimiters = new Map<number, string>()
  const checkArrays = <A extends object>({ fields, rows }: Result<A>): Effect.Effect<void, SqlError> =>
    Effect.gen(function*() {
      const arrays = fields.filter(({ dataTypeID }) => dataTypeID === BOXES || dataTypeID >= FIRST_OF_USERS)
      if (rows.length > 0 && arrays.some(({ dataTypeID }) => !delimiters.has(dataTypeID))) {
        yield* learnDelimiters(sql, arrays.map(({ dataTypeID }) => dataTypeID), delimiters)
      }
      arrays.forEach(({ dataTypeID, name }) => apart(rows, name, delimiters.get(dataTypeID) ?? ","))
    })
  return <A extends object>(statement: Statement<A>): Effect.Effect<ReadonlyArray<A>, SqlError | Unreadable> =>
    Effect.flatMap(unchecked(sql, statement, configured(statement).raw, configured, parserOf), (raw) => {
      const result = raw as Result<A>
      const { fields, rows } = result
      const wrong = inNames(fields.map(({ name }) => name))
      if (wrong !== undefined) {
        return Effect.fail(wrong)
      }
      const float = areDigitsShown ? undefined : fields.find(({ dataTypeID }) => mayBeFloat(dataTypeID))
      const checked: Effect.Effect<ReadonlyArray<A>, SqlError | Unreadable> = Effect.as(checkArrays(result), rows)
      // From 1 on the server shows as many digits as a float has.
      return float === undefined ? checked : Effect.flatMap(settingOf(sql, "extra_float_digits"), (digits) => {
        areDigitsShown = Number(digits) > 0
        return areDigitsShown ? checked : Effect.fail(new Unreadable([float.name], "digits"))
      })
    })
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Result<A> {
  readonly rows: ReadonlyArray<A>
  readonly fields: ReadonlyArray<{ readonly name: string; readonly dataTypeID: number }>
}

/** Floats, arrays and shapes of them, and what users have made of any type. */
const mayBeFloat = (type: number): boolean => floats.has(type) || type >= FIRST_OF_USERS

const floats: ReadonlySet<number> = new Set([
  ...[700, 701, 1021, 1022],
  ...[600, 601, 602, 603, 604, 628, 718],
  ...[1017, 1018, 1019, 1020, 1027, 629, 719]
])

const FIRST_OF_USERS = 16384

const BOXES = 1020

const settingOf = (sql: SqlClient, name: string): Effect.Effect<string, SqlError> =>
  Effect.map(
    sql<{ readonly value: string }>`select current_setting(${name}) as value`,
    ([row]) => row!.value
  )

/** What stands between the elements of arrays: mostly a comma, but a semicolon between boxes and a colon between geometries. */
const learnDelimiters = (
  sql: SqlClient,
  types: ReadonlyArray<number>,
  known: Map<number, string>
): Effect.Effect<void, SqlError> =>
  Effect.map(
    sql<{ readonly type: string; readonly delimiter: string }>`
      select a.oid::text as type, e.typdelim::text as delimiter
      from pg_catalog.pg_type a join pg_catalog.pg_type e on e.oid = a.typelem and e.typarray = a.oid
      where a.oid = any(${`{${types.join(",")}}`}::oid[])`,
    (found) => {
      types.forEach((type) => known.set(type, ","))
      found.forEach(({ delimiter, type }) => known.set(Number(type), delimiter))
    }
  )

const apart = (rows: ReadonlyArray<object>, column: string, delimiter: string): void => {
  if (delimiter !== ",") {
    ;(rows as ReadonlyArray<Record<string, unknown>>).forEach((row) => {
      const value = row[column]
      row[column] = typeof value === "string" ? new ArrayText(value, delimiter) : value
    })
  }
}

type Parse = (text: string) => unknown

// The driver takes an object with the parsers in the place of the text. It is a text, too, for the span of the statement.
const configured = <A>(statement: Statement<A>): Statement<A> => {
  const compile = (withoutTransform?: boolean) => {
    const [text, parameters] = statement.compile(withoutTransform)
    return [Object.assign(new String(text), { text, types }), parameters]
  }
  return Object.create(statement, { compile: { value: compile } })
}

const itself: Parse = (text) => text

const parserOf = (oid: number): Parse => parsers[oid] ?? itself

const types = { getTypeParser: parserOf }

const bytes: Parse = (text) =>
  text.startsWith("\\x")
    ? Buffer.from(text.slice(2), "hex")
    // The form of bytea_output = escape.
    : Buffer.from(
      text.replace(/\\(\\|[0-7]{3})/g, (_, code: string) =>
        code === "\\" ? code : String.fromCharCode(parseInt(code, 8))),
      "latin1"
    )

const zoned = /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?([+-]\d\d(?::\d\d)*)( BC)?$/

// The server says them in the zone of the session.
const instant: Parse = (text) => {
  const [, day, time, fraction = "", zone, era = ""] = zoned.exec(text) ?? []
  if (day === undefined) {
    return text
  }
  const offset = offsetOf(zone)
  if (offset === 0) {
    return `${day}T${time}${fraction}Z${era}`
  }
  const at = new Date(Date.parse(`${day}T${time}Z`) - offset)
  // Years of five digits and those before 1 AD are left in the zone they are in.
  return era !== "" || day.length > 10 || Number.isNaN(at.getTime()) || at.getUTCFullYear() < 1 ||
      at.getUTCFullYear() > 9999
    ? `${day}T${time}${fraction}${zone!.length === 3 ? `${zone}:00` : zone}${era}`
    : `${at.toISOString().slice(0, 19)}${fraction}Z`
}

/** By the numbers that PostgreSQL has given its types. */
const parsers: Readonly<Record<number, Parse>> = {
  16: (text) => text === "t",
  17: bytes,
  21: Number,
  23: Number,
  26: Number,
  700: Number,
  701: Number,
  1114: (text) => text.replace(" ", "T"),
  1184: instant
}
