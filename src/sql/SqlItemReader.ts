/**
 * Readers of rows.
 *
 * `keyset` reads a table of any size page by page and restarts after the last committed row without reading what came
 * before. `query` reads a small result at once. Both use the `SqlClient` of the context and return columns by the names
 * the database gives them, whatever name transforms the client has.
 *
 * Values are read exactly (OWN-24). Where the Schema takes a `string`, it gets the text of the database, which a writer
 * puts back unchanged: `bigint` and `numeric` with all digits, times to the microsecond as ISO text, intervals, ranges,
 * arrays and JSON as they are. Where it takes only a `Date`, a `number`, a `bigint`, a `boolean`, an array or an
 * object, the text becomes one; if that would lose something, the row is a bad record (`SqlRowError`). Times without
 * zone are taken as UTC, wherever the process runs. Integers of SQLite are numbers, beyond 2^53 `bigint`s.
 * Two columns of one name are a `SqlStatementError`, as a row could hold only one of them.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment, Statement } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import * as ItemReader from "../item/ItemReader.js"
import { JobDefinitionError, type UnreadablePosition } from "../vocabulary/BatchError.js"
import { afresh } from "./afresh.js"
import { stripped as outsideTransaction } from "./client.js"
import type { KeyRange } from "./keyRange.js"
import * as keyset_ from "./keyset.js"
import { countOf, keyError, open, reading, refusing, sqliteOnly } from "./keysetOpening.js"
import { exactly as pgExactly } from "./pgRead.js"
import * as columns from "./resultColumns.js"
import * as resultRows from "./resultRows.js"
import type { Decode } from "./rowDecoder.js"
import { rowDecoder } from "./rowDecoder.js"
import type { SqlFailure, SqlKeyError, SqlRowError } from "./SqlFailure.js"
import { markDamaged } from "./sqliteDamage.js"

/**
 * The query of a reader, built with the client it runs on: identifiers as `sql("name")`, values bound as `${value}`.
 *
 * @since 0.1.0
 * @category models
 */
export type Select = (sql: SqlClient.SqlClient) => Fragment

/**
 * A column of a key: ascending, or with its direction.
 *
 * @since 0.1.0
 * @category models
 */
export type KeyColumn = string | { readonly column: string; readonly direction: "asc" | "desc" }

/**
 * How `keyset` reads.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeysetOptions<A, I> {
  /** The name in errors and descriptions. Default "sql". */
  readonly name?: string | undefined
  /** The query, without `order by` and `limit`. It becomes a subquery of each page. */
  readonly select: Select
  /** Columns of the result that together are unique and never NULL, in the order to read by. */
  readonly key: readonly [KeyColumn, ...Array<KeyColumn>]
  /** Decodes a row: an object with the columns of the query. */
  readonly schema: Schema.Schema<A, I>
  /** The part of the rows to read, as `SqlPartition.ranges` has planned it. Default: all. */
  readonly range?: KeyRange | undefined
  /** Rows to fetch at a time, at least as many as the engine requests. Default: as many as the engine requests. */
  readonly pageSize?: number | undefined
  /** Counts the rows when the reader opens, to show progress. The database runs the query once more for it. */
  readonly count?: boolean | undefined
}

/**
 * What a keyset reader can fail with.
 *
 * @since 0.1.0
 * @category models
 */
export type KeysetError = SqlFailure | SqlRowError | SqlKeyError

/**
 * What the reader of a query can fail with.
 *
 * @since 0.1.0
 * @category models
 */
export type QueryError = SqlFailure | SqlRowError | UnreadablePosition

