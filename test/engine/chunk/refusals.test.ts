/** Writes that are refused item by item, the state of writers, and transactions that reach no database. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import {
  BatchError,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  Step,
  Transactor
} from "../../../src/index.js"
import { lostConnections } from "../../../src/ports/Transactor.js"
import { refusedItems } from "../../../src/vocabulary/failure.js"

class Bad extends Data.TaggedError("Bad")<{ readonly message: string }> {}
class Worse extends Data.TaggedError("Worse")<{ readonly message: string }> {}

describe("a writer that says which of its items are refused", () => {
  it.effect("has those left out that may be skipped, up to one that may not: that one fails the step", () =>
    Effect.gen(function*() {
      for (const worse of [undefined, 3, 4, 6]) {
        const written: Array<number> = []
        const writer = ItemWriter.fromFunction((items: ReadonlyArray<number>): Effect.Effect<void, Bad | Worse> => {
          const refused = items.flatMap((
            n,
            item
          ): ReadonlyArray<{ readonly item: number; readonly error: Bad | Worse }> =>
            n === worse
              ? [{ item, error: new Worse({ message: `${n} is worse` }) }]
              : n % 2 === 0
              ? [{ item, error: new Bad({ message: `${n} is bad` }) }]
              : []
          )
          const [first] = refused
          return first === undefined
            ? Effect.sync(() => void written.push(...items))
            : Effect.fail(Object.assign(first.error, { [refusedItems]: refused }))
        })
        const step = Step.chunk("load", { reader: ItemReader.fromIterable([1, 2, 3, 4, 5, 6]), writer, chunkSize: 6 })
          .pipe(Step.skip("Bad", { limit: 5 }))
        const ended = yield* JobOperator.run(Job.make(`worse ${worse}`, { flow: step }), {})
        const [stored] = yield* JobOperator.steps(ended.id)
        assert.deepStrictEqual(
          [ended.status, written, stored!.counts.writeSkip],
          worse === undefined ? ["COMPLETED", [1, 3, 5], 3] : ["FAILED", [], 0],
          `${worse}`
        )
        if (worse !== undefined) assert.include(ended.exitStatus.messages.join(), `Worse: ${worse} is worse`)
      }
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})

describe("a writer with a state of its own", () => {
  it.effect("has it stored before its first write, with each commit and before it completes, and hears of each of these", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      for (const items of [0, 1, 5]) {
        const log: Array<string> = []
        let flushes = 0
        const stored = Effect.gen(function*() {
          const [execution] = yield* repository.jobExecutions({ jobName: `stateful ${items}` })
          const [step] = yield* repository.stepExecutions(execution!.id)
          const checkpoint = Option.getOrUndefined(step!.checkpoint) as { readonly writer?: unknown } | undefined
          log.push(`complete at ${String(checkpoint?.writer)}`)
        })
        const writer = ItemWriter.make("stateful", {
          delivery: "at-least-once",
          open: () =>
            Effect.succeed({
              write: (some: ReadonlyArray<number>): Effect.Effect<void> =>
                Effect.sync(() => void log.push(`write ${some.join()}`)),
              flush: Effect.sync(() => ++flushes),
              committed: Effect.asVoid(Effect.sync(() => log.push(`committed ${flushes}`))),
              complete: Effect.orDie(stored)
            })
        })
        const reader = ItemReader.fromIterable(Array.from({ length: items }, (_, n) => n))
        const step = Step.chunk("load", { reader, writer, chunkSize: 2 })
        const { status } = yield* JobOperator.run(Job.make(`stateful ${items}`, { flow: step }), {})
        const chunks = Array.from({ length: Math.ceil(items / 2) }, (_, at) => [
          `write ${[2 * at, 2 * at + 1].filter((n) => n < items).join()}`,
          `committed ${at + 2}`
        ])
        const last = chunks.length + 2
        assert.deepStrictEqual(
          [status, ...log],
          ["COMPLETED", "committed 1", ...chunks.flat(), `committed ${last}`, `complete at ${last}`]
        )
      }
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})

describe("a step whose transactions find no database", () => {
  it.effect("tries them again while its lease lasts, and fails when that is over (OWN-21)", () =>
    Effect.gen(function*() {
      for (const [away, status] of [[2000, "COMPLETED"], [Infinity, "FAILED"]] as const) {
        let tries = 0
        const { transact } = yield* Transactor.Transactor
        const transactor = Transactor.Transactor.of({
          transact: (effect, options) =>
            Effect.flatMap(Clock.currentTimeMillis, (now) => {
              tries++
              if (now - began >= away) return transact(effect, options)
              const error = new BatchError.TransactionError({ phase: "begin", reason: "transient", cause: "away" })
              lostConnections.add(error)
              return Effect.fail(error)
            })
        })
        const written: Array<number> = []
        const step = Step.chunk("load", {
          reader: ItemReader.fromIterable([1, 2, 3]),
          writer: ItemWriter.inMemory(written),
          chunkSize: 3
        })
        const began = yield* Clock.currentTimeMillis
        const running = yield* Effect.forkDaemon(
          JobOperator.run(Job.make(`away ${away}`, { flow: step }), {}).pipe(
            Effect.provideService(Transactor.Transactor, transactor),
            Effect.provideService(JobOperator.Ownership, {
              lease: "8 seconds",
              owner: "this",
              isOwnerGone: () => false
            })
          )
        )
        yield* TestClock.adjust("20 seconds")
        const polled = yield* Fiber.poll(running)
        assert.strictEqual(polled._tag, "Some", "it waits for ever")
        const ended = yield* Fiber.join(running)
        assert.strictEqual(ended.status, status)
        assert.deepStrictEqual(written, status === "COMPLETED" ? [1, 2, 3] : [])
        assert.isAbove(tries, 3)
      }
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})
