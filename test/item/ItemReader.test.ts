import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as ItemReader from "../../src/item/ItemReader.js"
import { renamed } from "../../src/item/position.js"
import * as ReaderLaws from "../../src/testing/ReaderLaws.js"
import { JobDefinitionError, UnreadablePosition } from "../../src/vocabulary/BatchError.js"

const readAll = <A, E, R>(
  reader: ItemReader.ItemReader<A, E, R>,
  from: Option.Option<ItemReader.Position> = Option.none(),
  max = 3
) =>
  Effect.scoped(Effect.gen(function*() {
    const source = yield* reader.open(from)
    const items: Array<A> = []
    const failures: Array<E> = []
    for (;;) {
      const page = yield* source.pull(max)
      items.push(...page.items)
      failures.push(...Option.toArray(page.failure))
      if (page.done) {
        return { items, failures, position: page.position }
      }
    }
  }))

const items = <A, E, R>(reader: ItemReader.ItemReader<A, E, R>) => Effect.map(readAll(reader), ({ items }) => items)

type Event = { readonly item: number } | { readonly bad: string }

/** A reader with bad records in it, over a script. */
const scripted = (events: ReadonlyArray<Event>): ItemReader.ItemReader<number, string> =>
  ItemReader.make("scripted", (from) =>
    Effect.sync(() => {
      let index = Option.getOrElse(from, () => 0) as number
      return {
        pull: (max) =>
          Effect.sync(() => {
            const items: Array<number> = []
            let failure = Option.none<string>()
            while (index < events.length && items.length < max && Option.isNone(failure)) {
              const event = events[index++]!
              if ("item" in event) {
                items.push(event.item)
              } else {
                failure = Option.some(event.bad)
              }
            }
            return { items, position: index, failure, done: index >= events.length }
          })
      }
    }))

const numbers = FastCheck.array(FastCheck.integer({ min: 0, max: 99 }), { maxLength: 25 })

const events = FastCheck.array(
  FastCheck.oneof(
    { weight: 4, arbitrary: FastCheck.record({ item: FastCheck.integer({ min: 0, max: 99 }) }) },
    FastCheck.record({ bad: FastCheck.constantFrom("bad line", "too long") })
  ),
  { maxLength: 15 }
)

const pagedOver = (numbers: ReadonlyArray<number>, size: (max: number) => number) =>
  ItemReader.paged({
    cursor: Schema.Struct({ at: Schema.NumberFromString }),
    initial: { at: 0 },
    fetch: ({ at }, max) => {
      const end = at + size(max)
      return Effect.succeed({
        items: numbers.slice(at, end),
        next: end < numbers.length ? Option.some({ at: end }) : Option.none()
      })
    }
  })

type Reader = ItemReader.ItemReader<number, string | UnreadablePosition>

const baseReader: FastCheck.Arbitrary<Reader> = FastCheck.oneof(
  numbers.map((array): Reader => ItemReader.fromIterable(array)),
  numbers.map((array): Reader => ItemReader.fromIterable(new Set(array))),
  numbers.map((array): Reader => ItemReader.fromStream(Stream.rechunk(Stream.fromIterable(array), 4))),
  numbers.map((array): Reader =>
    ItemReader.fromStreamBy({
      key: Schema.NumberFromString,
      open: (after) =>
        Stream.fromIterable(array.map((_, index) => index)).pipe(
          Stream.filter((key) => Option.isNone(after) || key > after.value),
          Stream.rechunk(3)
        ),
      keyOf: (key) => key
    })
  ),
  FastCheck.tuple(numbers, FastCheck.integer({ min: 1, max: 9 })).map(([array, size]): Reader =>
    pagedOver(array, () => size)
  ),
  numbers.map((array): Reader => pagedOver(array, (max) => max)),
  numbers.map((array): Reader => pagedOver(array, (max) => 2 * max)),
  events.map((script): Reader => scripted(script)),
  FastCheck.constant<Reader>(ItemReader.empty)
)

