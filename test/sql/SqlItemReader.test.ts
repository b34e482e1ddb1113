import * as SqlClient from "@effect/sql/SqlClient"
import type { Fragment } from "@effect/sql/Statement"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as ItemReader from "../../src/item/ItemReader.js"
import { pgCodec } from "../../src/sql/keyCodec.js"
import { pageOf } from "../../src/sql/keyset.js"
import { SqlKeyError, SqlRowError, SqlStatementError } from "../../src/sql/SqlFailure.js"
import * as SqlItemReader from "../../src/sql/SqlItemReader.js"
import * as ReaderLaws from "../../src/testing/ReaderLaws.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

type Pages<A, E> = ReadonlyArray<ItemReader.Page<A, E>>

const pagesOf = <A, E, R>(
  reader: ItemReader.ItemReader<A, E, R>,
  from: Option.Option<ItemReader.Position>,
  max: (pull: number) => number
): Effect.Effect<Pages<A, E>, E, R> =>
  Effect.scoped(Effect.gen(function*() {
    const source = yield* reader.open(from)
    const pages: Array<ItemReader.Page<A, E>> = []
    do {
      pages.push(yield* source.pull(max(pages.length)))
    } while (!pages.at(-1)!.done)
    return pages
  }))

const itemsOf = <A, E>(pages: Pages<A, E>): ReadonlyArray<A> => pages.flatMap((page) => page.items)

const stored = (position: ItemReader.Position): Option.Option<ItemReader.Position> =>
  Option.some(JSON.parse(JSON.stringify(position)))

/** Opened behind any page it gave, the reader gives what followed. */
const assertLaw = <A, E, R>(reader: ItemReader.ItemReader<A, E, R>, max: number) =>
  Effect.gen(function*() {
    const pages = yield* pagesOf(reader, Option.none(), () => max)
    for (let i = 0; i < pages.length; i++) {
      const rest = yield* pagesOf(reader, stored(pages[i]!.position), (pull) => max + pull)
      assert.deepStrictEqual(itemsOf(rest), itemsOf(pages.slice(i + 1)))
    }
    yield* ReaderLaws.check(reader)
    return itemsOf(pages)
  })

const Id = Schema.Struct({ id: Schema.Number })

const ids = (options: {
  readonly pageSize?: number
  readonly select: (sql: SqlClient.SqlClient) => Fragment
  readonly key?: SqlItemReader.KeysetOptions<typeof Id.Type, typeof Id.Encoded>["key"]
  readonly count?: boolean
}) => SqlItemReader.keyset({ name: "ids", schema: Id, key: ["id"], ...options })