/**
 * Reads the rows of a query in the order of a unique key, each page one short statement `… where key > last order by
 * key limit n`. With an index on the key a page costs the same wherever it is.
 *
 * The position is the key of the last row, kept as text by the database, so a restart continues exactly after it:
 * every row is read once, also rows whose keys are 64-bit integers or timestamps with microseconds. Rows added after
 * the position while the job runs are read too; rows added before it, or whose keys move there, are not, and nobody can
 * tell. No cursor, lock or snapshot is held between pages. Pages are read
 * outside the transaction that is open; on SQLite, which has one connection, pulling *inside* a transaction of the same
 * fiber would wait for itself, so the reader is not for steps that read in the transaction.
 *
 * A row that does not fit the schema is a bad record: it fails with `SqlRowError` and reading continues after it. A key
 * that is NULL or occurs twice would lose rows silently, so both fail with `SqlKeyError`. PostgreSQL and SQLite.
 *
 * @example
 * ```ts
 * import { SqlItemReader } from "effect-batch/sql"
 * import { Schema } from "effect"
 *
 * const Payment = Schema.Struct({ id: Schema.Number, amount: Schema.NumberFromString })
 *
 * // ItemReader<{ id: number; amount: number }, KeysetError, SqlClient>
 * const open = SqlItemReader.keyset({
 *   name: "payments",
 *   select: (sql) => sql`select id, amount, created_at from payments where state = ${"open"}`,
 *   key: [{ column: "created_at", direction: "desc" }, "id"],
 *   schema: Payment
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const keyset = <A, I>(
  options: KeysetOptions<A, I>
): ItemReader.ItemReader<A, KeysetError, SqlClient.SqlClient> => {
  const name = options.name ?? "sql"
  const keys = keyset_.columnsOf(options.key)
  const defects = keyset_.defects(name, keys, options.pageSize ?? 1)
  if (defects.length > 0) {
    throw new JobDefinitionError({ defects })
  }
  const pageSize = options.pageSize ?? 1
  const decode = rowDecoder(name, options.schema)
  return ItemReader.make<A, KeysetError, SqlClient.SqlClient>(name, (from) =>
    Effect.gen(function*() {
      const sql = (yield* SqlClient.SqlClient).withoutTransforms()
      const whole: keyset_.KeyQuery = { sql, rows: options.select(sql), keys }
      const place = yield* startAt(name, keys, from)
      const { codec, query } = yield* open(name, whole, options.range)
      const run = exactly(sql)
      const fetch = (after: keyset_.Key | undefined, limit: number) =>
        keyset_.pageOf(query, codec, after, limit + 1).pipe(
          run,
          outsideTransaction,
          reading(name),
          Effect.flatMap((rows) => keyset_.fetched(rows, codec, keys, after, limit)),
          Effect.mapError((error) => typeof error === "string" ? keyError(name, keys, error) : refusing(name)(error))
        )
      const source = paged({ keys, show: codec.show, fetch, decode, place, pageSize })
      return options.count === true
        ? { ...source, progress: progressOf(source.read, yield* countOf(name, query)) }
        : source
    }))
}

/**
 * Reads the whole result of a query when the reader opens and keeps it in memory: for results of at most a few
 * thousand rows that have no key.
 *
 * The position is the number of rows read and a checksum of them. A restart runs the query again and passes over that
 * many, so the query must have an `order by` that returns the same rows in the same order. Fewer rows, other ones or another
 * order are `UnreadablePosition`: going on would lose rows, or read some twice. A job that changes the rows that it reads
 * names the columns that stay as they are in `key`, or uses `keyset`.
 *
 * @example
 * ```ts
 * import { SqlItemReader } from "effect-batch/sql"
 * import { Schema } from "effect"
 *
 * const totals = SqlItemReader.query({
 *   name: "totals",
 *   select: (sql) => sql`select customer, sum(amount) as total from payments group by customer order by customer`,
 *   schema: Schema.Struct({ customer: Schema.String, total: Schema.NumberFromString })
 * })
 * ```
 *
 * @see OWN-22
 * @since 0.1.0
 * @category constructors
 */
