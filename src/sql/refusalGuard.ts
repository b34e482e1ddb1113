/**
 * Where PostgreSQL is asked which rows of a chunk it refuses: everything has to be as it was in front of the chunk, or a row
 * is refused for want of another one that the same transaction had written.
 */
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type { Ambient } from "./ambient.js"
import { ambient } from "./ambient.js"
import { identityOf } from "./client.js"
import * as Database from "./database.js"
import { isBegun } from "./openTransaction.js"
import { ask, speaksProtocol } from "./pgQuery.js"
import type { SqlFailure } from "./SqlFailure.js"
import { fromSqlError, refail } from "./SqlFailure.js"
import type { Ask } from "./tableWrite.js"

/**
 * How the rows of a refused chunk are tried one by one where everything is as it was in front of the chunk: behind a rollback
 * of the whole transaction, when the chunk is the first that it writes, or of a savepoint. A savepoint costs two messages,
 * so small chunks have none.
 *
 * @internal
 */
export type Guard = "transaction" | "savepoint" | "none"

/** @internal */
export const guardOf = (database: Database.Database, ambient: Ambient, items: number): Guard => {
  // There each statement is undone by itself, and the search has a savepoint of its own.
  if (database.dialect.name === "sqlite" || !Database.isOwn(database, ambient)) {
    return "transaction"
  }
  return ambient._tag === "Ours" && ambient.transaction.nested === undefined && !isBegun(ambient.transaction)
    ? "transaction"
    : items < WORTH_A_SAVEPOINT || !speaksProtocol(database.sql)
    ? "none"
    : "savepoint"
}

/** @internal */
export const guarded = (
  { sql }: Database.Database,
  guard: Guard,
  run: Effect.Effect<void, SqlFailure>
): Effect.Effect<void, SqlFailure> =>
  guard !== "savepoint" ? run : sql.unsafe(`savepoint ${SAVEPOINT}`).pipe(
    Effect.as(Effect.zipLeft(run, refail("write")(sql.unsafe(`release ${SAVEPOINT}`)))),
    // Somebody has put a connection in the place of a transaction that has none.
    Effect.catchAll((error) =>
      codeOf(error) === "25P01" ? Effect.succeed(run) : Effect.fail(fromSqlError("write")(error))
    ),
    Effect.flatten
  )

/**
 * The transaction has failed, and what comes behind this leaves it as failed as it was. A transaction around it that still
 * can go on is left alone.
 *
 * @internal
 */
export const askInside = (database: Database.Database, guard: Guard): Ask => (commands) =>
  Effect.flatMap(ambient, (ambient) => {
    const open = ambient._tag === "Ours"
      ? ambient.connection(identityOf(database.sql))
      : ambient._tag === "Theirs"
      ? ambient.connection
      : undefined
    const isNested = ambient._tag !== "Ours" || ambient.transaction.nested !== undefined
    return open === undefined || !speaksProtocol(database.sql) || (guard === "none" && isNested)
      ? Effect.void
      : ask(open, [
        { text: guard === "savepoint" ? `rollback to ${SAVEPOINT}` : "rollback and chain", parameters: [] },
        ...commands
      ])
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Items of a chunk, for which two messages more do not matter. */
const WORTH_A_SAVEPOINT = 32

const SAVEPOINT = "effect_batch_chunk"

const codeOf = ({ cause }: SqlError): unknown => (cause as { readonly code?: unknown } | null | undefined)?.code
