/**
 * What runs in a transaction of the engine with other clients, with nested transactions, or with no statement at all.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import * as Statement from "@effect/sql/Statement"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Transactor } from "../../src/ports/Transactor.js"
import * as SqlItemWriter from "../../src/sql/SqlItemWriter.js"
import * as SqlTransactor from "../../src/sql/SqlTransactor.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

const databases = { PostgreSQL: Postgres.layer, SQLite: Sqlite.layer }

/** All pairs are tried with whole steps, in test/engine/OtherDatabase.test.ts. */
const kinds: ReadonlyArray<readonly [keyof typeof databases, keyof typeof databases]> = [
  ["PostgreSQL", "PostgreSQL"],
  ["SQLite", "SQLite"]
]

/** A new, empty database with the table `t`. */
const database = (kind: keyof typeof databases) =>
  Effect.map(Layer.build(Layer.fresh(databases[kind] as Layer.Layer<SqlClient, unknown>)), Context.get(SqlClient)).pipe(
    Effect.tap((sql) => sql`create table t (id integer primary key)`)
  )

const ids = (sql: SqlClient) =>
  Effect.map(sql<{ readonly id: number }>`select id from t order by id`, (rows) => rows.map(({ id }) => id))

const put = (sql: SqlClient, id: number) => sql`insert into t values (${id})`

/** Runs with a transactor over the database of A, and B beside it. */
const between = <A, E>(
  kind: readonly [keyof typeof databases, keyof typeof databases],
  use: (
    a: SqlClient,
    b: SqlClient,
    transact: Context.Tag.Service<Transactor>["transact"]
  ) => Effect.Effect<A, E, SqlClient>
) =>
  Effect.scoped(Effect.gen(function*() {
    const a = yield* database(kind[0])
    const b = yield* database(kind[1])
    const { transact } = yield* Effect.provideService(SqlTransactor.make(), SqlClient, a)
    return yield* Effect.provideService(use(a, b, transact), SqlClient, a)
  }))

const inB = (b: SqlClient) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.provideService(effect, SqlClient, b)

