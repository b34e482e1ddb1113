/**
 * Ranges of a key: where to cut the rows of a query so that the pieces are about as large as each other, and which rows
 * stand in a piece. The database counts, orders and compares (OWN-23); what goes through JavaScript is text that it wrote.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { columnOf, quoteName } from "./identifiers.js"
import type { KeyCodec } from "./keyset.js"

/**
 * The rows whose key lies behind `after`, up to `upTo` and including that. Without `after` it begins with the first row
 * there will ever be; without `upTo` it goes on to the last one, and has the rows whose key is NULL besides.
 *
 * @internal
 */
export const KeyRange = Schema.Struct({
  column: Schema.String,
  after: Schema.NullOr(Schema.String),
  upTo: Schema.NullOr(Schema.String)
})

/** @internal */
export type KeyRange = typeof KeyRange.Type

/**
 * The ranges between these keys, which ascend. Together they have every row once, whichever rows there are by then.
 *
 * @internal
 */
export const between = (column: string, bounds: ReadonlyArray<string>): ReadonlyArray<KeyRange> =>
  [...bounds, null].map((upTo, index) => ({ column, after: bounds[index - 1] ?? null, upTo }))

/**
 * At most `count - 1` keys that cut the rows into `count` pieces, none with more rows than its share and those of one key.
 *
 * The rows are numbered in the order of the key, NULL last, and the last one of each share is a bound. Many rows with one key
 * make bounds that are equal, of which one is kept; the greatest key of all bounds nothing.
 *
 * @internal
 */
export const boundsOf = (
  sql: SqlClient,
  rows: Fragment,
  column: string,
  codec: KeyCodec,
  count: number
): Effect.Effect<ReadonlyArray<string>, SqlError> =>
  Effect.gen(function*() {
    const key = columnOf(sql, "q", column)
    const [counted] = yield* sql<{ readonly n: unknown }>`select cast(count(*) as text) as n from (${rows}) as q`
    if (counted!.n === "0") {
      return []
    }
    const total = sql.literal(String(counted!.n))
    const share = (row: string) => sql`(${sql.literal(row)}) * ${sql.literal(String(count))} / ${total}`
    const numbered = sql`
      select ${key} as ${sql(KEY)}, row_number() over (order by ${key} asc nulls last) as ${
      sql(ROW)
    } from (${rows}) as q`
    const cuts = sql`
      select ${sql(KEY)}, ${sql(ROW)} from (${numbered}) as n
      where ${sql(ROW)} <= ${total} and ${share(ROW)} > ${share(`${ROW} - 1`)}`
    const next = sql`lead(c.${sql(KEY)}) over (order by c.${sql(ROW)})`
    const compared = sql`
      select c.${sql(KEY)} as ${sql.literal(quoteName(column))}, c.${sql(ROW)} as ${sql(ROW)}, ${next} is null as ${
      sql(LAST)
    },
        c.${sql(KEY)} ${sql.literal(codec.operator(0, "<"))} ${next} as ${sql(LESS)} from (${cuts}) as c`
    const found = yield* sql<{ readonly k: unknown }>`
      select ${codec.select(0)} as k from (${compared}) as q
      where ${key} is not null and ${sql(ROW)} < ${total} and (${sql(LAST)} or ${sql(LESS)}) order by ${sql(ROW)}`
    return found.map(({ k }) => codec.encode(k)!)
  })

/**
 * The rows of a query that stand in the range. `nulls`: whether those with a NULL belong to a range without end.
 *
 * @internal
 */
export const within = (
  sql: SqlClient,
  rows: Fragment,
  { after, column, upTo }: KeyRange,
  codec: KeyCodec,
  nulls: boolean
): Fragment => {
  const key = columnOf(sql, "q", column)
  const compare = (sign: "<=" | ">", text: string) =>
    sql`${key} ${sql.literal(codec.operator(0, sign))} ${codec.bind(0, text)}`
  const behind = after === null ? [] : [compare(">", after)]
  const where = upTo !== null
    ? [...behind, compare("<=", upTo)]
    : nulls && after !== null
    ? [sql`(${behind[0]!} or ${key} is null)`]
    : behind
  return where.length === 0 ? rows : sql`select q.* from (${rows}) as q where ${sql.and(where)}`
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const KEY = "__range_key"

const ROW = "__range_row"

const LAST = "__range_last"

const LESS = "__range_less"
