/**
 * Writers of rows: insert, upsert, update and delete a chunk with one statement, or run SQL of your own.
 *
 * They write with the `SqlClient` of the context, in the transaction that also stores the checkpoint, so each item is
 * written exactly once when job repository and table share that client. Tables are looked up once, when the step
 * opens: a table or column that does not exist fails the step before the first item. A chunk fails as a whole; the
 * engine finds the item that is to blame when the step skips.
 *
 * Fields of items are columns by their exact names, whatever name transforms the client has. Values are bound, never
 * part of the SQL text. PostgreSQL gets one statement per chunk with an array per column; SQLite gets prepared
 * statements of many rows.
 *
 * A value is stored exactly, or the item is refused with an error that names it and the column (OWN-24); nothing is
 * rounded, cut off or turned into text that is not data. `undefined` and `null` are NULL. A text is the value as the
 * database reads it; in a `json` or `jsonb` column it is JSON text. Numbers, `bigint`s and booleans go into columns of
 * their kind, numbers also into text columns, as their digits; on SQLite, which has no booleans, they are 1 and 0.
 * `Uint8Array` is bytes. Plain objects and arrays are JSON text, arrays in array columns are arrays. `Date` is an
 * instant to the millisecond: in columns without zone it is the time in UTC, in `date` columns midnight in UTC, in text
 * columns ISO text, wherever the process runs.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as ItemWriter from "../item/ItemWriter.js"
import { databaseIn } from "../ports/address.js"
import * as Outage from "../ports/outage.js"
import * as Pipelining from "../ports/pipelining.js"
import { JobDefinitionError } from "../vocabulary/BatchError.js"
import { ambient } from "./ambient.js"
import * as Database from "./database.js"
import { meaningsOf, tableText } from "./identifiers.js"
import { pgCopy, unsupported } from "./pgCopy.js"
import { speaksProtocol } from "./pgQuery.js"
import { pgTable } from "./pgTable.js"
import { askInside, guarded, guardOf } from "./refusalGuard.js"
import * as Refusals from "./refusals.js"
import { fieldsOf, rowEncoder } from "./rowEncoder.js"
import type { SqlColumnError, SqlFailure } from "./SqlFailure.js"
import { refail, SqlDataError, SqlStatementError } from "./SqlFailure.js"
import { sqliteTable } from "./sqliteTable.js"
import { isOutOfReach } from "./sqlState.js"
import * as StatementValues from "./statementValues.js"
import type { Action, Ask, Column as Column_, Item, Table, TableDialect, Write, Written } from "./tableWrite.js"
import * as tableWrite from "./tableWrite.js"

/**
 * The columns that items of a type can name: any, when the type of the items is not known.
 *
 * @since 0.1.0
 * @category models
 */
export type Column<A> = [keyof A] extends [never] ? string : keyof A & string

/**
 * Which columns are written, and from what.
 *
 * @since 0.1.0
 * @category models
 */
export interface TableOptions<A, I = A> {
  /** The name in errors and descriptions. Default: the action and the table. */
  readonly name?: string | undefined
  /**
   * The columns to write. A field an item does not have is NULL then. Default: the fields of the schema, or those of
   * the first item, which every other item must have too.
   */
  readonly columns?: ReadonlyArray<Column<I>> | undefined
  /** Encodes each item to a row before it is written. Default: items are rows. */
  readonly schema?: Schema.Schema<A, I> | undefined
}

/**
 * The columns that tell which row an item is.
 *
 * @since 0.1.0
 * @category models
 */
export type Key<A> = readonly [Column<A>, ...Array<Column<A>>]

/**
 * What a table writer can fail with.
 *
 * @since 0.1.0
 * @category models
 */
export type WriteError = SqlFailure | SqlColumnError

