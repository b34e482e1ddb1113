/**
 * Texts of SQLite whose bytes are not UTF-8, as programs store them that know no encodings: the driver puts replacement
 * characters in their place without a word (OWN-24).
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Fragment } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import { columnOf } from "./identifiers.js"
import { Misread } from "./readValue.js"

/**
 * Puts in the place of each such text what is wrong with it, for whoever wants to read it. The database is asked only where
 * a text has a replacement character, which may be what was stored.
 *
 * @internal
 */
export const markDamaged = (
  sql: SqlClient,
  query: Fragment,
  rows: ReadonlyArray<{ readonly [column: string]: unknown }>
): Effect.Effect<void> => {
  const columns = Object.keys(rows[0] ?? {}).filter((column) => rows.some((row) => isSuspect(row[column])))
  if (columns.length === 0) {
    return Effect.void
  }
  const bytes = columns.map((column, index) =>
    sql`hex(cast(${columnOf(sql, "q", column)} as blob)) as ${sql(`c${index}`)}`
  )
  const asked = Effect.map(
    sql<{ readonly [column: string]: string }>`select ${sql.csv(bytes)} from (${query}) as q`,
    (found) => {
      for (let i = 0; i < rows.length; i++) {
        columns.forEach((column, index) => {
          const value = rows[i]![column]
          if (
            isSuspect(value) && found[i]?.[`c${index}`] !== Buffer.from(value, "utf8").toString("hex").toUpperCase()
          ) {
            Object.assign(rows[i]!, { [column]: damaged })
          }
        })
      }
    }
  )
  // What cannot stand in a subquery, such as a pragma, has no texts of users.
  return Effect.ignore(asked)
}

/** @internal */
export const damaged = new Misread(
  "the text holds bytes that are not valid UTF-8; read it as bytes (`cast(… as blob)`), or correct the row"
)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const isSuspect = (value: unknown): value is string => typeof value === "string" && value.includes("\uFFFD")