for (const kind of kinds) {
  describe(`in a transaction of ${kind[0]}, another client of ${kind[1]}`, () => {
    it.effect("writes items into its own database, however they are sent and whoever has begun the transaction (OWN-10)", () =>
      between(kind, (a, b, transact) =>
        Effect.gen(function*() {
          const writers = [
            SqlItemWriter.insertInto<{ readonly id: number }>("t"),
            ...(kind[1] === "PostgreSQL" ? [SqlItemWriter.copyInto<{ readonly id: number }>("t")] : [])
          ]
          type Around = (write: Effect.Effect<void, unknown, SqlClient>) => Effect.Effect<void, unknown, SqlClient>
          const arounds: ReadonlyArray<Around> = [(write) => transact(write), (write) => a.withTransaction(write)]
          let id = 0
          for (const writer of writers) {
            const sink = yield* inB(b)(writer.open(Option.none()))
            for (const around of arounds) {
              for (const outside of [false, true]) {
                const items = [{ id: ++id }]
                const write = sink.write(items)
                yield* Effect.exit(
                  around(
                    Effect.zipRight(put(a, id), Effect.zipRight(outside ? inB(b)(write) : write, Effect.fail("no")))
                  )
                )
              }
            }
          }
          // Of one that is refused nothing is there, however many statements it takes.
          const rows = Array.from({ length: 600 }, (_, n) => ({ id: n === 500 ? 1 : 1000 + n }))
          for (const writer of writers) {
            const sink = yield* inB(b)(writer.open(Option.none()))
            for (const around of arounds) {
              yield* Effect.flip(around(sink.write(rows)))
            }
          }
          assert.deepStrictEqual(yield* ids(a), [])
          assert.deepStrictEqual(yield* ids(b), Array.from({ length: id }, (_, n) => n + 1))
        }).pipe(Effect.scoped)))

    it.effect("writes into its own database, whether it is in the context or was captured before (OWN-10)", () =>
      between(kind, (a, b, transact) =>
        Effect.gen(function*() {
          const contextual = (id: number) => inB(b)(Effect.flatMap(SqlClient, (sql) => put(sql, id)))
          yield* transact(Effect.gen(function*() {
            yield* put(a, 1)
            yield* contextual(2)
            yield* put(b, 3)
            yield* Effect.fork(put(b, 4)).pipe(Effect.flatMap(Fiber.join))
            yield* put(b.withoutTransforms(), 5)
            yield* b`insert into t values (6)`.raw
            yield* b`insert into t values (7)`.unprepared
            yield* b`insert into t values (8)`.values
            yield* put(a, 9)
          }))
          assert.deepStrictEqual([yield* ids(a), yield* ids(b)], [[1, 9], [2, 3, 4, 5, 6, 7, 8]])
          yield* Effect.exit(transact(Effect.gen(function*() {
            yield* put(a, 10)
            yield* contextual(11)
            yield* put(b, 12)
            return yield* Effect.fail("no")
          })))
          assert.deepStrictEqual([yield* ids(a), (yield* ids(b)).slice(-2)], [[1, 9], [11, 12]])
        })))

    it.effect("reads and streams from its own database (OWN-10)", () =>
      between(kind, (a, b, transact) =>
        Effect.gen(function*() {
          yield* put(b, 7)
          const seen = yield* transact(Effect.zipRight(put(a, 1), ids(b)))
          assert.deepStrictEqual(seen, [7])
        })))

    it.effect("has transactions of its own, which commit and roll back over there (OWN-10)", () =>
      between(kind, (a, b, transact) =>
        inB(b)(Effect.gen(function*() {
          yield* transact(Effect.gen(function*() {
            yield* put(a, 1)
            yield* b.withTransaction(Effect.zipRight(put(b, 2), b.withTransaction(put(b, 3))))
            yield* Effect.exit(b.withTransaction(Effect.zipRight(put(b, 4), Effect.fail("no"))))
            yield* b.withTransaction(Effect.zipRight(
              put(b, 5),
              Effect.exit(b.withTransaction(Effect.zipRight(put(b, 6), Effect.fail("no"))))
            ))
            yield* put(a, 7)
          }))
          assert.deepStrictEqual([yield* ids(a), yield* ids(b)], [[1, 7], [2, 3, 5]])
          yield* Effect.exit(transact(Effect.gen(function*() {
            yield* put(a, 8)
            yield* b.withTransaction(put(b, 9))
            return yield* Effect.fail("no")
          })))
          assert.deepStrictEqual([yield* ids(a), yield* ids(b)], [[1, 7], [2, 3, 5, 9]])
        }))))

    it.effect("that was captured and opens a transaction is refused, unless it is named (OWN-10)", () =>
      between(kind, (a, b, transact) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(transact(Effect.zipRight(put(a, 1), b.withTransaction(put(b, 2)))))
          assert.instanceOf(error, SqlError)
          assert.include(error.message, "SqlTransactor.withClient")
          assert.deepStrictEqual([yield* ids(a), yield* ids(b)], [[], []])
          yield* transact(Effect.zipRight(
            put(a, 1),
            SqlTransactor.withClient(b.withTransaction(Effect.zipRight(put(b, 2), put(a, 3))), b)
          ))
          assert.deepStrictEqual([yield* ids(a), yield* ids(b)], [[1, 3], [2]])
        })))

    it.effect("is known by the client of the fiber where somebody transforms statements (OWN-10)", () =>
      between(kind, (a, b, transact) =>
        Effect.gen(function*() {
          yield* transact(
            Effect.zipRight(put(a, 1), inB(b)(put(b, 2))).pipe(Statement.withTransformer(Effect.succeed))
          )
          yield* transact(Effect.zipRight(put(a, 3), put(b, 4))).pipe(Statement.withTransformer(Effect.succeed))
          assert.deepStrictEqual([yield* ids(a), yield* ids(b)], [[1, 3], [2, 4]])
        })))

    it.effect("that was captured is known where somebody transforms statements inside of the step, or lets no one (OWN-10)", () =>
      between(kind, (a, b, transact) =>
        Effect.gen(function*() {
          const both = (id: number) => Effect.all([put(a, id), put(b, id)])
          yield* transact(Effect.gen(function*() {
            yield* both(1).pipe(Statement.withTransformer(Effect.succeed))
            yield* both(2).pipe(Statement.withTransformerDisabled)
            yield* inB(b)(both(3)).pipe(Statement.withTransformer(Effect.succeed))
          }))
          yield* Effect.exit(transact(Effect.zipRight(
            both(4).pipe(Statement.withTransformer(Effect.succeed)),
            Effect.fail("no")
          )))
          assert.deepStrictEqual([yield* ids(a), yield* ids(b)], [[1, 2, 3], [1, 2, 3, 4]])
        })))

    it.effect("is known behind a transformer that runs statements of its own (OWN-10)", () =>
      between(kind, (a, b, transact) =>
        Effect.gen(function*() {
          const counting: Statement.Statement.Transformer = (statement) =>
            Effect.as(Effect.orDie(Effect.withFiberRuntime(() => a`select 1`)), statement).pipe(
              Statement.withTransformerDisabled
            )
          const work = Effect.zipRight(put(a, 1), put(b, 2))
          yield* transact(work).pipe(Statement.withTransformer(counting))
          yield* transact(Effect.zipRight(put(a, 3), put(b, 4)).pipe(Statement.withTransformer(counting)))
          assert.deepStrictEqual([yield* ids(a), yield* ids(b)], [[1, 3], [2, 4]])
        })))

    it.effect("has a transactor of its own, and both know their statements (OWN-10)", () =>
      between(kind, (a, b, transact) =>
        Effect.gen(function*() {
          const other = yield* inB(b)(SqlTransactor.make())
          yield* transact(Effect.gen(function*() {
            yield* other.transact(Effect.all([put(b, 1), put(a, 2), transact(put(a, 3))]))
            yield* Effect.exit(other.transact(Effect.all([put(b, 4), put(a, 5), Effect.fail("no")])))
          }))
          assert.deepStrictEqual([yield* ids(a), yield* ids(b)], [[2, 3, 5], [1]])
          yield* Effect.exit(
            transact(Effect.zipRight(other.transact(Effect.zip(put(b, 6), put(a, 7))), Effect.fail(0)))
          )
          assert.deepStrictEqual([yield* ids(a), yield* ids(b)], [[2, 3, 5], [1, 6]])
        })))
  })
}

