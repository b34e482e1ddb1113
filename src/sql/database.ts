/**
 * Transactions over a `SqlClient` whose failures are typed, which begin with their first statement, and in which the
 * statements of other clients reach their own databases.
 *
 * `SqlClient.withTransaction` cannot be used for that: it turns a failing commit into a defect, replaces the failure of
 * the body by that of the rollback, and shares one tag among all clients, so that inside a transaction of another
 * database every query would run over there.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import { globalValue } from "effect/GlobalValue"
import * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import { JobRepositoryError, TransactionError } from "../vocabulary/BatchError.js"
import { forgiving } from "./afresh.js"
import type { Ambient } from "./ambient.js"
import * as Ambient_ from "./ambient.js"
import type { Identity } from "./client.js"
import { identityOf, meet, stripped } from "./client.js"
import { realPause } from "./contention.js"
import type { Dialect } from "./dialect.js"
import * as Dialect_ from "./dialect.js"
import * as Failure from "./failure.js"
import * as IdleTimeout from "./idleTimeout.js"
import * as Lock from "./lock.js"
import type { Begun, OpenTransaction } from "./openTransaction.js"
import * as Open from "./openTransaction.js"
import * as Queueing from "./queueing.js"
import * as SessionSettings from "./sessionSettings.js"
import * as Silence from "./silence.js"
import { classify } from "./sqlState.js"
import * as Stalls from "./stalls.js"

/**
 * A database as this process reaches it through one client: how it speaks, and how long to wait for its lock.
 *
 * @internal
 */
export interface Database {
  readonly sql: SqlClient.SqlClient
  readonly identity: Identity
  readonly dialect: Dialect
  /** The connection of a client that has only one (SQLite): who holds it keeps everybody else waiting. */
  readonly only: Connection | undefined
  /** What the connections of this client have in common, and no others. */
  readonly kind: object | null
  /** How long, in milliseconds, a transaction of SQLite waits to begin while another process or client is writing. */
  patience: number
  /** How long SQLite itself waits, and blocks the process, where a statement stands in no transaction of ours. */
  busyTimeout: number
  /** Whether the user has said how long to wait; otherwise as long as the lease allows. */
  isPatienceSet: boolean
  /** When this process gave back the write lock of SQLite, and for how long it had held it. */
  released: { readonly at: number; readonly held: number }
  /** When somebody else was last seen to hold it. */
  metOthersAt: number
  /** Whether statements are prepared under names, which not every pooler in front of PostgreSQL can stand. */
  prepares: boolean
  /** Whether a pooler stands in front of PostgreSQL that hands a connection on after each transaction. */
  isPooled: boolean
  /** What the connections of this process that hold transactions of ours are known by. */
  readonly tag: string
  /** The numbers that the server gives to those that are open, and to those that were cut while the server was silent. */
  readonly backends: Set<number>
  readonly orphans: Set<number>
  readonly inUse: Set<Stalls.Used>
  /** What looks after them, if there is a connection to do it on. */
  guard: Guard | undefined
}

/** @internal */
export interface Guard {
  /** A connection has come into use. */
  readonly watch: () => void
  /** One was cut, whose other end may go on. */
  readonly endOrphans: () => void
}

/**
 * The database of a client; always the same one for the same client, so that a transactor and a repository that were
 * made apart recognise each other's transactions.
 *
 * @internal
 */
export const make: Effect.Effect<Database, JobRepositoryError, SqlClient.SqlClient> = Effect.flatMap(
  SqlClient.SqlClient,
  (client) => {
    const known = databases.get(identityOf(client))
    return known !== undefined ? Effect.succeed(known) : Effect.tap(
      connect(client),
      (database) =>
        Effect.sync(() => {
          meet(client)
          databases.set(database.identity, database)
        })
    )
  }
)

/** @internal */
export type Restore = Open.Restore

/**
 * How a transaction begins. `isOwn` when its only statement will be one of the engine's own.
 *
 * @internal
 */
export type Begin = (isOwn: boolean) => string

/**
 * Runs the effect in a new transaction on a connection of its own, which `begin` opens before.
 *
 * @internal
 */
