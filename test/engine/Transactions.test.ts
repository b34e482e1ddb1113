import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import type { BatchError } from "../../src/index.js"
import { ItemReader, ItemWriter, Listener, Step, Transactor } from "../../src/index.js"
import type { SqlFailure } from "../../src/sql/index.js"
import { SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import { refail } from "../../src/sql/SqlFailure.js"
import { drivers, sqlDrivers } from "../support/drivers.js"
import * as Postgres from "../support/Postgres.js"
import { Bad, counts, makeWorld, runStep } from "./faults/world.js"

/** Adds a row to a table of its own, in the transaction that is open. */
const insert = (table: string, id: number): Effect.Effect<void, SqlFailure.SqlFailure, SqlClient.SqlClient> =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => Effect.asVoid(refail("insert")(sql`insert into ${sql(table)} values (${id})`))
  )

const table = (name: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql`create table ${sql(name)} (id int primary key check (id < 100))`)

const idsOf = (name: string) =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) =>
      Effect.map(sql<{ readonly id: number }>`select id from ${sql(name)} order by id`, (rows) =>
        rows.map((row) => row.id))
  )

describe("transactions of a step", () => {
  for (const driver of drivers) {
    it.layer(Layer.orDie(driver.layer), { timeout: "5 minutes" })(driver.name, (it) => {
      it.effect("the bad item that is found does not roll back, if its error says so (FTC-13, TXO-1)", () =>
        Effect.gen(function*() {
          for (const [chunkSize, rollback] of [[2, 1], [1, 0]] as const) {
            const world = makeWorld(4, { write: [3] })
            const heard: Array<number> = []
            const step = Step.chunk(`noRollback ${chunkSize}`, { ...world, chunkSize }).pipe(
              Step.noRollback("Bad"),
              Step.skip("Bad", { limit: 1 }),
              Step.listen(Listener.step({ onSkipInWrite: (item: number) => Effect.sync(() => void heard.push(item)) }))
            )
            const { counts: counted } = yield* runStep(step)
            assert.deepStrictEqual(
              counted,
              counts({ read: 4, write: 3, writeSkip: 1, commit: 4 / chunkSize, rollback })
            )
            assert.deepStrictEqual([world.written, heard], [[1, 2, 4], [3]])
          }
        }))

      it.effect("an error that may not be skipped rolls back and fails, whatever noRollback says (TXO-1)", () =>
        Effect.gen(function*() {
          const world = makeWorld(1, { write: [1] })
          const { counts: counted, exit } = yield* runStep(
            Step.chunk("unskippable", { ...world, chunkSize: 1 }).pipe(Step.noRollback("Bad"))
          )
          assert.deepStrictEqual(yield* Effect.flip(exit), new Bad({ item: 1 }))
          assert.deepStrictEqual(counted, counts({ rollback: 1 }))
        }))

      it.effect("what is retried first rolls back, and stays inside the transaction of the search afterwards (FTC-13, TXO-1)", () =>
        Effect.gen(function*() {
          const world = makeWorld(4, { write: [3] })
          const step = Step.chunk("retried first", { ...world, chunkSize: 2 }).pipe(
            Step.noRollback("Bad"),
            Step.retry("Bad", { times: 1 }),
            Step.skip("Bad", { limit: 1 })
          )
          const { counts: counted } = yield* runStep(step)
          assert.deepStrictEqual(world.writes, [[1, 2], [3, 4], [3, 4], [3], [4]])
          assert.deepStrictEqual(counted, counts({ read: 4, write: 3, writeSkip: 1, commit: 2, rollback: 2 }))
        }))

      it.effect("a reader that is opened anew has been closed before; it is closed once each time (FTC-20)", () =>
        Effect.gen(function*() {
          const heard: Array<string> = []
          const world = makeWorld(2, { write: [2], times: 1 })
          const reader = ItemReader.make("closing", (from) =>
            Effect.zipRight(
              Effect.acquireRelease(
                Effect.sync(() => void heard.push("open")),
                () => Effect.sync(() => void heard.push("close"))
              ),
              world.reader.open(from)
            ))
          const step = Step.chunk("closing", { ...world, reader, chunkSize: 2 }).pipe(
            Step.readInTransaction,
            Step.retry("Bad", { times: 1 })
          )
          assert.strictEqual((yield* runStep(step)).status, "COMPLETED")
          assert.deepStrictEqual(heard, ["open", "close", "open", "close"])
        }))

      it.effect("a record that comes to the place of a skipped one is processed, and the skip is forgotten (FTC-20)", () =>
        Effect.gen(function*() {
          const world = makeWorld(3, { process: [2] })
          let opened = 0
          // As a queue from which somebody else takes record 2 after the rollback.
          const reader = ItemReader.make("changing", (from) =>
            Effect.map(world.reader.open(from), ({ pull }) => {
              const isLater = opened++ > 0
              return {
                pull: (max: number) =>
                  Effect.map(pull(max), (page) => ({
                    ...page,
                    items: page.items.map((item) => item === 2 && isLater ? 20 : item)
                  }))
              }
            }))
          const step = Step.chunk("changing", { ...world, reader, chunkSize: 3 }).pipe(
            Step.readInTransaction,
            Step.skip("Bad", { limit: 1 })
          )
          const { counts: counted } = yield* runStep(step)
          assert.deepStrictEqual(world.written, [1, 20, 3])
          assert.deepStrictEqual(counted, counts({ read: 3, write: 3, commit: 1, rollback: 1 }))
        }))

      it.effect("a chunk that takes longer than the timeout fails the step (TX-2, C49)", () =>
        Effect.gen(function*() {
          const begun = yield* Deferred.make<void>()
          const step = Step.chunk("slow chunk", {
            ...makeWorld(2),
            writer: ItemWriter.fromFunction((_: ReadonlyArray<number>) =>
              Effect.zipRight(Deferred.succeed(begun, undefined), Effect.sleep("1 hour"))
            ),
            chunkSize: 2
          }).pipe(Step.withTransaction({ timeout: "5 seconds" }))
          const fiber = yield* Effect.fork(runStep(step))
          yield* Deferred.await(begun)
          yield* TestClock.adjust("5 seconds")
          const { counts: counted, exit, status } = yield* Fiber.join(fiber)
          assert.strictEqual(status, "FAILED")
          assert.deepStrictEqual(counted, counts({ rollback: 1 }))
          const error = yield* Effect.flip(exit)
          assert.deepStrictEqual((error as BatchError.TransactionError).phase, "body")
        }))

      it.effect("a call of a tasklet that exceeds its timeout fails and rolls back (TX-2, C49)", () =>
        Effect.gen(function*() {
          const begun = yield* Deferred.make<void>()
          const step = Step.tasklet(
            "slow tasklet",
            Effect.zipRight(Deferred.succeed(begun, undefined), Effect.sleep("1 hour"))
          ).pipe(Step.withTransaction({ timeout: "5 seconds" }))
          const fiber = yield* Effect.fork(runStep(step))
          yield* Deferred.await(begun)
          yield* TestClock.adjust("5 seconds")
          const { counts: counted, exit, status } = yield* Fiber.join(fiber)
          assert.strictEqual(status, "FAILED")
          assert.deepStrictEqual(counted, counts({ rollback: 1 }))
          assert.strictEqual((yield* Effect.flip(exit))._tag, "TransactionError")
        }))

      it.effect("a timeout may be retried like any transaction that failed", () =>
        Effect.gen(function*() {
          const begun = yield* Deferred.make<void>()
          const world = makeWorld(2)
          let slow = true
          const step = Step.chunk("slow once", {
            ...world,
            writer: ItemWriter.make("slow once", {
              delivery: "transactional",
              open: (state) =>
                Effect.map(world.writer.open(state), (sink) => ({
                  write: (items: ReadonlyArray<number>) =>
                    Effect.zipRight(
                      sink.write(items),
                      Effect.suspend(() => {
                        const sleeps = slow
                        slow = false
                        return sleeps
                          ? Effect.zipRight(Deferred.succeed(begun, undefined), Effect.sleep("1 hour"))
                          : Effect.void
                      })
                    )
                }))
            }),
            chunkSize: 2
          }).pipe(Step.withTransaction({ timeout: "5 seconds" }), Step.retry("TransactionError", { times: 1 }))
          const fiber = yield* Effect.fork(runStep(step))
          yield* Deferred.await(begun)
          yield* TestClock.adjust("5 seconds")
          const { counts: counted } = yield* Fiber.join(fiber)
          assert.deepStrictEqual(counted, counts({ read: 2, write: 2, commit: 1, rollback: 1 }))
          assert.deepStrictEqual(world.written, [1, 2])
        }))
    })
  }

  for (const driver of sqlDrivers) {
    describe(driver.name, () => {
      const onDatabase = Effect.provide(Layer.orDie(driver.layer))

      if (driver.name === "PostgreSQL") {
        it.effect("a statement that failed, and whose error was swallowed, is what fails the step (TX-1)", () =>
          Effect.gen(function*() {
            yield* table("target")
            const swallowing = Effect.ignore(insert("target", 200))
            for (
              const step of [
                Step.tasklet("swallowing", swallowing),
                Step.chunk("swallowing chunk", { ...makeWorld(2), chunkSize: 2 }).pipe(
                  Step.listen(Listener.step({ afterWrite: () => swallowing }))
                )
              ]
            ) {
              const { exit, status } = yield* runStep(step)
              assert.strictEqual(status, "FAILED")
              assert.deepInclude(yield* Effect.flip(exit), {
                _tag: "TransactionError",
                phase: "body",
                sqlState: "25P02"
              })
            }
          }).pipe(onDatabase))
      }

      it.effect("what a processor writes is rolled back with its chunk (D5)", () =>
        Effect.gen(function*() {
          yield* table("audit")
          const world = makeWorld(6, { process: [2], write: [5] })
          const step = Step.chunk("audited", {
            ...world,
            processor: (item: number) =>
              Effect.flatMap(insert("audit", item), () =>
                item === 2 ? Effect.fail(new Bad({ item })) : Effect.succeed(item)),
            chunkSize: 3
          }).pipe(Step.processInTransaction, Step.skip("Bad", { limit: 2 }))
          yield* runStep(step)
          assert.deepStrictEqual(world.written, [1, 3, 4, 6])
          assert.deepStrictEqual(yield* idsOf("audit"), [1, 3, 4, 6])
        }).pipe(onDatabase))

      it.effect("a refused statement of the only item: rolled back where the database has given up (FTC-13)", () =>
        Effect.gen(function*() {
          yield* table("target")
          const step = Step.chunk("load", {
            reader: ItemReader.fromIterable([1, 100, 2]),
            processor: (id: number) => Effect.succeed({ id }),
            writer: SqlItemWriter.insertInto("target"),
            chunkSize: 1
          }).pipe(Step.noRollback("SqlDataError"), Step.skip("SqlDataError", { limit: 1 }), Step.quarantine())
          const { counts: counted } = yield* runStep(step)
          assert.deepStrictEqual(
            counted,
            counts({ read: 3, write: 2, writeSkip: 1, commit: 3, rollback: driver.name === "PostgreSQL" ? 1 : 0 })
          )
          assert.deepStrictEqual(yield* idsOf("target"), [1, 2])
          const sql = yield* SqlClient.SqlClient
          assert.lengthOf(yield* sql`select * from batch_skipped_item`, 1)
        }).pipe(onDatabase))

      it.effect("so are the statements of a processor (FTC-8)", () =>
        Effect.gen(function*() {
          yield* table("target")
          const world = makeWorld(3)
          const step = Step.chunk("load", {
            ...world,
            processor: (item: number) => Effect.as(insert("target", item === 2 ? 200 : item), item),
            chunkSize: 3
          }).pipe(
            Step.processInTransaction,
            Step.noRollback("SqlDataError"),
            Step.skip("SqlDataError", { limit: 1 })
          )
          const { counts: counted } = yield* runStep(step)
          assert.deepStrictEqual(
            { ...counted, rollback: 0 },
            counts({ read: 3, write: 2, processSkip: 1, commit: 1 })
          )
          assert.strictEqual(counted.rollback > 0, driver.name === "PostgreSQL")
          assert.deepStrictEqual([world.written, yield* idsOf("target")], [[1, 3], [1, 3]])
        }).pipe(onDatabase))

      it.effect("a rollback returns items to the queue, a commit or a skip removes them (FTC-20, TX-5)", () =>
        Effect.gen(function*() {
          yield* table("queue")
          const sql = yield* SqlClient.SqlClient
          yield* sql`insert into queue values (1), (2), (3), (4), (5), (6), (7)`
          const world = makeWorld(0, { process: [2], write: [6] })
          const attempts: Array<ReadonlyArray<number>> = []
          const step = Step.chunk("consume", {
            ...world,
            reader: queue("queue", [4]),
            processor: (item: number) => item === 2 ? Effect.fail(new Bad({ item })) : Effect.succeed(item),
            chunkSize: 3
          }).pipe(
            Step.readInTransaction,
            Step.skip("Bad", { limit: 3 }),
            Step.quarantine(),
            Step.listen(Listener.step({
              beforeWrite: (items: ReadonlyArray<number>) => Effect.sync(() => void attempts.push(items))
            }))
          )
          const { counts: counted, status } = yield* runStep(step)
          assert.strictEqual(status, "COMPLETED")
          assert.deepStrictEqual(world.written, [1, 3, 5, 7])
          assert.deepStrictEqual(attempts, [[1, 3], [5, 6, 7], [5], [6], [7]])
          assert.deepStrictEqual(
            counted,
            counts({ read: 6, write: 4, readSkip: 1, processSkip: 1, writeSkip: 1, commit: 2, rollback: 3 })
          )
          assert.deepStrictEqual(yield* idsOf("queue"), [])
          assert.deepStrictEqual(
            (yield* sql<{ readonly phase: string }>`select phase from batch_skipped_item order by id`).map((
              { phase }
            ) => phase),
            ["process", "read", "write"]
          )
        }).pipe(onDatabase))

      it.effect("a step that fails leaves the rest in the queue (FTC-20)", () =>
        Effect.gen(function*() {
          yield* table("queue")
          const sql = yield* SqlClient.SqlClient
          yield* sql`insert into queue values (1), (2), (3), (4), (5)`
          const world = makeWorld(0, { write: [4], times: 1 })
          const step = Step.chunk("consume", { ...world, reader: queue("queue", []), chunkSize: 2 }).pipe(
            Step.readInTransaction
          )
          const first = yield* runStep(step)
          assert.deepStrictEqual(first.counts, counts({ read: 2, write: 2, commit: 1, rollback: 1 }))
          assert.deepStrictEqual(yield* idsOf("queue"), [3, 4, 5])
          const second = yield* runStep(step)
          assert.deepStrictEqual(second.counts, counts({ read: 3, write: 3, commit: 2 }))
          assert.deepStrictEqual([world.written, yield* idsOf("queue")], [[1, 2, 3, 4, 5], []])
        }).pipe(onDatabase))

      it.effect("without a transaction, items written before the failure stay (TX-4)", () =>
        Effect.gen(function*() {
          yield* table("target")
          const step = Step.chunk("bare", {
            ...makeWorld(2),
            writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
              Effect.zipRight(insert("target", items[0]!), Effect.fail("refused" as const))
            ),
            chunkSize: 2
          }).pipe(Step.withTransaction({ propagation: "notSupported" }))
          assert.strictEqual((yield* runStep(step)).status, "FAILED")
          assert.deepStrictEqual(yield* idsOf("target"), [1])
        }).pipe(onDatabase))
    })
  }
})

