/**
 * Writing chunks to a PostgreSQL table: one statement per chunk with one array per column.
 *
 * `insert … select … from unnest($1::int[], $2::text[])` has one parameter per column, so its text is the same for
 * every chunk and the number of rows is not limited by the number of parameters.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { quoteName, tableText } from "./identifiers.js"
import * as pgText from "./pgText.js"
import type { SqlFailure } from "./SqlFailure.js"
import { fromSqlError, refail } from "./SqlFailure.js"
import type { Action, Table, TableDialect } from "./tableWrite.js"
import { conflictClause, encodeColumns, keyIndexes, missingRow, rounds } from "./tableWrite.js"

/** @internal */
export interface PgColumn {
  readonly name: string
  /** The type without length or precision, so that a value too long is an error and not cut off by the cast. */
  readonly type: string
  readonly kind: pgText.Kind
  readonly array: boolean
  /** Values travel as text and are cast row by row: for arrays, and for types that have no array type. */
  readonly viaText: boolean
}

/** @internal */
export const pgTable: TableDialect<PgColumn> = {
  describe: (sql, table) => describe(sql, tableText(sql, table)),
  prepare: (sql, table, action, columns) => {
    const text = statementText(table.text, action, columns)
    const run = runner(sql, table, action, text)
    const encoders = columns.map((column) =>
      column.array ? pgText.arrayElement(column.kind) : pgText.element(column.kind)
    )
    const key = action._tag === "insert" ? [] : keyIndexes(action, columns)
    const asserts = "assert" in action && action.assert
    return (items) =>
      Either.map(encodeColumns(table.name, columns, encoders, items), (encoded) => ({
        run: Effect.suspend(() => Effect.forEach(inRounds(encoded, key), run, { discard: true })),
        pipelined: asserts ? undefined : {
          commands: () =>
            inRounds(encoded, key).map(({ columns }) => ({ text, parameters: columns.map(pgText.literal) })),
          refused: fromSqlError(action._tag, table.name)
        }
      }))
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const describe = (sql: SqlClient, table: string): Effect.Effect<ReadonlyArray<PgColumn>, SqlError> =>
  Effect.map(
    sql<{ readonly name: string; readonly type: string; readonly base: string; readonly flags: string }>`
      select a.attname::text as name, format_type(a.atttypid, -1)::text as type,
        coalesce(e.typname, b.typname)::text as base,
        concat(case when b.typcategory = 'A' then 'A' end, case when t.typarray = 0 then 'T' end)::text as flags
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_type t on t.oid = a.atttypid
      join pg_catalog.pg_type b on b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
      left join pg_catalog.pg_type e on e.oid = b.typelem and b.typcategory = 'A'
      where a.attrelid = to_regclass(${table}::text) and a.attnum > 0 and not a.attisdropped
      order by a.attnum`,
    (rows) =>
      rows.map(({ base, flags, name, type }) => ({
        name,
        type,
        kind: kinds[base] ?? "plain",
        array: flags.includes("A"),
        viaText: flags !== ""
      }))
  )

const kinds: Readonly<Record<string, pgText.Kind>> = {
  json: "json",
  jsonb: "json",
  date: "local",
  timestamp: "local",
  timestamptz: "instant"
}

/** Encoded columns of rows that one statement can write. `items` are their indexes, unless they are the whole chunk. */
interface Round {
  readonly columns: ReadonlyArray<ReadonlyArray<string>>
  readonly items: ReadonlyArray<number> | undefined
}

// One statement must not touch a row twice, or it fails or picks one of the items.
const inRounds = (columns: ReadonlyArray<ReadonlyArray<string>>, key: ReadonlyArray<number>): ReadonlyArray<Round> => {
  if (key.length === 0) {
    return [{ columns, items: undefined }]
  }
  const first = columns[key[0]!]!
  const keys = key.length === 1 ? first : first.map((_, item) => key.map((i) => columns[i]![item]).join(","))
  const found = rounds(keys)
  return found.length === 1
    ? [{ columns, items: undefined }]
    : found.map((items) => ({ columns: columns.map((elements) => items.map((item) => elements[item]!)), items }))
}

const runner = (sql: SqlClient, table: Table<PgColumn>, action: Action, text: string) => {
  const asserts = "assert" in action && action.assert
  const fail = refail(action._tag, table.name)
  return ({ columns, items }: Round): Effect.Effect<void, SqlFailure> => {
    const statement = fail(sql.unsafe<{ readonly missing: number }>(text, columns.map(pgText.literal)))
    return asserts
      ? Effect.flatMap(statement, ([row]) => {
        const index = Number(row?.missing) - 1
        return row === undefined ? Effect.void : Effect.fail(missingRow(table.name, action, items?.[index] ?? index))
      })
      : Effect.asVoid(statement)
  }
}

const statementText = (table: string, action: Action, columns: ReadonlyArray<PgColumn>): string => {
  const value = (index: number) => columns[index]!.viaText ? `r.c${index}::${columns[index]!.type}` : `r.c${index}`
  const arrays = columns.map((column, index) => `$${index + 1}::${column.viaText ? "text" : column.type}[]`).join(", ")
  const aliases = columns.map((_, index) => `c${index}`).join(", ")
  const names = columns.map(({ name }) => quoteName(name)).join(", ")
  if (action._tag === "insert" || action._tag === "upsert") {
    return `insert into ${table} (${names}) select ${columns.map((_, index) => value(index)).join(", ")} ` +
      `from unnest(${arrays}) as r(${aliases})${conflictClause(action, columns)}`
  }
  const isKey = ({ name }: PgColumn) => action.key.includes(name)
  const matches = columns.flatMap((column, i) => isKey(column) ? [`t.${quoteName(column.name)} = ${value(i)}`] : [])
  const sets = columns.flatMap((column, i) => isKey(column) ? [] : [`${quoteName(column.name)} = ${value(i)}`])
  const change = action._tag === "delete"
    ? `delete from ${table} as t using`
    : `update ${table} as t set ${sets.join(", ")} from`
  const changed = `${change} unnest(${arrays}) with ordinality as r(${aliases}, n) where ${matches.join(" and ")}`
  return action.assert
    ? `with done as (${changed} returning r.n) select g.n as missing from ` +
      `generate_series(1, cardinality($1::text[])) as g(n) where g.n not in (select n from done) order by g.n limit 1`
    : changed
}
