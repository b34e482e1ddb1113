import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import {
  BatchError,
  ItemReader,
  ItemWriter,
  JobRepository,
  Listener,
  RetryPolicy,
  SkipPolicy,
  Step,
  Transactor
} from "../../src/index.js"
import { drivers } from "../support/drivers.js"
import type { Trouble } from "./faults/world.js"
import { Bad, counts, makeWorld, runStep } from "./faults/world.js"

const inMemory = Effect.provide(JobRepository.layerMemory)

interface Scenario {
  readonly name: string
  readonly trouble: Trouble
  readonly times: number
  readonly status: "COMPLETED" | "FAILED"
  readonly counts: Parameters<typeof counts>[0]
  /** How often the writer was called. */
  readonly writes: number
  readonly processed: number
}

/** Three items in one chunk. */
const scenarios: ReadonlyArray<Scenario> = [
  {
    name: "exhausted and not skippable (C54)",
    trouble: { write: [2] },
    times: 3,
    status: "FAILED",
    counts: { rollback: 4 },
    writes: 4,
    processed: 3
  },
  {
    name: "not retryable (RETRY-6, C54)",
    trouble: { write: [2] },
    times: 0,
    status: "FAILED",
    counts: { rollback: 1 },
    writes: 1,
    processed: 3
  },
  {
    name:
      "two failures, then it succeeds; each is rolled back (D3), nothing is processed again (RETRY-3, C66, C67, D5)",
    trouble: { write: [2], times: 2 },
    times: 3,
    status: "COMPLETED",
    counts: { read: 3, write: 3, commit: 1, rollback: 2 },
    writes: 3,
    processed: 3
  },
  {
    name: "processing that succeeds after retries leaves no trace in the counts (RETRY-8)",
    trouble: { process: [1, 3], times: 3 },
    times: 3,
    status: "COMPLETED",
    counts: { read: 3, write: 3, commit: 1 },
    writes: 1,
    processed: 9
  },
  {
    name: "the limit counts the retries, not the attempts (RETRY-3)",
    trouble: { process: [2] },
    times: 3,
    status: "FAILED",
    counts: { rollback: 1 },
    writes: 0,
    processed: 5
  }
]

