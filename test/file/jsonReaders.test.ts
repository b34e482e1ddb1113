import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import * as JsonItemReader from "../../src/file/JsonItemReader.js"
import * as JsonItemWriter from "../../src/file/JsonItemWriter.js"
import * as NdjsonItemReader from "../../src/file/NdjsonItemReader.js"
import * as ReaderLaws from "../../src/testing/ReaderLaws.js"
import * as Sensitive from "../../src/vocabulary/Sensitive.js"
import { failuresOf, itemsOf, MemoryFiles, readAll } from "./support.js"

const path = "in.json"

const files = (content: string | Uint8Array) => new MemoryFiles().set(path, content).layer

const array = (content: string | Uint8Array, options: JsonItemReader.Options = {}) =>
  Effect.provide(readAll(JsonItemReader.array(path, options)), files(content))

const lines = (content: string | Uint8Array, options: NdjsonItemReader.Options = {}) =>
  Effect.provide(readAll(NdjsonItemReader.make(path, options)), files(content))

const values = FastCheck.array(FastCheck.jsonValue({ maxDepth: 3 }), { maxLength: 8 })

const bufferSize = FastCheck.integer({ min: 4, max: 60 })

/** What a JSON text says, without the negative zeros that it cannot. */
const plain = (value: unknown) => JSON.parse(JSON.stringify(value))

describe("JsonItemReader", () => {
  it.effect.prop("reads what JSON.parse reads, however it is laid out and cut into blocks", [
    values,
    FastCheck.constantFrom(undefined, 2, "\t"),
    FastCheck.boolean(),
    bufferSize
  ], ([items, indent, bom, bufferSize]) =>
    Effect.gen(function*() {
      const text = (bom ? "\uFEFF" : "") + JSON.stringify(items, null, indent) + "\n"
      const found = yield* array(text, { bufferSize })
      assert.deepStrictEqual(itemsOf(found), plain(items))
      assert.deepStrictEqual(failuresOf(found), [])
    }))

  it.effect.prop("keeps the laws of readers, also between bad elements (ITEM-4)", [values, bufferSize], (
    [items, bufferSize]
  ) =>
    ReaderLaws.check(JsonItemReader.array(path, { bufferSize })).pipe(
      Effect.provide(files(`[ ${items.map((item) => JSON.stringify(item, null, 1)).join(" , {bad} ,")} ]`))
    ))

  it.effect("passes bad elements by", () =>
    Effect.gen(function*() {
      const schema = Schema.Struct({ id: Schema.Number })
      const content = "[\n {\"id\": 1},\n {\"id\": tru},\n {\"id\": \"x\"},\n,\n {\"id\": 2}\n]"
      const found = yield* Effect.provide(readAll(JsonItemReader.array(path, { schema })), files(content))
      assert.deepStrictEqual(itemsOf(found), [{ id: 1 }, { id: 2 }])
      const [syntax, type, empty] = failuresOf(found)
      assert.match(
        syntax!.message,
        /^Bad value in "in.json", element 2, line 3: it is not valid JSON \(.*\)\. Correct it and restart, or let the step skip "JsonError"\. The value: \{"id": tru\}$/
      )
      assert.include(type?.message, "element 3, line 4: id: Expected number, actual \"x\"")
      assert.include(empty?.message, "element 4, line 5: it is not valid JSON")
      assert.strictEqual(type?._tag === "JsonError" ? type.offset : 0, content.indexOf("{\"id\": \"x\"}"))
    }))

  it.effect("calls an element with invalid UTF-8 bad", () =>
    Effect.gen(function*() {
      const found = yield* array(Buffer.from("[\"a\",\"ü\",\"b\"]", "latin1"))
      assert.deepStrictEqual(itemsOf(found), ["a", "b"])
      assert.include(failuresOf(found)[0]?.message, "element 2, line 1: it holds bytes that are not valid UTF-8")
    }))

  it.effect("shows nothing of elements that may be sensitive", () =>
    Effect.gen(function*() {
      const schema = Schema.Struct({ pin: Sensitive.make(Schema.Number) })
      const found = yield* Effect.provide(
        readAll(JsonItemReader.array(path, { schema })),
        files("[{\"pin\": \"1234\"}, {\"pin\": 1234x}]")
      )
      assert.strictEqual(failuresOf(found).length, 2)
      failuresOf(found).forEach((error) => assert.notInclude(error.message, "1234"))
    }))

  describe("where the structure is broken", () => {
    const cases: Record<string, readonly [content: string, items: number, problem: string]> = {
      "no array": ["{\"a\": 1}", 0, "a JSON array has to begin here, with \"[\""],
      "an empty file": ["", 0, "the file ends before the array does"],
      "a file that is cut off": ["[1, 2, {\"a\": \"", 2, "the file ends before the array does"],
      "a missing comma": ["[1,\n2 {\"a\": 1}]", 1, "a comma or the end of the array has to follow element 2"],
      "a comma at the end": ["[1, 2, ]", 2, "an element has to follow the comma"],
      "text behind the array": ["[1, 2] [3]", 2, "something follows the end of the array"],
      "an endless element": [`[1, "${"x".repeat(200)}`, 1, "element 2 is longer than 100 bytes, see `maxRecordSize`"]
    }
    for (const [name, [content, items, problem]] of Object.entries(cases)) {
      it.effect(`fails after everything before it: ${name}`, () =>
        Effect.gen(function*() {
          const source = yield* JsonItemReader.array(path, { bufferSize: 4, maxRecordSize: 100 }).open(Option.none())
          const seen: Array<unknown> = []
          const read = Effect.repeat(
            Effect.map(source.pull(10), (page) => {
              seen.push(...page.items)
              return page.done
            }),
            { until: (done) => done }
          )
          const error = yield* Effect.flip(read)
          assert.strictEqual(error._tag, "JsonStructureError")
          assert.include(error.message, problem)
          assert.strictEqual(seen.length, items)
          assert.strictEqual((yield* Effect.flip(source.pull(10))).message, error.message)
        }).pipe(Effect.scoped, Effect.provide(files(content))))
    }

    it.effect("says where", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(array("[1,\n2\n3]"))
        assert.strictEqual(
          error.message,
          "Cannot read \"in.json\" any further than line 2 (byte 4): a comma or the end of the array has to follow " +
            "element 2. Correct the file from there on, and restart."
        )
      }))
  })

  it.effect("refuses a position of another kind of reader", () =>
    Effect.gen(function*() {
      const { pages } = yield* lines("1\n2\n")
      const reader = JsonItemReader.array(path)
      const error = yield* Effect.flip(
        Effect.provide(readAll(reader, { from: pages[0]!.position }), files("[1, 2, 3]"))
      )
      assert.include(error.message, "it is not a position in a JSON array")
    }))

  it.effect.prop("reads what JsonItemWriter writes", [values], ([items]) =>
    Effect.gen(function*() {
      yield* Effect.scoped(Effect.gen(function*() {
        const sink = yield* JsonItemWriter.array<unknown>(path).open(Option.none())
        for (const item of items) {
          yield* sink.write([item])
          yield* sink.flush!
          yield* sink.committed!
        }
        yield* sink.complete!
      }))
      // The writer keeps the sign of a zero, which JSON.stringify does not.
      assert.deepStrictEqual(itemsOf(yield* readAll(JsonItemReader.array(path))), [...items])
    }).pipe(Effect.provide(new MemoryFiles().layer)))
})

