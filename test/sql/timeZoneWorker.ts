/**
 * A process in some time zone: writes dates and times by each writer, reads them back, and says what the database holds.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import { CsvItemReader, CsvItemWriter } from "../../src/file/index.js"
import type { ItemReader, ItemWriter } from "../../src/index.js"
import { SqlItemReader, SqlItemWriter } from "../../src/sql/index.js"
import { layerUrl } from "../support/Postgres.js"
import { layerFile } from "../support/Sqlite.js"

const { csv, postgres, sqlite } = JSON.parse(process.argv[2]!) as {
  readonly csv: string
  readonly postgres: string
  readonly sqlite: string
}

const Row = Schema.Struct({
  id: Schema.Number,
  day: Schema.DateFromSelf,
  local: Schema.DateFromSelf,
  at: Schema.DateFromSelf
})

const CsvRow = Schema.Struct({ id: Schema.NumberFromString, day: Schema.Date, local: Schema.Date, at: Schema.Date })

const all = <A>(reader: ItemReader.ItemReader<A, any, any>) =>
  Effect.scoped(
    Effect.flatMap(reader.open(Option.none()), (source) => Effect.map(source.pull(1000), ({ items }) => items))
  )

const write = <A>(writer: ItemWriter.ItemWriter<A, any, any>, items: ReadonlyArray<A>) =>
  Effect.scoped(Effect.gen(function*() {
    const sink = yield* writer.open(Option.none())
    yield* sink.write(items)
    yield* sink.flush ?? Effect.void
    yield* sink.complete ?? Effect.void
  }))

const columns = ["id", "day", "local", "at"] as const

const onDatabase = (name: string, copies: boolean) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const items = yield* all(CsvItemReader.make(csv, { schema: CsvRow }))
    yield* sql.unsafe("drop table if exists zoned")
    yield* sql.unsafe("create table zoned (id int primary key, day date, local timestamp, at timestamptz)")
    const own = SqlItemWriter.statement("own", (items: ReadonlyArray<typeof Row.Type>, sql) =>
      sql`insert into zoned ${sql.insert(items)}`)
    const writers = [
      SqlItemWriter.insertInto<typeof Row.Type>("zoned", { columns }),
      SqlItemWriter.upsertInto<typeof Row.Type>("zoned", { columns, key: ["id"] }),
      own,
      ...copies ? [SqlItemWriter.copyInto<typeof Row.Type>("zoned", { columns })] : []
    ]
    for (const [at, writer] of writers.entries()) {
      yield* write(
        writer as ItemWriter.ItemWriter<any, any, any>,
        items.map((item) => ({ ...item, id: item.id + 10 * at }))
      )
    }
    const stored = yield* sql.unsafe(
      "select id, cast(day as text) as day, cast(local as text) as local, " +
        `cast(${copies ? "at at time zone 'UTC'" : "at"} as text) as at from zoned order by id`
    )
    const read = yield* all(
      SqlItemReader.keyset({
        select: (sql) =>
          sql`select * from zoned`,
        key: ["id"],
        schema: Row
      })
    )
    const back = `${csv}-${name}`
    yield* write(CsvItemWriter.make(back, { schema: CsvRow }), read)
    return { stored, read, back: Fs.readFileSync(back, "utf8") }
  })

const program = Effect.gen(function*() {
  const onPostgres = yield* Effect.provide(onDatabase("pg", true), layerUrl(postgres))
  const onSqlite = yield* Effect.provide(onDatabase("sqlite", false), layerFile(sqlite))
  return { offset: new Date("2024-01-01").getTimezoneOffset(), onPostgres, onSqlite }
})

void Effect.runPromise(Effect.provide(program, NodeContext.layer) as Effect.Effect<unknown>).then(
  (found) => {
    process.stdout.write(JSON.stringify(found))
  }
)
