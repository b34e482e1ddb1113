/**
 * Values that a reader or a writer would change without a word (OWN-24).
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Hash from "effect/Hash"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as ItemReader from "../../src/item/ItemReader.js"
import { SqlColumnError, SqlDataError, SqlKeyError, SqlStatementError } from "../../src/sql/SqlFailure.js"
import * as SqlItemReader from "../../src/sql/SqlItemReader.js"
import * as SqlItemWriter from "../../src/sql/SqlItemWriter.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

interface Item {
  readonly id: number
  readonly v?: unknown
}

const asItIs = Schema.Unknown as Schema.Schema<Item, unknown>

/** The items of a reader, and the messages of its bad records. */
const given = <A, E extends { readonly message: string }, R>(reader: ItemReader.ItemReader<A, E, R>) =>
  Effect.scoped(Effect.gen(function*() {
    const source = yield* reader.open(Option.none())
    const items: Array<A> = []
    const bad: Array<string> = []
    for (;;) {
      const page = yield* source.pull(3)
      items.push(...page.items)
      Option.map(page.failure, ({ message }) => bad.push(message))
      if (page.done) {
        return { items, bad }
      }
    }
  }))

const keyset = <A, I>(table: string, schema: Schema.Schema<A, I>, key = "id") =>
  SqlItemReader.keyset({ name: table, select: (sql) => sql`select * from ${sql(table)}`, key: [key], schema })

const query = <A, I>(text: string, schema: Schema.Schema<A, I>) =>
  SqlItemReader.query({ name: "query", select: (sql) => sql.literal(text) as never, schema })

const run = (...statements: ReadonlyArray<string>) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => Effect.forEach(statements, (text) => sql.unsafe(text)))

const shown = (table: string) =>
  Effect.map(
    Effect.flatMap(SqlClient.SqlClient, (sql) =>
      sql.unsafe<{ readonly v: string }>(`select v::text as v from ${table} order by id`)),
    (rows) =>
      rows.map(({ v }) => v)
  )

const writeAll = (writer: ReturnType<typeof SqlItemWriter.insertInto<Item>>, items: ReadonlyArray<Item>) =>
  Effect.scoped(Effect.flatMap(writer.open(Option.none()), (sink) => sink.write(items)))

