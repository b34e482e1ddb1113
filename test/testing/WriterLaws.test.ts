import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Function from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Sink } from "../../src/item/ItemWriter.js"
import * as ItemWriter from "../../src/item/ItemWriter.js"
import * as Transactor from "../../src/ports/Transactor.js"
import * as WriterLaws from "../../src/testing/WriterLaws.js"

const transactor = Layer.succeed(Transactor.Transactor, Transactor.make(Function.identity, Function.identity))

const ITEMS = ["a", "b", "c", "d", "e", "f", "g"] as const

/** A file in memory: it stays as it is when a writer is killed. */
const logWriter = (
  log: Array<string>,
  mutate: (sink: Required<Sink<string>>, committed: () => number) => Partial<Sink<string>> = () => ({}),
  truncate: (log: Array<string>, length: number) => void = (log, length) => log.splice(length)
): ItemWriter.ItemWriter<string> =>
  ItemWriter.make("log", {
    delivery: "restartable",
    open: (state) =>
      Effect.sync(() => {
        let committed = Option.getOrElse(state, () => 0) as number
        let flushed = committed
        truncate(log, committed)
        const sink: Required<Sink<string>> = {
          write: (items) => Effect.sync(() => log.push(...items)),
          flush: Effect.sync(() => flushed = log.length),
          rollback: Effect.sync(() => truncate(log, committed)),
          committed: Effect.sync(() => committed = flushed),
          complete: Effect.sync(() => log.push("end"))
        }
        return { ...sink, ...mutate(sink, () => committed) }
      })
  })

const check = (log: Array<string>, writer: ItemWriter.ItemWriter<string>, seed = 1) =>
  WriterLaws.check(writer, {
    items: ITEMS,
    observe: Effect.sync(() => log.slice()),
    expected: [...ITEMS, "end"],
    seed
  }).pipe(Effect.provide(transactor))

const violation = (log: Array<string>, writer: ItemWriter.ItemWriter<string>, seed = 1) =>
  Effect.map(Effect.flip(check(log, writer, seed)), (error) => {
    assert.instanceOf(error, WriterLaws.WriterLawViolation)
    return error
  })

const SEEDS = Array.from({ length: 30 }, (_, seed) => seed)

describe("WriterLaws", () => {
  it.effect("accepts a writer that undoes uncommitted items (ITEM-20)", () =>
    Effect.gen(function*() {
      for (const seed of SEEDS) {
        const log: Array<string> = []
        yield* check(log, logWriter(log), seed)
        assert.deepStrictEqual(log, [...ITEMS, "end"])
      }
    }))

  const broken: Record<string, (log: Array<string>) => ItemWriter.ItemWriter<string>> = {
    "does not undo a rollback": (log) => logWriter(log, () => ({ rollback: Effect.void })),
    "has no rollback": (log) => logWriter(log, () => ({ rollback: undefined })),
    "undoes too much": (log) =>
      logWriter(log, (_, committed) => ({ rollback: Effect.sync(() => log.splice(Math.max(0, committed() - 1))) })),
    "forgets that a chunk was committed": (log) => logWriter(log, () => ({ committed: Effect.void })),
    "keeps what was there when it opens": (log) => logWriter(log, () => ({}), () => {}),
    "starts over": (log) => {
      const writer = logWriter(log)
      return ItemWriter.make(writer.name, { ...writer, open: () => writer.open(Option.none()) })
    },
    "stores a wrong state": (log) =>
      logWriter(log, (sink) => ({ flush: Effect.map(sink.flush!, (length) => (length as number) - 1) })),
    "does not store its state": (log) => logWriter(log, () => ({ flush: undefined })),
    "writes twice": (log) => logWriter(log, (sink) => ({ write: (items) => sink.write([...items, ...items]) })),
    "drops the last item": (log) => logWriter(log, (sink) => ({ write: (items) => sink.write(items.slice(1)) }))
  }
  for (const [name, make] of Object.entries(broken)) {
    it.effect(`finds a writer that ${name}`, () =>
      Effect.gen(function*() {
        for (const seed of SEEDS) {
          const log: Array<string> = []
          assert.match((yield* violation(log, make(log), seed)).law, /rolled back|exactly once/)
        }
      }))
  }

  it.effect("finds a writer that cannot complete twice", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const writer = logWriter(log, () => ({}), (log, length) =>
        log.splice(length, log.indexOf("end") < 0 ? Infinity : 0))
      assert.strictEqual((yield* violation(log, writer)).law, "every item is written exactly once")
    }))

  it.effect("asks of a writer that says so only to write at least once", () =>
    Effect.gen(function*() {
      for (const seed of SEEDS) {
        const log: Array<string> = []
        yield* WriterLaws.check(
          ItemWriter.fromFunction((items: ReadonlyArray<string>) => Effect.sync(() => log.push(...items))),
          {
            items: ITEMS,
            observe: Effect.sync(() => log.slice()),
            seed
          }
        ).pipe(Effect.provide(transactor))
        assert.isAbove(log.length, ITEMS.length)
      }
    }))

  it.effect("finds a loss also where items may be written twice", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const error = yield* WriterLaws.check(
        ItemWriter.discard.pipe((writer) => ItemWriter.unwrap(Effect.succeed(writer))),
        {
          items: ITEMS,
          observe: Effect.sync(() => log.slice())
        }
      ).pipe(Effect.provide(transactor), Effect.flip)
      assert.strictEqual((error as WriterLaws.WriterLawViolation).law, "every item is written at least once")
    }))

  it.effect("says which writer broke the law, how, and after what; the same again from the same seed", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const error = yield* violation(log, logWriter(log, () => ({ rollback: Effect.void })))
      assert.match(error.message, /^The writer "log" breaks a law: .*; expected \[.*\], got \[.*\], after open, /)
      const again: Array<string> = []
      assert.strictEqual(
        (yield* violation(again, logWriter(again, () => ({ rollback: Effect.void })))).message,
        error.message
      )
    }))

  it.effect("passes on a failure of the writer", () =>
    Effect.gen(function*() {
      const writer = ItemWriter.fromFunction((_: ReadonlyArray<string>) => Effect.fail("full" as const))
      const error = yield* WriterLaws.check(writer, { items: ITEMS, observe: Effect.succeed([]) }).pipe(
        Effect.provide(transactor),
        Effect.flip
      )
      assert.strictEqual(error, "full")
    }))
})
