/**
 * Statements that may name something that does not exist yet.
 */
import { SqlError } from "@effect/sql/SqlError"
import type { Statement } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/**
 * Runs a statement past the cache of prepared ones: SQLite's client keeps for minutes that a statement could not be
 * prepared, and would still say so when the missing table is there.
 *
 * @internal
 */
export const afresh = <A>(statement: Statement<A>): Effect.Effect<ReadonlyArray<A>, SqlError> =>
  // It prepares while it makes the effect, hence the defect.
  Effect.catchSomeDefect(statement.unprepared, (defect) =>
    isSqliteError(defect)
      ? Option.some(new SqlError({ cause: defect, message: "Failed to prepare statement" }))
      : Option.none())

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const isSqliteError = (defect: unknown): boolean =>
  defect instanceof Error && "code" in defect && String(defect.code).startsWith("SQLITE_")
