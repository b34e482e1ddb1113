import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as ItemWriter from "../../src/item/ItemWriter.js"
import { SqlColumnError, SqlDataError, SqlStatementError } from "../../src/sql/SqlFailure.js"
import * as SqlItemWriter from "../../src/sql/SqlItemWriter.js"
import { powers } from "../../src/sql/sqliteTable.js"
import { rounds } from "../../src/sql/tableWrite.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

/** Opens the writer and writes the chunks, each in a transaction. */
const writeAll = <A, E, R>(writer: ItemWriter.ItemWriter<A, E, R>, ...chunks: ReadonlyArray<ReadonlyArray<A>>) =>
  Effect.scoped(Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const sink = yield* writer.open(Option.none())
    for (const chunk of chunks) {
      yield* sql.withTransaction(sink.write(chunk))
    }
  }))

/** Runs the effect as if the process had been started in another time zone. */
const inZone = <A, E, R>(zone: string, effect: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const { TZ } = process.env
      process.env.TZ = zone
      return TZ
    }),
    () => effect,
    (TZ) =>
      Effect.sync(() => {
        if (TZ === undefined) {
          delete process.env.TZ
        } else {
          process.env.TZ = TZ
        }
      })
  )

const rowsOf = (table: string, order: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select * from ${sql(table)} order by ${sql(order)}`)

const anyText = FastCheck.oneof(
  FastCheck.string({ unit: "grapheme" }),
  FastCheck.constantFrom(
    "",
    "NULL",
    "null",
    "{}",
    "{,}",
    "\"",
    "\\",
    "\\\"",
    "'",
    "''; drop table texts; --",
    "a,b",
    "\\x00"
  ),
  FastCheck.stringMatching(/^["\\{},' a\n\t]*$/)
).map((text) => text.replaceAll("\0", ""))

const suite = (label: string, client: Layer.Layer<SqlClient.SqlClient, unknown>) =>
  it.layer(Layer.orDie(client), { timeout: "5 minutes" })(label, (it) => {
    it.effect("inserts rows; columns that are not written get their defaults", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table plain (id int primary key, name varchar(20), size float, state varchar(9) default 'new')`
        yield* writeAll(
          SqlItemWriter.insertInto("plain"),
          [{ id: 1, name: "a", size: 1.5 }, { id: 2, name: null, size: undefined }],
          [{ size: -0.1, id: 3, name: "ü" }]
        )
        assert.deepStrictEqual(yield* rowsOf("plain", "id"), [
          { id: 1, name: "a", size: 1.5, state: "new" },
          { id: 2, name: null, size: null, state: "new" },
          { id: 3, name: "ü", size: -0.1, state: "new" }
        ])
      }))

    it.effect.prop(
      "any text survives as it is",
      [FastCheck.array(FastCheck.tuple(anyText, FastCheck.option(anyText)), { minLength: 1, maxLength: 30 })],
      ([texts]) =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`create table if not exists texts (id int primary key, a text, b text)`
          yield* sql`delete from texts`
          const rows = texts.map(([a, b], id) => ({ id, a, b }))
          yield* writeAll(SqlItemWriter.insertInto("texts"), rows)
          assert.deepStrictEqual(yield* rowsOf("texts", "id"), rows)
        }),
      { fastCheck: { numRuns: 40 } }
    )

    it.effect("a chunk may be larger than the number of parameters a statement can have", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table wide (a int primary key, b int, c int, d int, e int, f int, g int)`
        const chunk = Array.from({ length: 10_001 }, (_, a) => ({ a, b: 1, c: 2, d: 3, e: 4, f: 5, g: a * 2 }))
        yield* writeAll(SqlItemWriter.insertInto("wide"), chunk)
        const [sum] = yield* sql`select count(*) as n, sum(a) as a, sum(g) as g from wide`
        assert.deepStrictEqual(Object.values(sum!).map(Number), [10_001, 50_005_000, 100_010_000])
      }))

    it.effect("a field that is not written is an error, never dropped; nothing of the chunk is written", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table fields (id int primary key, t varchar(9))`
        const fail = (
          writer: ItemWriter.ItemWriter<object, SqlItemWriter.WriteError, SqlClient.SqlClient>,
          items: ReadonlyArray<object>
        ) =>
          Effect.map(Effect.flip(writeAll(writer, items)), (error) => {
            assert.instanceOf(error, SqlColumnError)
            return [error.item, error.column]
          })
        const first = SqlItemWriter.insertInto("fields")
        assert.deepStrictEqual(yield* fail(first, [{ id: 1 }, { id: 2, t: "x" }]), [1, "t"])
        assert.deepStrictEqual(yield* fail(first, [{ id: 1, t: "x" }, { id: 2 }]), [1, "t"])
        assert.deepStrictEqual(yield* fail(first, [{ id: 1, t: "x" }, { id: 2, u: "x" }]), [1, "u"])
        const listed = SqlItemWriter.insertInto("fields", { columns: ["id", "t"] })
        assert.deepStrictEqual(yield* fail(listed, [{ id: 1 }, { id: 2, t: "x", u: 1 }]), [1, "u"])
        assert.deepStrictEqual(yield* rowsOf("fields", "id"), [])
        yield* writeAll(listed, [{ id: 1 }, { t: "x", id: 2 }])
        assert.deepStrictEqual(yield* rowsOf("fields", "id"), [{ id: 1, t: null }, { id: 2, t: "x" }])
      }))

    it.effect("a missing table or column is found when the writer opens, and says what there is", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table known (id int primary key, name varchar(9))`
        const openError = <A, E, R>(writer: ItemWriter.ItemWriter<A, E, R>) =>
          Effect.flip(Effect.scoped(writer.open(Option.none())))
        const table = yield* openError(SqlItemWriter.insertInto("unknown"))
        assert.instanceOf(table, SqlStatementError)
        assert.strictEqual(table.kind, "missingTable")
        for (
          const writer of [
            SqlItemWriter.insertInto("known", { columns: ["id", "nam"] }),
            SqlItemWriter.insertInto("known", { schema: Schema.Struct({ id: Schema.Number, nam: Schema.String }) }),
            SqlItemWriter.upsertInto("known", { columns: ["id"], key: ["nam"] }),
            SqlItemWriter.upsertInto("known", { columns: ["id"], key: ["id"], update: ["nam"] }),
            SqlItemWriter.update("known", { columns: ["id", "name"], key: ["nam"] }),
            SqlItemWriter.deleteFrom("known", { key: ["nam"] })
          ] as ReadonlyArray<ItemWriter.ItemWriter<never, SqlItemWriter.WriteError, SqlClient.SqlClient>>
        ) {
          const column = yield* openError(writer)
          assert.instanceOf(column, SqlStatementError)
          assert.strictEqual(column.kind, "missingColumn")
          assert.include(column.message, `(did you mean "name"?), the table has "id", "name"`)
        }
        const late = yield* Effect.flip(writeAll(SqlItemWriter.insertInto("known"), [{ id: 1, nam: "x" }]))
        assert.strictEqual(late._tag, "SqlStatementError")
      }))

    it.effect("names and values are never SQL", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table "Odd ""name" ("a.b""; drop table x; --" int primary key, "select" varchar(40))`
        const key = "a.b\"; drop table x; --"
        const table = "Odd \"name"
        const evil = "'); drop table \"Odd \"\"name\"; --"
        yield* writeAll(SqlItemWriter.insertInto(table), [{ [key]: 1, select: evil }, { [key]: 2, select: "b" }])
        yield* writeAll(SqlItemWriter.upsertInto(table, { key: [key] }), [{ [key]: 2, select: "c" }])
        yield* writeAll(SqlItemWriter.update(table, { key: [key] }), [{ [key]: 2, select: "d" }])
        assert.deepStrictEqual(yield* sql`select "select" as v from ${sql(table)} order by 1 desc`, [
          { v: "d" },
          { v: evil }
        ])
        yield* writeAll(SqlItemWriter.deleteFrom(table, { key: [key] }), [{ [key]: 2 }])
        for (const name of [`id") values (1); drop table x; --`, "id\0", ""]) {
          const error = yield* Effect.flip(writeAll(SqlItemWriter.insertInto(table), [{ [name]: 1 }]))
          assert.strictEqual(error._tag, "SqlStatementError")
        }
        const error = yield* Effect.flip(writeAll(SqlItemWriter.insertInto(`${table}; drop table x; --`), [{ id: 1 }]))
        assert.strictEqual(error._tag, "SqlStatementError")
        assert.strictEqual((yield* sql`select * from ${sql(table)}`).length, 1)
      }))

    it.effect("a refused row fails the chunk and says why, and the connection stays usable", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table refusing (id int primary key, qty int not null check (qty > 0))`
        const writer = SqlItemWriter.insertInto("refusing")
        const kind = (items: ReadonlyArray<object>) =>
          Effect.map(Effect.flip(writeAll(writer, items)), (error) => {
            assert.instanceOf(error, SqlDataError)
            return error.kind
          })
        yield* writeAll(writer, [{ id: 1, qty: 1 }])
        assert.strictEqual(yield* kind([{ id: 2, qty: 1 }, { id: 1, qty: 1 }]), "unique")
        assert.strictEqual(yield* kind([{ id: 2, qty: 1 }, { id: 3, qty: null }]), "notNull")
        assert.strictEqual(yield* kind([{ id: 2, qty: 1 }, { id: 3, qty: -5 }]), "check")
        assert.deepStrictEqual(yield* rowsOf("refusing", "id"), [{ id: 1, qty: 1 }])
      }))

    it.effect("writes in the open transaction", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table transacted (id int primary key)`
        const sink = yield* SqlItemWriter.insertInto("transacted").open(Option.none())
        yield* Effect.flip(sql.withTransaction(Effect.zipRight(sink.write([{ id: 1 }]), Effect.fail("roll back"))))
        yield* sql.withTransaction(sink.write([{ id: 2 }]))
        assert.deepStrictEqual(yield* rowsOf("transacted", "id"), [{ id: 2 }])
      }).pipe(Effect.scoped))

    it.effect("a schema names the columns and encodes the items", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table encoded (id int primary key, cents varchar(30), note varchar(9), data varchar(99))`
        const Row = Schema.Struct({
          id: Schema.Number,
          amount: Schema.propertySignature(Schema.BigInt).pipe(Schema.fromKey("cents")),
          note: Schema.optional(Schema.String),
          data: Schema.parseJson(Schema.Struct({ tags: Schema.Array(Schema.String) }))
        })
        const writer = SqlItemWriter.insertInto("encoded", { schema: Row })
        yield* writeAll(writer, [
          { id: 1, amount: 9007199254740993n, data: { tags: ["a\"b"] } },
          { id: 2, amount: 2n, data: { tags: [] }, note: "x" }
        ])
        assert.deepStrictEqual(yield* rowsOf("encoded", "id"), [
          { id: 1, cents: "9007199254740993", note: null, data: `{"tags":["a\\"b"]}` },
          { id: 2, cents: "2", note: "x", data: `{"tags":[]}` }
        ])
        const items = [{ id: 3, amount: 1n, data: { tags: [] } }, { id: "4", amount: 1n, data: { tags: [] } }]
        const error = yield* Effect.flip(writeAll(writer, items as never))
        assert.instanceOf(error, SqlColumnError)
        assert.deepStrictEqual([error.item, error.column], [1, "id"])
        const extra = yield* Effect.flip(
          writeAll(writer, [{ id: 5, amount: 1n, data: { tags: [] }, more: 1 } as never])
        )
        assert.instanceOf(extra, SqlColumnError)
        assert.strictEqual(extra.column, "more")
      }))

    it.effect.prop(
      "upsert does what single statements in the order of the items would do",
      [
        FastCheck.array(
          FastCheck.array(
            FastCheck.record({
              k1: FastCheck.integer({ min: 0, max: 3 }),
              k2: FastCheck.constantFrom("a", "b,"),
              v: FastCheck.nat(9),
              w: FastCheck.nat(9)
            }),
            { minLength: 1, maxLength: 8 }
          ),
          { maxLength: 4 }
        ),
        FastCheck.constantFrom<"all" | "nothing" | ["v"]>("all", "nothing", ["v"])
      ],
      ([chunks, update]) =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`create table if not exists merged (k1 int, k2 varchar(9), v int, w int, primary key (k1, k2))`
          yield* sql`delete from merged`
          const model = new Map<string, object>()
          for (const item of chunks.flat()) {
            const id = `${item.k1} ${item.k2}`
            const old = model.get(id)
            model.set(
              id,
              old === undefined || update === "all" ? item : update === "nothing" ? old : { ...old, v: item.v }
            )
          }
          yield* writeAll(SqlItemWriter.upsertInto("merged", { key: ["k1", "k2"], update }), ...chunks)
          assert.deepStrictEqual(
            new Set((yield* sql`select k1, k2, v, w from merged`).map((row) => JSON.stringify(row))),
            new Set([...model.values()].map((row) => JSON.stringify(row, ["k1", "k2", "v", "w"])))
          )
        }),
      { fastCheck: { numRuns: 40 } }
    )

    it.effect("an update or a delete without a row is an error that names the item (ITEM-22)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table stock (id int, place varchar(9), qty int, primary key (id, place))`
        yield* sql`insert into stock values (1, 'a', 1), (2, 'a', 2), (2, 'b', 3), (3, 'a', 4)`
        const missing = (
          writer: ItemWriter.ItemWriter<object, SqlItemWriter.WriteError, SqlClient.SqlClient>,
          items: ReadonlyArray<object>
        ) =>
          Effect.map(Effect.flip(writeAll(writer, items)), (error) => {
            assert.instanceOf(error, SqlDataError)
            assert.include(error.message, `"stock" failed: there is no row for an item`)
            return [error.kind, error.item]
          })
        const update = SqlItemWriter.update("stock", { key: ["id", "place"] })
        yield* writeAll(update, [{ id: 2, place: "b", qty: 30 }, { qty: 10, id: 1, place: "a" }, {
          id: 2,
          place: "b",
          qty: 31
        }])
        assert.deepStrictEqual(
          yield* missing(update, [{ id: 1, place: "a", qty: 0 }, { id: 1, place: "a", qty: 1 }, {
            id: 7,
            place: "a",
            qty: 0
          }]),
          ["missingRow", 2]
        )
        assert.deepStrictEqual(yield* missing(update, [{ id: 1, place: null, qty: 0 }]), ["missingRow", 0])
        const loose = SqlItemWriter.update("stock", { key: ["id", "place"], assertUpdates: false })
        yield* writeAll(loose, [{ id: 7, place: "a", qty: 0 }, { id: 3, place: "a", qty: 40 }])
        const rows = yield* sql`select * from stock order by id, place`
        assert.deepStrictEqual(rows.map((row) => Object.values(row)), [[1, "a", 10], [2, "a", 2], [2, "b", 31], [
          3,
          "a",
          40
        ]])

        const remove = SqlItemWriter.deleteFrom("stock", { key: ["id", "place"] })
        yield* writeAll(remove, [{ id: 2, place: "a" }, { id: 2, place: "b", other: 1 }])
        assert.deepStrictEqual(yield* missing(remove, [{ id: 1, place: "a" }, { id: 2, place: "a" }]), [
          "missingRow",
          1
        ])
        assert.deepStrictEqual(yield* missing(remove, [{ id: 1, place: "a" }, { id: 1, place: "a" }]), [
          "missingRow",
          1
        ])
        yield* writeAll(SqlItemWriter.deleteFrom("stock", { key: ["id"], assertUpdates: false }), [{ id: 1 }, {
          id: 9
        }])
        assert.deepStrictEqual((yield* sql`select id from stock`).map((row) => row.id), [3])
      }))

    it.effect("an update needs a column besides its key, and the key in every item", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table keyed (id int primary key, v int)`
        const writer = SqlItemWriter.update("keyed", { key: ["id"] })
        assert.strictEqual((yield* Effect.flip(writeAll(writer, [{ id: 1 }])))._tag, "SqlStatementError")
        const error = yield* Effect.flip(writeAll(writer, [{ v: 1 }]))
        assert.instanceOf(error, SqlColumnError)
        assert.strictEqual(error.column, "id")
      }))

    it.effect("values that no column can hold are errors that name the item", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table unfit (id int primary key, v text)`
        const cycle: Record<string, unknown> = {}
        cycle.self = cycle
        for (const v of [new Date(Number.NaN), () => 1, Symbol.iterator, cycle, { n: 1n }]) {
          const error = yield* Effect.flip(
            writeAll(SqlItemWriter.insertInto("unfit"), [{ id: 1, v: "fine" }, { id: 2, v }])
          )
          assert.instanceOf(error, SqlColumnError)
          assert.deepStrictEqual([error.item, error.column], [1, "v"])
        }
        assert.deepStrictEqual(yield* rowsOf("unfit", "id"), [])
      }))

    it.effect("a statement of one's own gets the chunk and the client", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table visits (page varchar(9) primary key, n int not null)`
        yield* sql`insert into visits values ('a', 0), ('b', 0)`
        const writer = SqlItemWriter.statement("count", (pages: ReadonlyArray<string>, sql) =>
          Effect.zipRight(
            pages.includes("stop") ? Effect.fail("stopped" as const) : Effect.void,
            sql`update visits set n = n + 1 where page in ${sql.in(pages)}`
          ))
        yield* writeAll(writer, ["a", "b"], ["a"])
        assert.deepStrictEqual(yield* rowsOf("visits", "page"), [{ page: "a", n: 2 }, { page: "b", n: 1 }])
        assert.strictEqual(yield* Effect.flip(writeAll(writer, ["stop"])), "stopped")
        const bad = SqlItemWriter.statement("bad", (_: ReadonlyArray<string>, sql) => sql`update nowhere set n = 1`)
        const error = yield* Effect.flip(writeAll(bad, ["a"]))
        assert.strictEqual(error._tag, "SqlStatementError")
      }))
  })

describe("SqlItemWriter", () => {
  suite("PostgreSQL", Postgres.layer)
  suite("SQLite", Sqlite.layer)

  it.layer(Layer.orDie(Postgres.layer), { timeout: "5 minutes" })("only PostgreSQL", (it) => {
    it.effect("every type takes its values, exactly", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create schema "Sales"`
        yield* sql`create type mood as enum ('sad', 'so, "so"')`
        yield* sql`create domain positive as int check (value > 0)`
        yield* sql`create domain labels as text[]`
        yield* sql`create table "Sales"."all types" (
          id int generated always as identity, i8 int8, n numeric(40, 20), f float8, b boolean, t timestamptz,
          ts timestamp, d date, u uuid, bytes bytea, j json, jb jsonb, ints int[], grid int[][], texts text[],
          jbs jsonb[], days date[], m mood, p positive, l labels, c char(4), bits bit(3), r int4range, moods mood[])`
        const row = {
          i8: 9223372036854775807n,
          n: "12345678901234567890.12345678901234567890",
          f: 0.1 + 0.2,
          b: true,
          t: new Date("2024-02-03T04:05:06.789Z"),
          ts: new Date("2024-02-03T04:05:06.789Z"),
          d: new Date("2024-02-03T00:00:00.000Z"),
          u: "00000000-0000-0000-0000-000000000001",
          bytes: new Uint8Array([0, 1, 92, 34, 255]),
          j: { a: [1, "x\"\\", null] },
          jb: ["not", { an: "array" }],
          ints: [1, null, 3],
          grid: [[1, 2], [3, 4]],
          texts: ["a,b", "\"", "\\", "NULL", "", "{}"],
          jbs: [{ a: "\"" }, [1, 2], null],
          days: [new Date(Date.UTC(2024, 1, 3))],
          m: "so, \"so\"",
          p: 5,
          l: ["x", "y z"],
          c: "ab",
          bits: "101",
          r: "[1,5)",
          moods: ["sad", "so, \"so\""]
        }
        const none = Object.fromEntries(Object.keys(row).map((key) => [key, null]))
        yield* writeAll(SqlItemWriter.insertInto("Sales.all types"), [row, none, { ...none, ints: [], f: Number.NaN }])
        const written = yield* sql`
          select *, ts at time zone 'UTC' as ts, d::timestamp at time zone 'UTC' as d, days::text[] as days,
            moods::text[] as moods, l::text as l from "Sales"."all types" order by id`
        assert.deepStrictEqual(written[0], {
          ...row,
          id: 1,
          i8: "9223372036854775807",
          bytes: Buffer.from(row.bytes),
          days: ["2024-02-03"],
          l: "{x,\"y z\"}",
          c: "ab  "
        })
        assert.deepStrictEqual(written[1], { ...none, id: 2 })
        assert.deepStrictEqual(written[2], { ...none, id: 3, ints: [], f: Number.NaN })
      }))

    it.effect("dates and times without zone are in UTC, wherever the process runs; nothing of them is dropped (OWN-24)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table zones (id int primary key, ts timestamp, d date, t timestamptz)`
        const at = new Date("2024-02-03T20:00:00.123Z")
        const midnight = new Date("2024-02-03T00:00:00.000Z")
        const zones = ["Asia/Kolkata", "America/Los_Angeles", "Pacific/Kiritimati", "UTC"]
        for (const [id, zone] of zones.entries()) {
          yield* inZone(zone, writeAll(SqlItemWriter.insertInto("zones"), [{ id, ts: at, d: midnight, t: at }]))
        }
        const rows =
          yield* sql`select distinct ts::text as ts, d::text as d, (t at time zone 'UTC')::text as t from zones`
        assert.deepStrictEqual(rows, [
          { ts: "2024-02-03 20:00:00.123", d: "2024-02-03", t: "2024-02-03 20:00:00.123" }
        ])
        const error = yield* Effect.flip(writeAll(SqlItemWriter.insertInto("zones"), [{ id: 9, d: at }]))
        assert.instanceOf(error, SqlDataError)
        assert.deepStrictEqual([error.item, error.column], [0, "d"])
      }))

    it.effect("dates before 1 AD and after 9999 AD are dates", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table eras (id int primary key, t timestamptz)`
        yield* writeAll(SqlItemWriter.insertInto("eras"), [
          { id: 1, t: new Date("-000043-03-15T00:00:00.000Z") },
          { id: 2, t: new Date("+012024-03-15T00:00:00.000Z") }
        ])
        const rows = yield* sql`select (t at time zone 'UTC')::date::text as d from eras order by id`
        assert.deepStrictEqual(rows, [{ d: "0044-03-15 BC" }, { d: "12024-03-15" }])
      }))

    it.effect("a value that does not fit is refused, not cut off", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table tight (id int primary key, v varchar(3), c char(3), n numeric(3, 1), a varchar(3)[])`
        for (
          const bad of [{ v: "abcd" }, { c: "abcd" }, { n: 1234 }, { a: ["abcd"] }, { id: "x" }, { id: 2 ** 31 }, {
            v: "\0"
          }]
        ) {
          const error = yield* Effect.flip(writeAll(SqlItemWriter.insertInto("tight"), [{ id: 1, ...bad }]))
          assert.instanceOf(error, SqlDataError)
          assert.strictEqual(error.kind, "dataType")
        }
        const error = yield* Effect.flip(writeAll(SqlItemWriter.insertInto("tight"), [{ id: 1, a: 5 }]))
        assert.instanceOf(error, SqlColumnError)
        assert.deepStrictEqual(yield* rowsOf("tight", "id"), [])
      }))

    it.effect("a chunk is one statement of which the text is always the same", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table counted (id int primary key)`
        yield* sql`create table statements (n int)`
        yield* sql`create function note() returns trigger language plpgsql
          as $$ begin insert into statements values (1); return null; end $$`
        yield* sql`create trigger note after insert on counted for each statement execute function note()`
        const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => ({ id: from + i }))
        yield* writeAll(SqlItemWriter.insertInto("counted"), ids(0, 1000), ids(1000, 1001))
        assert.strictEqual((yield* sql`select * from statements`).length, 2)
        assert.strictEqual((yield* sql`select * from counted`).length, 1001)
      }))

    it.scoped("names are exact whatever transforms the client has", () =>
      Effect.gen(function*() {
        const url = yield* Postgres.freshUrl
        const client = PgClient.layer({
          url: Redacted.make(url),
          transformQueryNames: (name) => name.toLowerCase(),
          transformResultNames: (name) => name.toUpperCase()
        })
        yield* Effect.provide(
          Effect.gen(function*() {
            const sql = yield* SqlClient.SqlClient
            yield* sql`create table exact (id int primary key, "camelCase" jsonb)`
            yield* writeAll(SqlItemWriter.insertInto("exact"), [{ id: 1, camelCase: { someKey: 1 } }])
            assert.deepStrictEqual(yield* sql`select * from exact`.withoutTransform, [
              { id: 1, camelCase: { someKey: 1 } }
            ])
          }),
          client
        )
      }))
  })

  it.layer(Layer.orDie(Sqlite.layer), { timeout: "5 minutes" })("only SQLite", (it) => {
    it.effect("every value is stored exactly", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table kinds (id integer primary key, i integer, t text, b blob, x, r real, j json)`
        yield* writeAll(SqlItemWriter.insertInto("kinds"), [
          { id: 1, i: 9223372036854775807n, t: 5, b: new Uint8Array([0, 255]), x: 7, r: 3, j: { a: [true] } },
          { id: 2, i: true, t: new Date(0), b: null, x: 0.5, r: -0.25, j: false },
          { id: 3, i: -1, t: "a\0b", b: "text", x: 1e300, r: Number.POSITIVE_INFINITY, j: [1] }
        ])
        const rows = yield* sql`select cast(i as text) as i, t, hex(b) as b, typeof(x) as x, r, typeof(r) as rt, j
          from kinds order by id`
        assert.deepStrictEqual(rows, [
          { i: "9223372036854775807", t: "5", b: "00FF", x: "integer", r: 3, rt: "real", j: `{"a":[true]}` },
          { i: "1", t: "1970-01-01T00:00:00.000Z", b: "", x: "real", r: -0.25, rt: "real", j: 0 },
          { i: "-1", t: "a\0b", b: "74657874", x: "real", r: Number.POSITIVE_INFINITY, rt: "real", j: "[1]" }
        ])
        const nan = yield* Effect.flip(writeAll(SqlItemWriter.insertInto("kinds"), [{ id: 4, r: Number.NaN }]))
        assert.instanceOf(nan, SqlColumnError)
        const large = yield* Effect.flip(writeAll(SqlItemWriter.insertInto("kinds"), [{ id: 4, i: 2n ** 64n }]))
        assert.instanceOf(large, SqlDataError)
        assert.strictEqual(large.kind, "dataType")
      }))

    it.effect("a text key is found by a number", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table coded (code text primary key, v int)`
        yield* writeAll(SqlItemWriter.insertInto("coded"), [{ code: 5, v: 1 }])
        yield* writeAll(SqlItemWriter.update("coded", { key: ["code"] }), [{ code: 5, v: 2 }])
        assert.deepStrictEqual(yield* rowsOf("coded", "code"), [{ code: "5", v: 2 }])
        yield* writeAll(SqlItemWriter.deleteFrom("coded", { key: ["code"] }), [{ code: 5 }])
        assert.deepStrictEqual(yield* rowsOf("coded", "code"), [])
      }))

    it.scoped("names are exact whatever transforms the client has; attached databases are schemas", () =>
      Effect.gen(function*() {
        const filename = yield* Sqlite.freshFile
        const client = SqliteClient.layer({ filename, transformQueryNames: (name) => name.toUpperCase() })
        yield* Effect.provide(
          Effect.gen(function*() {
            const sql = yield* SqlClient.SqlClient
            yield* sql`attach ${`${filename}.other`} as other`
            yield* sql`create table other.exact (id integer primary key, "camelCase" text)`
            yield* writeAll(SqlItemWriter.insertInto("other.exact"), [{ id: 1, camelCase: "x" }])
            assert.deepStrictEqual(yield* sql`select * from other.exact`, [{ id: 1, camelCase: "x" }])
          }),
          client
        )
      }))
  })

  it("a column named twice is a mistake in the program", () => {
    assert.throws(() => SqlItemWriter.insertInto("t", { columns: ["a", "a"] }), /names the column "a" twice/)
    assert.throws(() => SqlItemWriter.update("t", { key: ["a", "a"] }), /names the column "a" twice/)
  })

  it.prop(
    "powers of two add up to the count and fit",
    [FastCheck.nat(5000), FastCheck.integer({ min: 1, max: 300 })],
    ([
      count,
      max
    ]) => {
      const sizes = powers(count, max)
      assert.strictEqual(sizes.reduce((sum, size) => sum + size, 0), count)
      assert.isTrue(sizes.every((size) => size <= max && Number.isInteger(Math.log2(size))))
      assert.isAtMost(new Set(sizes).size, 9)
    }
  )

  it.prop("rounds keep every item, no key twice, and the order of equal keys", [
    FastCheck.array(FastCheck.constantFrom("a", "b", "c"))
  ], ([keys]) => {
    const found = rounds(keys)
    assert.deepStrictEqual(found.flat().sort((a, b) => a - b), keys.map((_, index) => index))
    for (const round of found) {
      assert.strictEqual(new Set(round.map((index) => keys[index])).size, round.length)
    }
    for (const key of new Set(keys)) {
      const indexes = found.flat().filter((index) => keys[index] === key)
      assert.deepStrictEqual(indexes, [...indexes].sort((a, b) => a - b))
    }
  })
})