/**
 * Inserts each item as a row. Columns that are not written get their defaults.
 *
 * Exactly once, in the transaction of the checkpoint. A row the table refuses fails with `SqlDataError`; an item with
 * a field that is not written fails with `SqlColumnError`, so nothing is dropped silently. The table may be qualified:
 * "sales.payments".
 *
 * @example
 * ```ts
 * import { SqlItemWriter } from "effect-batch/sql"
 *
 * interface Payment {
 *   readonly id: number
 *   readonly cents: bigint
 *   readonly paidAt: Date
 * }
 *
 * // ItemWriter<Payment, WriteError, SqlClient>
 * const insert = SqlItemWriter.insertInto<Payment>("payments", { columns: ["id", "cents", "paidAt"] })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const insertInto = <A extends object = object, I extends object = A>(
  table: string,
  options: TableOptions<A, I> = {}
): ItemWriter.ItemWriter<A, WriteError, SqlClient.SqlClient> => tableWriter(table, { _tag: "insert" }, options)

/**
 * Inserts each item as a row with COPY, the way PostgreSQL loads data fastest. Worth it in chunks of some 2,000 items
 * and more; below that `insertInto` is as fast.
 *
 * Exactly once, in the transaction of the checkpoint. Columns and values are those of `insertInto`, and so are the
 * errors; a `SqlDataError` also says in `item` which row was refused, if the database says so. COPY writes to tables
 * and not through views or row-level security, fires triggers but no rules, and sets identity columns that are
 * written. Needs the client of `@effect/sql-pg`; on other databases the step fails before its first item with a
 * `SqlStatementError`, there use `insertInto`.
 *
 * @example
 * ```ts
 * import { SqlItemWriter } from "effect-batch/sql"
 *
 * // ItemWriter<{ readonly id: number; readonly name: string }, WriteError, SqlClient>
 * const load = SqlItemWriter.copyInto<{ readonly id: number; readonly name: string }>("sales.customers")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const copyInto = <A extends object = object, I extends object = A>(
  table: string,
  options: TableOptions<A, I> = {}
): ItemWriter.ItemWriter<A, WriteError, SqlClient.SqlClient> =>
  tableWriter(table, { _tag: "insert" }, { ...options, name: options.name ?? `copy ${table}` }, true)

/**
 * Inserts each item as a row, or updates the row that has its key.
 *
 * `key` must be the columns of a unique index. `update` says what happens to a row that exists: "all" written columns
 * besides the key are updated (default), only some, or "nothing". Items with the same key in one chunk are written in
 * their order, as single statements would do. Exactly once, in the transaction of the checkpoint; writing an item
 * again results in the same row, so this is also the writer for a database that does not share that transaction.
 *
 * @example
 * ```ts
 * import { SqlItemWriter } from "effect-batch/sql"
 * import { Schema } from "effect"
 *
 * const Balance = Schema.Struct({ account: Schema.String, cents: Schema.BigInt, since: Schema.DateFromSelf })
 *
 * const upsert = SqlItemWriter.upsertInto("balances", { schema: Balance, key: ["account"], update: ["cents"] })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const upsertInto = <A extends object = object, I extends object = A>(
  table: string,
  options: TableOptions<A, I> & {
    readonly key: Key<I>
    readonly update?: ReadonlyArray<Column<I>> | "all" | "nothing" | undefined
  }
): ItemWriter.ItemWriter<A, WriteError, SqlClient.SqlClient> =>
  tableWriter(table, { _tag: "upsert", key: options.key, update: options.update ?? "all" }, options)

/**
 * Updates the row that has the key of each item, setting the other columns of the item.
 *
 * An item for which there is no row fails with `SqlDataError` of kind "missingRow", unless `assertUpdates` is false.
 * Exactly once, in the transaction of the checkpoint.
 *
 * @example
 * ```ts
 * import { SqlItemWriter } from "effect-batch/sql"
 *
 * const close = SqlItemWriter.update<{ readonly id: number; readonly state: string }>("payments", { key: ["id"] })
 * ```
 *
 * @see ITEM-22
 * @since 0.1.0
 * @category constructors
 */
