/**
 * What a keyset reader does before its first page: it learns how keys are written, takes its range of the rows, and refuses a
 * query of which it could not read every row and every column.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Outage from "../ports/outage.js"
import { stripped as outsideTransaction } from "./client.js"
import { columnOf } from "./identifiers.js"
import { keyCodec } from "./keyCodec.js"
import * as keyRange from "./keyRange.js"
import * as keyset from "./keyset.js"
import { exactly as pgExactly } from "./pgRead.js"
import * as columns from "./resultColumns.js"
import { refail, type SqlFailure, SqlKeyError, type SqlStatementError } from "./SqlFailure.js"
import { isOutOfReach } from "./sqlState.js"

/** @internal */
export interface Opened {
  readonly query: keyset.KeyQuery
  readonly codec: keyset.KeyCodec
}

/** @internal */
export const open = (
  reader: string,
  whole: keyset.KeyQuery,
  range: keyRange.KeyRange | undefined
): Effect.Effect<Opened, SqlFailure | SqlKeyError> =>
  Effect.gen(function*() {
    const codec = yield* codecOf(reader, whole)
    yield* whole.sql.onDialectOrElse({ sqlite: () => refuseRepeated(reader, whole), orElse: () => Effect.void })
    const query = range === undefined ? whole : yield* restricted(reader, whole, range)
    const last = whole.sql.onDialectOrElse({ sqlite: () => "desc" as const, orElse: () => "asc" as const })
    yield* refuseNulls(reader, query, keyset.nullsMayHide(query.keys, last))
    return { query, codec }
  })

/** @internal */
export const countOf = (reader: string, { rows, sql }: keyset.KeyQuery): Effect.Effect<number, SqlFailure> =>
  sql<{ readonly n: string }>`select cast(count(*) as text) as n from (${rows}) as q`.pipe(
    outsideTransaction,
    reading(reader),
    Effect.map(([row]) => Number(row!.n))
  )

/**
 * Reads may be asked again, so they wait for a database that is away.
 *
 * @internal
 */
export const reading = (reader: string) => {
  const refailed = refail(`read by "${reader}"`)
  return <A, E, R>(effect: Effect.Effect<A, E, R>) => refailed(Outage.outlastingReads(effect, isOutOfReach))
}

/** @internal */
export const refusing = (reader: string) => <E>(error: E): Exclude<E, columns.Unreadable> | SqlStatementError =>
  error instanceof columns.Unreadable
    ? columns.refused(reader, error)
    : error as Exclude<E, columns.Unreadable>

/**
 * Fails where the columns of a query of SQLite cannot all be read; PostgreSQL names the columns with the rows.
 *
 * @internal
 */
export const sqliteOnly = (
  sql: SqlClient,
  look: () => Effect.Effect<columns.Unreadable | undefined>
): Effect.Effect<void, columns.Unreadable> =>
  sql.onDialectOrElse({
    sqlite: () => Effect.flatMap(look(), (found) => found === undefined ? Effect.void : Effect.fail(found)),
    orElse: () => Effect.void
  })

/** @internal */
export const keyError = (reader: string, keys: ReadonlyArray<keyset.KeyColumn>, problem: string): SqlKeyError =>
  new SqlKeyError({ reader, columns: keys.map(({ column }) => column), problem })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const codecOf = (reader: string, query: keyset.KeyQuery): Effect.Effect<keyset.KeyCodec, SqlFailure> =>
  Effect.catchIf(
    reading(reader)(outsideTransaction(keyCodec(query))),
    (error) => error.sqlState === AMBIGUOUS_COLUMN,
    (error) => Effect.zipRight(refuseRepeated(reader, query), Effect.fail(error))
  )

const AMBIGUOUS_COLUMN = "42702"

/**
 * The rows of the range. With its own key as that of the range, the reader looks for NULLs in the whole query and not in each
 * page: the test for them would keep the database from beginning at the bound.
 */
const restricted = (
  reader: string,
  query: keyset.KeyQuery,
  range: keyRange.KeyRange
): Effect.Effect<keyset.KeyQuery, SqlFailure | SqlKeyError> =>
  Effect.gen(function*() {
    const { column, upTo } = range
    const isOwn = query.keys.some((key) => key.column === column)
    const codec = yield* codecOf(reader, { ...query, keys: [{ column, direction: "asc" }] })
    yield* isOwn && upTo === null ? refuseNulls(reader, query, [column]) : Effect.void
    return { ...query, rows: keyRange.within(query.sql, query.rows, range, codec, !isOwn) }
  })

/** Asked for no row, the query says which columns it has. */
const refuseRepeated = (reader: string, { keys, rows, sql }: keyset.KeyQuery): Effect.Effect<void, SqlFailure> =>
  sqliteOnly(sql, () => columns.inSqliteSubquery(sql, rows, keyset.aliasesOf(keys))).pipe(
    Effect.zipRight(sql.onDialectOrElse({
      pg: () => pgExactly(sql)(sql`select q.* from (select 1 as one) as o left join (${rows}) as q on false`),
      orElse: () => Effect.void
    })),
    outsideTransaction,
    reading(reader),
    Effect.mapError(refusing(reader))
  )

// `column > value` passes over NULLs without a word, so they are looked for before the first page.
const refuseNulls = (
  reader: string,
  { keys, rows, sql }: keyset.KeyQuery,
  columns: ReadonlyArray<string>
): Effect.Effect<void, SqlFailure | SqlKeyError> =>
  Effect.forEach(columns, (column) =>
    Effect.flatMap(
      reading(reader)(
        outsideTransaction(sql`select 1 as one from (${rows}) as q where ${columnOf(sql, "q", column)} is null limit 1`)
      ),
      (found) => found.length === 0 ? Effect.void : Effect.fail(keyError(reader, keys, keyset.hasNull(column)))
    ), { discard: true })