describe("NdjsonItemReader", () => {
  it.effect.prop("reads each line as JSON.parse does, for blocks of any size", [
    values,
    FastCheck.constantFrom("\n", "\r\n", "\n\n"),
    FastCheck.boolean(),
    bufferSize
  ], ([items, eol, last, bufferSize]) =>
    Effect.gen(function*() {
      const text = items.map((item) => JSON.stringify(item)).join(eol) + (last ? eol : "")
      assert.deepStrictEqual(itemsOf(yield* lines(text, { bufferSize })), plain(items))
    }))

  it.effect.prop("keeps the laws of readers, also between bad lines (ITEM-4)", [values, bufferSize], (
    [items, bufferSize]
  ) =>
    ReaderLaws.check(NdjsonItemReader.make(path, { bufferSize })).pipe(
      Effect.provide(files(items.map((item) => JSON.stringify(item)).join("\n{bad\n\n")))
    ))

  it.effect("refuses a file of one line with other line breaks wherever its blocks end (OWN-25)", () =>
    Effect.gen(function*() {
      for (const mark of ["", "\uFEFF"]) {
        const content = Buffer.from(`${mark}{"a":1}\r{"a":2}\r{"a":3}\n`)
        for (let bufferSize = 4; bufferSize <= content.length + 1; bufferSize++) {
          const failure = yield* Effect.flip(lines(content, { bufferSize }))
          assert.include(failure.message, "its lines end with CR, not with LF", `${bufferSize}`)
        }
      }
    }))

  it.effect("passes bad lines by, and names line and byte", () =>
    Effect.gen(function*() {
      const schema = Schema.Struct({ at: Schema.Date })
      const content = Buffer.concat([
        Buffer.from("{\"at\":\"2026-01-01T00:00:00.000Z\"}\n\n{\"at\":1}\n{\n"),
        Buffer.from("\"ü\"\n", "latin1")
      ])
      const found = yield* Effect.provide(readAll(NdjsonItemReader.make(path, { schema })), files(content))
      assert.deepStrictEqual(itemsOf(found), [{ at: new Date("2026-01-01T00:00:00.000Z") }])
      assert.deepStrictEqual(
        failuresOf(found).map((error) => error._tag === "JsonError" ? [error.line, error.offset, error.raw] : error),
        [[3, 35, "{\"at\":1}"], [4, 44, "{"], [5, 46, "\"\uFFFD\""]]
      )
      assert.include(failuresOf(found)[0]?.message, "line 3: at: Expected string, actual 1")
    }))

  it.effect("counts empty lines as bad when told to", () =>
    Effect.gen(function*() {
      const found = yield* lines("1\n\n2", { skipEmptyLines: false })
      assert.deepStrictEqual(itemsOf(found), [1, 2])
      assert.include(failuresOf(found)[0]?.message, "line 2: it is not valid JSON")
    }))
})
