/**
 * The write lock of an SQLite file, for statements beside the transactions of the engine. SQLite would wait for it by
 * blocking the process, in which the holder of the lock may live: here it is asked again and again instead, and who waits for
 * a lock that its own step holds is told so at once.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import { TransactionError } from "../vocabulary/BatchError.js"
import { realPause } from "./contention.js"
import { classify } from "./sqlState.js"

/**
 * - `holder`: the connection of the transaction around the statement, which may be what it waits for.
 * - `millis`: how long to wait, at least; longer if SQLite itself would.
 *
 * @internal
 */
export interface Patience {
  readonly holder: Connection | undefined
  readonly millis: number
}

/** @internal */
export const isSqlite = (connection: Connection): boolean => "loadExtension" in connection

/**
 * Runs a statement on a connection. Other statements on it find it as it was before.
 *
 * @internal
 */
export const patiently = <A>(
  connection: Connection,
  { holder, millis }: Patience,
  statement: Effect.Effect<A, SqlError>
): Effect.Effect<A, SqlError> => {
  if (!isSqlite(connection)) {
    return statement
  }
  const since = performance.now()
  const attempt: Effect.Effect<A, SqlError> = Effect.flatMap(timeoutOf(connection), (before) =>
    Effect.catchAll(
      Effect.ensuring(
        Effect.zipRight(setTimeoutOf(connection, 0), statement),
        Effect.ignore(setTimeoutOf(connection, before))
      ),
      (error) =>
        classify(error).kind !== "busy"
          ? Effect.fail(error)
          : Effect.flatMap(isSameFile(connection, holder), (isHeldHere): Effect.Effect<A, SqlError> =>
            isHeldHere
              ? Effect.fail(heldHere())
              : before > 0 && performance.now() - since < Math.max(before, millis)
              ? Effect.zipRight(realPause(2 + Math.random() * 6), attempt)
              : Effect.fail(error))
    ))
  return attempt
}

/**
 * Whether two connections are to one file of SQLite, whose lock only one of them can have.
 *
 * @internal
 */
export const isSameFile = (one: Connection, other: Connection | undefined): Effect.Effect<boolean> =>
  other === undefined || !isSqlite(one) || !isSqlite(other) ? NO : Effect.orElseSucceed(
    Effect.zipWith(fileOf(one), fileOf(other), (one, other) => one !== "" && one === other),
    () => false
  )

/** @internal */
export const heldHere = (): SqlError => {
  const why =
    "it writes to the SQLite file whose lock the transaction around it holds, through another client, and would " +
    "wait for ever: use the client of that transaction, or write before or behind it"
  return new SqlError({
    message: `A statement was refused: ${why}`,
    cause: new TransactionError({ phase: "body", reason: "fatal", cause: new Error(why) })
  })
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const NO = Effect.succeed(false)

const fileOf = (connection: Connection): Effect.Effect<string, SqlError> =>
  Effect.map(
    connection.executeValues("PRAGMA database_list", []),
    (rows) => String(rows.find(([, name]) => name === "main")?.[2] ?? "")
  )

const timeoutOf = (connection: Connection): Effect.Effect<number, SqlError> =>
  Effect.map(connection.executeValues("PRAGMA busy_timeout", []), ([row]) => Number(row?.[0] ?? 0))

// SQLite obeys this when the statement is prepared, so it must not come from a cache.
const setTimeoutOf = (connection: Connection, millis: number): Effect.Effect<unknown, SqlError> =>
  Effect.suspend(() => connection.executeUnprepared(`PRAGMA busy_timeout = ${millis}`, [], undefined))
