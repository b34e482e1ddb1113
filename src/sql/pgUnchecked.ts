/**
 * Databases of PostgreSQL whose encoding is SQL_ASCII check no text that is written, so that some are not UTF-8. The server
 * refuses to give those back, and the whole result with them, and does not say which they are. They are read as bytes then.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type { Statement } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import { columnOf } from "./identifiers.js"
import { Misread } from "./readValue.js"
import { classify } from "./sqlState.js"

interface Field {
  readonly name: string
  readonly dataTypeID: number
}

interface Result {
  readonly fields: ReadonlyArray<Field>
  readonly rows: ReadonlyArray<Record<string, unknown>>
}

/**
 * The result of a query, with what is wrong with a text in its place, for whoever wants to read it.
 *
 * @internal
 */
export const unchecked = (
  sql: SqlClient,
  query: Statement<any>,
  raw: Effect.Effect<unknown, SqlError>,
  exact: <A>(statement: Statement<A>) => Statement<A>,
  parserOf: (type: number) => (text: string) => unknown
): Effect.Effect<unknown, SqlError> =>
  Effect.catchAll(raw, (error) =>
    classify(error).sqlState === UNTRANSLATABLE
      ? Effect.flatMap(isUnchecked(sql), (it) => it ? asBytes(sql, query, exact, parserOf) : error).pipe(
        Effect.catchAll(() => error)
      )
      : error)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const UNTRANSLATABLE = "22021"

const damaged = new Misread(
  "the text holds bytes that are not valid UTF-8; read it as bytes (`convert_to(…, 'SQL_ASCII')`), or correct the row"
)

const isUnchecked = (sql: SqlClient): Effect.Effect<boolean, SqlError> =>
  Effect.map(
    sql<{ readonly encoding: string }>`select current_setting('server_encoding') as encoding`,
    ([row]) => row!.encoding === "SQL_ASCII"
  )

// `format` gives what the server would have given; a cast to text cuts off blanks.
const asBytes = (
  sql: SqlClient,
  query: Statement<any>,
  exact: <A>(statement: Statement<A>) => Statement<A>,
  parserOf: (type: number) => (text: string) => unknown
): Effect.Effect<Result, SqlError> =>
  Effect.gen(function*() {
    const { fields } = (yield* sql`select * from (${query}) as q limit 0`.raw) as Result
    const columns = fields.map(({ name }, index) => {
      const column = columnOf(sql, "q", name)
      return sql`case when ${column} is distinct from null then convert_to(format('%s', ${column}), 'SQL_ASCII') end as ${
        sql(`c${index}`)
      }`
    })
    const found = (yield* exact(sql`select ${sql.csv(columns)} from (${query}) as q`).raw) as Result
    const rows = found.rows.map((row) =>
      Object.fromEntries(fields.map(({ dataTypeID, name }, index) => [
        name,
        valueOf(row[`c${index}`], parserOf(dataTypeID))
      ]))
    )
    return { fields, rows }
  })

const valueOf = (bytes: unknown, parse: (text: string) => unknown): unknown => {
  if (!(bytes instanceof Buffer)) {
    return null
  }
  const text = bytes.toString("utf8")
  return Buffer.from(text, "utf8").equals(bytes) ? parse(text) : damaged
}
