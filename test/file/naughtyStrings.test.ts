/**
 * Naughty strings through every format and database: what was written is read, and what is read is written again the same.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as CsvFormat from "../../src/file/CsvFormat.js"
import * as CsvItemReader from "../../src/file/CsvItemReader.js"
import * as CsvItemWriter from "../../src/file/CsvItemWriter.js"
import * as JsonItemReader from "../../src/file/JsonItemReader.js"
import * as JsonItemWriter from "../../src/file/JsonItemWriter.js"
import * as NdjsonItemReader from "../../src/file/NdjsonItemReader.js"
import * as NdjsonItemWriter from "../../src/file/NdjsonItemWriter.js"
import type * as ItemReader from "../../src/item/ItemReader.js"
import type * as ItemWriter from "../../src/item/ItemWriter.js"
import * as SqlItemReader from "../../src/sql/SqlItemReader.js"
import * as SqlItemWriter from "../../src/sql/SqlItemWriter.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"
import { halves, naughty, withZero } from "./naughtyStrings.js"
import { failuresOf, itemsOf, MemoryFiles, readAll } from "./support.js"

type Row = { readonly [column: string]: string }

type Files = readonly [
  writer: ItemWriter.ItemWriter<object, any, any>,
  reader: ItemReader.ItemReader<unknown, any, any>
]

const writeAll = <E, R>(writer: ItemWriter.ItemWriter<object, E, R>, items: ReadonlyArray<object>) =>
  Effect.scoped(Effect.gen(function*() {
    const sink = yield* writer.open(Option.none())
    for (let i = 0; i < items.length; i += 50) {
      yield* sink.write(items.slice(i, i + 50))
    }
    if (sink.flush !== undefined) {
      yield* sink.flush
    }
    if (sink.complete !== undefined) {
      yield* sink.complete
    }
  }))

const csv = (options: CsvFormat.CsvFormat, more: CsvItemWriter.Options = {}): Files => [
  CsvItemWriter.make<object>("x", { ...options, ...more }),
  CsvItemReader.make("x", options)
]

const formats: { readonly [name: string]: Files } = {
  "CSV": csv({}),
  "CSV with semicolons and CRLF": csv({ delimiter: ";", lineEnding: "\r\n" }),
  "CSV with tabs and a BOM": csv({ delimiter: "\t" }, { byteOrderMark: true }),
  "CSV in UTF-16": csv({ encoding: "utf16le" }),
  "NDJSON": [NdjsonItemWriter.make<object>("x"), NdjsonItemReader.make("x")],
  "JSON": [JsonItemWriter.array<object>("x"), JsonItemReader.array("x")]
}

/** As values, behind and in front of one that is plain. */
const rowsOf = (texts: ReadonlyArray<string>): ReadonlyArray<Row> =>
  texts.map((text, i) => ({ first: text, id: String(i), last: text }))

/** As names of columns. */
const namesOf = (texts: ReadonlyArray<string>): Row => Object.fromEntries(texts.map((text, i) => [text, String(i)]))

const there = ([writer, reader]: Files, items: ReadonlyArray<Row>) =>
  Effect.gen(function*() {
    const files = new MemoryFiles()
    const once = Effect.gen(function*() {
      yield* writeAll(writer, items)
      const found = yield* readAll(reader)
      assert.deepStrictEqual(failuresOf(found), [])
      return itemsOf(found) as ReadonlyArray<Row>
    }).pipe(Effect.provide(files.layer))
    const found = yield* once
    assert.strictEqual(found.length, items.length)
    for (const [i, item] of items.entries()) {
      assert.deepStrictEqual({ ...found[i]! }, { ...item })
    }
    const bytes = files.bytes("x")!
    const again = new MemoryFiles()
    yield* Effect.provide(writeAll(writer, found), again.layer)
    assert.isTrue(bytes.equals(again.bytes("x")!))
  })

