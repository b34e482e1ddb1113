/**
 * Writing chunks to a PostgreSQL table with `COPY … FROM STDIN`, in the transaction that is open.
 *
 * A row costs the server about half of what it costs in an insert, a command about a millisecond more: it pays for
 * large chunks. The server reads the rows one by one and says at which line it stopped, so the item to blame is known.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Ambient } from "./ambient.js"
import { ambient } from "./ambient.js"
import { identityOf } from "./client.js"
import * as Database from "./database.js"
import { quoteName } from "./identifiers.js"
import type { PgColumn } from "./pgCatalog.js"
import { describe } from "./pgCatalog.js"
import { examiner } from "./pgExamine.js"
import { speaksProtocol } from "./pgQuery.js"
import { rowText } from "./pgTable.js"
import * as pgText from "./pgText.js"
import * as pgValue from "./pgValue.js"
import type { SqlFailure } from "./SqlFailure.js"
import { fromSqlError, SqlDataError } from "./SqlFailure.js"
import type { TableDialect } from "./tableWrite.js"
import { encodeColumns } from "./tableWrite.js"

/** @internal */
export const pgCopy: TableDialect<PgColumn> = {
  describe,
  prepare: (sql, table, action, columns) => {
    const names = columns.map(({ name }) => quoteName(name)).join(", ")
    const text = `copy ${table.text} (${names}) from stdin with (format text, encoding 'UTF8')`
    const encoders = columns.map((column) => pgText.field(pgValue.encoder(column)))
    const elements = columns.map((column) => pgText.element(pgValue.encoder(column)))
    const examine = examiner({ operation: "insert", table: table.name }, columns, rowText(table.text, action, columns))
    return (items) =>
      Either.map(encodeColumns("insert", table.name, columns, encoders, items), (encoded) => ({
        run: Effect.suspend(() => Effect.mapError(copy(sql, text, frames(encoded)), refused(table.name, columns))),
        // The server says at which row it stopped, and not which others it would refuse.
        examine: (ask) =>
          items.length === 1 ? Effect.succeed([]) : Either.match(
            encodeColumns("insert", table.name, columns, elements, items),
            { onLeft: () => Effect.succeed([]), onRight: (rows) => examine(rows, ask) }
          ),
        pipelined: {
          commands: Effect.sync(() => [{ text, parameters: [], rows: frames(encoded) }]),
          refused: refused(table.name, columns)
        }
      }))
  }
}

/**
 * Why rows cannot be copied with this client.
 *
 * @internal
 */
export const unsupported = (sql: SqlClient): string | undefined =>
  sql.onDialectOrElse({
    pg: () =>
      speaksProtocol(sql) ? undefined : "only the client of @effect/sql-pg can COPY; use SqlItemWriter.insertInto",
    sqlite: () => "SQLite has no COPY; use SqlItemWriter.insertInto, which is the fast way there",
    orElse: () => "only PostgreSQL has COPY; use SqlItemWriter.statement"
  })

/**
 * The index of the row that the server was at when it gave up. Rows are lines: what breaks lines is escaped.
 *
 * @internal
 */
export const rowAt = (where: unknown): number | undefined => {
  const line = typeof where === "string" ? /^COPY .+?, line (\d+)(?:$|[,:])/m.exec(where)?.[1] : undefined
  return line === undefined ? undefined : Number(line) - 1
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

// Large enough to be few, small enough for the buffer that the driver copies them through, which never shrinks.
const FRAME = 64 * 1024

const frames = (columns: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<Buffer> => {
  const found: Array<Buffer> = []
  const [first, ...rest] = columns
  let text = ""
  for (let row = 0; row < first!.length; row++) {
    text += first![row]!
    for (const column of rest) {
      text += "\t" + column[row]!
    }
    text += "\n"
    if (text.length > FRAME) {
      found.push(Buffer.from(text))
      text = ""
    }
  }
  found.push(Buffer.from(text))
  return found
}

/** The part of the driver's connection that speaks the COPY protocol. */
interface Wire {
  readonly stream: { readonly cork: () => void; readonly uncork: () => void }
  readonly query: (text: string) => void
  readonly sendCopyFromChunk: (chunk: Buffer) => void
  readonly endCopyFrom: () => void
}

/**
 * A query of the driver `pg`, as pg-cursor and pg-copy-streams are queries.
 *
 * Everything is sent at once, so a chunk is one round trip. If the command itself is refused, the server passes over
 * the rows, as the protocol demands. `callback` is set by the driver.
 */
class CopyQuery {
  declare callback: (error: unknown, result?: unknown) => void
  constructor(readonly text: string, readonly frames: ReadonlyArray<Buffer>) {}
  submit(wire: Wire): void {
    wire.stream.cork()
    try {
      wire.query(this.text)
      for (const frame of this.frames) {
        wire.sendCopyFromChunk(frame)
      }
      wire.endCopyFrom()
    } finally {
      wire.stream.uncork()
    }
  }
  handleCopyInResponse(): void {}
  handleCommandComplete(): void {}
  handleError(error: unknown): void {
    this.callback(error)
  }
  handleReadyForQuery(): void {
    this.callback(null, { rows: [] })
  }
}

// In the transaction of this client that is open, and never on the connection of another one.
const copy = (sql: SqlClient, text: string, frames: ReadonlyArray<Buffer>): Effect.Effect<unknown, SqlError> =>
  Effect.flatMap(ambient, (ambient) => {
    const open = ambient._tag === "Ours"
      ? ambient.connection(identityOf(sql))
      : ambient._tag === "Theirs" && isOwn(sql, ambient)
      ? ambient.connection
      : undefined
    return open === undefined
      ? Effect.scoped(Effect.flatMap(sql.reserve, (reserved) => execute(reserved, text, frames)))
      : execute(open, text, frames)
  })

const isOwn = (sql: SqlClient, ambient: Ambient): boolean => {
  const database = Database.known(sql)
  return database !== undefined && Database.isOwn(database, ambient)
}

// executeRaw hands what it gets to the driver, which takes a query object in the place of a text. So the rows share
// the transaction's place in the queue, and interruption cancels them as it cancels a statement.
const execute = (connection: Connection, text: string, frames: ReadonlyArray<Buffer>) =>
  Effect.withSpan(
    Effect.suspend(() => connection.executeRaw(new CopyQuery(text, frames) as unknown as string, [])),
    "sql.execute",
    { kind: "client", captureStackTrace: false, attributes: { "db.operation.name": "copy", "db.query.text": text } }
  )

const refused = (table: string, columns: ReadonlyArray<PgColumn>) => (error: SqlError): SqlFailure => {
  const failure = fromSqlError("insert", table)(error)
  const where = (error.cause as { readonly where?: unknown } | null | undefined)?.where
  const item = rowAt(where)
  if (!(failure instanceof SqlDataError) || item === undefined) {
    return failure
  }
  const { constraint, detail, kind, operation, sqlState, table: at } = failure
  const column = failure.column ?? columns.find(({ name }) => isAt(where, name))?.name
  return new SqlDataError({ operation, kind, table: at, column, constraint, sqlState, item, detail })
}

const isAt = (where: unknown, column: string): boolean =>
  typeof where === "string" && /^COPY .+?, line \d+, column (.*)/m.exec(where)?.[1]?.startsWith(`${column}:`) === true
