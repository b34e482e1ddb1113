import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import {
  BatchError,
  ItemReader,
  ItemWriter,
  JobOperator,
  JobRepository,
  Listener,
  RetryPolicy,
  Step,
  Transactor
} from "../../src/index.js"
import { drivers } from "../support/drivers.js"
import { Bad, counts, makeWorld, runStep } from "./faults/world.js"

const inMemory = Effect.provide(JobRepository.layerMemory)

/** How often a transaction is begun. */
const countingTransactions = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  let transactions = 0
  return Effect.map(
    Effect.updateService(effect, Transactor.Transactor, ({ transact }) => ({
      transact: (work, options) => {
        transactions++
        return transact(work, options)
      }
    })),
    (result) => ({ result, transactions })
  )
}

/** The numbers 1 to 5, of which 4 is unreadable: in the page of 3 when the source is greedy, else in the next one. */
const raggedSource = (from: Option.Option<ItemReader.Position>, greedy: boolean) =>
  Effect.sync(() => {
    let next = Option.match(from, { onNone: () => 1, onSome: Number })
    return {
      pull: (max: number): Effect.Effect<ItemReader.Page<number, Bad>> =>
        Effect.sync(() => {
          const items: Array<number> = []
          while (items.length < max && next <= 5 && next !== 4) {
            items.push(next++)
          }
          const bad = next === 4 && (items.length < max || greedy)
          next += bad ? 1 : 0
          return {
            items,
            position: next,
            failure: bad ? Option.some(new Bad({ item: 4 })) : Option.none(),
            done: next > 5
          }
        })
    }
  })

interface Scenario {
  readonly name: string
  readonly items: number
  readonly bad: ReadonlyArray<number>
  readonly order: "bisect" | "one-by-one"
  readonly write: number
  readonly rollback: number
  readonly writes: ReadonlyArray<ReadonlyArray<number>>
}

const scenarios: ReadonlyArray<Scenario> = [
  {
    name: "three items, the last two are bad (FT6-6, C55)",
    items: 3,
    bad: [2, 3],
    order: "one-by-one",
    write: 1,
    rollback: 3,
    writes: [[1, 2, 3], [1], [2], [3]]
  },
  {
    name: "five items, the third is bad (C55)",
    items: 5,
    bad: [3],
    order: "one-by-one",
    write: 4,
    rollback: 2,
    writes: [[1, 2, 3, 4, 5], [1], [2], [3], [4], [5]]
  },
  {
    name: "three items, all are bad (C55)",
    items: 3,
    bad: [1, 2, 3],
    order: "one-by-one",
    write: 0,
    rollback: 4,
    writes: [[1, 2, 3], [1], [2], [3]]
  },
  {
    name: "by halves: a clean half is written at once, and proves that the bad item is in the other one",
    items: 8,
    bad: [6],
    order: "bisect",
    write: 7,
    rollback: 3,
    writes: [[1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4], [5, 6], [5], [6], [7, 8]]
  },
  {
    name: "by halves: what is behind a bad item is written at once",
    items: 8,
    bad: [1],
    order: "bisect",
    write: 7,
    rollback: 4,
    writes: [[1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4], [1, 2], [1], [2], [3, 4], [5, 6, 7, 8]]
  }
]

