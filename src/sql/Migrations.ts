/**
 * The tables of the job repository: creates and upgrades them, or returns the SQL for doing that by hand.
 *
 * `SqlJobRepository.layer` runs them when it is built, unless told not to.
 *
 * @since 0.1.0
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import { JobRepositoryError } from "../vocabulary/BatchError.js"
import * as Contention from "./contention.js"
import type { Database } from "./database.js"
import * as Database_ from "./database.js"
import * as Failure from "./failure.js"
import type { Migration, Names } from "./schema.js"
import * as Schema from "./schema.js"

/**
 * - `prefix`: what the names of all tables and indexes begin with, `"batch_"` by default. On PostgreSQL it may begin
 *   with the name of an existing schema: `"jobs.batch_"`. Case counts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly prefix?: string | undefined
}

/**
 * Brings the tables up to date, and returns the names of the migrations that were applied. Any number of processes may
 * do that at the same time; each migration is applied once. Nothing is written, and no permission to create tables is
 * needed, when the tables are up to date.
 *
 * Fails when the tables are newer than this version of the library.
 *
 * @example
 * ```ts
 * import { Migrations } from "effect-batch/sql"
 * import { Effect } from "effect"
 *
 * // Effect<void, JobRepositoryError, SqlClient>
 * const migrate = Migrations.run({ prefix: "jobs.batch_" }).pipe(
 *   Effect.flatMap((applied) => Effect.log(`applied ${applied.length} migrations`))
 * )
 *
 * assert.ok(Effect.isEffect(migrate))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const run = (options: Options = {}): Effect.Effect<ReadonlyArray<string>, JobRepositoryError, SqlClient> =>
  Effect.flatMap(Database_.make, (database) => migrate(database, options.prefix ?? Schema.defaultPrefix))

/**
 * Makes sure that the tables are those this version of the library works with; writes nothing.
 *
 * @since 0.1.0
 * @category constructors
 */
export const check = (options: Options = {}): Effect.Effect<void, JobRepositoryError, SqlClient> =>
  Effect.flatMap(Database_.make, (database) => verify(database, options.prefix ?? Schema.defaultPrefix))

/**
 * The statements that create the tables in an empty database and note that they did, for people who migrate by hand.
 * Run them in one transaction. Throws on a prefix that cannot be part of a name.
 *
 * @example
 * ```ts
 * import { Migrations } from "effect-batch/sql"
 *
 * const script = Migrations.statements("pg").join(";\n")
 *
 * assert.ok(script.includes(`create table "batch_job_instance"`))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const statements = (
  dialect: "pg" | "sqlite",
  prefix: string = Schema.defaultPrefix
): ReadonlyArray<string> => {
  if (!Schema.isPrefix(dialect, prefix)) {
    throw badPrefix(dialect, prefix)
  }
  const names = Schema.names(dialect, prefix)
  return [
    Schema.migrationsTable(names),
    ...Schema.migrations.flatMap((migration) => [...migration.statements(names), record(names, migration)])
  ]
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** @internal */
export const migrate = (
  database: Database,
  prefix: string
): Effect.Effect<ReadonlyArray<string>, JobRepositoryError> =>
  Effect.flatMap(
    namesOf(database, prefix),
    (names) =>
      Effect.flatMap(Database_.detached(database, version(database, names)), (current) =>
        current === Schema.latest
          ? Effect.succeed([])
          : Contention.retry(
            Database_.transact(
              database,
              begin(database),
              Effect.flatMap(lock(database, prefix), () => upgrade(database, names))
            )
          ).pipe(
            Effect.catchTag("TransactionError", (error) => Effect.fail(Failure.fromTransactionError("migrate", error)))
          ))
  )

/** @internal */
export const verify = (database: Database, prefix: string): Effect.Effect<void, JobRepositoryError> =>
  Effect.flatMap(
    namesOf(database, prefix),
    (names) =>
      Effect.flatMap(Database_.detached(database, version(database, names)), (current) =>
        current === Schema.latest ? Effect.void : Effect.fail(outdated(prefix, current)))
  )

// Every statement must see what others have committed meanwhile, whatever the default of the database is.
const begin = (database: Database): string =>
  database.dialect.name === "pg" ? "BEGIN ISOLATION LEVEL READ COMMITTED" : "BEGIN IMMEDIATE"

