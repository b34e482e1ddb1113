/**
 * Lets PostgreSQL tell at once that somebody asked an execution to stop.
 *
 * While a job runs, one connection of the pool listens. A notification is a hint and never the truth: it may get lost
 * with the connection, so everybody who waits is woken after each new connection too, and looks at the stored status.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as RcRef from "effect/RcRef"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as JobRepository from "../ports/JobRepository.js"
import type { Database } from "./database.js"

/** @internal */
export const make = (
  client: SqlClient,
  database: Database,
  prefix: string
): Effect.Effect<JobRepository.Encoded["stopHint"], never, Scope.Scope> =>
  database.dialect.name !== "pg" || poolSize(client) < SMALLEST_POOL
    ? Effect.succeed(undefined)
    : Effect.map(
      RcRef.make({ acquire: listening(database, `${prefix}stop`), idleTimeToLive: "10 seconds" }),
      (listeners) => (executionId: number) =>
        Effect.scoped(Effect.flatMap(RcRef.get(listeners), (hub) => awaitHint(hub, executionId)))
    )

/**
 * Hints at something that is no stop request, in the same channel.
 *
 * @internal
 */
export const send = (database: Database, prefix: string, id: number): Effect.Effect<unknown, SqlError> =>
  database.sql`select pg_notify(${`${prefix}stop`}, ${String(id)})`

// internal

/** One for the listener, one for a chunk, one for heartbeats, one for a reader. */
const SMALLEST_POOL = 4

const poolSize = (client: SqlClient): number =>
  (client as { readonly config?: { readonly maxConnections?: number | undefined } }).config?.maxConnections ?? 10

interface Hub {
  readonly waiting: Map<number, Set<() => void>>
  /** Hints that came while nobody waited for them. */
  readonly missed: Set<number>
}

const awaitHint = (hub: Hub, executionId: number): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (hub.missed.delete(executionId)) {
      return resume(Effect.void)
    }
    const wake = () => resume(Effect.void)
    const others = hub.waiting.get(executionId) ?? new Set()
    hub.waiting.set(executionId, others.add(wake))
    return Effect.sync(() => {
      others.delete(wake)
      if (others.size === 0) {
        hub.waiting.delete(executionId)
      }
    })
  })

const hint = (hub: Hub, executionId: number): void => {
  const waiting = hub.waiting.get(executionId)
  if (waiting === undefined) {
    hub.missed.add(executionId)
    // Executions of other processes are hinted at too.
    if (hub.missed.size > MOST_MISSED) {
      hub.missed.clear()
    }
    return
  }
  hub.waiting.delete(executionId)
  waiting.forEach((wake) => wake())
}

const MOST_MISSED = 10_000

const listening = (database: Database, channel: string): Effect.Effect<Hub, never, Scope.Scope> =>
  Effect.suspend(() => {
    const hub: Hub = { waiting: new Map(), missed: new Set() }
    const connected = Effect.scoped(Effect.flatMap(
      Effect.uninterruptible(database.sql.reserve),
      (connection) => listen(connection, channel, hub)
    ))
    return Effect.as(
      Effect.forkScoped(Effect.repeat(Effect.ignore(connected), Schedule.spaced("1 second"))),
      hub
    )
  })

/** What is used of the driver's connection, which the client does not declare. */
interface RawClient {
  readonly on: (event: string, listener: (message: { readonly payload?: string }) => void) => void
  readonly off: RawClient["on"]
}

/** Listens until the connection ends. */
const listen = (connection: Connection, channel: string, hub: Hub) =>
  Effect.suspend(() => {
    const raw = (connection as { readonly pg?: RawClient }).pg
    if (raw === undefined) {
      return Effect.never
    }
    const name = `"${channel.replaceAll("\"", "\"\"")}"`
    const onMessage: Parameters<RawClient["on"]>[1] = ({ payload }) => hint(hub, Number(payload))
    const broken = Effect.async<void>((resume) => {
      const onEnd = () => resume(Effect.void)
      raw.on("error", onEnd)
      raw.on("end", onEnd)
      return Effect.sync(() => {
        raw.off("error", onEnd)
        raw.off("end", onEnd)
      })
    })
    return Effect.acquireUseRelease(
      Effect.sync(() => raw.on("notification", onMessage)),
      () =>
        Effect.zipRight(
          connection.executeRaw(`LISTEN ${name}`, []),
          Effect.zipRight(
            Effect.sync(() => [...hub.waiting.keys()].forEach((executionId) => hint(hub, executionId))),
            broken
          )
        ),
      () =>
        Effect.zipRight(
          Effect.sync(() => raw.off("notification", onMessage)),
          Effect.ignore(connection.executeRaw(`UNLISTEN ${name}`, []))
        )
    )
  })
