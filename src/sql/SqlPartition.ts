/**
 * Plans for `Step.partition` over the rows of a query.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as Outage from "../ports/outage.js"
import { JobDefinitionError } from "../vocabulary/BatchError.js"
import { stripped as outsideTransaction } from "./client.js"
import { keyCodec } from "./keyCodec.js"
import * as keyRange from "./keyRange.js"
import { refail, type SqlFailure } from "./SqlFailure.js"
import type { Select } from "./SqlItemReader.js"
import { isOutOfReach } from "./sqlState.js"

/**
 * A part of the rows of a query, by the key that it was planned by. The bounds are text that the database has written and
 * reads back, with all digits of a number and microseconds of a time.
 *
 * @since 0.1.0
 * @category models
 */
export interface KeyRange {
  readonly column: string
  /** The key behind which it begins; null for the first range. */
  readonly after: string | null
  /** The last key in it; null for the last range, which has all greater ones and NULL. */
  readonly upTo: string | null
}

/**
 * The schema of `KeyRange`, for `input` of `Step.partition`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const KeyRange: Schema.Schema<KeyRange> = keyRange.KeyRange

/**
 * Divides the rows of a query into ranges of a key with about equal numbers of rows, whatever the values of the key are.
 *
 * - `select`: the rows, as `SqlItemReader.keyset` takes them.
 * - `key`: a column of them of any type that the database can order. It need not be unique.
 * - `partitions`: how many ranges to make, at least 1.
 *
 * All rows with the same key are in one range, so there are fewer ranges where there are fewer keys, and a key with more than its
 * share of the rows makes a range that is larger than the others: none has more than its share and the rows of one key. Rows
 * whose key is NULL are in the last range. The database orders and compares, by the type and the collation of the column.
 *
 * The ranges have every row once, also those that are added between the plan and the read: the first one has no beginning,
 * and the last one no end. So an empty table makes one range. A row whose key changes meanwhile may be read twice or not at
 * all: take a key that stays as it is.
 *
 * The rows are counted and numbered once, which is one pass over an index on the key, or a sort; the database sends the
 * bounds alone. PostgreSQL and SQLite.
 *
 * @example
 * ```ts
 * import { ItemWriter, Step } from "effect-batch"
 * import { SqlItemReader, SqlPartition } from "effect-batch/sql"
 * import { Schema } from "effect"
 *
 * const select: SqlItemReader.Select = (sql) => sql`select id, amount from payments where state = ${"open"}`
 *
 * const settle = Step.partition("settle", {
 *   plan: SqlPartition.ranges({ select, key: "id", partitions: 16 }),
 *   input: SqlPartition.KeyRange,
 *   step: (range) =>
 *     Step.chunk("payments", {
 *       reader: SqlItemReader.keyset({
 *         select,
 *         range,
 *         key: ["id"],
 *         schema: Schema.Struct({ id: Schema.Number, amount: Schema.NumberFromString })
 *       }),
 *       writer: ItemWriter.discard,
 *       chunkSize: 500
 *     }),
 *   concurrency: 4
 * })
 *
 * assert.strictEqual(settle.name, "settle")
 * ```
 *
 * @see PART-13, OWN-23
 * @since 0.1.0
 * @category constructors
 */
export const ranges = (options: {
  readonly select: Select
  readonly key: string
  readonly partitions: number
}): Effect.Effect<
  ReadonlyArray<{ readonly name: string; readonly input: KeyRange }>,
  SqlFailure,
  SqlClient.SqlClient
> => {
  const { key: column, partitions, select } = options
  if (!Number.isSafeInteger(partitions) || partitions < 1 || partitions > MOST) {
    throw new JobDefinitionError({
      defects: [`\`partitions\` of SqlPartition.ranges is ${partitions}, give a whole number from 1 to ${MOST}`]
    })
  }
  return Effect.gen(function*() {
    const sql = (yield* SqlClient.SqlClient).withoutTransforms()
    const rows = select(sql)
    const codec = yield* keyCodec({ sql, rows, keys: [{ column, direction: "asc" }] })
    const bounds = partitions === 1 ? [] : yield* keyRange.boundsOf(sql, rows, column, codec, partitions)
    return keyRange.between(column, bounds).map((input, index) => ({ name: `range ${index + 1}`, input }))
  }).pipe(
    outsideTransaction,
    (planned) => Outage.outlastingReads(planned, isOutOfReach),
    refail(`plan ranges of "${column}"`)
  )
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** What the engine plans at most without taking long; a range of fewer rows than that costs more than it gives. */
const MOST = 1_000_000
