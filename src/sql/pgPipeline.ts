/**
 * A whole transaction of PostgreSQL in one message: `BEGIN`, the statements with their parameters, the rows of a COPY, and
 * `COMMIT`, one behind the other without waiting for answers.
 *
 * When a statement is refused, the server passes over everything behind it, the commit included.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Scope from "effect/Scope"
import { createHash } from "node:crypto"
import type { Pipeline, PipelineConnection, Pipelined as AnyPipelined } from "../ports/pipelining.js"
import { lostConnections } from "../ports/Transactor.js"
import { TransactionError } from "../vocabulary/BatchError.js"
import type { Database } from "./database.js"
import * as Database_ from "./database.js"
import * as Failure from "./failure.js"
import * as Open from "./openTransaction.js"
import * as Silence from "./silence.js"
import { classify } from "./sqlState.js"

/** @internal */
export interface Command {
  readonly text: string
  readonly parameters: ReadonlyArray<string | null>
  /** The rows, when the text is `COPY … FROM STDIN`. */
  readonly rows?: ReadonlyArray<Buffer> | undefined
}

/**
 * Whether the client is that of `@effect/sql-pg`, whose driver takes queries that speak the protocol themselves.
 *
 * @internal
 */
export const speaksProtocol = (sql: SqlClient): boolean => pgClient in sql

/**
 * Runs commands that end in a refusal, all in one message. Outside of a transaction nothing of them stays.
 *
 * @internal
 */
export const ask = (connection: Connection, commands: ReadonlyArray<Command>): Effect.Effect<unknown, SqlError> =>
  Effect.suspend(() => {
    const query = new PipelinedQuery(commands, false, undefined)
    return Effect.mapError(
      run(connection, query, identity),
      (error) => error.cause instanceof Refused ? saidBy(error.cause) : error
    )
  })

/**
 * None behind a pooler: PgBouncer waits for ever when one transaction comes behind the COPY of another before that is over.
 *
 * @internal
 */
export const pipeline = (database: Database): Pipeline | undefined =>
  database.dialect.name === "pg" && !database.isPooled && speaksProtocol(database.sql)
    ? { database, connect: () => connect(database) }
    : undefined

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

// The type id of PgClient, whose package is not needed for anything else here.
const pgClient = "~@effect/sql-pg/PgClient"

/** The part of the driver's connection that speaks the protocol. */
interface Wire {
  readonly stream: { readonly cork: () => void; readonly uncork: () => void }
  readonly close: (statement: { readonly type: "S"; readonly name: string }) => void
  readonly parse: (
    query: { readonly text: string; readonly name: string; readonly types: ReadonlyArray<never> }
  ) => void
  readonly bind: (config: { readonly statement: string; readonly values: ReadonlyArray<string | null> }) => void
  readonly execute: (config: object) => void
  readonly sendCopyFromChunk: (chunk: Buffer) => void
  readonly endCopyFrom: () => void
  readonly sync: () => void
}

type Row = ReadonlyArray<string | null>

/** Commands of this database. */
interface Pipelined<out A, out E> extends AnyPipelined<A, E> {
  readonly commands: ReadonlyArray<Command>
  readonly refused: (error: SqlError) => E
  readonly examine?: ((error: SqlError, ask: Ask) => Effect.Effect<E>) | undefined
}

type Ask = (commands: ReadonlyArray<Command>) => Effect.Effect<unknown, SqlError>

/** Where the server gave up; and whether the transaction in front was refused, so that this one could not succeed. */
class Refused {
  constructor(readonly error: unknown, readonly index: number, readonly isFutile: boolean) {}
}

type Callback = (error: unknown, result?: unknown) => void

/**
 * A query of the driver `pg`, as pg-cursor and pg-copy-streams are queries.
 *
 * The driver sends a query when it has the answer to the one in front. This one leaves as soon as it stands in the
 * driver's queue, if the one in front is of its kind and on its way.
 */
class PipelinedQuery {
  private state: "queued" | "sent" | "answered" | "refused" = "queued"
  /** Where it was sent. */
  private wire: Wire | undefined
  /** Given by the driver when it takes the query. */
  private answer: Callback | undefined
  /** One for each command that was carried out. */
  private readonly rows: Array<Row | undefined> = []
  /** Of the command whose answer is being received. */
  private row: Row | undefined
  private readonly named: Array<string> = []
  private readonly waiting: Array<() => void> = []

  constructor(
    readonly commands: ReadonlyArray<Command>,
    readonly prepares: boolean,
    private front: PipelinedQuery | undefined
  ) {}

  get callback(): Callback | undefined {
    return this.answer
  }

  /** Called by the driver when it takes the query. */
  set callback(callback: Callback | undefined) {
    this.answer = callback
    const wire = this.front?.underWay
    if (wire !== undefined) {
      this.submit(wire)
    }
  }

  get underWay(): Wire | undefined {
    return this.state === "sent" ? this.wire : undefined
  }

