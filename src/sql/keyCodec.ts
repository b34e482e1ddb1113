/**
 * The columns of a key as text, exactly, in PostgreSQL and SQLite, and which texts are the same key there.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import { afresh } from "./afresh.js"
import * as Decimal from "./decimal.js"
import { columnOf } from "./identifiers.js"
import type { KeyCodec, KeyQuery } from "./keyset.js"
import { operatorSchema } from "./pgCatalog.js"
import { SqlStatementError } from "./SqlFailure.js"
import { PROBE, PROBES } from "./sqliteKeys.js"

/**
 * That of the database of the client. Asks for no row, and so tells at once whether the tables and the key columns exist.
 *
 * @internal
 */
export const keyCodec = (query: KeyQuery): Effect.Effect<KeyCodec, SqlError | SqlStatementError> => {
  const { keys, rows, sql } = query
  return sql.onDialectOrElse({
    pg: () => pgCodec(query),
    sqlite: () =>
      Effect.zipRight(
        afresh(
          sql`select ${sql.csv(keys.map(({ column }) => columnOf(sql, "q", column)))} from (${rows}) as q limit 0`
        ),
        sqliteCodec(query)
      ),
    orElse: () =>
      Effect.fail(
        new SqlStatementError({
          operation: "read",
          kind: "other",
          problem: "keys are known of PostgreSQL and SQLite; read by `ItemReader.paged` from this database"
        })
      )
  })
}

/**
 * PostgreSQL casts to text and back to the type of the column, which is asked for without running the query.
 *
 * @internal
 */
export const pgCodec = ({ keys, rows, sql }: KeyQuery): Effect.Effect<KeyCodec, SqlError> => {
  const types = keys.flatMap(({ column }, index) => {
    const q = columnOf(sql, "q", column)
    return [
      sql`format_type(pg_typeof(${q})::oid, -1)::text as ${sql(`t${index}`)}`,
      sql`case when (select typcollation from pg_catalog.pg_type where oid = pg_typeof(${q})::oid) <> 0
        then pg_collation_for(${q}) end::text as ${sql(`c${index}`)}`,
      sql`${
        operatorSchema(
          sql,
          sql`(select coalesce(nullif(typbasetype, 0), oid) from pg_catalog.pg_type where oid = pg_typeof(${q})::oid)`
        )
      } as ${sql(`s${index}`)}`
    ]
  })
  return Effect.map(
    sql`select ${sql.csv(types)} from (select 1) as one left join (${rows}) as q on false`,
    ([row]) =>
      codecOfTypes(
        sql,
        keys.map(({ column }) => column),
        keys.map((_, index) => String(row![`t${index}`])),
        keys.map((_, index) => row![`c${index}`]),
        keys.map((_, index) => row![`s${index}`])
      )
  )
}

/**
 * SQLite has values of five kinds in any column. The first letter of the text is the kind.
 *
 * @internal
 */
export const sqliteCodec = ({ keys, rows, sql }: KeyQuery): Effect.Effect<KeyCodec, SqlError> => {
  // In a compound select a column has the collation that it has in the first part.
  const distinct = keys.map(({ column }, index) =>
    sql`(select count(distinct k) from (select ${columnOf(sql, "q", column)} as k from (${rows}) as q where 0
      union all ${sql.literal(PROBE)})) as ${sql(`n${index}`)}`
  )
  return Effect.map(sql`select ${sql.csv(distinct)}`, ([row]) => ({
    select: (index) => {
      const q = columnOf(sql, "q", keys[index]!.column)
      return sql`case typeof(${q}) when 'integer' then 'i' || ${q} when 'text' then 't' || ${q}
      when 'blob' then 'b' || hex(${q}) else ${q} end`
    },
    encode: (value) => value === null ? null : typeof value === "number" ? `r${value}` : String(value),
    bind: (_, text) => sql`${sqliteValue(text)}`,
    operator: (_, sign) => sign,
    show: (text) => text.slice(1),
    form: keys.every((_, index) => Number(row![`n${index}`]) === PROBES) ? (_, text) => sqliteForm(text) : undefined
  }))
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

// The text of these types follows DateStyle, a setting of the session; JSON has one form for them.
const dated: ReadonlySet<string> = new Set(["date", "timestamp without time zone", "timestamp with time zone"])

const numeric: ReadonlySet<string> = new Set(["numeric", "real", "double precision"])

// Equal values of these have equal texts, as long as the collation tells all texts apart.
const plain: ReadonlySet<string> = new Set([
  ...dated,
  "smallint",
  "integer",
  "bigint",
  "oid",
  "boolean",
  "uuid",
  "bytea",
  "text",
  "character varying",
  "bpchar",
  "character",
  "name"
])

const deterministic: ReadonlySet<unknown> = new Set([null, "\"default\"", "\"C\"", "\"POSIX\"", "\"ucs_basic\""])

const codecOfTypes = (
  sql: SqlClient,
  columns: ReadonlyArray<string>,
  types: ReadonlyArray<string>,
  collations: ReadonlyArray<unknown>,
  schemas: ReadonlyArray<unknown>
): KeyCodec => ({
  select: (index) => {
    const q = columnOf(sql, "q", columns[index]!)
    return dated.has(types[index]!) ? sql`to_json(${q}) #>> '{}'` : sql`${q}::text`
  },
  encode: (value) => value === null ? null : String(value),
  // The type comes from the catalog, which quotes what needs it.
  bind: (index, text) => sql`${text}::${sql.literal(types[index]!)}`,
  operator: (index, sign) => schemas[index] === null ? sign : `operator(${schemas[index]}.${sign})`,
  show: identity,
  form:
    types.every((type) => plain.has(type) || numeric.has(type)) && collations.every((name) => deterministic.has(name))
      ? (index, text) => numeric.has(types[index]!) ? Decimal.canonical(text) ?? text : text
      : undefined
})

const sqliteForm = (text: string): string =>
  text[0] === "i" || text[0] === "r" ? `n${Decimal.canonical(text.slice(1)) ?? text.slice(1)}` : text

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