/** Takes rows out of a table, smallest first; those in `bad` cannot be read. */
const queue = (name: string, bad: ReadonlyArray<number>) =>
  ItemReader.make(name, () =>
    Effect.map(SqlClient.SqlClient, (sql) => ({
      pull: (_: number): Effect.Effect<ItemReader.Page<number, Bad>> =>
        sql<{ readonly id: number }>`
          delete from ${sql(name)} where id = (select min(id) from ${sql(name)}) returning id
        `.pipe(
          Effect.orDie,
          Effect.map(([row]) => ({
            items: row === undefined || bad.includes(row.id) ? [] : [row.id],
            position: null,
            failure: row !== undefined && bad.includes(row.id) ? Option.some(new Bad({ item: row.id })) : Option.none(),
            done: row === undefined
          }))
        )
    })))

describe("transactions on PostgreSQL", () => {
  const layer = Layer.orDie(Layer.provideMerge(SqlJobRepository.layer, Postgres.layer))

  it.effect("chunks and tasklet calls have the isolation level of the step (TX-1)", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const seen: Array<unknown> = []
      const look = Effect.map(Effect.orDie(sql`show transaction_isolation`), ([row]) => void seen.push(row))
      yield* runStep(
        Step.chunk("chunk", { ...makeWorld(1), writer: ItemWriter.fromFunction(() => look), chunkSize: 1 }).pipe(
          Step.withTransaction({ isolation: "serializable" })
        )
      )
      yield* runStep(Step.tasklet("tasklet", look).pipe(Step.withTransaction({ isolation: "repeatable read" })))
      yield* runStep(Step.tasklet("default", look))
      assert.deepStrictEqual(
        seen,
        ["serializable", "repeatable read", "read committed"].map((level) => ({
          transaction_isolation: level
        }))
      )
    }).pipe(Effect.provide(layer)))

  /** Each of two serializable transactions reads what the other one writes: the second to commit is refused. */
  const skewed = (when: "inside" | "at commit", retry: boolean) =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const { transact } = yield* Transactor.Transactor
      yield* sql`create table account (id int primary key, amount int not null)`
      yield* sql`insert into account values (1, 100), (2, 100)`
      let rivals = 1
      const rival = Effect.suspend(() =>
        rivals-- > 0
          ? transact(
            Effect.zipRight(
              sql`select sum(amount) from account`,
              sql`update account set amount = amount - 150 where id = 2`
            ),
            { isolation: "serializable", propagation: "requiresNew" }
          )
          : Effect.void
      )
      const writer = ItemWriter.fromFunction((_: ReadonlyArray<number>) =>
        refail("withdraw")(Effect.gen(function*() {
          const [row] = yield* sql<{ readonly sum: string }>`select sum(amount) from account`
          if (Number(row!.sum) >= 150) {
            yield* sql`update account set amount = amount - 150 where id = 1`
          }
        }))
      )
      const step = Step.chunk("withdraw", { reader: ItemReader.fromIterable([1]), writer, chunkSize: 1 }).pipe(
        Step.withTransaction({ isolation: "serializable" }),
        Step.retry("TransactionError", { times: retry ? 2 : 0 }),
        Step.listen(Listener.step({ beforeCommit: () => when === "inside" ? Effect.orDie(rival) : Effect.void }))
      )
      const result = yield* Effect.updateService(runStep(step), Transactor.Transactor, (real) => ({
        transact: (work, options) =>
          real.transact(when === "inside" ? work : Effect.zipLeft(work, Effect.orDie(rival)), options)
      }))
      const amounts = yield* sql<{ readonly amount: number }>`select amount from account order by id`
      return { ...result, amounts: amounts.map(({ amount }) => amount) }
    }).pipe(Effect.provide(layer))

  for (const when of ["inside", "at commit"] as const) {
    it.effect(`a serialization failure ${when} is a typed failure of the step (TX-1)`, () =>
      Effect.gen(function*() {
        const { amounts, counts: counted, exit, status } = yield* skewed(when, false)
        assert.strictEqual(status, "FAILED")
        const error = yield* Effect.flip(exit) as Effect.Effect<BatchError.TransactionError>
        assert.deepStrictEqual(
          [error._tag, error.reason, error.phase],
          ["TransactionError", "transient", when === "inside" ? "body" : "commit"]
        )
        assert.deepStrictEqual(counted, counts({ rollback: 1 }))
        assert.deepStrictEqual(amounts, [100, -50])
      }))

    it.effect(`a serialization failure ${when} may be retried, and sees what the other one wrote (TX-1)`, () =>
      Effect.gen(function*() {
        const { amounts, counts: counted, status } = yield* skewed(when, true)
        assert.strictEqual(status, "COMPLETED")
        assert.deepStrictEqual(counted, counts({ read: 1, write: 1, commit: 1, rollback: 1 }))
        assert.deepStrictEqual(amounts, [100, -50])
      }))
  }
})
