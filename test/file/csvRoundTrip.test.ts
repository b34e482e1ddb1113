import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as CsvItemReader from "../../src/file/CsvItemReader.js"
import * as CsvItemWriter from "../../src/file/CsvItemWriter.js"
import { itemsOf, MemoryFiles, readAll } from "./support.js"

const text = FastCheck.oneof(
  FastCheck.constantFrom("valueOf", "toString", "constructor", "hasOwnProperty", "isPrototypeOf"),
  FastCheck.fullUnicodeString({ maxLength: 8 }),
  FastCheck.stringOf(FastCheck.constantFrom(",", ";", "|", "\"", "\n", "\r", "\t", " ", "\uFEFF", "a", "'"), {
    maxLength: 6
  })
)

const table = FastCheck.uniqueArray(text, { minLength: 1, maxLength: 4 }).chain((columns) =>
  FastCheck.array(FastCheck.tuple(...columns.map(() => text)), { minLength: 1, maxLength: 5 }).map((rows) =>
    rows.map((row): { readonly [column: string]: string } =>
      Object.fromEntries(columns.map((name, i) => [name, row[i]!]))
    )
  )
)

describe("CSV", () => {
  it.effect.prop("any text is read back as it was written", [
    table,
    FastCheck.constantFrom(",", ";", "\t", "||", " "),
    FastCheck.constantFrom("\n" as const, "\r\n" as const),
    FastCheck.boolean()
  ], ([items, delimiter, lineEnding, trim]) =>
    Effect.gen(function*() {
      const writer = CsvItemWriter.make<object>("x.csv", { delimiter, lineEnding })
      yield* Effect.scoped(Effect.gen(function*() {
        const sink = yield* writer.open(Option.none())
        yield* sink.write(items)
        yield* sink.flush!
        yield* sink.complete!
      }))
      const found = yield* readAll(CsvItemReader.make("x.csv", { delimiter, trim }))
      assert.deepStrictEqual(itemsOf(found), items)
    }).pipe(Effect.provide(new MemoryFiles().layer)))

  it.effect("a column may be called like a member that every object has (OWN-24)", () =>
    Effect.gen(function*() {
      const items = [{ valueOf: "a", toString: "b", constructor: "c", id: "1" }]
      yield* Effect.scoped(Effect.gen(function*() {
        const sink = yield* CsvItemWriter.make<object>("x.csv").open(Option.none())
        yield* sink.write(items)
        yield* sink.flush!
        yield* sink.complete!
      }))
      assert.deepStrictEqual(itemsOf(yield* readAll(CsvItemReader.make("x.csv"))), items)
    }).pipe(Effect.provide(new MemoryFiles().layer)))
})
