/**
 * What PostgreSQL and SQLite say differently, as values that are chosen once.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Fragment } from "@effect/sql/Statement"

/** @internal */
export type DialectName = "pg" | "sqlite"

/**
 * Functions over column names give text of SQL and take no values from outside; functions over values give fragments
 * that bind them.
 *
 * @internal
 */
export interface Dialect {
  readonly name: DialectName
  /** The clock that writes and judges leases. */
  readonly now: string
  /** A number, whatever parsers the user gave the driver. */
  readonly number: (column: string) => string
  readonly text: (column: string) => string
  /** Milliseconds since the epoch. */
  readonly millis: (column: string) => string
  /** The milliseconds from now until the time in the column. */
  readonly millisUntil: (column: string) => string
  /** The time that lies the milliseconds of a column ahead. */
  readonly ahead: (column: string) => string
  /** The time that lies so many milliseconds ahead. */
  readonly after: (millis: number) => Fragment
  readonly forUpdate: string
  readonly forShare: string
  readonly instant: (millis: number | null) => Fragment
  readonly json: (text: string | null) => Fragment
  readonly flag: (value: boolean) => Fragment
}

/** @internal */
export const make = (sql: SqlClient): Dialect | undefined =>
  sql.onDialectOrElse({
    pg: () => postgres(sql),
    sqlite: () => sqlite(sql),
    orElse: () => undefined
  })

// internal

// extract() gives double precision before PostgreSQL 14, hence the rounding.
const postgres = (sql: SqlClient): Dialect => ({
  name: "pg",
  now: "clock_timestamp()",
  number: (column) => `cast(${column} as double precision)`,
  text: (column) => `cast(${column} as text)`,
  millis: (column) => `cast(round(extract(epoch from ${column}) * 1000) as double precision)`,
  millisUntil: (column) =>
    `cast(round(extract(epoch from (${column} - clock_timestamp())) * 1000) as double precision)`,
  ahead: (column) => `clock_timestamp() + ${column} * interval '1 millisecond'`,
  after: (millis) => sql`clock_timestamp() + cast(${millis} as double precision) * interval '1 millisecond'`,
  forUpdate: "for update",
  forShare: "for share",
  instant: (millis) => sql`to_timestamp(cast(${millis} as double precision) / 1000)`,
  json: (text) => sql`cast(${text} as json)`,
  flag: (value) => sql`cast(${value} as boolean)`
})

const sqliteNow = "cast(round(unixepoch('subsec') * 1000) as integer)"

const sqlite = (sql: SqlClient): Dialect => ({
  name: "sqlite",
  now: sqliteNow,
  number: (column) => column,
  text: (column) => column,
  millis: (column) => column,
  millisUntil: (column) => `${column} - ${sqliteNow}`,
  ahead: (column) => `${sqliteNow} + ${column}`,
  after: (millis) => sql`${sql.literal(sqliteNow)} + ${millis}`,
  forUpdate: "",
  forShare: "",
  instant: (millis) => sql`${millis}`,
  json: (text) => sql`${text}`,
  flag: (value) => sql`${value ? 1 : 0}`
})
