import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ItemWriter, Job, JobOperator, JobRepository, Step } from "../../src/index.js"
import type * as ItemReader from "../../src/item/ItemReader.js"
import { SqlKeyError, SqlStatementError } from "../../src/sql/SqlFailure.js"
import * as SqlItemReader from "../../src/sql/SqlItemReader.js"
import * as SqlPartition from "../../src/sql/SqlPartition.js"
import * as ReaderLaws from "../../src/testing/ReaderLaws.js"
import { JobDefinitionError } from "../../src/vocabulary/BatchError.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

/** A kind of key: how its column is declared, and its values as SQL text. */
interface Kind {
  readonly name: string
  readonly column: string
  readonly values: FastCheck.Arbitrary<string>
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`

const numbers = FastCheck.oneof(
  FastCheck.integer({ min: 0, max: 9 }),
  FastCheck.integer({ min: -2_000_000_000, max: 2_000_000_000 })
)
const large = FastCheck.bigInt({ min: 9007199254740992n, max: 9007199254741010n })
const words = FastCheck.oneof(
  FastCheck.constantFrom("", "a", "A", "a ", "ä", "Ä", "b", "B", "\u{1F600}", "it's", "\"", "\\", "line\nbreak"),
  FastCheck.string({ unit: "grapheme", maxLength: 8 }).map((text) => text.replaceAll("\0", "0"))
)
const bytes = FastCheck.uint8Array({ maxLength: 4 }).map((array) => Buffer.from(array).toString("hex"))
const times = FastCheck.bigInt({ min: 0n, max: 4_102_444_800_000_000n })

const kinds: { readonly [database: string]: ReadonlyArray<Kind> } = {
  PostgreSQL: [
    { name: "integers", column: "int", values: numbers.map(String) },
    { name: "large integers", column: "bigint", values: large.map(String) },
    { name: "numerics", column: "numeric", values: large.map((n) => `${n}.50`) },
    {
      name: "floats",
      column: "float8",
      values: FastCheck.oneof(
        numbers.map((n) => `${n}::float8 / 3`),
        FastCheck.constantFrom("'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "'0'")
      )
    },
    { name: "texts", column: "text", values: words.map(quoted) },
    { name: "texts that ignore case", column: "text collate nocase", values: words.map(quoted) },
    { name: "padded characters", column: "char(4)", values: FastCheck.constantFrom("'a'", "'a '", "'A'", "'b'", "''") },
    { name: "uuids", column: "uuid", values: FastCheck.uuid().map(quoted) },
    {
      name: "instants with microseconds",
      column: "timestamptz",
      values: FastCheck.oneof(
        times.map((t) => `to_timestamp(0) + interval '1 microsecond' * ${t}`),
        FastCheck.constantFrom("'infinity'", "'-infinity'", "'0044-03-15 BC'")
      )
    },
    {
      name: "days",
      column: "date",
      values: FastCheck.integer({ min: 0, max: 9000 }).map((d) => `date '1990-01-01' + ${d}`)
    },
    { name: "bytes", column: "bytea", values: bytes.map((hex) => `'\\x${hex}'`) },
    { name: "truth values", column: "boolean", values: FastCheck.constantFrom("true", "false") },
    {
      name: "intervals",
      column: "interval",
      values: FastCheck.constantFrom("'1 day'", "'24 hours'", "'1 hour'", "'1 month'")
    },
    { name: "names of an enumeration", column: "mood", values: FastCheck.constantFrom("'sad'", "'ok'", "'a b'") }
  ],
  SQLite: [
    { name: "integers", column: "integer", values: numbers.map(String) },
    { name: "large integers", column: "bigint", values: large.map(String) },
    {
      name: "floats",
      column: "real",
      values: FastCheck.oneof(numbers.map((n) => `${n} / 3.0`), FastCheck.constantFrom("9e999", "-9e999", "-0.0"))
    },
    { name: "texts", column: "text", values: words.map(quoted) },
    { name: "texts that ignore case", column: "text collate nocase", values: words.map(quoted) },
    { name: "texts that ignore blanks", column: "text collate rtrim", values: words.map(quoted) },
    { name: "bytes", column: "blob", values: bytes.map((hex) => `x'${hex}'`) },
    {
      name: "values of all kinds",
      column: "",
      values: FastCheck.oneof(
        numbers.map(String),
        words.map(quoted),
        bytes.map((hex) => `x'${hex}'`),
        FastCheck.constant("1.5")
      )
    }
  ]
}

const prepare: { readonly [database: string]: ReadonlyArray<string> } = {
  PostgreSQL: [
    "create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
    "create type mood as enum ('sad', 'ok', 'a b')"
  ],
  SQLite: []
}

const readAll = <A, E, R>(reader: ItemReader.ItemReader<A, E, R>) =>
  Effect.scoped(Effect.gen(function*() {
    const source = yield* reader.open(Option.none())
    const items: Array<A> = []
    for (;;) {
      const page = yield* source.pull(7)
      items.push(...page.items)
      if (page.done) {
        return items
      }
    }
  }))

const select: SqlItemReader.Select = (sql) => sql`select id, k from things`

const idsIn = (range: SqlPartition.KeyRange) =>
  SqlItemReader.keyset({ select, range, key: ["id"], schema: Schema.Struct({ id: Schema.Number }) })

/** Rows of one table, planned, with more rows added behind the plan: each in one range, and none too large. */
const assertDivided = (
  database: string,
  kind: Kind,
  values: ReadonlyArray<string>,
  later: ReadonlyArray<string>,
  partitions: number
) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* sql.unsafe("drop table if exists things")
    yield* sql.unsafe(`create table things (id integer primary key, k ${kind.column})`)
    const insert = (from: number, rows: ReadonlyArray<string>) =>
      rows.length === 0
        ? Effect.void
        : sql.unsafe(`insert into things values ${rows.map((value, i) => `(${from + i}, ${value})`).join(", ")}`)
    yield* insert(0, values)
    const [most] = yield* sql.unsafe<{ n: unknown }>(
      "select coalesce(max(c), 0) as n from (select count(*) as c from things group by k) as q"
    )
    const plan = yield* SqlPartition.ranges({ select, key: "k", partitions })
    const stored = plan.map(({ input }) =>
      Schema.decodeUnknownSync(SqlPartition.KeyRange)(
        JSON.parse(JSON.stringify(Schema.encodeSync(SqlPartition.KeyRange)(input)))
      )
    )
    const before = yield* Effect.forEach(stored, (range) => readAll(idsIn(range)))
    const label = `${database}, ${kind.name}: ${partitions} of ${values.join(", ")}`
    assert.deepStrictEqual(before.flat().map(({ id }) => id).sort((a, b) => a - b), values.map((_, id) => id), label)
    assert.isAtMost(plan.length, partitions, label)
    const share = Math.ceil(values.length / partitions)
    for (const rows of before) {
      assert.isAtMost(rows.length, Math.max(0, share - 1) + Number(most!.n), label)
      assert.isTrue(rows.length > 0 || values.length === 0, label)
    }
    yield* insert(values.length, later)
    const after = yield* Effect.forEach(stored, (range) => readAll(idsIn(range)))
    assert.deepStrictEqual(
      after.flat().map(({ id }) => id).sort((a, b) => a - b),
      [...values, ...later].map((_, id) => id),
      label
    )
  })

const suite = (label: "PostgreSQL" | "SQLite", client: Layer.Layer<SqlClient.SqlClient, unknown>) =>
  it.layer(Layer.orDie(client), { timeout: "5 minutes" })(label, (it) => {
    it.effect("ranges of a key of any type have every row once, those added meanwhile too, and equal shares (PART-13, OWN-23)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        for (const statement of prepare[label]!) {
          yield* sql.unsafe(statement)
        }
        for (const kind of kinds[label]!) {
          const value = FastCheck.oneof(
            { weight: 9, arbitrary: kind.values },
            { weight: 1, arbitrary: FastCheck.constant("null") }
          )
          const rows = FastCheck.oneof(
            FastCheck.array(value, { maxLength: 40, size: "max" }),
            // A few keys that most rows have.
            FastCheck.array(value, { minLength: 1, maxLength: 3 }).chain((few) =>
              FastCheck.array(FastCheck.constantFrom(...few), { maxLength: 40, size: "max" })
            )
          )
          const cases = FastCheck.sample(
            FastCheck.tuple(rows, FastCheck.array(value, { maxLength: 6 }), FastCheck.integer({ min: 1, max: 12 })),
            { numRuns: Number(process.env.RANGE_RUNS ?? 2) }
          )
          for (const [values, later, partitions] of cases) {
            yield* assertDivided(label, kind, values, later, partitions)
          }
        }
      }))

    it.effect("unique keys make equal shares, whether dense, sparse or skewed", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table skewed (k bigint primary key)`
        const keys = [
          ...Array.from({ length: 90 }, (_, i) => i),
          ...Array.from({ length: 10 }, (_, i) => 10 ** (i + 4))
        ]
        yield* sql`insert into skewed ${sql.insert(keys.map((k) => ({ k })))}`
        const plan = yield* SqlPartition.ranges({ select: (sql) => sql`select k from skewed`, key: "k", partitions: 8 })
        const sizes = yield* Effect.forEach(plan, ({ input }) =>
          Effect.map(
            readAll(SqlItemReader.keyset({
              select: (sql) => sql`select k from skewed`,
              key: ["k"],
              range: input,
              schema: Schema.Struct({ k: Schema.Number })
            })),
            (rows) => rows.length
          ))
        assert.deepStrictEqual(sizes, [13, 12, 13, 12, 13, 12, 13, 12])
        assert.deepStrictEqual(plan.map(({ name }) => name).slice(0, 2), ["range 1", "range 2"])
      }))

    it.effect("a range is read from any row on, and its progress is that of the range", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table long (k int primary key)`
        yield* sql`insert into long ${sql.insert(Array.from({ length: 30 }, (_, k) => ({ k })))}`
        const rows: SqlItemReader.Select = (sql) => sql`select k from long where k % ${2} = 0`
        const plan = yield* SqlPartition.ranges({ select: rows, key: "k", partitions: 3 })
        for (const { input: range } of plan) {
          for (const direction of ["asc", "desc"] as const) {
            const reader = SqlItemReader.keyset({
              select: rows,
              range,
              key: [{ column: "k", direction }],
              schema: Schema.Struct({ k: Schema.Number }),
              count: true
            })
            yield* ReaderLaws.check(reader)
            const total = yield* Effect.scoped(
              Effect.map(reader.open(Option.none()), (source) => source.progress!()!.total)
            )
            assert.strictEqual(total, 5)
          }
        }
      }))

    it.effect("an empty table makes one range, which has the rows that come", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table nobody (id int primary key, "a.b" int)`
        const rows: SqlItemReader.Select = (sql) => sql`select * from nobody`
        const plan = yield* SqlPartition.ranges({ select: rows, key: "a.b", partitions: 9 })
        assert.deepStrictEqual(plan, [{ name: "range 1", input: { column: "a.b", after: null, upTo: null } }])
        yield* sql`insert into nobody values (1, null), (2, 7)`
        const reader = SqlItemReader.keyset({
          select: rows,
          range: plan[0]!.input,
          key: ["id"],
          schema: Schema.Struct({ id: Schema.Number })
        })
        assert.deepStrictEqual(yield* readAll(reader), [{ id: 1 }, { id: 2 }])
      }))

    it.effect("a NULL that comes later in the key that is also read by is refused in the last range", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table holes (k int unique)`
        yield* sql`insert into holes values (1), (2), (3)`
        const rows: SqlItemReader.Select = (sql) => sql`select k from holes`
        const plan = yield* SqlPartition.ranges({ select: rows, key: "k", partitions: 3 })
        yield* sql`insert into holes values (null)`
        const read = (range: SqlPartition.KeyRange, direction: "asc" | "desc") =>
          readAll(
            SqlItemReader.keyset({ select: rows, range, key: [{ column: "k", direction }], schema: Schema.Unknown })
          )
        assert.deepStrictEqual(yield* read(plan[0]!.input, "asc"), [{ k: 1 }])
        for (const direction of ["asc", "desc"] as const) {
          const error = yield* Effect.flip(read(plan[2]!.input, direction))
          assert.instanceOf(error, SqlKeyError)
          assert.include(error.message, "is NULL in a row")
        }
      }))

    it.effect("a key that is not there is an error of the plan, and of the reader", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table plain (id int primary key)`
        const rows: SqlItemReader.Select = (sql) => sql`select * from plain`
        for (const partitions of [1, 4]) {
          const error = yield* Effect.flip(SqlPartition.ranges({ select: rows, key: "idd", partitions }))
          assert.instanceOf(error, SqlStatementError)
          assert.include(error.message, "plan ranges of \"idd\"")
        }
        const range = { column: "idd", after: "i1", upTo: null }
        const reader = SqlItemReader.keyset({ select: rows, range, key: ["id"], schema: Schema.Unknown })
        assert.instanceOf(yield* Effect.flip(readAll(reader)), SqlStatementError)
      }))

    it.effect("a step of ranges reads every row once, and a failed one again from its last commit (PART-5, PART-13)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table payments (id int primary key, country varchar(2))`
        yield* sql`insert into payments ${
          sql.insert(Array.from({ length: 40 }, (_, id) => ({ id, country: id < 30 ? "de" : ["fr", "es"][id % 2]! })))
        }`
        const rows: SqlItemReader.Select = (sql) => sql`select id, country from payments`
        const seen: Array<number> = []
        let broken = true
        const job = Job.make("settle", {
          flow: Step.partition("settle", {
            plan: SqlPartition.ranges({ select: rows, key: "country", partitions: 3 }),
            input: SqlPartition.KeyRange,
            step: (range) =>
              Step.chunk("rows", {
                reader: SqlItemReader.keyset({
                  select: rows,
                  range,
                  key: ["id"],
                  schema: Schema.Struct({ id: Schema.Number })
                }),
                writer: ItemWriter.fromFunction((items: ReadonlyArray<{ readonly id: number }>) =>
                  broken && items.some(({ id }) => id === 25) ? Effect.fail("down" as const) : Effect.sync(() => {
                    seen.push(...items.map(({ id }) => id))
                  })
                ),
                chunkSize: 10
              })
          })
        })
        const run = Effect.gen(function*() {
          const failed = yield* JobOperator.run(job, {})
          assert.strictEqual(failed.status, "FAILED")
          assert.deepStrictEqual(seen.length, 30)
          broken = false
          const { id, status } = yield* JobOperator.run(job, {})
          assert.strictEqual(status, "COMPLETED")
          const [step] = yield* JobOperator.steps(id)
          assert.deepStrictEqual([step!.counts.read, step!.counts.write], [40, 40])
        })
        yield* Effect.provide(run, JobRepository.layerMemory)
        assert.deepStrictEqual(seen.sort((a, b) => a - b), Array.from({ length: 40 }, (_, id) => id))
      }))
  })

describe("SqlPartition", () => {
  suite("SQLite", Sqlite.layer)
  suite("PostgreSQL", Postgres.layer)

  it("a number of ranges that makes no sense is refused where the plan is made", () => {
    for (const partitions of [0, -1, 1.5, NaN, Infinity, 2_000_000]) {
      assert.throws(() => SqlPartition.ranges({ select, key: "k", partitions }), JobDefinitionError)
    }
  })
})
