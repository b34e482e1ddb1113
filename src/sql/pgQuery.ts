/**
 * Queries that speak the protocol of PostgreSQL themselves: several commands in one message, and statements that the server
 * keeps under a name, since to plan a small statement costs it more than to run it.
 *
 * A plan is made for the tables as they are then. One that is used again and again may be as old as a few seconds, and is
 * not used for what it was not made for: a table may have been filled meanwhile that was all but empty.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import { createHash } from "node:crypto"
import type { Database } from "./database.js"
import * as Silence from "./silence.js"
import { classify } from "./sqlState.js"

/** @internal */
export interface Command {
  readonly text: string
  readonly parameters: ReadonlyArray<string | null>
  /** What a plan is made for, where that makes a difference. */
  readonly about?: unknown
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
  Effect.suspend(() => Effect.mapError(run(connection, new PipelinedQuery(commands, false, undefined), identity), said))

/**
 * Runs a statement by name, outside of any transaction, and gives its row, if there is one. A name that the server does not
 * know, or that means something else there, is that of a connection which somebody hands on: nothing was done then, and from
 * then on there are none.
 *
 * @internal
 */
export const byName = (
  database: Database,
  connection: Connection,
  command: Command,
  unnamed: Effect.Effect<ReadonlyArray<NamedRow>, SqlError>
): Effect.Effect<ReadonlyArray<NamedRow>, SqlError> =>
  Effect.suspend(() => {
    const query = new PipelinedQuery([command], true, undefined, true)
    return Effect.matchEffect(run(connection, query, identity), {
      onFailure: (error) => {
        if (!(error.cause instanceof Refused) || !isOfName(error.cause)) {
          return Effect.fail(said(error))
        }
        database.prepares = database.prepares && !isUnknownName(error.cause)
        return unnamed
      },
      onSuccess: ([row]) => Effect.succeed(row === undefined ? [] : [query.named(row)])
    })
  })

/** @internal */
export type Row = ReadonlyArray<string | null>

/** @internal */
export type NamedRow = { readonly [column: string]: unknown }

/**
 * Where the server gave up; and whether the transaction in front was refused, so that this one could not succeed.
 *
 * @internal
 */
export class Refused {
  constructor(readonly error: unknown, readonly index: number, readonly isFutile: boolean) {}
}

/**
 * A query of the driver `pg`, as pg-cursor and pg-copy-streams are queries.
 *
 * The driver sends a query when it has the answer to the one in front. This one leaves as soon as it stands in the
 * driver's queue, if the one in front is of its kind and on its way.
 *
 * @internal
 */
export class PipelinedQuery {
  private state: "queued" | "sent" | "answered" | "refused" = "queued"
  /** Where it was sent. */
  private wire: Wire | undefined
  /** Given by the driver when it takes the query. */
  private answer: Callback | undefined
  /** One for each command that was carried out. */
  private readonly rows: Array<Row | undefined> = []
  /** Of the command whose answer is being received. */
  private row: Row | undefined
  private readonly parsed: Array<string> = []
  private readonly waiting: Array<() => void> = []

  constructor(
    readonly commands: ReadonlyArray<Command>,
    readonly prepares: boolean,
    private front: PipelinedQuery | undefined,
    /** Whether the names of columns are wanted. */
    private readonly describes = false
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

  /** A row with the names of its columns, which the server says once of a statement that it keeps. */
  named(row: Row): NamedRow {
    const columns = this.wire === undefined ? undefined : preparedOn(this.wire).get(this.commands[0]!.text)?.columns
    return Object.fromEntries(
      (columns ?? []).map(({ dataTypeID, name }, at) => [name, dataTypeID === BOOLEAN ? row[at] === "t" : row[at]])
    )
  }

  handleCopyInResponse(): void {}

  handleRowDescription({ fields }: { readonly fields: ReadonlyArray<Column> }): void {
    const kept = this.wire && preparedOn(this.wire).get(this.commands[this.rows.length]!.text)
    if (kept !== undefined) {
      kept.columns = fields
    }
  }

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
      this.parsed.forEach((text) => known.delete(text))
    }
    const isFutile = this.front?.state === "refused"
    this.end("refused")
    this.answer?.(new Refused(error, this.rows.length, isFutile))
  }

  handleReadyForQuery(): void {
    this.end("answered")
    this.answer?.(null, { rows: this.rows })
  }

  private send(wire: Wire, { about, parameters, rows, text }: Command): void {
    const statement = this.prepares ? nameOf(text) : ""
    const known = preparedOn(wire)
    const kept = this.prepares ? known.get(text) : undefined
    if (kept === undefined || kept.about !== about || performance.now() - kept.since > FRESH_MILLIS) {
      // One that was refused may have been prepared nevertheless. Closing one that is not there is no error.
      if (this.prepares) {
        wire.close({ type: "S", name: statement })
        known.set(text, { since: performance.now(), about, columns: undefined })
        this.parsed.push(text)
      }
      wire.parse({ text, name: statement, types: [] })
    }
    wire.bind({ statement, values: parameters })
    if (this.describes && known.get(text)?.columns === undefined) {
      wire.describe({ type: "P" })
    }
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

/**
 * Who gives up waiting has the server cancel what it does, and still waits for its last word.
 *
 * @internal
 */
export const run = (
  connection: Connection,
  query: PipelinedQuery,
  restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
): Effect.Effect<ReadonlyArray<Row | undefined>, SqlError> =>
  restore(connection.executeRaw(query as unknown as string, [])).pipe(
    Effect.map((result) => (result as { readonly rows: ReadonlyArray<Row | undefined> }).rows),
    Effect.onInterrupt(() => Silence.bounded(connection, whenOver(query)))
  )

/** @internal */
export const whenOver = (query: PipelinedQuery): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    query.whenOver(() => resume(Effect.void))
  })

/** @internal */
export const saidBy = (refused: Refused): SqlError =>
  new SqlError({ cause: refused.error, message: "Failed to execute statement" })

/** @internal */
export const isUnknownName = ({ error, isFutile }: Refused): boolean => {
  const { sqlState } = classify(error)
  return !isFutile && (sqlState === "26000" || sqlState === "42P05")
}

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
  readonly describe: (portal: { readonly type: "P" }) => void
  readonly execute: (config: object) => void
  readonly sendCopyFromChunk: (chunk: Buffer) => void
  readonly endCopyFrom: () => void
  readonly sync: () => void
}

type Callback = (error: unknown, result?: unknown) => void

const said = (error: SqlError): SqlError => error.cause instanceof Refused ? saidBy(error.cause) : error

/** That, or the tables were altered, so that the statement has other columns now. */
const isOfName = (refused: Refused): boolean => isUnknownName(refused) || classify(refused.error).sqlState === "0A000"

interface Prepared {
  readonly since: number
  readonly about: unknown
  columns: ReadonlyArray<Column> | undefined
}

interface Column {
  readonly name: string
  readonly dataTypeID: number
}

const BOOLEAN = 16

/** How long a plan is used. In the first second of a job tables grow from nothing to what a plan should be made for. */
const FRESH_MILLIS = 5000

/** The texts that a connection knows under a name. */
const preparedOn = (wire: Wire): Map<string, Prepared> => {
  const known = prepared.get(wire) ?? new Map<string, Prepared>()
  prepared.set(wire, known)
  return known
}

const prepared = new WeakMap<Wire, Map<string, Prepared>>()

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