  /** Calls back when the server is through with it, or the connection is lost, or the driver never took it. */
  whenOver(ended: () => void): void {
    if (this.isOver() || this.answer === undefined) {
      ended()
    } else {
      this.waiting.push(ended)
    }
  }

  submit(wire: Wire): void {
    if (this.state !== "queued") {
      return
    }
    this.state = "sent"
    this.wire = wire
    wire.stream.cork()
    try {
      this.commands.forEach((command) => this.send(wire, command))
      wire.sync()
    } finally {
      wire.stream.uncork()
    }
  }

  handleCopyInResponse(): void {}

  handleDataRow({ fields }: { readonly fields: Row }): void {
    this.row = fields
  }

  handleCommandComplete(): void {
    this.rows.push(this.row)
    this.row = undefined
  }

  handleError(error: unknown): void {
    if (this.wire !== undefined) {
      const known = preparedOn(this.wire)
      this.named.forEach((text) => known.delete(text))
    }
    const isFutile = this.front?.state === "refused"
    this.end("refused")
    this.answer?.(new Refused(error, this.rows.length, isFutile))
  }

  handleReadyForQuery(): void {
    this.end("answered")
    this.answer?.(null, { rows: this.rows })
  }

  private send(wire: Wire, { parameters, rows, text }: Command): void {
    const statement = this.prepares ? nameOf(text) : ""
    const known = preparedOn(wire)
    if (!this.prepares || !known.has(text)) {
      // One that was refused may have been prepared nevertheless. Closing one that is not there is no error.
      if (this.prepares) {
        wire.close({ type: "S", name: statement })
        known.add(text)
        this.named.push(text)
      }
      wire.parse({ text, name: statement, types: [] })
    }
    wire.bind({ statement, values: parameters })
    wire.execute({})
    if (rows !== undefined) {
      rows.forEach((row) => wire.sendCopyFromChunk(row))
      wire.endCopyFrom()
    }
  }

  private isOver(): boolean {
    return this.state === "answered" || this.state === "refused"
  }

  private end(state: "answered" | "refused"): void {
    this.state = state
    this.front = undefined
    this.waiting.forEach((ended) => ended())
  }
}

/** The texts that a connection knows under a name: planning a statement costs the server more than running a small one. */
const preparedOn = (wire: Wire): Set<string> => {
  const known = prepared.get(wire) ?? new Set()
  prepared.set(wire, known)
  return known
}

const prepared = new WeakMap<Wire, Set<string>>()

const names = new Map<string, string>()

const nameOf = (text: string): string => {
  const known = names.get(text)
  if (known !== undefined) {
    return known
  }
  const name = `effect_batch_${createHash("sha256").update(text).digest("hex").slice(0, 32)}`
  names.set(text, name)
  return name
}

const BEGIN: Command = { text: "begin isolation level read committed", parameters: [] }
const COMMIT: Command = { text: "commit", parameters: [] }

/** A connection that is kept for as long as transactions are on their way. */
interface KeptConnection {
  readonly database: Database
  readonly connection: Connection
  readonly scope: Scope.CloseableScope
  readonly since: number
  /** The driver wants to be asked for one thing after the other. */
  readonly turns: Effect.Semaphore
  users: number
  last: PipelinedQuery | undefined
}

/** How long transactions follow each other on a connection before others get it that wait for one, a heartbeat say. */
const STAY_MILLIS = 1000

const connect = (database: Database): PipelineConnection => {
  let open: KeptConnection | undefined
  const enter = (restore: Database_.Restore): Effect.Effect<KeptConnection, SqlError> => {
    if (open !== undefined) {
      open.users++
      return Effect.succeed(open)
    }
    return Effect.flatMap(Scope.make(), (scope) =>
      Database_.acquire(database, scope, restore).pipe(
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause))),
        Effect.map((connection) =>
          open = {
            database,
            connection,
            scope,
            since: performance.now(),
            turns: Effect.unsafeMakeSemaphore(1),
            users: 1,
            last: undefined
          }
        )
      ))
  }
  const leave = (kept: KeptConnection): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (--kept.users > 0) {
        return Effect.void
      }
      open = open === kept ? undefined : open
      return Scope.close(kept.scope, Exit.void)
    })
  return {
    isBusy: () => open?.last?.underWay !== undefined && performance.now() - open.since < STAY_MILLIS,
    transact: (first, last) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.matchEffect(Effect.suspend(() => enter(restore)), {
          onFailure: (error) =>
            Effect.fail(
              error.cause instanceof TransactionError
                ? error.cause
                : markedLost(Failure.transactionError("begin", error), error)
            ),
          onSuccess: (kept) => Effect.ensuring(transact(kept, transactionOf(first, last), restore), leave(kept))
        })
      )
  }
}

interface Transaction<A, E> {
  readonly parts: ReadonlyArray<Pipelined<unknown, E>>
  readonly last: Pipelined<A, E>
}

