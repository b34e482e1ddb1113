/**
 * Transactions over a `SqlClient` whose failures are typed, and which know whether the connection that is open in a
 * fiber is theirs.
 *
 * `SqlClient.withTransaction` cannot be used for that: it turns a failing commit into a defect, replaces the failure of
 * the body by that of the rollback, and shares one tag among all clients, so that inside a transaction of another
 * database every query would run over there.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { globalValue } from "effect/GlobalValue"
import * as Scope from "effect/Scope"
import { JobRepositoryError, TransactionError } from "../vocabulary/BatchError.js"
import { realPause } from "./contention.js"
import type { Dialect } from "./dialect.js"
import * as Dialect_ from "./dialect.js"
import * as Failure from "./failure.js"
import { classify } from "./sqlState.js"

/** @internal */
export interface Session {
  readonly sql: SqlClient.SqlClient
  readonly dialect: Dialect
  /** The connection of a client that has only one (SQLite): who holds it keeps everybody else waiting. */
  readonly only: Connection | undefined
  /** The connections on which a transaction of this session is open now. */
  readonly open: WeakSet<Connection>
  /** How long, in milliseconds, a transaction of SQLite waits to begin while another process or client is writing. */
  patience: number
  /** Whether statements are prepared under names, which not every pooler in front of PostgreSQL can stand. */
  prepares: boolean
}

/**
 * The session of a client; always the same one for the same client, so that a transactor and a repository that were
 * made apart recognise each other's transactions.
 *
 * @internal
 */
export const make: Effect.Effect<Session, JobRepositoryError, SqlClient.SqlClient> = Effect.flatMap(
  SqlClient.SqlClient,
  (client) => {
    const known = sessions.get(client)
    return known !== undefined ? Effect.succeed(known) : Effect.tap(
      connect(client),
      (session) => Effect.sync(() => sessions.set(client, session))
    )
  }
)

/**
 * Runs the effect in a new transaction on a connection of its own, which `begin` opens.
 *
 * @internal
 */
