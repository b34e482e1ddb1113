import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as ItemProcessor from "../../src/item/ItemProcessor.js"
import * as Sensitive from "../../src/vocabulary/Sensitive.js"

const Filtered: ItemProcessor.Filtered = ItemProcessor.Filtered

/** What the engine does with a processor: it opens it once and gives it every item. */
const run = <In, Out, E, R>(processor: ItemProcessor.ItemProcessor<In, Out, E, R>, items: ReadonlyArray<In>) =>
  Effect.scoped(
    Effect.flatMap(processor.open, (opened) =>
      Effect.forEach(items, (item) =>
        opened._tag === "Sync"
          ? Effect.exit(Effect.sync(() => opened.apply(item)))
          : Effect.exit(opened.apply(item))))
  )

const tagOf = <In, Out, E>(processor: ItemProcessor.ItemProcessor<In, Out, E>) =>
  Effect.scoped(Effect.map(processor.open, (opened) => opened._tag))

const outputs = <In, Out, E, R>(processor: ItemProcessor.ItemProcessor<In, Out, E, R>, items: ReadonlyArray<In>) =>
  Effect.map(run(processor, items), (exits) => exits.map((exit) => Exit.isSuccess(exit) ? exit.value : "failed"))

type Processor = ItemProcessor.ItemProcessor<number, number, string>

/** Processors of every kind: plain, already there, failing, and really running. */
const anyProcessor: FastCheck.Arbitrary<Processor> = FastCheck.integer({ min: 1, max: 9 }).chain((n) =>
  FastCheck.constantFrom<Processor>(
    ItemProcessor.map((item) => item + n),
    ItemProcessor.filter((item) => item % 3 !== n % 3),
    ItemProcessor.filterMap((item) => item > n ? Option.some(item - n) : Option.none()),
    ItemProcessor.mapEffect((item) => Effect.succeed(item * n)),
    ItemProcessor.mapEffect((item) => item % 5 === 0 ? Exit.fail(`no ${item}`) : Exit.succeed(item)),
    ItemProcessor.mapEffect((item) => item % 7 === 0 ? Effect.fail(`bad ${item}`) : Effect.succeed(item)),
    ItemProcessor.mapEffect((item) => Effect.as(Effect.yieldNow(), item + n)),
    ItemProcessor.fromFunction((item) => Effect.sync(() => item % 2 === 0 ? item : ItemProcessor.Filtered)),
    ItemProcessor.filterMapEffect((item) => Effect.succeed(item % 4 === 0 ? Option.none() : Option.some(-item))),
    ItemProcessor.unwrap(Effect.succeed(ItemProcessor.map((item: number) => item - n))),
    ItemProcessor.identity()
  )
)

const items = FastCheck.array(FastCheck.integer({ min: -50, max: 50 }), { maxLength: 20 })

