/**
 * A table of every built-in type is copied by a job that fails in its middle and is restarted: what stands in the copy is
 * what stands in the table (OWN-24). `EFFECT_BATCH_ROUND_TRIPS=500` tries more tables.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { ItemProcessor, Job, JobOperator, Step } from "../../src/index.js"
import * as SqlItemReader from "../../src/sql/SqlItemReader.js"
import * as SqlItemWriter from "../../src/sql/SqlItemWriter.js"
import { type Services, sqlDrivers } from "../support/drivers.js"

const RUNS = Number(process.env.EFFECT_BATCH_ROUND_TRIPS ?? 4)

type Texts = FastCheck.Arbitrary<string>

interface Database {
  /** By type of a column, its values as SQL. */
  readonly columns: Readonly<Record<string, Texts>>
  readonly types: ReadonlyArray<string>
  readonly shown: (column: string) => string
  readonly writers: ReadonlyArray<"insertInto" | "copyInto" | "upsertInto">
}

const pad = (value: number, width: number): string => String(value).padStart(width, "0")

const whole = (bits: number): Texts =>
  FastCheck.bigInt(-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n).map(String)

const double: Texts = FastCheck.double().map((value) => Object.is(value, -0) ? "-0" : String(value))

const decimal: Texts = FastCheck.oneof(
  FastCheck.tuple(FastCheck.bigInt(-(10n ** 40n), 10n ** 40n), FastCheck.nat(60)).map(([digits, scale]) => {
    const text = String(digits).replace("-", "").padStart(scale + 1, "0")
    return `${digits < 0n ? "-" : ""}${text.slice(0, text.length - scale)}${
      scale === 0 ? "" : `.${text.slice(-scale)}`
    }`
  }),
  FastCheck.constantFrom("NaN", "Infinity", "-Infinity", "0.00", "1e-30")
)

const text = (maxLength: number): Texts =>
  FastCheck.oneof(
    FastCheck.fullUnicodeString({ maxLength }).map((found) => found.replaceAll("\0", "x")),
    FastCheck.stringOf(FastCheck.constantFrom(..."\\\"',{}()N\t\n\r $é🙂"), { maxLength })
  )

const day: Texts = FastCheck.oneof(
  FastCheck.tuple(
    FastCheck.constantFrom("", " BC"),
    FastCheck.integer({ min: 1, max: 12_000 }),
    FastCheck.nat(11),
    FastCheck.nat(27)
  )
    .filter(([era, year]) => era === "" || year < 4713)
    .map(([era, year, month, day]) => `${pad(year, 4)}-${pad(month + 1, 2)}-${pad(day + 1, 2)}${era}`),
  FastCheck.constantFrom("infinity", "-infinity", "2024-02-29", "0001-01-01 BC", "9999-12-31")
)

const time: Texts = FastCheck.tuple(FastCheck.nat(23), FastCheck.nat(59), FastCheck.nat(59), FastCheck.nat(999_999))
  .map(
    ([hours, minutes, seconds, micros]) => `${pad(hours, 2)}:${pad(minutes, 2)}:${pad(seconds, 2)}.${pad(micros, 6)}`
  )

const moment = (zone: string): Texts =>
  FastCheck.tuple(day, time).map(([day, time]) =>
    day.endsWith("infinity")
      ? day
      : day.endsWith(" BC")
      ? `${day.slice(0, -3)} ${time}${zone} BC`
      : `${day} ${time}${zone}`
  )

const offset: Texts = FastCheck.integer({ min: -15 * 60, max: 15 * 60 }).map((minutes) =>
  `${minutes < 0 ? "-" : "+"}${pad(Math.trunc(Math.abs(minutes) / 60), 2)}:${pad(Math.abs(minutes) % 60, 2)}`
)

const interval: Texts = FastCheck.tuple(
  FastCheck.integer({ min: -30_000, max: 30_000 }),
  FastCheck.integer({ min: -10_000, max: 10_000 }),
  FastCheck.integer({ min: -(2 ** 40), max: 2 ** 40 })
).map(([months, days, micros]) => `${months} mons ${days} days ${micros} microseconds`)

const json: Texts = FastCheck.oneof(
  FastCheck.json(),
  FastCheck.constantFrom("null", "12345678901234567890.10", "\"12\"", "{\"a\": {\"b\": [1.50, null]}}", "[]", "true")
).map((text) => text.replace(/\\u0000|\\u[dD][89a-fA-F]\w\w/g, "?"))

const range = (bound: Texts, compare: (a: string, b: string) => number): Texts =>
  FastCheck.oneof(
    FastCheck.tuple(bound, bound).map((bounds) => {
      const [low, high] = [...bounds].sort(compare)
      return `["${low}","${high}"]`
    }),
    FastCheck.constantFrom("empty", "(,)"),
    bound.map((low) => `("${low}",)`)
  )

const byNumber = (a: string, b: string): number => Number(a) - Number(b)

