/**
 * Writing chunks to an SQLite table: prepared statements of many rows.
 *
 * A chunk is cut into groups whose sizes are powers of two, so that few statements are prepared whatever the chunk
 * sizes are.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { TableName } from "./identifiers.js"
import { quoteName } from "./identifiers.js"
import type { SqlFailure } from "./SqlFailure.js"
import { refail, SqlDataError } from "./SqlFailure.js"
import { sameKeys } from "./sqliteKeys.js"
import * as sqliteValue from "./sqliteValue.js"
import type { Action, Column, Table, TableDialect } from "./tableWrite.js"
import { conflictClause, encodeColumns, keyIndexes, missingRow, rounds } from "./tableWrite.js"

/** @internal */
export interface SqliteColumn extends Column {
  /** The declared type. */
  readonly type: string
  /** Whether the table is STRICT. */
  readonly strict: boolean
}

/** @internal */
export const sqliteTable: TableDialect<SqliteColumn> = {
  describe: (sql, table) => describe(sql, table),
  prepare: (sql, table, action, columns) => {
    const encoders = columns.map(({ strict, type }) => sqliteValue.encoder(type, strict))
    const key = action._tag === "insert" || action._tag === "upsert" ? [] : keyIndexes(action, columns)
    const run = runner(sql, table, action, columns, key)
    const keysOf = sameKeys(sql, table.text, key.map((index) => columns[index]!.name))
    const fail = refail(action._tag, table.name)
    return (items) =>
      Either.map(encodeColumns(action._tag, table.name, columns, encoders, items), (encoded) => {
        const groups = Effect.map(
          key.length === 0 ? Effect.succeed(undefined) : fail(keysOf(key.map((index) => encoded[index]!))),
          (keys) => groupsOf(columns.length, keys, items.length)
        )
        let at = 0
        const write = (group: ReadonlyArray<number>) => run(encoded, group)
        return {
          run: Effect.flatMap(groups, (groups) =>
            Effect.forEach(groups, (group, index) => {
              at = index
              return write(group)
            }, { discard: true })),
          // What comes in front of the group that was refused is written.
          examine: () =>
            items.length === 1
              ? Effect.succeed([])
              : undone(sql, Effect.flatMap(groups, (groups) => refusedIn(write, groups.slice(at))))
        }
      })
  }
}

/**
 * Splits a number into powers of two, the largest first, none above `max` rounded down to one.
 *
 * @internal
 */
