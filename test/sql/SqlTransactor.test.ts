import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { SqlClient } from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { onRollback, Transactor } from "../../src/ports/Transactor.js"
import * as SqlTransactor from "../../src/sql/SqlTransactor.js"
import { TransactionError } from "../../src/vocabulary/BatchError.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

const both = { postgres: Postgres.layer, sqlite: Sqlite.layer }

const withTransactor = (client: Layer.Layer<SqlClient, unknown>) => Layer.provideMerge(SqlTransactor.layer, client)

const table = Effect.tap(SqlClient, (sql) => sql`create table entry (id integer primary key, class integer)`)

const ids = Effect.flatMap(SqlClient, (sql) =>
  Effect.map(
    sql<{ readonly id: number }>`select id from entry order by id`,
    (rows) => rows.map(({ id }) => id)
  ))

const fails = <A, E, R>(effect: Effect.Effect<A, E, R>, phase: TransactionError["phase"]) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert.instanceOf(error, TransactionError)
    assert.strictEqual(error.phase, phase)
    return error
  })

for (const [name, client] of Object.entries(both)) {
  describe(`SqlTransactor: ${name}`, () => {
    it.effect("statements of the SqlClient are part of the transaction, nested transactions of it too", () =>
      Effect.gen(function*() {
        const sql = yield* table
        const { transact } = yield* Transactor
        yield* transact(sql`insert into entry values (1, 0)`)
        yield* Effect.exit(transact(Effect.zipRight(sql`insert into entry values (2, 0)`, Effect.fail("no"))))
        yield* transact(Effect.gen(function*() {
          yield* sql`insert into entry values (3, 0)`
          yield* Effect.ignore(
            sql.withTransaction(Effect.zipRight(sql`insert into entry values (4, 0)`, Effect.fail("no")))
          )
        }))
        assert.deepStrictEqual(yield* ids, [1, 3])
      }).pipe(Effect.provide(withTransactor(client))))

    it.effect("a commit that is refused is a typed failure, runs the undos, and leaves a connection that works (TX-1)", () =>
      Effect.gen(function*() {
        const sql = yield* table
        yield* sql`create table detail (entry integer references entry (id) deferrable initially deferred)`
        const { transact } = yield* Transactor
        let undone = 0
        const undo = onRollback(Effect.sync(() => {
          undone++
        }))
        // As often as there are connections.
        for (let time = 1; time <= 11; time++) {
          const error = yield* fails(transact(Effect.zipRight(undo, sql`insert into detail values (1)`)), "commit")
          assert.deepStrictEqual([error.reason, error.sqlState, undone], [
            "data",
            name === "postgres" ? "23503" : "SQLITE_CONSTRAINT_FOREIGNKEY",
            time
          ])
          assert.deepStrictEqual(yield* sql`select * from detail`, [])
        }
        yield* transact(sql`insert into entry values (1, 0)`)
        yield* Effect.exit(transact(Effect.zipRight(sql`insert into entry values (2, 0)`, Effect.fail("no"))))
        assert.deepStrictEqual(yield* ids, [1])
      }).pipe(Effect.provide(withTransactor(client))))

    it.effect("a failing statement is a failure of the body, not of the transaction", () =>
      Effect.gen(function*() {
        const sql = yield* table
        const { transact } = yield* Transactor
        const error = yield* Effect.flip(transact(sql`insert into nowhere values (1)`))
        assert.strictEqual(error._tag, "SqlError")
        yield* transact(sql`insert into entry values (1, 0)`)
        assert.deepStrictEqual(yield* ids, [1])
      }).pipe(Effect.provide(withTransactor(client))))
  })
}

