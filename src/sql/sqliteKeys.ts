/**
 * Which keys of a chunk are the same to an SQLite table (OWN-23).
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Decimal from "./decimal.js"
import { quoteName } from "./identifiers.js"

/**
 * Texts that a collation may take for one another, as rows of a select, and how many there are.
 *
 * @internal
 */
export const PROBE = "values ('a'), ('A'), ('a '), ('é'), ('É'), ('e'), ('ß'), ('ss')"

/** @internal */
export const PROBES = 8

/**
 * One text for each item, from the bound values of its key columns; equal ones are equal keys.
 *
 * Numbers, bytes and NULLs are compared here. Texts are compared by the collation of their column, which SQLite does not
 * tell by name: so it is asked, unless it has shown that it tells every two texts apart.
 *
 * @internal
 */
export const sameKeys = (sql: SqlClient, table: string, columns: ReadonlyArray<string>) => {
  const classes = columns.map((column) => textClasses(sql, table, column))
  return (values: ReadonlyArray<ReadonlyArray<unknown>>): Effect.Effect<ReadonlyArray<string>, SqlError> =>
    Effect.map(
      Effect.forEach(values, (column, index) =>
        Effect.map(classes[index]!(column), (textOf) => column.map(keyOf(textOf)))),
      (keys) =>
        keys.length === 1 ? keys[0]! : keys[0]!.map((_, item) => JSON.stringify(keys.map((key) => key[item])))
    )
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type TextOf = (text: string) => string

const itself: TextOf = (text) => text

const keyOf = (textOf: TextOf) => (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return `t${textOf(value)}`
    case "bigint":
    case "number":
      return `n${Decimal.canonical(String(value)) ?? value}`
    default:
      return value === null ? "" : `b${(value as Buffer).toString("hex")}`
  }
}

// In a compound select a column has the collation that it has in the first part.
const like = (table: string, column: string, values: string): string =>
  `with u(k) as (select ${quoteName(column)} from ${table} where 0 union all ${values})`

const textClasses = (sql: SqlClient, table: string, column: string) => {
  const probe = `${like(table, column, PROBE)} select count(distinct k) as n from u`
  const ask = `${like(table, column, "select value from json_each(?)")}
    select k, dense_rank() over (order by k) as c from u`
  let isBinary: boolean | undefined
  return (values: ReadonlyArray<unknown>): Effect.Effect<TextOf, SqlError> =>
    Effect.gen(function*() {
      const texts = new Set(values.filter((value): value is string => typeof value === "string"))
      if (texts.size < 2 || isBinary === true) {
        return itself
      }
      if (isBinary === undefined) {
        const [found] = yield* sql.unsafe<{ readonly n: number }>(probe)
        isBinary = Number(found!.n) === PROBES
      }
      if (isBinary) {
        return itself
      }
      const rows = yield* sql.unsafe<{ readonly k: string; readonly c: number }>(ask, [JSON.stringify([...texts])])
      const found = new Map(rows.map(({ c, k }) => [k, String(c)]))
      return (text: string) => found.get(text) ?? text
    })
}
