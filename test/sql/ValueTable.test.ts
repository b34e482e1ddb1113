import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import type * as ItemWriter from "../../src/item/ItemWriter.js"
import { SqlColumnError, SqlDataError } from "../../src/sql/SqlFailure.js"
import * as SqlItemReader from "../../src/sql/SqlItemReader.js"
import * as SqlItemWriter from "../../src/sql/SqlItemWriter.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"
import { isExact, kinds, pgColumns, pgTypes, sqliteColumns, strictColumns } from "./valueTable.js"

const PATH = "docs/values.md"

/** Set by `npm run values`, which writes the document that the tests compare with otherwise. */
const WRITES = process.env.EFFECT_BATCH_VALUES === "write"

type Outcome = "exact" | "kind" | "value"

interface Row {
  readonly column: string
  readonly outcomes: ReadonlyArray<Outcome>
  /** How the database shows 7 and -0, which a column may keep in more than one form. */
  readonly forms: ReadonlyArray<string | undefined>
}

interface Database {
  readonly name: string
  readonly client: Layer.Layer<SqlClient.SqlClient, unknown>
  readonly setUp: ReadonlyArray<string>
  readonly columns: ReadonlyArray<string>
  /** What follows the columns of a table. */
  readonly suffix: string
  /** The stored value as text, and what it is stored as. */
  readonly text: string
  readonly storedAs: string
  readonly copies: boolean
}

const sqliteText = `case typeof(v) when 'blob' then '\\x' || lower(hex(v)) when 'real' then printf('%!.17g', v)
  else cast(v as text) end`

const databases: ReadonlyArray<Database> = [
  {
    name: "PostgreSQL",
    client: Postgres.layer,
    setUp: pgTypes,
    columns: pgColumns,
    suffix: "",
    text: "v::text",
    storedAs: "''",
    copies: true
  },
  {
    name: "SQLite",
    client: Sqlite.layer,
    setUp: [],
    columns: sqliteColumns,
    suffix: "",
    text: sqliteText,
    storedAs: "typeof(v)",
    copies: false
  },
  {
    name: "SQLite, STRICT",
    client: Sqlite.layer,
    setUp: [],
    columns: strictColumns,
    suffix: " strict",
    text: sqliteText,
    storedAs: "typeof(v)",
    copies: false
  }
]

type Writer = ItemWriter.ItemWriter<object, SqlItemWriter.WriteError, SqlClient.SqlClient>

const unknownRow = Schema.Struct({ id: Schema.Number, v: Schema.Unknown })

const writers = (database: Database): ReadonlyArray<readonly [name: string, writer: Writer]> => [
  ["insertInto", SqlItemWriter.insertInto("t", { columns: ["id", "v"] })],
  ...database.copies ? [["copyInto", SqlItemWriter.copyInto("t", { columns: ["id", "v"] })] as const] : [],
  ["upsertInto", SqlItemWriter.upsertInto("t", { columns: ["id", "v"], key: ["id"] })],
  ["update", SqlItemWriter.update("t", { columns: ["id", "v"], key: ["id"] })],
  [
    "statement of insert",
    SqlItemWriter.statement(
      "own",
      (items: ReadonlyArray<{ readonly id?: number; readonly v?: unknown }>, sql) =>
        sql`insert into t ${sql.insert(items.map(({ id, v }) => ({ id, v })))}`
    ) as Writer
  ],
  [
    "statement of update",
    SqlItemWriter.statement(
      "own",
      (items: ReadonlyArray<{ readonly id?: number; readonly v?: unknown }>, sql) =>
        Effect.forEach(items, ({ id, v }) => sql`update t set v = ${v as string} where id = ${id!}`)
    ) as Writer
  ]
]

/** Writes one value of every kind, and says what became of it; the rows that were stored stay. */
const outcomesOf = (database: Database, column: string) =>
  Effect.scoped(Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql.unsafe("drop table if exists t")
    yield* sql.unsafe("drop table if exists copy")
    for (const table of ["t", "copy"]) {
      yield* sql.unsafe(`create table ${table} (id integer primary key, v ${column})${database.suffix}`)
    }
    const found: Array<Outcome> = []
    const stored: Array<readonly [id: number, value: unknown, where: string]> = []
    for (const [index, [name, writer]] of writers(database).entries()) {
      const sink = yield* writer.open(Option.none())
      const idOf = (at: number) => index * 1000 + at * 2
      if (name.endsWith("update")) {
        const ids = kinds.flatMap((_, at) => [`(${idOf(at)})`, `(${idOf(at) + 1})`])
        yield* sql.unsafe(`insert into t (id) values ${ids.join(", ")}`)
      }
      for (const [at, { label, value }] of kinds.entries()) {
        // The writers agree; insertInto is asked for all values, and the others for a part of them each.
        if (index > 0 && (at + index) % 5 !== 0) {
          continue
        }
        const id = idOf(at)
        const written = yield* Effect.either(sink.write([{ id: id + 1 }, { id, v: value }]))
        const where = `${name} of ${label} into ${column}`
        const outcome = Either.isRight(written) ? "exact" : refusal(where, written.left)
        if (Either.isRight(written)) {
          stored.push([id, value, where])
        }
        assert.strictEqual(outcome, index === 0 ? outcome : found[at], where)
        found[at] = outcome
      }
    }
    const rows = yield* sql.unsafe<{ readonly id: number; readonly text: string | null; readonly kind: string }>(
      `select id, ${database.text} as text, ${database.storedAs} as kind from t`
    )
    const texts = new Map(rows.map(({ id, text }) => [id, text]))
    for (const [id, value, where] of stored) {
      assert.isTrue(texts.has(id) && isExact(value, texts.get(id)!, column), `${where}: ${texts.get(id)}`)
    }
    const formOf = (label: string) => {
      const row = rows.find(({ id }) => id === 2 * kinds.findIndex((kind) => kind.label === label))
      return row?.text === null || row === undefined ? undefined : `${row.kind} ${row.text}`.trim()
    }
    return { column, outcomes: found, forms: [formOf("7"), formOf("-0")] }
  }))

