/**
 * Which keys of a chunk are the same to a PostgreSQL table (OWN-23), and the rows of a chunk as a source of statements.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type { PgColumn } from "./pgCatalog.js"
import * as pgText from "./pgText.js"
import * as pgValue from "./pgValue.js"

/**
 * The rows of a chunk, one array per column and parameter, as `r(c0, c1, …, n)` with their number `n`.
 *
 * @internal
 */
export const sourceOf = (columns: ReadonlyArray<PgColumn>): string => {
  const arrays = columns.map((column, index) => `$${index + 1}::${column.viaText ? "text" : column.type}[]`).join(", ")
  return `unnest(${arrays}) with ordinality as r(${columns.map((_, index) => `c${index}`).join(", ")}, n)`
}

/** @internal */
export const valueOf = (column: PgColumn, index: number): string =>
  column.viaText ? `r.c${index}::${column.type}` : `r.c${index}`

/**
 * One text for each item, from the encoded elements of its key columns; equal ones are equal keys.
 *
 * For most types the form of a value is known here. For the others, those with a collation that takes different texts for
 * one above all, the database ranks the keys, which costs a query of its own.
 *
 * @internal
 */
export const sameKeys = (sql: SqlClient, columns: ReadonlyArray<PgColumn>) => {
  const forms = columns.map((column) => pgValue.sameKey(column, column.deterministic))
  const ask = columns.some(({ base }) => unordered.has(base)) ? undefined : rankText(columns)
  return (keys: ReadonlyArray<ReadonlyArray<string>>): Effect.Effect<ReadonlyArray<string>, SqlError> =>
    Effect.suspend(() => {
      const known = formsOf(forms, keys)
      if (known !== undefined) {
        return Effect.succeed(known)
      }
      // Without an order there are no ranks: each item counts as another spelling of the same key.
      return ask === undefined
        ? Effect.succeed(keys[0]!.map(() => ""))
        : Effect.map(
          sql.unsafe<{ readonly rank: string }>(ask, keys.map(pgText.literal)),
          (rows) => rows.map(({ rank }) => rank)
        )
    })
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const unordered: ReadonlySet<string> = new Set([
  "json",
  "xml",
  "point",
  "line",
  "lseg",
  "box",
  "path",
  "polygon",
  "circle"
])

const rankText = (columns: ReadonlyArray<PgColumn>): string => {
  const values = columns.map((column, index) =>
    `${valueOf(column, index)}${column.collation === undefined ? "" : ` collate ${column.collation}`}`
  )
  return `select dense_rank() over (order by ${values.join(", ")})::text as rank from ${sourceOf(columns)} order by r.n`
}

/** The known forms of all keys, or undefined if one is not known. */
const formsOf = (
  forms: ReadonlyArray<(text: string) => string | undefined>,
  keys: ReadonlyArray<ReadonlyArray<string>>
): ReadonlyArray<string> | undefined => {
  const found: Array<string> = []
  for (let item = 0; item < keys[0]!.length; item++) {
    let key = ""
    for (let i = 0; i < keys.length; i++) {
      const text = pgText.unquote(keys[i]![item]!)
      const form = text === null ? undefined : forms[i]!(text)
      if (text !== null && form === undefined) {
        return undefined
      }
      // The length in front keeps keys of several columns apart.
      key += form === undefined ? "-" : `${form.length}:${form}`
    }
    found.push(key)
  }
  return found
}
