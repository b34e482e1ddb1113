/**
 * Waiting for the write lock of an SQLite file whose holder lives in this very process: whoever waited inside of SQLite would
 * block the holder, too, and fail when the patience of SQLite is at its end.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import Sqlite3 from "better-sqlite3"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Flow, ItemReader, Job, JobOperator, Step, Transactor } from "../../src/index.js"
import { SqlItemWriter, SqlJobRepository, SqlTransactor } from "../../src/sql/index.js"
import * as Sqlite from "../support/Sqlite.js"

interface Row {
  readonly id: number
}

const clientAt = (file: string) => Effect.map(Layer.build(Layer.fresh(Sqlite.layerFile(file))), Context.get(SqlClient))

const ids = (sql: SqlClient) => Effect.map(sql<Row>`select id from t order by id`, (rows) => rows.map(({ id }) => id))

/** Takes the lock again and again, and counts the turns of it; it gives the lock back only when the event loop turns. */
const holding = (file: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const db = new Sqlite3(file, { timeout: 0 })
      const state = { turns: 0, timer: undefined as NodeJS.Timeout | undefined, db, take: () => {} }
      const release = () => {
        db.exec("COMMIT")
        state.turns++
        state.timer = setTimeout(state.take, 15)
      }
      state.take = () => {
        clearTimeout(state.timer)
        try {
          if (!db.inTransaction) {
            db.exec("BEGIN IMMEDIATE")
          }
          state.timer = setTimeout(release, 15)
        } catch {
          state.timer = setTimeout(state.take, 5)
        }
      }
      state.take()
      return state
    }),
    ({ db, timer }) =>
      Effect.sync(() => {
        clearTimeout(timer)
        db.close()
      })
  )

/** What the error and its causes say. */
const messages = function*(error: unknown): Generator<string> {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    yield cause.message
  }
}

describe("while another one in this process holds the lock of the SQLite file", () => {
  it.scopedLive(
    "jobs are launched, fail, are restarted and complete, and wait without blocking it (OWN-21)",
    () =>
      Effect.gen(function*() {
        const file = yield* Sqlite.freshFile
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient
          yield* sql`create table t (id integer primary key)`
          const holder = yield* holding(file)
          let stops = true
          const load = Step.chunk("load", {
            reader: ItemReader.fromIterable(Array.from({ length: 6 }, (_, id) => ({ id }))),
            writer: SqlItemWriter.insertInto<Row>("t"),
            chunkSize: 2
          }).pipe(Step.skip("SqlDataError", { limit: 1 }), Step.quarantine())
          const job = Job.make("turns", {
            flow: load.pipe(
              Flow.andThen(
                Step.tasklet(
                  "write",
                  Effect.suspend(() => stops ? Effect.asVoid(sql`insert into t values (100)`) : Effect.void)
                )
              ),
              Flow.andThen(Step.tasklet("fail", Effect.suspend(() => stops ? Effect.fail("no") : Effect.void)))
            )
          })
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "FAILED")
          stops = false
          const again = yield* JobOperator.run(job, {})
          assert.strictEqual(again.status, "COMPLETED")
          assert.deepStrictEqual(yield* ids(sql), [0, 1, 2, 3, 4, 5, 100])
          assert.isAbove(holder.turns, 5)
        }).pipe(Effect.provide(Layer.provideMerge(SqlJobRepository.layer, Sqlite.layerFile(file))))
      }),
    300_000
  )

  const ways: Record<string, (b: SqlClient, id: number) => Effect.Effect<unknown, unknown, SqlClient>> = {
    "a statement of a client that was captured": (b, id) => b`insert into t values (${id})`,
    "a statement of the client of the context": (b, id) =>
      Effect.flatMap(SqlClient, (sql) => sql`insert into t values (${id})`).pipe(Effect.provideService(SqlClient, b)),
    "a transaction of its client": (b, id) =>
      b.withTransaction(Effect.zipRight(b`select id from t`, b`insert into t values (${id})`)).pipe(
        SqlTransactor.withClient(b)
      ),
    "a table writer": (b, id) =>
      Effect.scoped(Effect.flatMap(
        SqlItemWriter.insertInto<Row>("t").open({ _tag: "None" } as never),
        (sink) => sink.write([{ id }])
      )).pipe(Effect.provideService(SqlClient, b))
  }

  it.scopedLive(
    "what writes to it beside a transaction waits without blocking it (OWN-21)",
    () =>
      Effect.gen(function*() {
        const file = yield* Sqlite.freshFile
        const b = yield* clientAt(file)
        yield* b`create table t (id integer primary key)`
        const holder = yield* holding(file)
        yield* Effect.gen(function*() {
          const { transact } = yield* Transactor.Transactor
          const a = yield* SqlClient
          yield* a`create table held (id integer)`
          for (const [id, way] of Object.values(ways).entries()) {
            holder.take()
            const { turns } = holder
            // The transaction around it holds the lock of another file.
            yield* transact(Effect.zipRight(a`insert into held values (1)`, way(b, id)))
            assert.isAbove(holder.turns, turns)
          }
        }).pipe(Effect.provide(Layer.provideMerge(SqlTransactor.layer, Sqlite.layer)))
        assert.deepStrictEqual(yield* ids(b), [0, 1, 2, 3])
        assert.deepStrictEqual(yield* b`PRAGMA busy_timeout`, [{ timeout: 5000 }])
      }),
    300_000
  )

  it.scopedLive(
    "what its own transaction would keep waiting for ever is refused at once (OWN-15)",
    () =>
      Effect.gen(function*() {
        const file = yield* Sqlite.freshFile
        const b = yield* clientAt(file)
        yield* Effect.gen(function*() {
          const { transact } = yield* Transactor.Transactor
          const a = yield* SqlClient
          yield* a`create table t (id integer primary key)`
          for (const [title, way] of Object.entries(ways)) {
            const error = yield* Effect.flip(transact(Effect.zipRight(a`insert into t values (100)`, way(b, 1))))
            assert.include(Array.from(messages(error)).join(), "through another client", title)
            // Before the transaction has begun, nobody waits.
            yield* transact(Effect.zipRight(way(b, 1), a`delete from t`))
          }
          assert.deepStrictEqual(yield* ids(a), [])
        }).pipe(Effect.provide(Layer.provideMerge(SqlTransactor.layer, Sqlite.layerFile(file))))
      }),
    300_000
  )
})