describe("what PostgreSQL holds", () => {
  it.layer(Layer.orDie(Postgres.layer), { timeout: "5 minutes" })("on PostgreSQL", (it) => {
    it.effect.each<readonly [type: string, values: ReadonlyArray<string>]>([
      ["real", [
        "1e-45",
        "1.1754942e-38",
        "-3e-45",
        "1.1754944e-38",
        "3.4028235e+38",
        "0.1",
        "16777216",
        "261713.12",
        "5.4273203e+08"
      ]],
      ["double precision", [
        "1e+23",
        "9.999999999999999e+22",
        "1.1454383331321699e+17",
        "5e-324",
        "0.30000000000000004"
      ]],
      ["double precision[]", ["{1.1454383331321699e+17,0.1}"]],
      ["real[]", ["{261713.12,1e-45}"]],
      ["text[]", [
        "{\u00a0a,b\u2003,\u3000}",
        "{\" a\",\"NULL\",NULL,\"\",\"a\\\\b\",\"\\\"\"}",
        "[0:1]={a,\u00a0}",
        "{}"
      ]],
      ["\"char\"", ["a", "\\377", "\\200", "\\"]],
      ["box", ["(3,4),(1,2)", "(-1,0),(-2,-3)", "(1.5,1),(0,0)"]],
      ["box[]", ["{(3,4),(1,2);(5,6),(3,4)}", "{}"]],
      ["box_domain", ["(3,4),(1,2)", "(5,6),(3,4)"]]
    ])("%s is copied as it is, several rows at once (OWN-24)", ([type, values]) =>
      Effect.gen(function*() {
        yield* run(
          "drop table if exists a, b, c, d",
          "drop domain if exists box_domain",
          "create domain box_domain as box"
        )
        yield* run(...["a", "b", "c", "d"].map((name) => `create table ${name} (id int primary key, v ${type})`))
        yield* run(
          ...values.map((text, id) => `insert into a values (${id}, '${text}')`),
          "insert into a values (99, null)"
        )
        const { items } = yield* given(keyset("a", asItIs))
        yield* writeAll(SqlItemWriter.insertInto("b"), items)
        yield* writeAll(SqlItemWriter.copyInto("c", { columns: ["id", "v"] }), items)
        yield* writeAll(SqlItemWriter.upsertInto("d", { key: ["id"] }), items)
        const wanted = yield* shown("a")
        for (const name of ["b", "c", "d"]) {
          assert.deepStrictEqual(yield* shown(name), wanted, name)
        }
      }))

    it.effect("elements of arrays stand apart as their type wants it (OWN-24)", () =>
      Effect.gen(function*() {
        yield* run("create table boxes (id int primary key, v box[])")
        yield* writeAll(SqlItemWriter.insertInto("boxes"), [{ id: 1, v: ["(3,4),(1,2)", "(5,6),(3,4)"] }])
        assert.deepStrictEqual(yield* shown("boxes"), ["{(3,4),(1,2);(5,6),(3,4)}"])
      }))

    it.effect("arrays are taken apart by the delimiter of their type, be it of an extension (OWN-24)", () =>
      Effect.gen(function*() {
        // As PostGIS declares its geometries.
        yield* run(
          "create type shape",
          "create function shape_in(cstring) returns shape language internal immutable strict as 'textin'",
          "create function shape_out(shape) returns cstring language internal immutable strict as 'textout'",
          "create type shape (input = shape_in, output = shape_out, like = text, delimiter = ':')",
          "create type colour as enum ('red', 'a,b')",
          "create table shapes (id int primary key, v shape[], w box[], x colour[])",
          "insert into shapes values (1, '{0101:\"0,a:b\":NULL}', '{(3,4),(1,2);(5,6),(3,4)}', '{red,\"a,b\"}')"
        )
        const Shapes = Schema.Struct({
          id: Schema.Number,
          v: Schema.Array(Schema.NullOr(Schema.String)),
          w: Schema.Array(Schema.String),
          x: Schema.Array(Schema.String)
        })
        const expected = {
          id: 1,
          v: ["0101", "0,a:b", null],
          w: ["(3,4),(1,2)", "(5,6),(3,4)"],
          x: ["red", "a,b"]
        }
        const { bad, items } = yield* given(keyset("shapes", Shapes))
        assert.deepStrictEqual(bad, [])
        assert.deepStrictEqual(items, [expected])
        const texts = yield* given(keyset("shapes", asItIs))
        yield* run("create table more_shapes (like shapes including all)")
        yield* writeAll(SqlItemWriter.insertInto("more_shapes"), texts.items)
        assert.deepStrictEqual((yield* given(keyset("more_shapes", Shapes))).items, items)
      }))

    it.effect("times in other forms are what they say, whatever zone the session has (OWN-24)", () =>
      Effect.gen(function*() {
        yield* run("create table times (id int primary key, v timestamptz, w timestamp, x date)")
        yield* run("set timezone to 'Asia/Kolkata'")
        const at = [
          "2024-02-29 12:00",
          "2024-02-29T12:00:00Z",
          "20240229T120000Z",
          "Feb 29 2024 12:00 UTC",
          " 2024-02-29 12:00:00 "
        ]
        yield* writeAll(
          SqlItemWriter.insertInto<Item>("times"),
          [
            ...at.map((v, id) => ({
              id,
              v,
              w: v,
              x: ["2024-02-29", "Feb 29 2024", "20240229", "2024-02-29T00:00:00Z"][id % 4]!
            })),
            { id: 10, v: "0044-03-15 12:00 BC", w: "0044-03-15 12:00 BC", x: "0044-03-15 BC" },
            { id: 11, v: "infinity", w: "-infinity", x: "epoch" }
          ]
        )
        yield* run("set timezone to 'UTC'")
        const sql = yield* SqlClient.SqlClient
        const found = yield* sql<{ readonly v: string }>`
          select concat_ws(' | ', v, w, x) as v from times order by id`
        assert.deepStrictEqual(found.map(({ v }) => v), [
          ...at.map(() => "2024-02-29 12:00:00+00 | 2024-02-29 12:00:00 | 2024-02-29"),
          "0044-03-15 12:00:00+00 BC | 0044-03-15 12:00:00 BC | 0044-03-15 BC",
          "infinity | -infinity | 1970-01-01"
        ])
      }))

    it.effect("what no column can be named after is refused, and what nobody is meant to see is not (OWN-24)", () =>
      Effect.gen(function*() {
        yield* run("create table members (id int primary key, v jsonb)")
        const schema = Schema.Struct({ id: Schema.Number, v: Schema.optional(Schema.String) })
        const hashed = Data.struct({ id: 1, v: "1" })
        Hash.hash(hashed)
        const s = Symbol("s")
        for (
          const writer of [
            SqlItemWriter.insertInto<Item>("members"),
            SqlItemWriter.copyInto<Item>("members"),
            SqlItemWriter.insertInto("members", { schema }) as never,
            SqlItemWriter.upsertInto<Item>("members", { key: ["id"] })
          ]
        ) {
          yield* run("delete from members")
          yield* writeAll(writer, [hashed])
          const error = yield* Effect.flip(writeAll(writer, [{ id: 2, v: "1" }, { id: 3, v: "1", [s]: 1 } as Item]))
          assert.instanceOf(error, SqlColumnError)
          assert.strictEqual(error.item, 1)
          assert.include(error.message, "Symbol(s)")
        }
        for (const v of [{ a: 1, [s]: 1 }, [1, { [s]: 1 }], /a/.exec("a"), Object.assign([1], { total: 1 })]) {
          const error = yield* Effect.flip(writeAll(SqlItemWriter.insertInto<Item>("members"), [{ id: 9, v }]))
          assert.instanceOf(error, SqlColumnError)
          assert.strictEqual(error.column, "v")
          assert.include(error.message, "would lose that")
        }
      }))

    it.effect("a document whose declaration the server would not give back is refused (OWN-24)", () =>
      Effect.gen(function*() {
        yield* run("create table documents (id int primary key, v xml, w xml[])")
        const insert = SqlItemWriter.insertInto<Item & { readonly w?: unknown }>("documents")
        const kept = [
          "<a/>",
          "a<b/>",
          " \n<a/>",
          "<?xml version=\"1.0\" standalone=\"yes\"?><a/>",
          "<?xml version=\"1.1\"?><a/>"
        ]
        yield* writeAll(insert, kept.map((v, id) => ({ id, v, w: [v] })))
        const { items } = yield* given(keyset(
          "documents",
          Schema.Struct({
            id: Schema.Number,
            v: Schema.String,
            w: Schema.Array(Schema.String)
          })
        ))
        assert.deepStrictEqual(items, kept.map((v, id) => ({ id, v, w: [v] })))
        const lost = [
          "<?xml version=\"1.0\"?><a/>",
          "<?xml version='1.1'?><a/>",
          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a/>",
          "<?xml version=\"1.0\" encoding=\"latin1\" standalone=\"no\"?><a/>",
          "<?xml version=\"1.0\"  standalone=\"no\" ?><a/>"
        ]
        for (const xml of lost) {
          for (
            const item of [{ id: 9, v: xml }, { id: 9, w: [xml] }, { id: 9, w: `{"${xml.replace(/"/g, "\\\$&")}"}` }]
          ) {
            const error = yield* Effect.flip(
              writeAll(insert, [{ ...item, id: 8, ["v" in item ? "v" : "w"]: null }, item])
            )
            assert.instanceOf(error, SqlDataError)
            assert.strictEqual(error.item, 1)
            assert.strictEqual(error.column, "v" in item ? "v" : "w")
            assert.include(error.message, "its declaration (`<?xml … ?>`) would be dropped")
          }
        }
      }))

    it.effect.each<readonly [type: string, good: string, bad: ReadonlyArray<string>]>([
      ["numeric(6, 2)[]", "{1.00,NULL}", ["{1.005}", "[0:1]={1.00,1.005}", "{ { 1 , \"1.005\" } }"]],
      ["date[]", "{2024-02-29}", ["{\"2024-02-29 12:00\"}", "{today}"]],
      ["timestamp[]", "{\"2024-02-29 12:00:00\"}", ["{\"2024-02-29 12:00:00+02\"}", "{2024-02-29T12:00:00.1234567}"]],
      ["real[]", "{0.1}", ["{16777217}", "{261713.13}", "{542732000}"]],
      ["double precision[]", "{0.1}", ["{9007199254740993}", "{0.10000000000000001}"]],
      ["money[]", "{$1.00}", ["{1.005}"]],
      ["jsonb", "{\"a\": 1}", ["{\"a\":1,\"a\":2}", "[{\"b\":{\"c\":1,\"\\u0063\":2}}]"]],
      ["jsonb[]", "{\"{\\\"a\\\": 1}\"}", ["{\"{\\\"a\\\":1,\\\"a\\\":2}\"}"]],
      ["numeric(3, -2)", "1200", ["1250", "1", "1200.5"]],
      ["date", "2024-02-29", ["Feb 29 2024 10:00", "20240229T120000", "2024-02-29 12:00 Europe/Berlin", "today"]],
      ["timestamp", "2024-02-29 12:00:00", [
        "2024-02-29 12:00 Europe/Berlin",
        "Feb 29 2024 10:00 PST",
        "20240229T120000+0200",
        "2024-02-29 12:00:00+05:30",
        "today 10:00"
      ]],
      ["timestamptz", "2024-02-29 12:00:00+00", ["Feb 29 2024 10:00", "20240229T120000", "tomorrow 10:00"]],
      ["composite", String.raw`(1.00,2024-02-29,"a,""b""\\c",)`, [
        "(1.005,,,)",
        "(,2024-02-29 12:00,,)",
        "( 1.005 ,,x,)",
        "(,,,\"(1.005)\")"
      ]],
      ["composite[]", "{\"(1.00,2024-02-29,a,)\"}", ["{\"(1.005,,,)\"}", String.raw`{"(,,,\"(1.005)\")"}`]],
      ["composite_domain", "(1.00,2024-02-29,,)", ["(1.005,,,)"]],
      ["time", "12:00:00", ["12:00 PST", "12:00 UTC", "12:00+00", "12:00:00.5Z"]],
      ["timetz", "12:00:00+00", ["12:00 PM", "04:05 AM"]],
      ["name[]", "{a}", [`{${"x".repeat(64)}}`]],
      ["daterange", "[2024-02-29,2024-03-01)", ["[2024-02-29 12:00,)", "[\"2024-02-28 00:00:01\",2024-03-01)"]],
      ["tsrange", "[\"2024-02-29 12:00:00\",)", ["[2024-02-29 12:00:00+02,)", "(,\"2024-02-29 12:00:00+02\")"]],
      ["tstzrange", "[\"2024-02-29 12:00:00+00\",)", ["[now,)", "[2024-02-29T12:00:00.1234567Z,)"]],
      ["tsmultirange", "{[\"2024-02-29 12:00:00\",)}", ["{(,1999-01-01), [2024-02-29 12:00:00+02,)}"]]
    ])(
      "%s: what is written as text is held to the same, element by element and bound by bound (OWN-24)",
      ([type, good, bad]) =>
        Effect.gen(function*() {
          const table = `t_${type.replace(/\W/g, "_")}_held`
          if (type === "composite") {
            yield* run(
              "create type inner_composite as (n numeric(6, 2))",
              "create type composite as (n numeric(6, 2), d date, t text, i inner_composite)",
              "create domain composite_domain as composite"
            )
          }
          yield* run(`create table ${table} (id int primary key, v ${type})`, "set timezone to 'Asia/Kolkata'")
          for (
            const [id, writer] of [SqlItemWriter.insertInto<Item>(table), SqlItemWriter.copyInto<Item>(table)].entries()
          ) {
            yield* writeAll(writer, [{ id, v: good }])
            for (const v of bad) {
              const error = yield* Effect.flip(writeAll(writer, [{ id: 9, v }]))
              assert.instanceOf(error, SqlDataError, v)
              assert.deepStrictEqual([error.item, error.column], [0, "v"])
            }
          }
          yield* run("set timezone to 'UTC'")
          assert.deepStrictEqual(yield* shown(table), [good, good])
        })
    )

    it.effect("texts of a database that checks none are bad records where their bytes are not UTF-8 (OWN-24)", () =>
      Effect.gen(function*() {
        const name = "unchecked"
        yield* run(`create database ${name} encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0`)
        const url = new URL(yield* Postgres.url)
        url.pathname = `/${name}`
        yield* Effect.gen(function*() {
          yield* run(
            "create table texts (id int primary key, v text, w varchar(9)[])",
            "insert into texts values (1, convert_from('\\x4dfc', 'SQL_ASCII'), '{a}'), (2, 'M\uFFFDller', '{b}'), (3, 'Müller', '{c}'),"
              + " (4, 'x', array[convert_from('\\x80', 'SQL_ASCII')]), (5, null, null)"
          )
          for (const reader of [keyset("texts", asItIs), query("select * from texts order by id", asItIs)]) {
            const found = yield* given(reader as ReturnType<typeof query<Item, unknown>>)
            assert.deepStrictEqual(found.items.map(({ id, v }) => [id, v]), [[2, "M\uFFFDller"], [3, "Müller"], [
              5,
              null
            ]])
            assert.strictEqual(found.bad.length, 2)
            assert.include(found.bad[0], "v: the text holds bytes that are not valid UTF-8; read it as bytes")
            assert.include(found.bad[1], "w: the text holds bytes")
          }
          const bytes = yield* given(
            query("select id, convert_to(v, 'SQL_ASCII') as v from texts where id = 1", asItIs)
          )
          assert.deepStrictEqual(bytes.items, [{ id: 1, v: Buffer.from("M\xfc", "latin1") }])
          const error = yield* Effect.flip(given(keyset("texts", asItIs, "v")))
          assert.instanceOf(error, SqlKeyError)
        }).pipe(Effect.provide(Layer.fresh(Postgres.layerUrl(url.href))), Effect.orDie)
        yield* run(`drop database ${name} with (force)`)
      }))

    it.effect("a single byte that the server would make of four characters is refused (OWN-24)", () =>
      Effect.gen(function*() {
        yield* run("create table bytes (id int primary key, v \"char\")")
        for (const v of ["\\101", "\\177", "ab", "\\3777"]) {
          const error = yield* Effect.flip(writeAll(SqlItemWriter.insertInto("bytes"), [{ id: 1, v }]))
          assert.instanceOf(error, SqlDataError)
          assert.include(error.message, "the text is longer than the single byte")
        }
      }))

    it.effect("floats are not read from a server that cuts their digits (OWN-24)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* run(
          "create table floats (id int primary key, v float8, w float4[])",
          "insert into floats values (1, 0.1::float8 + 0.2::float8, '{0.1}')"
        )
        const [database] = yield* sql<{ readonly name: string }>`select current_database() as name`
        const url = new URL(yield* Postgres.url)
        url.pathname = `/${database!.name}`
        const again = Effect.provide(Layer.fresh(Postgres.layerUrl(url.href)))
        assert.deepStrictEqual((yield* again(given(keyset("floats", asItIs)))).items, [
          { id: 1, v: 0.1 + 0.2, w: "{0.1}" } as Item
        ])
        yield* run(`alter database "${database!.name}" set extra_float_digits to 0`)
        for (const columns of ["id, v", "id, w", "id, point(v, 0) as p"]) {
          for (
            const reader of [
              query(`select ${columns} from floats`, asItIs),
              SqlItemReader.keyset({
                name: "query",
                select: (sql) => sql`select ${sql.literal(columns)} from floats`,
                key: ["id"],
                schema: asItIs
              })
            ]
          ) {
            const error = yield* Effect.flip(again(given(reader as ReturnType<typeof query<Item, unknown>>)))
            assert.instanceOf(error, SqlStatementError)
            assert.include(error.message, "the server cuts the digits of floats, as its setting extra_float_digits")
          }
        }
        assert.deepStrictEqual((yield* again(given(query("select id from floats", asItIs)))).items, [{ id: 1 }])
        yield* run(`alter database "${database!.name}" reset extra_float_digits`)
      }))

    it.effect.each<readonly [text: string, problem: string]>([
      ["{\"a\":1,\"a\":2}", "the JSON has an object that has the name \"a\" twice; read it as text"],
      ["[{\"b\":{\"c\":1,\"\\u0063\":2}}]", "that has the name \"c\" twice"],
      [" null ", "the value is the JSON value null"],
      ["\nnull", "the value is the JSON value null"],
      ["[12345678901234567890]", "a number in the JSON has more digits"],
      ["{\"a\":\"12345678901234567890\",\"b\":1e400}", "a number in the JSON has more digits"]
    ])(
      "JSON that an object of JavaScript cannot hold is a bad record, and its text is exact: %s (OWN-24)",
      ([text, problem]) =>
        Effect.gen(function*() {
          yield* run("drop table if exists documents", "create table documents (id int primary key, v json)")
          const sql = yield* SqlClient.SqlClient
          yield* sql`insert into documents values (1, ${text}::json)`
          const found = yield* given(keyset("documents", Schema.Struct({ id: Schema.Number, v: Schema.Object })))
          assert.strictEqual(found.items.length, 0)
          assert.include(found.bad[0], problem)
          const { items } = yield* given(keyset("documents", Schema.Struct({ id: Schema.Number, v: Schema.String })))
          assert.deepStrictEqual(items, [{ id: 1, v: text }])
        })
    )

    it.effect("JSON that only looks like that is read (OWN-24)", () =>
      Effect.gen(function*() {
        yield* run("drop table if exists documents", "create table documents (id int primary key, v json)")
        const sql = yield* SqlClient.SqlClient
        const value = [{ a: "\"a\":1,\"a\":2", b: { a: 1 } }, { a: "12345678901234567890 1e999 \\" }]
        yield* sql`insert into documents values (1, ${JSON.stringify(value)}::json)`
        const { bad, items } = yield* given(
          keyset("documents", Schema.Struct({ id: Schema.Number, v: Schema.Array(Schema.Object) }))
        )
        assert.deepStrictEqual([items, bad], [[{ id: 1, v: value }], []])
      }))
  })
})

