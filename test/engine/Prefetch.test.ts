/**
 * A step that reads and processes the next chunk while one is written. That its outcome is that of one chunk
 * after the other is a property of `FaultModel.test.ts`, and its crashes are in `test/crash/Chunks.test.ts`.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  ExecutionContext,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  Step,
  StepScope
} from "../../src/index.js"

const numbers = [1, 2, 3, 4, 5, 6, 7]

/** What happens, in its order; the write of the chunk that begins with `held` ends when it is let go. */
const world = (held: number) =>
  Effect.gen(function*() {
    const log: Array<string> = []
    const out: Array<number> = []
    const letGo = yield* Deferred.make<void>()
    const memory = Effect.runSync(Effect.scoped(ItemWriter.inMemory(out).open(Option.none())))
    const parts = {
      reader: ItemReader.fromIterable(numbers),
      processor: (n: number) =>
        Effect.sync(() => {
          log.push(`process ${n}`)
          return n
        }),
      writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
        Effect.sync(() => void log.push(`write ${items[0]}`)).pipe(
          Effect.zipRight(items[0] === held ? Deferred.await(letGo) : Effect.void),
          Effect.zipRight(memory.write(items)),
          Effect.zipRight(Effect.sync(() => void log.push(`written ${items[0]}`)))
        )
      ),
      chunkSize: 2
    }
    const until = (line: string) =>
      Effect.repeat(
        Effect.zipRight(
          Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
          Effect.sync(() => log.includes(line))
        ),
        { until: (seen) => seen }
      )
    return { letGo, log, out, parts, until }
  })

const stepOf = Effect.gen(function*() {
  const [newest] = yield* JobOperator.executions()
  const [step] = yield* JobOperator.steps(newest!.id)
  return step!
})

const jobOf = <E, R>(step: Step.Step<"COMPLETED" | "FAILED", E, R>) => Job.make("ahead", { flow: step })

describe("how far a step reads ahead", () => {
  it.effect("one chunk is processed while the one before it is written, and no more than one", () =>
    Effect.gen(function*() {
      const { letGo, log, out, parts, until } = yield* world(1)
      const run = yield* Effect.fork(
        JobOperator.runOrFail(jobOf(Step.chunk("ahead", { ...parts, prefetch: true })), {})
      )
      yield* until("process 4")
      yield* Effect.repeatN(Effect.promise(() => new Promise((resolve) => setImmediate(resolve))), 20)
      assert.deepStrictEqual(log, ["process 1", "process 2", "write 1", "process 3", "process 4"])
      yield* Deferred.succeed(letGo, undefined)
      yield* Fiber.join(run)
      assert.deepStrictEqual(out, numbers)
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("without prefetch, with a chunk listener, and inside transactions, chunks run one after the other", () =>
    Effect.gen(function*() {
      const ways = ["without", "listened", "processed inside", "read inside"] as const
      for (const way of ways) {
        const { letGo, log, out, parts, until } = yield* world(1)
        const step = Step.chunk("ahead", { ...parts, prefetch: way !== "without" })
        const job = Job.make(way, {
          flow: way === "listened"
            ? step.pipe(Step.listen({ afterChunk: () => Effect.void }))
            : way === "processed inside"
            ? step.pipe(Step.processInTransaction)
            : way === "read inside"
            ? step.pipe(Step.readInTransaction)
            : step
        })
        const run = yield* Effect.fork(JobOperator.runOrFail(job, {}))
        yield* until("write 1")
        yield* Effect.repeatN(Effect.promise(() => new Promise((resolve) => setImmediate(resolve))), 20)
        assert.deepStrictEqual(log, ["process 1", "process 2", "write 1"], way)
        yield* Deferred.succeed(letGo, undefined)
        yield* Fiber.join(run)
        assert.deepStrictEqual(out, numbers)
      }
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})

describe("a chunk that was read ahead does not show in what is stored", () => {
  it.effect("entries that a processor sets belong to its own chunk (CTX-9)", () =>
    Effect.gen(function*() {
      const { letGo, parts, until } = yield* world(1)
      const last = ExecutionContext.key("last", Schema.Int)
      const processor = (n: number) =>
        Effect.zipRight(
          Effect.flatMap(StepScope.StepScope, (scope) => Effect.orDie(scope.set(last, n))),
          parts.processor(n)
        )
      const run = yield* Effect.fork(
        JobOperator.run(jobOf(Step.chunk("ahead", { ...parts, processor, prefetch: true })), {})
      )
      yield* until("process 4")
      const stopping = yield* Effect.fork(Fiber.interrupt(run))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(letGo, undefined)
      yield* Fiber.join(stopping)
      const step = yield* stepOf
      const written = step.counts.write
      assert.strictEqual(step.status, "STOPPED")
      assert.deepStrictEqual(
        ExecutionContext.toJson(step.context),
        written === 0 ? "{}" : `{"last":${written}}`
      )
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("a stop request ends the step after the chunk that was read, and the restart continues there (STOP-3)", () =>
    Effect.gen(function*() {
      const { letGo, log, out, parts, until } = yield* world(1)
      const job = jobOf(Step.chunk("ahead", { ...parts, prefetch: true }))
      const run = yield* Effect.fork(JobOperator.run(job, {}))
      yield* until("process 4")
      const [execution] = yield* JobOperator.executions()
      yield* JobOperator.stop(execution!.id)
      yield* Deferred.succeed(letGo, undefined)
      const ended = yield* Fiber.join(run)
      assert.strictEqual(ended.status, "STOPPED")
      assert.deepStrictEqual(out, [1, 2, 3, 4])
      yield* JobOperator.runOrFail(job, {})
      assert.deepStrictEqual(out, numbers)
      assert.strictEqual(log.filter((line) => line === "process 5").length, 1)
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("a failed chunk discards the chunk read after it, which is neither counted nor lost (D5)", () =>
    Effect.gen(function*() {
      const { letGo, out, parts, until } = yield* world(3)
      let broken = true
      const writer = ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
        broken && items[0] === 3 ? Effect.zipRight(until("process 6"), Effect.fail("broken" as const)) : Effect.void
      )
      yield* Deferred.succeed(letGo, undefined)
      const step = Step.chunk("ahead", { ...parts, writer: ItemWriter.tee(writer, parts.writer), prefetch: true })
      const ended = yield* JobOperator.run(jobOf(step), {})
      assert.strictEqual(ended.status, "FAILED")
      const { counts } = yield* stepOf
      assert.deepStrictEqual([counts.read, counts.write, counts.commit, counts.rollback], [2, 2, 1, 1])
      broken = false
      yield* JobOperator.runOrFail(jobOf(step), {})
      assert.deepStrictEqual(out, numbers)
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})
