/**
 * Columns and tables beyond a plain one: what the database fills in, what it takes apart, and names that look like SQL.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as ItemReader from "../../src/item/ItemReader.js"
import type * as ItemWriter from "../../src/item/ItemWriter.js"
import { SqlDataError, SqlStatementError } from "../../src/sql/SqlFailure.js"
import * as SqlItemReader from "../../src/sql/SqlItemReader.js"
import * as SqlItemWriter from "../../src/sql/SqlItemWriter.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

type Item = { readonly [column: string]: unknown }

type Writer = ItemWriter.ItemWriter<object, SqlItemWriter.WriteError, SqlClient.SqlClient>

interface Options {
  readonly columns?: ReadonlyArray<string>
}

/** The ways to write new rows; `key` is for the upsert. */
const ways = (
  table: string,
  key: readonly [string, ...Array<string>],
  options: Options = {}
): ReadonlyArray<readonly [name: string, writer: Writer]> => [
  ["insertInto", SqlItemWriter.insertInto(table, options)],
  ["copyInto", SqlItemWriter.copyInto(table, options)],
  ["upsertInto", SqlItemWriter.upsertInto(table, { ...options, key })]
]

const write = (writer: Writer, items: ReadonlyArray<object>) =>
  Effect.scoped(Effect.flatMap(writer.open(Option.none()), (sink) => sink.write(items)))

const readAll = <A, E, R>(reader: ItemReader.ItemReader<A, E, R>) =>
  Effect.scoped(Effect.gen(function*() {
    const source = yield* reader.open(Option.none())
    const items: Array<A> = []
    for (;;) {
      const page = yield* source.pull(3)
      items.push(...page.items)
      if (Option.isSome(page.failure)) {
        return yield* Effect.fail(page.failure.value)
      }
      if (page.done) {
        return items
      }
    }
  }))

const run = (...texts: ReadonlyArray<string>) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => Effect.forEach(texts, (text) => sql.unsafe(text)))

const rowsOf = (text: string) =>
  Effect.map(
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe<Item>(text)),
    (rows) => rows.map((row) => Object.values(row))
  )

const quote = (name: string) => `"${name.replaceAll("\"", "\"\"")}"`

/** Names as they are in the database. */
const nasty: ReadonlyArray<string> = [
  "2024.payments",
  "a.b.c",
  "Mixed Case",
  "we\"ird",
  "\"quoted\"",
  "$1",
  "?",
  "select",
  "x; drop table t; --",
  "it's",
  "back\\slash",
  "%s{0}",
  "größe",
  "名前",
  "🙂",
  " blank ",
  "tab\tand\nline",
  "constructor",
  "__proto__",
  "toString",
  "a:b",
  "/* c */",
  "x".repeat(63)
]

/** Another name of the kind. */
const otherThan = (name: string) => `${[...name].slice(1).join("")}!`

const asItIs = Schema.Unknown as Schema.Schema<Item, unknown>