const suite = (label: string, client: Layer.Layer<SqlClient.SqlClient, unknown>) =>
  it.layer(Layer.orDie(client), { timeout: "5 minutes" })(label, (it) => {
    it.effect("reads every row once in key order, and restarts after any position", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table numbers (id int primary key, even int not null)`
        for (let id = 1; id <= 25; id++) {
          yield* sql`insert into numbers values (${26 - id}, ${id % 2})`
        }
        for (const max of [1, 3, 25, 100]) {
          const all = yield* assertLaw(ids({ select: (sql) => sql`select id from numbers` }), max)
          assert.deepStrictEqual(all.map((row) => row.id), Array.from({ length: 25 }, (_, i) => i + 1))
        }
        const some = yield* assertLaw(
          ids({ select: (sql) => sql`select id, even from numbers where even = ${0} and id > ${4}`, pageSize: 6 }),
          3
        )
        assert.deepStrictEqual(some.map((row) => row.id), [6, 8, 10, 12, 14, 16, 18, 20, 22, 24])
      }))

    it.effect("an empty table is one empty page, and its position can be opened", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table nobody (id int primary key)`
        const reader = ids({ select: (sql) => sql`select id from nobody` })
        const [page] = yield* pagesOf(reader, Option.none(), () => 10)
        assert.deepStrictEqual(page, {
          items: [],
          position: { after: null, read: 0 },
          failure: Option.none(),
          done: true
        })
        yield* sql`insert into nobody values (7)`
        assert.deepStrictEqual(itemsOf(yield* pagesOf(reader, stored(page!.position), () => 10)), [{ id: 7 }])
      }))

    it.effect("pages by several columns, in equal and in mixed directions", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table points (a int not null, b varchar(10) not null, c int not null)`
        const rows: Array<{ a: number; b: string; c: number }> = []
        for (let i = 0; i < 40; i++) {
          rows.push({ a: i % 3, b: "xyz"[i % 2]!, c: i })
        }
        yield* sql`insert into points ${sql.insert(rows)}`
        const order = (signs: ReadonlyArray<number>) =>
          [...rows].sort((p, q) =>
            signs[0]! * (p.a - q.a) || signs[1]! * (p.b < q.b ? -1 : p.b > q.b ? 1 : 0) || signs[2]! * (p.c - q.c)
          )
        for (const signs of [[1, 1, 1], [-1, -1, -1], [1, -1, 1], [-1, 1, 1], [1, 1, -1]]) {
          const key = ["a", "b", "c"].map((column, i) => ({
            column,
            direction: signs[i] === 1 ? "asc" as const : "desc" as const
          }))
          const reader = SqlItemReader.keyset({
            select: (sql) => sql`select * from points`,
            key: [key[0]!, ...key.slice(1)],
            schema: Schema.Struct({ a: Schema.Number, b: Schema.String, c: Schema.Number })
          })
          assert.deepStrictEqual(yield* assertLaw(reader, 7), order(signs))
        }
      }))

    it.effect("keys of 64 bits survive a restart", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table large (id bigint primary key, name varchar(10))`
        const base = 9007199254740993n
        for (let i = 0n; i < 6n; i++) {
          yield* sql`insert into large values (${base + i}, ${`n${i}`})`
        }
        const reader = SqlItemReader.keyset({
          select: (sql) => sql`select * from large`,
          key: ["id"],
          schema: Schema.Struct({ id: Schema.Union(Schema.BigInt, Schema.BigIntFromSelf), name: Schema.String })
        })
        assert.deepStrictEqual(
          yield* assertLaw(reader, 2),
          [0n, 1n, 2n, 3n, 4n, 5n].map((i) => ({ id: base + i, name: `n${i}` }))
        )
      }))

    it.effect("keys of any text survive a restart", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table texts (id varchar(40) primary key)`
        const texts = FastCheck.sample(FastCheck.string({ unit: "grapheme", maxLength: 20 }), { numRuns: 40, seed: 7 })
        const keys = [
          ...new Set([...texts.map((text) => text.replaceAll("\0", "")), "", "'", "\"", "\\", "{}", "i1", "é"])
        ]
        yield* sql`insert into texts ${sql.insert(keys.map((id) => ({ id })))}`
        const reader = SqlItemReader.keyset({
          select: (sql) => sql`select id from texts`,
          key: ["id"],
          schema: Schema.Struct({ id: Schema.String })
        })
        const read = yield* assertLaw(reader, 5)
        assert.deepStrictEqual(read.map((row) => row.id).sort(), keys.sort())
      }))

    it.effect("a row that does not fit the schema is a bad record, and reading continues after it", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table mixed (id int primary key, amount varchar(10))`
        yield* sql`insert into mixed values (1, '10'), (2, 'ten'), (3, '30'), (4, null), (5, '50')`
        const reader = SqlItemReader.keyset({
          name: "mixed",
          select: (sql) => sql`select * from mixed`,
          key: ["id"],
          schema: Schema.Struct({ id: Schema.Number, amount: Schema.NumberFromString })
        })
        yield* ReaderLaws.check(reader)
        const pages = yield* pagesOf(reader, Option.none(), () => 10)
        assert.deepStrictEqual(pages.map((page) => page.items.map((item) => item.id)), [[1], [3], [5]])
        assert.deepStrictEqual(pages.map((page) => Option.map(page.failure, (error) => error._tag)), [
          Option.some("SqlRowError"),
          Option.some("SqlRowError"),
          Option.none()
        ])
        const [first] = pages
        const error = Option.getOrThrow(first!.failure)
        assert.instanceOf(error, SqlRowError)
        assert.include(error.message, `Reader "mixed" cannot decode the row with key id = 2: amount:`)
        assert.deepStrictEqual(
          itemsOf(yield* pagesOf(reader, stored(first!.position), () => 1)).map((item) => item.id),
          [3, 5]
        )
      }))

    it.effect("a NULL in a key is an error that names the column, wherever NULLs sort", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table holes (a int, b int)`
        yield* sql`insert into holes values (1, 1), (2, null), (2, 2), (null, 3)`
        for (const direction of ["asc", "desc"] as const) {
          for (const column of ["a", "b"]) {
            const select = (sql: SqlClient.SqlClient) => sql`select a as id, a, b from holes`
            const key = [{ column, direction }] as const
            const error = yield* Effect.flip(pagesOf(ids({ select, key }), Option.none(), () => 1))
            assert.instanceOf(error, SqlKeyError)
            assert.include(error.message, `"${column}" is NULL`)
          }
        }
        const error = yield* Effect.flip(
          pagesOf(
            ids({ select: (sql) => sql`select a as id, b from holes where a is not null`, key: ["id", "b"] }),
            Option.none(),
            () => 1
          )
        )
        assert.include(error.message, `"b" is NULL`)
      }))

    it.effect("a NULL that sorts after the values of its group, where no page would show it, is an error too", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table hidden (a int, b int)`
        yield* sql`insert into hidden values (1, 1), (1, 2), (1, null)`
        for (const direction of ["asc", "desc"] as const) {
          const key = ["id", { column: "b", direction }] as const
          const error = yield* Effect.flip(
            pagesOf(ids({ select: (sql) => sql`select a as id, b from hidden`, key }), Option.none(), () => 1)
          )
          assert.include(error.message, `"b" is NULL`)
        }
      }))

    it.effect("a key that occurs twice is an error, also across pages", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table twins (id int, n int)`
        yield* sql`insert into twins values (1, 1), (2, 2), (3, 3), (3, 4), (5, 5)`
        for (const max of [1, 2, 3, 4, 5]) {
          const error = yield* Effect.flip(
            pagesOf(ids({ select: (sql) => sql`select id from twins` }), Option.none(), () => max)
          )
          assert.instanceOf(error, SqlKeyError)
          assert.include(error.message, "twice")
        }
        const all = yield* assertLaw(ids({ select: (sql) => sql`select * from twins`, key: ["id", "n"] }), 2)
        assert.strictEqual(all.length, 5)
      }))

    it.effect("counts the rows for progress, also after a restart", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table counted (id int primary key)`
        yield* sql`insert into counted values (1), (2), (3), (4), (5)`
        const reader = ids({ select: (sql) => sql`select id from counted`, count: true })
        const source = yield* reader.open(Option.none())
        const page = yield* source.pull(2)
        assert.deepStrictEqual(source.progress!(), { done: 2, total: 5 })
        const again = yield* reader.open(stored(page.position))
        yield* again.pull(2)
        assert.deepStrictEqual(again.progress!(), { done: 4, total: 5 })
        yield* again.pull(2)
        assert.deepStrictEqual(again.progress!(), { done: 5, total: 5 })
      }).pipe(Effect.scoped))

    it.effect("names with quotes and dots are names, not SQL", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table odd ("a.b""; drop table odd; --" int primary key)`
        yield* sql`insert into odd values (1), (2)`
        const column = "a.b\"; drop table odd; --"
        const reader = SqlItemReader.keyset({
          select: (sql) => sql`select * from odd`,
          key: [column],
          schema: Schema.Struct({ [column]: Schema.Number })
        })
        assert.deepStrictEqual(yield* assertLaw(reader, 1), [{ [column]: 1 }, { [column]: 2 }])
        const error = yield* Effect.flip(
          pagesOf(ids({ select: (sql) => sql`select * from odd`, key: ["id\" or 1=1 --"] }), Option.none(), () => 1)
        )
        assert.include(["SqlStatementError", "SqlKeyError"], error._tag)
        assert.strictEqual((yield* sql`select * from odd`).length, 2)
      }))

    it.effect("a position of another key or another reader is refused", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table moved (id int primary key)`
        const reader = ids({ select: (sql) => sql`select id from moved` })
        for (
          const position of [
            { after: { code: "1" }, read: 1 },
            { after: { id: "1", code: "1" }, read: 1 },
            { line: 3 },
            5,
            null
          ]
        ) {
          const error = yield* Effect.flip(Effect.scoped(reader.open(Option.some(position))))
          assert.instanceOf(error, SqlKeyError)
          assert.include(error.message, "stored position")
        }
      }))

    it.effect("a missing table is a statement error when the reader opens", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Effect.scoped(
          ids({ select: (sql) => sql`select id from nowhere` }).open(Option.none())
        ))
        assert.instanceOf(error, SqlStatementError)
        assert.strictEqual(error.kind, "missingTable")
      }))

    it.effect("query reads a small result, and goes on behind the rows that it has read (OWN-22)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table small (id int, n int)`
        yield* sql`insert into small values (1, 1), (1, 2), (2, 3), (2, 4), (3, 5)`
        const reader = SqlItemReader.query({
          select: (sql) => sql`select n from small where n > ${0} order by n`,
          schema: Schema.Struct({ n: Schema.Number.pipe(Schema.lessThan(5)) })
        })
        assert.deepStrictEqual(yield* assertLaw(reader, 2), [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }])
        // Drafts of version 0.1 stored the number of rows alone.
        const pages = yield* pagesOf(reader, Option.some(3), () => 10)
        assert.deepStrictEqual(pages.map((page) => page.items), [[{ n: 4 }]])
        const beyond = yield* Effect.flip(pagesOf(reader, Option.some(9), () => 10))
        assert.include(beyond.message, "9 items were read before, but now the source has only 5")
      }))

    it.effect.each<readonly [how: string, change: string]>([
      ["one was deleted in front of it", "delete from seen where id = 1"],
      ["all were deleted", "delete from seen"],
      ["one was inserted in front of it", "insert into seen values (0, 'new', 'x')"],
      ["one has another value", "update seen set state = 'done' where id = 2"],
      ["one became NULL", "update seen set state = null where id = 2"],
      ["two changed places", "update seen set id = case id when 1 then 2 when 2 then 1 else id end"],
      ["a value moved to the next column", "update seen set state = state || note, note = '' where id = 2"]
    ])("query goes on in no other rows than those it has read: %s (OWN-22)", ([, change]) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`drop table if exists seen`
        yield* sql`create table seen (id int, state text, note text)`
        yield* sql`insert into seen values (1, 'open', 'a'), (2, 'open', 'b'), (3, 'open', 'c'), (4, 'open', 'd')`
        const reader = SqlItemReader.query({
          name: "seen",
          select: (sql) => sql`select * from seen order by id`,
          schema: Schema.Struct({ id: Schema.Number })
        })
        const [first] = yield* pagesOf(reader, Option.none(), () => 3)
        yield* sql.unsafe(change)
        const error = yield* Effect.flip(pagesOf(reader, stored(first!.position), () => 3))
        assert.strictEqual(error._tag, "UnreadablePosition", error.message)
        assert.include(error.message, "\"seen\" cannot go on from its stored state: ")
      }))

    it.effect("query goes on among rows that the job changes, where the key tells them; rows behind may come (OWN-22)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table jobs (id int, state text)`
        yield* sql`insert into jobs values (1, 'open'), (2, 'open'), (3, 'open')`
        const reader = (key: readonly [string]) =>
          SqlItemReader.query({
            select: (sql) => sql`select * from jobs order by id`,
            schema: Schema.Struct({ id: Schema.Number }),
            key
          })
        const [first] = yield* pagesOf(reader(["id"]), Option.none(), () => 2)
        yield* sql`update jobs set state = 'done' where id < 3`
        yield* sql`insert into jobs values (4, 'open')`
        const rest = yield* pagesOf(reader(["id"]), stored(first!.position), () => 5)
        assert.deepStrictEqual(itemsOf(rest), [{ id: 3 }, { id: 4 }])
        const error = yield* Effect.flip(pagesOf(reader(["Id"]), Option.none(), () => 5))
        assert.include(error.message, "the query has no column \"Id\"")
      }))
  })