// Only commands that were made for this database are run through it, and what others make of them is passed on.
const transactionOf = <A, E>(
  first: ReadonlyArray<AnyPipelined<unknown, E>>,
  last: AnyPipelined<A, E>
): Transaction<A, E> => ({
  parts: [...first, last] as ReadonlyArray<unknown> as ReadonlyArray<Pipelined<unknown, E>>,
  last: last as unknown as Pipelined<A, E>
})

const transact = <A, E>(
  kept: KeptConnection,
  { last, parts }: Transaction<A, E>,
  restore: Database_.Restore
): Effect.Effect<A, E | TransactionError> => {
  const inner = parts.flatMap(({ commands }) => commands)
  const commands = [BEGIN, ...inner, COMMIT]
  const first = 1
  const sent = send(kept, commands, restore)
  return Effect.matchEffect(parts.length === 1 ? sent : traced(sent, inner), {
    onSuccess: (rows) => answerOf(last, rows[first + inner.length - 1]),
    onFailure: (error) => Effect.flip(explained(kept, parts, first, error))
  })
}

/** As the statements of a writer are traced that are sent one by one, and those of the repository are not. */
const traced = <A, E>(sent: Effect.Effect<A, E>, [command]: ReadonlyArray<Command>): Effect.Effect<A, E> =>
  Effect.withSpan(sent, "sql.execute", {
    kind: "client",
    captureStackTrace: false,
    attributes: {
      "db.operation.name": command!.rows === undefined ? "execute" : "copy",
      "db.query.text": command!.text
    }
  })

/** A pooler may hand the connection to another server, which does not know the names: from then on there are none. */
const send = (
  kept: KeptConnection,
  commands: ReadonlyArray<Command>,
  restore: Database_.Restore
): Effect.Effect<ReadonlyArray<Row | undefined>, SqlError> =>
  Effect.suspend(() => {
    const { connection, database } = kept
    const { prepares } = database
    const query = new PipelinedQuery(commands, prepares, kept.last)
    kept.last = query
    const rollback = kept.turns.withPermits(1)(
      Effect.suspend(() => Effect.zipRight(whenOver(kept.last!), Open.rollback(connection)))
    )
    return Effect.onError(run(connection, query, restore), () => rollback).pipe(
      Effect.catchAll((error) => {
        if (prepares && error.cause instanceof Refused && isUnknownName(error.cause)) {
          database.prepares = false
          return send(kept, commands, restore)
        }
        return Effect.fail(error)
      })
    )
  })

const isUnknownName = ({ error, isFutile }: Refused): boolean => {
  const { sqlState } = classify(error)
  return !isFutile && (sqlState === "26000" || sqlState === "42P05")
}

/** Who gives up waiting has the server cancel what it does, and still waits for its last word. */
const run = (
  connection: Connection,
  query: PipelinedQuery,
  restore: Database_.Restore
): Effect.Effect<ReadonlyArray<Row | undefined>, SqlError> =>
  restore(connection.executeRaw(query as unknown as string, [])).pipe(
    Effect.map((result) => (result as { readonly rows: ReadonlyArray<Row | undefined> }).rows),
    Effect.onInterrupt(() => Silence.bounded(connection, whenOver(query)))
  )

const whenOver = (query: PipelinedQuery): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    query.whenOver(() => resume(Effect.void))
  })

const answerOf = <A, E>(last: Pipelined<A, E>, row: Row | undefined): Effect.Effect<A, E> => {
  const answer = last.answer(row)
  return Either.isRight(answer) ? Effect.succeed(answer.right) : Effect.fail(answer.left)
}

const saidBy = (refused: Refused): SqlError =>
  new SqlError({ cause: refused.error, message: "Failed to execute statement" })

const explained = <E>(
  kept: KeptConnection,
  parts: ReadonlyArray<Pipelined<unknown, E>>,
  first: number,
  error: SqlError
): Effect.Effect<E | TransactionError> => {
  const { cause: refused } = error
  const said = refused instanceof Refused ? saidBy(refused) : error
  // Everything else was said by a server that has rolled back.
  if (!(refused instanceof Refused) || classify(said).kind === "connection") {
    return Effect.succeed(markedLost(Failure.transactionError("commit", said), said))
  }
  if (refused.index < first) {
    return Effect.succeed(Failure.transactionError("begin", said))
  }
  let end = first
  for (const part of parts) {
    end += part.commands.length
    if (refused.index < end) {
      return part.examine === undefined ? Effect.succeed(part.refused(said)) : part.examine(said, asking(kept))
    }
  }
  return Effect.succeed(Failure.transactionError("commit", said))
}

const markedLost = (error: TransactionError, said: SqlError): TransactionError => {
  if (classify(said).kind === "connection" && classify(said).sqlState !== "25P03") {
    lostConnections.add(error)
  }
  return error
}

/** On the connection of the pipeline, which has rolled back, when nothing is on its way there. */
const asking = (kept: KeptConnection) => (commands: ReadonlyArray<Command>): Effect.Effect<unknown, SqlError> =>
  kept.turns.withPermits(1)(
    Effect.suspend(() => Effect.zipRight(whenOver(kept.last!), ask(kept.connection, commands)))
  )