describe("the search for bad items", () => {
  for (const driver of drivers) {
    it.layer(Layer.orDie(driver.layer), { timeout: "5 minutes" })(driver.name, (it) => {
      for (const { bad, items, name, order, rollback, write, writes } of scenarios) {
        it.effect(name, () =>
          Effect.gen(function*() {
            const world = makeWorld(items, { write: bad })
            const step = Step.chunk(name, { ...world, chunkSize: 10 }).pipe(
              Step.scan(order),
              Step.skip("Bad", { limit: 10 })
            )
            const result = yield* runStep(step)
            assert.strictEqual(result.status, "COMPLETED")
            assert.deepStrictEqual(
              result.counts,
              counts({ read: items, write, writeSkip: bad.length, rollback, commit: 1 })
            )
            assert.deepStrictEqual(world.writes, writes)
            assert.deepStrictEqual(
              world.written,
              Array.from({ length: items }, (_, i) => i + 1).filter((item) => !bad.includes(item))
            )
          }))
      }

      it.effect("a step that fails in the middle continues there, and reports each skip once (FTC-16)", () =>
        Effect.gen(function*() {
          const heard: Array<string> = []
          const world = makeWorld(9, { read: [10], process: [2, 7], filter: [4, 8], write: [3, 9] })
          let broken = true
          const step = Step.chunk("halfway", {
            ...world,
            writer: ItemWriter.make("breaks down", {
              delivery: "transactional",
              open: (state) =>
                Effect.map(world.writer.open(state), (sink) => ({
                  write: (items: ReadonlyArray<number>): Effect.Effect<void, Bad | "down"> =>
                    broken && items[0] === 6 ? Effect.fail("down" as const) : sink.write(items)
                }))
            }),
            chunkSize: 9
          }).pipe(
            Step.scan("one-by-one"),
            Step.skip("Bad", { limit: 4 }),
            Step.listen(Listener.step({
              onSkipInProcess: (item: number) => Effect.sync(() => void heard.push(`process ${item}`)),
              onSkipInWrite: (item: number) => Effect.sync(() => void heard.push(`write ${item}`))
            }))
          )
          const first = yield* runStep(step)
          assert.strictEqual(first.status, "FAILED")
          assert.strictEqual(yield* Effect.flip(first.exit), "down")
          assert.deepStrictEqual(world.written, [1, 5])
          assert.deepStrictEqual(heard, ["process 2", "write 3"])
          broken = false
          world.processed.length = 0
          world.writes.length = 0
          const second = yield* runStep(step)
          assert.strictEqual(second.status, "COMPLETED")
          assert.deepStrictEqual(world.processed, [6, 7, 8, 9])
          assert.deepStrictEqual(world.writes, [[6], [9]], "it is still a search, one by one")
          assert.deepStrictEqual(world.written, [1, 5, 6])
          assert.deepStrictEqual(heard, ["process 2", "write 3", "process 7", "write 9"])
          const { filter, read, write } = second.counts
          assert.deepStrictEqual({ filter, read, write }, { filter: 1, read: 0, write: 1 })
          assert.strictEqual(first.counts.filter, 1)
        }))
    })
  }

  it.effect.each(
    [
      ["each part of a search may be retried as often as the policy allows", [1, 1, 1, 1], "COMPLETED"],
      ["one part of a search may not be retried more often than the policy allows", [1, 1, 2, 0], "FAILED"],
      ["the whole chunk may not be retried more often than the policy allows", [2, 0, 0, 0], "FAILED"]
    ] as const
  )("%s (RETRY-3)", ([, failures, status]) =>
    Effect.gen(function*() {
      // The whole chunk of 1 to 3, and then each of them alone.
      const left = new Map<string, number>(["1,2,3", "1", "2", "3"].map((items, index) => [items, failures[index]!]))
      const world = makeWorld(3, { write: [2] })
      const step = Step.chunk("retried", {
        ...world,
        writer: ItemWriter.make("busy", {
          delivery: "transactional",
          open: (state) =>
            Effect.map(world.writer.open(state), (sink) => ({
              write: (items: ReadonlyArray<number>): Effect.Effect<void, Bad | "busy"> =>
                Effect.suspend((): Effect.Effect<void, Bad | "busy"> => {
                  const times = left.get(String(items)) ?? 0
                  left.set(String(items), times - 1)
                  return times > 0 ? Effect.fail("busy" as const) : sink.write(items)
                })
            }))
        }),
        chunkSize: 3
      }).pipe(
        Step.scan("one-by-one"),
        Step.skip("Bad", { limit: 1 }),
        Step.retryWith(RetryPolicy.when(RetryPolicy.recurs(1), (error) => error === "busy"))
      )
      const { counts: counted, status: ended } = yield* runStep(step)
      assert.strictEqual(ended, status)
      if (status === "COMPLETED") {
        assert.deepStrictEqual(world.written, [1, 3])
        assert.deepStrictEqual(counted, counts({ read: 3, write: 2, writeSkip: 1, commit: 1, rollback: 6 }))
      }
    }).pipe(inMemory))

  it.effect("a commit that is refused without a single item to blame fails the step, whatever may be skipped (SKIP-8)", () =>
    Effect.gen(function*() {
      const world = makeWorld(3, { filter: [1, 2, 3] })
      const step = Step.chunk("filtered", { ...world, chunkSize: 3 }).pipe(
        Step.skip(["Bad", "TransactionError"], { limit: 10 })
      )
      const refusing = runStep(step).pipe(
        Effect.updateService(Transactor.Transactor, ({ transact }) => ({
          transact: (work, options) =>
            transact(
              Effect.zipRight(
                work,
                Effect.fail(new BatchError.TransactionError({ reason: "data", phase: "body", cause: "refused" }))
              ),
              options
            )
        }))
      )
      const { counts: counted, status } = yield* refusing
      assert.strictEqual(status, "FAILED")
      assert.deepStrictEqual(counted, counts({ rollback: 1 }))
    }).pipe(inMemory))

  it.effect("one bad row in a chunk of 1,000 costs at most 2 log2 n + 2 transactions", () =>
    Effect.gen(function*() {
      for (const bad of [1, 2, 500, 501, 737, 999, 1000]) {
        const world = makeWorld(1000, { write: [bad] })
        const step = Step.chunk(`bad ${bad}`, { ...world, chunkSize: 1000 }).pipe(Step.skip("Bad", { limit: 1 }))
        const { result, transactions } = yield* countingTransactions(runStep(step))
        assert.deepStrictEqual([result.counts.write, result.counts.writeSkip], [999, 1])
        assert.isAtMost(transactions, Math.ceil(2 * Math.log2(1000)) + 2)
        assert.strictEqual(world.writes.length, bad === 1000 ? transactions - 1 : transactions)
      }
    }).pipe(inMemory))

  for (const greedy of [true, false]) {
    it.effect(
      `a bad record after a half-written chunk is skipped once, ${
        greedy ? "as a part of it" : "in the next one"
      } (FT6-9)`,
      () =>
        Effect.gen(function*() {
          const heard: Array<string> = []
          const world = makeWorld(5, { read: [4], write: [2] })
          let opened = 0
          let broken = true
          const step = Step.chunk("ragged", {
            // A second opening, after the failure, pages the other way.
            reader: ItemReader.make("ragged", (from) => raggedSource(from, (opened++ === 0) === greedy)),
            writer: ItemWriter.make("breaks down", {
              delivery: "transactional",
              open: (state) =>
                Effect.map(world.writer.open(state), (sink) => ({
                  write: (items: ReadonlyArray<number>): Effect.Effect<void, Bad | "down"> =>
                    broken && items[0] === 3 ? Effect.fail("down" as const) : sink.write(items)
                }))
            }),
            chunkSize: 3
          }).pipe(
            Step.scan("one-by-one"),
            Step.skip("Bad", { limit: 4 }),
            Step.listen(Listener.step({ onSkipInRead: (error) => Effect.sync(() => void heard.push(String(error))) }))
          )
          const first = yield* runStep(step)
          assert.deepStrictEqual([first.status, world.written, heard.length], ["FAILED", [1], greedy ? 1 : 0])
          broken = false
          const second = yield* runStep(step)
          assert.deepStrictEqual([second.status, world.written, heard.length], ["COMPLETED", [1, 3, 5], 1])
          assert.strictEqual(first.counts.readSkip + second.counts.readSkip, 1)
          assert.strictEqual(first.counts.read + second.counts.read, 4)
        }).pipe(inMemory)
    )
  }

  it.effect("for its listeners the search is one chunk: one beforeChunk, one afterChunk with the written items", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const hear = (name: string) => (items: ReadonlyArray<number>) =>
        Effect.sync(() => void heard.push(`${name} ${items}`))
      const world = makeWorld(4, { write: [2] })
      const step = Step.chunk("listened", { ...world, chunkSize: 4 }).pipe(
        Step.skip("Bad", { limit: 1 }),
        Step.listen(Listener.step({
          beforeChunk: hear("beforeChunk"),
          beforeWrite: hear("beforeWrite"),
          afterWrite: hear("afterWrite"),
          beforeCommit: hear("beforeCommit"),
          afterChunk: hear("afterChunk"),
          onWriteError: (error: unknown, items: ReadonlyArray<number>) =>
            Effect.sync(() => void heard.push(`onWriteError ${items}: ${(error as Bad).message}`))
        }))
      )
      yield* runStep(step)
      assert.deepStrictEqual(heard, [
        "beforeChunk 1,2,3,4",
        "beforeWrite 1,2,3,4",
        "onWriteError 1,2,3,4: item 2 is bad",
        "beforeWrite 1,2",
        "beforeWrite 1",
        "afterWrite 1",
        "beforeCommit 1",
        "beforeWrite 2",
        "beforeWrite 3,4",
        "afterWrite 3,4",
        "beforeCommit 3,4",
        "afterChunk 1,3,4"
      ])
    }).pipe(inMemory))

  it.effect("onWriteError hears of a bad item that may not be skipped, also during the search (FT6-4)", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const world = makeWorld(4, { write: [2, 4] })
      const step = Step.chunk("limit", { ...world, chunkSize: 4 }).pipe(
        Step.scan("one-by-one"),
        Step.skip("Bad", { limit: 1 }),
        Step.listen(Listener.step({
          onWriteError: (_: unknown, items: ReadonlyArray<number>) => Effect.sync(() => void heard.push(`${items}`))
        }))
      )
      const { counts: counted, exit } = yield* runStep(step)
      assert.deepStrictEqual(heard, ["1,2,3,4", "4"])
      assert.deepStrictEqual(counted, counts({ read: 4, write: 2, writeSkip: 1, rollback: 3 }))
      assert.strictEqual((yield* Effect.flip(exit))._tag, "SkipLimitExceeded")
      const executions = yield* JobOperator.executions()
      assert.include(executions[0]!.exitStatus.messages.join(), "its skip limit is 1")
    }).pipe(inMemory))
})