describe("naughty strings", () => {
  for (const [name, files] of Object.entries(formats)) {
    it.effect(`${name}: every text is read as it was written, and written again byte by byte (OWN-24)`, () =>
      there(files, rowsOf([...naughty, ...withZero, ...name.endsWith("JSON") ? halves : []])))

    it.effect(`${name}: every text is the name of a column (OWN-24)`, () =>
      there(files, [namesOf([...naughty, ...withZero])]))
  }

  it.effect("CSV refuses half a surrogate pair by item and column, as a value and as a name (OWN-24)", () =>
    Effect.gen(function*() {
      for (const text of halves) {
        const value = yield* Effect.flip(writeAll(CsvItemWriter.make<object>("x"), [{ a: "" }, { a: text }]))
        assert.include(value.message, "Item 2 cannot be written to \"x\"")
        const name = yield* Effect.flip(writeAll(CsvItemWriter.make<object>("y"), [{ a: "", [text]: "" }]))
        assert.include(name.message, "\"y\"")
      }
    }).pipe(Effect.provide(new MemoryFiles().layer)))

  const database = (label: string, client: Layer.Layer<SqlClient.SqlClient, unknown>, type: string) =>
    it.layer(Layer.orDie(client), { timeout: "5 minutes" })(label, (it) => {
      it.effect(`${label}: every text is read as it was written, by every writer (OWN-24)`, () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          const columns = `id int primary key, v ${type}, j ${label === "PostgreSQL" ? "jsonb" : "text"}`
          const texts = label === "PostgreSQL" ? naughty : [...naughty, ...withZero]
          const items = texts.map((text, id) => ({ id, v: text, j: { [text]: [text] } }))
          const schema = Schema.Struct({
            id: Schema.Number,
            v: Schema.String,
            j: Schema.parseJson()
          })
          const read = (table: string) =>
            readAll(SqlItemReader.query({ select: (sql) => sql`select * from ${sql(table)} order by id`, schema }))
          const writers = (table: string) => [
            SqlItemWriter.insertInto<object>(table),
            ...label === "PostgreSQL" ? [SqlItemWriter.copyInto<object>(table)] : [],
            SqlItemWriter.upsertInto<object>(table, { key: ["id"] })
          ]
          for (const [index] of writers("").entries()) {
            yield* sql.unsafe(`create table t${index} (${columns})`)
            yield* sql.unsafe(`create table u${index} (${columns})`)
            yield* writeAll(writers(`t${index}`)[index]!, items)
            const found = itemsOf(yield* read(`t${index}`))
            assert.deepStrictEqual(found, items)
            yield* writeAll(writers(`u${index}`)[index]!, found)
            assert.deepStrictEqual(itemsOf(yield* read(`u${index}`)), items)
          }
          yield* writeAll(
            SqlItemWriter.update<object>("t0", { key: ["id"] }),
            items.map(({ id }) => ({ id, v: "", j: null }))
          )
          yield* writeAll(SqlItemWriter.update<object>("t0", { key: ["id"] }), items)
          assert.deepStrictEqual(itemsOf(yield* read("t0")), items)
          for (const v of [...halves, ...label === "PostgreSQL" ? withZero : []]) {
            const error = yield* Effect.flip(writeAll(SqlItemWriter.insertInto<object>("t0"), [{ id: -1, v, j: null }]))
            assert.include(error.message, "\"v\"")
          }
        }))

      it.effect(`${label}: every text is a key, found by update and by pages (OWN-23, OWN-24)`, () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql.unsafe(`create table keyed (k ${type} primary key, n int)`)
          const texts = [...new Set(naughty.filter((text) => text.length < 2000))]
          yield* writeAll(SqlItemWriter.insertInto<object>("keyed"), texts.map((k) => ({ k, n: 0 })))
          yield* writeAll(SqlItemWriter.update<object>("keyed", { key: ["k"] }), texts.map((k, n) => ({ k, n })))
          const found = yield* readAll(
            SqlItemReader.keyset({
              select: (sql) => sql`select * from keyed`,
              key: ["k"],
              schema: Schema.Struct({ k: Schema.String, n: Schema.Number })
            }),
            { max: 7 }
          )
          const byNumber = itemsOf(found).sort((one, other) => one.n - other.n)
          assert.deepStrictEqual(byNumber, texts.map((k, n) => ({ k, n })))
        }))
    })

  database("PostgreSQL", Postgres.layer, "text")
  database("SQLite", Sqlite.layer, "text")
})
