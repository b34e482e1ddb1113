/**
 * What can go wrong in SQL, told apart by what helps: a row the table refuses is skipped, a bad moment is tried again,
 * a wrong statement is corrected by a person.
 *
 * Each of the three is an error with a tag of its own, so that `Step.skip` and `Step.retry` can pick it. No message
 * shows values of rows; what the driver said is kept apart, in `detail` or `cause`.
 *
 * @since 0.1.0
 */
import { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Driver from "../vocabulary/driverText.js"
import { type RefusedItem, refusedItem, refusedItems } from "../vocabulary/failure.js"
import * as sqlState from "./sqlState.js"

/**
 * What a database error means.
 *
 * - `retryable`: the same statements may succeed when they run again.
 * - `skippable`: one row is to blame; without it the others can be written.
 * - `sqlState`: the SQLSTATE, the result code of SQLite, or the network error code.
 * - `detail`: what the driver said, which may quote values of rows.
 *
 * @since 0.1.0
 * @category models
 */
export type Classification = sqlState.Classification

/**
 * What kind of database error it is. `missingRow` is the only one no database reports: an update or a delete that
 * found no row for an item.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Kind: Schema.Literal<[...typeof sqlState.kinds, "missingRow"]> = Schema.Literal(
  ...sqlState.kinds,
  "missingRow"
)

/**
 * @since 0.1.0
 * @category models
 */
export type Kind = typeof Kind.Type

/**
 * Represents a row that the table refuses: a violated constraint, a value that does not fit its column, or an update
 * that found nothing to update. Without that row the others can be written, so a step may skip it.
 *
 * `item` is the index of the row in what was written together, where it is known. `problem` says what does not fit,
 * without values. `detail` is what the driver said and may quote values; it is not part of the message.
 *
 * @see ITEM-22
 * @since 0.1.0
 * @category errors
 */
export class SqlDataError extends Schema.TaggedError<SqlDataError>()("SqlDataError", {
  operation: Schema.String,
  kind: Kind,
  table: Schema.optional(Schema.String),
  column: Schema.optional(Schema.String),
  constraint: Schema.optional(Schema.String),
  sqlState: Schema.optional(Schema.String),
  item: Schema.optional(Schema.Number),
  problem: Schema.optional(Schema.String),
  detail: Schema.optional(Schema.String)
}) {
  override get message(): string {
    const item = this.item === undefined ? "" : ` (item ${this.item + 1} of the chunk)`
    const problem = this.problem ?? violations[this.kind] ?? "a row is refused"
    return `${where(this)} failed: ${problem}${names(this)}${item}; ` +
      "correct the row or skip SqlDataError"
  }
  /** @internal */
  get [refusedItem](): number | undefined {
    return this.item
  }
  /** @internal */
  get [refusedItems](): ReadonlyArray<RefusedItem> | undefined {
    return tried.get(this)
  }
}

/**
 * Remembers with an error about a chunk what the database has said about all of its rows.
 *
 * @internal
 */
export const withRefused = (error: SqlDataError, rows: ReadonlyArray<SqlDataError>): SqlDataError => {
  tried.set(error, rows.map((row) => ({ item: row.item!, error: row })))
  return error
}

/**
 * Represents a failure that may pass: a serialization conflict, a deadlock, a lock that is held, a lost connection.
 * The transaction was rolled back; a step may try it again.
 *
 * @since 0.1.0
 * @category errors
 */
export class SqlTransientError extends Schema.TaggedError<SqlTransientError>()("SqlTransientError", {
  operation: Schema.String,
  kind: Kind,
  table: Schema.optional(Schema.String),
  sqlState: Schema.optional(Schema.String),
  cause: Schema.optional(Schema.Defect)
}) {
  override get message(): string {
    return `${where(this)} failed: ${moments[this.kind] ?? "the database was not able to"}${names(this)}; ` +
      "it may succeed when it is tried again: restart the job, or let the step retry SqlTransientError"
  }
}

/**
 * Represents a statement that cannot work as it is: a missing table or column, a syntax error, a missing permission.
 * Neither skipping nor retrying helps.
 *
 * @since 0.1.0
 * @category errors
 */
export class SqlStatementError extends Schema.TaggedError<SqlStatementError>()("SqlStatementError", {
  operation: Schema.String,
  kind: Kind,
  table: Schema.optional(Schema.String),
  column: Schema.optional(Schema.String),
  sqlState: Schema.optional(Schema.String),
  /** What is wrong, in one sentence, where it can be said without values of rows. */
  problem: Schema.optional(Schema.String),
  cause: Schema.optional(Schema.Defect)
}) {
  override get message(): string {
    const outside = Driver.problemOf(this.sqlState)
    const problem = outside ?? this.problem ?? faults[this.kind] ?? "the statement failed"
    return `${where(this)} failed: ${problem}${names(this)}${
      outside === undefined ? "; correct the statement or the schema and restart" : ""
    }`
  }
}

/**
 * What a statement can fail with.
 *
 * @since 0.1.0
 * @category models
 */
export type SqlFailure = SqlDataError | SqlTransientError | SqlStatementError

/**
 * Represents a row that does not fit the Schema of its reader: a bad record, which a step may skip. `key` tells which
 * row it is; `problem` leaves out what the Schema marks as sensitive.
 *
 * @since 0.1.0
 * @category errors
 */
export class SqlRowError extends Schema.TaggedError<SqlRowError>()("SqlRowError", {
  reader: Schema.String,
  key: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `Reader "${this.reader}" cannot decode the row with ${this.key}: ${this.problem}; ` +
      "correct the row or the schema, or skip SqlRowError"
  }
}

/**
 * Represents a key that rows cannot be paged by: a NULL in it, a value that occurs twice, or a stored position that
 * belongs to another key. Going on would lose rows silently, so the reader fails.
 *
 * @since 0.1.0
 * @category errors
 */
export class SqlKeyError extends Schema.TaggedError<SqlKeyError>()("SqlKeyError", {
  reader: Schema.String,
  columns: Schema.Array(Schema.String),
  problem: Schema.String
}) {
  override get message(): string {
    const key = this.columns.map((column) => `"${column}"`).join(", ")
    return `Reader "${this.reader}" cannot page by the key (${key}): ${this.problem}`
  }
}

/**
 * Represents an item whose fields are not the columns that are written, or hold a value no column can take. Nothing
 * of the chunk was written. `item` is the index of the item in the chunk, where it is known; messages count from 1. The value
 * is never shown.
 *
 * @since 0.1.0
 * @category errors
 */
export class SqlColumnError extends Schema.TaggedError<SqlColumnError>()("SqlColumnError", {
  table: Schema.String,
  column: Schema.String,
  item: Schema.optional(Schema.Number),
  problem: Schema.String
}) {
  override get message(): string {
    const column = this.column === "" ? "" : `, field "${this.column}"`
    const item = this.item === undefined ? "An item" : `Item ${this.item + 1}`
    return `${item} of the chunk cannot be written to "${this.table}"${column}: ${this.problem}`
  }
  /** @internal */
  get [refusedItem](): number | undefined {
    return this.item
  }
}

/**
 * Classifies a `SqlError`, or the driver's error itself. Total: what it does not know is `other`, which is neither
 * retried nor skipped.
 *
 * @example
 * ```ts
 * import { SqlFailure } from "effect-batch/sql"
 *
 * assert.strictEqual(SqlFailure.classify({ code: "40P01" }).retryable, true)
 * assert.strictEqual(SqlFailure.classify({ code: "23505" }).skippable, true)
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const classify: (error: unknown) => Classification = sqlState.classify

/**
 * Turns a `SqlError` into the error that says what helps. `operation` is what was tried, such as "write"; `table` is
 * where, unless the database says so itself.
 *
 * @example
 * ```ts
 * import { SqlFailure } from "effect-batch/sql"
 * import { SqlError } from "@effect/sql/SqlError"
 *
 * const error = SqlFailure.fromSqlError("write", "payments")(new SqlError({ cause: { code: "40001" } }))
 *
 * assert.strictEqual(error._tag, "SqlTransientError")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromSqlError = (operation: string, table?: string) => (error: SqlError): SqlFailure => {
  const found = classify(error)
  const at = { operation, kind: found.kind, table: found.table ?? table, sqlState: found.sqlState }
  if (found.skippable) {
    return new SqlDataError({ ...at, column: found.column, constraint: found.constraint, detail: found.detail })
  }
  const cause = error.cause ?? error
  return found.retryable
    ? new SqlTransientError({ ...at, cause })
    : new SqlStatementError({ ...at, column: found.column, problem: problemOf(found), cause })
}

/**
 * Turns the `SqlError`s of an effect into the errors that say what helps. Other errors stay as they are.
 *
 * @example
 * ```ts
 * import { SqlFailure } from "effect-batch/sql"
 * import { SqlClient } from "@effect/sql"
 * import { Effect } from "effect"
 *
 * // Effect<ReadonlyArray<Row>, SqlFailure, SqlClient>
 * const accounts = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select id from accounts`).pipe(
 *   SqlFailure.refail("read", "accounts")
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const refail =
  (operation: string, table?: string) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, Exclude<E, SqlError> | SqlFailure, R> =>
    Effect.mapError(
      effect,
      (error) => error instanceof SqlError ? fromSqlError(operation, table)(error) : error as Exclude<E, SqlError>
    )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const tried = new WeakMap<SqlDataError, ReadonlyArray<RefusedItem>>()

type Texts = { readonly [K in Kind]?: string }

const violations: Texts = {
  unique: "a row with the same key exists already",
  notNull: "a value is missing in a column that needs one",
  check: "a row violates a check",
  foreignKey: "a row refers to one that does not exist, or is referred to",
  dataType: "a value does not fit its column",
  missingRow: "there is no row for an item"
}

const moments: Texts = {
  serialization: "a concurrent transaction changed the same data",
  deadlock: "the transaction was chosen to end a deadlock",
  connection: "the database cannot be reached or the connection was lost",
  busy: "the data is locked or the statement took too long"
}

const faults: Texts = {
  missingTable: "the table does not exist",
  missingColumn: "a column does not exist",
  permission: "the database user is not allowed to do this"
}

const where = (at: { readonly operation: string; readonly table?: string | undefined }): string =>
  at.table === undefined ? `SQL ${at.operation}` : `SQL ${at.operation} of "${at.table}"`

const names = (at: {
  readonly column?: string | undefined
  readonly constraint?: string | undefined
  readonly sqlState?: string | undefined
}): string => {
  const parts = [
    ...(at.column === undefined ? [] : [`column "${at.column}"`]),
    ...(at.constraint === undefined ? [] : [`constraint "${at.constraint}"`]),
    ...(at.sqlState === undefined ? [] : [at.sqlState])
  ]
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`
}

// Class 42 is about the text of the statement, whose message never quotes a row; others might.
const problemOf = (found: Classification): string | undefined =>
  found.kind === "other" && (found.sqlState?.startsWith("42") === true || found.sqlState === "SQLITE_ERROR")
    ? found.detail?.replace(/\s+/g, " ")
    : undefined
