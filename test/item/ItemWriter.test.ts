import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Function from "effect/Function"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type { Json } from "../../src/base/json.js"
import type { Sink } from "../../src/item/ItemWriter.js"
import * as ItemWriter from "../../src/item/ItemWriter.js"
import { mayChangeClient } from "../../src/item/provided.js"
import * as Transactor from "../../src/ports/Transactor.js"
import * as WriterLaws from "../../src/testing/WriterLaws.js"
import { JobDefinitionError, UnreadablePosition } from "../../src/vocabulary/BatchError.js"

const transactor = Layer.succeed(Transactor.Transactor, Transactor.make(Function.identity, Function.identity))

/** A writer with a state, over a log that stays as it is when the writer is killed. */
const logWriter = (log: Array<number>): ItemWriter.ItemWriter<number> =>
  ItemWriter.make("log", {
    delivery: "restartable",
    open: (state) =>
      Effect.sync(() => {
        let committed = Option.getOrElse(state, () => 0) as number
        let flushed = committed
        log.splice(committed)
        return {
          write: (items) => Effect.sync(() => log.push(...items)),
          flush: Effect.sync(() => flushed = log.length),
          rollback: Effect.sync(() => log.splice(committed)),
          committed: Effect.sync(() => committed = flushed)
        }
      })
  })

interface Case {
  readonly writer: ItemWriter.ItemWriter<number, unknown>
  readonly observe: Effect.Effect<ReadonlyArray<unknown>>
  readonly expected: (items: ReadonlyArray<number>) => ReadonlyArray<unknown>
}

/** Writers composed at random, each with a way to see what was written. */
const anyWriter: FastCheck.Arbitrary<() => Case> = FastCheck.letrec<{ readonly writer: () => Case }>((tie) => ({
  writer: FastCheck.oneof(
    { depthSize: "small", withCrossShrink: true },
    FastCheck.constant((): Case => {
      const out: Array<number> = []
      return { writer: ItemWriter.inMemory(out), observe: Effect.sync(() => out.slice()), expected: Function.identity }
    }),
    FastCheck.constant((): Case => {
      const ref = Ref.unsafeMake<ReadonlyArray<number>>([])
      return { writer: ItemWriter.inMemory(ref), observe: Ref.get(ref), expected: Function.identity }
    }),
    FastCheck.constant((): Case => {
      const log: Array<number> = []
      return { writer: logWriter(log), observe: Effect.sync(() => log.slice()), expected: Function.identity }
    }),
    FastCheck.constant((): Case => ({
      writer: ItemWriter.discard,
      observe: Effect.succeed([]),
      expected: () => []
    })),
    tie("writer").map((make) => (): Case => {
      const { expected, observe, writer } = make()
      return {
        writer: writer.pipe(ItemWriter.contramap((n: number) => n * 2), ItemWriter.mapError(String)),
        observe,
        expected: (items) => expected(items.map((n) => n * 2))
      }
    }),
    tie("writer").map((make) => (): Case => {
      const { writer, ...rest } = make()
      return { ...rest, writer: ItemWriter.unwrap(Effect.succeed(writer), { delivery: "restartable" }) }
    }),
    FastCheck.tuple(tie("writer"), tie("writer")).map(([makeSelf, makeThat]) => (): Case => {
      const [self, that] = [makeSelf(), makeThat()]
      return {
        writer: ItemWriter.tee(self.writer, that.writer, ItemWriter.discard).pipe(ItemWriter.withName("both")),
        observe: Effect.all([self.observe, that.observe]),
        expected: (items) => [self.expected(items), that.expected(items)]
      }
    }),
    FastCheck.tuple(tie("writer"), tie("writer")).map(([makeOdd, makeEven]) => (): Case => {
      const [odd, even] = [makeOdd(), makeEven()]
      return {
        writer: ItemWriter.route((n: number) => n % 2 === 0 ? "even" : "odd", { odd: odd.writer, even: even.writer }),
        observe: Effect.all([odd.observe, even.observe]),
        expected: (items) => [
          odd.expected(items.filter((n) => n % 2 !== 0)),
          even.expected(items.filter((n) => n % 2 === 0))
        ]
      }
    })
  )
})).writer

const openSink = <A, E, R>(writer: ItemWriter.ItemWriter<A, E, R>, state: Option.Option<Json> = Option.none()) =>
  writer.open(state)