describe("what SQLite holds", () => {
  it.layer(Layer.orDie(Sqlite.layer), { timeout: "5 minutes" })("on SQLite", (it) => {
    it.effect("texts whose bytes are not UTF-8 are bad records, and replacement characters that stand there are not (OWN-24)", () =>
      Effect.gen(function*() {
        yield* run(
          "create table texts (id integer primary key, v text, w text)",
          "insert into texts values (1, 'M' || cast(x'fc' as text) || 'ller', 'a'), (2, 'M\uFFFDller', 'b'), (3, 'Müller', 'c'),"
            + " (4, cast(x'eda080' as text), 'd'), (5, 'x', cast(x'80' as text)), (6, null, 'e')"
        )
        for (const reader of [keyset("texts", asItIs), query("select * from texts order by id", asItIs)]) {
          const found = yield* given(reader as ReturnType<typeof query<Item, unknown>>)
          assert.deepStrictEqual(found.items.map(({ id }) => id), [2, 3, 6])
          assert.deepStrictEqual(found.items.map(({ v }) => v), ["M\uFFFDller", "Müller", null])
          assert.strictEqual(found.bad.length, 3)
          assert.include(found.bad[0], "v: the text holds bytes that are not valid UTF-8")
          assert.include(found.bad[2], "w: the text holds bytes")
        }
        const { bad, items } = yield* given(keyset("texts", Schema.Struct({ id: Schema.Number, w: Schema.Unknown })))
        assert.deepStrictEqual([items.length, bad.length], [5, 1])
        const bytes = yield* given(query("select id, cast(v as blob) as v from texts where id = 1", asItIs))
        assert.deepStrictEqual(bytes.items, [{ id: 1, v: Buffer.from("M\xfcller", "latin1") }])
      }))

    it.effect("such a text as a key would lose rows, and is an error (OWN-23, OWN-24)", () =>
      Effect.gen(function*() {
        yield* run(
          "create table keyed (k text primary key, id int)",
          "insert into keyed values ('a', 1), (cast(x'80' as text), 2), ('é', 3), ('\uFFFE', 4)"
        )
        const error = yield* Effect.flip(given(keyset("keyed", asItIs, "k")))
        assert.instanceOf(error, SqlKeyError)
        assert.include(error.message, "\"k\": the text holds bytes that are not valid UTF-8")
        yield* run("delete from keyed where id = 2", "insert into keyed values ('\uFFFD', 5)")
        assert.deepStrictEqual((yield* given(keyset("keyed", asItIs, "k"))).items.map(({ id }) => id), [1, 3, 5, 4])
      }))

    it.effect("days and times that there are not are no Dates (OWN-24)", () =>
      Effect.gen(function*() {
        const texts = [
          "2024-02-30",
          "2023-02-29 10:00:00",
          "2024-13-01",
          "2024-00-10",
          "2024-01-00",
          "2024-01-01 24:00:00"
        ]
        const more = ["2024-01-01 10:60:00", "2024-01-01 23:59:60", "2024-02-29", "2024-12-31 23:59:59.5"]
        yield* run("create table days (id integer primary key, v text)")
        yield* run(...[...texts, ...more].map((text, id) => `insert into days values (${id}, '${text}')`))
        const found = yield* given(keyset("days", Schema.Struct({ id: Schema.Number, v: Schema.DateFromSelf })))
        assert.deepStrictEqual(
          found.items.map(({ v }) => v.toISOString()),
          ["2024-02-29T00:00:00.000Z", "2024-12-31T23:59:59.500Z"]
        )
        assert.strictEqual(found.bad.length, 8)
        assert.include(found.bad[0], "v: the value is not one that a Date can hold")
      }))

    it.effect("JSON with a name that stands twice is a bad record here, too (OWN-24)", () =>
      Effect.gen(function*() {
        yield* run(
          "create table documents (id integer primary key, v text)",
          "insert into documents values (1, '{\"a\":1,\"a\":2}'), (2, '{\"a\":1}')"
        )
        const found = yield* given(keyset("documents", Schema.Struct({ id: Schema.Number, v: Schema.Object })))
        assert.deepStrictEqual(found.items, [{ id: 2, v: { a: 1 } }])
        assert.include(found.bad[0], "that has the name \"a\" twice")
      }))
  })
})
