/**
 * Names in SQL text.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Fragment } from "@effect/sql/Statement"

/**
 * One name, quoted. `sql("a.b")` means table and column, so a column whose name holds a dot needs this.
 *
 * @internal
 */
export const quoteName = (name: string): string => `"${name.replaceAll("\"", "\"\"")}"`

/** @internal */
export const columnOf = (sql: SqlClient, alias: string, column: string): Fragment =>
  sql.literal(`${alias}.${quoteName(column)}`)

/**
 * A table name as `sql(table)` writes it: a dot separates schema and table.
 *
 * @internal
 */
export const tableText = (sql: SqlClient, table: string): string => sql`${sql(table)}`.compile()[0]