describe("SqlTransactor: postgres", () => {
  it.effect("two transactions that contradict each other under serializable: one fails as transient (TX-1)", () =>
    Effect.gen(function*() {
      const sql = yield* table
      const { transact } = yield* Transactor
      const skew = (id: number, own: number, other: number) =>
        Effect.zipRight(
          sql`select count(*) from entry where class = ${other}`,
          sql`insert into entry values (${id}, ${own})`
        )
      const second = transact(skew(2, 2, 1), { isolation: "serializable", propagation: "requiresNew" })
      const first = transact(Effect.zipLeft(skew(1, 1, 2), second), { isolation: "serializable" })
      const error = yield* fails(first, "commit")
      assert.deepStrictEqual([error.reason, error.sqlState], ["transient", "40001"])
      assert.deepStrictEqual(yield* ids, [2])
    }).pipe(Effect.provide(withTransactor(Postgres.layer))))

  it.effect("a transaction in which a failed statement was caught does not count as committed", () =>
    Effect.gen(function*() {
      const sql = yield* table
      const { transact } = yield* Transactor
      const error = yield* fails(
        transact(Effect.zipRight(
          sql`insert into entry values (1, 0)`,
          Effect.ignore(sql`insert into entry values (1, 0)`)
        )),
        "commit"
      )
      assert.include(String(error.cause), "was caught inside of")
      assert.deepStrictEqual(yield* ids, [])
    }).pipe(Effect.provide(withTransactor(Postgres.layer))))

  /** A client whose transactions begin, and then fail with the statement that comes with the begin. */
  const beginningBadly = (client: SqlClient): SqlClient =>
    new Proxy(client, {
      get: (target, key, receiver) => {
        if (key === "withoutTransforms") {
          return () => beginningBadly(target.withoutTransforms())
        }
        return key === "reserve"
          ? Effect.map(target.reserve, (connection) =>
            Object.assign(Object.create(connection), {
              executeRaw: (sql: string, params: ReadonlyArray<never>) =>
                connection.executeRaw(sql.startsWith("BEGIN") ? `${sql}; select 1 / 0` : sql, params)
            }))
          : Reflect.get(target, key, receiver)
      }
    })

  it.effect("a begin that is refused half-way leaves no connection inside a transaction (TX-1)", () =>
    Effect.gen(function*() {
      const url = yield* Postgres.freshUrl
      yield* Effect.gen(function*() {
        const sql = yield* table
        const { transact } = yield* Effect.provideService(SqlTransactor.make(), SqlClient, beginningBadly(sql))
        const error = yield* fails(transact(sql`insert into entry values (1, 0)`), "begin")
        assert.strictEqual(error.sqlState, "22012")
        yield* sql`insert into entry values (2, 0)`
        assert.deepStrictEqual(yield* ids, [2])
      }).pipe(Effect.provide(Postgres.layerUrl(url, { maxConnections: 1 })))
    }).pipe(Effect.scoped))

  const terminate = (url: string) =>
    Effect.gen(function*() {
      const sql = yield* SqlClient
      const [row] = yield* sql<{ readonly pid: number }>`select pg_backend_pid() as pid`
      const { transact } = yield* Transactor
      const kill = Effect.flatMap(SqlClient, (other) => other`select pg_terminate_backend(${row?.pid}, 5000)`)
      yield* transact(Effect.provide(kill, Postgres.layerUrl(url)), { propagation: "notSupported" })
    })

  const withUrl = <A, E>(use: (url: string) => Effect.Effect<A, E, SqlClient | Transactor>) =>
    Effect.scoped(
      Effect.flatMap(Postgres.freshUrl, (url) => Effect.provide(use(url), withTransactor(Postgres.layerUrl(url))))
    )

  it.effect("a connection that is lost in the middle keeps the failure of the body, and the pool recovers", () =>
    withUrl((url) =>
      Effect.gen(function*() {
        const sql = yield* table
        const { transact } = yield* Transactor
        const insert = sql`insert into entry values (1, 0)`
        const own = transact(insert.pipe(Effect.zipRight(terminate(url)), Effect.zipRight(Effect.fail("own"))))
        assert.strictEqual(yield* Effect.flip(own), "own")
        const exit = yield* Effect.exit(transact(Effect.zipRight(terminate(url), insert)))
        assert.strictEqual(
          Exit.isFailure(exit) && exit.cause._tag === "Fail" && (exit.cause.error as SqlError)._tag,
          "SqlError"
        )
        yield* transact(sql`insert into entry values (2, 0)`)
        assert.deepStrictEqual(yield* ids, [2])
      })
    ))

  it.effect("a connection that is lost before the commit is a typed failure", () =>
    withUrl((url) =>
      Effect.gen(function*() {
        const sql = yield* table
        const { transact } = yield* Transactor
        const error = yield* fails(
          transact(Effect.zipRight(sql`insert into entry values (1, 0)`, terminate(url))),
          "commit"
        )
        assert.strictEqual(error.reason, "transient")
        assert.deepStrictEqual(yield* ids, [])
      })
    ))

  it.effect("isolation level and idle timeout are those asked for", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient
      const { transact } = yield* Transactor
      const settings = sql`select current_setting('transaction_isolation') as level,
        current_setting('idle_in_transaction_session_timeout') as idle`
      assert.deepStrictEqual(yield* transact(settings), [{ level: "read committed", idle: "1min" }])
      assert.deepStrictEqual(
        yield* transact(settings, { isolation: "repeatable read" }),
        [{ level: "repeatable read", idle: "1min" }]
      )
      assert.deepStrictEqual(yield* settings, [{ level: "read committed", idle: "0" }])
      const own = yield* SqlTransactor.make({ idleTimeout: "5 seconds" })
      assert.deepStrictEqual(yield* own.transact(settings), [{ level: "read committed", idle: "5s" }])
    }).pipe(Effect.provide(withTransactor(Postgres.layer))))

  it.effect("waiting for a connection can be interrupted, and the connection is not lost", () =>
    Effect.gen(function*() {
      const url = yield* Postgres.freshUrl
      yield* Effect.gen(function*() {
        const sql = yield* table
        const { transact } = yield* Transactor
        const entered = yield* Deferred.make<void>()
        const leave = yield* Deferred.make<void>()
        const holder = yield* Effect.fork(
          transact(sql`select 1`.pipe(
            Effect.zipRight(Deferred.succeed(entered, undefined)),
            Effect.zipRight(Deferred.await(leave))
          ))
        )
        yield* Deferred.await(entered)
        const waiting = yield* Effect.fork(transact(sql`insert into entry values (1, 0)`))
        yield* Effect.yieldNow()
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(waiting)))
        yield* Deferred.succeed(leave, undefined)
        yield* Fiber.join(holder)
        yield* transact(sql`insert into entry values (2, 0)`)
        assert.deepStrictEqual(yield* ids, [2])
      }).pipe(Effect.provide(withTransactor(Postgres.layerUrl(url, { maxConnections: 1 }))))
    }).pipe(Effect.scoped))
})

