/**
 * What every operation of the SQL driver needs: the database, the names of the tables and the lists of columns.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import type { Fragment, Statement } from "@effect/sql/Statement"
import * as Effect from "effect/Effect"
import type { JobRepositoryError } from "../vocabulary/BatchError.js"
import { TransactionError } from "../vocabulary/BatchError.js"
import * as Ambient from "./ambient.js"
import { isTransforming, stripped } from "./client.js"
import * as Contention from "./contention.js"
import type { Database } from "./database.js"
import * as Database_ from "./database.js"
import type { Dialect } from "./dialect.js"
import * as Failure from "./failure.js"
import * as Open from "./openTransaction.js"
import * as PgQuery from "./pgQuery.js"
import * as Schema from "./schema.js"

/** @internal */
export interface Env {
  readonly database: Database
  readonly sql: SqlClient
  readonly dialect: Dialect
  readonly prefix: string
  readonly tables: Tables
  readonly columns: Columns
}

/** @internal */
export interface Tables {
  readonly instance: Fragment
  readonly execution: Fragment
  readonly params: Fragment
  readonly step: Fragment
  readonly skipped: Fragment
  readonly answer: Fragment
  readonly plan: Fragment
  readonly partition: Fragment
  readonly audit: Fragment
  readonly notice: Fragment
}

/**
 * Columns as they are selected, named as in the rows of the port. `i`, `e`, `s` and `k` stand for the tables of
 * instances, executions, steps and skipped items.
 *
 * @internal
 */
export interface Columns {
  readonly instance: Fragment
  readonly execution: Fragment
  readonly step: Fragment
  readonly skipped: Fragment
}

/** @internal */
export const make = (database: Database, prefix: string): Env => {
  const { dialect, sql } = database
  const names = Schema.names(dialect.name, prefix)
  const table = (name: string) => sql.literal(names.table(name))
  const tables = {
    instance: table("job_instance"),
    execution: table("job_execution"),
    params: table("job_execution_params"),
    step: table("step_execution"),
    skipped: table("skipped_item"),
    answer: table("flow_answer"),
    plan: table("partition_plan"),
    partition: table("partition"),
    audit: table("audit"),
    notice: table("notice")
  }
  return { database, sql, dialect, prefix, tables, columns: columns(sql, dialect, tables) }
}

/**
 * Runs statements that read: in the transaction that is open, if that belongs to this client and has begun. To begin it for
 * them would take the only connection, where there is no other one, from what is done next.
 *
 * @internal
 */
export const read = <A>(
  env: Env,
  operation: string,
  effect: Effect.Effect<A, SqlError>
): Effect.Effect<A, JobRepositoryError> =>
  joining(env, operation, effect, {
    alone: env.dialect.name === "pg" ? connected(env, operation, effect) : quiet(operation, effect),
    joins: Database_.hasBegun
  })

/**
 * Runs statements that write: in the transaction that is open, if that belongs to this client. Else a single statement
 * of PostgreSQL is a transaction by itself, while SQLite needs one that waits for the lock without blocking the process. For
 * `isLast` see `Database.connected`.
 *
 * @internal
 */
export const write = <A>(
  env: Env,
  operation: string,
  effect: Effect.Effect<A, SqlError>,
  isLast = false
): Effect.Effect<A, JobRepositoryError> =>
  joining(env, operation, effect, {
    alone: env.dialect.name === "pg" ? connected(env, operation, effect, isLast) : alone(env, operation, effect),
    joins: Database_.isOwn
  })

/**
 * The same for a statement that runs for every partition or chunk and gives one row at most: where PostgreSQL has it alone, it is
 * known there by a name. For `about` see `Command`.
 *
 * @internal
 */