export const update = <A extends object = object, I extends object = A>(
  table: string,
  options: TableOptions<A, I> & {
    readonly key: Key<I>
    /** Whether an item without a row is an error. Default true. */
    readonly assertUpdates?: boolean | undefined
  }
): ItemWriter.ItemWriter<A, WriteError, SqlClient.SqlClient> =>
  tableWriter(table, { _tag: "update", key: options.key, assert: options.assertUpdates ?? true }, options)

/**
 * Deletes the row that has the key of each item. Other fields of the items are not looked at.
 *
 * An item for which there is no row fails with `SqlDataError` of kind "missingRow", unless `assertUpdates` is false.
 * Exactly once, in the transaction of the checkpoint.
 *
 * @example
 * ```ts
 * import { SqlItemWriter } from "effect-batch/sql"
 *
 * const purge = SqlItemWriter.deleteFrom<{ readonly id: number }>("payments", { key: ["id"], assertUpdates: false })
 * ```
 *
 * @see ITEM-22
 * @since 0.1.0
 * @category constructors
 */
export const deleteFrom = <A extends object = object, I extends object = A>(
  table: string,
  options: Pick<TableOptions<A, I>, "name" | "schema"> & {
    readonly key: Key<I>
    /** Whether an item without a row is an error. Default true. */
    readonly assertUpdates?: boolean | undefined
  }
): ItemWriter.ItemWriter<A, WriteError, SqlClient.SqlClient> =>
  tableWriter(table, { _tag: "delete", key: options.key, assert: options.assertUpdates ?? true }, options)

/**
 * Writes each chunk with SQL of your own. It gets the client of the context as it is, with its name transforms, and at
 * least one item.
 *
 * Exactly once, in the transaction of the checkpoint, as long as it uses only this client. Its `SqlError`s become the
 * errors of `SqlFailure`; other errors stay as they are. Run its statements one after the other: concurrent ones would
 * share the connection of the transaction.
 *
 * The values that it binds are held to the same as those of the table writers (OWN-24): stored exactly, or a `SqlDataError` or
 * `SqlColumnError` that names the column, and the item where the statement tells it. Where a value stands alone for a
 * column, in `insert into … values` and `update … set`, the column decides; elsewhere the type that PostgreSQL gives the
 * parameter, without its length, precision and scale, so what an expression makes of a value is up to you. On SQLite
 * parameters have no type, and a number in an expression is REAL.
 *
 * @example
 * ```ts
 * import { SqlItemWriter } from "effect-batch/sql"
 *
 * const count = SqlItemWriter.statement("visits", (visits: ReadonlyArray<{ readonly page: string }>, sql) =>
 *   sql`update pages set visits = visits + 1 where name in ${sql.in(visits.map((visit) => visit.page))}`)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const statement = <A, E, R>(
  name: string,
  write: (items: ReadonlyArray<A>, sql: SqlClient.SqlClient) => Effect.Effect<unknown, E, R>
): ItemWriter.ItemWriter<
  A,
  Exclude<E, SqlError> | WriteError,
  SqlClient.SqlClient | Exclude<R, Scope.Scope>
> =>
  ItemWriter.make<A, Exclude<E, SqlError> | WriteError, SqlClient.SqlClient | Exclude<R, Scope.Scope>>(name, {
    delivery: "transactional",
    deliveryIn,
    open: () =>
      Effect.flatMap(SqlClient.SqlClient, (sql) =>
        // A database that is not supported has statements all the same.
        Effect.map(Effect.option(Database.make), (database) => {
          const values = StatementValues.make(name, sql)
          return {
            // The compiler does not see that excluding the scope twice is excluding it once.
            write: (items) =>
              Effect.scoped(
                refail(`write by "${name}"`)(
                  wholly(
                    database,
                    Effect.mapError(
                      values.checking(Effect.asVoid(write(items, sql)), items.length),
                      StatementValues.refusal
                    )
                  )
                )
              ) as Effect.Effect<
                void,
                Exclude<E, SqlError> | WriteError,
                Exclude<SqlClient.SqlClient | Exclude<R, Scope.Scope>, Scope.Scope>
              >
          }
        }))
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Target<A> {
  readonly table: string
  readonly action: Action
  /** The fields that are written; unknown until the first item when neither columns nor schema say so. */
  readonly fields: ReadonlyArray<string> | undefined
  readonly encode: (items: ReadonlyArray<A>) => Either.Either<ReadonlyArray<Item>, SqlColumnError>
}

