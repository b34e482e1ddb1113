/**
 * A statement of one's own keeps values as exactly as the table writers do, or says which one it cannot keep.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as SqlItemWriter from "../../src/sql/SqlItemWriter.js"
import { targetsOf } from "../../src/sql/statementTargets.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

type Write = (items: ReadonlyArray<any>, sql: SqlClient.SqlClient) => Effect.Effect<unknown, any, any>

const written = (items: ReadonlyArray<unknown>, write: Write) =>
  Effect.scoped(
    Effect.flatMap(SqlItemWriter.statement("own", write).open(Option.none()), (sink) => sink.write(items))
  ) as Effect.Effect<void, SqlItemWriter.WriteError, SqlClient.SqlClient>

const refused = (items: ReadonlyArray<unknown>, write: Write) =>
  Effect.map(Effect.flip(written(items, write)), (error) => {
    assert(error._tag === "SqlDataError" || error._tag === "SqlColumnError", error.message)
    assert.notInclude(error.message, "hunter2")
    return [error.item, error.column, error.message] as const
  })

class Money {
  constructor(readonly cents: number) {}
}

const noData: ReadonlyArray<unknown> = [
  new Map([[1, 2]]),
  Redacted.make("hunter2"),
  "a\uD800b",
  new Money(1),
  Symbol.iterator,
  new Date(Number.NaN)
]

describe("statements of one's own", () => {
  for (const [name, client] of [["PostgreSQL", Postgres.layer], ["SQLite", Sqlite.layer]] as const) {
    it.layer(Layer.orDie(client), { timeout: "5 minutes" })(name, (it) => {
      it.effect("what is no data is refused wherever it stands: for a column, in an expression, in a condition (OWN-24)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`create table things (id int, v text)`
          for (const v of noData) {
            const [item, column] = yield* refused(
              [{ id: 1, v: "a" }, { id: 2, v }],
              (items, sql) => sql`insert into things ${sql.insert(items)}`
            )
            assert.deepStrictEqual([item, column], [1, "v"])
            yield* refused([{ v }], ([{ v }], sql) => sql`insert into things (id, v) values (1, coalesce(${v}, 'x'))`)
            yield* refused([{ v }], ([{ v }], sql) => sql`update things set id = 2 where v = ${v}`)
          }
          assert.deepStrictEqual(yield* sql`select * from things`, [])
        }))

      it.effect("a statement that the chunk had before is undone with the one that is refused", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`create table whole (v text)`
          yield* refused([1], (_, sql) =>
            Effect.zipRight(
              sql`insert into whole ${sql.insert({ v: "a" })}`,
              sql`insert into whole ${sql.insert({ v: new Map() as unknown as string })}`
            ))
          assert.deepStrictEqual(yield* sql`select * from whole`, [])
        }))

      it.effect("names are found in any case and in quotes, and many texts are not remembered for ever", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql.unsafe("create table \"Odd table\" (\"a.b\" text, plain text)")
          for (let i = 0; i < 3; i++) {
            const error = yield* refused(
              [true],
              ([v], sql) =>
                sql.unsafe(
                  `INSERT /* ${i} */ INTO "Odd table" ("a.b", PLAIN) VALUES (${name === "SQLite" ? "?, ?" : "$1, $2"})`,
                  ["x", v]
                )
            )
            assert.deepStrictEqual(error.slice(0, 2), [0, "plain"])
          }
          yield* written(
            Array.from({ length: 300 }, (_, i) => i),
            (items, sql) =>
              Effect.forEach(
                items,
                (i) =>
                  sql.unsafe(`insert into "Odd table" ("a.b") values (${name === "SQLite" ? "?" : "$1"}) -- ${i}`, [
                    `${i}`
                  ])
              )
          )
          assert.strictEqual((yield* sql.unsafe("select * from \"Odd table\"")).length, 300)
        }))
    })
  }

  it.layer(Layer.orDie(Postgres.layer), { timeout: "5 minutes" })("only PostgreSQL", (it) => {
    it.effect("a parameter is kept as its type has it, not as its driver says it (OWN-24)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const day = new Date("2024-02-29T00:00:00Z")
        const at = new Date("2024-02-29T23:59:59.123Z")
        yield* sql`create table kept (a date, b timestamp, c timestamptz, d jsonb, e int[], f bytea)`
        yield* written(
          [1],
          (_, sql) =>
            sql`insert into kept select ${day}::date, ${at}::timestamp, ${at}::timestamptz, ${[1, {
              a: 2
            }] as unknown as string}::jsonb, ${[1, 2] as unknown as string}::int[], ${new Uint8Array([0, 255])}::bytea`
        )
        assert.deepStrictEqual(
          yield* sql`select a::text, b::text, (c at time zone 'UTC')::text as c, d::text, e::text, f::text from kept`,
          [{
            a: "2024-02-29",
            b: "2024-02-29 23:59:59.123",
            c: "2024-02-29 23:59:59.123",
            d: "[1, {\"a\": 2}]",
            e: "{1,2}",
            f: "\\x00ff"
          }]
        )
        const [, , message] = yield* refused([at], ([at], sql) => sql`select ${at}::date`)
        assert.include(message, "the time of day would be dropped")
      }))

    it.effect("statements without parameters, calls and those that fail are what they were", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table called (id int primary key)`
        yield* sql.unsafe("create procedure add_one(id int) language sql as $$ insert into called values (id) $$")
        yield* written([7], ([id], sql) => Effect.zipRight(sql`select 1`, sql`call add_one(${id})`))
        assert.deepStrictEqual(yield* sql`select * from called`, [{ id: 7 }])
        const twice = yield* Effect.flip(written([7], ([id], sql) => sql`insert into called values (${id})`))
        assert.deepStrictEqual([twice._tag, twice._tag === "SqlDataError" && twice.kind], ["SqlDataError", "unique"])
        const missing = yield* Effect.flip(written([7], ([id], sql) => sql`insert into no_such_table values (${id})`))
        assert.strictEqual(missing._tag, "SqlStatementError")
        const caught = written(
          [7],
          ([id], sql) =>
            Effect.orElse(
              sql.withTransaction(sql`insert into called values (${id})`),
              () => sql`update called set id = ${8} where id = ${id}`
            )
        )
        yield* caught
        assert.deepStrictEqual(yield* sql`select * from called`, [{ id: 8 }])
      }))
  })

  it("the columns that values stand alone for are read from the text", () => {
    const found = (text: string) =>
      [...targetsOf(text)?.byParameter ?? []].map(([parameter, { column, row }]) => [parameter, column, row])
    assert.deepStrictEqual(found("insert into t (a, \"B\"\"\") values ($2, $1), (now(), $3)"), [
      [1, "a", 0],
      [0, "B\"", 0],
      [2, "B\"", 1]
    ])
    assert.deepStrictEqual(found("INSERT OR IGNORE INTO x.t(a,b) VALUES(?,f(?,?)),(?,?)"), [[0, "a", 0], [3, "a", 1], [
      4,
      "b",
      1
    ]])
    assert.deepStrictEqual(found("insert into t (a, b) values ($1::int, '$9, (') on conflict do nothing"), [])
    assert.deepStrictEqual(found("update only t as u set a = $1, b = $2 + 1, \"c\" = $3 where d = $4"), [[
      0,
      "a",
      undefined
    ], [
      2,
      "c",
      undefined
    ]])
    assert.deepStrictEqual(found("-- set\nupdate t set a = (select max($1) from x), b = ? returning ?"), [[
      1,
      "b",
      undefined
    ]])
    for (
      const text of [
        "select $1",
        "",
        "insert into t values ($1)",
        "insert into t (a) select $1",
        "update",
        "insert into t (a) values ($1"
      ]
    ) {
      assert.isTrue(found(text).length <= 1, text)
    }
  })
})