export const often = <A>(
  env: Env,
  operation: string,
  statements: (execute: Execute) => Effect.Effect<A, SqlError>,
  { about, isLast = false }: { readonly about?: unknown; readonly isLast?: boolean } = {}
): Effect.Effect<A, JobRepositoryError> => {
  const here = Effect.suspend(() => statements(asItIs))
  return joining(env, operation, here, {
    alone: env.dialect.name === "pg"
      ? quiet(
        operation,
        Database_.connected(env.database, (connection) => statements(byName(env, connection, about)), isLast)
      )
      : alone(env, operation, here),
    joins: Database_.isOwn
  })
}

/**
 * The same for the statements with which the engine concludes a transaction of a step, of which there are some in every chunk.
 * They go to its connection as they are: without spans, as all statements here, nothing that `@effect/sql` does around a
 * statement would be noticed, unless somebody transforms statements.
 *
 * @internal
 */
export const conclude = <A>(
  env: Env,
  operation: string,
  statements: (execute: Execute) => Effect.Effect<A, SqlError>
): Effect.Effect<A, JobRepositoryError> =>
  Effect.withFiberRuntime((fiber) => {
    const ambient = Ambient.of(fiber)
    if (ambient._tag !== "Ours" || !Database_.isOwn(env.database, ambient)) {
      return often(env, operation, statements, { isLast: true })
    }
    Open.conclude(ambient.transaction)
    const connection = ambient.connection(env.database.identity)
    return connection === undefined || isTransforming(fiber)
      ? quiet(operation, statements(asItIs))
      : Failure.refail(operation)(statements(directly(connection)))
  })

/**
 * How a statement is run.
 *
 * @internal
 */
export type Execute = <A>(statement: Statement<A>) => Effect.Effect<ReadonlyArray<A>, SqlError>

/** @internal */
export const runningStatuses = "('STARTING', 'STARTED', 'STOPPING')"

// internal

const asItIs: Execute = (statement) => statement

const directly = (connection: Connection): Execute => <A>(statement: Statement<A>) => {
  const [text, parameters] = statement.compile()
  return connection.execute(text, parameters, undefined) as Effect.Effect<ReadonlyArray<A>, SqlError>
}

/** Behind a pooler names would mean nothing, and who transforms statements is not passed by. */
const byName = (env: Env, connection: Connection, about: unknown): Execute => <A>(statement: Statement<A>) =>
  Effect.withFiberRuntime<ReadonlyArray<A>, SqlError>((fiber) => {
    if (!env.database.prepares || !PgQuery.speaksProtocol(env.sql) || isTransforming(fiber)) {
      return statement
    }
    const [text, values] = statement.compile()
    const parameters = values.map((value) => value === null || value === undefined ? null : String(value))
    return PgQuery.byName(
      env.database,
      connection,
      { text, parameters, about },
      statement as Statement<any>
    ) as Effect.Effect<
      ReadonlyArray<any>,
      SqlError
    >
  })

/** On a connection of PostgreSQL's pool, which is not waited for if nobody will give it back. */
const connected = <A>(
  env: Env,
  operation: string,
  effect: Effect.Effect<A, SqlError>,
  isLast = false
): Effect.Effect<A, JobRepositoryError> => quiet(operation, Database_.connected(env.database, () => effect, isLast))

/** In a transaction of SQLite of its own. */
const alone = <A>(
  env: Env,
  operation: string,
  effect: Effect.Effect<A, SqlError>
): Effect.Effect<A, JobRepositoryError> =>
  Effect.mapError(
    Database_.transact(env.database, "BEGIN IMMEDIATE", quiet(operation, effect)),
    (error) => error instanceof TransactionError ? Failure.fromTransactionError(operation, error) : error
  )

// What lost against another transaction has done nothing, so alone it may run again; in a transaction that is open, all of
// that has to.
const joining = <A>(
  env: Env,
  operation: string,
  effect: Effect.Effect<A, SqlError>,
  { alone, joins }: {
    readonly alone: Effect.Effect<A, JobRepositoryError>
    readonly joins: (database: Database, ambient: Ambient.Ambient) => boolean
  }
): Effect.Effect<A, JobRepositoryError> =>
  Effect.flatMap(
    Ambient.ambient,
    (ambient) =>
      joins(env.database, ambient)
        ? quiet(operation, effect)
        : Contention.retry(ambient._tag === "None" ? alone : stripped(alone))
  )