// The first number makes the lock ours: locks of one number, which other libraries take, are a separate space.
const lock = ({ dialect, sql }: Database, prefix: string): Effect.Effect<unknown, JobRepositoryError> =>
  dialect.name === "pg" ? refail(sql`select pg_advisory_xact_lock(1650553956, hashtext(${prefix}))`) : Effect.void

const upgrade = (database: Database, names: Names): Effect.Effect<ReadonlyArray<string>, JobRepositoryError> =>
  Effect.gen(function*() {
    const current = yield* version(database, names)
    const pending = Schema.migrations.filter(({ id }) => id > current)
    const texts = pending.flatMap((migration) => [...migration.statements(names), record(names, migration)])
    yield* Effect.forEach(
      current === 0 ? [Schema.migrationsTable(names), ...texts] : texts,
      (text) => refail(database.sql.unsafe(text)),
      { discard: true }
    )
    return pending.map(({ name }) => name)
  })

/** The last migration that was applied; 0 when there are no tables. Fails when it is not known here. */
const version = (database: Database, names: Names): Effect.Effect<number, JobRepositoryError> =>
  Effect.gen(function*() {
    if (!(yield* exists(database, names))) {
      return 0
    }
    const table = database.sql.literal(names.table("migrations"))
    const [row] = yield* refail(database.sql<{ readonly id: unknown }>`select max(id) as id from ${table}`)
    const current = Number(row?.id ?? 0)
    return current <= Schema.latest ? current : yield* tooNew(current)
  })

// Asks the catalog itself: to_regclass() answers from a cache, which may be as old as the transaction.
const exists = ({ dialect, sql }: Database, names: Names): Effect.Effect<boolean, JobRepositoryError> => {
  const [name, schema] = names.table("migrations").split(".").map((part) => part.slice(1, -1)).reverse()
  const rows = dialect.name === "pg"
    ? sql`select 1 as one from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relname = ${name} and ${
      schema === undefined ? sql`pg_catalog.pg_table_is_visible(c.oid)` : sql`n.nspname = ${schema}`
    }`
    : sql`select 1 as one from sqlite_master where type = 'table' and name = ${name}`
  return Effect.map(refail(rows), (found) => found.length > 0)
}

const record = (names: Names, { id, name }: Migration): string => {
  const now = names.dialect === "pg" ? "clock_timestamp()" : "cast(round(unixepoch('subsec') * 1000) as integer)"
  return `insert into ${names.table("migrations")} (id, name, applied_at) values (${id}, '${name}', ${now})`
}

const refail = <A>(effect: Effect.Effect<A, SqlError>): Effect.Effect<A, JobRepositoryError> =>
  Effect.withTracerEnabled(Failure.refail("migrate")(effect), false)

const namesOf = (database: Database, prefix: string): Effect.Effect<Names, JobRepositoryError> =>
  Schema.isPrefix(database.dialect.name, prefix)
    ? Effect.succeed(Schema.names(database.dialect.name, prefix))
    : Effect.fail(badPrefix(database.dialect.name, prefix))

const badPrefix = (dialect: "pg" | "sqlite", prefix: string) =>
  fatal(
    `the prefix ${JSON.stringify(prefix)} cannot be part of a table name: use at most 30 letters, digits and ` +
      `underscores that do not begin with a digit${dialect === "pg" ? ", after a schema and a dot if need be" : ""}`
  )

const tooNew = (current: number) =>
  Effect.fail(fatal(
    `the tables are of version ${current}, but this version of effect-batch knows only ${Schema.latest}: ` +
      "upgrade effect-batch in this process"
  ))

const outdated = (prefix: string, current: number) =>
  fatal(
    current === 0
      ? `there are no tables with the prefix "${prefix}": let the layer migrate, or run the statements of ` +
        "Migrations.statements, and check the prefix and the schema search path"
      : `the tables with the prefix "${prefix}" are of version ${current}, but version ${Schema.latest} is needed: ` +
        "let the layer migrate, or call Migrations.run as a user who may alter tables"
  )

const fatal = (detail: string) => new JobRepositoryError({ operation: "migrate", reason: "fatal", detail })
