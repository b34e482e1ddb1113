/**
 * Two columns of one name: an object has a name once, so one of their values would be lost without a word (OWN-24).
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as ItemReader from "../../src/item/ItemReader.js"
import { SqlStatementError } from "../../src/sql/SqlFailure.js"
import * as SqlItemReader from "../../src/sql/SqlItemReader.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

const rows = <A, E, R>(reader: ItemReader.ItemReader<A, E, R>, from: Option.Option<ItemReader.Position>, max = 100) =>
  Effect.scoped(Effect.gen(function*() {
    const source = yield* reader.open(from)
    return yield* source.pull(max)
  }))

const asItIs = Schema.Unknown as Schema.Schema<Record<string, unknown>, unknown>

type Reader = ItemReader.ItemReader<Record<string, unknown>, { readonly message: string }, SqlClient.SqlClient>

const query = (text: string): Reader =>
  SqlItemReader.query({ name: "orders", select: (sql) => sql.literal(text) as never, schema: asItIs })

const keyset = (text: string, key = "id"): Reader =>
  SqlItemReader.keyset({
    name: "orders",
    select: (sql) => sql.literal(text) as never,
    key: [key],
    schema: asItIs
  })

const joined = "from customers a join orders b on a.id = b.customer"

/** A query, and what its error says; by the reader of a query, and by that of a key. */
const repeated: ReadonlyArray<readonly [what: string, text: string, column: string]> = [
  ["a join of whole tables", `select a.*, b.* ${joined}`, "columns (\"id\", \"name\") of the query have names"],
  ["a join with using", "select * from customers join orders using (id)", "(column \"name\")"],
  ["two columns of two tables", `select b.id, a.name, b.name ${joined}`, "(column \"name\")"],
  ["an alias like a column", "select id, name, customer as name from orders", "(column \"name\")"],
  ["the key", `select a.id, b.id, b.customer ${joined}`, "(column \"id\")"],
  ["a column and all of them", "select name, o.* from orders o", "(column \"name\")"],
  ["three of them", "select id, name as x, customer as x, 1 as x from orders", "(column \"x\")"],
  ["a name that looks like a number", "select id, 1 as \"7\", 2 as \"7\" from orders", "(column \"7\")"],
  [
    "a name of an object's member",
    "select id, 1 as \"toString\", 2 as \"toString\" from orders",
    "(column \"toString\")"
  ],
  ["NULL in one of them", "select id, name, null as name from orders", "(column \"name\")"]
]