// Without spans: a repository that is polled would drown the traces of the job.
const quiet = <A>(operation: string, effect: Effect.Effect<A, SqlError>): Effect.Effect<A, JobRepositoryError> =>
  Effect.withTracerEnabled(Failure.refail(operation)(effect), false)

const columns = (sql: SqlClient, dialect: Dialect, tables: Tables): Columns => {
  const named = (kind: (column: string) => string, ...pairs: ReadonlyArray<readonly [string, string]>) =>
    pairs.map(([column, name]) => `${kind(column)} as "${name}"`)
  const same = (column: string) => column
  const list = (...columns: ReadonlyArray<ReadonlyArray<string>>) => sql.literal(columns.flat().join(", "))
  const instance = [
    ...named(dialect.number, ["i.id", "instanceId"]),
    ...named(same, ["i.job_name", "jobName"], ["i.job_key", "jobKey"]),
    ...named(dialect.millis, ["i.create_time", "instanceCreateTime"])
  ]
  const ended = (table: string): ReadonlyArray<string> => [
    ...named(same, [`${table}.status`, "status"], [`${table}.exit_code`, "exitCode"], [
      `${table}.exit_message`,
      "exitMessage"
    ]),
    ...named(
      dialect.millis,
      [`${table}.create_time`, "createTime"],
      [`${table}.start_time`, "startTime"],
      [`${table}.end_time`, "endTime"],
      [`${table}.last_updated`, "lastUpdated"]
    ),
    ...named(dialect.text, [`${table}.context`, "context"])
  ]
  const execution = list(
    named(dialect.number, ["e.id", "id"], ["e.epoch", "epoch"], ["e.restart_of", "restartOf"], [
      "e.parent_execution_id",
      "parentExecutionId"
    ], ["e.parent_instance_id", "parentInstanceId"]),
    instance,
    ended("e"),
    named(same, ["e.owner", "owner"], ["e.causes", "causes"]),
    named(dialect.millisUntil, ["e.lease_until", "leaseLeftMillis"])
  )
  const counts = ["read", "write", "filter", "readSkip", "processSkip", "writeSkip", "commit", "rollback"]
  return {
    instance: list(instance),
    execution: sql`${execution}, ${parameters(sql, dialect, tables)} as "parameters"`,
    step: list(
      named(dialect.number, ["s.id", "id"], ["s.job_execution_id", "jobExecutionId"]),
      named(same, ["s.step_name", "stepName"], ["s.place", "place"], ["s.round", "round"], ["s.causes", "causes"]),
      ended("s"),
      named(dialect.text, ["s.checkpoint", "checkpoint"]),
      named(dialect.number, ...counts.map((name) => [`s.${snake(name)}_count`, `${name}Count`] as const))
    ),
    skipped: list(
      named(dialect.number, ["k.step_execution_id", "stepExecutionId"]),
      named(same, ["s.step_name", "stepName"], ["k.phase", "phase"], ["k.error_tag", "errorTag"], [
        "k.message",
        "message"
      ]),
      named(dialect.text, ["k.position", "position"], ["k.item", "item"]),
      named(dialect.millis, ["k.create_time", "createTime"])
    )
  }
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

// The parameters of an execution as one JSON array, in the order in which they were given.
const parameters = (sql: SqlClient, dialect: Dialect, tables: Tables): Fragment =>
  dialect.name === "pg"
    ? sql`(select cast(coalesce(json_agg(
        json_build_object('name', p.name, 'value', p.value, 'identifying', p.identifying, 'redacted', p.redacted)
        order by p.ordinal), '[]') as text) from ${tables.params} p where p.job_execution_id = e.id)`
    : sql`(select json_group_array(
        json_object('name', p.name, 'value', json(p.value), 'identifying', p.identifying, 'redacted', p.redacted))
        from (select * from ${tables.params} where job_execution_id = e.id order by ordinal) p)`
