/**
 * Lets PostgreSQL tell at once that somebody asked an execution to stop.
 *
 * While a job runs, the control connection listens. A notification is a hint and never the truth: it may get lost
 * with the connection, so everybody who waits is woken after each new connection too, and looks at the stored status.
 */
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as RcRef from "effect/RcRef"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as JobRepository from "../ports/JobRepository.js"
import type { Control, DriverClient, Line } from "./control.js"
import type { Database } from "./database.js"

/** @internal */
export const make = (
  control: Control,
  prefix: string
): Effect.Effect<JobRepository.Encoded["stopHint"], never, Scope.Scope> =>
  Effect.map(
    RcRef.make({ acquire: listening(control, `${prefix}stop`), idleTimeToLive: "10 seconds" }),
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

const listening = (control: Control, channel: string): Effect.Effect<Hub, never, Scope.Scope> =>
  Effect.suspend(() => {
    const hub: Hub = { waiting: new Map(), missed: new Set() }
    const connected = Effect.scoped(Effect.flatMap(control.line, (line) => listen(line, channel, hub)))
    return Effect.as(
      Effect.forkScoped(Effect.repeat(Effect.ignore(connected), Schedule.spaced("1 second"))),
      hub
    )
  })

/** Listens until the connection ends. */
const listen = ({ client, query }: Line, channel: string, hub: Hub) =>
  Effect.suspend(() => {
    const name = `"${channel.replaceAll("\"", "\"\"")}"`
    const onMessage: Parameters<DriverClient["on"]>[1] = ({ payload }) => hint(hub, Number(payload))
    const broken = Effect.async<void>((resume) => {
      const onEnd = () => resume(Effect.void)
      client.on("error", onEnd)
      client.on("end", onEnd)
      return Effect.sync(() => {
        client.off("error", onEnd)
        client.off("end", onEnd)
      })
    })
    return Effect.acquireUseRelease(
      Effect.sync(() => client.on("notification", onMessage)),
      () =>
        Effect.zipRight(
          execute(query, `LISTEN ${name}`),
          Effect.zipRight(
            Effect.sync(() => [...hub.waiting.keys()].forEach((executionId) => hint(hub, executionId))),
            broken
          )
        ),
      () =>
        Effect.zipRight(
          Effect.sync(() => client.off("notification", onMessage)),
          // Not waited for: the connection may be silent, and is closed when nobody needs it.
          Effect.sync(() => query(`UNLISTEN ${name}`, [], () => undefined))
        )
    )
  })

const execute = (query: Line["query"], text: string): Effect.Effect<void, unknown> =>
  Effect.async((resume) => query(text, [], (error) => resume(error ? Effect.fail(error) : Effect.void)))
