/**
 * What a table writer guarantees with the client that it has: what it says of itself holds with the client of the repository,
 * and where it has another one, everybody is told.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step } from "../../src/index.js"
import { SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

interface Row {
  readonly id: number
}

const insert = SqlItemWriter.insertInto<Row>("t")

/** Every way in which a table writer can be inside of another one. */
const writers = (other: SqlClient): Record<string, ItemWriter.ItemWriter<Row, any, SqlClient>> => ({
  insert,
  upsert: SqlItemWriter.upsertInto<Row>("t", { key: ["id"] }),
  update: SqlItemWriter.update<Row & { readonly n: number }>("t", { key: ["id"] }) as typeof insert,
  delete: SqlItemWriter.deleteFrom<Row>("t", { key: ["id"] }),
  copy: SqlItemWriter.copyInto<Row>("t"),
  statement: SqlItemWriter.statement("s", (_: ReadonlyArray<Row>, sql) => sql`select 1`),
  tee: ItemWriter.tee(insert, ItemWriter.discard),
  route: ItemWriter.route(() => "a" as const, { a: insert }),
  mapped: insert.pipe(
    ItemWriter.contramap((row: Row) => row),
    ItemWriter.mapError((error) => error),
    ItemWriter.withName("renamed")
  ),
  "provided with something else": insert.pipe(ItemWriter.provide(Context.empty())),
  "given back the client of the context": ItemWriter.provide(
    insert,
    Context.make(SqlClient, other)
  )
})

const file = Effect.map(Layer.build(Layer.fresh(Sqlite.layer)), Context.get(SqlClient)).pipe(
  Effect.tap((sql) => sql`create table t (id integer primary key, n integer)`)
)

const job = (name: string, writer: ItemWriter.ItemWriter<Row, any, any>) =>
  Job.make(name, { flow: Step.chunk("load", { reader: ItemReader.fromIterable([{ id: 1 }]), writer, chunkSize: 1 }) })

/** What running and explaining say. */
const heard = (name: string, writer: ItemWriter.ItemWriter<Row, any, any>) =>
  Effect.gen(function*() {
    const logged: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => logLevel.label === "WARN" && logged.push(String(message)))
    const { lines } = yield* JobOperator.explain(job(name, writer), {})
    const { status } = yield* (JobOperator.run(job(name, writer), {}) as Effect.Effect<
      { readonly status: string },
      unknown,
      JobRepository.JobRepository
    >).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    assert.strictEqual(status, "COMPLETED")
    return { logged, explained: lines.filter((line) => line.includes("at-least-once")) }
  })

describe("the guarantee of a table writer", () => {
  for (const [name, client] of [["SQLite", Sqlite.layer], ["PostgreSQL", Postgres.layer]] as const) {
    it.scoped(`is that of its client, with the repository on ${name} (OWN-10)`, () =>
      Effect.gen(function*() {
        const own = yield* SqlClient
        const other = yield* file
        for (const [title, writer] of Object.entries(writers(own))) {
          assert.strictEqual(yield* ItemWriter.deliveryHere(writer), "transactional", title)
          const delivery = yield* ItemWriter.deliveryHere(writer).pipe(Effect.provideService(SqlClient, other))
          assert.strictEqual(delivery, title.startsWith("given back") ? "transactional" : "at-least-once", title)
        }
        const given = insert.pipe(ItemWriter.provide(Context.make(SqlClient, other)))
        assert.strictEqual(yield* ItemWriter.deliveryHere(given), "at-least-once")
        const promised = insert.pipe(
          ItemWriter.provide(Layer.succeed(SqlClient, other), { delivery: "transactional" })
        )
        assert.strictEqual(yield* ItemWriter.deliveryHere(promised), "transactional")
      }).pipe(Effect.provide(Layer.fresh(Layer.provideMerge(SqlJobRepository.layer, client as typeof Sqlite.layer)))))
  }

  it.scoped("is told by the step and by explain where it is less than the writer says, and nowhere else (OWN-10)", () =>
    Effect.gen(function*() {
      const own = yield* SqlClient
      yield* own`create table t (id integer primary key, n integer)`
      assert.deepStrictEqual(yield* heard("own", insert), { logged: [], explained: [] })

      const elsewhere = Effect.provideService(heard("other", insert), SqlClient, yield* file)
      const { explained, logged } = yield* elsewhere
      assert.lengthOf(logged, 1)
      assert.include(logged[0], "the writer \"insert t\" says transactional and is at-least-once here")
      assert.deepStrictEqual(explained, [`load: ${logged[0]}`])

      const meant = insert.pipe(ItemWriter.provide(Context.make(SqlClient, yield* file)))
      assert.deepStrictEqual(yield* heard("meant", meant), { logged: [], explained: [] })

      const unwrapped = ItemWriter.unwrap(Effect.succeed(insert), { name: "unwrapped", delivery: "transactional" })
      const inside = yield* Effect.provideService(heard("unwrapped", unwrapped), SqlClient, yield* file)
      assert.lengthOf(inside.logged, 1)
    }).pipe(Effect.provide(Layer.fresh(Layer.provideMerge(SqlJobRepository.layer, Sqlite.layer)))))

  it.scoped("is at least once with the repository in memory, which needs no warning (OWN-10)", () =>
    Effect.gen(function*() {
      const sql = yield* file
      const told = yield* Effect.provideService(heard("memory", insert), SqlClient, sql)
      assert.deepStrictEqual(told, { logged: [], explained: [] })
      const delivery = yield* ItemWriter.deliveryHere(insert).pipe(Effect.provideService(SqlClient, sql))
      assert.strictEqual(delivery, "at-least-once")
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it("is at least once in a step without transactions", () => {
    const step = Step.chunk("load", { reader: ItemReader.fromIterable([{ id: 1 }]), writer: insert, chunkSize: 1 })
    const deliveryOf = (step: Step.Step<any, any, any>) =>
      Job.describe(Job.make("described", { flow: step })).flow.states[0]!.step!.chunk!.delivery
    assert.strictEqual(deliveryOf(step), "transactional")
    assert.strictEqual(deliveryOf(step.pipe(Step.withTransaction({ propagation: "notSupported" }))), "at-least-once")
  })
})
