/**
 * Wide files cost what their bytes cost: the work is counted, so that no clock decides.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CsvItemReader from "../../src/file/CsvItemReader.js"
import * as CsvItemWriter from "../../src/file/CsvItemWriter.js"
import { failuresOf, itemsOf, MemoryFiles, readAll } from "./support.js"

/** Methods that look at the elements of an array, as many as it has at worst. */
const walks = [
  "includes",
  "indexOf",
  "lastIndexOf",
  "find",
  "findIndex",
  "some",
  "every",
  "filter",
  "map",
  "flatMap",
  "forEach",
  "reduce",
  "slice",
  "concat"
] as const

/** Runs with methods of arrays, sets and maps that count the elements they look at, and gives the sum. */
const counted = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<readonly [value: A, work: number], E> =>
  Effect.suspend(() => {
    let work = 0
    const restores: Array<() => void> = []
    const count = (prototype: object, method: string, cost: (self: never) => number) => {
      const descriptor = Object.getOwnPropertyDescriptor(prototype, method)!
      const original = descriptor.value as (...args: Array<unknown>) => unknown
      Object.defineProperty(prototype, method, {
        ...descriptor,
        value(this: never, ...args: ReadonlyArray<unknown>) {
          work += cost(this)
          return original.apply(this, [...args])
        }
      })
      restores.push(() => Object.defineProperty(prototype, method, descriptor))
    }
    walks.forEach((method) => count(Array.prototype, method, (self: ReadonlyArray<unknown>) => self.length))
    for (const prototype of [Set.prototype, Map.prototype]) {
      count(prototype, "has", () => 1)
    }
    count(Map.prototype, "get", () => 1)
    return Effect.ensuring(
      Effect.map(effect, (value) => [value, work] as const),
      Effect.sync(() => restores.forEach((restore) => restore()))
    )
  })

const header = (names: ReadonlyArray<string>) => `${names.join(",")}\n${names.map((_, i) => i).join(",")}\n`

const plain = (width: number) => Array.from({ length: width }, (_, i) => `c${i}`)

const read = (names: ReadonlyArray<string>, reader: ReturnType<typeof CsvItemReader.make>) =>
  Effect.either(readAll(reader)).pipe(Effect.provide(new MemoryFiles().set("x", header(names)).layer))

const structOf = (names: ReadonlyArray<string>) =>
  Schema.Struct(Object.fromEntries(names.map((name) => [name, Schema.String])))

const options = { maxRecordSize: 2 ** 26 }

/** What is done with a header of some width. */
const cases: { readonly [name: string]: (width: number) => Effect.Effect<unknown> } = {
  "names that differ": (width) => read(plain(width), CsvItemReader.make("x", options)),
  "names that are repeated, refused": (width) =>
    read(plain(width).fill("a", width / 2), CsvItemReader.make("x", options)),
  "names that are repeated in pairs, refused": (width) =>
    read([...plain(width / 2), ...plain(width / 2)], CsvItemReader.make("x", options)),
  "names that are repeated, numbered": (width) =>
    read(plain(width).fill("a"), CsvItemReader.make("x", { ...options, repeatedNames: "number" })),
  "numbers that are taken": (width) =>
    read(
      [...plain(width / 2).map((_, i) => `a_${i}`), ...plain(width / 2).fill("a")],
      CsvItemReader.make("x", { ...options, repeatedNames: "number" })
    ),
  "blank names, numbered": (width) =>
    read(plain(width).fill(""), CsvItemReader.make("x", { ...options, blankNames: "number" })),
  "names matched loosely": (width) =>
    read(
      plain(width).map((name) => ` ${name.toUpperCase()}`),
      CsvItemReader.make("x", { ...options, matchHeader: "loose", columns: plain(width) })
    ),
  "names of the header replaced": (width) =>
    read(
      plain(width).map((name) => `${name}!`),
      CsvItemReader.make("x", {
        ...options,
        headerNames: Object.fromEntries(plain(width).map((name) => [name, `${name}!`]))
      })
    ),
  "a schema of all columns": (width) =>
    read(plain(width), CsvItemReader.make("x", { ...options, schema: structOf(plain(width)) }) as never),
  "a schema of others": (width) =>
    read(
      plain(width).map((name) => `${name}!`),
      CsvItemReader.make("x", { ...options, schema: structOf(plain(width)) }) as never
    ),
  "a wide file written": (width) =>
    Effect.scoped(Effect.gen(function*() {
      const sink = yield* CsvItemWriter.make<object>("x").open(Option.none())
      const item = Object.fromEntries(plain(width).map((name) => [name, name]))
      yield* sink.write([item, item])
      yield* sink.flush!
      yield* sink.complete!
    })).pipe(Effect.orDie, Effect.provide(new MemoryFiles().layer))
}

describe("wide CSV files", () => {
  it.effect.each(Object.entries(cases))(
    "%s: the work grows as the number of columns does",
    ([, run]) =>
      Effect.gen(function*() {
        const [, narrow] = yield* counted(run(1000))
        const [, wide] = yield* counted(run(4000))
        assert.isAbove(narrow, 0)
        assert.isAtMost(wide, narrow * 5, `${narrow} steps for 1,000 columns, ${wide} for 4,000`)
      })
  )

  it.effect("the count sees a search in each step", () =>
    Effect.gen(function*() {
      const search = (width: number) =>
        Effect.sync(() => plain(width).filter((name, i, all) => all.indexOf(name) !== i))
      const [, narrow] = yield* counted(search(1000))
      const [, wide] = yield* counted(search(4000))
      assert.isAbove(wide, narrow * 10)
    }))

  it.effect("a row of 100,000 columns is read as it was", () =>
    Effect.gen(function*() {
      const names = plain(100_000)
      const files = new MemoryFiles().set("x", header(names))
      const found = yield* Effect.provide(readAll(CsvItemReader.make("x", options)), files.layer)
      assert.deepStrictEqual(failuresOf(found), [])
      const [item] = itemsOf(found)
      assert.deepStrictEqual(Object.keys(item!), names)
      assert.strictEqual(item!.c99999, "99999")
    }))
})