export const query = <A, I>(options: {
  /** The name in errors and descriptions. Default "sql". */
  readonly name?: string | undefined
  readonly select: Select
  readonly schema: Schema.Schema<A, I>
  /** The columns by which a restart recognises the rows that were read. Default: all columns of the query. */
  readonly key?: readonly [string, ...Array<string>] | undefined
}): ItemReader.ItemReader<A, QueryError, SqlClient.SqlClient> => {
  const name = options.name ?? "sql"
  if (options.key?.length === 0) {
    throw new JobDefinitionError({ defects: [`the key of reader "${name}" has no column, and would tell no row`] })
  }
  const decode = rowDecoder(name, options.schema)
  return ItemReader.make<A, QueryError, SqlClient.SqlClient>(
    name,
    (from) =>
      Effect.gen(function*() {
        const sql = (yield* SqlClient.SqlClient).withoutTransforms()
        const select = options.select(sql)
        const rows = yield* exactly(sql, afresh)(sql<keyset_.Row>`${select}`).pipe(
          Effect.tap((rows) => sqliteOnly(sql, () => columns.inSqliteRows(sql, select, rows))),
          outsideTransaction,
          reading(name),
          Effect.mapError(refusing(name))
        )
        const result = yield* resultRows.open(name, rows, options.key, from)
        const pull = (max: number) =>
          Effect.sync(() => {
            const start = result.read()
            const { failure, items, next } = cut(rows, start, max, (row, at) => {
              result.pass(row)
              return decode(row, () => `number ${at + 1}`)
            })
            return { items, failure, position: result.position(), done: next >= rows.length }
          })
        return { pull, waits: false, progress: () => ({ done: result.read(), total: rows.length }) }
      })
  )
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Numbers of 64 bits, microseconds and JSON as the database has them, not as its driver simplifies them. */
const exactly = (
  sql: SqlClient.SqlClient,
  run: (statement: Statement<keyset_.Row>) => Effect.Effect<ReadonlyArray<keyset_.Row>, SqlError> = identity
): (statement: Statement<keyset_.Row>) => Effect.Effect<ReadonlyArray<keyset_.Row>, SqlError | columns.Unreadable> =>
  sql.onDialectOrElse({
    pg: () => pgExactly(sql),
    sqlite: () => (statement: Statement<keyset_.Row>) =>
      Effect.provideService(run(statement), SqlClient.SafeIntegers, true).pipe(
        Effect.tap((rows) => markDamaged(sql, statement, rows))
      ),
    orElse: () => run
  })

const startAt = (
  reader: string,
  keys: ReadonlyArray<keyset_.KeyColumn>,
  from: Option.Option<ItemReader.Position>
): Either.Either<keyset_.Place, SqlKeyError> =>
  Option.isNone(from)
    ? Either.right({ after: undefined, read: 0 })
    : Either.mapLeft(keyset_.decodePlace(keys, from.value), (problem) => keyError(reader, keys, problem))

// Rows may be added while the reader is at work.
const progressOf = (read: () => number, total: number) => (): ItemReader.Progress => {
  const done = read()
  return { done, total: Math.max(done, total) }
}

interface Paged<A> {
  readonly keys: ReadonlyArray<keyset_.KeyColumn>
  readonly show: (text: string) => string
  readonly fetch: (
    after: keyset_.Key | undefined,
    limit: number
  ) => Effect.Effect<keyset_.Fetched, SqlFailure | SqlKeyError>
  readonly decode: Decode<A>
  readonly place: keyset_.Place
  readonly pageSize: number
}

const paged = <A>({ decode, fetch, keys, pageSize, place: start, show }: Paged<A>) => {
  let place = start
  let buffer = keyset_.nothing
  let index = 0
  const keyText = (at: number) => keys.map(({ column }, i) => `${column} = ${show(buffer.keys[at]![i]!)}`).join(", ")
  const consume = (max: number): ItemReader.Page<A, SqlRowError> => {
    const { failure, items, next } = cut(buffer.rows, index, max, (row, at) => decode(row, () => `key ${keyText(at)}`))
    place = { after: next === 0 ? place.after : buffer.keys[next - 1], read: place.read + next - index }
    index = next
    const done = buffer.last && index === buffer.rows.length
    return { items, failure, position: keyset_.encodePlace(keys, place), done }
  }
  const pull = (max: number) =>
    Effect.suspend(() =>
      index < buffer.rows.length || buffer.last
        ? Effect.succeed(consume(max))
        : Effect.map(fetch(place.after, Math.max(pageSize, max)), (next) => {
          buffer = next
          index = 0
          return consume(max)
        })
    )
  return { pull, waits: false, read: () => place.read }
}

// Decodes up to `max` rows, and stops behind the first one that cannot be decoded.
const cut = <A>(
  rows: ReadonlyArray<keyset_.Row>,
  from: number,
  max: number,
  decode: (row: keyset_.Row, index: number) => Either.Either<A, SqlRowError>
) => {
  const items: Array<A> = []
  let next = from
  while (next < rows.length && items.length < max) {
    const decoded = decode(rows[next]!, next)
    next++
    if (Either.isLeft(decoded)) {
      return { items, failure: Option.some(decoded.left), next }
    }
    items.push(decoded.right)
  }
  return { items, failure: Option.none<SqlRowError>(), next }
}