for (const [name, client] of Object.entries(databases)) {
  const alone = <A, E>(use: Effect.Effect<A, E, SqlClient | Transactor>) =>
    Effect.provide(
      Effect.flatMap(SqlClient, (sql) => Effect.zipRight(sql`create table t (id integer primary key)`, use)),
      Layer.provideMerge(SqlTransactor.layer, client as Layer.Layer<SqlClient, unknown>)
    )

  describe(`nested transactions: ${name}`, () => {
    it.effect("that are opened side by side come one after the other, and each one's rollback is its own (OWN-15)", () =>
      alone(Effect.gen(function*() {
        const sql = yield* SqlClient
        const { transact } = yield* Transactor
        yield* transact(Effect.forEach(
          [1, 2, 3, 4, 5, 6, 7, 8],
          (id) =>
            Effect.exit(sql.withTransaction(Effect.gen(function*() {
              yield* put(sql, id)
              yield* Effect.yieldNow()
              yield* put(sql, id + 100)
              return id % 2 === 0 ? yield* Effect.fail("no") : undefined
            }))),
          { concurrency: "unbounded" }
        ))
        assert.deepStrictEqual(yield* ids(sql), [1, 3, 5, 7, 101, 103, 105, 107])
      })))

    it.effect("do not take statements beside them along when they roll back (OWN-15)", () =>
      alone(Effect.gen(function*() {
        const sql = yield* SqlClient
        const { transact } = yield* Transactor
        yield* transact(Effect.all([
          Effect.exit(sql.withTransaction(
            put(sql, 1).pipe(
              Effect.zipRight(Effect.yieldNow()),
              Effect.zipRight(Effect.fail("no"))
            )
          )),
          put(sql, 2)
        ], { concurrency: "unbounded" }))
        assert.deepStrictEqual(yield* ids(sql), [2])
      })))

    it.effect("deeper ones that are opened side by side are refused, and nothing of them stays (OWN-15)", () =>
      alone(Effect.gen(function*() {
        const sql = yield* SqlClient
        const { transact } = yield* Transactor
        const [first, second] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
        const deeper = (id: number, before: Effect.Effect<unknown>, between: Effect.Effect<unknown>) =>
          Effect.zipRight(
            before,
            sql.withTransaction(put(sql, id).pipe(Effect.zipRight(between), Effect.zipRight(put(sql, id + 10))))
          )
        const one = deeper(
          1,
          Effect.void,
          Effect.zipRight(Deferred.succeed(first, undefined), Deferred.await(second))
        )
        const two = deeper(2, Deferred.await(first), Deferred.succeed(second, undefined))
        const exit = yield* transact(
          Effect.zipLeft(
            Effect.exit(sql.withTransaction(Effect.all([one, two], { concurrency: "unbounded" }))),
            // The one around them goes on, and has others.
            Effect.zipRight(sql.withTransaction(put(sql, 100)), put(sql, 101))
          )
        )
        assert.isTrue(Exit.isFailure(exit))
        assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "one after the other")
        assert.deepStrictEqual(yield* ids(sql), [100, 101])
      })))

    it.effect("one after the other nest as deep as they like (OWN-15)", () =>
      alone(Effect.gen(function*() {
        const sql = yield* SqlClient
        const { transact } = yield* Transactor
        const failing = (id: number) =>
          Effect.exit(sql.withTransaction(Effect.zipRight(put(sql, id), Effect.fail("no"))))
        yield* transact(sql.withTransaction(Effect.gen(function*() {
          yield* sql.withTransaction(Effect.void)
          yield* sql.withTransaction(put(sql, 1))
          yield* failing(2)
          yield* sql.withTransaction(Effect.gen(function*() {
            yield* put(sql, 3)
            yield* sql.withTransaction(put(sql, 4))
            yield* failing(5)
            yield* put(sql, 6)
          }))
          yield* Effect.exit(sql.withTransaction(Effect.gen(function*() {
            yield* sql.withTransaction(put(sql, 7))
            return yield* Effect.fail("no")
          })))
          yield* put(sql, 8)
        })))
        assert.deepStrictEqual(yield* ids(sql), [1, 3, 4, 6, 8])
      })))

    it.effect("that are still open at the end of the one around them fail it (OWN-15)", () =>
      alone(Effect.gen(function*() {
        const sql = yield* SqlClient
        const { transact } = yield* Transactor
        const go = yield* Deferred.make<void>()
        const within = yield* Deferred.make<void>()
        const error = yield* Effect.flip(transact(Effect.zipRight(
          Effect.forkDaemon(sql.withTransaction(
            put(sql, 1).pipe(
              Effect.zipRight(Deferred.succeed(within, undefined)),
              Effect.zipRight(Deferred.await(go))
            )
          )),
          Deferred.await(within)
        )))
        yield* Deferred.succeed(go, undefined)
        assert.strictEqual(error._tag, "TransactionError")
        assert.include(error.message, "still open")
        assert.deepStrictEqual(yield* ids(sql), [])
      })))
  })

  describe(`a transaction without a statement: ${name}`, () => {
    it.effect("holds no connection (OWN-12)", () =>
      alone(Effect.gen(function*() {
        const sql = yield* SqlClient
        const { transact } = yield* Transactor
        const entered = yield* Deferred.make<void>()
        const leave = yield* Deferred.make<void>()
        const waiting = yield* Effect.fork(transact(Effect.gen(function*() {
          yield* Deferred.succeed(entered, undefined)
          yield* Deferred.await(leave)
          yield* put(sql, 1)
        })))
        yield* Deferred.await(entered)
        // SQLite has one connection, so this would wait for ever if it were taken.
        yield* put(sql, 2)
        if (name === "PostgreSQL") {
          const open = yield* sql`select pid from pg_stat_activity
            where datname = current_database() and state like 'idle in transaction%'`
          assert.deepStrictEqual(open, [])
        }
        yield* Deferred.succeed(leave, undefined)
        yield* Fiber.join(waiting)
        assert.deepStrictEqual(yield* ids(sql), [1, 2])
      })))

    it.effect("a fiber that outlives its transaction writes outside of it (OWN-12)", () =>
      alone(Effect.gen(function*() {
        const sql = yield* SqlClient
        const { transact } = yield* Transactor
        const go = yield* Deferred.make<void>()
        const late = yield* transact(Effect.zipRight(
          put(sql, 1),
          Effect.forkDaemon(Effect.zipRight(
            Deferred.await(go),
            Effect.zipRight(put(sql, 2), sql.withTransaction(put(sql, 3)))
          ))
        ))
        yield* Effect.exit(transact(Effect.gen(function*() {
          if (name === "PostgreSQL") {
            yield* put(sql, 4)
          }
          yield* Deferred.succeed(go, undefined)
          yield* Fiber.join(late)
          return yield* Effect.fail("no")
        })))
        assert.deepStrictEqual(yield* ids(sql), [1, 2, 3])
      })))

    it.effect("a fiber that outlives a nested transaction writes outside of it, and has transactions of its own (OWN-12)", () =>
      alone(Effect.gen(function*() {
        const sql = yield* SqlClient
        const { transact } = yield* Transactor
        const go = yield* Deferred.make<void>()
        const late = yield* transact(sql.withTransaction(Effect.zipRight(
          put(sql, 1),
          Effect.forkDaemon(Effect.gen(function*() {
            yield* Deferred.await(go)
            yield* put(sql, 2)
            yield* Effect.exit(transact(Effect.zipRight(put(sql, 3), Effect.fail("no"))))
          }))
        )))
        yield* Deferred.succeed(go, undefined)
        yield* Fiber.join(late)
        assert.deepStrictEqual(yield* ids(sql), [1, 2])
        if (name === "PostgreSQL") {
          const open = yield* sql`select pid from pg_stat_activity
            where datname = current_database() and state like 'idle in transaction%'`
          assert.deepStrictEqual(open, [])
        }
      })))
  })
}

