/**
 * The job repository in a PostgreSQL or SQLite database, over the `SqlClient` that the application uses anyway.
 *
 * With writers that use the same client, the data of a chunk and the record of how far the step came commit together:
 * exactly once, whatever crashes.
 *
 * @since 0.1.0
 */
import { SqlClient } from "@effect/sql/SqlClient"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Race from "../base/race.js"
import * as JobRepository from "../ports/JobRepository.js"
import { Transactor } from "../ports/Transactor.js"
import type { JobRepositoryError } from "../vocabulary/BatchError.js"
import { TransactionError } from "../vocabulary/BatchError.js"
import * as Ambient from "./ambient.js"
import * as Backends from "./backends.js"
import * as Contention from "./contention.js"
import type { Control } from "./control.js"
import * as Control_ from "./control.js"
import type { Database } from "./database.js"
import * as Database_ from "./database.js"
import { deleteJobExecutions } from "./deleting.js"
import * as Env_ from "./env.js"
import * as Failure from "./failure.js"
import * as IdleTimeout from "./idleTimeout.js"
import * as JobRows from "./jobRows.js"
import * as Migrations from "./Migrations.js"
import * as Open from "./openTransaction.js"
import { partitions } from "./partitionRows.js"
import { speaksProtocol } from "./pgQuery.js"
import { defaultPrefix } from "./schema.js"
import * as SqlTransactor from "./SqlTransactor.js"
import * as Stalls from "./stalls.js"
import * as StepRows from "./stepRows.js"
import * as StopHints from "./stopHints.js"
import * as ViewRows from "./viewRows.js"