const bits = (min: number, max: number): Texts =>
  FastCheck.stringOf(FastCheck.constantFrom("0", "1"), { minLength: min, maxLength: max })

const hex: Texts = FastCheck.uint8Array({ maxLength: 12 }).map((bytes) => `\\x${Buffer.from(bytes).toString("hex")}`)

const element = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`

const arrays = (elements: Texts): Texts =>
  FastCheck.oneof(
    FastCheck.array(FastCheck.option(elements.map(element), { nil: "NULL" }), { maxLength: 4 }).map((all) =>
      `{${all.join(",")}}`
    ),
    FastCheck.tuple(elements, elements).map(([a, b]) => `[5:6]={${element(a)},${element(b)}}`),
    FastCheck.tuple(elements, elements).map(([a, b]) => `{{${element(a)}},{${element(b)}}}`)
  )

const point: Texts = FastCheck.tuple(double, double).map(([x, y]) => `(${x},${y})`)

const small: Texts = FastCheck.integer({ min: -1000, max: 1000 }).map(String)

const quoted = (texts: Texts): Texts => texts.map((text) => `'${text.replaceAll("'", "''")}'`)

const pgColumns: Readonly<Record<string, Texts>> = {
  smallint: whole(16),
  integer: whole(32),
  bigint: whole(64),
  numeric: decimal,
  "numeric(6, 2)": FastCheck.integer({ min: -999_999, max: 999_999 }).map((cents) => (cents / 100).toFixed(2)),
  real: FastCheck.float().map(String),
  "double precision": double,
  money: whole(50).map((cents) => `${cents.length > 2 ? cents.slice(0, -2) : "0"}.50`),
  boolean: FastCheck.constantFrom("true", "false"),
  text: text(20),
  "varchar(5)": text(2),
  "char(6)": text(2),
  name: text(8),
  "\"char\"": FastCheck.constantFrom("a", "", "\\377", "\\", "'"),
  bytea: hex,
  date: day,
  time,
  timetz: FastCheck.tuple(time, offset).map(([time, offset]) => time + offset),
  timestamp: moment(""),
  timestamptz: moment("+00"),
  interval,
  uuid: FastCheck.uuid(),
  json,
  jsonb: json,
  xml: FastCheck.constantFrom("<a b=\"1\">x &amp; y</a>", "text <b/>", "<é/>"),
  inet: FastCheck.ipV4().map((ip) => `${ip}/17`),
  cidr: FastCheck.constantFrom("10.0.0.0/8", "::/0", "192.168.1.0/24"),
  macaddr: FastCheck.constantFrom("08:00:2b:01:02:03"),
  "bit(3)": bits(3, 3),
  "bit varying": bits(0, 70),
  point,
  box: FastCheck.tuple(small, small, small, small).map(([a, b, c, d]) => `(${a},${b}),(${c},${d})`),
  path: FastCheck.tuple(point, point).map((points) => `[${points.join(",")}]`),
  int4range: range(small, byNumber),
  numrange: range(small.map((text) => `${text}.50`), byNumber),
  tstzrange: range(
    FastCheck.constantFrom("2024-01-01 00:00:00.000001+00", "2024-02-01 00:00:00+00"),
    (a, b) => a < b ? -1 : 1
  ),
  int4multirange: FastCheck.constantFrom("{}", "{[1,5),[7,9)}", "{(,3)}"),
  tsvector: FastCheck.constantFrom("'a':1A,3 'b c':2", ""),
  pg_lsn: FastCheck.constantFrom("16/B374D848"),
  "integer[]": arrays(whole(32)),
  "text[]": arrays(text(6)),
  "numeric[]": arrays(decimal),
  "jsonb[]": arrays(json),
  "timestamptz[]": arrays(moment("+00")),
  "bytea[]": arrays(hex),
  "interval[]": arrays(interval),
  "boolean[]": arrays(FastCheck.constantFrom("t", "f")),
  mood: FastCheck.constantFrom("sad", "it's", "very happy"),
  "mood[]": arrays(FastCheck.constantFrom("sad", "it's", "very happy")),
  pair: FastCheck.tuple(small, text(5)).map(([a, b]) => `(${a},"${b.replace(/["\\]/g, "$&$&")}")`),
  couple: FastCheck.constantFrom("(1,a)", "(2,)"),
  cents: FastCheck.nat(9999).map((cents) => (cents / 100 + 1).toFixed(2)),
  labels: arrays(text(4))
}

/** Texts of what SQLite can hold anywhere; a REAL without a fraction is the same number as an INTEGER to JavaScript. */
const anyValue: Texts = FastCheck.oneof(
  whole(64).map((text) => text === "-9223372036854775808" ? "(-9223372036854775807 - 1)" : text),
  FastCheck.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Number.isInteger(value)).map(String),
  quoted(text(12)),
  FastCheck.constantFrom("'1'", "'01'", "'1.0'", "'true'", "'1e3'", "''", "'\uFFFD'", "9e999", "-9e999"),
  FastCheck.uint8Array({ maxLength: 8 }).map((bytes) => `x'${Buffer.from(bytes).toString("hex")}'`)
)

