/**
 * Ends connections that say nothing any more: a network that drops what it is given, or a server that is frozen. Whoever has
 * given up waiting must not wait for such a connection to say that it has.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

/**
 * Runs what only says good-bye: a rollback, or the wait for an answer that nobody needs. When it takes too long the connection
 * is cut, which ends it with a failure.
 *
 * @internal
 */
export const bounded = <A, E, R>(connection: Connection, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const { pg } = connection as { readonly pg?: RawClient }
  return pg === undefined ? effect : Effect.suspend(() => {
    const timer = setTimeout(() => cut(pg), GRACE_MILLIS)
    return Effect.ensuring(effect, Effect.sync(() => clearTimeout(timer)))
  })
}

/**
 * Runs a statement that cannot be taken back, a commit: an interruption ends the wait for its answer only after some more
 * time, and by cutting the connection, so that whether it happened can be looked up.
 *
 * @internal
 */
export const lastWord = <A, E, R>(connection: Connection, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const { pg } = connection as { readonly pg?: RawClient }
  return pg === undefined ? effect : Effect.uninterruptible(
    Effect.flatMap(Effect.fork(effect), (fiber) =>
      Effect.matchCauseEffect(Effect.interruptible(Fiber.await(fiber)), {
        onFailure: () => Effect.flatten(bounded(connection, Fiber.await(fiber))),
        onSuccess: (exit) => exit
      }))
  )
}

/**
 * What is used of the driver's connection, which the client does not declare.
 *
 * @internal
 */
export interface RawClient {
  readonly processID?: number | null | undefined
  readonly readyForQuery?: boolean | null | undefined
  readonly connection?: { readonly stream?: Stream | undefined } | undefined
  readonly once?: (event: string, listener: () => void) => void
}

interface Stream {
  readonly bytesRead?: number
  readonly bytesWritten?: number
  readonly destroyed?: boolean
  readonly destroy: (error?: Error) => void
}

/** @internal */
export const cut = (client: RawClient): void => {
  client.connection?.stream?.destroy(new Error("Connection terminated: the server has not answered in time"))
  listeners.get(client)?.()
}

/**
 * Calls back when the connection is cut here. The server does not hear of that while the network is silent.
 *
 * @internal
 */
export const whenCut = (client: RawClient, listener: () => void): void => {
  listeners.set(client, listener)
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** On the real clock, on which networks live. */
const GRACE_MILLIS = 2000

const listeners = new WeakMap<RawClient, () => void>()