describe("retry", () => {
  for (const driver of drivers) {
    it.layer(Layer.orDie(driver.layer), { timeout: "5 minutes" })(driver.name, (it) => {
      for (const scenario of scenarios) {
        const { name, processed, status, times, trouble, writes } = scenario
        it.effect(name, () =>
          Effect.gen(function*() {
            const world = makeWorld(3, trouble)
            const step = Step.chunk(name, { ...world, chunkSize: 3 }).pipe(Step.retry("Bad", { times }))
            const result = yield* runStep(step)
            assert.strictEqual(result.status, status)
            assert.deepStrictEqual(result.counts, counts(scenario.counts))
            assert.strictEqual(world.writes.length, writes)
            assert.strictEqual(world.processed.length, processed)
            assert.deepStrictEqual(world.written, status === "COMPLETED" ? [1, 2, 3] : [])
          }))
      }
    })
  }

  it.effect("a read that fails is retried where it is, but only when asked (D4)", () =>
    Effect.gen(function*() {
      for (const [times, status] of [[0, "FAILED"], [1, "FAILED"], [2, "COMPLETED"]] as const) {
        let failures = 2
        const world = makeWorld(4)
        const reader = ItemReader.make("flaky", (from) =>
          Effect.map(world.reader.open(from), (source) => ({
            pull: (max: number) =>
              Effect.suspend((): Effect.Effect<ItemReader.Page<number, Bad>, Bad> =>
                world.pulls.length === 1 && failures-- > 0 ? Effect.fail(new Bad({ item: 3 })) : source.pull(max)
              )
          })))
        const step = Step.chunk(`read ${times}`, { ...world, reader, chunkSize: 2 }).pipe(Step.retry("Bad", { times }))
        const result = yield* runStep(step)
        assert.strictEqual(result.status, status)
        assert.deepStrictEqual(
          result.counts,
          counts(
            status === "COMPLETED" ? { read: 4, write: 4, commit: 2 } : { read: 2, write: 2, commit: 1, rollback: 1 }
          )
        )
      }
    }).pipe(inMemory))

  it.effect("a read inside its transaction is retried with that, and the tries are counted over all of them (FTC-20)", () =>
    Effect.gen(function*() {
      for (const [times, status] of [[0, "FAILED"], [1, "FAILED"], [2, "COMPLETED"]] as const) {
        // The read behind two records fails twice, that behind four once.
        const failures = new Map([[2, 2], [4, 1]])
        let read = 0
        const world = makeWorld(6)
        const reader = ItemReader.make("flaky", (from) =>
          Effect.map(world.reader.open(from), (source) => ({
            pull: (max: number) =>
              Effect.suspend((): Effect.Effect<ItemReader.Page<number, Bad>, Bad> => {
                const left = failures.get(read) ?? 0
                failures.set(read, left - 1)
                return left > 0
                  ? Effect.fail(new Bad({ item: read + 1 }))
                  : Effect.tap(source.pull(max), (page) =>
                    Effect.sync(() => {
                      read += page.items.length
                    }))
              })
          })))
        const step = Step.chunk(`read inside ${times}`, { ...world, reader, chunkSize: 2 }).pipe(
          Step.readInTransaction,
          Step.retry("Bad", { times })
        )
        const result = yield* runStep(step)
        assert.deepStrictEqual([result.status, result.counts.rollback, result.counts.write], [
          status,
          status === "COMPLETED" ? 3 : times + 1,
          status === "COMPLETED" ? 6 : 2
        ])
      }
    }).pipe(inMemory))

  it.effect("a read inside its transaction that succeeded in between is tried anew as often (FTC-20)", () =>
    Effect.gen(function*() {
      let [pulls, writes] = [0, 0]
      const world = makeWorld(2)
      const reader = ItemReader.make("flaky", (from) =>
        Effect.map(world.reader.open(from), (source) => ({
          pull: (max: number) =>
            Effect.suspend((): Effect.Effect<ItemReader.Page<number, Bad>, Bad> =>
              [1, 3].includes(++pulls) ? Effect.fail(new Bad({ item: 1 })) : source.pull(max)
            )
        })))
      const writer = ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
        Effect.suspend(() => ++writes === 1 ? Effect.fail(new Bad({ item: items[0]! })) : Effect.void)
      )
      const step = Step.chunk("read, written, read", { reader, writer, chunkSize: 2 }).pipe(
        Step.readInTransaction,
        Step.retry("Bad", { times: 1 })
      )
      const { counts: counted, status } = yield* runStep(step)
      assert.strictEqual(status, "COMPLETED")
      assert.deepStrictEqual(counted, counts({ read: 2, write: 2, commit: 1, rollback: 3 }))
    }).pipe(inMemory))

  it.effect("a step tries again only so often, all items together; then each failure is skipped or fails (OWN-28)", () =>
    Effect.gen(function*() {
      for (
        const [limit, attempts] of [[0, [1, 2, 3]], [3, [1, 1, 1, 2, 2, 3]], [100, [
          1,
          1,
          1,
          2,
          2,
          2,
          3,
          3,
          3
        ]]] as const
      ) {
        const world = makeWorld(3, { process: [1, 2, 3] })
        const step = Step.chunk(`at most ${limit}`, { ...world, chunkSize: 1 }).pipe(
          Step.retry("Bad", { times: 2 }),
          Step.retryLimit(limit),
          Step.skip("Bad", { limit: 3 })
        )
        const { counts: counted, status } = yield* runStep(step)
        assert.deepStrictEqual([status, world.processed, counted.processSkip], ["COMPLETED", [...attempts], 3])
      }
      const world = makeWorld(3, { write: [2] })
      const failed = yield* runStep(
        Step.chunk("writes", { ...world, chunkSize: 1 }).pipe(Step.retry("Bad", { times: 9 }), Step.retryLimit(2))
      )
      assert.deepStrictEqual([failed.status, failed.counts.rollback], ["FAILED", 3])
      assert.throws(
        () => Step.retryLimit(Step.chunk("wrong", { ...world, chunkSize: 1 }), 1.5),
        "the retry limit of step \"wrong\" must be a whole number of at least 0, not 1.5"
      )
    }).pipe(inMemory))

  it.effect("a listener hears which read is tried again (OWN-28)", () =>
    Effect.gen(function*() {
      const heard: Array<unknown> = []
      let isFirst = true
      const world = makeWorld(2)
      const reader = ItemReader.make("flaky", (from) =>
        Effect.map(world.reader.open(from), (source) => ({
          ...source,
          pull: (max: number): Effect.Effect<ItemReader.Page<number, Bad>, Bad> => {
            const fails = isFirst
            isFirst = false
            return fails ? Effect.fail(new Bad({ item: 1 })) : source.pull(max)
          }
        })))
      yield* runStep(
        Step.chunk("reads", { ...world, reader, chunkSize: 1 }).pipe(
          Step.retry("Bad", { times: 1 }),
          Step.listen(Listener.step({ onRetry: (_, retry) => Effect.sync(() => void heard.push(retry)) }))
        )
      )
      assert.deepStrictEqual(heard, [{ phase: "read", items: [], attempt: 1 }])
    }).pipe(inMemory))

  it.effect("an exhausted retry goes to the skip policy, and each item and each write has its own attempts (RETRY-5)", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const world = makeWorld(4, { process: [1, 2], write: [4] })
      const step = Step.chunk("exhausted", { ...world, chunkSize: 2 }).pipe(
        Step.retry("Bad", { times: 1 }),
        Step.skip("Bad", { limit: 3 }),
        Step.listen(Listener.step({
          onRetry: (_, { attempt, items, phase }) =>
            Effect.sync(() => void heard.push(`retry ${phase} ${items} ${attempt}`)),
          onProcessError: (item: number) => Effect.sync(() => void heard.push(`process error ${item}`)),
          onSkipInProcess: (item: number) => Effect.sync(() => void heard.push(`skip ${item}`)),
          onWriteError: (_, items: ReadonlyArray<number>) => Effect.sync(() => void heard.push(`write error ${items}`)),
          onSkipInWrite: (item: number) => Effect.sync(() => void heard.push(`skip ${item}`))
        }))
      )
      const { counts: counted } = yield* runStep(step)
      assert.deepStrictEqual(heard, [
        "retry process 1 1",
        "process error 1",
        "retry process 2 1",
        "process error 2",
        "skip 1",
        "skip 2",
        "retry write 3,4 1",
        "write error 3,4",
        "skip 4"
      ])
      assert.deepStrictEqual(world.processed, [1, 1, 2, 2, 3, 4])
      assert.deepStrictEqual(
        counted,
        counts({ read: 4, write: 1, processSkip: 2, writeSkip: 1, commit: 1 + 1, rollback: 3 })
      )
    }).pipe(inMemory))

  it.effect("`while` and `schedule` look at the error", () =>
    Effect.gen(function*() {
      const world = makeWorld(2, { process: [1], times: 2 })
      const refused = Step.chunk("refused", { ...world, chunkSize: 2 }).pipe(
        Step.retry("Bad", { times: 5, while: (error) => error.item !== 1 })
      )
      assert.strictEqual((yield* runStep(refused)).status, "FAILED")
      const until = Schedule.recurWhile((error: Bad) => error.item === 1)
      const accepted = Step.chunk("accepted", { ...world, chunkSize: 2 }).pipe(Step.retry("Bad", { schedule: until }))
      assert.strictEqual((yield* runStep(accepted)).status, "COMPLETED")
    }).pipe(inMemory))

  it.effect("no transaction is open during the pause (FTC-21, D3)", () =>
    Effect.gen(function*() {
      let open = 0
      const failed = yield* Deferred.make<void>()
      const world = makeWorld(2, { write: [1], times: 1 })
      const step = Step.chunk("pause", { ...world, chunkSize: 2 }).pipe(
        Step.retry("Bad", { schedule: Schedule.intersect(Schedule.spaced("1 hour"), Schedule.recurs(1)) }),
        Step.listen(Listener.step({ beforeWrite: () => Deferred.succeed(failed, undefined) }))
      )
      const fiber = yield* Effect.fork(
        Effect.updateService(runStep(step), Transactor.Transactor, ({ transact }) => ({
          transact: (work, options) =>
            Effect.acquireUseRelease(
              Effect.sync(() => void open++),
              () => transact(work, options),
              () => Effect.sync(() => void open--)
            )
        }))
      )
      yield* Deferred.await(failed)
      yield* TestClock.adjust("59 minutes")
      assert.deepStrictEqual([open, world.writes.length], [0, 1])
      yield* TestClock.adjust("1 minute")
      const { counts: counted } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(counted, counts({ read: 2, write: 2, commit: 1, rollback: 1 }))
    }).pipe(inMemory))

  it.effect("a defect gets one attempt, as does an error that the policy does not name (FTC-14, LIFE-14, C67)", () =>
    Effect.gen(function*() {
      let attempts = 0
      const writer = (fail: Effect.Effect<never, Bad | "other">) =>
        ItemWriter.fromFunction((_: ReadonlyArray<number>) => Effect.suspend(() => (attempts++, fail)))
      for (const fail of [Effect.die(new RangeError("out of memory")), Effect.fail("other" as const)]) {
        attempts = 0
        const step = Step.chunk(`attempt ${fail}`, { reader: makeWorld(1).reader, writer: writer(fail), chunkSize: 1 })
          .pipe(Step.retry("Bad", { times: 5 }))
        const result = yield* runStep(step)
        assert.deepStrictEqual([result.status, result.counts], ["FAILED", counts({ rollback: 1 })])
        assert.strictEqual(attempts, 1)
      }
    }).pipe(inMemory))

  const failingCommits = (times: number, phase: "begin" | "commit") => {
    let left = times
    return <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.updateService(effect, Transactor.Transactor, ({ transact }) => ({
        transact: (work, options) => {
          const fails = Effect.suspend(() =>
            left-- > 0
              ? Effect.fail(new BatchError.TransactionError({ reason: "transient", phase, cause: new Error("40001") }))
              : Effect.void
          )
          return transact(phase === "begin" ? Effect.zipRight(fails, work) : Effect.zipLeft(work, fails), options)
        }
      }))
  }

  for (const phase of ["begin", "commit"] as const) {
    it.effect(`a transaction that fails in its ${phase} is retried only when it is named (SKIP-8)`, () =>
      Effect.gen(function*() {
        const world = makeWorld(4)
        const unnamed = Step.chunk("unnamed", { ...world, chunkSize: 2 }).pipe(
          Step.retryWith(RetryPolicy.recurs(5)),
          Step.skipWith(SkipPolicy.always)
        )
        const first = yield* failingCommits(1, phase)(runStep(unnamed))
        assert.strictEqual((yield* Effect.flip(first.exit) as Effect.Effect<any>)._tag, "TransactionError")
        assert.deepStrictEqual(first.counts, counts({ rollback: 1 }))
        assert.deepStrictEqual(world.written, [])

        const named = Step.chunk("named", { ...world, chunkSize: 2 }).pipe(Step.retry("TransactionError", { times: 2 }))
        const second = yield* failingCommits(2, phase)(runStep(named))
        assert.deepStrictEqual(second.counts, counts({ read: 4, write: 4, commit: 2, rollback: 2 }))
        assert.deepStrictEqual(world.written, [1, 2, 3, 4])
      }).pipe(inMemory))
  }

  it.effect("a commit that happened although its answer was lost is not repeated", () =>
    Effect.gen(function*() {
      let lose = true
      const world = makeWorld(4)
      const step = Step.chunk("lost", { ...world, chunkSize: 2 })
      const { counts: counted } = yield* Effect.updateService(
        runStep(step),
        Transactor.Transactor,
        ({ transact }) => ({
          transact: (work, options) =>
            Effect.zipLeft(
              transact(work, options),
              Effect.suspend(() => {
                if (!lose) {
                  return Effect.void
                }
                lose = false
                return Effect.fail(
                  new BatchError.TransactionError({ reason: "transient", phase: "commit", cause: new Error("reset") })
                )
              })
            )
        })
      )
      assert.deepStrictEqual(counted, counts({ read: 4, write: 4, commit: 2 }))
      assert.deepStrictEqual(world.written, [1, 2, 3, 4])
    }).pipe(inMemory))

  it.effect("several items of a chunk are retried at once when they are processed at once, their order is kept", () =>
    Effect.gen(function*() {
      const world = makeWorld(6, { process: [1, 4, 6], filter: [5], times: 2 })
      const step = Step.chunk("concurrent", { ...world, chunkSize: 6, concurrency: 3 }).pipe(
        Step.retry("Bad", { times: 2 })
      )
      const { counts: counted } = yield* runStep(step)
      assert.deepStrictEqual(counted, counts({ read: 6, write: 5, filter: 1, commit: 1 }))
      assert.deepStrictEqual(world.written, [1, 2, 3, 4, 6])
      assert.lengthOf(world.processed, 12)
    }).pipe(inMemory))
})
