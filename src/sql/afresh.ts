/**
 * Statements that may name something that does not exist yet: SQLite's client keeps for minutes that a statement could
 * not be prepared, and would still say so when the missing table is there.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import type { Statement } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { classify } from "./sqlState.js"

/**
 * Runs a statement past the cache of prepared ones.
 *
 * @internal
 */
export const afresh = <A>(statement: Statement<A>): Effect.Effect<ReadonlyArray<A>, SqlError> =>
  typed(statement.unprepared)

/**
 * A connection of SQLite on which statements that the cache says cannot be prepared run past it.
 *
 * @internal
 */
export const forgiving = (connection: Connection): Connection =>
  Object.assign(Object.create(connection), { execute: executeAfresh(connection) })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

// A statement that could not be prepared has done nothing, so it may run again.
const executeAfresh = (connection: Connection): Connection["execute"] => (sql, params, transformRows) =>
  Effect.catchAll(
    connection.execute(sql, params, transformRows),
    (error) =>
      isSqliteError(error.cause) && unprepared.has(classify(error).kind)
        ? typed(Effect.suspend(() => connection.executeUnprepared(sql, params, transformRows)))
        : Effect.fail(error)
  )

const unprepared: ReadonlySet<string> = new Set(["missingTable", "missingColumn"])

// It prepares while it makes the effect, hence the defect.
const typed = <A>(unprepared: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> =>
  Effect.catchSomeDefect(unprepared, (defect) =>
    isSqliteError(defect)
      ? Option.some(new SqlError({ cause: defect, message: "Failed to prepare statement" }))
      : Option.none())

const isSqliteError = (defect: unknown): boolean =>
  defect instanceof Error && "code" in defect && String(defect.code).startsWith("SQLITE_")
