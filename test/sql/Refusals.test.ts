import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { ItemReader, ItemWriter, Job, JobOperator, SkipPolicy, Step } from "../../src/index.js"
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
    yield* sql`drop table if exists late`
    yield* sql`delete from owners`
    yield* sql`insert into owners values (1)`
  }))

const good = (id: number): Stock => ({ id, qty: 1, owner: 1 })

const chunk = (length: number, ...bad: ReadonlyArray<readonly [at: number, change: Partial<Stock>]>) =>
  Array.from({ length }, (_, id) => ({ ...good(id), ...bad.find(([at]) => at === id)?.[1] }))

const columns = ["id", "qty", "owner"] as const

const insert = SqlItemWriter.insertInto<Stock>("stock", { columns })
const upsert = SqlItemWriter.upsertInto<Stock>("stock", { columns, key: ["id"] })

const writers = (database: string, table = "stock") => {
  const insert = SqlItemWriter.insertInto<Stock>(table, { columns })
  return database === "PostgreSQL" ? [insert, SqlItemWriter.copyInto<Stock>(table, { columns })] : [insert]
}

/** Writes an owner for each item before it. */
const withOwners = (writer: typeof insert) =>
  ItemWriter.tee(
    ItemWriter.contramap(
      SqlItemWriter.insertInto<{ readonly id: number }>("owners"),
      ({ owner }: Stock) => ({ id: owner })
    ),
    writer
  )

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
    it.layer(Layer.orDie(layer), { timeout: "5 minutes" })((it) => {
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
          const sql = yield* SqlClient.SqlClient
          yield* setUp
          const items = Array.from({ length: 50 }, (_, id) => ({ id, qty: id === 7 ? -1 : 1, owner: id + 100 }))
          const sink = yield* withOwners(insert).open(Option.none())
          const error = yield* Effect.flip(sql.withTransaction(sink.write(items)))
          assert.instanceOf(error, SqlDataError)
          assert.deepStrictEqual([error.kind, error.item], ["check", 7])
          // Too few for a savepoint of their own: named rightly or not at all.
          const few = yield* Effect.flip(sql.withTransaction(sink.write(items.slice(0, 10))))
          assert.instanceOf(few, SqlDataError)
          assert.isTrue(few.kind === "check" && (few.item === 7 || few.item === undefined))
        }).pipe(Effect.scoped))

      it.effect("who goes on behind a refused chunk has nothing of it in his transaction (OWN-24)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* setUp
          const sink = yield* insert.open(Option.none())
          // PostgreSQL lets nobody go on.
          yield* Effect.exit(sql.withTransaction(Effect.ignore(sink.write(chunk(10, [3, { qty: -1 }])))))
          assert.deepStrictEqual(yield* sql`select id from stock`, [])
        }).pipe(Effect.scoped))

      it.effect("a chunk that is written leaves no savepoint behind, to which somebody could go back by mistake (OWN-15)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* setUp
          const sink = yield* insert.open(Option.none())
          let [went, failed] = [0, 0]
          const back = Effect.matchEffect(sql.unsafe("rollback to effect_batch_chunk"), {
            onFailure: (error) => Effect.zipRight(Effect.sync(() => failed++), Effect.fail(error)),
            onSuccess: () => Effect.sync(() => went++)
          })
          yield* Effect.exit(sql.withTransaction(
            sql`insert into owners values (2)`.pipe(Effect.zipRight(sink.write(chunk(50))), Effect.zipRight(back))
          ))
          assert.deepStrictEqual([went, failed], [0, 1])
        }).pipe(Effect.scoped))

      it.effect("rows that need what the same transaction wrote before are not skipped with those that are refused (FT6-6)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* setUp
          const bad = [3, 4, 40, 99]
          const items = Array.from(
            { length: 100 },
            (_, id) => ({ id, qty: bad.includes(id) ? -1 : 1, owner: id + 100 })
          )
          for (const [at, length] of [100, 10].entries()) {
            yield* sql`delete from stock`
            yield* sql`delete from owners`
            const step = Step.chunk("load", {
              reader: ItemReader.fromIterable(items),
              writer: withOwners(insert),
              chunkSize: length
            }).pipe(Step.skip("SqlDataError", { limit: 10 }))
            const execution = yield* JobOperator.run(Job.make(`owners-${name}-${at}`, { flow: step }), {})
            assert.strictEqual(execution.status, "COMPLETED")
            const rows = yield* sql<{ readonly id: number }>`select id from stock order by id`
            assert.deepStrictEqual(
              rows.map(({ id }) => id),
              items.map(({ id }) => id).filter((id) => !bad.includes(id))
            )
          }
        }))

      it.effect("a nested transaction of one's own names the refused row, and leaves what is around it (OWN-24)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* setUp
          const nesting = ItemWriter.make<Stock, SqlItemWriter.WriteError, SqlClient.SqlClient | Scope.Scope>(
            "nesting",
            {
              delivery: "transactional",
              open: () =>
                Effect.map(insert.open(Option.none()), (sink) => ({
                  write: (items: ReadonlyArray<Stock>) =>
                    Effect.zipRight(
                      Effect.orDie(sql`insert into owners values (2)`),
                      sql.withTransaction(sink.write(items)).pipe(
                        Effect.catchTag(
                          "SqlDataError",
                          (error) => Effect.orDie(sql`insert into owners values (${1000 + error.item!})`)
                        ),
                        Effect.catchTag("SqlError", Effect.die)
                      )
                    )
                }))
            }
          )
          const items = chunk(100, [61, { qty: -1 }], [80, { id: 79 }])
          const step = Step.chunk("load", { reader: ItemReader.fromIterable(items), writer: nesting, chunkSize: 100 })
          const execution = yield* JobOperator.run(Job.make(`nesting-${name}`, { flow: step }), {})
          assert.strictEqual(execution.status, "COMPLETED")
          assert.deepStrictEqual(yield* sql`select id from owners order by id`, [{ id: 1 }, { id: 2 }, { id: 1061 }])
          assert.deepStrictEqual(yield* sql`select id from stock`, [])
        }))

      it.effect("all refused rows of a chunk cost one rollback, and all others are written together (FT6-6)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* setUp
          const items = chunk(1000, ...Array.from({ length: 10 }, (_, n) => [n * 100 + 7, { qty: -n }] as const))
          for (const [at, writer] of writers(name).entries()) {
            yield* sql`delete from stock`
            const step = Step.chunk("load", { reader: ItemReader.fromIterable(items), writer, chunkSize: 1000 }).pipe(
              Step.skip("SqlDataError", { limit: 10 })
            )
            const execution = yield* JobOperator.run(Job.make(`cost-${name}-${at}`, { flow: step }), {})
            const [only] = yield* JobOperator.steps(execution.id)
            const { commit, rollback, write, writeSkip } = only!.counts
            assert.deepStrictEqual({ commit, rollback, write, writeSkip }, {
              commit: 1,
              rollback: 1,
              write: 990,
              writeSkip: 10
            })
          }
        }))

      it.effect("a skip that is one too many fails the step, and a restart finds all of it again (FT6-9)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* setUp
          const bad = [5, 150, 151, 199]
          const items = chunk(200, ...bad.map((at) => [at, { qty: 0 }] as const))
          const job = (limit: number) =>
            Job.make(`limit-${name}`, {
              flow: Step.chunk("load", { reader: ItemReader.fromIterable(items), writer: insert, chunkSize: 100 }).pipe(
                Step.skip("SqlDataError", { limit })
              )
            })
          const failed = yield* JobOperator.run(job(2), {})
          assert.strictEqual(failed.status, "FAILED")
          const execution = yield* JobOperator.run(job(4), {})
          assert.strictEqual(execution.status, "COMPLETED")
          const rows = yield* sql<{ readonly id: number }>`select id from stock order by id`
          assert.deepStrictEqual(rows.map(({ id }) => id), items.map(({ id }) => id).filter((id) => !bad.includes(id)))
        }))

      it.effect("a row that may not be skipped fails the step for its own reason (FT6-6)", () =>
        Effect.gen(function*() {
          yield* setUp
          const items = chunk(100, [5, { qty: 0 }], [50, { qty: null }], [60, { qty: 0 }])
          const step = Step.chunk("load", { reader: ItemReader.fromIterable(items), writer: insert, chunkSize: 100 })
            .pipe(
              Step.skipWith(
                SkipPolicy.when(
                  SkipPolicy.limit<unknown>(10),
                  (error) => error instanceof SqlDataError && error.kind === "check"
                )
              )
            )
          const execution = yield* JobOperator.run(Job.make(`not-null-${name}`, { flow: step }), {})
          assert.strictEqual(execution.status, "FAILED")
          assert.include(JSON.stringify(execution), "qty")
        }))

      it.effect("constraints that are checked at the commit refuse no other rows than theirs (FT6-6)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* setUp
          yield* sql`create table late (id int primary key, qty int check (qty > 0), owner int
            references owners (id) deferrable initially deferred)`
          const items = chunk(100, [7, { qty: -1 }], [30, { owner: 2 }], [50, { owner: 3 }], [51, { qty: 0 }])
          for (const [at, writer] of writers(name, "late").entries()) {
            yield* sql`delete from late`
            const step = Step.chunk("load", { reader: ItemReader.fromIterable(items), writer, chunkSize: 100 }).pipe(
              Step.skip(["SqlDataError", "TransactionError"], { limit: 4 })
            )
            const execution = yield* JobOperator.run(Job.make(`late-${name}-${at}`, { flow: step }), {})
            assert.strictEqual(execution.status, "COMPLETED")
            const rows = yield* sql<{ readonly id: number }>`select id from late order by id`
            assert.deepStrictEqual(
              rows.map(({ id }) => id),
              items.map(({ id }) => id).filter((id) => ![7, 30, 50, 51].includes(id))
            )
          }
        }))

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
      assert.strictEqual(
        refusals.named(items, error(undefined), { rows: rows.map((row) => error(row)), proven: true }).item,
        rows[0]
      )
      assert.isUndefined(refusals.foreseen(items))
      for (let i = 1; i < rows.length; i++) {
        const rest = items.slice(rows[i - 1]! + 1)
        // The engine tries the row that was named alone.
        assert.strictEqual(refusals.named([items[rows[i - 1]!]!], error(undefined), Refusals.unasked).item, 0)
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
    const named = Refusals.make<object>().named(items, error(undefined, "one"), {
      rows: [error(0, "another")],
      proven: true
    })
    assert.isUndefined(named.item)
  })
})
