/**
 * Writing chunks to a PostgreSQL table: one statement per chunk with one array per column.
 *
 * `insert … select … from unnest($1::int[], $2::text[])` has one parameter per column, so its text is the same for
 * every chunk and the number of rows is not limited by the number of parameters.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { quoteName } from "./identifiers.js"
import type { PgColumn } from "./pgCatalog.js"
import { describe } from "./pgCatalog.js"
import { examiner } from "./pgExamine.js"
import { sameKeys, sourceOf, valueOf } from "./pgKeys.js"
import * as pgText from "./pgText.js"
import * as pgValue from "./pgValue.js"
import type { SqlFailure } from "./SqlFailure.js"
import { fromSqlError, refail } from "./SqlFailure.js"
import type { Action, Table, TableDialect } from "./tableWrite.js"
import { conflictClause, encodeColumns, keyIndexes, missingRow, rounds } from "./tableWrite.js"

/** @internal */
export const pgTable: TableDialect<PgColumn> = {
  describe,
  prepare: (sql, table, action, columns) => {
    const text = statementText(table.text, action, columns)
    const examine = examiner(
      { operation: action._tag, table: table.name },
      columns,
      rowText(table.text, action, columns)
    )
    const run = runner(sql, table, action, text)
    const encoders = columns.map((column) => pgText.element(pgValue.encoder(column)))
    const key = action._tag === "insert" ? [] : keyIndexes(action, columns)
    const keysOf = sameKeys(sql, key.map((index) => columns[index]!))
    const asserts = "assert" in action && action.assert
    const fail = refail(action._tag, table.name)
    const roundsOf = (encoded: Encoded): Effect.Effect<ReadonlyArray<Round>, SqlFailure> =>
      key.length === 0 || encoded[0]!.length === 1
        ? Effect.succeed([{ columns: encoded, items: undefined }])
        : Effect.map(fail(keysOf(key.map((index) => encoded[index]!))), (keys) => inRounds(encoded, keys))
    return (items) =>
      Either.map(encodeColumns(action._tag, table.name, columns, encoders, items), (encoded) => ({
        run: Effect.flatMap(roundsOf(encoded), (rounds) => Effect.forEach(rounds, run, { discard: true })),
        examine: (ask) => examine(encoded, ask),
        pipelined: asserts ? undefined : {
          commands: Effect.map(roundsOf(encoded), (rounds) =>
            rounds.map(({ columns }) => ({ text, parameters: columns.map(pgText.literal) }))),
          refused: fromSqlError(action._tag, table.name)
        }
      }))
  }
}

/**
 * The statement for a single row `r` of texts.
 *
 * @internal
 */
export const rowText = (table: string, action: Action, columns: ReadonlyArray<PgColumn>): string =>
  changeText(table, action, columns, "r", (column, index) => `r.c${index}::${column.type}`)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Encoded = ReadonlyArray<ReadonlyArray<string>>

/** Encoded columns of rows that one statement can write. `items` are their indexes, unless they are the whole chunk. */
interface Round {
  readonly columns: Encoded
  readonly items: ReadonlyArray<number> | undefined
}

// One statement must not touch a row twice, or it fails or picks one of the items.
const inRounds = (columns: Encoded, keys: ReadonlyArray<string>): ReadonlyArray<Round> => {
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
  const changed = changeText(table, action, columns, sourceOf(columns), valueOf)
  return "assert" in action && action.assert
    ? `with done as (${changed} returning r.n) select g.n as missing from ` +
      `generate_series(1, cardinality($1::text[])) as g(n) where g.n not in (select n from done) order by g.n limit 1`
    : changed
}

const changeText = (
  table: string,
  action: Action,
  columns: ReadonlyArray<PgColumn>,
  source: string,
  valueOf: (column: PgColumn, index: number) => string
): string => {
  const values = columns.map(valueOf)
  if (action._tag === "insert" || action._tag === "upsert") {
    const names = columns.map(({ name }) => quoteName(name)).join(", ")
    // As COPY does: a column that is named in the items is written.
    const overriding = columns.some(({ identityAlways }) => identityAlways) ? " overriding system value" : ""
    return `insert into ${table} (${names})${overriding} select ${values.join(", ")} from ${source}` +
      conflictClause(action, columns)
  }
  const key = new Set(action.key)
  const matches = columns.flatMap(({ equals, name }, i) =>
    key.has(name) ? [`t.${quoteName(name)} ${equals} ${values[i]}`] : []
  )
  const sets = columns.flatMap(({ name }, i) => key.has(name) ? [] : [`${quoteName(name)} = ${values[i]}`])
  const change = action._tag === "delete"
    ? `delete from ${table} as t using`
    : `update ${table} as t set ${sets.join(", ")} from`
  return `${change} ${source} where ${matches.join(" and ")}`
}