/** A writer that tells what is done to it. */
const spy = (name: string, log: Array<string>, hooks: Partial<Sink<number, string>> = {}) =>
  ItemWriter.make<number, string>(name, {
    delivery: "restartable",
    open: (state) =>
      Effect.sync(() => {
        const did = (what: string) => Effect.sync(() => log.push(`${name} ${what}`))
        log.push(`${name} opened at ${JSON.stringify(Option.getOrNull(state))}`)
        return {
          write: (items) => did(`wrote ${items.join()}`),
          flush: Effect.as(did("flushed"), `${name} state`),
          rollback: did("rolled back"),
          committed: did("committed"),
          complete: did("completed"),
          ...hooks
        }
      })
  })

describe("ItemWriter", () => {
  it.effect.prop(
    "every writer and every combination of writers writes exactly once through rollbacks, kills and restarts",
    [
      anyWriter,
      FastCheck.array(FastCheck.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 15 }),
      FastCheck.integer()
    ],
    ([make, items, seed]) =>
      Effect.suspend(() => {
        const { expected, observe, writer } = make()
        return WriterLaws.check(writer, {
          items: items as [number, ...Array<number>],
          observe,
          expected: expected(items),
          seed
        })
      }).pipe(Effect.provide(transactor)),
    { fastCheck: { numRuns: 100 } }
  )

  it.effect("fromFunction writes at least once unless its delivery says more", () =>
    Effect.scoped(Effect.gen(function*() {
      const out: Array<ReadonlyArray<number>> = []
      const write = (items: ReadonlyArray<number>) => Effect.sync(() => void out.push(items))
      const plain = ItemWriter.fromFunction(write)
      assert.deepStrictEqual([plain.name, plain.delivery], ["function", "at-least-once"])
      assert.strictEqual(ItemWriter.fromFunction(write, { delivery: "transactional" }).delivery, "transactional")
      const named = ItemWriter.fromFunction(write, { name: "mail", delivery: "restartable" })
      assert.deepStrictEqual([named.name, named.delivery], ["mail", "restartable"])
      yield* (yield* openSink(named)).write([1, 2])
      assert.deepStrictEqual(out, [[1, 2]])
    })))

  it.effect("inMemory takes out only what its own transaction wrote", () =>
    Effect.scoped(Effect.gen(function*() {
      const out = [Number.NaN, 1, 2]
      const sink = yield* openSink(ItemWriter.inMemory(out))
      const { transact } = yield* Transactor.Transactor
      const exit = yield* Effect.exit(transact(Effect.gen(function*() {
        yield* sink.write([2, Number.NaN, 3])
        out.push(4)
        assert.deepStrictEqual(out, [Number.NaN, 1, 2, 2, Number.NaN, 3, 4])
        return yield* Effect.fail("no")
      })))
      assert.deepStrictEqual(exit, Exit.fail("no"))
      assert.deepStrictEqual(out, [Number.NaN, 1, 2, 4])
    })).pipe(Effect.provide(transactor)))

  it.effect("contramap and mapError keep everything else of the writer", () =>
    Effect.scoped(Effect.gen(function*() {
      const log: Array<string> = []
      const sink = yield* openSink(
        spy("a", log, { complete: Effect.fail("late") }).pipe(
          ItemWriter.contramap((text: string) => text.length),
          ItemWriter.mapError((error) => new Error(error)),
          ItemWriter.withName("b")
        )
      )
      yield* sink.write(["x", "yy"])
      assert.strictEqual(yield* sink.flush!, "a state")
      yield* sink.committed!
      yield* sink.rollback!
      assert.deepStrictEqual(yield* Effect.flip(sink.complete!), new Error("late"))
      assert.deepStrictEqual(log, ["a opened at null", "a wrote 1,2", "a flushed", "a committed", "a rolled back"])
    })))

  it.effect("unwrap opens in the Scope of the step, and does not promise more than the writer keeps", () =>
    Effect.gen(function*() {
      class Target extends Context.Tag("Target")<Target, Array<number>>() {}
      const writer = ItemWriter.unwrap(Effect.map(Target, (out) => ItemWriter.inMemory(out)), {
        delivery: "transactional"
      })
      assert.strictEqual(writer.delivery, "transactional")
      const out: Array<number> = []
      yield* Effect.scoped(Effect.flatMap(openSink(writer), (sink) => sink.write([1]))).pipe(
        Effect.provideService(Target, out)
      )
      assert.deepStrictEqual(out, [1])

      const weak = ItemWriter.unwrap(Effect.succeed(logWriter([])), { name: "weak", delivery: "transactional" })
      const exit = yield* Effect.exit(Effect.scoped(openSink(weak)))
      const defect = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.dieOption(exit.cause)) : undefined
      assert.instanceOf(defect, JobDefinitionError)
      assert.include((defect as JobDefinitionError).message, `the writer "weak" promises transactional`)
    }))

  it.effect("provide reaches whatever a writer does with its services, and adds nothing that it does not do", () =>
    Effect.scoped(Effect.gen(function*() {
      class Log extends Context.Tag("Log")<Log, Array<string>>() {}
      const note = (what: string) => Effect.map(Log, (log) => void log.push(what))
      const writer = ItemWriter.make<number, never, Log>("serviced", {
        delivery: "restartable",
        open: () =>
          Effect.as(note("opened"), {
            write: (items: ReadonlyArray<number>) => note(`wrote ${items}`),
            flush: Effect.as(note("flushed"), "a state"),
            complete: note("completed")
          })
      })
      const log: Array<string> = []
      const sink = yield* openSink(ItemWriter.provide(writer, Context.make(Log, log)))
      yield* sink.write([1, 2])
      assert.strictEqual(yield* sink.flush!, "a state")
      yield* sink.complete!
      assert.deepStrictEqual(log, ["opened", "wrote 1,2", "flushed", "completed"])

      const plain = yield* openSink(ItemWriter.provide(ItemWriter.inMemory<number>([]), Context.make(Log, log)))
      assert.deepStrictEqual([plain.flush, plain.complete], [undefined, undefined])
    })))

  it("only what may bring another SQL client puts the guarantee of a writer in doubt", () => {
    const SqlClient = Context.GenericTag<string>("@effect/sql/SqlClient")
    const Other = Context.GenericTag<string>("Other")
    assert.isTrue(mayChangeClient(Context.make(SqlClient, "another")))
    assert.isFalse(mayChangeClient(Context.make(Other, "service")))
    assert.isTrue(mayChangeClient(Layer.succeed(Other, "service")))
  })
})

