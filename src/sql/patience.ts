/**
 * Waiting for the write lock of SQLite, fairly and without blocking the process.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import { realPause } from "./contention.js"
import * as Queueing from "./queueing.js"
import { classify } from "./sqlState.js"

/**
 * What a process knows about who holds the lock, and how long it waits; see `Database`.
 *
 * @internal
 */
export interface Patient {
  readonly patience: number
  readonly busyTimeout: number
  readonly released: { readonly at: number; readonly held: number }
  metOthersAt: number
}

/**
 * SQLite waits for a lock by blocking the whole process, in which the holder of the lock may live. So it is told not to
 * wait, for as long as the transaction is open, and is asked again.
 *
 * @internal
 */
export const beginPatiently = (
  database: Patient,
  connection: Connection,
  begin: string
): Effect.Effect<unknown, SqlError> =>
  Effect.suspend(() => {
    const since = performance.now()
    const { at, held } = database.released
    const standBack = at + Queueing.standBackMillis(held, Queueing.remembers(since - database.metOthersAt, held)) -
      since
    const waiting: Waiting = { since, asked: since, version: undefined, lost: 0 }
    const attempt = Effect.onError(
      Effect.zipRight(busyTimeout(connection, 0), beginOrWait(database, connection, begin, waiting)),
      () => waitAsBefore(database, connection)
    )
    return standBack > 0 ? Effect.zipRight(realPause(standBack), attempt) : attempt
  })

/**
 * Without a write-ahead log, a commit has to wait for those who read. The transaction stays open while it does.
 *
 * @internal
 */
export const commitPatiently = (
  database: Patient,
  connection: Connection,
  since = Infinity
): Effect.Effect<unknown, SqlError> =>
  Effect.catchAll(connection.executeRaw("COMMIT", []), (error) => {
    const asked = Math.min(since, performance.now())
    return classify(error).kind === "busy" && performance.now() - asked < database.patience
      ? Effect.zipRight(realPause(2 + Math.random() * 6), commitPatiently(database, connection, asked))
      : Effect.fail(error)
  })

/** @internal */
export const waitAsBefore = (database: Patient, connection: Connection): Effect.Effect<void> =>
  Effect.ignore(busyTimeout(connection, database.busyTimeout))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Waiting {
  readonly since: number
  asked: number
  /** Changes with every commit of others. */
  version: unknown
  /** How many of these went by. */
  lost: number
}

const beginOrWait = (
  database: Patient,
  connection: Connection,
  begin: string,
  waiting: Waiting
): Effect.Effect<unknown, SqlError> =>
  Effect.catchAll(
    connection.executeRaw(begin, []),
    (error) => {
      const now = performance.now()
      if (classify(error).kind !== "busy" || now - waiting.since >= database.patience) {
        return Effect.fail(error)
      }
      database.metOthersAt = now
      waiting.asked = now
      return Effect.zipRight(lookOut(connection, waiting), beginOrWait(database, connection, begin, waiting))
    }
  )

/** Waits until it is time to ask for the lock again. */
const lookOut = (connection: Connection, waiting: Waiting): Effect.Effect<void, SqlError> =>
  Effect.flatMap(connection.executeValues("PRAGMA data_version", []), ([row]) => {
    const version = row?.[0]
    const hasCommitted = waiting.version !== undefined && waiting.version !== version
    waiting.lost += hasCommitted ? 1 : 0
    waiting.version = version
    const { lost } = waiting
    const then = Queueing.next({ hasCommitted, lost, sinceAsked: performance.now() - waiting.asked }, Math.random())
    const pause = realPause(then.millis)
    return then._tag === "Ask" ? pause : Effect.zipRight(pause, lookOut(connection, waiting))
  })

// SQLite obeys this when the statement is prepared, so it must not come from a cache.
const busyTimeout = (connection: Connection, millis: number): Effect.Effect<unknown, SqlError> =>
  Effect.suspend(() => connection.executeUnprepared(`PRAGMA busy_timeout = ${millis}`, [], undefined))