export const transact = <A, E, R>(
  database: Database,
  begin: string,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | TransactionError, R> =>
  Effect.uninterruptibleMask((restore) => {
    const transaction = Open.make(database.identity, begins(database, () => begin))
    return ended(
      transaction,
      Effect.zipRight(restore(Open.begun(transaction)), Ambient_.within(transaction, restore(effect)))
    )
  })

/**
 * The same for a caller that cannot be interrupted: only the effect can, and waiting for the connection. The transaction
 * begins with the first statement in it.
 *
 * @internal
 */
export const transactLazily = <A, E, R>(
  database: Database,
  begin: Begin,
  effect: Effect.Effect<A, E, R>,
  idleTimeout?: Duration.Duration
): Effect.Effect<A, E | TransactionError, R> =>
  Effect.suspend(() => {
    const transaction = Open.make(database.identity, begins(database, begin, idleTimeout))
    return ended(transaction, Ambient_.within(transaction, effect))
  })

/**
 * Runs what writes a chunk as a whole: in the transaction of this client that is open, and else in one of its own.
 *
 * @internal
 */
export const whole = <A, E, R>(
  database: Database,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R> =>
  Effect.flatMap(Ambient_.ambient, (ambient) =>
    isOwn(database, ambient)
      ? effect
      : Effect.flatMap(isHeldBy(database, ambient), (isHeld): Effect.Effect<A, E | SqlError, R> =>
        isHeld ? Effect.fail(Lock.heldHere()) : Effect.mapError(
          stripped(
            transact(
              database,
              database.only === undefined ? "BEGIN ISOLATION LEVEL READ COMMITTED" : "BEGIN IMMEDIATE",
              effect
            )
          ),
          (error) => error instanceof TransactionError ? Open.asSqlError(error) : error
        )))

/**
 * Runs the effect in the open transaction if that belongs to this client, and else outside of it: a repository must
 * not write into somebody else's database.
 *
 * @internal
 */
export const attached = <A, E, R>(database: Database, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    Ambient_.ambient,
    (ambient) => ambient._tag === "None" || isOwn(database, ambient) ? effect : stripped(effect)
  )

/**
 * Runs the effect outside of any transaction, except on the only connection there is, when that is taken.
 *
 * @internal
 */
export const detached = <A, E, R>(database: Database, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    Ambient_.ambient,
    (ambient) => ambient._tag === "None" || holdsOnly(database, ambient) ? effect : stripped(effect)
  )

/**
 * Runs the effect outside of any transaction. Where there is only one connection, nothing may begin in the effect while
 * the transaction around it holds that.
 *
 * @internal
 */
export const suspended = <A, E, R>(database: Database, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  database.only === undefined ? stripped(effect) : Effect.flatMap(
    Ambient_.ambient,
    (ambient) =>
      ambient._tag === "Ours" && isOwn(database, ambient)
        ? Effect.locally(stripped(effect), Enclosing, ambient.transaction)
        : stripped(effect)
  )

/**
 * Whether the open transaction is one of this client. Ambient connections that nobody knows are not.
 *
 * @internal
 */
export const isOwn = (database: Database, ambient: Ambient): boolean => {
  switch (ambient._tag) {
    case "None":
      return false
    case "Ours":
      return ambient.transaction.identity === database.identity
    case "Theirs":
      return ambient.connection === database.only ||
        (database.kind !== null && Object.getPrototypeOf(ambient.connection) === database.kind)
  }
}

/**
 * Whether the open transaction holds the only connection there is.
 *
 * @internal
 */
export const holdsOnly = (database: Database, ambient: Ambient): boolean =>
  database.only !== undefined && isOwn(database, ambient) &&
  (ambient._tag !== "Ours" || Open.isBegun(ambient.transaction))

/**
 * Lets a transaction of SQLite wait for as long as an execution with this lease can wait for it without being taken over.
 *
 * @internal
 */
export const waitWithin = (database: Database, leaseMillis: number): void => {
  if (!database.isPatienceSet) {
    database.patience = leaseMillis * 0.75
  }
}

/**
 * The database of a client, if it was met before.
 *
 * @internal
 */
export const known = (client: SqlClient.SqlClient): Database | undefined => databases.get(identityOf(client))

/**
 * A connection of one's own, until the scope closes.
 *
 * Waiting for a pooled connection can only be given up by leaving the wait behind: the pool would lose the connection
 * it hands to an interrupted fiber, whereas a closed scope gives it back at once.
 *
 * @internal
 */
export const acquire = (
  database: Database,
  scope: Scope.Scope,
  restore: Restore
): Effect.Effect<Connection, SqlError> => {
  const reserve = stripped(Scope.extend(database.sql.reserve, scope))
  return database.only === undefined
    ? Effect.flatMap(
      Effect.forkDaemon(Effect.tap(reserve, (connection) => inUse(database, scope, connection))),
      (fiber) => restore(Fiber.join(fiber))
    )
    : Effect.map(restore(reserve), forgiving)
}

/** @internal */
export const oneConnection = (advice: string): TransactionError =>
  new TransactionError({
    phase: "begin",
    reason: "fatal",
    cause: new Error(`SQLite has one connection, and a transaction is open on it: ${advice}`)
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Looked after until the scope closes. */
const inUse = (database: Database, scope: Scope.Scope, connection: Connection): Effect.Effect<unknown, SqlError> => {
  const client = Stalls.clientOf(connection)
  if (client === undefined) {
    return Effect.void
  }
  const used = Stalls.used(client)
  database.inUse.add(used)
  database.guard?.watch()
  return Effect.zipRight(
    Scope.addFinalizer(scope, Effect.sync(() => database.inUse.delete(used))),
    SessionSettings.prepared(database, connection)
  )
}

const databases = globalValue("effect-batch/sql/databases", () => new WeakMap<Identity, Database>())

/** The transaction of the same client around one that is apart from it. */
const Enclosing: FiberRef.FiberRef<OpenTransaction | undefined> = globalValue(
  "effect-batch/sql/Enclosing",
  () => FiberRef.unsafeMake<OpenTransaction | undefined>(undefined)
)

const connect = (client: SqlClient.SqlClient): Effect.Effect<Database, JobRepositoryError> => {
  const sql = client.withoutTransforms()
  const dialect = Dialect_.make(sql)
  if (dialect === undefined) {
    return Effect.fail(
      new JobRepositoryError({
        operation: "connect",
        reason: "fatal",
        detail: "this database is not supported: use a client for PostgreSQL or SQLite"
      })
    )
  }
  const identity = identityOf(client)
  // Asking it for a connection costs PostgreSQL's client nothing: a statement finds itself one of the pool.
  const connection = Failure.refail("connect")(Effect.scoped(stripped(identity)))
  return Effect.map(connection, (connection) => ({
    sql,
    identity,
    dialect,
    only: dialect.name === "sqlite" ? connection : undefined,
    kind: kindOf(connection),
    patience: DEFAULT_PATIENCE,
    busyTimeout: 5000,
    isPatienceSet: false,
    released: { at: -Infinity, held: 0 },
    metOthersAt: -Infinity,
    prepares: true,
    isPooled: false,
    tag: randomBytes(4).toString("hex"),
    backends: new Set(),
    orphans: new Set(),
    inUse: new Set(),
    guard: undefined
  }))
}

/** Three quarters of the default lease. */
const DEFAULT_PATIENCE = 22_500

// The client of PostgreSQL has a class of its own for its connections.
const kindOf = (connection: Connection): object | null => {
  const kind: object | null = Object.getPrototypeOf(connection)
  return kind === Object.prototype ? null : kind
}

/** Whether the open transaction, of another client, has the lock of this SQLite file. */
const isHeldBy = ({ only }: Database, ambient: Ambient): Effect.Effect<boolean> =>
  only === undefined || ambient._tag !== "Ours"
    ? Effect.succeed(false)
    : Lock.isSameFile(only, Open.rawOf(ambient.transaction))

const ended = <A, E, R>(
  transaction: OpenTransaction,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | TransactionError, R> =>
  Effect.flatMap(Effect.exit(effect), (exit) => Open.end(transaction, exit))

const begins = (
  database: Database,
  begin: Begin,
  idleTimeout?: Duration.Duration
): OpenTransaction["begin"] =>
(restore, isOwn) =>
  Effect.flatMap(
    Effect.zip(Scope.make(), FiberRef.get(Enclosing)),
    ([scope, enclosing]) =>
      enclosing !== undefined && Open.isBegun(enclosing)
        ? Effect.fail(oneConnection("end it first, or leave out the propagation"))
        : Effect.onExit(
          Effect.map(start(database, begin(isOwn), scope, restore), (connection): Begun => {
            const since = performance.now()
            const watch = idleTimeout === undefined ? undefined : IdleTimeout.watch(connection, idleTimeout)
            return {
              _tag: "Begun",
              connection,
              commit: database.only === undefined
                ? Silence.lastWord(connection, connection.executeRaw("COMMIT", []))
                : commitPatiently(database, connection),
              lost: watch?.ended,
              release: Effect.suspend(() => {
                watch?.stop()
                const at = performance.now()
                database.released = { at, held: at - since }
                const restored = database.only === undefined ? Effect.void : waitAsBefore(database, connection)
                return Effect.ensuring(restored, Scope.close(scope, Exit.void))
              })
            }
          }),
          (exit) => Exit.isSuccess(exit) ? Effect.void : Scope.close(scope, exit)
        )
  )

const start = (
  database: Database,
  begin: string,
  scope: Scope.Scope,
  restore: Restore
): Effect.Effect<Connection, TransactionError> =>
  Effect.mapError(
    Effect.flatMap(acquire(database, scope, restore), (connection) =>
      Effect.onError(
        Effect.as(
          database.only === undefined
            ? connection.executeRaw(begin, [])
            : restore(beginPatiently(database, connection, begin)),
          connection
        ),
        () => Open.rollback(connection)
      )),
    (error) => Failure.transactionError("begin", error)
  )

/**
 * SQLite waits for a lock by blocking the whole process, in which the holder of the lock may live. So it is told not to
 * wait, for as long as the transaction is open, and is asked again.
 */
const beginPatiently = (
  database: Database,
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

interface Waiting {
  readonly since: number
  asked: number
  /** Changes with every commit of others. */
  version: unknown
  /** How many of these went by. */
  lost: number
}

const beginOrWait = (
  database: Database,
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

/** Without a write-ahead log, a commit has to wait for those who read. The transaction stays open while it does. */
const commitPatiently = (
  database: Database,
  connection: Connection,
  since = Infinity
): Effect.Effect<unknown, SqlError> =>
  Effect.catchAll(connection.executeRaw("COMMIT", []), (error) => {
    const asked = Math.min(since, performance.now())
    return classify(error).kind === "busy" && performance.now() - asked < database.patience
      ? Effect.zipRight(realPause(2 + Math.random() * 6), commitPatiently(database, connection, asked))
      : Effect.fail(error)
  })

const waitAsBefore = (database: Database, connection: Connection): Effect.Effect<void> =>
  Effect.ignore(busyTimeout(connection, database.busyTimeout))

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
