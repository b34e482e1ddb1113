/**
 * Waiting for a connection of the pool. Our own transactions come to an end, so they are waited for however long they take.
 * What others hold may be waiting for us: a stream that a step reads from keeps a connection until the step has ended.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { TransactionError } from "../vocabulary/BatchError.js"
import { NoConnection } from "./failure.js"

/** @internal */
export interface Pool {
  readonly poolSize: number | undefined
  /** How long, in milliseconds, to wait while no transaction of ours has a connection that it could give back. */
  readonly patience: number
  holding: number
  heldAt: number
  isExhausted: boolean
}

/**
 * The most connections that a client of PostgreSQL opens. Of a pool that somebody else has made it is not known.
 *
 * @internal
 */
export const sizeOf = (client: SqlClient): number | undefined => {
  const { config } = client as { readonly config?: { readonly maxConnections?: unknown } }
  return typeof config?.maxConnections === "number" ? config.maxConnections : undefined
}

/**
 * Counts a connection of a transaction until the scope closes.
 *
 * @internal
 */
export const hold = (pool: Pool, scope: Scope.Scope): Effect.Effect<void> =>
  Effect.suspend(() => {
    pool.holding++
    pool.isExhausted = false
    return Scope.addFinalizer(
      scope,
      Effect.sync(() => {
        pool.holding--
        pool.heldAt = performance.now()
      })
    )
  })

/**
 * The connection that a fiber waits for. On the real clock, on which databases live.
 *
 * @internal
 */
export const awaited = (
  pool: Pool,
  fiber: Fiber.RuntimeFiber<Connection, SqlError>
): Effect.Effect<Connection, SqlError> =>
  Effect.async<Connection, SqlError>((resume) => {
    const since = performance.now()
    const watch = setInterval(() => {
      const idle = pool.holding > 0 ? 0 : performance.now() - Math.max(since, pool.heldAt)
      if (idle >= (pool.isExhausted ? Math.min(ONCE_MORE, pool.patience) : pool.patience)) {
        clearInterval(watch)
        pool.isExhausted = true
        resume(Effect.fail(exhausted(pool)))
      }
    }, LOOK_MILLIS)
    fiber.addObserver((exit) => {
      clearInterval(watch)
      resume(exit)
    })
    return Effect.sync(() => clearInterval(watch))
  })

/**
 * Whether the driver has given up the wait behind transactions of ours, for which a client's `connectTimeout` is not meant: they
 * are waited for as long as they take.
 *
 * @internal
 */
export const isBehindOurs = ({ holding }: Pool, { cause }: SqlError): boolean =>
  holding > 0 && cause instanceof Error && cause.message.includes("timeout exceeded when trying to connect")

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const LOOK_MILLIS = 250

/** When others have waited in vain, and nothing has changed since, in milliseconds. */
const ONCE_MORE = 1000

const exhausted = ({ patience, poolSize }: Pool): SqlError => {
  const size = poolSize === undefined ? "" : ` (maxConnections: ${poolSize})`
  const why = `no connection of the pool${size} came free within ${Math.round(patience / 1000)} s, though no ` +
    "transaction of a step held one: something else keeps them, as a stream that a step reads from does until the step " +
    "ends. Set maxConnections to one more than such streams, or read with SqlItemReader.keyset"
  return new SqlError({
    message: `A transaction could not begin: ${why}`,
    cause: new TransactionError({ phase: "begin", reason: "fatal", cause: new NoConnection(why) })
  })
}