/** Readers composed at random from all readers and all combinators. */
const anyReader: FastCheck.Arbitrary<Reader> = FastCheck.letrec<{ readonly reader: Reader }>((tie) => ({
  reader: FastCheck.oneof(
    { depthSize: "small", withCrossShrink: true },
    baseReader,
    tie("reader").map((reader): Reader => ItemReader.map(reader, (n) => n + 1)),
    tie("reader").map((reader): Reader => ItemReader.filter(reader, (n) => n % 2 === 0)),
    tie("reader").map((reader): Reader => ItemReader.filterMap(reader, (n) => n > 9 ? Option.some(-n) : Option.none())),
    tie("reader").map((reader): Reader => ItemReader.mapError(reader, (error) => `mapped: ${error}`)),
    tie("reader").map((reader): Reader => ItemReader.withName(reader, "renamed")),
    tie("reader").map((reader): Reader => ItemReader.unwrap(Effect.sync(() => reader))),
    tie("reader").map((reader): Reader =>
      ItemReader.map(ItemReader.zipWithIndex(reader), ([n, index]) => n * 100 + index)
    ),
    FastCheck.tuple(tie("reader"), FastCheck.integer({ min: 0, max: 12 })).map(([reader, count]): Reader =>
      ItemReader.limit(reader, count)
    ),
    FastCheck.tuple(tie("reader"), tie("reader")).map(([self, that]): Reader => ItemReader.concat(self, that)),
    tie("reader").map((reader): Reader => ItemReader.concat(reader, reader))
  )
})).reader

