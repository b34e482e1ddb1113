/**
 * Transactions for jobs whose data lives in the same database as the job repository, or that need a database at all.
 *
 * What runs in one transaction and uses the same `SqlClient` commits together with the checkpoint of the chunk, exactly
 * once. Statements through another client are not part of it; give them a transaction of their own.
 *
 * @since 0.1.0
 */
import { SqlClient } from "@effect/sql/SqlClient"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import * as Address from "../ports/address.js"
import * as Pipelining from "../ports/pipelining.js"
import * as Transactor from "../ports/Transactor.js"
import type { JobRepositoryError } from "../vocabulary/BatchError.js"
import * as Ambient from "./ambient.js"
import { meet } from "./client.js"
import type { Database } from "./database.js"
import * as Database_ from "./database.js"
import * as IdleTimeout from "./idleTimeout.js"
import * as PgPipeline from "./pgPipeline.js"

/**
 * - `idleTimeout`: PostgreSQL ends a transaction that sends no statement for so long, so that a process that hangs or
 *   was frozen does not keep its rows locked; one minute by default, `Duration.infinity` for never. It must be longer
 *   than the longest pause between two statements of a chunk.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly idleTimeout?: Duration.DurationInput | undefined
}

/**
 * Makes a transactor over the `SqlClient`.
 *
 * Commit failures are a typed `TransactionError` whose `reason` says whether trying again may help (`transient` for a
 * serialization failure, `data` for a deferred constraint). A transaction that PostgreSQL rolled back because the
 * failure of a statement was caught inside of it fails as well, it never counts as committed. When the body fails, its
 * own failure is kept, even if the connection is lost.
 *
 * Isolation levels are those of PostgreSQL. A transaction of SQLite is always serializable and takes the write lock
 * when it begins (`BEGIN IMMEDIATE`), so every level is at least fulfilled. SQLite has one connection: `requiresNew`
 * and `notSupported` inside of a transaction fail there, as waiting for the connection would never end.
 *
 * @example
 * ```ts
 * import { SqlTransactor } from "effect-batch/sql"
 * import { Transactor } from "effect-batch"
 * import { SqlClient } from "@effect/sql"
 * import { Effect } from "effect"
 *
 * const transfer = Effect.gen(function*() {
 *   const sql = yield* SqlClient.SqlClient
 *   const { transact } = yield* Transactor.Transactor
 *   yield* transact(sql`update account set amount = amount - 1 where id = 1`, { isolation: "serializable" })
 * }).pipe(Effect.provide(SqlTransactor.layer))
 *
 * assert.ok(Effect.isEffect(transfer))
 * ```
 *
 * @see TX-1
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  options: Options = {}
): Effect.Effect<Context.Tag.Service<Transactor.Transactor>, JobRepositoryError, SqlClient> =>
  Effect.map(Database_.make, (database) => fromDatabase(database, options))

/**
 * @since 0.1.0
 * @category layers
 */
export const layerWith = (options: Options): Layer.Layer<Transactor.Transactor, JobRepositoryError, SqlClient> =>
  Layer.effect(Transactor.Transactor, make(options))

/**
 * The transactor with the defaults of `Options`. `SqlJobRepository.layer` contains it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Transactor.Transactor, JobRepositoryError, SqlClient> = layerWith({})

/**
 * Runs an effect with another client: its statements and its transactions are those of this client's database, outside
 * of the transaction of the step, however the effect got hold of the client.
 *
 * The statements of a client reach its database wherever they run. What needs this are the *transactions* of a client
 * that code has captured, as a service of its own or in a closure: `SqlClient.withTransaction` does not say whose it
 * is, and inside a step it is refused unless its client is the `SqlClient` of the context, or is named here.
 *
 * Guarantee: at least once. What was committed over there stays when the transaction of the step rolls back.
 *
 * @example
 * ```ts
 * import { SqlTransactor } from "effect-batch/sql"
 * import type { SqlClient } from "@effect/sql"
 * import { Context, Effect } from "effect"
 *
 * class Warehouse extends Context.Tag("Warehouse")<Warehouse, SqlClient.SqlClient>() {}
 *
 * const audit = Effect.flatMap(Warehouse, (sql) =>
 *   sql.withTransaction(sql`insert into audit values (1)`).pipe(SqlTransactor.withClient(sql)))
 *
 * assert.ok(Effect.isEffect(audit))
 * ```
 *
 * @since 0.1.0
 * @category combinators
 * @see OWN-10
 */
export const withClient: {
  (client: SqlClient): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, SqlClient>>
  <A, E, R>(effect: Effect.Effect<A, E, R>, client: SqlClient): Effect.Effect<A, E, Exclude<R, SqlClient>>
} = dual(
  2,
  <A, E, R>(effect: Effect.Effect<A, E, R>, client: SqlClient): Effect.Effect<A, E, Exclude<R, SqlClient>> =>
    Effect.suspend(() => {
      meet(client)
      return Effect.provideService(effect, SqlClient, client)
    })
)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** @internal */
export const fromDatabase = (database: Database, options: Options): Context.Tag.Service<Transactor.Transactor> => {
  const isPg = database.dialect.name === "pg"
  const idleTimeout = idleTimeoutOf(options)
  const settings = isPg ? IdleTimeout.setting(idleTimeout) : ""
  const transactor = Transactor.make(
    (effect, transaction) =>
      Effect.flatMap(Ambient.ambient, (ambient) =>
        // Reached only when the client's own `withTransaction` holds the one connection there is.
        Database_.holdsOnly(database, ambient)
          ? Effect.fail(
            Database_.oneConnection(database, "open it through the Transactor instead of SqlClient.withTransaction")
          )
          : Database_.transactLazily(
            database,
            begin(database, transaction, settings),
            effect,
            isPg ? idleTimeout : undefined
          )),
    (effect) => outside(database, effect)
  )
  Address.withDatabase(transactor.transact, database)
  Pipelining.withPipeline(transactor.transact, PgPipeline.pipeline(database))
  return transactor
}

/**
 * How a transaction of PostgreSQL begins, in one text, so that the settings cost no round trip. The level is always
 * named: that of the database may be another one. One that holds nothing but the record of the engine has no use for
 * what was asked for the statements of the step, and would only lose against others.
 */
const begin =
  (database: Database, { isolation }: Transactor.TransactionOptions, settings: string): Database_.Begin => (isOwn) =>
    database.dialect.name === "sqlite"
      ? "BEGIN IMMEDIATE"
      : `BEGIN ISOLATION LEVEL ${levels[isOwn ? "read committed" : isolation ?? "read committed"]}${settings}`

const levels = {
  "read uncommitted": "READ UNCOMMITTED",
  "read committed": "READ COMMITTED",
  "repeatable read": "REPEATABLE READ",
  serializable: "SERIALIZABLE"
} as const

/** @internal */
export const idleTimeoutOf = ({ idleTimeout }: Options): Duration.Duration =>
  Duration.decode(idleTimeout ?? Duration.minutes(1))

// The cast leaves out TransactionError, which `transact`, the only caller, has in its type.
const outside = <A, E, R>(database: Database, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    Ambient.ambient,
    (ambient) =>
      Database_.holdsOnly(database, ambient)
        ? Effect.fail(
          Database_.oneConnection(database, "end it first, or leave out the propagation")
        ) as Effect.Effect<never>
        : Database_.suspended(database, effect)
  )