/**
 * - `prefix`: what the names of the tables begin with, see `Migrations.Options`. Default `"batch_"`.
 * - `migrate`: whether to create and upgrade the tables when the layer is built; otherwise it only makes sure that they
 *   are there. Default true.
 * - `idleTimeout`: see `SqlTransactor.Options`.
 * - `control`: whether, on PostgreSQL, one connection beside the pool carries the heartbeats while jobs run, and listens for
 *   stop requests, so that a pool which is exhausted costs no execution its owner, and a stop is seen at once. Default true.
 *   Behind a pooler that hands a connection on after each transaction it does not listen: a stop is seen with the next
 *   heartbeat, or commit. When the server has no room for the connection, heartbeats share the pool with the steps.
 * - `busyTimeout`: how long a transaction of SQLite waits to begin while another process, or another client of this
 *   one, is writing. Default: three quarters of the lease. Statements outside of any transaction wait so long too, by
 *   default 5 seconds; they block the process while they do.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Migrations.Options, SqlTransactor.Options {
  readonly migrate?: boolean | undefined
  readonly control?: boolean | undefined
  readonly busyTimeout?: Duration.DurationInput | undefined
}

/**
 * The repository and the transactor over the `SqlClient`, with other defaults.
 *
 * @example
 * ```ts
 * import { SqlJobRepository } from "effect-batch/sql"
 * import { Layer } from "effect"
 *
 * const repository = SqlJobRepository.layerWith({ prefix: "jobs.batch_", migrate: false })
 *
 * assert.ok(Layer.isLayer(repository))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWith = (
  options: Options
): Layer.Layer<JobRepository.JobRepository | Transactor, JobRepositoryError, SqlClient> =>
  Layer.scopedContext(Effect.gen(function*() {
    const database = yield* Database_.make
    const prefix = options.prefix ?? defaultPrefix
    yield* prepare(database, options)
    yield* options.migrate === false ? Migrations.verify(database, prefix) : Migrations.migrate(database, prefix)
    const control = options.control === false ? undefined : yield* Control_.make(yield* SqlClient, database)
    yield* guarded(database, prefix, control)
    const stopHint = control === undefined || database.isPooled ? undefined : yield* StopHints.make(control, prefix)
    const driver = withHints(database, prefix, encoded(database, prefix, options, control), stopHint)
    return Context.make(JobRepository.JobRepository, JobRepository.makeEncoded(driver)).pipe(
      Context.add(Transactor, SqlTransactor.fromDatabase(database, options))
    )
  }))

/**
 * The repository and the transactor over the `SqlClient`; creates or upgrades the tables `batch_*` first.
 *
 * A layer that several parts of a program share must be one value, and so must the layer of the client: with two pools,
 * checkpoint and data would be in two transactions.
 *
 * On SQLite every commit is synchronised to the disk (`synchronous = FULL`), so that a power failure cannot lose a
 * checkpoint that other systems have passed already. A chunk holds the only connection of a process, so a lease there
 * must be longer than the longest chunk.
 *
 * @example
 * ```ts
 * import { SqlJobRepository } from "effect-batch/sql"
 * import { PgClient } from "@effect/sql-pg"
 * import { Config, Layer } from "effect"
 *
 * const live = SqlJobRepository.layer.pipe(
 *   Layer.provideMerge(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
 * )
 *
 * assert.ok(Layer.isLayer(live))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<JobRepository.JobRepository | Transactor, JobRepositoryError, SqlClient> = layerWith({})

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const prepare = (database: Database, { busyTimeout }: Options): Effect.Effect<void, JobRepositoryError> => {
  if (database.dialect.name !== "sqlite") {
    return Effect.void
  }
  const millis = Math.min(Math.ceil(Duration.toMillis(busyTimeout ?? Duration.seconds(5))), 2_147_483_647)
  database.busyTimeout = millis
  if (busyTimeout !== undefined) {
    database.patience = millis
    database.isPatienceSet = true
  }
  return Failure.refail("connect")(
    Effect.forEach(
      ["synchronous = FULL", `busy_timeout = ${millis}`],
      (pragma) => database.sql.unsafe(`PRAGMA ${pragma}`).unprepared,
      { discard: true }
    )
  )
}

// Plans are hinted at in the channel of stop requests, by their negative ids, and new plans by 0.
const withHints = (
  database: Database,
  prefix: string,
  driver: JobRepository.Encoded,
  stopHint: JobRepository.Encoded["stopHint"]
): JobRepository.Encoded =>
  stopHint === undefined ? { ...driver, stopHint } : {
    ...driver,
    stopHint,
    partitions: {
      ...driver.partitions,
      awaken: (planId) => stopHint(0 - planId),
      wake: (planId) =>
        Effect.ignore(
          Database_.detached(database, StopHints.send(database, prefix, 0 - planId))
        )
    }
  }

// Heartbeats and stop requests must be seen by others at once, whatever transaction they are called in.
const encoded = (
  database: Database,
  prefix: string,
  options: Options,
  control: Control | undefined
): JobRepository.Encoded => {
  const env = Env_.make(database, prefix)
  return {
    transact: makeTransact(env, control, IdleTimeout.setting(SqlTransactor.idleTimeoutOf(options))),
    claimTag: database.tag,
    lockInstance: JobRows.lockInstance(env),
    launchHistory: JobRows.launchHistory(env),
    limitLeases: JobRows.limitLeases(env),
    findClaims: JobRows.findClaims(env),
    insertJobExecution: (row, leaseMillis, token) => {
      Database_.waitWithin(database, leaseMillis)
      return JobRows.insertJobExecution(env)(row, leaseMillis, token)
    },
    updateJobExecution: JobRows.updateJobExecution(env),
    renewLease: (...args) =>
      Effect.tap(JobRows.renewLease(env, control)(...args), () => Effect.sync(() => database.guard?.endOrphans())),
    beatsQueue: database.only !== undefined ? true : undefined,
    insertStepExecution: StepRows.insertStepExecution(env),
    updateStepExecution: StepRows.updateStepExecution(env),
    pipelinedUpdate: speaksProtocol(database.sql) ? StepRows.pipelinedUpdate(env) : undefined,
    flowHistory: StepRows.flowHistory(env),
    insertAnswer: StepRows.insertAnswer(env),
    findStepExecution: StepRows.findStepExecution(env),
    insertSkippedItems: ViewRows.insertSkippedItems(env),
    requestStop: JobRows.requestStop(env, control),
    close: JobRows.close(env),
    findJobExecutions: JobRows.findJobExecutions(env),
    findJobInstances: JobRows.findJobInstances(env),
    findJobNames: JobRows.findJobNames(env),
    findStepExecutions: StepRows.findStepExecutions(env),
    findStepExecutionsOf: StepRows.findStepExecutionsOf(env),
    findSkippedItems: ViewRows.findSkippedItems(env),
    findSkippedPage: ViewRows.findSkippedPage(env),
    findSkippedGroups: ViewRows.findSkippedGroups(env),
    insertAudit: ViewRows.insertAudit(env),
    findAudit: ViewRows.findAudit(env),
    insertNotice: ViewRows.insertNotice(env),
    findNotices: ViewRows.findNotices(env),
    deleteNotices: ViewRows.deleteNotices(env),
    findLeases: JobRows.findLeases(env),
    deleteJobExecutions: deleteJobExecutions(env),
    partitions: partitions(env)
  }
}

/** The repository's own transaction that is open in this fiber. */
class OwnTransaction extends Context.Reference<OwnTransaction>()("effect-batch/sql/OwnTransaction", {
  defaultValue: (): object | undefined => undefined
}) {}