describe("SqlTransactor: sqlite", () => {
  it.effect("what would wait for the only connection for ever is refused (TX-1)", () =>
    Effect.gen(function*() {
      const sql = yield* table
      const { transact } = yield* Transactor
      for (const propagation of ["requiresNew", "notSupported"] as const) {
        const inner = transact(sql`insert into entry values (1, 0)`, { propagation })
        const error = yield* fails(transact(Effect.zipRight(sql`select 1`, inner)), "begin")
        assert.include(String(error.cause), "SQLite has one connection")
      }
      const error = yield* fails(sql.withTransaction(transact(sql`insert into entry values (1, 0)`)), "begin")
      assert.include(String(error.cause), "SqlClient.withTransaction")
      assert.deepStrictEqual(yield* ids, [])
    }).pipe(Effect.provide(withTransactor(Sqlite.layer))))

  it.effect("transactions of two clients of one file take turns, without blocking the process", () =>
    Effect.gen(function*() {
      const file = yield* Sqlite.freshFile
      const [one, two] = yield* Effect.all([
        Layer.build(withTransactor(Sqlite.layerFile(file))),
        Layer.build(withTransactor(Sqlite.layerFile(file)))
      ])
      yield* Effect.provide(table, one)
      const entered = yield* Deferred.make<void>()
      const leave = yield* Deferred.make<void>()
      const insert = (id: number, before: Effect.Effect<unknown, unknown, SqlClient>) =>
        Effect.gen(function*() {
          const sql = yield* SqlClient
          const { transact } = yield* Transactor
          yield* transact(Effect.zipRight(before, sql`insert into entry values (${id}, 0)`))
        })
      const holder = yield* Effect.fork(Effect.provide(
        insert(
          1,
          Effect.flatMap(SqlClient, (sql) => sql`select 1`).pipe(
            Effect.zipRight(Deferred.succeed(entered, undefined)),
            Effect.zipRight(Deferred.await(leave))
          )
        ),
        one
      ))
      yield* Deferred.await(entered)
      const waiting = yield* Effect.fork(Effect.provide(insert(2, Effect.void), two))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(leave, undefined)
      yield* Effect.all([Fiber.join(holder), Fiber.join(waiting)])
      assert.deepStrictEqual(yield* Effect.provide(ids, one), [1, 2])
    }).pipe(Effect.scoped))

  it.effect("a commit that has to wait for a reader does not block the process (OWN-21)", () =>
    Effect.gen(function*() {
      const file = yield* Sqlite.freshFile
      const client = SqliteClient.layer({ filename: file, disableWAL: true })
      yield* Effect.gen(function*() {
        yield* table
        const sql = yield* SqlClient
        const { transact } = yield* Transactor
        const reader = yield* Effect.map(Layer.build(Layer.fresh(client)), Context.get(SqlClient))
        const reading = yield* Deferred.make<void>()
        const done = yield* Deferred.make<void>()
        const read = reader.withTransaction(Effect.gen(function*() {
          yield* reader`select * from entry`
          yield* Deferred.succeed(reading, undefined)
          yield* Deferred.await(done)
        }))
        const fiber = yield* Effect.fork(read)
        yield* Deferred.await(reading)
        // The reader lives in this process: it could not end while SQLite waits for it.
        yield* Effect.fork(Effect.zipRight(
          Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 50))),
          Deferred.succeed(done, undefined)
        ))
        yield* transact(sql`insert into entry values (1, 0)`)
        yield* Fiber.join(fiber)
        assert.deepStrictEqual(yield* ids, [1])
      }).pipe(Effect.provide(withTransactor(client)))
    }).pipe(Effect.scoped))
})