describe("columns of PostgreSQL", () => {
  it.layer(Layer.orDie(Postgres.layer), { timeout: "5 minutes" })("on PostgreSQL", (it) => {
    it.effect("a composite column takes its text, and shifts no column behind it (OWN-24)", () =>
      Effect.gen(function*() {
        yield* run(
          "create type pair as (a int, b text)",
          "create type nest as (p pair, q pair[])",
          "create domain couple as pair check ((value).a > 0)"
        )
        const items = [
          {
            id: 1,
            c: "(1,\"x, \"\"y\"\"\")",
            d: "(2,z)",
            n: "(\"(1,a)\",\"{\"\"(2,b)\"\"}\")",
            l: ["(3,)", null],
            after: "end"
          },
          { id: 2, c: null, d: null, n: null, l: null, after: "last" }
        ]
        for (const [index, name] of ["insertInto", "copyInto", "upsertInto"].entries()) {
          const table = `composite${index}`
          yield* run(`create table ${table} (id int primary key, c pair, d couple, n nest, l pair[], after text)`)
          yield* write(ways(table, ["id"])[index]![1], items)
          assert.deepStrictEqual(
            yield* rowsOf(`select id, (c).a as ca, (c).b as cb, (d).b as db, ((n).p).b as np, ((n).q)[1].b as nq,
              l[1].a as l, after
              from ${table} order by id`),
            [[1, 1, "x, \"y\"", "z", "a", "b", 3, "end"], [2, null, null, null, null, null, null, "last"]],
            name
          )
        }
      }))

    it.effect("an identity column takes what the items give, and counts when they give nothing (OWN-24)", () =>
      Effect.gen(function*() {
        for (const kind of ["always", "by default"]) {
          for (const [index, [name]] of ways("t", ["k"]).entries()) {
            const where = `${name}, ${kind}`
            yield* run("drop table if exists t", `create table t (id int generated ${kind} as identity, k int unique)`)
            yield* write(ways("t", ["k"])[index]![1], [{ k: 10 }, { k: 20 }])
            assert.deepStrictEqual(yield* rowsOf("select id, k from t order by id"), [[1, 10], [2, 20]], where)
            const given = kind === "always" && name === "upsertInto"
              ? SqlItemWriter.upsertInto("t", { key: ["k"], update: [] })
              : ways("t", ["k"])[index]![1]
            yield* write(given, [{ id: 7, k: 30 }, { id: 8, k: 40 }])
            assert.deepStrictEqual(
              yield* rowsOf("select id, k from t where id > 2 order by id"),
              [[7, 30], [8, 40]],
              where
            )
          }
        }
      }))

    it.effect("an identity column that is generated always is never updated, and the error says so before the first item", () =>
      Effect.gen(function*() {
        yield* run("create table counted (id int generated always as identity, k int unique)")
        for (
          const writer of [
            SqlItemWriter.upsertInto("counted", { columns: ["id", "k"], key: ["k"] }),
            SqlItemWriter.update("counted", { columns: ["id", "k"], key: ["k"] })
          ]
        ) {
          const error = yield* Effect.flip(Effect.scoped(writer.open(Option.none())))
          assert.instanceOf(error, SqlStatementError)
          assert.include(error.message, "identity column that is generated always cannot be updated")
        }
      }))

    it.effect("an identity column that is the key of an upsert finds its row", () =>
      Effect.gen(function*() {
        yield* run("create table keyed (id int generated always as identity primary key, v text)")
        const upsert = SqlItemWriter.upsertInto("keyed", { key: ["id"] })
        yield* write(upsert, [{ id: 5, v: "a" }, { id: 6, v: "b" }, { id: 5, v: "c" }])
        assert.deepStrictEqual(yield* rowsOf("select id, v from keyed order by id"), [[5, "c"], [6, "b"]])
      }))

    it.effect("a generated column is computed, and refused by name when the items give it", () =>
      Effect.gen(function*() {
        yield* run("create table computed (id int primary key, twice int generated always as (id * 2) stored, v text)")
        for (const [index, [name, writer]] of ways("computed", ["id"]).entries()) {
          yield* write(writer, [{ id: index, v: name }])
          const error = yield* Effect.flip(write(writer, [{ id: 9, twice: 1, v: "x" }]))
          assert.instanceOf(error, SqlStatementError, name)
          assert.strictEqual(error.column, "twice")
        }
        assert.deepStrictEqual(yield* rowsOf("select id, twice from computed order by id"), [[0, 0], [1, 2], [2, 4]])
        const update = SqlItemWriter.update("computed", { key: ["twice"] })
        yield* write(update, [{ twice: 4, v: "found by what is computed" }])
        assert.deepStrictEqual(yield* rowsOf("select id from computed where v like 'found%'"), [[2]])
      }))

    it.effect("a dropped column is not there, and an added one is found (OWN-24)", () =>
      Effect.gen(function*() {
        yield* run(
          "create table altered (a text, id int primary key, c text)",
          "alter table altered drop column a",
          "alter table altered add column a int default 4"
        )
        for (const [index, [, writer]] of ways("altered", ["id"]).entries()) {
          yield* write(writer, [{ id: index, a: index, c: "c" }])
        }
        assert.deepStrictEqual(
          yield* rowsOf("select id, a, c from altered order by id"),
          [0, 1, 2].map((i) => [i, i, "c"])
        )
      }))

    it.effect("partitions and views that can be written take their rows", () =>
      Effect.gen(function*() {
        yield* run(
          "create table parted (id int, day date, primary key (id, day)) partition by range (day)",
          "create table parted_24 partition of parted for values from ('2024-01-01') to ('2025-01-01')",
          "create table plain (id int primary key, v text)",
          "create view seen as select id, v as \"as seen\" from plain"
        )
        for (const [index, [, writer]] of ways("parted", ["id", "day"]).entries()) {
          yield* write(writer, [{ id: index, day: "2024-02-29" }])
          const error = yield* Effect.flip(write(writer, [{ id: 8, day: "2024-01-01" }, { id: 9, day: "2031-01-01" }]))
          assert.instanceOf(error, SqlDataError)
          assert.strictEqual(error.item, 1)
        }
        assert.deepStrictEqual(yield* rowsOf("select count(*)::int from parted"), [[3]])
        yield* write(SqlItemWriter.insertInto("seen"), [{ id: 1, "as seen": "a" }])
        yield* write(SqlItemWriter.upsertInto("seen", { key: ["id"] }), [{ id: 1, "as seen": "b" }])
        assert.deepStrictEqual(yield* rowsOf("select * from plain"), [[1, "b"]])
        const error = yield* Effect.flip(write(SqlItemWriter.copyInto("seen"), [{ id: 2, "as seen": "c" }]))
        assert.include(error.message, "seen")
      }))

    it.effect("the schema in front of a name, or the search path, says which table is meant", () =>
      Effect.gen(function*() {
        yield* run(
          "create schema sales",
          "create schema \"sales.eu\"",
          "create table sales.t (id int primary key, v text)",
          "create table \"sales.eu\".t (id int primary key, v text)",
          "create table \"sales.t\" (id int primary key, v text)",
          "create table \"sales.only\" (id int primary key, v text)"
        )
        for (const [index, name] of ["insertInto", "copyInto", "upsertInto"].entries()) {
          for (const table of ["sales.t", "\"sales.eu\".t", "\"sales.t\"", "sales.only"]) {
            yield* write(ways(table, ["id"])[index]![1], [{ id: index, v: `${name} ${table}` }])
          }
        }
        for (
          const [table, given] of [
            ["sales.t", "sales.t"],
            ["\"sales.eu\".t", "\"sales.eu\".t"],
            ["\"sales.t\"", "\"sales.t\""],
            ["\"sales.only\"", "sales.only"]
          ]
        ) {
          assert.deepStrictEqual(
            yield* rowsOf(`select v from ${table} order by id`),
            ["insertInto", "copyInto", "upsertInto"].map((name) => [`${name} ${given}`])
          )
        }
      }))

    it.effect("two spellings of a citext key are one row, in one chunk and in the next (OWN-23)", () =>
      Effect.gen(function*() {
        const [there] = yield* rowsOf("select 1 from pg_available_extensions where name = 'citext'")
        if (there === undefined) {
          return
        }
        yield* run(
          "create schema ext",
          "create extension citext schema ext",
          "create table loose (k ext.citext, n int, v text, primary key (k, n))"
        )
        const upsert = SqlItemWriter.upsertInto("loose", { key: ["k", "n"] })
        const values = rowsOf("select k::text, n, v from loose order by n")
        yield* write(upsert, [{ k: "Ab", n: 1, v: "1" }, { k: "other", n: 2, v: "x" }, { k: "aB", n: 1, v: "2" }])
        assert.deepStrictEqual(yield* values, [["Ab", 1, "2"], ["other", 2, "x"]])
        yield* write(upsert, [{ k: "AB", n: 1, v: "3" }])
        assert.deepStrictEqual(yield* values, [["Ab", 1, "3"], ["other", 2, "x"]])
        const update = SqlItemWriter.update("loose", { key: ["k", "n"] })
        yield* write(update, [{ k: "ab", n: 1, v: "4" }, { k: "OTHER", n: 2, v: "y" }, { k: "AB", n: 1, v: "5" }])
        assert.deepStrictEqual(yield* values, [["Ab", 1, "5"], ["other", 2, "y"]])
        for (const writer of [SqlItemWriter.insertInto("loose"), SqlItemWriter.copyInto("loose")]) {
          const error = yield* Effect.flip(write(writer, [{ k: "new", n: 1, v: "" }, { k: "OtheR", n: 2, v: "" }]))
          assert.instanceOf(error, SqlDataError)
          assert.deepStrictEqual([error.kind, error.item], ["unique", 1])
        }
        yield* run(
          "create table paged (k ext.citext, n int)",
          "insert into paged select chr(64 + i + (i % 2) * 32), i from generate_series(1, 26) i",
          "create domain ext.looser as ext.citext",
          "create table domained as select k::ext.looser, n from paged"
        )
        for (const table of ["paged", "domained"]) {
          for (const key of [["k"], ["k", "n"]] as const) {
            for (const direction of ["asc", "desc"] as const) {
              const pages = yield* readAll(SqlItemReader.keyset({
                select: (sql) => sql`select k::text as t, * from ${sql(table)}`,
                key: key.map((column) => ({ column, direction })) as never,
                schema: Schema.Struct({ n: Schema.Number })
              }))
              const numbers = Array.from({ length: 26 }, (_, i) => direction === "asc" ? i + 1 : 26 - i)
              assert.deepStrictEqual(pages.map(({ n }) => n), numbers)
            }
          }
        }
        const remove = SqlItemWriter.deleteFrom("loose", { key: ["k", "n"] })
        yield* write(remove, [{ k: "AB", n: 1 }, { k: "OTHER", n: 2 }])
        assert.deepStrictEqual(yield* values, [])
      }))
  })
})

