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
import * as FiberRef from "effect/FiberRef"
import { globalValue } from "effect/GlobalValue"
import * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import * as Outage from "../ports/outage.js"
import { CurrentTransaction } from "../ports/Transactor.js"
import { JobRepositoryError, TransactionError } from "../vocabulary/BatchError.js"
import { forgiving } from "./afresh.js"
import type { Ambient } from "./ambient.js"
import * as Ambient_ from "./ambient.js"
import type { Identity } from "./client.js"
import { identityOf, meet, stripped } from "./client.js"
import type { Dialect } from "./dialect.js"
import * as Dialect_ from "./dialect.js"
import * as Failure from "./failure.js"
import * as IdleTimeout from "./idleTimeout.js"
import * as Lock from "./lock.js"
import type { Begun, OpenTransaction } from "./openTransaction.js"
import * as Open from "./openTransaction.js"
import * as Patience from "./patience.js"
import * as Pool from "./pool.js"
import * as SessionSettings from "./sessionSettings.js"
import * as Silence from "./silence.js"
import * as SqlState from "./sqlState.js"
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
  /** How many connections the pool has at most, if the client says so. */
  readonly poolSize: number | undefined
  /** How many of them our transactions hold, when one of them was last given back, and whether one was waited for in vain. */
  holding: number
  heldAt: number
  isExhausted: boolean
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
 * Runs the effect in a new transaction on a connection of its own, which `begin` opens before. A caller that cannot be
 * interrupted, but wants the effect and the wait for the connection to be, gives `Effect.interruptible`: then it always hears of
 * a commit.
 *
 * @internal
 */
