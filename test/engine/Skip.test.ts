import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type { BatchError } from "../../src/index.js"
import {
  Counts,
  ItemReader,
  ItemWriter,
  JobRepository,
  Listener,
  RetryPolicy,
  SkipPolicy,
  Step
} from "../../src/index.js"
import { SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import { drivers } from "../support/drivers.js"
import * as Postgres from "../support/Postgres.js"
import type { Trouble } from "./faults/world.js"
import { Bad, counts, makeWorld, runStep } from "./faults/world.js"

interface Scenario {
  readonly name: string
  readonly items: number
  readonly chunkSize: number
  readonly trouble: Trouble
  readonly limit: number
  readonly status: "COMPLETED" | "FAILED"
  readonly counts: Partial<Counts.Counts>
  readonly written: ReadonlyArray<number>
  /** Each item that could be read, once: no skip processes an item again. */
  readonly processed: ReadonlyArray<number>
}

/** What a step of these tests can fail with, which a policy is asked about. */
type Failure = Bad | BatchError.TransactionError

const itemOf = (error: Failure): number => error._tag === "Bad" ? error.item : NaN

const scenarios: ReadonlyArray<Scenario> = [
  {
    name: "two unreadable records and an unwritable one fit a limit of 3 (FT6-7, C51)",
    items: 6,
    chunkSize: 2,
    trouble: { read: [3, 5], write: [4] },
    limit: 3,
    status: "COMPLETED",
    counts: { read: 4, write: 3, commit: 2, rollback: 2, readSkip: 2, writeSkip: 1 },
    written: [1, 2, 6],
    processed: [1, 2, 4, 6]
  },
  {
    // One rollback, not two: a skipped record takes no place in its chunk, so the second bad record is met in reading.
    name: "two unreadable records exceed a limit of 1 (FT6-7, C51)",
    items: 6,
    chunkSize: 2,
    trouble: { read: [3, 5], write: [4] },
    limit: 1,
    status: "FAILED",
    counts: { read: 2, write: 2, commit: 1, rollback: 1 },
    written: [1, 2],
    processed: [1, 2]
  },
  {
    name: "a read skip costs no rollback and no place (FTC-1, C57)",
    items: 5,
    chunkSize: 2,
    trouble: { read: [2] },
    limit: 2,
    status: "COMPLETED",
    counts: { read: 4, write: 4, commit: 2, readSkip: 1 },
    written: [1, 3, 4, 5],
    processed: [1, 3, 4, 5]
  },
  {
    name: "a process skip costs no rollback (FT6-2, C58)",
    items: 5,
    chunkSize: 2,
    trouble: { process: [4] },
    limit: 2,
    status: "COMPLETED",
    counts: { read: 5, write: 4, commit: 3, processSkip: 1 },
    written: [1, 2, 3, 5],
    processed: [1, 2, 3, 4, 5]
  },
  {
    name: "a filtered item is not a skipped one (C58)",
    items: 5,
    chunkSize: 2,
    trouble: { filter: [4] },
    limit: 2,
    status: "COMPLETED",
    counts: { read: 5, write: 4, filter: 1, commit: 3 },
    written: [1, 2, 3, 5],
    processed: [1, 2, 3, 4, 5]
  },
  {
    name: "a write skip costs two rollbacks, and no item is processed twice (C59, C63)",
    items: 5,
    chunkSize: 2,
    trouble: { write: [4] },
    limit: 2,
    status: "COMPLETED",
    counts: { read: 5, write: 4, commit: 3, rollback: 2, writeSkip: 1 },
    written: [1, 2, 3, 5],
    processed: [1, 2, 3, 4, 5]
  },
  {
    name: "a bad read and a bad write share a limit of 1",
    items: 5,
    chunkSize: 2,
    trouble: { read: [2], write: [4] },
    limit: 1,
    status: "FAILED",
    counts: { read: 2, write: 2, commit: 1, rollback: 2, readSkip: 1 },
    written: [1, 3],
    processed: [1, 3, 4, 5]
  },
  {
    name: "a process skip in a single chunk costs no rollback (C69)",
    items: 5,
    chunkSize: 30,
    trouble: { process: [4] },
    limit: 10,
    status: "COMPLETED",
    counts: { read: 5, write: 4, commit: 1, processSkip: 1 },
    written: [1, 2, 3, 5],
    processed: [1, 2, 3, 4, 5]
  },
  {
    name: "a write skip in a single chunk costs two rollbacks (C69)",
    items: 5,
    chunkSize: 30,
    trouble: { write: [4] },
    limit: 10,
    status: "COMPLETED",
    counts: { read: 5, write: 4, commit: 1, rollback: 2, writeSkip: 1 },
    written: [1, 2, 3, 5],
    processed: [1, 2, 3, 4, 5]
  },
  {
    name: "all phases share the limit: ten skips are allowed (SKIP-4)",
    items: 20,
    chunkSize: 5,
    trouble: { read: [1, 2, 3, 4], process: [5, 6, 7], write: [8, 9, 10] },
    limit: 10,
    status: "COMPLETED",
    counts: { read: 16, write: 10, commit: 4, rollback: 6, readSkip: 4, processSkip: 3, writeSkip: 3 },
    written: [11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
    processed: [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
  },
  {
    name: "the eleventh skip fails the step (SKIP-4)",
    items: 20,
    chunkSize: 5,
    trouble: { read: [1, 2, 3, 4], process: [5, 6, 7, 12], write: [8, 9, 10] },
    limit: 10,
    status: "FAILED",
    counts: { read: 5, commit: 1, rollback: 6, readSkip: 4, processSkip: 3, writeSkip: 2 },
    written: [],
    processed: [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
  }
]

describe("skip", () => {
  for (const driver of drivers) {
    it.layer(Layer.orDie(driver.layer), { timeout: "5 minutes" })(driver.name, (it) => {
      for (const scenario of scenarios) {
        const { chunkSize, items, limit, name, processed, status, trouble } = scenario
        it.effect(name, () =>
          Effect.gen(function*() {
            const world = makeWorld(items, trouble)
            const result = yield* runStep(Step.chunk(name, { ...world, chunkSize }).pipe(Step.skip("Bad", { limit })))
            assert.strictEqual(result.status, status)
            assert.strictEqual(result.execution.status, status)
            assert.deepStrictEqual(world.written, scenario.written)
            assert.deepStrictEqual(world.processed, processed)
            assert.deepStrictEqual(result.counts, counts(scenario.counts))
            if (status === "FAILED") {
              const error = yield* Effect.flip(result.exit)
              assert.strictEqual(error._tag, "SkipLimitExceeded")
            }
          }))
      }
    })
  }

  const inMemory = Effect.provide(JobRepository.layerMemory)

  it.effect("a step without a policy fails at the first bad record (SKIP-1)", () =>
    Effect.gen(function*() {
      for (const phase of ["read", "process", "write"] as const) {
        const world = makeWorld(4, { [phase]: [3] })
        const { exit, status } = yield* runStep(Step.chunk(phase, { ...world, chunkSize: 2 }))
        assert.strictEqual(status, "FAILED")
        assert.deepStrictEqual(yield* Effect.flip(exit), new Bad({ item: 3 }))
        assert.deepStrictEqual(world.written, [1, 2])
      }
    }).pipe(inMemory))

  it.effect("a restart gets a fresh allowance, and continues after the last commit (SKIP-5)", () =>
    Effect.gen(function*() {
      const world = makeWorld(6, { write: [1, 4, 5] })
      const step = Step.chunk("fresh", { ...world, chunkSize: 2 }).pipe(Step.skip("Bad", { limit: 2 }))
      const first = yield* runStep(step)
      assert.deepStrictEqual([first.status, first.counts.writeSkip], ["FAILED", 2])
      const second = yield* runStep(step)
      assert.deepStrictEqual([second.status, second.counts.writeSkip], ["COMPLETED", 1])
      assert.deepStrictEqual(world.written, [2, 3, 6])
    }).pipe(inMemory))

  it.effect("a policy may be any composition, and the error names its limit in words (SKIP-2, SKIP-9)", () =>
    Effect.gen(function*() {
      const policy = SkipPolicy.or(
        SkipPolicy.fromSchedule(Schedule.recurs(1)).pipe(SkipPolicy.when((error: Failure) => itemOf(error) < 3)),
        SkipPolicy.limit(2).pipe(SkipPolicy.when((error: Failure) => itemOf(error) > 4))
      )
      const world = makeWorld(8, { process: [1, 5, 6, 7] })
      const step = Step.chunk("composed", { ...world, chunkSize: 4 }).pipe(Step.skipWith(policy))
      const { counts, exit } = yield* runStep(step)
      const error = yield* Effect.flip(exit)
      assert.strictEqual(counts.processSkip, 1)
      assert.isTrue(error._tag === "SkipLimitExceeded")
      const { cause, limit, skips } = error as BatchError.SkipLimitExceeded
      assert.deepStrictEqual([skips, cause], [3, new Bad({ item: 7 })])
      assert.include(String(limit), " or 2")
      assert.include(error.message, `its skip limit is ${limit}`)
      const unmatched = makeWorld(8, { process: [4] })
      const fails = yield* runStep(Step.chunk("unmatched", { ...unmatched, chunkSize: 4 }).pipe(Step.skipWith(policy)))
      assert.deepStrictEqual(yield* Effect.flip(fails.exit), new Bad({ item: 4 }))
    }).pipe(inMemory))

  it.effect("a defect is never skipped, whatever comes with it (LIFE-14)", () =>
    Effect.gen(function*() {
      const defect = new TypeError("undefined is not a number")
      const together = Effect.failCause(Cause.parallel(Cause.fail(new Bad({ item: 1 })), Cause.die(defect)))
      const places = {
        thrown: {
          processor: (): Effect.Effect<number, Bad> => {
            throw defect
          }
        },
        process: { processor: (): Effect.Effect<number, Bad> => Effect.die(defect) },
        together: { processor: (): Effect.Effect<number, Bad> => together },
        write: { writer: ItemWriter.fromFunction((_: ReadonlyArray<number>): Effect.Effect<void, Bad> => together) },
        read: { reader: ItemReader.make("broken", () => Effect.succeed({ pull: () => together })) }
      }
      for (const [name, place] of Object.entries(places)) {
        const world = makeWorld(4)
        const step = Step.chunk(
          name,
          { ...world, ...place, chunkSize: 2 } as ReturnType<typeof makeWorld> & {
            readonly chunkSize: number
          }
        ).pipe(Step.retryWith(RetryPolicy.recurs(3)), Step.skipWith(SkipPolicy.always))
        const { counts, exit, status, step: stored } = yield* runStep(step)
        assert.strictEqual(status, "FAILED", name)
        assert.isTrue(exit._tag === "Failure" && Cause.isDie(exit.cause), name)
        assert.strictEqual(Counts.skips(counts), 0, name)
        assert.deepStrictEqual(world.written, [])
        assert.strictEqual(stored.exitStatus.code, "FAILED", name)
      }
    }).pipe(inMemory))

  it.effect("an interruption is never skipped, it stops the step (LIFE-14)", () =>
    Effect.gen(function*() {
      const world = makeWorld(4)
      const step = Step.chunk("interrupted", {
        ...world,
        processor: (item: number): Effect.Effect<number, Bad> => item === 3 ? Effect.interrupt : Effect.succeed(item),
        chunkSize: 2
      }).pipe(Step.skipWith(SkipPolicy.always))
      const { counts: counted, status } = yield* runStep(step)
      assert.strictEqual(status, "STOPPED")
      assert.deepStrictEqual(counted, counts({ read: 2, write: 2, commit: 1, rollback: 1 }))
    }).pipe(inMemory))

  it.effect("a policy that throws fails the step (SKIP-11)", () =>
    Effect.gen(function*() {
      const policy = SkipPolicy.limit(10).pipe(SkipPolicy.when((error: Failure) => {
        throw new Error(`no idea about ${itemOf(error)}`)
      }))
      for (const phase of ["read", "process", "write"] as const) {
        const world = makeWorld(2, { [phase]: [1] })
        const step = Step.chunk(phase, { ...world, chunkSize: 2 }).pipe(Step.skipWith(policy))
        const { exit, status, step: stored } = yield* runStep(step)
        assert.strictEqual(status, "FAILED")
        assert.isTrue(exit._tag === "Failure" && Cause.isDie(exit.cause))
        assert.include(stored.exitStatus.messages.join(), "no idea about 1")
      }
    }).pipe(inMemory))

  it.effect("a permanently broken source reaches the limit, and its skips are durable on the way (FTC-4)", () =>
    Effect.gen(function*() {
      let heard = 0
      const step = Step.chunk("broken source", {
        reader: ItemReader.make("broken", () => Effect.succeed({ pull: () => Effect.fail(new Bad({ item: 0 })) })),
        writer: ItemWriter.discard,
        chunkSize: 10
      }).pipe(
        Step.skip("Bad", { limit: 250 }),
        Step.listen(Listener.step({ onSkipInRead: () => Effect.sync(() => void heard++) }))
      )
      const { counts: counted, status } = yield* runStep(step)
      assert.strictEqual(status, "FAILED")
      assert.deepStrictEqual(counted, counts({ readSkip: 200, rollback: 1 }))
      assert.strictEqual(heard, 200)
    }).pipe(inMemory))

  for (const phase of ["read", "write"] as const) {
    it.effect(`a skip listener that fails, fails the step, and the skip does not count: ${phase} (C64, OWN-9)`, () =>
      Effect.gen(function*() {
        const world = makeWorld(6, { [phase]: phase === "read" ? [1, 2] : [2] })
        const oops = (): Effect.Effect<void, Error> => Effect.fail(new Error("oops"))
        const step = Step.chunk(`listener ${phase}`, { ...world, chunkSize: 3 }).pipe(
          Step.skipWith(SkipPolicy.always),
          Step.listen(Listener.step({ onSkipInRead: oops, onSkipInWrite: oops }))
        )
        const { counts, exit, status } = yield* runStep(step)
        assert.strictEqual(status, "FAILED")
        assert.strictEqual((yield* Effect.flip(exit)).message, "oops")
        assert.strictEqual(counts[`${phase}Skip`], 0)
      }).pipe(inMemory))
  }
})

describe("skip on PostgreSQL", () => {
  const layer = Layer.orDie(Layer.provideMerge(SqlJobRepository.layer, Postgres.layer))

  for (const order of ["bisect", "one-by-one"] as const) {
    it.effect(`ten lines, one unreadable, eight that violate the column; ${order} (FT-90)`, () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`create table person (id int primary key, name varchar(4) not null)`
        const world = makeWorld(10, { read: [4] })
        const step = Step.chunk("load", {
          reader: world.reader,
          processor: (id: number) => Effect.succeed({ id, name: id === 7 ? "Ada" : `too long ${id}` }),
          writer: SqlItemWriter.insertInto("person"),
          chunkSize: 10
        }).pipe(Step.scan(order), Step.skip(["Bad", "SqlDataError"], { limit: 9 }))
        const { counts: counted, status } = yield* runStep(step)
        assert.strictEqual(status, "COMPLETED")
        assert.deepStrictEqual(
          { ...counted, rollback: 0 },
          counts({ read: 9, readSkip: 1, write: 1, writeSkip: 8, commit: 1 })
        )
        assert.deepStrictEqual(yield* sql`select id, name from person`, [{ id: 7, name: "Ada" }])
      }).pipe(Effect.provide(layer)))
  }
})