export const transact = <A, E, R>(
  session: Session,
  begin: string,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | TransactionError, R> =>
  Effect.uninterruptibleMask((restore) => transactMasked(session, begin, restore(effect), restore))

/**
 * The same for a caller that cannot be interrupted: only the effect can, and waiting for the connection.
 *
 * @internal
 */
export const transactMasked = <A, E, R>(
  session: Session,
  begin: string,
  effect: Effect.Effect<A, E, R>,
  restore: Restore
): Effect.Effect<A, E | TransactionError, R> =>
  Effect.flatMap(Scope.make(), (scope) =>
    Effect.onExit(
      Effect.flatMap(
        start(session, begin, scope, restore),
        (connection) => finish(session, connection, provideConnection(effect, connection))
      ),
      (exit) => Scope.close(scope, exit)
    ))

/**
 * Runs the effect in the open transaction if that belongs to this client, and else outside of it: a repository must
 * not write into somebody else's database.
 *
 * @internal
 */
export const attached = <A, E, R>(session: Session, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    ambient,
    (connection) => connection === undefined || isOwn(session, connection) ? effect : stripped(effect)
  )

/**
 * Runs the effect outside of any transaction, except on the only connection there is.
 *
 * @internal
 */
export const detached = <A, E, R>(session: Session, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  session.only === undefined ? stripped(effect) : attached(session, effect)

/** @internal */
export const stripped = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.mapInputContext(effect, (context: Context.Context<R>) =>
    Context.omit(SqlClient.TransactionConnection)(
      context as Context.Context<R | SqlClient.TransactionConnection>
    ) as Context.Context<R>)

/**
 * The connection of the transaction that is open in this fiber.
 *
 * @internal
 */
export const ambient: Effect.Effect<Connection | undefined> = Effect.contextWith(
  (context: Context.Context<never>) =>
    Context.getOrElse(
      context as Context.Context<SqlClient.TransactionConnection>,
      SqlClient.TransactionConnection,
      () => undefined
    )?.[0]
)

/**
 * Whether a transaction on the connection is one of this client that is still open. On PostgreSQL those that
 * `SqlClient.withTransaction` opened cannot be told from foreign ones.
 *
 * @internal
 */
export const isOwn = (session: Session, connection: Connection): boolean =>
  session.open.has(connection) || connection === session.only

/**
 * The session of a client, if one was made.
 *
 * @internal
 */
export const known = (client: SqlClient.SqlClient): Session | undefined => sessions.get(client)

// internal

const sessions = globalValue(
  "effect-batch/sql/sessions",
  () => new WeakMap<SqlClient.SqlClient, Session>()
)

const connect = (client: SqlClient.SqlClient): Effect.Effect<Session, JobRepositoryError> => {
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
  const only = dialect.name === "sqlite"
    ? Failure.refail("connect")(stripped(Effect.scoped(sql.reserve)))
    : Effect.succeed(undefined)
  return Effect.map(
    only,
    (only) => ({ sql, dialect, only, open: new WeakSet<Connection>(), patience: 5000, prepares: true })
  )
}

const provideConnection = <A, E, R>(effect: Effect.Effect<A, E, R>, connection: Connection) =>
  Effect.provideService(effect, SqlClient.TransactionConnection, [connection, 0])

/** @internal */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const start = (
  session: Session,
  begin: string,
  scope: Scope.Scope,
  restore: Restore
): Effect.Effect<Connection, TransactionError> =>
  Effect.mapError(
    Effect.flatMap(acquire(session, scope, restore), (connection) =>
      Effect.onError(
        Effect.map(
          session.only === undefined
            ? connection.executeRaw(begin, [])
            : restore(beginPatiently(session, connection, begin, performance.now())),
          () => {
            session.open.add(connection)
            return connection
          }
        ),
        () => rollback(connection)
      )),
    (error) => Failure.transactionError("begin", error)
  )

// SQLite waits for a lock by blocking the whole process, in which the holder of the lock may live. So it is told not to
// wait, for this statement only, and is asked again.
const beginPatiently = (
  session: Session,
  connection: Connection,
  begin: string,
  since: number
): Effect.Effect<unknown, SqlError> =>
  Effect.catchAll(
    Effect.zipRight(
      busyTimeout(connection, 0),
      Effect.ensuring(connection.executeRaw(begin, []), Effect.ignore(busyTimeout(connection, session.patience)))
    ),
    (error) =>
      classify(error).kind === "busy" && performance.now() - since < session.patience
        ? Effect.zipRight(realPause(Math.random() * 20), beginPatiently(session, connection, begin, since))
        : Effect.fail(error)
  )

// SQLite obeys this when the statement is prepared, so it must not come from a cache.
const busyTimeout = (connection: Connection, millis: number): Effect.Effect<unknown, SqlError> =>
  Effect.suspend(() => connection.executeUnprepared(`PRAGMA busy_timeout = ${millis}`, [], undefined))

/**
 * A connection of one's own, until the scope closes.
 *
 * Waiting for a pooled connection can only be given up by leaving the wait behind: the pool would lose the connection
 * it hands to an interrupted fiber, whereas a closed scope gives it back at once.
 *
 * @internal
 */
export const acquire = (
  session: Session,
  scope: Scope.Scope,
  restore: Restore
): Effect.Effect<Connection, SqlError> => {
  const reserve = stripped(Scope.extend(session.sql.reserve, scope))
  return session.only === undefined
    ? Effect.flatMap(Effect.forkDaemon(reserve), (fiber) => restore(Fiber.join(fiber)))
    // An object per transaction, so that one that has ended is not taken for the one that is open.
    : Effect.map(restore(reserve), (connection): Connection => Object.create(connection))
}

const finish = <A, E, R>(
  session: Session,
  connection: Connection,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | TransactionError, R> =>
  Effect.flatMap(Effect.exit(effect), (exit) => {
    session.open.delete(connection)
    return Exit.isSuccess(exit)
      ? Effect.zipRight(Effect.onError(commit(connection), () => rollback(connection)), exit)
      : Effect.zipRight(rollback(connection), exit)
  })

// PostgreSQL answers COMMIT with ROLLBACK, and no error, when a statement has failed and the failure was swallowed.
const commit = (connection: Connection): Effect.Effect<void, TransactionError> =>
  Effect.flatMap(
    Effect.mapError(connection.executeRaw("COMMIT", []), (error) => Failure.transactionError("commit", error)),
    (result) => isRollback(result) ? Effect.fail(swallowed()) : Effect.void
  )

const isRollback = (result: unknown): boolean =>
  typeof result === "object" && result !== null && (result as { readonly command?: unknown }).command === "ROLLBACK"

const swallowed = () =>
  new TransactionError({
    phase: "commit",
    reason: "fatal",
    cause: new Error(
      "The database rolled the transaction back: a statement in it had failed, and the failure was caught inside of " +
        "the transaction. Let the failure through, or run that statement in a transaction of its own"
    )
  })

/**
 * Never fails: the failure that led here says more than that of the rollback. A cancel request that arrives late may hit
 * the first one, and a connection must not go back to the pool inside a transaction.
 *
 * @internal
 */
export const rollback = (connection: Connection): Effect.Effect<void> => {
  const attempt = connection.executeRaw("ROLLBACK", [])
  return Effect.ignore(Effect.catchAll(attempt, () => attempt))
}