describe("SqlItemReader", () => {
  suite("PostgreSQL", Postgres.layer)
  suite("SQLite", Sqlite.layer)

  it.layer(Layer.orDie(Postgres.layer), { timeout: "5 minutes" })("only PostgreSQL", (it) => {
    it.effect("keys of every exact type survive a restart, whatever the session's date style", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create type mood as enum ('sad', 'ok', 'happy')`
        const values: Record<string, ReadonlyArray<string>> = {
          timestamptz: [
            "2024-02-03 04:05:06.000001+00",
            "2024-02-03 04:05:06.000002+00",
            "2024-02-03 04:05:06.0001+00",
            "infinity"
          ],
          timestamp: ["-infinity", "2024-02-03 04:05:06.123456", "2024-12-11 04:05:06.123457"],
          date: ["0044-03-15 BC", "2024-02-03", "2024-03-02"],
          numeric: ["-0.1", "0.1000000000000000000000000000001", "0.1000000000000000000000000000002"],
          "numeric(6, 2)": ["1.10", "1.20", "1.30"],
          float8: ["0.1", "0.30000000000000004", "1e300", "NaN"],
          uuid: ["00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"],
          "char(4)": ["a", "ab", "abcd"],
          "varchar(3)": ["a", "b'c", "c\\"],
          bytea: ["\\x00", "\\x0001", "\\xff"],
          mood: ["sad", "ok", "happy"],
          interval: ["1 second", "1 day", "1 mon"],
          "bit(3)": ["000", "010", "111"],
          "int[]": ["{1,2}", "{2}"]
        }
        for (const [index, [type, texts]] of Object.entries(values).entries()) {
          const table = `typed_${index}`
          yield* sql.unsafe(`create table ${table} (k ${type} primary key, n int)`)
          for (const [n, text] of texts.entries()) {
            yield* sql.unsafe(`insert into ${table} values ($1, $2)`, [text, n])
          }
          const reader = SqlItemReader.keyset({
            select: (sql) => sql`select * from ${sql(table)}`,
            key: ["k"],
            schema: Schema.Struct({ n: Schema.Number })
          })
          const read = yield* assertLaw(reader, 1)
          assert.deepStrictEqual(read.map((row) => row.n), texts.map((_, n) => n), type)
        }
      }))

    it.effect("a position does not depend on the session's date style and time zone", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table dated (k timestamptz primary key, d date not null, n int)`
        yield* sql`insert into dated values
          ('2024-02-03 23:05:06.000001+00', '2024-02-03', 0), ('2024-02-03 23:05:06.000002+00', '2024-03-02', 1)`
        const reader = SqlItemReader.keyset({
          select: (sql) => sql`select * from dated`,
          key: ["k", "d"],
          schema: Schema.Struct({ n: Schema.Number })
        })
        const [first] = yield* pagesOf(reader, Option.none(), () => 1)
        const [row] = yield* sql<{ readonly name: string }>`select current_database() as name`
        yield* sql`alter database ${sql(row!.name)} set datestyle to 'SQL, DMY'`
        yield* sql`alter database ${sql(row!.name)} set timezone to 'Asia/Kolkata'`
        const url = new URL(yield* Postgres.url)
        url.pathname = `/${row!.name}`
        const rest = yield* pagesOf(reader, stored(first!.position), () => 1).pipe(
          Effect.provide(Postgres.layerUrl(url.href))
        )
        assert.deepStrictEqual(itemsOf(rest), [{ n: 1 }])
      }))

    it.effect("a failing read does not move the reader", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table shaky (id int primary key)`
        yield* sql`insert into shaky values (1), (2), (3)`
        const source = yield* ids({ select: (sql) => sql`select id from shaky` }).open(Option.none())
        const first = yield* source.pull(2)
        yield* sql`alter table shaky rename to hidden`
        const error = yield* Effect.flip(source.pull(2))
        assert.strictEqual(error._tag, "SqlStatementError")
        yield* sql`alter table hidden rename to shaky`
        const second = yield* source.pull(2)
        assert.deepStrictEqual([first, second].map((page) => page.items), [[{ id: 1 }, { id: 2 }], [{ id: 3 }]])
      }).pipe(Effect.scoped))

    it.effect("pages are read outside the open transaction", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table outside (id int primary key)`
        const reader = ids({ select: (sql) => sql`select id from outside` })
        const seen = yield* sql.withTransaction(Effect.zipRight(
          sql`insert into outside values (1)`,
          pagesOf(reader, Option.none(), () => 10)
        ))
        assert.deepStrictEqual(itemsOf(seen), [])
        assert.deepStrictEqual(itemsOf(yield* pagesOf(reader, Option.none(), () => 10)), [{ id: 1 }])
      }))

    it.effect("each page uses the index of the key", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table indexed (a int not null, b int not null, c text, primary key (a, b))`
        yield* sql`insert into indexed select n / 100, n % 100, 'x' from generate_series(1, 20000) n`
        yield* sql`analyze indexed`
        const query = {
          sql,
          rows: sql`select * from indexed where c = ${"x"}`,
          keys: [{ column: "a", direction: "asc" }, { column: "b", direction: "asc" }]
        } as const
        const page = pageOf(query, yield* pgCodec(query), ["100", "5"], 10)
        const plan = yield* sql<{ readonly "QUERY PLAN": string }>`explain ${page}`
        assert.include(plan.map((row) => row["QUERY PLAN"]).join("\n"), "Index Cond: (ROW(a, b) > ROW(100, 5))")
      }))
  })

  it("options that make no sense are mistakes in the program", () => {
    const make = (options: object) => () => ids({ select: (sql) => sql`select 1 as id`, ...options })
    assert.throws(make({ pageSize: 0 }), /page size of reader "ids" must be a whole number/)
    assert.throws(make({ pageSize: "10" }), /page size of reader "ids"/)
    assert.throws(make({ key: [] }), /the key of reader "ids" has no column/)
    assert.throws(make({ key: ["id", { column: "id", direction: "desc" }] }), /names a column twice/)
    assert.throws(make({ key: [{ column: "id", direction: "down" }] }), /the direction "asc" or "desc"/)
    assert.throws(make({ key: [{ column: 1, direction: "asc" }] }), /has to be a name/)
    assert.throws(
      () => SqlItemReader.query({ select: (sql) => sql`select 1 as id`, schema: Id, key: [] as never }),
      /has no column, and would tell no row/
    )
  })
})