/** Another client, even of the same database, has transactions of its own. */
const deliveryIn = (services: Context.Context<never>): ItemWriter.Delivery => {
  const client = Context.getOption(services as Context.Context<SqlClient.SqlClient>, SqlClient.SqlClient)
  const repository = databaseIn(services)
  return Option.isNone(client) || repository === undefined || repository === Database.known(client.value)
    ? "transactional"
    : "at-least-once"
}

const wholly = <A, E, R>(database: Option.Option<Database.Database>, effect: Effect.Effect<A, E, R>) =>
  Option.isSome(database) ? Database.whole(database.value, effect) : effect

const tableWriter = <A extends object, I extends object>(
  table: string,
  action: Action,
  options: {
    readonly name?: string | undefined
    readonly columns?: ReadonlyArray<string> | undefined
    readonly schema?: Schema.Schema<A, I> | undefined
  },
  copies = false
): ItemWriter.ItemWriter<A, WriteError, SqlClient.SqlClient> => {
  const { columns, schema } = options
  refuseRepeats(table, columns ?? [])
  refuseRepeats(table, "key" in action ? action.key : [])
  const target: Target<A> = {
    table,
    action,
    fields: action._tag === "delete" ? [] : columns ?? (schema === undefined ? undefined : fieldsOf(schema.ast)),
    // Without a schema an item is a row already; what its fields are is checked before it is written.
    encode: schema === undefined ?
      (items) => Either.right(items as ReadonlyArray<object> as ReadonlyArray<Item>)
      : rowEncoder(table, schema)
  }
  return ItemWriter.make<A, WriteError, SqlClient.SqlClient>(options.name ?? `${action._tag} ${table}`, {
    delivery: "transactional",
    deliveryIn,
    open: () =>
      Effect.flatMap(SqlClient.SqlClient, (client) => {
        const sql = client.withoutTransforms()
        const problem = copies ? unsupported(sql) : undefined
        return problem !== undefined ? Effect.fail(statementError(target, "other", problem)) : sql.onDialectOrElse({
          pg: () => openTable(copies ? pgCopy : pgTable, client, target),
          sqlite: () => openTable(sqliteTable, client, target),
          orElse: () =>
            Effect.fail(statementError(target, "other", "table writers know PostgreSQL and SQLite; use statement"))
        })
      })
  })
}

const openTable = <A, C extends Column_>(
  dialect: TableDialect<C>,
  client: SqlClient.SqlClient,
  target: Target<A>
): Effect.Effect<ItemWriter.Sink<A, WriteError>, WriteError> =>
  Effect.gen(function*() {
    const sql = client.withoutTransforms()
    const { action, encode, fields } = target
    const database = yield* Effect.mapError(
      Effect.provideService(Database.make, SqlClient.SqlClient, client),
      ({ detail }) => statementError(target, "other", detail)
    )
    const table = yield* findTable(dialect, sql, target)
    const prepare = (fields: ReadonlyArray<string>, complete: boolean): Either.Either<Write, SqlStatementError> =>
      Either.map(
        tableWrite.resolve(table, action, fields),
        (found) => checked(target, found.map(({ name }) => name), complete, dialect.prepare(sql, table, action, found))
      )
    let write = fields === undefined ? undefined : yield* prepare(fields, false)
    const refusals = Refusals.make<A>()
    const written = (items: ReadonlyArray<A>): Either.Either<Written, WriteError> =>
      Either.flatMap(encode(items), (rows): Either.Either<Written, WriteError> => {
        const foreseen = refusals.foreseen(items)
        if (foreseen !== undefined) {
          return Either.left(foreseen)
        }
        if (write !== undefined || rows.length === 0) {
          return write === undefined ? Either.right({ run: Effect.void }) : write(rows)
        }
        return Either.flatMap(prepare(Object.keys(rows[0]!), true), (prepared) => {
          write = prepared
          return write(rows)
        })
      })
    return {
      write: Pipelining.withPipelinedWrite(
        (items: ReadonlyArray<A>) =>
          Effect.flatMap(Effect.suspend(() => written(items)), ({ examine, run }) =>
            Effect.flatMap(ambient, (ambient) => {
              const guard = guardOf(database, ambient, items.length)
              const whole = Effect.catchAll(
                guarded(database, guard, run),
                (error) =>
                  named(refusals, items, error, examine, askInside(database, guard), guard !== "none")
              )
              return refail(action._tag, target.table)(Database.whole(database, whole))
            })),
        "assert" in action && action.assert ? undefined : pipelined(client, written, refusals)
      )
    }
  })