/**
 * The transactions of the repository itself are apart from those of the steps, and on SQLite they are refused when one of
 * these holds the only connection. They begin again when they lost against another one; every statement sees what others have
 * committed, whatever the default of the database is.
 */
const makeTransact = (env: Env_.Env, control: Control | undefined, idle: string): JobRepository.Encoded["transact"] => {
  const { database } = env
  const begin = (patienceMillis: number) =>
    database.dialect.name === "sqlite"
      ? "BEGIN IMMEDIATE"
      : `BEGIN ISOLATION LEVEL READ COMMITTED${idle}; SET LOCAL lock_timeout = ${Math.ceil(patienceMillis) + 1000}`
  return <A, E, R>(effect: Effect.Effect<A, E, R>, patienceMillis = PATIENCE_MILLIS) => {
    let pid: number | undefined
    const marked = Effect.flatMap(
      Ambient.ambient,
      (ambient) => {
        const transaction = transactionOf(ambient)
        pid = transaction === undefined ? undefined : Stalls.pidOf(Open.rawOf(transaction))
        return Effect.provideService(effect, OwnTransaction, transaction)
      }
    )
    const tried = (inside?: Database_.Restore) =>
      Effect.mapError(
        Contention.retry(Database_.transact(database, begin(patienceMillis), marked, inside)),
        (error): E | JobRepositoryError =>
          error instanceof TransactionError ? Failure.fromTransactionError("transaction", error) : error
      )
    const own = control === undefined || database.isPooled
      ? tried()
      // That a launch waits can end, also by an interruption. What it has committed it is told of.
      : Race.until(
        Effect.uninterruptible(tried(Effect.interruptible)),
        Backends.watch(env, control, patienceMillis, () => pid)
      )
    return Effect.flatMap(Ambient.ambient, (ambient) =>
      Effect.flatMap(
        OwnTransaction,
        (marker): Effect.Effect<A, E | JobRepositoryError, R> =>
          marker !== undefined && transactionOf(ambient) === marker
            ? effect
            // In there it would be undone by a rollback that its caller knows nothing of.
            : Database_.holdsOnly(database, ambient)
            ? Effect.fail(
              Failure.fromTransactionError(
                "transaction",
                Database_.oneConnection(database, "do this before it or behind it, in a listener or a step of its own")
              )
            )
            : own
      ))
  }
}

/** How long a transaction of the repository waits for locks, in milliseconds, unless it is a launch: that has its lease. */
const PATIENCE_MILLIS = 30_000

/** Looks after the connections of the pool, for as long as the layer lives. */
const guarded = (
  database: Database,
  prefix: string,
  control: Control | undefined
): Effect.Effect<void, never, Scope.Scope> => {
  if (control === undefined || database.isPooled) {
    return Effect.void
  }
  const env = Env_.make(database, prefix)
  return Effect.acquireRelease(
    Effect.sync(() => {
      const guard = {
        watch: Stalls.watch(env, control, database.inUse),
        endOrphans: () =>
          database.orphans.size === 0 ? undefined : void Effect.runFork(Backends.endOrphans(env, control))
      }
      database.guard = guard
      return guard
    }),
    (guard) =>
      Effect.sync(() => {
        database.guard = database.guard === guard ? undefined : database.guard
      })
  )
}

const transactionOf = (ambient: Ambient.Ambient): Open.OpenTransaction | undefined =>
  ambient._tag === "Ours" ? ambient.transaction : undefined
