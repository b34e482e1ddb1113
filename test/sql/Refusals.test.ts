import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { ItemReader, ItemWriter, Job, JobOperator, Step } from "../../src/index.js"
import * as Refusals from "../../src/sql/refusals.js"
import { SqlDataError } from "../../src/sql/SqlFailure.js"
import * as SqlItemWriter from "../../src/sql/SqlItemWriter.js"
import { sqlDrivers } from "../support/drivers.js"

interface Stock {
  readonly id: number
  readonly qty: number | null
  readonly owner: number
}

const setUp = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.gen(function*() {
    yield* sql`create table if not exists owners (id int primary key)`
    yield* sql.unsafe(`create table if not exists stock (serial ${
      sql.onDialectOrElse({
        pg: () => "serial",
        orElse: () => "int"
      })
    }, id int primary key, qty int not null constraint positive check (qty > 0), owner int references owners)`)
    yield* sql`delete from stock`
    yield* sql`delete from owners`
    yield* sql`insert into owners values (1)`
  }))

const good = (id: number): Stock => ({ id, qty: 1, owner: 1 })

const chunk = (length: number, ...bad: ReadonlyArray<readonly [at: number, change: Partial<Stock>]>) =>
  Array.from({ length }, (_, id) => ({ ...good(id), ...bad.find(([at]) => at === id)?.[1] }))

const columns = ["id", "qty", "owner"] as const

const insert = SqlItemWriter.insertInto<Stock>("stock", { columns })
const upsert = SqlItemWriter.upsertInto<Stock>("stock", { columns, key: ["id"] })

const refused = (
  writer: ItemWriter.ItemWriter<Stock, SqlItemWriter.WriteError, SqlClient.SqlClient>,
  items: ReadonlyArray<Stock>
) =>
  Effect.scoped(Effect.gen(function*() {
    const sink = yield* writer.open(Option.none())
    const error = yield* Effect.flip(sink.write(items))
    assert.instanceOf(error, SqlDataError)
    return error
  }))

for (const { layer, name } of sqlDrivers) {
  describe(`refused rows on ${name}`, () => {
    it.layer(Layer.orDie(layer), { timeout: "60 seconds" })((it) => {
      it.effect("an error names the item and the constraint, whatever the constraint is, and nothing is left (OWN-24)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* setUp
          const cases: ReadonlyArray<readonly [Partial<Stock>, SqlDataError["kind"]]> = [
            [{ id: 3 }, "unique"],
            [{ qty: null }, "notNull"],
            [{ qty: -1 }, "check"],
            [{ owner: 2 }, "foreignKey"]
          ]
          for (const length of [1, 2, 300, 1000]) {
            for (const [change, kind] of cases) {
              const at = length - 1
              const items = chunk(length, [at, change])
              for (const writer of kind === "unique" ? [insert] : [insert, upsert]) {
                if (kind === "unique" && length < 5) {
                  continue
                }
                const error = yield* refused(writer, items)
                assert.deepStrictEqual([error.kind, error.item], [kind, at])
                if (kind === "check") {
                  assert.strictEqual(error.constraint, "positive")
                }
                if (kind === "notNull") {
                  assert.strictEqual(error.column, "qty")
                }
                assert.deepStrictEqual(yield* sql`select id from stock`, [])
              }
            }
          }
        }))

      it.effect("the item is the one that is refused, not one that only lacks what the same transaction wrote before", () =>
        Effect.gen(function*() {
          yield* setUp
          const both = ItemWriter.tee(
            ItemWriter.contramap(
              SqlItemWriter.insertInto<{ readonly id: number }>("owners"),
              ({ owner }: Stock) => ({ id: owner })
            ),
            insert
          )
          const items = Array.from({ length: 10 }, (_, id) => ({ id, qty: id === 7 ? -1 : 1, owner: id + 100 }))
          const sink = yield* both.open(Option.none())
          const sql = yield* SqlClient.SqlClient
          const error = yield* Effect.flip(sql.withTransaction(sink.write(items)))
          assert.instanceOf(error, SqlDataError)
          assert.strictEqual(error.kind, "check")
          assert.isTrue(error.item === 7 || error.item === undefined)
        }).pipe(Effect.scoped))

      it.effect("a step that skips writes all other rows, and tells each refused one with its own reason (FT6-6)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* setUp
          const items = chunk(500, [0, { qty: -1 }], [13, { owner: 9 }], [14, { qty: null }], [250, { id: 249 }], [
            499,
            { qty: 0 }
          ])
          const step = Step.chunk("load", { reader: ItemReader.fromIterable(items), writer: insert, chunkSize: 200 })
            .pipe(
              Step.skip("SqlDataError", { limit: 10 })
            )
          const execution = yield* JobOperator.run(Job.make(`load-${name}`, { flow: step }), {})
          assert.strictEqual(execution.status, "COMPLETED")
          const rows = yield* sql<{ readonly id: number }>`select id from stock order by id`
          assert.deepStrictEqual(
            rows.map(({ id }) => id),
            items.filter((_, at) => ![0, 13, 14, 250, 499].includes(at)).map(({ id }) => id)
          )
          const [only] = yield* JobOperator.steps(execution.id)
          assert.strictEqual(only!.counts.writeSkip, 5)
        }))

      it.effect("who tries the same chunk again asks the database again", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* setUp
          const items = chunk(20, [4, { owner: 50 }], [9, { owner: 51 }])
          const sink = yield* insert.open(Option.none())
          const first = yield* Effect.flip(sink.write(items))
          assert.strictEqual((first as SqlDataError).item, 4)
          yield* sql`insert into owners values (50), (51)`
          yield* sink.write(items)
          assert.strictEqual((yield* sql`select id from stock`).length, 20)
        }).pipe(Effect.scoped))
    })
  })
}

describe("what is known about refused rows", () => {
  const error = (item: number | undefined, detail = "same") =>
    new SqlDataError({ operation: "insert", kind: "unique", item, detail })

  it.prop(
    "a row is foreseen once, in a chunk without the one before it, and never alone",
    [FastCheck.uniqueArray(FastCheck.nat(49), { minLength: 2, maxLength: 10 })],
    ([bad]) => {
      const rows = [...bad].sort((a, b) => a - b)
      const items = Array.from({ length: 50 }, (_, id) => ({ id }))
      const refusals = Refusals.make<{ readonly id: number }>()
      assert.strictEqual(refusals.named(items, error(undefined), rows.map((row) => error(row))).item, rows[0])
      assert.isUndefined(refusals.foreseen(items))
      for (let i = 1; i < rows.length; i++) {
        const rest = items.slice(rows[i - 1]! + 1)
        // The engine tries the row that was named alone.
        assert.strictEqual(refusals.named([items[rows[i - 1]!]!], error(undefined), []).item, 0)
        assert.isUndefined(refusals.foreseen(rest.slice(0, 1)))
        if (rest.length > 1) {
          assert.strictEqual(refusals.foreseen(rest)?.item, rows[i]! - rows[i - 1]! - 1)
          assert.notStrictEqual(refusals.foreseen(rest)?.item, rows[i]! - rows[i - 1]! - 1)
        }
      }
    }
  )

  it("an error that the database does not give again names nobody", () => {
    const items = [{ id: 0 }, { id: 1 }]
    const named = Refusals.make<object>().named(items, error(undefined, "one"), [error(0, "another")])
    assert.isUndefined(named.item)
  })
})
