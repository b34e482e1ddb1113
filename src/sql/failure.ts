/**
 * From database errors to the errors of the library.
 */
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type { FailureReason } from "../vocabulary/BatchError.js"
import { JobRepositoryError, TransactionError } from "../vocabulary/BatchError.js"
import * as Driver from "../vocabulary/driverText.js"
import type { Classification } from "./sqlState.js"
import { classify } from "./sqlState.js"

/**
 * Somebody else has the connections. The message is for users.
 *
 * @internal
 */
export class NoConnection extends Error {
  override readonly name = "NoConnection"
}

/** @internal */
export const refail = (operation: string) => <A, R>(effect: Effect.Effect<A, SqlError, R>) =>
  Effect.mapError(effect, (error) => repositoryError(operation, error))

/** @internal */
export const repositoryError = (operation: string, error: unknown): JobRepositoryError => {
  const found = classify(error)
  return new JobRepositoryError({
    operation,
    reason: found.kind === "unique" ? "conflict" : reasonOf(found),
    detail: withoutConnection(error)?.message ?? detailOf(found),
    cause: error
  })
}

/** @internal */
export const transactionError = (phase: TransactionError["phase"], error: unknown): TransactionError => {
  const found = classify(error)
  return new TransactionError({ phase, reason: reasonOf(found), sqlState: found.sqlState, cause: error })
}

/**
 * The repository's view of a transaction of its own that failed. The phase says nothing to who asked for the operation,
 * except for the commit: after that the outcome may be unknown.
 *
 * @internal
 */
export const fromTransactionError = (operation: string, error: TransactionError): JobRepositoryError =>
  new JobRepositoryError({
    operation,
    reason: error.reason,
    detail: `${error.phase === "commit" ? "in its commit, " : ""}${
      withoutConnection(error.cause)?.message ?? detailOf(classify(error.cause))
    }`,
    cause: error.cause
  })

/**
 * Whether the database has certainly rolled back and the same transaction may succeed next time. A connection that is
 * lost in a commit leaves the outcome open, and whoever could not begin has waited long enough.
 *
 * @internal
 */
export const isContention = (error: unknown): boolean =>
  (error instanceof JobRepositoryError || (error instanceof TransactionError && error.phase !== "begin")) &&
  contention.has(classify(error.cause).kind)

// internal

const contention: ReadonlySet<string> = new Set(["serialization", "deadlock", "busy"])

const withoutConnection = (error: unknown): NoConnection | undefined =>
  error instanceof NoConnection
    ? error
    : error instanceof Error && error.cause !== undefined
    ? withoutConnection(error.cause)
    : undefined

const reasonOf = (found: Classification): FailureReason =>
  found.retryable ? "transient" : found.skippable ? "data" : "fatal"

const detailOf = (found: Classification): string => {
  const code = found.sqlState === undefined ? "" : ` [${found.sqlState}]`
  const state = found.sqlState === "3F000" ? noSchema : Driver.problemOf(found.sqlState)
  return `${state ?? sentences[found.kind] ?? other(found)}${code}`
}

const sentences: { readonly [K in Classification["kind"]]?: string } = {
  connection: "the database cannot be reached or the connection was lost: check that it runs, its address and its " +
    "credentials, and that it has connections left",
  missingTable: "a table of the repository is missing: let the layer create the tables, or run the statements of " +
    "Migrations.statements, and check the prefix and the schema search path",
  missingColumn:
    "a table of the repository lacks a column: let the layer migrate the tables, or run the statements of " +
    "Migrations.statements, and check that the prefix is not that of other tables",
  permission: "the database user is not allowed to do this: grant it select, insert, update and delete on the tables " +
    "of the repository, or let a privileged user run the migrations",
  unique: "the same row was stored by somebody else",
  busy: "the data is locked by another transaction",
  serialization: "a concurrent transaction changed the same data",
  deadlock: "the transaction was chosen to end a deadlock"
}

const noSchema = "the schema of the prefix does not exist: create it, or use another prefix"

// What the driver says may quote values; only its messages about the text of a statement (class 42) never do.
const other = (found: Classification): string => {
  if (found.skippable) {
    return `the database refuses a value${found.column === undefined ? "" : ` of column "${found.column}"`}`
  }
  return found.sqlState?.startsWith("42") === true && found.detail !== undefined
    ? found.detail.replace(/\s+/g, " ")
    : "the database refuses the statement, see the cause"
}
