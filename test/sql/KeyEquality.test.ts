import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as ItemReader from "../../src/item/ItemReader.js"
import type * as ItemWriter from "../../src/item/ItemWriter.js"
import { SqlDataError, SqlKeyError } from "../../src/sql/SqlFailure.js"
import * as SqlItemReader from "../../src/sql/SqlItemReader.js"
import * as SqlItemWriter from "../../src/sql/SqlItemWriter.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

/** Two spellings that the column takes for one, and how the column is declared. */
interface Spelling {
  readonly name: string
  readonly column: string
  readonly one: unknown
  readonly other: unknown
  /** A key that is another one. */
  readonly different: unknown
}

const spellings: { readonly [database: string]: ReadonlyArray<Spelling> } = {
  PostgreSQL: [
    { name: "integers with zeros in front", column: "int", one: "1", other: "01", different: 2 },
    { name: "a number and its text", column: "bigint", one: 1, other: "1", different: "2" },
    { name: "numerics of other scales", column: "numeric", one: "1.0", other: 1, different: "1.01" },
    { name: "floats with another sign of zero", column: "float8", one: -0, other: 0, different: 1 },
    { name: "a domain over text that ignores case", column: "loose", one: "Ab", other: "aB", different: "ac" },
    {
      name: "an ICU collation that ignores case",
      column: "text collate nocase",
      one: "Ab",
      other: "aB",
      different: "ac"
    },
    { name: "padded characters", column: "char(4)", one: "ab", other: "ab  ", different: "abc" },
    {
      name: "instants in two zones",
      column: "timestamptz",
      one: "2024-01-01T00:00:00Z",
      other: "2024-01-01T01:00:00+01:00",
      different: new Date(0)
    },
    {
      name: "uuids in upper case",
      column: "uuid",
      one: `${"a".repeat(8)}-0000-0000-0000-000000000000`,
      other: `${"A".repeat(8)}000000000000000000000000`,
      different: "00000000-0000-0000-0000-000000000000"
    },
    { name: "intervals", column: "interval", one: "1 day", other: "24 hours", different: "1 hour" }
  ],
  SQLite: [
    { name: "integers with zeros in front", column: "integer", one: "1", other: "01", different: 2 },
    { name: "numerics of other scales", column: "decimal(10, 2)", one: "1.50", other: 1.5, different: 2 },
    { name: "NOCASE", column: "text collate nocase", one: "Ab", other: "aB", different: "ac" },
    { name: "RTRIM", column: "text collate rtrim", one: "ab", other: "ab  ", different: "abc" }
  ]
}

const prepare: { readonly [database: string]: ReadonlyArray<string> } = {
  PostgreSQL: [
    "create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    "create domain loose as text collate nocase"
  ],
  SQLite: []
}

const write = <A>(
  writer: ItemWriter.ItemWriter<A, SqlItemWriter.WriteError, SqlClient.SqlClient>,
  items: ReadonlyArray<A>
) => Effect.scoped(Effect.flatMap(writer.open(Option.none()), (sink) => sink.write(items)))

const readAll = <A, E, R>(reader: ItemReader.ItemReader<A, E, R>, max: number) =>
  Effect.scoped(Effect.gen(function*() {
    const source = yield* reader.open(Option.none())
    const items: Array<A> = []
    for (;;) {
      const page = yield* source.pull(max)
      items.push(...page.items)
      if (page.done) {
        return items
      }
    }
  }))

const suite = (label: string, client: Layer.Layer<SqlClient.SqlClient, unknown>) =>
  it.layer(Layer.orDie(client), { timeout: "5 minutes" })(label, (it) => {
    it.effect("types of keys are there", () =>
      Effect.flatMap(SqlClient.SqlClient, (sql) => Effect.forEach(prepare[label]!, (text) => sql.unsafe(text))))

    spellings[label]!.forEach(({ column, different, name, one, other }, index) => {
      const table = `t${index}`
      const fresh = Effect.flatMap(SqlClient.SqlClient, (sql) =>
        Effect.zipRight(
          sql.unsafe(`drop table if exists ${table}`),
          sql.unsafe(`create table ${table} (k ${column} primary key, v int, w int)`)
        ))
      const values = Effect.flatMap(
        SqlClient.SqlClient,
        (sql) =>
          Effect.map(
            sql.unsafe<{ readonly v: number; readonly w: number }>(`select v, w from ${table} order by v`),
            (rows) => rows.map((row) => [row.v, row.w])
          )
      )

      it.effect(`two spellings of a key in one chunk are one key: ${name} (OWN-23)`, () =>
        Effect.gen(function*() {
          yield* fresh
          const upsert = SqlItemWriter.upsertInto(table, { key: ["k"] })
          yield* write(upsert, [{ k: one, v: 1, w: 1 }, { k: different, v: 5, w: 5 }, { k: other, v: 2, w: 2 }])
          assert.deepStrictEqual(yield* values, [[2, 2], [5, 5]])
          const update = SqlItemWriter.update(table, { key: ["k"] })
          yield* write(update, [{ k: other, v: 3, w: 3 }, { k: different, v: 6, w: 6 }, { k: one, v: 4, w: 4 }])
          assert.deepStrictEqual(yield* values, [[4, 4], [6, 6]])
          const loose = SqlItemWriter.update(table, { key: ["k"], assertUpdates: false })
          yield* write(loose, [{ k: one, v: 1, w: 1 }, { k: other, v: 2, w: 2 }, { k: one, v: 3, w: 3 }])
          assert.deepStrictEqual(yield* values, [[3, 3], [6, 6]])
          const remove = SqlItemWriter.deleteFrom(table, { key: ["k"] })
          const error = yield* Effect.flip(write(remove, [{ k: different }, { k: one }, { k: other }]))
          assert.instanceOf(error, SqlDataError)
          assert.deepStrictEqual([error.kind, error.item], ["missingRow", 2])
        }))

      it.effect(`a page does not drop a row with a key that is the same to the database: ${name} (OWN-23)`, () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* fresh
          yield* sql.unsafe(`create table u${index} (k ${column}, v int not null, w int)`)
          const insert = SqlItemWriter.insertInto(`u${index}`)
          yield* write(insert, [{ k: one, v: 1, w: 1 }, { k: other, v: 2, w: 2 }, { k: different, v: 3, w: 3 }])
          const by = (...key: [string, ...Array<string>]) =>
            SqlItemReader.keyset({
              select: (sql) => sql`select * from ${sql(`u${index}`)}`,
              key,
              schema: Schema.Struct({ v: Schema.Number })
            })
          for (const max of [1, 2, 10]) {
            assert.instanceOf(yield* Effect.flip(readAll(by("k"), max)), SqlKeyError)
            const all = yield* readAll(by("k", "v"), max)
            assert.deepStrictEqual(all.map(({ v }) => v).sort(), [1, 2, 3])
          }
        }))
    })
  })

describe("equality is that of the database", () => {
  suite("PostgreSQL", Postgres.layer)
  suite("SQLite", Sqlite.layer)
})
