import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ItemReader, Job, JobOperator, Step } from "../../src/index.js"
import type * as ItemWriter from "../../src/item/ItemWriter.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import { rowAt } from "../../src/sql/pgCopy.js"
import { field } from "../../src/sql/pgText.js"
import { encoder } from "../../src/sql/pgValue.js"
import { SqlColumnError, SqlDataError, SqlStatementError } from "../../src/sql/SqlFailure.js"
import * as SqlItemWriter from "../../src/sql/SqlItemWriter.js"
import * as WriterLaws from "../../src/testing/WriterLaws.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

const writeAll = <A, E, R>(writer: ItemWriter.ItemWriter<A, E, R>, ...chunks: ReadonlyArray<ReadonlyArray<A>>) =>
  Effect.scoped(Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const sink = yield* writer.open(Option.none())
    for (const chunk of chunks) {
      yield* sql.withTransaction(sink.write(chunk))
    }
  }))

const text = FastCheck.oneof(
  FastCheck.string({ unit: "grapheme" }),
  FastCheck.constantFrom("", "NULL", "\\N", "\\.", "\\", "\\\\N", "\t", "a\tb", "\r\n", "\n", "\"", "{a,b}", "ü€𝄞"),
  FastCheck.stringMatching(/^["\\{},' a\n\t\r]*$/)
).map((text) => text.replaceAll("\0", ""))

const instant = FastCheck.date({ min: new Date("-002000-01-01T00:00:00Z"), max: new Date("+012000-01-01T00:00:00Z") })

const row = FastCheck.record({
  s: text,
  v: FastCheck.oneof(text, FastCheck.integer()),
  i8: FastCheck.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  f: FastCheck.oneof(FastCheck.double(), FastCheck.float()),
  n: FastCheck.oneof(FastCheck.integer(), FastCheck.constantFrom("12345678901234567890.0123456789", "NaN")),
  b: FastCheck.boolean(),
  t: instant,
  ts: instant,
  d: instant.map((at) => new Date(at.getTime() - (at.getTime() % 86_400_000))),
  bytes: FastCheck.uint8Array(),
  j: FastCheck.oneof(FastCheck.jsonValue().map((value) => ({ value })), FastCheck.constant("[1, \"\\t\\\\\"]")),
  jb: FastCheck.record({ text: text.filter((text) => !/[\ud800-\udfff]/u.test(text)) }),
  texts: FastCheck.array(FastCheck.option(text)),
  grid: FastCheck.tuple(FastCheck.integer(), FastCheck.integer()).map((pair) => [pair, pair]),
  stamps: FastCheck.array(instant)
}, { requiredKeys: [] }).map((fields) =>
  Object.fromEntries(columns.map((column) => [column, (fields as Record<string, unknown>)[column] ?? null]))
)

const columns = ["s", "v", "i8", "f", "n", "b", "t", "ts", "d", "bytes", "j", "jb", "texts", "grid", "stamps"]

const table = (name: string) =>
  `create table if not exists ${name} (id int primary key, s text, v text, i8 int8, f float8, n numeric, b boolean,
    t timestamptz, ts timestamp, d date, bytes bytea, j json, jb jsonb, texts text[], grid int[][],
    stamps timestamptz[])`

describe("SqlItemWriter.copyInto", () => {
  it.layer(Layer.orDie(Postgres.layer), { timeout: "5 minutes" })("on PostgreSQL", (it) => {
    it.effect.prop(
      "writes every value exactly as insertInto does",
      [FastCheck.array(row, { minLength: 1, maxLength: 20 })],
      ([rows]) =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql.unsafe(table("inserted"))
          yield* sql.unsafe(table("copied"))
          yield* sql`truncate inserted, copied`
          const items = rows.map((row, id) => ({ id, ...row }))
          yield* writeAll(SqlItemWriter.insertInto("inserted"), items)
          yield* writeAll(SqlItemWriter.copyInto("copied"), items)
          const texts = (name: string) =>
            sql<{ readonly row: string }>`select t::text as row from ${sql(name)} t order by id`
          const copied = yield* texts("copied")
          assert.strictEqual(copied.length, items.length)
          assert.deepStrictEqual(copied, yield* texts("inserted"))
        }),
      { fastCheck: { numRuns: 60 } }
    )

    it.effect("takes arrays of any type, enums, domains and ranges as insertInto does", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create type mood as enum ('sad', 'so, "so"')`
        yield* sql`create domain labels as text[]`
        yield* sql`create schema "Sales"`
        const item = {
          m: "so, \"so\"",
          moods: ["sad", "so, \"so\"", null],
          l: ["x\t", "y z", "\\"],
          jbs: [{ a: "\"\n" }, [1, 2], null],
          days: [new Date(Date.UTC(2024, 1, 3))],
          blobs: [new Uint8Array([0, 92, 255])],
          r: "[1,5)",
          c: "ab",
          bits: "101"
        }
        const none = Object.fromEntries(Object.keys(item).map((key) => [key, null]))
        for (const name of ["one", "two"]) {
          yield* sql`create table "Sales".${sql(name)} (m mood, moods mood[], l labels, jbs jsonb[], days date[],
            blobs bytea[], r int4range, c char(4), bits bit(3))`
        }
        yield* writeAll(SqlItemWriter.insertInto("Sales.one"), [item, none])
        yield* writeAll(SqlItemWriter.copyInto("Sales.two"), [item, none])
        const texts = (name: string) => sql`select t::text as row from "Sales".${sql(name)} t`
        assert.deepStrictEqual(yield* texts("two"), yield* texts("one"))
      }))

    it.effect("writes many rows in several frames, in their order; columns that are not written get defaults", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table framed (n serial, id int, name text, state text default 'new')`
        const items = Array.from({ length: 20_000 }, (_, id) => ({ id, name: "ü".repeat(id % 40) }))
        yield* writeAll(SqlItemWriter.copyInto("framed"), items)
        const [sums] = yield* sql`
          select count(*) as n, count(*) filter (where n = id + 1 and state = 'new') as ordered, sum(length(name)) as chars
          from framed`
        assert.deepStrictEqual(Object.values(sums!).map(Number), [20_000, 20_000, 390_000])
      }))

    it.effect("names the item that is refused, and leaves nothing of its chunk", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table owners (id int primary key)`
        yield* sql`create table refusing (id int primary key, qty int not null check (qty > 0), name varchar(3),
          owner int references owners)`
        const writer = SqlItemWriter.copyInto("refusing", { columns: ["id", "qty", "name", "owner"] })
        yield* writeAll(writer, [{ id: 1, qty: 1, name: "a\nb" }])
        const bad: ReadonlyArray<readonly [object, string, number]> = [
          [{ id: 1 }, "unique", 700],
          [{ qty: null }, "notNull", 700],
          [{ qty: -987654 }, "check", 700],
          [{ name: "four" }, "dataType", 700],
          [{ name: "\0" }, "dataType", 700],
          [{ id: "COPY refusing, line 5" }, "dataType", 700],
          [{ owner: 987654 }, "foreignKey", 700]
        ]
        for (const [change, kind, item] of bad) {
          const items = Array.from({ length: 1000 }, (_, n) => ({
            id: n + 10,
            qty: 1,
            name: "\n",
            ...(n === 700 ? change : {})
          }))
          const error = yield* Effect.flip(writeAll(writer, items))
          assert.instanceOf(error, SqlDataError)
          assert.deepStrictEqual([error.kind, error.item], [kind, item])
          assert.notInclude(error.message, "987654")
        }
        assert.deepStrictEqual(yield* sql`select id, name from refusing`, [{ id: 1, name: "a\nb" }])
      }))

    it.effect("an item that does not fit the columns fails before anything is sent", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table fitting (id int primary key, v text)`
        const error = (items: ReadonlyArray<object>) =>
          Effect.map(Effect.flip(writeAll(SqlItemWriter.copyInto("fitting"), items)), (error) => {
            assert.instanceOf(error, SqlColumnError)
            return [error.item, error.column]
          })
        assert.deepStrictEqual(yield* error([{ id: 1, v: "a" }, { id: 2, v: Symbol.iterator }]), [1, "v"])
        assert.deepStrictEqual(yield* error([{ id: 1, v: "a" }, { id: 2, w: "b" }]), [1, "w"])
        const missing = yield* Effect.flip(
          Effect.scoped(SqlItemWriter.copyInto("fitting", { columns: ["id", "w"] }).open(Option.none()))
        )
        assert.instanceOf(missing, SqlStatementError)
        assert.strictEqual(missing.kind, "missingColumn")
        assert.deepStrictEqual(yield* sql`select * from fitting`, [])
      }))

    it.effect("a schema encodes the items", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table encoded (id int primary key, cents text)`
        const schema = Schema.Struct({
          id: Schema.Number,
          amount: Schema.propertySignature(Schema.BigInt).pipe(Schema.fromKey("cents"))
        })
        yield* writeAll(SqlItemWriter.copyInto("encoded", { schema }), [{ id: 1, amount: 9007199254740993n }])
        assert.deepStrictEqual(yield* sql`select * from encoded`, [{ id: 1, cents: "9007199254740993" }])
      }))

    it.effect("a command that is refused as a whole leaves the connection fit for use", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table dropped (id int primary key)`
        yield* Effect.scoped(Effect.gen(function*() {
          const sink = yield* SqlItemWriter.copyInto<{ readonly id: number }>("dropped").open(Option.none())
          yield* sink.write([{ id: 1 }])
          assert.strictEqual((yield* sql`select * from dropped`).length, 1)
          yield* sql`drop table dropped`
          const items = Array.from({ length: 50_000 }, (_, id) => ({ id }))
          const reserved = yield* sql.reserve
          const inside = Effect.provideService(sink.write(items), SqlClient.TransactionConnection, [reserved, 0])
          const error = yield* Effect.flip(inside)
          assert.deepStrictEqual([error._tag, error.message.includes("does not exist")], ["SqlStatementError", true])
          assert.deepStrictEqual(yield* reserved.executeRaw("select 1 as one", []).pipe(Effect.map(rowsOf)), [{
            one: 1
          }])
        }))
      }))

    it.effect("an interrupted copy that waits for a lock is cancelled", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table locked (id int primary key)`
        const waiting = sql`select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'copy%locked%'`
        yield* Effect.scoped(Effect.gen(function*() {
          const holder = yield* sql.reserve
          yield* holder.executeRaw("begin; insert into locked values (1)", [])
          const fiber = yield* Effect.fork(writeAll(SqlItemWriter.copyInto("locked"), [{ id: 1 }]))
          yield* Effect.repeat(waiting, { until: (rows) => rows.length === 1 })
          assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
          yield* Effect.repeat(waiting, { until: (rows) => rows.length === 0 })
          yield* holder.executeRaw("rollback", [])
        }))
        assert.deepStrictEqual(yield* sql`select * from locked`, [])
      }))
  })

  const services = Layer.orDie(Layer.provideMerge(SqlJobRepository.layer, Postgres.layer))
  it.layer(services, { timeout: "5 minutes" })("in a job", (it) => {
    it.effect("obeys the laws of a transactional writer (ITEM-20)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table lawful (id int, name text)`
        const items = [{ id: 1, name: "\t" }, ...Array.from({ length: 11 }, (_, n) => ({ id: n + 2, name: null }))]
        for (const seed of [1, 2, 3, 4, 5]) {
          yield* sql`truncate lawful`
          yield* WriterLaws.check(SqlItemWriter.copyInto<object>("lawful"), {
            items: [items[0]!, ...items.slice(1)],
            observe: Effect.orDie(sql`select * from lawful order by id`),
            seed
          })
        }
        assert.deepStrictEqual(yield* sql`select * from lawful order by id`, items)
      }))

    it.effect("a step that fails in the middle continues after its last committed chunk", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table loaded (id int primary key check (id <> 25))`
        const job = Job.make("copies", {
          flow: Step.chunk("copy", {
            reader: ItemReader.fromIterable(Array.from({ length: 40 }, (_, id) => ({ id }))),
            writer: SqlItemWriter.copyInto("loaded"),
            chunkSize: 10
          })
        })
        const failed = yield* JobOperator.run(job, {})
        assert.strictEqual(failed.status, "FAILED")
        assert.strictEqual((yield* sql`select * from loaded`).length, 20)
        yield* sql`alter table loaded drop constraint loaded_id_check`
        assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
        const [totals] = yield* sql`select count(*)::int as n, sum(id)::int as sum from loaded`
        assert.deepStrictEqual(totals, { n: 40, sum: 780 })
      }))

    it.effect("a step that skips finds the refused rows and writes all others (FT6-6)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table picky (id int primary key check (id not in (3, 25, 26)))`
        const step = Step.chunk("copy", {
          reader: ItemReader.fromIterable(Array.from({ length: 40 }, (_, id) => ({ id }))),
          writer: SqlItemWriter.copyInto("picky"),
          chunkSize: 10
        }).pipe(Step.skip("SqlDataError", { limit: 5 }))
        const execution = yield* JobOperator.run(Job.make("picky", { flow: step }), {})
        assert.strictEqual(execution.status, "COMPLETED")
        const [skipping] = yield* JobOperator.steps(execution.id)
        assert.deepStrictEqual([skipping!.counts.write, skipping!.counts.writeSkip], [37, 3])
        assert.strictEqual((yield* sql`select * from picky`).length, 37)
      }))
  })

  it.effect("on SQLite it says what to use instead, before the first item", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`create table plain (id int)`
      const error = yield* Effect.flip(Effect.scoped(SqlItemWriter.copyInto("plain").open(Option.none())))
      assert.instanceOf(error, SqlStatementError)
      assert.include(error.message, "use SqlItemWriter.insertInto")
    }).pipe(Effect.provide(Sqlite.layer)))

  it("has a name of its own, and refuses a column named twice", () => {
    assert.strictEqual(SqlItemWriter.copyInto("t").name, "copy t")
    assert.strictEqual(SqlItemWriter.copyInto("t", { name: "load" }).name, "load")
    assert.throws(() => SqlItemWriter.copyInto("t", { columns: ["a", "a"] }), /names the column "a" twice/)
  })

  it("fields escape what would end a field or a row", () => {
    const type = { category: "U", builtin: true, array: false, modifier: -1, delimiter: "," }
    const plain = field((value) => encoder({ ...type, base: value instanceof Uint8Array ? "bytea" : "json" })(value))
    assert.deepStrictEqual(
      ["a", "a\\\t\n\r", null, undefined, 1.5, 2n, true, new Uint8Array([255]), { a: "\"\t" }].map(plain),
      ["a", "a\\\\\\t\\n\\r", "\\N", "\\N", "1.5", "2", "true", "\\\\xff", "{\"a\":\"\\\\\"\\\\t\"}"]
    )
  })

  it("the row is read from the context of the error", () => {
    assert.strictEqual(rowAt("COPY t, line 3, column a: \"x\""), 2)
    assert.strictEqual(rowAt("COPY t, line 12"), 11)
    assert.strictEqual(rowAt("PL/pgSQL function f() line 5 at RAISE\nCOPY t, line 7: \"1\t2\""), 6)
    assert.strictEqual(rowAt("SQL statement \"select 1\""), undefined)
    assert.strictEqual(rowAt(undefined), undefined)
  })
})

const rowsOf = (result: unknown): unknown => (result as { readonly rows: unknown }).rows
