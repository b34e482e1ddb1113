/**
 * One connection beside the pool, for what must not wait behind the steps: heartbeats, and word of a request to stop.
 *
 * It is opened when it is first needed, closed when nobody has needed it for a while, and given up and opened again when it
 * does not answer in time. Where the server has no room for it, its statements run on the pool.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import type { Statement } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import * as RcRef from "effect/RcRef"
import type * as Scope from "effect/Scope"
import { stripped } from "./client.js"
import type { Database } from "./database.js"
import * as Silence from "./silence.js"

/** @internal */
export interface Control {
  /** Runs one statement. When there is no answer in time, the connection is given up. */
  readonly run: <A>(statement: Statement<A>, limitMillis: number) => Effect.Effect<ReadonlyArray<A>, SqlError>
  /** The connection, for as long as the scope is open or until it breaks. */
  readonly line: Effect.Effect<Line, SqlError, Scope.Scope>
}

/**
 * The connection, and how to ask it for one thing after the other: all heartbeats of a process meet on it, and the driver is
 * about to refuse a statement while it has others.
 *
 * @internal
 */
export interface Line {
  readonly client: DriverClient
  readonly query: Query
}

/** @internal */
export type Query = (
  text: string,
  parameters: ReadonlyArray<unknown>,
  answer: (error: unknown, result: { readonly rows: ReadonlyArray<never> }) => void
) => void

/**
 * A connection as the driver `pg` knows it, and what is used of it.
 *
 * @internal
 */
export interface DriverClient extends Silence.RawClient {
  readonly processID?: number | null | undefined
  readonly connectionParameters?: Parameters | undefined
  readonly connect: () => Promise<unknown>
  readonly end: () => Promise<void>
  readonly query: Query
  readonly on: (event: string, listener: (message: { readonly payload?: string }) => void) => void
  readonly off: DriverClient["on"]
}

/**
 * Looks at a connection of the pool to learn how to open one beside it, and whether it leads to the server itself: the
 * server's own number of the connection is another one behind a pooler, which hands the connection on after each transaction.
 *
 * @internal
 */
export const make = (
  client: SqlClient,
  database: Database
): Effect.Effect<Control | undefined, never, Scope.Scope> =>
  database.dialect.name !== "pg" ? Effect.succeed(undefined) : Effect.flatMap(
    Effect.option(inspected(client)),
    (found) => {
      if (found._tag === "None" || found.value.open === undefined) {
        return Effect.succeed(undefined)
      }
      const { isPooled, open } = found.value
      if (isPooled) {
        database.isPooled = true
        database.prepares = false
      }
      return Effect.map(
        RcRef.make({
          acquire: Effect.acquireRelease(
            Effect.sync(() => new Link(open)),
            (link) => Effect.promise(() => link.close())
          ),
          idleTimeToLive: "10 seconds"
        }),
        (links): Control => ({
          run: (statement, limitMillis) =>
            Effect.scoped(Effect.flatMap(RcRef.get(links), (link) => run(link, statement, limitMillis))),
          line: Effect.flatMap(RcRef.get(links), (link) => link.connected)
        })
      )
    }
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Parameters = Readonly<Record<string, unknown>> & {
  readonly application_name?: string
  readonly password?: unknown
}

interface Inspected {
  readonly isPooled: boolean
  readonly open: (() => DriverClient) | undefined
}

const inspected = (client: SqlClient): Effect.Effect<Inspected, SqlError> =>
  Effect.scoped(Effect.flatMap(stripped(client.reserve), (connection) => {
    const pooled = (connection as { readonly pg?: DriverClient }).pg
    return Effect.map(connection.executeValues("select pg_backend_pid()", []), ([row]): Inspected => ({
      isPooled: typeof pooled?.processID === "number" && Number(row?.[0]) !== pooled.processID,
      open: pooled === undefined ? undefined : opening(client, pooled)
    }))
  }))

/** The driver reads from the environment what is not said, so everything the pool knows is said. */
const opening = (client: SqlClient, pooled: DriverClient): (() => DriverClient) | undefined => {
  const { connection, connectionParameters, constructor } = pooled as DriverClient & {
    readonly constructor: new(settings: object) => DriverClient
  }
  if (connection?.stream === undefined || connectionParameters === undefined) {
    return undefined
  }
  const { stream } = (client as { readonly config?: { readonly stream?: unknown } }).config ?? {}
  const settings = {
    ...connectionParameters,
    // Not enumerable, like all secrets of the driver.
    password: connectionParameters.password,
    application_name: `${connectionParameters.application_name ?? "effect-batch"}`.slice(0, 50) + " heartbeat",
    connectionTimeoutMillis: CONNECT_MILLIS,
    keepAlive: true,
    ...(stream === undefined ? {} : { stream })
  }
  return () => new constructor(settings)
}

const CONNECT_MILLIS = 5000

interface Connected extends Line {
  readonly ready: Promise<unknown>
}

/** A connection that breaks answers what it was asked, and then refuses all that waits. */
const inTurn = (client: DriverClient): Query => {
  const waiting: Array<() => void> = []
  let isAsked = false
  const next = () => {
    isAsked = waiting.length > 0
    waiting.shift()?.()
  }
  return (text, parameters, answer) => {
    waiting.push(() =>
      client.query(text, parameters, (error, result) => {
        next()
        answer(error, result)
      })
    )
    if (!isAsked) {
      next()
    }
  }
}

class Link {
  private current: Connected | undefined
  private isClosed = false

  constructor(private readonly open: () => DriverClient) {}

  get(): Connected {
    return this.current ??= this.connect()
  }

  readonly connected: Effect.Effect<Line, SqlError> = Effect.suspend(() => {
    const connected = this.get()
    return Effect.as(Effect.tryPromise({ try: () => connected.ready, catch: unreachable }), connected)
  })

  drop(connected: Connected): void {
    this.current = this.current === connected ? undefined : this.current
    Silence.cut(connected.client)
  }

  async close(): Promise<void> {
    this.isClosed = true
    if (this.current !== undefined) {
      const { client } = this.current
      const timer = setTimeout(() => Silence.cut(client), 1000)
      await client.end().catch(() => undefined)
      clearTimeout(timer)
    }
  }

  private connect(): Connected {
    const client = this.open()
    const ready = this.isClosed ? Promise.reject(new Error("Connection terminated")) : client.connect()
    const connected = { client, ready, query: inTurn(client) }
    const forget = () => {
      this.current = this.current === connected ? undefined : this.current
    }
    client.on("error", forget)
    client.on("end", forget)
    ready.catch(forget)
    return connected
  }
}

const unreachable = (cause: unknown): SqlError => new SqlError({ cause, message: "Failed to connect" })

/** Who does not wait any longer leaves the statement behind: a heartbeat that comes true late does no harm. */
const run = <A>(link: Link, statement: Statement<A>, limitMillis: number): Effect.Effect<ReadonlyArray<A>, SqlError> =>
  Effect.async((resume) => {
    const [text, parameters] = statement.compile()
    const connected = link.get()
    const timer = setTimeout(() => {
      link.drop(connected)
      resume(unreachable(new Error("Connection terminated: the server has not answered in time")))
    }, limitMillis)
    const answer = (error: unknown, result?: { readonly rows: ReadonlyArray<A> }) => {
      clearTimeout(timer)
      resume(
        result === undefined
          ? Effect.fail(new SqlError({ cause: error, message: "Failed to execute statement" }))
          : Effect.succeed(result.rows)
      )
    }
    connected.ready.then(
      () => connected.query(text, parameters, (error, result) => answer(error, error ? undefined : result)),
      answer
    )
  })
