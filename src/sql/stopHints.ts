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
import * as Hints from "../base/hints.js"
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
      Effect.scoped(Effect.flatMap(RcRef.get(listeners), ({ next }) => next(executionId)))
  )

/**
 * Hints at something that is no stop request, in the same channel.
 *
 * @internal
 */
export const send = (database: Database, prefix: string, id: number): Effect.Effect<unknown, SqlError> =>
  database.sql`select pg_notify(${`${prefix}stop`}, ${String(id)})`

// internal

const listening = (control: Control, channel: string): Effect.Effect<Hints.Hints, never, Scope.Scope> =>
  Effect.suspend(() => {
    const hints = Hints.make()
    const connected = Effect.scoped(Effect.flatMap(control.line, (line) => listen(line, channel, hints)))
    return Effect.as(
      Effect.forkScoped(Effect.repeat(Effect.ignore(connected), Schedule.spaced("1 second"))),
      hints
    )
  })

/** Listens until the connection ends. */
const listen = ({ client, query }: Line, channel: string, hints: Hints.Hints) =>
  Effect.suspend(() => {
    const name = `"${channel.replaceAll("\"", "\"\"")}"`
    const onMessage: Parameters<DriverClient["on"]>[1] = ({ payload }) => hints.give(Number(payload))
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
          Effect.zipRight(Effect.sync(() => hints.giveAll()), broken)
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
