/**
 * The columns of a key as text, exactly, in PostgreSQL and SQLite.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import { columnOf } from "./identifiers.js"
import type { KeyCodec, KeyQuery } from "./keyset.js"

/**
 * PostgreSQL casts to text and back to the type of the column, which is asked for without running the query.
 *
 * @internal
 */
export const pgCodec = ({ keys, rows, sql }: KeyQuery): Effect.Effect<KeyCodec, SqlError> => {
  const types = keys.map(({ column }, index) =>
    sql`format_type(pg_typeof(${columnOf(sql, "q", column)})::oid, -1)::text as ${sql(`t${index}`)}`
  )
  return Effect.map(
    sql`select ${sql.csv(types)} from (select 1) as one left join (${rows}) as q on false`,
    ([row]) => codecOfTypes(sql, keys.map(({ column }) => column), keys.map((_, index) => String(row![`t${index}`])))
  )
}

/**
 * SQLite has values of five kinds in any column. The first letter of the text is the kind.
 *
 * @internal
 */
export const sqliteCodec = ({ keys, sql }: KeyQuery): KeyCodec => ({
  select: (index) => {
    const q = columnOf(sql, "q", keys[index]!.column)
    return sql`case typeof(${q}) when 'integer' then 'i' || ${q} when 'text' then 't' || ${q}
      when 'blob' then 'b' || hex(${q}) else ${q} end`
  },
  encode: (value) => value === null ? null : typeof value === "number" ? `r${value}` : String(value),
  bind: (_, text) => sql`${sqliteValue(text)}`,
  show: (text) => text.slice(1)
})

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

// The text of these types follows DateStyle, a setting of the session; JSON has one form for them.
const dated: ReadonlySet<string> = new Set(["date", "timestamp without time zone", "timestamp with time zone"])

const codecOfTypes = (sql: SqlClient, columns: ReadonlyArray<string>, types: ReadonlyArray<string>): KeyCodec => ({
  select: (index) => {
    const q = columnOf(sql, "q", columns[index]!)
    return dated.has(types[index]!) ? sql`to_json(${q}) #>> '{}'` : sql`${q}::text`
  },
  encode: (value) => value === null ? null : String(value),
  // The type comes from the catalog, which quotes what needs it.
  bind: (index, text) => sql`${text}::${sql.literal(types[index]!)}`,
  show: identity
})

const sqliteValue = (text: string): unknown => {
  const value = text.slice(1)
  switch (text[0]) {
    case "i":
      return BigInt(value)
    case "r":
      return Number(value)
    case "b":
      return Buffer.from(value, "hex")
    default:
      return value
  }
}