describe("ItemProcessor", () => {
  it.effect.prop(
    "andThen is associative",
    [anyProcessor, anyProcessor, anyProcessor, items],
    ([a, b, c, items]) =>
      Effect.gen(function*() {
        const left = ItemProcessor.andThen(ItemProcessor.andThen(a, b), c)
        const right = ItemProcessor.andThen(a, ItemProcessor.andThen(b, c))
        assert.deepStrictEqual(yield* run(left, items), yield* run(right, items))
      })
  )

  it.effect.prop(
    "identity is neutral for andThen",
    [anyProcessor, items],
    ([processor, items]) =>
      Effect.gen(function*() {
        const expected = yield* run(processor, items)
        assert.deepStrictEqual(
          yield* run(ItemProcessor.andThen(ItemProcessor.identity<number>(), processor), items),
          expected
        )
        assert.deepStrictEqual(
          yield* run(processor.pipe(ItemProcessor.andThen(ItemProcessor.identity())), items),
          expected
        )
      })
  )

  it.effect.prop("andThen equals one processor after the other, and stops at a filtered item", [
    anyProcessor,
    anyProcessor,
    items
  ], ([a, b, items]) =>
    Effect.gen(function*() {
      const one = yield* run(ItemProcessor.andThen(a, b), items)
      for (const [index, item] of items.entries()) {
        const [first] = yield* run(a, [item])
        const expected = Exit.isSuccess(first!) && first.value !== Filtered ? (yield* run(b, [first.value]))[0] : first
        assert.deepStrictEqual(one[index], expected)
      }
    }))

  it.effect("filter keeps the items for which the predicate holds (CHUNK-4)", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* outputs(ItemProcessor.filter((n: number) => n > 1), [1, 2, 3]), [Filtered, 2, 3])
      const strings = ItemProcessor.filter((value: unknown): value is string => typeof value === "string")
      assert.deepStrictEqual(yield* outputs(strings, ["a", 1]), ["a", Filtered])
      const parsed = ItemProcessor.filterMap((text: string) =>
        Option.filter(Option.some(Number(text)), Number.isFinite)
      )
      assert.deepStrictEqual(yield* outputs(parsed, ["1", "x"]), [1, Filtered])
      const looked = ItemProcessor.filterMapEffect((n: number) =>
        Effect.as(Effect.yieldNow(), n > 1 ? Option.some(n) : Option.none())
      )
      assert.deepStrictEqual(yield* outputs(looked, [1, 2]), [Filtered, 2])
    }))

  it.effect("plain functions stay plain functions when they are combined", () =>
    Effect.gen(function*() {
      const plain = ItemProcessor.map((n: number) => n + 1).pipe(
        ItemProcessor.andThen(ItemProcessor.filter((n: number) => n > 1)),
        ItemProcessor.andThen(ItemProcessor.identity())
      )
      assert.strictEqual(yield* tagOf(plain), "Sync")
      assert.strictEqual(yield* tagOf(ItemProcessor.andThen(plain, ItemProcessor.mapEffect(Effect.succeed))), "Effect")
    }))

  it.effect("a value that needs no effect stays an Exit through a whole chain", () =>
    Effect.scoped(Effect.gen(function*() {
      const chain = ItemProcessor.validate(Schema.NumberFromString).pipe(
        ItemProcessor.andThen(ItemProcessor.map((n: number) => n + 1)),
        ItemProcessor.andThen(ItemProcessor.filterMapEffect((n: number) => Effect.succeed(Option.some(n)))),
        ItemProcessor.andThen(ItemProcessor.mapEffect((n: number) => n > 9 ? Exit.fail("too big") : Exit.succeed(n)))
      )
      const opened = yield* chain.open
      assert.isTrue(Exit.isExit(opened.apply("1")))
      assert.isTrue(Exit.isExit(opened.apply("9")))
      assert.isTrue(Exit.isExit(opened.apply("x")))
    })))

  it.effect("a function that throws is a defect", () =>
    Effect.gen(function*() {
      const broken = ItemProcessor.andThen(
        ItemProcessor.mapEffect((n: number) => Effect.as(Effect.yieldNow(), n)),
        ItemProcessor.map((_: number): number => {
          throw new Error("broken")
        })
      )
      const [exit] = yield* run(broken, [1])
      assert.isTrue(Exit.isFailure(exit!) && exit.cause._tag === "Die")
    }))

  it.effect("unwrap runs its effect when the step opens, in the Scope of the step", () =>
    Effect.gen(function*() {
      class Factor extends Context.Tag("Factor")<Factor, number>() {}
      const log: Array<string> = []
      const processor = ItemProcessor.unwrap(
        Effect.map(
          Effect.acquireRelease(Effect.tap(Factor, () => log.push("opened")), () =>
            Effect.sync(() => log.push("closed"))),
          (factor) =>
            ItemProcessor.map((n: number) => n * factor)
        )
      )
      assert.deepStrictEqual(log, [])
      assert.deepStrictEqual(yield* Effect.provideService(outputs(processor, [1, 2]), Factor, 10), [10, 20])
      assert.deepStrictEqual(log, ["opened", "closed"])
    }))
})

describe("ItemProcessor.validate", () => {
  const Payment = Schema.Struct({
    id: Schema.NonEmptyString,
    cents: Schema.NumberFromString,
    iban: Sensitive.make(Schema.String.pipe(Schema.pattern(/^[A-Z]{2}\d+$/)))
  })

  it.effect("decodes the items that fit", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* outputs(ItemProcessor.validate(Payment), [{ id: "1", cents: "12", iban: "DE02" }]),
        [
          { id: "1", cents: 12, iban: "DE02" }
        ]
      )
    }))

  it.effect("tells all that is wrong with an item, without its sensitive values", () =>
    Effect.gen(function*() {
      const [exit] = yield* run(ItemProcessor.validate(Payment), [{ id: "", cents: "x", iban: "secret" }])
      const error = yield* Effect.flip(exit!)
      assert.instanceOf(error, ItemProcessor.InvalidItem)
      assert.deepStrictEqual(error.issues.map((issue) => issue.path), ["id", "cents", "iban"])
      assert.match(
        error.message,
        /^The item is not valid: id: .*, actual ""; cents: Unable to decode "x" .*; iban: .*<sensitive>; mend/
      )
      assert.notInclude(error.message, "secret")
    }))

  it.effect("decodes by Schemas with asynchronous parts and services", () =>
    Effect.gen(function*() {
      class Known extends Context.Tag("Known")<Known, ReadonlyArray<string>>() {}
      const KnownId = Schema.String.pipe(
        Schema.filterEffect((id) => Effect.map(Effect.zipLeft(Known, Effect.yieldNow()), (known) => known.includes(id)))
      )
      const exits = yield* Effect.provideService(run(ItemProcessor.validate(KnownId), ["a", "b"]), Known, ["a"])
      assert.deepStrictEqual(exits[0], Exit.succeed("a"))
      assert.instanceOf(Either.getOrThrow(yield* Effect.either(Effect.flip(exits[1]!))), ItemProcessor.InvalidItem)
    }))

  it.effect("the error survives being stored", () =>
    Effect.gen(function*() {
      const error = new ItemProcessor.InvalidItem({
        issues: [new Sensitive.Issue({ path: "id", message: "is missing" })]
      })
      const stored = JSON.parse(JSON.stringify(yield* Schema.encode(ItemProcessor.InvalidItem)(error)))
      assert.deepStrictEqual((yield* Schema.decodeUnknown(ItemProcessor.InvalidItem)(stored)).message, error.message)
    }))
})