const findTable = <A, C extends Column_>(
  dialect: TableDialect<C>,
  sql: SqlClient.SqlClient,
  target: Target<A>
): Effect.Effect<Table<C>, WriteError> =>
  Effect.gen(function*() {
    const { action, table: name } = target
    for (const meaning of meaningsOf(name)) {
      const columns = yield* refail(action._tag, name)(
        Outage.outlastingReads(dialect.describe(sql, meaning), isOutOfReach)
      )
      if (columns.length > 0) {
        return { name, text: tableText(meaning), columns }
      }
    }
    return yield* statementError(target, "missingTable", "the table does not exist")
  })

/** The error with the item it is about, which the database is asked for when it has not said so. */
const named = <A>(
  refusals: Refusals.Refusals<A>,
  items: ReadonlyArray<A>,
  error: WriteError,
  examine: Written["examine"],
  ask: Ask,
  proven: boolean
): Effect.Effect<never, WriteError> =>
  !(error instanceof SqlDataError) || error.kind === "missingRow" || examine === undefined
    ? Effect.fail(error)
    : Effect.flatMap(
      // Of a row alone there is nothing to find out but a column that the database has not said.
      items.length > 1 || (error.kind === "dataType" && error.column === undefined) ? examine(ask) : Effect.succeed([]),
      (rows) => Effect.fail(refusals.named(items, error, { rows, proven }))
    )

/** How a chunk is written as a part of a transaction in one message, if the repository uses this client. */
const pipelined = <A>(
  client: SqlClient.SqlClient,
  written: (items: ReadonlyArray<A>) => Either.Either<Written, WriteError>,
  refusals: Refusals.Refusals<A>
): Pipelining.PipelinedWrite<A, WriteError> | undefined => {
  const database = Database.known(client)
  return database === undefined || !speaksProtocol(client) ? undefined : {
    database,
    encode: (items) =>
      Effect.flatMap(
        Effect.suspend(() => written(items)),
        ({ examine, pipelined }) =>
          Effect.map(pipelined!.commands, (commands) => ({
            commands,
            answer: () => Either.right(undefined),
            refused: pipelined!.refused,
            examine: (error: SqlError, ask: Ask) =>
              Effect.flip(named(refusals, items, pipelined!.refused(error), examine, ask, true))
          }))
      )
  }
}

const checked = <A>(
  { action, table }: Target<A>,
  fields: ReadonlyArray<string>,
  complete: boolean,
  write: Write
): Write =>
  action._tag === "delete" ? write : (items) => {
    const error = tableWrite.checkFields(table, fields, items, complete)
    return error === undefined ? write(items) : Either.left(error)
  }

const statementError = <A>({ action, table }: Target<A>, kind: "missingTable" | "other", problem: string) =>
  new SqlStatementError({ operation: action._tag, kind, table, problem })

const refuseRepeats = (table: string, columns: ReadonlyArray<string>): void => {
  const seen = new Set<string>()
  for (const column of columns) {
    if (seen.has(column)) {
      throw new JobDefinitionError({ defects: [`the writer of "${table}" names the column "${column}" twice`] })
    }
    seen.add(column)
  }
}