for (const kind of ["SQLite", "PostgreSQL"] as const) {
  it.scoped(`a nested transaction that one database refuses to commit leaves nothing in the others, and lets the next one begin: ${kind} (OWN-10, OWN-15)`, () =>
    between([kind, "PostgreSQL"], (a, b, transact) =>
      Effect.gen(function*() {
        yield* b`create table late (id integer references t deferrable initially deferred)`
        const refused = inB(b)(b.withTransaction(Effect.zipRight(b`insert into late values (7)`, put(a, 1))))
        const exit = yield* transact(Effect.zipLeft(
          Effect.exit(refused),
          Effect.zipRight(a.withTransaction(put(a, 2)), put(a, 3))
        ))
        assert.isTrue(Exit.isFailure(exit))
        assert.deepStrictEqual([yield* ids(a), yield* b`select * from late`], [[2, 3], []])
      })))
}

it.scoped("a commit that the other database refuses gives its connection back (OWN-10, TX-1)", () =>
  Effect.gen(function*() {
    const a = yield* database("SQLite")
    const url = yield* Postgres.freshUrl
    const b = yield* Effect.map(Layer.build(Postgres.layerUrl(url, { maxConnections: 1 })), Context.get(SqlClient))
    yield* b`create table t (id integer primary key)`
    yield* b`create table late (id integer references t deferrable initially deferred)`
    const { transact } = yield* Effect.provideService(SqlTransactor.make(), SqlClient, a)
    for (const id of [1, 2]) {
      const refused = transact(Effect.zipRight(put(a, id), inB(b)(b.withTransaction(b`insert into late values (7)`))))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(refused)))
    }
    assert.deepStrictEqual([yield* ids(a), yield* ids(b)], [[], []])
  }))

it.scoped("a commit that another SQLite refuses leaves it as it was, and free for the next one (OWN-10, TX-1)", () =>
  between(["SQLite", "SQLite"], (a, b, transact) =>
    inB(b)(Effect.gen(function*() {
      yield* b`create table late (id integer references t deferrable initially deferred)`
      yield* b`pragma foreign_keys = on`
      const exit = yield* Effect.exit(transact(Effect.zipRight(
        put(a, 1),
        b.withTransaction(Effect.zipRight(b`insert into late values (7)`, put(b, 2)))
      )))
      assert.isTrue(Exit.isFailure(exit))
      yield* transact(Effect.zipRight(put(a, 3), b.withTransaction(put(b, 4))))
      assert.deepStrictEqual([yield* ids(a), yield* ids(b), yield* b`select * from late`], [[3], [4], []])
    }))))