describe("ItemReader", () => {
  it.effect.prop(
    "every reader and every combination of readers continues exactly after any of its positions (ITEM-4)",
    [anyReader, FastCheck.integer()],
    // The test runner gives up on a process whose event loop does not turn for a minute.
    ([reader, seed]) =>
      Effect.zipRight(Effect.promise(() => new Promise(setImmediate)), ReaderLaws.check(reader, { seed })),
    { fastCheck: { numRuns: 250 } }
  )

  it.effect.prop("every reader of numbers reads these numbers", [numbers], ([array]) =>
    Effect.gen(function*() {
      const readers = [
        ItemReader.fromIterable(array),
        ItemReader.fromIterable({ [Symbol.iterator]: () => array[Symbol.iterator]() }),
        ItemReader.fromStream(Stream.fromIterable(array)),
        pagedOver(array, () => 4),
        ItemReader.concat(ItemReader.fromIterable(array.slice(0, 5)), ItemReader.fromIterable(array.slice(5)))
      ]
      for (const reader of readers) {
        assert.deepStrictEqual(yield* items(reader), array)
      }
    }))

  it.effect("transforms, filters and numbers the items", () =>
    Effect.gen(function*() {
      const reader = ItemReader.fromIterable([1, 2, 3, 4, 5])
      assert.deepStrictEqual(yield* items(ItemReader.map(reader, (n) => n * 2)), [2, 4, 6, 8, 10])
      assert.deepStrictEqual(yield* items(reader.pipe(ItemReader.filter((n) => n % 2 === 1))), [1, 3, 5])
      assert.deepStrictEqual(
        yield* items(ItemReader.filterMap(reader, (n) => n > 3 ? Option.some(`${n}`) : Option.none())),
        ["4", "5"]
      )
      assert.deepStrictEqual(yield* items(reader.pipe(ItemReader.limit(2))), [1, 2])
      assert.deepStrictEqual(yield* items(ItemReader.limit(reader, 0)), [])
      assert.deepStrictEqual(yield* items(ItemReader.limit(reader, Infinity)), [1, 2, 3, 4, 5])
      assert.deepStrictEqual(yield* items(ItemReader.zipWithIndex(ItemReader.fromIterable(["a", "b"]))), [
        ["a", 0],
        ["b", 1]
      ])
    }))

  it.effect("keeps bad records in place", () =>
    Effect.gen(function*() {
      const reader = scripted([{ item: 1 }, { bad: "x" }, { item: 2 }, { bad: "y" }])
      const read = yield* readAll(
        reader.pipe(ItemReader.map((n) => n * 10), ItemReader.mapError((text) => text.length))
      )
      assert.deepStrictEqual(read.items, [10, 20])
      assert.deepStrictEqual(read.failures, [1, 1])
    }))

  it("refuses a limit that is not a number of items", () => {
    assert.throws(() => ItemReader.limit(ItemReader.empty, -1), JobDefinitionError)
    assert.throws(() => ItemReader.limit(ItemReader.empty, Number.NaN), JobDefinitionError)
  })

  it.effect("ends at its limit: what is bad behind that is not its own, and its place stays the one of the last item", () =>
    Effect.gen(function*() {
      const opened: Array<unknown> = []
      const reader = ItemReader.make("bad", (from: Option.Option<ItemReader.Position>) =>
        Effect.sync(() => {
          opened.push(Option.getOrNull(from))
          return {
            pull: (): Effect.Effect<ItemReader.Page<number, string>> =>
              Effect.succeed({ items: [1, 2], position: "behind 2", failure: Option.some("bad"), done: false })
          }
        }))
      const pulled = (count: number, from: Option.Option<ItemReader.Position>) =>
        Effect.scoped(Effect.flatMap(ItemReader.limit(reader, count).open(from), (source) => source.pull(10)))
      const full = yield* pulled(2, Option.none())
      assert.deepStrictEqual([full.items, full.failure, full.done], [[1, 2], Option.none(), true])
      const more = yield* pulled(3, Option.none())
      assert.deepStrictEqual([more.items, more.failure, more.done], [[1, 2], Option.some("bad"), false])
      const again = yield* pulled(2, Option.some(full.position))
      assert.deepStrictEqual([again.items, again.done, again.position], [[], true, full.position])
      opened.length = 0
      yield* pulled(4, Option.some(again.position))
      assert.deepStrictEqual(opened, ["behind 2"], "a limit that was raised goes on from there")
    }))

  it.effect("knows how far it is in an array", () =>
    Effect.scoped(Effect.gen(function*() {
      const source = yield* ItemReader.fromIterable(["a", "b", "c"]).pipe(ItemReader.map((text) => text.length)).open(
        Option.some(1)
      )
      assert.deepStrictEqual(source.progress?.(), { done: 1, total: 3 })
      yield* source.pull(2)
      assert.deepStrictEqual(source.progress?.(), { done: 3, total: 3 })
    })))

  it.effect("reads an iterable lazily and closes it with the step", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const iterable = {
        *[Symbol.iterator]() {
          try {
            for (let n = 0;; n++) {
              log.push(`read ${n}`)
              yield n
            }
          } finally {
            log.push("closed")
          }
        }
      }
      yield* Effect.scoped(Effect.gen(function*() {
        const source = yield* ItemReader.fromIterable(iterable).open(Option.none())
        assert.deepStrictEqual((yield* source.pull(2)).items, [0, 1])
      }))
      assert.deepStrictEqual(log, ["read 0", "read 1", "closed"])
    }))
})

