/**
 * The time for which a transaction of PostgreSQL may send nothing, and what is said when it was too long.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import * as Duration from "effect/Duration"
import { TransactionError } from "../vocabulary/BatchError.js"

/**
 * What sets it, behind `BEGIN`.
 *
 * @internal
 */
export const setting = (idleTimeout: Duration.Duration): string => {
  const millis = Math.ceil(Duration.toMillis(idleTimeout))
  return Number.isFinite(millis) && millis > 0
    ? `; SET LOCAL idle_in_transaction_session_timeout = ${Math.min(millis, 2_147_483_647)}`
    : ""
}

/** @internal */
export interface Watch {
  /** What ended the transaction, if it was this. */
  readonly ended: () => TransactionError | undefined
  readonly stop: () => void
}

/**
 * Listens to the last words of the server, which come while no statement is there to fail with them.
 *
 * @internal
 */
export const watch = (connection: Connection, idleTimeout: Duration.Duration): Watch => {
  const { pg } = connection as { readonly pg?: Emitter }
  let isOver = false
  const onError = (error: { readonly code?: unknown }) => {
    isOver = isOver || error.code === "25P03"
  }
  pg?.on("error", onError)
  return {
    ended: () => isOver ? tooLong(idleTimeout) : undefined,
    stop: () => pg?.off("error", onError)
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** What is used of the driver's connection, which the client does not declare. */
interface Emitter {
  readonly on: (event: "error", listener: (error: { readonly code?: unknown }) => void) => void
  readonly off: Emitter["on"]
}

const tooLong = (idleTimeout: Duration.Duration): TransactionError =>
  new TransactionError({
    phase: "body",
    reason: "fatal",
    sqlState: "25P03",
    cause: new Error(
      `PostgreSQL ended it, and rolled it back, because it sent no statement for longer than its idleTimeout of ${
        Duration.format(idleTimeout)
      }: wait before the first statement, or in a step of its own, or set a longer idleTimeout in ` +
        "SqlJobRepository.layerWith"
    )
  })
