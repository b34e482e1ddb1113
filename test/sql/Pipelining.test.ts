/**
 * Chunks whose rows, checkpoint and commit travel to PostgreSQL in one message.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { proxy } from "../../bench/wire.js"
import { ItemReader, ItemWriter, Job, JobOperator, JobRepository, Listener, Step, Transactor } from "../../src/index.js"
import { SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import { sqlDrivers } from "../support/drivers.js"
import * as Postgres from "../support/Postgres.js"

interface Row {
  readonly n: number
}

const rows = (count: number): ReadonlyArray<Row> => Array.from({ length: count }, (_, index) => ({ n: index + 1 }))

const table = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.all([
    sql`drop table if exists numbers`,
    sql`create table numbers (n int primary key check (n <> 13))`
  ], { discard: true }))

const loaded = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => Effect.map(sql<Row>`select n from numbers order by n`, (rows) => rows.map(({ n }) => n))
)

const numbersOf = (items: ReadonlyArray<Row>) => items.map(({ n }) => n)

const job = <E, R>(name: string, items: ReadonlyArray<Row>, writer: ItemWriter.ItemWriter<Row, E, R>) =>
  Job.make(name, { flow: Step.chunk("load", { reader: ItemReader.fromIterable(items), writer, chunkSize: 4 }) })

const stepsOf = Effect.gen(function*() {
  const repository = yield* JobRepository.JobRepository
  const [newest] = yield* JobOperator.executions({})
  return yield* repository.stepExecutions(newest!.id)
})

const writers = {
  insertInto: SqlItemWriter.insertInto<Row>("numbers"),
  upsertInto: SqlItemWriter.upsertInto<Row>("numbers", { key: ["n"] }),
  copyInto: SqlItemWriter.copyInto<Row>("numbers"),
  "insertInto behind contramap": ItemWriter.contramap(
    SqlItemWriter.insertInto<Row>("numbers"),
    (row: Row) => ({ n: row.n })
  )
}

const [, postgres] = sqlDrivers

describe("chunks in one message", () => {
  for (const [name, writer] of Object.entries(writers)) {
    it.layer(postgres!.layer)(name, (it) => {
      it.effect("their rows and counts equal those of any other chunk (TX-1)", () =>
        Effect.gen(function*() {
          yield* table
          const items = rows(10)
          yield* JobOperator.runOrFail(job("load", items, writer), {})
          assert.deepStrictEqual(yield* loaded, numbersOf(items))
          const [step] = yield* stepsOf
          assert.deepStrictEqual(
            [step!.counts.read, step!.counts.write, step!.counts.commit, step!.counts.rollback],
            [10, 10, 3, 0]
          )
        }))

      it.effect("a bad row is found and skipped, and the others are written once (FTC-8)", () =>
        Effect.gen(function*() {
          yield* table
          const tolerant = Job.make("tolerant", {
            flow: Step.chunk("load", { reader: ItemReader.fromIterable(rows(16)), writer, chunkSize: 4 }).pipe(
              Step.skip("SqlDataError", { limit: 1 })
            )
          })
          yield* JobOperator.runOrFail(tolerant, {})
          assert.deepStrictEqual(yield* loaded, numbersOf(rows(16)).filter((n) => n !== 13))
          const [step] = yield* stepsOf
          assert.deepStrictEqual([step!.counts.write, step!.counts.writeSkip], [15, 1])
        }))

      it.effect("a bad row fails the step with the writer's own error, and a restart continues after the last commit", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* table
          const ended = yield* JobOperator.run(job("strict", rows(16), writer), {})
          assert.strictEqual(ended.status, "FAILED")
          assert.include(ended.exitStatus.messages.join(), "numbers")
          assert.deepStrictEqual(yield* loaded, numbersOf(rows(12)))
          yield* sql`alter table numbers drop constraint numbers_n_check`
          yield* JobOperator.runOrFail(job("strict", rows(16), writer), {})
          assert.deepStrictEqual(yield* loaded, numbersOf(rows(16)))
        }))
    })
  }

  it.layer(postgres!.layer)("where each item needs a row", (it) => {
    it.effect("an update or a delete goes by itself, and misses the row that is not there (ITEM-22)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const pairs = [1, 2, 3, 5].map((n) => ({ n, m: n }))
        const asserting = [
          SqlItemWriter.update<typeof pairs[number]>("pairs", { key: ["n"] }),
          SqlItemWriter.deleteFrom<typeof pairs[number]>("pairs", { key: ["n"] })
        ]
        for (const [index, writer] of asserting.entries()) {
          for (const items of [pairs.slice(0, 3), pairs]) {
            yield* sql`drop table if exists pairs`
            yield* sql`create table pairs as select n, 0 as m from generate_series(1, 4) n`
            const step = Step.chunk("load", { reader: ItemReader.fromIterable(items), writer, chunkSize: 2 })
            const ended = yield* JobOperator.run(Job.make(`asserting ${index} ${items.length}`, { flow: step }), {})
            const isWhole = items.length === 3
            assert.strictEqual(ended.status, isWhole ? "COMPLETED" : "FAILED", ended.exitStatus.messages.join())
            assert.strictEqual(ended.exitStatus.messages.join().includes("no row"), !isWhole)
            const [left] = yield* sql<{ readonly n: number }>`select count(*)::int as n from pairs where m = 0`
            assert.strictEqual(left!.n, isWhole ? 1 : 2)
          }
        }
      }))
  })

  it.layer(postgres!.layer)("when something goes wrong", (it) => {
    it.scoped("a chunk is at most one round trip, as two are on their way at a time", () =>
      Effect.gen(function*() {
        const counted = yield* Effect.acquireRelease(
          Effect.flatMap(Postgres.freshUrl, (url) => Effect.promise(() => proxy(url))),
          ({ close }) => Effect.sync(close)
        )
        const repository = Layer.fresh(SqlJobRepository.layerWith({ control: false })).pipe(
          Layer.provideMerge(Postgres.layerUrl(counted.url))
        )
        const traffic = (chunks: number) =>
          Effect.map(
            JobOperator.runOrFail(job(`${chunks} chunks`, rows(4 * chunks), writers.upsertInto), {}),
            () => counted.traffic()
          )
        const [first, second, third] = yield* Effect.zipRight(
          Effect.flatMap(SqlClient.SqlClient, (sql) => sql`create table numbers (n int primary key)`),
          Effect.all([traffic(9), traffic(10), traffic(110)])
        ).pipe(Effect.provide(repository))
        const more = (of: "roundTrips" | "statements") => third[of] - second[of] - (second[of] - first[of])
        assert.strictEqual(more("statements"), 4 * 100)
        assert.isAtMost(more("roundTrips"), 100)
      }))

    it.scoped("a step does not keep the only connection for itself", () =>
      Effect.gen(function*() {
        const url = yield* Postgres.freshUrl
        const repository = Layer.fresh(SqlJobRepository.layerWith({ control: false })).pipe(
          Layer.provideMerge(Postgres.layerUrl(url, { maxConnections: 1 }))
        )
        const total = 8_000
        const seen = yield* Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`create table numbers (n int primary key)`
          const run = yield* Effect.fork(JobOperator.runOrFail(job("greedy", rows(total), writers.insertInto), {}))
          const count = Effect.map(sql<{ n: number }>`select count(*)::int as n from numbers`, ([row]) => row!.n)
          const seen = yield* Effect.repeat(count, { until: (n) => n > 0 })
          yield* Fiber.join(run)
          assert.strictEqual(yield* count, total)
          return seen
        }).pipe(Effect.provide(repository))
        assert.isBelow(seen, total)
      }))

    it.effect("an owner that was taken over writes nothing (LEASE-3)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* table
        const taking = Job.make("overtaken", {
          flow: Step.chunk("load", {
            reader: ItemReader.fromIterable(rows(12)),
            processor: (row) =>
              row.n === 6
                ? Effect.as(Effect.orDie(sql`update batch_step_execution set epoch = epoch + 1`), row)
                : Effect.succeed(row),
            writer: writers.insertInto,
            chunkSize: 4
          })
        })
        const exit = yield* Effect.exit(JobOperator.run(taking, {}))
        assert.isTrue(Exit.isFailure(exit))
        assert.deepStrictEqual(yield* loaded, numbersOf(rows(4)))
      }))

    it.effect("the server may forget prepared statements, as it does behind a pooler", () =>
      Effect.gen(function*() {
        yield* table
        const sql = yield* SqlClient.SqlClient
        yield* JobOperator.runOrFail(
          Job.make("pooled", {
            flow: Step.chunk("load", {
              reader: ItemReader.fromIterable(rows(12)),
              processor: (row) => Effect.as(Effect.orDie(sql.unsafe("deallocate all")), row),
              writer: writers.insertInto,
              chunkSize: 4
            })
          }),
          {}
        )
        assert.deepStrictEqual(yield* loaded, numbersOf(rows(12)))
      }))

    it.effect("an interruption has the server cancel the chunk, and its rows are gone (EFF-3)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* table
        yield* sql.unsafe(
          "create function dawdle() returns trigger language plpgsql as 'begin perform pg_sleep(30); return new; end'"
        )
        yield* sql`create trigger slow before insert on numbers for each row when (new.n = 7) execute function dawdle()`
        const run = yield* Effect.fork(JobOperator.run(job("slow", rows(12), writers.insertInto), {}))
        const busy = sql`select 1 from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()`
        yield* Effect.repeat(busy, { until: (rows) => rows.length > 0 })
        yield* Fiber.interrupt(run)
        assert.deepStrictEqual(yield* loaded, numbersOf(rows(4)))
        const [step] = yield* stepsOf
        assert.deepStrictEqual([step!.status, step!.counts.write], ["STOPPED", 4])
        yield* sql`drop trigger slow on numbers`
        yield* JobOperator.runOrFail(job("slow", rows(12), writers.insertInto), {})
        assert.deepStrictEqual(yield* loaded, numbersOf(rows(12)))
      }))

    it.effect("a wrapped transactor is called for every chunk (TX-1)", () =>
      Effect.gen(function*() {
        yield* table
        let transactions = 0
        const watched = Effect.map(Transactor.Transactor, ({ transact }) =>
          Transactor.Transactor.of({
            transact: (effect, options) =>
              Effect.suspend(() => {
                transactions++
                return transact(effect, options)
              })
          }))
        yield* Effect.provideServiceEffect(
          JobOperator.runOrFail(job("watched", rows(12), writers.insertInto), {}),
          Transactor.Transactor,
          watched
        )
        assert.strictEqual(transactions, 3)
        assert.deepStrictEqual(yield* loaded, numbersOf(rows(12)))
      }))

    it.effect("a listener of the write is called inside the transaction", () =>
      Effect.gen(function*() {
        yield* table
        const seen: Array<number> = []
        const listened = Job.make("listened", {
          flow: Step.chunk("load", {
            reader: ItemReader.fromIterable(rows(8)),
            writer: writers.insertInto,
            chunkSize: 4
          }).pipe(
            Step.listen(Listener.step({
              afterWrite: () =>
                Effect.map(Effect.orDie(loaded), (rows) => {
                  seen.push(rows.length)
                })
            }))
          )
        })
        yield* JobOperator.runOrFail(listened, {})
        assert.deepStrictEqual(seen, [4, 8])
      }))
  })
})