const sqliteColumns = [
  "any",
  "integer",
  "bigint",
  "boolean",
  "text",
  "varchar(3)",
  "blob",
  "real",
  "double",
  "numeric",
  "decimal(10, 2)",
  "date",
  "datetime",
  "json"
]

const databases: Readonly<Record<"PostgreSQL" | "SQLite", Database>> = {
  PostgreSQL: {
    columns: Object.fromEntries(Object.entries(pgColumns).map(([type, texts]) => [type, quoted(texts)])),
    types: [
      "create type mood as enum ('sad', 'it''s', 'very happy')",
      "create type pair as (a int, b text)",
      "create domain couple as pair check ((value).a > 0)",
      "create domain cents as numeric(6, 2) check (value > 0)",
      "create domain labels as text[]"
    ],
    shown: (column) => `${column}::text as ${column}`,
    writers: ["insertInto", "copyInto", "upsertInto"]
  },
  SQLite: {
    columns: Object.fromEntries(sqliteColumns.map((type) => [type, anyValue])),
    types: [],
    shown: (column) =>
      `typeof(${column}) || ' ' || case typeof(${column}) when 'real' then printf('%!.17g', ${column})
        else quote(${column}) end as ${column}`,
    writers: ["insertInto", "upsertInto"]
  }
}

const Row = Schema.Unknown as Schema.Schema<{ readonly id: number }, unknown>

let count = 0

const suite = (
  label: "PostgreSQL" | "SQLite",
  { columns, shown, types, writers }: Database,
  layer: Layer.Layer<Services | SqlClient.SqlClient, unknown>
) => {
  const names = Object.keys(columns).map((_, index) => `c${index}`)
  const row = FastCheck.tuple(
    ...Object.values(columns).map((values) => FastCheck.option(values, { freq: 6, nil: "null" }))
  )
  const defined = Object.keys(columns).map((type, index) => `c${index} ${type}`).join(", ")
  const setUp = Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* Effect.forEach(types, (type) => sql.unsafe(type))
    yield* sql.unsafe(`create table source (id integer primary key, ${defined})`)
    yield* sql.unsafe(`create table target (id integer primary key, ${defined})`)
  })
  it.layer(Layer.orDie(layer), { timeout: "5 minutes" })(
    label,
    (it) => {
      it.effect("the tables are there", () => setUp)

      it.effect.prop(
        "a copy of every type is what was there, also when the job fails in its middle and is restarted (OWN-24, ITEM-4)",
        [
          FastCheck.array(row, { minLength: 1, maxLength: 9 }),
          FastCheck.constantFrom(...writers),
          FastCheck.integer({ min: 1, max: 4 }),
          FastCheck.nat(9)
        ],
        ([rows, way, chunkSize, failsAt]) =>
          Effect.gen(function*() {
            const sql = yield* SqlClient.SqlClient
            yield* sql.unsafe("delete from source")
            yield* sql.unsafe("delete from target")
            for (const [id, values] of rows.entries()) {
              yield* sql.unsafe(`insert into source values (${id}, ${values.join(", ")})`)
            }
            let fails = true
            const job = Job.make(`copy-${++count}`, {
              flow: Step.chunk("copy", {
                reader: SqlItemReader.keyset({ select: (sql) => sql`select * from source`, key: ["id"], schema: Row }),
                processor: ItemProcessor.map((item: { readonly id: number }) => {
                  if (fails && item.id === failsAt) {
                    fails = false
                    throw new Error("the machine goes down")
                  }
                  return item
                }),
                writer: way === "copyInto"
                  ? SqlItemWriter.copyInto("target", { columns: ["id", ...names] })
                  : way === "upsertInto"
                  ? SqlItemWriter.upsertInto("target", { key: ["id"] })
                  : SqlItemWriter.insertInto("target"),
                chunkSize
              })
            })
            const first = yield* JobOperator.run(job, {})
            const failed = failsAt < rows.length
            assert.strictEqual(first.status, failed ? "FAILED" : "COMPLETED", JSON.stringify(first.exitStatus))
            if (failed) {
              const second = yield* JobOperator.run(job, {})
              assert.strictEqual(second.status, "COMPLETED", JSON.stringify(second.exitStatus))
            }
            const all = (table: string) =>
              sql.unsafe(`select id, ${names.map(shown).join(", ")} from ${table} order by id`)
            assert.deepStrictEqual(yield* all("target"), yield* all("source"))
          }),
        { timeout: 300_000 + 2000 * RUNS, fastCheck: { numRuns: RUNS, endOnFailure: true } }
      )
    }
  )
}

describe("read, written and read again", () => {
  for (const { layer, name } of sqlDrivers) {
    suite(name, databases[name], layer)
  }
})
