import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  Job,
  JobOperator,
  JobRepository,
  Listener,
  RetryPolicy,
  SkipPolicy,
  Step,
  StepScope,
  Tasklet
} from "../../src/index.js"
import { drivers } from "../support/drivers.js"
import { counts, makeWorld, runStep } from "./faults/world.js"

const inMemory = Effect.provide(JobRepository.layerMemory)

type Hook = keyof Listener.StepListener<number, number>

/** Four items in chunks of two; 2 is skipped in reading, 3 is filtered and 5 is skipped in writing, after a retry. */
const listened = (name: string, listener: Listener.StepListener<number, number, string, StepScope.StepScope>) => {
  const world = makeWorld(6, { read: [2], filter: [3], process: [4], write: [5] })
  const step = Step.chunk(name, { ...world, chunkSize: 2 }).pipe(
    Step.retryWith(RetryPolicy.recurs(1).pipe(RetryPolicy.tags("Bad"))),
    Step.skipWith(SkipPolicy.limit(10).pipe(SkipPolicy.tags("Bad"))),
    Step.listen(listener)
  )
  return { world, step }
}

/** A listener whose only callback is this one. */
const only = (hook: Hook, effect: Effect.Effect<void, string, StepScope.StepScope>) =>
  ({ [hook]: () => effect }) as Listener.StepListener<unknown, unknown, string, StepScope.StepScope>

/** Where a step is when a callback fails: what it committed, and how often it rolled back because of that failure. */
const failing: ReadonlyArray<{
  readonly hook: Hook
  readonly written: ReadonlyArray<number>
  readonly rollback: number
}> = [
  { hook: "beforeStep", written: [], rollback: 0 },
  { hook: "beforeChunk", written: [], rollback: 1 },
  { hook: "beforeRead", written: [], rollback: 1 },
  { hook: "afterRead", written: [], rollback: 1 },
  { hook: "onReadError", written: [], rollback: 1 },
  { hook: "beforeProcess", written: [], rollback: 1 },
  { hook: "afterProcess", written: [], rollback: 1 },
  { hook: "onProcessError", written: [1], rollback: 1 },
  { hook: "onRetry", written: [1], rollback: 1 },
  { hook: "beforeWrite", written: [], rollback: 1 },
  { hook: "afterWrite", written: [], rollback: 1 },
  { hook: "beforeCommit", written: [], rollback: 1 },
  // The transaction of the chunk is committed, and stays so.
  { hook: "afterChunk", written: [1], rollback: 0 },
  { hook: "onSkipInRead", written: [], rollback: 1 },
  { hook: "onSkipInProcess", written: [1], rollback: 3 },
  { hook: "onSkipInWrite", written: [1], rollback: 3 },
  { hook: "onWriteError", written: [1], rollback: 2 },
  { hook: "afterStep", written: [1, 6], rollback: 2 }
]

describe("a callback that fails, fails the step (STEP-20, LISTEN-4)", () => {
  for (const driver of drivers) {
    it.layer(Layer.orDie(driver.layer), { timeout: "5 minutes" })(driver.name, (it) => {
      for (const { hook, rollback, written } of failing) {
        it.effect(hook, () =>
          Effect.gen(function*() {
            const { step, world } = listened(`fails in ${hook}`, only(hook, Effect.fail("listener")))
            const result = yield* runStep(step)
            assert.strictEqual(result.status, "FAILED")
            assert.strictEqual(result.execution.status, "FAILED")
            assert.strictEqual(yield* Effect.flip(result.exit), "listener")
            assert.deepStrictEqual(world.written, written)
            assert.strictEqual(result.counts.rollback, rollback)
            assert.include(result.step.exitStatus.messages.join(), "listener")
          }))

        it.effect(`${hook}, by a defect`, () =>
          Effect.gen(function*() {
            const thrown = {
              [hook]: () => {
                throw new TypeError("no such property")
              }
            }
            const { step, world } = listened(`dies in ${hook}`, thrown as never)
            const result = yield* runStep(step)
            assert.strictEqual(result.status, "FAILED")
            assert.isTrue(result.exit._tag === "Failure" && result.exit.cause._tag !== "Fail")
            assert.deepStrictEqual(world.written, written)
            assert.include(result.step.exitStatus.messages.join(), "no such property")
          }))
      }
    })
  }

  it.effect("a failing beforeJob fails the job before any step, a failing afterJob is only logged", () =>
    Effect.gen(function*() {
      let ran = 0
      const flow = Step.tasklet("step", Effect.sync(() => void ran++))
      const before = yield* JobOperator.run(
        Job.make("before", { flow, listeners: [Listener.job({ beforeJob: () => Effect.fail("listener") })] }),
        {}
      )
      assert.deepStrictEqual([before.status, ran], ["FAILED", 0])
      assert.strictEqual(yield* Effect.flip(before.exit), "listener")
      const after = yield* JobOperator.run(
        Job.make("after", { flow, listeners: [Listener.job({ afterJob: () => Effect.fail("listener") })] }),
        {}
      )
      assert.deepStrictEqual([after.status, ran], ["COMPLETED", 1])
    }).pipe(inMemory))
})

/** What is committed when the step is asked to stop in a callback: the chunk that is running, and no other. */
const stopping: ReadonlyArray<readonly [hook: Hook, written: ReadonlyArray<number>]> = [
  ["beforeStep", []],
  ["beforeChunk", [1]],
  ["beforeRead", [1]],
  ["afterRead", [1]],
  ["onReadError", [1]],
  ["beforeProcess", [1]],
  ["afterProcess", [1]],
  ["onProcessError", [1, 5]],
  ["beforeWrite", [1]],
  ["afterWrite", [1]],
  ["beforeCommit", [1]],
  ["afterChunk", [1]],
  ["onSkipInRead", [1]]
]

describe("a stop that is asked for in a callback (STEP-20, C33)", () => {
  for (const driver of drivers) {
    it.layer(Layer.orDie(driver.layer), { timeout: "5 minutes" })(driver.name, (it) => {
      for (const [hook, written] of stopping) {
        it.effect(hook, () =>
          Effect.gen(function*() {
            const world = makeWorld(7, { read: [2], filter: [3], process: [4] })
            const step = Step.chunk(`stops in ${hook}`, { ...world, chunkSize: 2 }).pipe(
              Step.skip("Bad", { limit: 10 }),
              Step.listen(only(hook, StepScope.requestStop))
            )
            const result = yield* runStep(step)
            assert.strictEqual(result.status, "STOPPED")
            assert.strictEqual(result.execution.status, "STOPPED")
            assert.deepStrictEqual(world.written, written)
            // A restart loses and repeats nothing.
            const again = yield* runStep(
              Step.chunk(`stops in ${hook}`, { ...world, chunkSize: 2 }).pipe(Step.skip("Bad", { limit: 10 }))
            )
            assert.strictEqual(again.status, "COMPLETED")
            assert.deepStrictEqual(world.written, [1, 5, 6, 7])
          }))
      }
    })
  }

  it.effect("in a tasklet: its transaction commits, then the step stops (TASK-6)", () =>
    Effect.gen(function*() {
      const step = Step.tasklet("endless", Effect.as(StepScope.requestStop, Tasklet.continuable))
      const { counts: counted, status } = yield* runStep(step)
      assert.deepStrictEqual([status, counted], ["STOPPED", counts({ commit: 1 })])
    }).pipe(inMemory))
})