export const transact = <A, E, R>(
  database: Database,
  begin: string,
  effect: Effect.Effect<A, E, R>,
  inside?: Restore
): Effect.Effect<A, E | TransactionError, R> =>
  Effect.uninterruptibleMask((outside) => {
    const restore = inside ?? outside
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
  Effect.flatMap(FiberRef.get(CurrentTransaction), (current) => {
    const transaction = Open.make(database.identity, begins(database, begin, idleTimeout))
    if (current !== undefined) {
      current.isUnused = () => Open.isUnused(transaction)
    }
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
 * The same for what somebody is told is done: when it has to run in the transaction that holds the only connection, it runs
 * once more behind that, whose rollback may have undone it. So it has to be something that may be done twice. In a transaction
 * that a client has opened without us nobody would hear of its end, so there it is refused.
 *
 * @internal
 */
export const lasting = <A, E>(
  database: Database,
  effect: Effect.Effect<A, E>,
  refused: (error: TransactionError) => E
): Effect.Effect<A, E> =>
  Effect.flatMap(Ambient_.ambient, (ambient) => {
    if (ambient._tag === "None" || !holdsOnly(database, ambient)) {
      return ambient._tag === "None" ? effect : stripped(effect)
    }
    if (ambient._tag !== "Ours") {
      return Effect.fail(refused(oneConnection(database, "do this before it or behind it")))
    }
    return Effect.tap(effect, () =>
      Effect.sync(() => {
        ambient.transaction.behind.push(logged(stripped(effect)))
      }))
  })

/**
 * The same for what says nothing and may not be done twice: it runs only behind the transaction that holds the only
 * connection.
 *
 * @internal
 */
export const behind = <E>(database: Database, effect: Effect.Effect<unknown, E>): Effect.Effect<void, E> =>
  Effect.flatMap(Ambient_.ambient, (ambient) =>
    ambient._tag === "Ours" && holdsOnly(database, ambient)
      ? Effect.sync(() => {
        ambient.transaction.behind.push(logged(stripped(effect)))
      })
      : Effect.asVoid(detached(database, effect)))

/**
 * Runs statements of PostgreSQL outside of any transaction, each of which is one by itself, on a connection of the pool that is
 * waited for, and looked after, like that of a transaction. `isLast` where nobody may find out too early what became of them: an interruption waits
 * for their end, as for that of a commit.
 *
 * @internal
 */
export const connected = <A, E, R>(
  database: Database,
  use: (connection: Connection) => Effect.Effect<A, E, R>,
  isLast = false
): Effect.Effect<A, E | SqlError, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.mapError(apart(database), Open.asSqlError), (scope) => {
      const used = Effect.flatMap(
        acquire(database, scope, restore),
        (connection) => {
          const sent = Effect.provideService(use(connection), SqlClient.TransactionConnection, [connection, 0])
          return restore(isLast ? Silence.lastWord(connection, sent) : sent)
        }
      )
      return Effect.onExit(used, (exit) => Scope.close(scope, exit))
    })
  )

/**
 * Runs the effect outside of any transaction. Where there is only one connection, nothing may begin in the effect while
 * the transaction around it holds that.
 *
 * @internal
 */
export const suspended = <A, E, R>(database: Database, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  !hasOne(database) ? stripped(effect) : Effect.flatMap(
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
  hasOne(database) && hasBegun(database, ambient)

/**
 * Whether statements of this client run in a transaction that has begun. One that has not shows nothing yet that nobody else
 * could see.
 *
 * @internal
 */
export const hasBegun = (database: Database, ambient: Ambient): boolean =>
  isOwn(database, ambient) && (ambient._tag !== "Ours" || Open.isBegun(ambient.transaction))

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
  const reserve = stripped(reserved(database, scope))
  return database.only === undefined
    ? Effect.flatMap(
      Effect.forkDaemon(Effect.tap(reserve, (connection) => inUse(database, scope, connection))),
      (fiber) => restore(Pool.awaited(database, fiber))
    ).pipe(Effect.tap(() => Pool.hold(database, scope)))
    : Effect.map(restore(reserve), forgiving)
}

/** @internal */
export const oneConnection = (database: Database, advice: string): TransactionError =>
  new TransactionError({
    phase: "begin",
    reason: "fatal",
    cause: new Failure.NoConnection(
      database.only === undefined
        ? "the pool of this client has one connection (maxConnections: 1), and a transaction is open on it: set " +
          `maxConnections to 2 or more, or ${advice}`
        : `SQLite has one connection, and a transaction is open on it: ${advice}`
    )
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const reserved = (database: Database, scope: Scope.Scope): Effect.Effect<Connection, SqlError> =>
  Effect.catchAll(
    Scope.extend(database.sql.reserve, scope),
    (error) => Pool.isBehindOurs(database, error) ? reserved(database, scope) : Effect.fail(error)
  )

/** Looked after until the scope closes. One that came too late was given back at once, and may be somebody else's. */
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
    Effect.suspend(() => database.inUse.has(used) ? SessionSettings.prepared(database, connection) : Effect.void)
  )
}

/** Nobody waits for what is done behind a transaction. */
const logged = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<void, never, R> =>
  Effect.catchAllCause(
    effect,
    (cause) => Effect.logWarning("What was asked for inside of a transaction could not be stored behind it", cause)
  )

const databases = globalValue("effect-batch/sql/databases", () => new WeakMap<Identity, Database>())

/** The transaction of the same client around one that is apart from it. */
const Enclosing: FiberRef.FiberRef<OpenTransaction | undefined> = globalValue(
  "effect-batch/sql/Enclosing",
  () => FiberRef.unsafeMake<OpenTransaction | undefined>(undefined)
)

/** Whether who holds a connection keeps everybody else waiting. */
const hasOne = ({ only, poolSize }: Database): boolean => only !== undefined || poolSize === 1

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
    poolSize: dialect.name === "pg" ? Pool.sizeOf(client) : undefined,
    holding: 0,
    heldAt: -Infinity,
    isExhausted: false,
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
  // Refused, it has done nothing, and may be tried again.
  Outage.outlasting(
    beginning(database, begin(isOwn), restore, idleTimeout),
    ({ cause }) => SqlState.isOutOfReach(cause),
    undefined,
    restore
  )

const beginning = (
  database: Database,
  begin: string,
  restore: Restore,
  idleTimeout: Duration.Duration | undefined
): Effect.Effect<Begun, TransactionError> =>
  Effect.flatMap(apart(database), (scope) =>
    Effect.onExit(
      Effect.map(start(database, begin, scope, restore), (connection): Begun => {
        const since = performance.now()
        const watch = idleTimeout === undefined ? undefined : IdleTimeout.watch(connection, idleTimeout)
        return {
          _tag: "Begun",
          connection,
          commit: database.only === undefined
            ? Silence.lastWord(connection, connection.executeRaw("COMMIT", []))
            : Patience.commitPatiently(database, connection),
          lost: watch?.ended,
          release: Effect.suspend(() => {
            watch?.stop()
            const at = performance.now()
            database.released = { at, held: at - since }
            const restored = database.only === undefined ? Effect.void : Patience.waitAsBefore(database, connection)
            return Effect.ensuring(restored, Scope.close(scope, Exit.void))
          })
        }
      }),
      (exit) => Exit.isSuccess(exit) ? Effect.void : Scope.close(scope, exit)
    ))

/** A scope for a connection of one's own, unless the transaction around holds the only one there is. */
const apart = (database: Database): Effect.Effect<Scope.CloseableScope, TransactionError> =>
  Effect.flatMap(FiberRef.get(Enclosing), (enclosing) =>
    enclosing !== undefined && Open.isBegun(enclosing)
      ? Effect.fail(oneConnection(database, "end it first, or leave out the propagation"))
      : Scope.make())

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
            : restore(Patience.beginPatiently(database, connection, begin)),
          connection
        ),
        () => Open.rollback(connection)
      )),
    (error) => error.cause instanceof TransactionError ? error.cause : Failure.transactionError("begin", error)
  )