describe("ItemReader positions", () => {
  const readers: ReadonlyArray<Reader> = [
    ItemReader.fromIterable([1]).pipe(ItemReader.withName("numbers")),
    ItemReader.fromStream(Stream.make(1), { name: "numbers" }),
    pagedOver([1], () => 1).pipe(ItemReader.withName("numbers")),
    ItemReader.fromStreamBy({ name: "numbers", key: Schema.Number, open: () => Stream.make(1), keyOf: (n) => n }),
    ItemReader.limit(ItemReader.fromIterable([1], { name: "numbers" }), 1),
    ItemReader.map(ItemReader.zipWithIndex(ItemReader.fromIterable([1], { name: "numbers" })), ([n]) => n),
    ItemReader.concat(ItemReader.fromIterable([1]), ItemReader.empty).pipe(ItemReader.withName("numbers"))
  ]
  for (const [index, reader] of readers.entries()) {
    it.effect(`a position of another reader is refused, with the name of the reader and what to do (${index})`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(readAll(reader, Option.some("line 12")))
        assert.instanceOf(error, UnreadablePosition)
        assert.match(error.message, /"numbers" cannot go on from its stored state: .*restart with/)
      }))
  }

  const shorter: Readonly<
    Record<string, (items: ReadonlyArray<number>) => ItemReader.ItemReader<number, UnreadablePosition>>
  > = {
    "an array": (items) => ItemReader.fromIterable(items),
    "a set": (items) => ItemReader.fromIterable(new Set(items)),
    "a stream": (items) => ItemReader.fromStream(Stream.rechunk(Stream.fromIterable(items), 2))
  }
  it.effect.each(Object.entries(shorter))(
    "%s that is shorter than what was read of it is refused (OWN-22)",
    ([, make]) =>
      Effect.gen(function*() {
        const source = yield* make([1, 2, 3, 4, 5]).open(Option.none())
        let position: ItemReader.Position = null
        for (let read = 0; read < 3;) {
          const page = yield* source.pull(3 - read)
          read += page.items.length
          position = page.position
        }
        const from = Option.some(position)
        assert.deepStrictEqual((yield* readAll(make([1, 2, 3, 4]), from)).items, [4])
        assert.deepStrictEqual((yield* readAll(make([1, 2, 3]), from)).items, [])
        for (const items of [[1, 2], []]) {
          const error = yield* Effect.flip(readAll(make(items), from))
          assert.instanceOf(error, UnreadablePosition)
          assert.include(error.message, `3 items were read before, but now the source has only ${items.length}`)
        }
      }).pipe(Effect.scoped)
  )

  it("an error about a position follows its reader to a new name, and that of another one does not", () => {
    const error = new UnreadablePosition({ reader: "rows", detail: "no number", advice: "wait" })
    assert.deepInclude(renamed(error, "rows", "countries"), {
      reader: "countries",
      detail: "no number",
      advice: "wait"
    })
    assert.strictEqual(renamed(error, "other", "countries"), error)
    assert.strictEqual(renamed("away", "rows", "countries"), "away")
  })

  it.effect("the position inside a position is checked by its own reader", () =>
    Effect.gen(function*() {
      const reader = ItemReader.fromIterable([1], { name: "inner" }).pipe(
        ItemReader.zipWithIndex,
        ItemReader.withName("outer")
      )
      const error = yield* Effect.flip(readAll(reader, Option.some({ index: 1, position: "x" })))
      assert.strictEqual(error.reader, "outer")
    }))

  it.effect("a page is fetched again with the arguments it was fetched with", () =>
    Effect.gen(function*() {
      const calls: Array<readonly [number, number]> = []
      const reader = ItemReader.paged({
        cursor: Schema.Number,
        initial: 0,
        fetch: (cursor, max) => {
          calls.push([cursor, max])
          return Effect.succeed({ items: ["a", "b", "c", "d", "e"], next: Option.none<number>() })
        }
      })
      const position = yield* Effect.scoped(Effect.gen(function*() {
        const source = yield* reader.open(Option.none())
        return (yield* source.pull(2)).position
      }))
      assert.deepStrictEqual((yield* readAll(reader, Option.some(position), 4)).items, ["c", "d", "e"])
      assert.deepStrictEqual(calls, [[0, 2], [0, 2]])
    }))

  it.effect.each<
    readonly [
      how: string,
      items: ReadonlyArray<number>,
      within: { readonly max: number; readonly offset: number; readonly size?: number }
    ]
  >([
    ["is gone", [], { max: 5, offset: 3, size: 3 }],
    ["ends in front of the place", [1, 2], { max: 5, offset: 3, size: 5 }],
    ["lacks an item behind the place", [1, 2, 3, 4], { max: 5, offset: 3, size: 5 }],
    ["ends in front of the place that version 0.1 stored", [1, 2], { max: 5, offset: 3 }]
  ])("a page that has become shorter is not read on: it %s (OWN-22)", ([, items, within]) =>
    Effect.gen(function*() {
      const reader = pagedOver(items, () => 5)
      const error = yield* Effect.flip(readAll(reader, Option.some({ cursor: { at: "0" }, within })))
      assert(error._tag === "UnreadablePosition")
      assert.include(error.message, `had ${within.size ?? within.offset} items, and has only ${items.length} now`)
    }))

  it.effect("a page that has grown is read on", () =>
    Effect.gen(function*() {
      const reader = pagedOver([1, 2, 3, 4, 5], () => 5)
      const read = yield* readAll(reader, Option.some({ cursor: { at: "0" }, within: { max: 5, offset: 3, size: 4 } }))
      assert.deepStrictEqual(read.items, [4, 5])
      // As version 0.1 stored it.
      const old = yield* readAll(reader, Option.some({ cursor: { at: "0" }, within: { max: 5, offset: 3 } }))
      assert.deepStrictEqual(old.items, [4, 5])
    }))
})

