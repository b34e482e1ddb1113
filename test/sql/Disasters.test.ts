/** What people read when the database refuses everything, from end to end. */
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ItemReader, ItemWriter, Job, JobOperator, Step } from "../../src/index.js"
import { SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import { describeError } from "../../src/vocabulary/failure.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

const over = (client: Layer.Layer<SqlClient, unknown>) =>
  Layer.fresh(Layer.provideMerge(SqlJobRepository.layer, client))

const load = (writer: ItemWriter.ItemWriter<any, any, any>, items: Iterable<object> = [{ id: 1 }]) =>
  Step.chunk("load", { reader: ItemReader.fromIterable(items), writer, chunkSize: 10 }) as Step.Step<string, any, any>

/** The words under which the job has failed. */
const said = (name: string, step: Step.Step<string, any, any>) =>
  Effect.gen(function*() {
    const job = Job.make(name, { flow: step }) as Job.Job<{}, string, any, any>
    const { exitStatus, id, status } = yield* JobOperator.run(job, {})
    const [row] = yield* JobOperator.steps(id)
    return `${status}: ${(row?.exitStatus.messages.length === 0 ? exitStatus : row!.exitStatus).messages.join("; ")}`
  }) as Effect.Effect<string, any, any>

const inserting = (before: (sql: SqlClient) => Effect.Effect<unknown, any>) =>
  ItemWriter.fromFunction((_: ReadonlyArray<object>) =>
    Effect.flatMap(SqlClient, (sql) => Effect.zipRight(before(sql), sql`insert into orders values (7)`))
  )

describe("a database that refuses", () => {
  it.layer(over(Postgres.layer) as Layer.Layer<any>, { timeout: "5 minutes" })((it) => {
    it.effect("tells of a statement whose failure was caught, of a session that is read-only, of a server that is", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient
        yield* sql`create table orders (id integer primary key)`
        assert.strictEqual(
          yield* said("caught", load(inserting((sql) => Effect.ignore(sql`insert into nowhere values (1)`)))),
          "FAILED: SqlError: Failed to execute statement: current transaction is aborted, commands ignored until end of " +
            "transaction block (SQLSTATE 25P02): an earlier statement of this transaction failed and its error was caught by " +
            "code of the step, after which PostgreSQL takes nothing more: let that error fail, or put the statement into a " +
            "transaction of its own [item 1]"
        )
        assert.strictEqual(
          yield* said("read-only", load(inserting((sql) => sql`set transaction read only`))),
          "FAILED: SqlError: Failed to execute statement: cannot execute INSERT in a read-only transaction (SQLSTATE 25006): " +
            "the session is read-only, as on a standby: connect to the primary, and look at default_transaction_read_only " +
            "[item 1]"
        )
      }) as Effect.Effect<void, any, any>)
  })

  it.scopedLive("tells of a standby when it is to run a job, and when its tables are looked for", () =>
    Effect.gen(function*() {
      const url = yield* Postgres.freshUrl
      const layer = over(Postgres.layerUrl(url))
      yield* Effect.provide(JobOperator.executions(), layer)
      const name = new URL(url).pathname.slice(1)
      yield* Effect.provide(
        Effect.flatMap(
          SqlClient,
          (sql) => sql.unsafe(`alter database "${name}" set default_transaction_read_only = on`)
        ),
        Postgres.layerUrl(url)
      )
      const job = Job.make("tidy", { flow: Step.tasklet("tidy", Effect.void) })
      const error = yield* Effect.flip(Effect.provide(JobOperator.run(job, {}), layer))
      assert.strictEqual(
        describeError(error),
        "JobRepositoryError: The job repository failed in launch: the session is read-only, as on a standby: connect to " +
          "the primary, and look at default_transaction_read_only [25006] (fatal)"
      )
      assert.deepStrictEqual(yield* Effect.provide(JobOperator.executions(), layer), [], "who only looks may")
    }))

  it.layer(over(Sqlite.layer) as Layer.Layer<any>, { timeout: "5 minutes" })((it) => {
    it.effect("tells of a full disk, and goes on where it was when there is room", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient
        yield* sql`create table orders (id integer primary key, text text)`
        const [row] = yield* sql<{ readonly pages: number }>`select page_count as pages from pragma_page_count`
        const room = (pages: number) => sql.unsafe(`pragma max_page_count = ${row!.pages + pages}`)
        const items = Array.from({ length: 100 }, (_, id) => ({ id, text: "x".repeat(5000) }))
        const step = load(SqlItemWriter.insertInto("orders"), items)
        yield* room(20)
        assert.strictEqual(
          yield* said("full", step),
          "FAILED: SqlStatementError: SQL insert of \"orders\" failed: the disk is full: make room on the disk of the " +
            "database, then restart (SQLITE_FULL) [items 11 to 20]"
        )
        yield* room(2000)
        assert.strictEqual(yield* said("full", step), "COMPLETED: ")
        const [count] = yield* sql<{ readonly n: number }>`select count(*) as n from orders`
        assert.strictEqual(count!.n, 100)
      }) as Effect.Effect<void, any, any>)
  })
})