const refusal = (where: string, error: SqlItemWriter.WriteError): Outcome => {
  if (!(error instanceof SqlDataError) && !(error instanceof SqlColumnError)) {
    assert.fail(`${where}: ${error.message}`)
  }
  // A statement of one's own tells its item when it inserts as many rows as there are items, and not when the database refuses it.
  const isOwn = where.startsWith("statement")
  if (!isOwn || error._tag === "SqlColumnError" || error.sqlState === undefined) {
    const item = where.startsWith("statement of update") ? undefined : 1
    assert.deepStrictEqual([error.item, error.column], [item, "v"], `${where}: ${error.message}`)
  }
  assert.notInclude(error.message, "secret")
  return error instanceof SqlDataError ? "value" : "kind"
}

/** What is read from the column is written to another one like it, and shows the same there. */
const assertRoundTrip = (database: Database, column: string) =>
  Effect.scoped(Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const reader = SqlItemReader.query({ select: (sql) => sql`select * from t order by id`, schema: unknownRow })
    const source = yield* reader.open(Option.none())
    const { items } = yield* source.pull(1000)
    const sink = yield* SqlItemWriter.insertInto("copy").open(Option.none())
    yield* sink.write(items)
    const shown = (table: string) => sql.unsafe(`select id, ${database.text} as text from ${table} order by id`)
    assert.deepStrictEqual(yield* shown("copy"), yield* shown("t"), column)
    const again = yield* SqlItemReader.query({
      select: (sql) => sql`select * from copy order by id`,
      schema: unknownRow
    })
      .open(Option.none())
    assert.deepStrictEqual((yield* again.pull(1000)).items, items)
  }))

const cell = (outcomes: ReadonlyArray<Outcome>, wanted: Outcome): string =>
  kinds.flatMap(({ label }, index) => outcomes[index] === wanted ? [`\`${label}\``] : []).join(", ")

const section = (name: string, rows: ReadonlyArray<Row>): string =>
  [
    `## ${name}`,
    "",
    "| column | stored exactly | refused: the value does not fit | refused: no such kind of value |",
    "|---|---|---|---|",
    ...rows.map(({ column, outcomes }) =>
      `| \`${column === "" ? "(no type)" : column}\` | ${cell(outcomes, "exact")} | ${cell(outcomes, "value")} | ${
        cell(outcomes, "kind")
      } |`
    ),
    "",
    ...notes(rows),
    ""
  ].join("\n")

const listed = (rows: ReadonlyArray<Row>): string =>
  rows.length === 0 ? "no column" : rows.map(({ column }) => `\`${column === "" ? "(no type)" : column}\``).join(", ")

/** What the table calls exact, and is so as a number, but not in its form. */
const notes = (rows: ReadonlyArray<Row>): ReadonlyArray<string> => {
  const zeros = rows.filter(({ forms: [, zero] }) => zero !== undefined)
  const signed = zeros.filter(({ forms: [, zero] }) => zero!.includes("-0"))
  const kinds = new Map<string, ReadonlyArray<Row>>()
  for (const row of rows) {
    const kind = /^[a-z]+(?= )/.exec(row.forms[0] ?? "")?.[0]
    if (kind !== undefined) {
      kinds.set(kind, [...kinds.get(kind) ?? [], row])
    }
  }
  return [
    `\`-0\` keeps its sign in ${listed(signed)}; in ${
      listed(zeros.filter((row) => !signed.includes(row)))
    } it is \`0\`.`,
    ...kinds.size === 0 ? [] : [
      "",
      `The number \`7\` is stored as ${
        [...kinds].map(([kind, rows]) => `${kind.toUpperCase()} in ${listed(rows)}`).join("; as ")
      }. A REAL without a fraction that is read from a column without type or affinity is a number like any other, so it is ` +
      "written back as INTEGER: the same number in another form."
    ]
  ]
}

const sectionOf = (text: string, name: string): string =>
  text.split(/^(?=## )/m).find((part) => part.startsWith(`## ${name}\n`)) ?? ""

describe("the table of values", () => {
  for (const database of databases) {
    it.layer(Layer.orDie(database.client), { timeout: "5 minutes" })(database.name, (it) => {
      it.effect(
        "every value is stored exactly or refused with its item and column, and read back as it is (OWN-24)",
        () =>
          Effect.gen(function*() {
            const sql = yield* SqlClient.SqlClient
            yield* Effect.forEach(database.setUp, (text) => sql.unsafe(text))
            const rows: Array<Row> = []
            for (const column of database.columns) {
              rows.push(yield* outcomesOf(database, column))
              yield* assertRoundTrip(database, column)
            }
            const today = section(database.name, rows)
            const stored = Fs.readFileSync(PATH, "utf8")
            if (WRITES) {
              const old = sectionOf(stored, database.name)
              Fs.writeFileSync(
                PATH,
                old === "" ? `${stored.trimEnd()}\n\n${today}` : stored.replace(old, () => `${today}\n`)
              )
              return
            }
            assert.strictEqual(sectionOf(stored, database.name).trim(), today.trim(), "run npm run values")
          }),
        300_000
      )
    })
  }
})