describe("the state of a writer", () => {
  /** Flushes this, and says with what it was opened. */
  const stateful = (flushed: null | string, opened: Array<unknown>) =>
    ItemWriter.make("stateful", {
      delivery: "restartable",
      open: (state: Option.Option<unknown>) =>
        Effect.sync(() => {
          opened.push(Option.match(state, { onNone: () => "none", onSome: (state) => state }))
          return { write: () => Effect.void, flush: Effect.succeed(flushed) }
        })
    })

  it.effect("is given back as it was, null too, by what holds several writers", () =>
    Effect.gen(function*() {
      const opened: Array<unknown> = []
      for (
        const both of [
          ItemWriter.tee(stateful(null, opened), ItemWriter.discard, stateful("b", opened)),
          ItemWriter.route((item: string) => item, { a: stateful(null, opened), b: stateful("b", opened) })
        ]
      ) {
        opened.length = 0
        const state = yield* Effect.scoped(
          Effect.flatMap(both.open(Option.none()), (sink) => sink.flush ?? Effect.die("nothing to flush"))
        )
        yield* Effect.scoped(both.open(Option.some(state)))
        assert.deepStrictEqual(opened, ["none", "none", null, "b"])
      }
    }))

  it.effect("that could not be flushed, or completed, fails as mapError says", () =>
    Effect.gen(function*() {
      const failing = ItemWriter.make("failing", {
        delivery: "restartable",
        open: () =>
          Effect.succeed({
            write: () => Effect.fail("write"),
            flush: Effect.fail("flush"),
            complete: Effect.fail("complete")
          })
      })
      const errors = yield* Effect.scoped(
        Effect.flatMap(ItemWriter.mapError(failing, (error) => `no ${error}`).open(Option.none()), (sink) =>
          Effect.all([Effect.flip(sink.write([1])), Effect.flip(sink.flush!), Effect.flip(sink.complete!)]))
      )
      assert.deepStrictEqual(errors, ["no write", "no flush", "no complete"])
    }))
})