export const powers = (count: number, max: number): ReadonlyArray<number> => {
  const sizes: Array<number> = []
  let size = 2 ** Math.floor(Math.log2(max))
  let left = count
  while (left > 0) {
    while (size > left) {
      size /= 2
    }
    sizes.push(size)
    left -= size
  }
  return sizes
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const describe = (
  sql: SqlClient,
  { schema: given, table }: TableName
): Effect.Effect<ReadonlyArray<SqliteColumn>, SqlError> => {
  const schema = given ?? null
  return Effect.map(
    sql<{ readonly name: string; readonly type: string; readonly hidden: number; readonly strict: number }>`
      select x.name, x.type, x.hidden,
        exists (select 1 from pragma_table_list(${table}) as l where l.strict = 1
          and (l.schema = ${schema} or ${schema} is null)) as strict
      from pragma_table_xinfo(${table}, ${schema}) as x where x.hidden <> 1`,
    (rows) =>
      rows.map(({ hidden, name, strict, type }) => ({
        name,
        type,
        strict: Number(strict) === 1,
        generated: Number(hidden) > 1,
        identityAlways: false
      }))
  )
}

// SQLite takes 32766 parameters; beyond some hundred rows a larger statement gains nothing.
const maxRows = (columns: number): number => Math.max(1, Math.min(256, Math.floor(32_766 / (columns + 1))))

const groupsOf = (
  columns: number,
  keys: ReadonlyArray<string> | undefined,
  count: number
): ReadonlyArray<ReadonlyArray<number>> => {
  const found = keys === undefined ? [Array.from({ length: count }, (_, item) => item)] : rounds(keys)
  const max = maxRows(columns)
  return found.flatMap((items) => {
    let from = 0
    return powers(items.length, max).map((size) => items.slice(from, from += size))
  })
}

/** Writes all that can be written, and gives the errors of the rows that cannot, found by halves. */
const refusedIn = (
  write: (group: ReadonlyArray<number>) => Effect.Effect<void, SqlFailure>,
  groups: ReadonlyArray<ReadonlyArray<number>>
): Effect.Effect<ReadonlyArray<SqlDataError>, SqlFailure> => {
  const found: Array<SqlDataError> = []
  const search = (group: ReadonlyArray<number>): Effect.Effect<void, SqlFailure> =>
    Effect.catchAll(write(group), (error) => {
      if (!(error instanceof SqlDataError)) {
        return Effect.fail(error)
      }
      if (group.length > 1) {
        const half = group.length >> 1
        return Effect.zipRight(search(group.slice(0, half)), search(group.slice(half)))
      }
      const { column, constraint, detail, kind, operation, sqlState, table } = error
      found.push(
        new SqlDataError({ operation, kind, table, column, constraint, sqlState, detail, item: group[0] })
      )
      return Effect.void
    })
  return Effect.as(Effect.forEach(groups, search, { discard: true }), found)
}

/** Takes back what the search has written, for whoever goes on in the transaction. */
const undone = (
  sql: SqlClient,
  search: Effect.Effect<ReadonlyArray<SqlDataError>, SqlFailure>
): Effect.Effect<ReadonlyArray<SqlDataError>> => {
  const back = Effect.zipRight(sql.unsafe(`rollback to ${SEARCH}`), sql.unsafe(`release ${SEARCH}`))
  return Effect.zipRight(sql.unsafe(`savepoint ${SEARCH}`), Effect.ensuring(search, Effect.ignore(back))).pipe(
    Effect.orElseSucceed(() => [])
  )
}

const SEARCH = "effect_batch_search"

/** The values of some items, row by row. */
const parameters = (columns: ReadonlyArray<ReadonlyArray<unknown>>, items: ReadonlyArray<number>): Array<unknown> => {
  const values: Array<unknown> = []
  for (let i = 0; i < items.length; i++) {
    for (let j = 0; j < columns.length; j++) {
      values.push(columns[j]![items[i]!])
    }
  }
  return values
}

/** Writes the items with these indexes. */
type Run = (
  columns: ReadonlyArray<ReadonlyArray<unknown>>,
  items: ReadonlyArray<number>
) => Effect.Effect<void, SqlFailure>

const runner = (
  sql: SqlClient,
  table: Table<SqliteColumn>,
  action: Action,
  columns: ReadonlyArray<SqliteColumn>,
  key: ReadonlyArray<number>
): Run => {
  const texts = statementTexts(table.text, action, columns)
  const fail = refail(action._tag, table.name)
  const write: Run = (columns, items) =>
    Effect.asVoid(fail(sql.unsafe(texts.write(items.length), parameters(columns, items))))
  if (!("assert" in action && action.assert)) {
    return write
  }
  return (columns, items) => {
    const indexes = items.map((item) => BigInt(item))
    const keys = key.map((i) => items.map((item) => columns[i]![item]))
    const found = sql.unsafe<{ readonly item: number }>(
      texts.missing(items.length),
      parameters([indexes, ...keys], items.map((_, index) => index))
    )
    return Effect.flatMap(fail(found), ([row]) =>
      row === undefined
        ? write(columns, items)
        : Effect.fail(missingRow(table.name, action, Number(row.item))))
  }
}

interface Texts {
  readonly write: (rows: number) => string
  /** Finds the first row of the group that has no counterpart in the table. */
  readonly missing: (rows: number) => string
}

const statementTexts = (table: string, action: Action, columns: ReadonlyArray<SqliteColumn>): Texts => {
  const names = columns.map(({ name }) => quoteName(name)).join(", ")
  const missing = (_: number) => ""
  if (action._tag === "insert" || action._tag === "upsert") {
    const suffix = conflictClause(action, columns)
    return {
      write: (rows) => `insert into ${table} (${names}) values ${tuples(rows, columns.length)}${suffix}`,
      missing
    }
  }
  const isKey = ({ name }: SqliteColumn) => action.key.includes(name)
  const keys = columns.filter(isKey).map(({ name }) => quoteName(name))
  return {
    write: action._tag === "delete"
      ? (rows) => `delete from ${table} where (${keys.join(", ")}) in (values ${tuples(rows, keys.length)})`
      : (rows) => updateText(table, columns, isKey, rows),
    missing: (rows) =>
      `with v(n, ${keys.map((_, i) => `k${i}`).join(", ")}) as (values ${tuples(rows, keys.length + 1)}) ` +
      `select v.n as item from v where not exists (select 1 from ${table} as t where ` +
      `${keys.map((name, i) => `t.${name} = v.k${i}`).join(" and ")}) order by v.n limit 1`
  }
}

const updateText = (
  table: string,
  columns: ReadonlyArray<SqliteColumn>,
  isKey: (column: SqliteColumn) => boolean,
  rows: number
): string => {
  const sets = columns.flatMap((column, i) => isKey(column) ? [] : [`${quoteName(column.name)} = v.c${i}`])
  const matches = columns.flatMap((column, i) => isKey(column) ? [`t.${quoteName(column.name)} = v.c${i}`] : [])
  return `with v(${columns.map((_, i) => `c${i}`).join(", ")}) as (values ${tuples(rows, columns.length)}) ` +
    `update ${table} as t set ${sets.join(", ")} from v where ${matches.join(" and ")}`
}

const tuples = (rows: number, columns: number): string => {
  const tuple = `(${Array(columns).fill("?").join(", ")})`
  return Array(rows).fill(tuple).join(", ")
}
