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

/** @internal */
export interface TableName {
  readonly schema: string | undefined
  readonly table: string
}

/**
 * What a table's name may mean, the likeliest first. A dot separates schema and table, or belongs to the name: the database
 * knows which one there is. Parts in double quotes are taken as they are: `sales."2024.payments"`.
 *
 * @internal
 */
export const meaningsOf = (name: string): ReadonlyArray<TableName> => {
  const [, schema, table] = /^("(?:[^"]|"")+"|[^".][^.]*)\.(.+)$/s.exec(name) ?? []
  const whole: TableName = { schema: undefined, table: unquoted(name) }
  return schema === undefined ? [whole] : [{ schema: unquoted(schema), table: unquoted(table!) }, whole]
}

/**
 * A table, quoted for SQL text.
 *
 * @internal
 */
export const tableText = ({ schema, table }: TableName): string =>
  schema === undefined ? quoteName(table) : `${quoteName(schema)}.${quoteName(table)}`

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const unquoted = (name: string): string =>
  /^"(?:[^"]|"")+"$/.test(name) ? name.slice(1, -1).replaceAll("\"\"", "\"") : name