describe("ItemWriter.tee", () => {
  it.effect("forwards everything to all writers, in their order (ITEM-2)", () =>
    Effect.scoped(Effect.gen(function*() {
      const log: Array<string> = []
      const writer = ItemWriter.tee(spy("a", log), ItemWriter.discard, spy("b", log))
      assert.deepStrictEqual([writer.name, writer.delivery], ["a, discard, b", "restartable"])
      const sink = yield* openSink(writer)
      yield* sink.write([1, 2])
      const state = yield* sink.flush!
      yield* sink.committed!
      yield* sink.rollback!
      yield* sink.complete!
      assert.deepStrictEqual(log, [
        ...["a opened at null", "b opened at null", "a wrote 1,2", "b wrote 1,2", "a flushed", "b flushed"],
        ...["a committed", "b committed", "a rolled back", "b rolled back", "a completed", "b completed"]
      ])
      log.length = 0
      yield* openSink(writer, Option.some(state))
      assert.deepStrictEqual(log, [`a opened at "a state"`, `b opened at "b state"`])
    })))

  it.effect("a rollback reaches all writers, even if one dies of it", () =>
    Effect.scoped(Effect.gen(function*() {
      const log: Array<string> = []
      const sink = yield* openSink(ItemWriter.tee(spy("a", log, { rollback: Effect.die("broken") }), spy("b", log)))
      const exit = yield* Effect.exit(sink.rollback!)
      assert.deepStrictEqual(exit, Exit.die("broken"))
      assert.include(log, "b rolled back")
    })))

  it("guarantees what its weakest writer guarantees", () => {
    const weak = ItemWriter.fromFunction((_: ReadonlyArray<number>) => Effect.void)
    const strong = ItemWriter.inMemory<number>([])
    assert.strictEqual(ItemWriter.tee(strong, ItemWriter.discard).delivery, "transactional")
    assert.strictEqual(ItemWriter.tee(strong, logWriter([])).delivery, "restartable")
    assert.strictEqual(ItemWriter.tee(strong, logWriter([]), weak).delivery, "at-least-once")
  })

  it.effect("has no hooks that none of its writers has", () =>
    Effect.scoped(Effect.gen(function*() {
      const sink = yield* openSink(ItemWriter.tee(ItemWriter.discard, ItemWriter.inMemory<number>([])))
      assert.deepStrictEqual([sink.flush, sink.rollback, sink.committed, sink.complete], Array(4).fill(undefined))
    })))

  it.effect("refuses the state of other writers, with its name and what to do", () =>
    Effect.scoped(Effect.gen(function*() {
      const writer = ItemWriter.tee(logWriter([]), logWriter([])).pipe(ItemWriter.withName("both"))
      for (const state of [[{ state: 1 }], "x", { a: 1 }]) {
        const error = yield* Effect.flip(openSink(writer, Option.some(state)))
        assert.instanceOf(error, UnreadablePosition)
        assert.strictEqual(error.reader, "both")
      }
    })))
})

describe("ItemWriter.route", () => {
  it.effect("writes each item to the writer of its key, in order, and leaves out writers without items", () =>
    Effect.scoped(Effect.gen(function*() {
      const log: Array<string> = []
      const writer = ItemWriter.route((n: number) => n === 0 ? "zero" : n < 0 ? "minus" : "plus", {
        plus: spy("plus", log),
        minus: spy("minus", log),
        zero: spy("zero", log)
      })
      const sink = yield* openSink(writer)
      log.length = 0
      yield* sink.write([-1, 2, -3, 4])
      assert.deepStrictEqual(log, ["plus wrote 2,4", "minus wrote -1,-3"])
      assert.deepStrictEqual(yield* sink.flush!, {
        plus: { state: "plus state" },
        minus: { state: "minus state" },
        zero: { state: "zero state" }
      })
    })))

  it.effect("a key without a writer is a defect, before anything is written", () =>
    Effect.scoped(Effect.gen(function*() {
      const log: Array<string> = []
      const writers: { readonly [key: string]: ItemWriter.ItemWriter<number, string> } = { a: spy("a", log) }
      const sink = yield* openSink(ItemWriter.route((n: number): string => n > 0 ? "a" : "constructor", writers))
      log.length = 0
      const exit = yield* Effect.exit(sink.write([1, -1]))
      assert.isTrue(Exit.isFailure(exit) && Cause.pretty(exit.cause).includes(`no writer for the key "constructor"`))
      assert.deepStrictEqual(log, [])
    })))

  it.effect("a writer added later begins without state; the state of a writer that is gone is refused", () =>
    Effect.scoped(Effect.gen(function*() {
      const log: Array<string> = []
      const writer = ItemWriter.route((n: number) => n > 0 ? "a" : "b", { a: spy("a", log), b: spy("b", log) })
      yield* openSink(writer, Option.some({ a: { state: 1 } }))
      assert.deepStrictEqual(log, ["a opened at 1", "b opened at null"])
      const error = yield* Effect.flip(openSink(writer, Option.some({ a: { state: 1 }, c: { state: 2 } })))
      assert.instanceOf(error, UnreadablePosition)
      assert.include(error.message, `a writer "c", which is gone`)
    })))
})
