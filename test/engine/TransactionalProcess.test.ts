import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { JobRepository, Step } from "../../src/index.js"
import { counts, makeWorld, runStep } from "./faults/world.js"

const inMemory = Effect.provide(JobRepository.layerMemory)

describe("Step.processInTransaction", () => {
  it.effect("every attempt processes anew (FTC-5, C63)", () =>
    Effect.gen(function*() {
      const world = makeWorld(4, { write: [4] })
      const step = Step.chunk("anew", { ...world, chunkSize: 2 }).pipe(
        Step.processInTransaction,
        Step.skip("Bad", { limit: 1 })
      )
      const { counts: counted } = yield* runStep(step)
      assert.deepStrictEqual(world.processed, [1, 2, 3, 4, 3, 4])
      assert.deepStrictEqual(world.written, [1, 2, 3])
      assert.deepStrictEqual(counted, counts({ read: 4, write: 3, writeSkip: 1, commit: 2, rollback: 2 }))
    }).pipe(inMemory))

  it.effect("a process skip costs a rollback, and the item is left out afterwards (FTC-6, C58, C69)", () =>
    Effect.gen(function*() {
      const world = makeWorld(5, { process: [4] })
      const step = Step.chunk("left out", { ...world, chunkSize: 30 }).pipe(
        Step.processInTransaction,
        Step.skip("Bad", { limit: 1 })
      )
      const { counts: counted } = yield* runStep(step)
      assert.deepStrictEqual(world.processed, [1, 2, 3, 4, 1, 2, 3, 5])
      assert.deepStrictEqual(counted, counts({ read: 5, write: 4, processSkip: 1, commit: 1, rollback: 1 }))
    }).pipe(inMemory))

  it.effect("a process skip with noRollback costs no rollback (FTC-8)", () =>
    Effect.gen(function*() {
      const world = makeWorld(5, { process: [4] })
      const step = Step.chunk("in place", { ...world, chunkSize: 30 }).pipe(
        Step.processInTransaction,
        Step.noRollback("Bad"),
        Step.skip("Bad", { limit: 1 })
      )
      const { counts: counted } = yield* runStep(step)
      assert.deepStrictEqual(world.processed, [1, 2, 3, 4, 5])
      assert.deepStrictEqual(counted, counts({ read: 5, write: 4, processSkip: 1, commit: 1 }))
    }).pipe(inMemory))

  it.effect("a filtered item is counted once, however often it is processed (FTC-17)", () =>
    Effect.gen(function*() {
      const world = makeWorld(4, { filter: [1, 3], write: [4], times: 2 })
      const step = Step.chunk("filtered", { ...world, chunkSize: 4 }).pipe(
        Step.processInTransaction,
        Step.retry("Bad", { times: 2 })
      )
      const { counts: counted } = yield* runStep(step)
      assert.strictEqual(world.processed.length, 12)
      assert.deepStrictEqual(counted, counts({ read: 4, write: 2, filter: 2, commit: 1, rollback: 2 }))
    }).pipe(inMemory))

  it.effect("the retries of an item are counted over all attempts (FTC-6)", () =>
    Effect.gen(function*() {
      const world = makeWorld(3, { process: [2, 3], times: 2 })
      const retried = (times: number) =>
        Step.chunk(`retried ${times}`, { ...world, chunkSize: 3 }).pipe(
          Step.processInTransaction,
          Step.retry("Bad", { times })
        )
      const first = yield* runStep(retried(1))
      assert.deepStrictEqual([first.status, first.counts.rollback], ["FAILED", 2])
      const second = yield* runStep(retried(2))
      assert.deepStrictEqual(second.counts, counts({ read: 3, write: 3, commit: 1, rollback: 2 }))
    }).pipe(inMemory))
})
