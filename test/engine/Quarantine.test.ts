import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  BatchError,
  ItemReader,
  ItemWriter,
  JobOperator,
  JobRepository,
  Listener,
  Sensitive,
  SkipPolicy,
  StandardListeners,
  Step
} from "../../src/index.js"
import { drivers } from "../support/drivers.js"
import { Bad, makeWorld, runStep } from "./faults/world.js"

const Payment = Schema.Struct({ id: Schema.Number, iban: Sensitive.make(Schema.String) })
const Booking = Schema.Struct({ payment: Schema.Number, account: Sensitive.make(Schema.String) })

/** Payment 2 is unreadable, 3 is bad in processing and 5 in writing. */
const booking = (
  name: string,
  options: Parameters<typeof Step.quarantine<typeof Payment.Type, typeof Booking.Type>>[0]
) => {
  const world = makeWorld(6, { read: [2], process: [3], write: [5] })
  return Step.chunk(name, {
    reader: world.reader.pipe(ItemReader.map((id) => ({ id, iban: `DE0${id}` }))),
    processor: ({ iban, id }) =>
      id === 3 ? Effect.fail(new Bad({ item: id })) : Effect.succeed({ payment: id, account: iban }),
    writer: ItemWriter.fromFunction((bookings: ReadonlyArray<{ readonly payment: number; readonly account: string }>) =>
      bookings.some(({ payment }) => payment === 5) ? Effect.fail(new Bad({ item: 5 })) : Effect.void
    ),
    chunkSize: 2
  }).pipe(Step.skip("Bad", { limit: 3 }), Step.quarantine(options))
}

const collecting = (lines: Array<unknown>) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ message }) => {
      lines.push(...(message as ReadonlyArray<unknown>))
    })
  )

const stored = (executionId: number) =>
  Effect.map(JobOperator.skipped(executionId), (items) =>
    items.map(({ createTime: _, ...item }) => ({
      ...item,
      item: Option.getOrNull(item.item),
      position: Option.getOrNull(item.position)
    })))

describe("quarantine", () => {
  for (const driver of drivers) {
    it.layer(Layer.orDie(driver.layer), { timeout: "5 minutes" })(driver.name, (it) => {
      it.effect("keeps step, phase, position, error and item of each skipped record, its sensitive parts masked", () =>
        Effect.gen(function*() {
          const { execution, status } = yield* runStep(booking("masked", { input: Payment, output: Booking }))
          assert.strictEqual(status, "COMPLETED")
          const common = { stepName: "masked", errorTag: "Bad" }
          assert.deepStrictEqual(yield* stored(execution.id), [
            { ...common, phase: "read", position: null, message: "Bad: item 2 is bad", item: null },
            {
              ...common,
              phase: "process",
              position: null,
              message: "Bad: item 3 is bad",
              item: { id: 3, iban: "<sensitive>" }
            },
            {
              ...common,
              phase: "write",
              position: 4,
              message: "Bad: item 5 is bad",
              item: { payment: 5, account: "<sensitive>" }
            }
          ])
        }))

      it.effect("without a schema keeps the item as it is", () =>
        Effect.gen(function*() {
          const { execution } = yield* runStep(booking("plain", {}))
          assert.deepStrictEqual((yield* stored(execution.id)).map(({ item }) => item), [
            null,
            { id: 3, iban: "DE03" },
            { payment: 5, account: "DE05" }
          ])
        }))

      it.effect("keeps each durable skip once, also when the step fails in between and continues (D8)", () =>
        Effect.gen(function*() {
          const world = makeWorld(6, { write: [2, 5] })
          let broken = true
          const step = Step.chunk("once", {
            ...world,
            processor: (item: number): Effect.Effect<number, Bad | "down"> =>
              item === 1 ? Effect.fail(new Bad({ item })) : Effect.succeed(item),
            writer: ItemWriter.make("breaks down", {
              delivery: "transactional",
              open: (state) =>
                Effect.map(world.writer.open(state), (sink) => ({
                  write: (items: ReadonlyArray<number>): Effect.Effect<void, Bad | "down"> =>
                    broken && items[0] === 4 ? Effect.fail("down" as const) : sink.write(items)
                }))
            }),
            chunkSize: 6
          }).pipe(Step.scan("one-by-one"), Step.skip("Bad", { limit: 3 }), Step.quarantine())
          const first = yield* runStep(step)
          assert.strictEqual(first.status, "FAILED")
          broken = false
          const second = yield* runStep(step)
          assert.strictEqual(second.status, "COMPLETED")
          const messages = yield* Effect.forEach(
            [first, second],
            ({ execution }) => Effect.map(stored(execution.id), (items) => items.map(({ message }) => message))
          )
          assert.deepStrictEqual(messages, [["Bad: item 1 is bad", "Bad: item 2 is bad"], ["Bad: item 5 is bad"]])
          assert.deepStrictEqual(world.written, [3, 4, 6])
        }))

      it.effect("keeps nothing of a transaction that rolls back (FTC-18)", () =>
        Effect.gen(function*() {
          const step = booking("rolled back", {}).pipe(
            Step.listen(Listener.step({ afterWrite: () => Effect.fail("listener") }))
          )
          const { execution, status } = yield* runStep(step)
          assert.strictEqual(status, "FAILED")
          assert.deepStrictEqual(yield* stored(execution.id), [])
        }))
    })
  }

  it.effect("a record whose report cannot be stored is not skipped for that: the step fails (SKIP-8, D8)", () =>
    Effect.gen(function*() {
      const world = makeWorld(4, { process: [3] })
      const asked: Array<unknown> = []
      const everything = SkipPolicy.when(SkipPolicy.limit<unknown>(10), (error) => {
        asked.push(error)
        return true
      })
      const step = Step.chunk("unstored", { ...world, chunkSize: 2 }).pipe(Step.skipWith(everything), Step.quarantine())
      const full = new BatchError.JobRepositoryError({
        operation: "insertSkippedItems",
        reason: "fatal",
        detail: "full"
      })
      const { exit } = yield* Effect.updateService(runStep(step), JobRepository.JobRepository, (repository) => ({
        ...repository,
        addSkippedItems: () => Effect.fail(full)
      }))
      assert.deepStrictEqual(yield* Effect.flip(exit), full as never)
      assert.deepStrictEqual(world.written, [1, 2])
      assert.notInclude(asked, full)
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("an item that JSON cannot hold is left out, its error is kept", () =>
    Effect.gen(function*() {
      const step = Step.chunk("strange", {
        reader: ItemReader.fromIterable([{ size: 1n }]),
        processor: () => Effect.fail(new Bad({ item: 1 })),
        writer: ItemWriter.discard,
        chunkSize: 1
      }).pipe(Step.skip("Bad", { limit: 1 }), Step.quarantine())
      const { execution } = yield* runStep(step)
      assert.deepStrictEqual(
        (yield* stored(execution.id)).map(({ item, message }) => [item, message]),
        [[null, "Bad: item 1 is bad"]]
      )
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("the log of skipped records masks, too", () =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const step = booking("logged", {}).pipe(
        Step.listen(StandardListeners.logSkips({ input: Payment, output: Booking }))
      )
      yield* runStep(step).pipe(Effect.provide(collecting(lines)))
      assert.deepStrictEqual(lines, [
        "Skipped a record while reading: Bad: item 2 is bad",
        "Skipped a record while processing: Bad: item 3 is bad; item {\"id\":3,\"iban\":\"<sensitive>\"}",
        "Skipped a record while writing: Bad: item 5 is bad; item {\"payment\":5,\"account\":\"<sensitive>\"}"
      ])
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})