const names = (label: string, client: Layer.Layer<SqlClient.SqlClient, unknown>) =>
  it.layer(Layer.orDie(client), { timeout: "5 minutes" })(label, (it) => {
    it.effect("a name is a name, whatever it looks like: of tables, columns and keys (OWN-24)", () =>
      Effect.gen(function*() {
        // The driver of SQLite gives no member of that name.
        for (const name of nasty.filter((name) => label === "PostgreSQL" || name !== "__proto__")) {
          yield* run(`create table ${quote(name)} (${quote(name)} int primary key, ${quote(otherThan(name))} text)`)
          const item = (key: number, value: string): Item => Object.fromEntries([[name, key], [otherThan(name), value]])
          for (const [index, [way, writer]] of ways(quote(name), [name]).entries()) {
            if (way === "copyInto" && label === "SQLite") {
              continue
            }
            yield* write(writer, [item(index, "one"), item(index + 10, "two")])
          }
          yield* write(SqlItemWriter.update(quote(name), { key: [name] }), [item(10, "three")])
          yield* write(SqlItemWriter.deleteFrom(quote(name), { key: [name] }), [item(12, "")])
          const all = yield* readAll(SqlItemReader.keyset({
            select: (sql) => sql`select * from ${sql.literal(quote(name))}`,
            key: [name],
            schema: asItIs
          }))
          const found = all.map((row) => [Object.getOwnPropertyDescriptor(row, name)?.value, row[otherThan(name)]])
          const wanted = label === "SQLite"
            ? [[0, "one"], [2, "one"], [10, "three"]]
            : [[0, "one"], [1, "one"], [2, "one"], [10, "three"], [11, "two"]]
          assert.deepStrictEqual(found, wanted, name)
        }
        if (label === "SQLite") {
          return
        }
        const record = Schema.Record({ key: Schema.String, value: Schema.Unknown })
        const lost = "it has a member named \"__proto__\", which its schema would lose"
        const read = SqlItemReader.query({ select: (sql) => sql`select * from "__proto__"`, schema: record })
        assert.include((yield* Effect.flip(readAll(read))).message, lost)
        const written = yield* Effect.flip(
          write(SqlItemWriter.insertInto("__proto__", { schema: record }) as Writer, [JSON.parse("{\"__proto__\": 9}")])
        )
        assert.include(written.message, lost)
      }))

    it.effect("a field that an item does not have is NULL, also where every object has one of that name (OWN-24)", () =>
      Effect.gen(function*() {
        const columns = ["id", "constructor", "toString", "valueOf", "__proto__", "hasOwnProperty"]
        yield* run(`create table members (${columns.map((name) => `${quote(name)} int`).join(", ")})`)
        const writer = SqlItemWriter.insertInto<object>("members", { columns })
        yield* write(writer, [{ id: 1 }, JSON.parse("{\"id\": 2, \"constructor\": 3, \"__proto__\": 4}")])
        assert.deepStrictEqual(
          yield* rowsOf(`select id, "constructor" as a, "toString" as b, "__proto__" as c from members order by id`),
          [[1, null, null, null], [2, 3, null, 4]]
        )
      }))
  })

describe("names in the database", () => {
  names("PostgreSQL", Postgres.layer)
  names("SQLite", Sqlite.layer)
})