describe("ItemReader failures of the source", () => {
  it.effect("a failed stream has not moved: pulling again runs it again up to where it was", () =>
    Effect.gen(function*() {
      const runs = yield* Ref.make(0)
      const closed = yield* Ref.make(0)
      const stream = Stream.unwrapScoped(
        Effect.acquireRelease(Ref.updateAndGet(runs, (n) => n + 1), () => Ref.update(closed, (n) => n + 1)).pipe(
          Effect.map((run) =>
            Stream.rechunk(Stream.range(1, 4), 2).pipe(
              Stream.concat(run === 1 ? Stream.fail("broken") : Stream.empty),
              Stream.concat(Stream.range(5, 6))
            )
          )
        )
      )
      yield* Effect.scoped(Effect.gen(function*() {
        const source = yield* ItemReader.fromStream(stream).open(Option.none())
        assert.deepStrictEqual((yield* source.pull(3)).items, [1, 2])
        assert.deepStrictEqual((yield* source.pull(1)).items, [3])
        assert.deepStrictEqual(yield* source.pull(5), {
          items: [4],
          position: 4,
          failure: Option.none(),
          done: false
        })
        assert.deepStrictEqual(yield* Effect.either(source.pull(5)), Either.left("broken"))
        assert.strictEqual(yield* Ref.get(closed), 1)
        assert.deepStrictEqual(yield* source.pull(5), {
          items: [5, 6],
          position: 6,
          failure: Option.none(),
          done: false
        })
        assert.isTrue((yield* source.pull(5)).done)
      }))
      assert.strictEqual(yield* Ref.get(runs), 2)
      assert.strictEqual(yield* Ref.get(closed), 2)
    }))

  it.effect("a page that could not be fetched is fetched by the next pull", () =>
    Effect.gen(function*() {
      let attempts = 0
      const reader = ItemReader.paged({
        cursor: Schema.Number,
        initial: 0,
        fetch: (cursor) =>
          ++attempts === 2
            ? Effect.fail("unavailable" as const)
            : Effect.succeed({ items: [cursor], next: cursor < 2 ? Option.some(cursor + 1) : Option.none() })
      })
      yield* Effect.scoped(Effect.gen(function*() {
        const source = yield* reader.open(Option.none())
        assert.deepStrictEqual((yield* source.pull(1)).items, [0])
        assert.strictEqual(yield* Effect.flip(source.pull(1)), "unavailable")
        assert.deepStrictEqual((yield* source.pull(1)).items, [1])
      }))
    }))

  it.effect("the second of two readers is opened when the first one is closed, and again when that failed", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const logged = (name: string, broken: Effect.Effect<void, string>) =>
        ItemReader.make(
          name,
          (from) =>
            Effect.acquireRelease(Effect.sync(() => log.push(`open ${name}`)), () =>
              Effect.sync(() => log.push(`close ${name}`))).pipe(
                Effect.zipRight(broken),
                Effect.zipRight(ItemReader.fromIterable([name]).open(from))
              )
        )
      let failures = 1
      const reader = ItemReader.concat(
        logged("a", Effect.void),
        logged("b", Effect.suspend(() => failures-- > 0 ? Effect.fail("locked") : Effect.void))
      )
      yield* Effect.scoped(Effect.gen(function*() {
        const source = yield* reader.open(Option.none())
        assert.deepStrictEqual((yield* source.pull(5)).items, ["a"])
        assert.strictEqual(yield* Effect.flip(source.pull(5)), "locked")
        assert.deepStrictEqual((yield* source.pull(5)).items, ["b"])
      }))
      assert.deepStrictEqual(log, ["open a", "close a", "open b", "close b", "open b", "close b"])
    }))
})