const suite = (label: string, client: Layer.Layer<SqlClient.SqlClient, unknown>) =>
  it.layer(Layer.orDie(client), { timeout: "5 minutes" })(label, (it) => {
    const tables = Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`create table if not exists customers (id int primary key, name varchar(9))`
      yield* sql`create table if not exists orders (id int primary key, name varchar(9), customer int)`
      yield* sql`delete from customers`
      yield* sql`delete from orders`
      yield* sql`insert into customers values (1, 'Ada'), (2, 'Bob')`
      yield* sql`insert into orders values (1, 'book', 2), (2, 'pen', 1)`
    })

    it.effect.each(repeated)(
      "are an error that says to give it an alias: %s (OWN-24)",
      ([, text, column]) =>
        Effect.gen(function*() {
          yield* tables
          for (const reader of [query(text), keyset(text)]) {
            const error = yield* Effect.flip(rows(reader, Option.none()))
            assert.instanceOf(error, SqlStatementError)
            assert.include(error.message, "SQL read by \"orders\" failed: ")
            assert.include(error.message, column)
            assert.include(error.message, "more than once, and only the last of them could be read: give it an alias")
          }
        })
    )

    it.effect("with an alias both are read (OWN-24)", () =>
      Effect.gen(function*() {
        yield* tables
        const text = `select b.id, a.name as customer_name, b.name ${joined}`
        const wanted = [{ id: 1, customer_name: "Bob", name: "book" }, { id: 2, customer_name: "Ada", name: "pen" }]
        assert.deepStrictEqual((yield* rows(keyset(text), Option.none())).items, wanted)
        assert.deepStrictEqual((yield* rows(query(`${text} order by 1`), Option.none())).items, wanted)
      }))

    it.effect("names that only look alike are no error (OWN-24)", () =>
      Effect.gen(function*() {
        yield* tables
        const text = "select id, name as \"id:1\", 7 as \"a:b:2\" from orders"
        const wanted = [{ id: 1, "id:1": "book", "a:b:2": 7 }, { id: 2, "id:1": "pen", "a:b:2": 7 }]
        for (const reader of [query(`${text} order by id`), keyset(text)]) {
          assert.deepStrictEqual((yield* rows(reader, Option.none())).items, wanted)
        }
        // In a subquery of SQLite they are the same name.
        const cased = "select id, name, customer as \"NAME\" from orders"
        assert.deepStrictEqual(
          (yield* rows(query(`${cased} order by id`), Option.none())).items[0],
          { id: 1, name: "book", NAME: 2 }
        )
        const paged = yield* Effect.either(rows(keyset(cased), Option.none()))
        if (label === "SQLite") {
          assert.include(paged._tag === "Left" ? paged.left.message : "", "(column \"NAME\")")
        } else {
          assert.deepStrictEqual(paged._tag === "Right" ? paged.right.items[0] : {}, { id: 1, name: "book", NAME: 2 })
        }
      }))

    it.effect("the names that pages use themselves are not lost either (OWN-24)", () =>
      Effect.gen(function*() {
        yield* tables
        const error = yield* Effect.flip(rows(keyset("select id, name as __key_0 from orders"), Option.none()))
        assert.include(error.message, "give it an alias (`as`) (column \"__key_0\")")
        const found = yield* rows(query("select id, name as __key_0 from orders order by id"), Option.none(), 1)
        assert.deepStrictEqual(found.items, [{ id: 1, __key_0: "book" }])
      }))

    it.effect("keys and columns may be named as the members that every object has (OWN-24)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        for (const name of ["constructor", "toString", "hasOwnProperty", "valueOf", "__proto__", "after", "0"]) {
          yield* sql.unsafe(`create table "t ${name}" ("${name}" int primary key, n int)`)
          yield* sql.unsafe(`insert into "t ${name}" values (1, 10), (2, 20), (3, 30)`)
          const reader = keyset(`select * from "t ${name}"`, name)
          if (name === "__proto__" && label === "SQLite") {
            const error = yield* Effect.flip(rows(reader, Option.none()))
            assert.include(error.message, "gives no value of a column with this name: give it an alias")
            const lost = yield* Effect.flip(rows(query(`select * from "t ${name}"`), Option.none()))
            assert.include(lost.message, "(column \"__proto__\")")
            continue
          }
          const first = yield* rows(reader, Option.none(), 1)
          const position = Option.some(JSON.parse(JSON.stringify(first.position)))
          const rest = yield* rows(reader, position)
          assert.deepStrictEqual(
            [...first.items, ...rest.items].map((row) => [Object.getOwnPropertyDescriptor(row, name)?.value, row["n"]]),
            [[1, 10], [2, 20], [3, 30]],
            name
          )
        }
      }))
  })

describe("columns of one name", () => {
  suite("PostgreSQL", Postgres.layer)
  suite("SQLite", Sqlite.layer)

  it.layer(Layer.orDie(Postgres.layer), { timeout: "5 minutes" })("only PostgreSQL", (it) => {
    it.effect("an empty result tells, too, and an ambiguous column inside of the query is another mistake (OWN-24)", () =>
      Effect.gen(function*() {
        for (
          const reader of [query("select 1 as a, 2 as a where false"), keyset("select 1 as id, 2 as id where false")]
        ) {
          assert.include((yield* Effect.flip(rows(reader, Option.none()))).message, "give it an alias")
        }
        const inner = keyset("select id from (values (1)) a(id), (values (2)) b(id)")
        const error = yield* Effect.flip(rows(inner, Option.none()))
        assert.include(error.message, "column reference \"id\" is ambiguous")
        assert.notInclude(error.message, "alias")
      }))
  })

  it.layer(Layer.orDie(Sqlite.layer), { timeout: "5 minutes" })("only SQLite", (it) => {
    it.effect("what cannot stand in a subquery is read as before", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table plain (id int primary key, name text)`
        const found = yield* rows(query("pragma table_info(plain)"), Option.none())
        assert.deepStrictEqual(found.items.map((row) => row["name"]), ["id", "name"])
      }))
  })
})
