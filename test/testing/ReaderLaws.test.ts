import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Page } from "../../src/item/ItemReader.js"
import * as ItemReader from "../../src/item/ItemReader.js"
import * as ReaderLaws from "../../src/testing/ReaderLaws.js"

const ITEMS = ["a", "b", "c", "d", "e", "f", "g", "h"]

/** A reader over `ITEMS` that keeps the laws, except for what `mutate` does to its start and to its pages. */
const mutant = (mutate: {
  readonly start?: (stored: number) => number
  readonly page?: (page: Page<string, string>, count: number, from: number) => Page<string, string>
}): ItemReader.ItemReader<string, string> =>
  ItemReader.make("mutant", (from) =>
    Effect.sync(() => {
      const start = Option.match(from, {
        onNone: () => 0,
        onSome: (stored) => (mutate.start ?? ((n) => n))(stored as number)
      })
      let count = start
      return {
        pull: (max) =>
          Effect.sync(() => {
            const items = ITEMS.slice(count, count + max)
            count += items.length
            const page = { items, position: count, failure: Option.none<string>(), done: count >= ITEMS.length }
            return mutate.page === undefined ? page : mutate.page(page, count, start)
          })
      }
    }))

const violation = (reader: ItemReader.ItemReader<string, string>, options?: ReaderLaws.Options) =>
  Effect.map(Effect.flip(ReaderLaws.check(reader, options)), (error) => {
    assert.instanceOf(error, ReaderLaws.ReaderLawViolation)
    return error
  })

describe("ReaderLaws", () => {
  it.effect("accepts a reader that keeps the laws", () =>
    Effect.gen(function*() {
      for (let seed = 0; seed < 20; seed++) {
        assert.isUndefined(yield* ReaderLaws.check(mutant({}), { seed }))
      }
    }))

  const broken = {
    "starts over": mutant({ start: () => 0 }),
    "repeats an item": mutant({ start: (stored) => stored - 1 }),
    "loses an item": mutant({ start: (stored) => Math.min(stored + 1, ITEMS.length) }),
    "does not advance its position": mutant({ page: (page) => ({ ...page, position: 0 }) }),
    "counts from where it was opened": mutant({ page: (page, count, from) => ({ ...page, position: count - from }) }),
    "forgets a bad record after a restart": mutant({
      page: (page, count, from) => from === 0 && page.done ? { ...page, failure: Option.some("bad") } : page
    })
  }
  for (const [name, reader] of Object.entries(broken)) {
    it.effect(`finds a reader that ${name}`, () =>
      Effect.gen(function*() {
        for (let seed = 0; seed < 10; seed++) {
          assert.strictEqual((yield* violation(reader, { seed })).law, "the rest of the items is the same")
        }
      }))
  }

  it.effect("finds a reader that returns more items than it was asked for", () =>
    Effect.gen(function*() {
      const reader = mutant({ page: (page) => ({ ...page, items: [...page.items, "x", "y", "z"] }) })
      assert.strictEqual((yield* violation(reader, { maxPerPull: 2 })).law, "a page holds at most max items")
    }))

  it.effect("finds a reader without an end", () =>
    Effect.gen(function*() {
      const error = yield* violation(mutant({ page: (page) => ({ ...page, done: false }) }), { maxReads: 50 })
      assert.strictEqual(error.law, "the reader comes to an end")
    }))

  it.effect("finds a position that cannot be stored", () =>
    Effect.gen(function*() {
      const reader = mutant({ page: (page) => ({ ...page, position: Number.NaN }) })
      assert.match((yield* violation(reader)).law, /^a position is JSON/)
    }))

  it.effect("says which reader broke the law, where, and how", () =>
    Effect.gen(function*() {
      const error = yield* violation(mutant({ start: () => 0 }), { maxPerPull: 1 })
      assert.match(
        error.message,
        /^The reader "mutant", opened at position 1, breaks a law: .* expected \[.*\], got \[/
      )
    }))

  it.effect("repeats a check exactly from its seed", () =>
    Effect.gen(function*() {
      const reader = mutant({ start: () => 0 })
      const first = yield* violation(reader, { seed: 5 })
      assert.deepStrictEqual((yield* violation(reader, { seed: 5 })).message, first.message)
    }))

  it.effect("passes on a failure of the source", () =>
    Effect.gen(function*() {
      const reader = ItemReader.make("broken", () => Effect.fail("no such file"))
      assert.strictEqual(yield* Effect.flip(ReaderLaws.check(reader)), "no such file")
    }))
})
