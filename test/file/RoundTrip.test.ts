/**
 * What is written is read back, whatever the items, the chunks and the place of a crash, and from any position on (OWN-24).
 * CSV has such a test for each of its formats, see `csvFormat`. `EFFECT_BATCH_ROUND_TRIPS=500` tries more.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import type { Json } from "../../src/base/json.js"
import * as encodings from "../../src/file/encodings.js"
import {
  JsonItemReader,
  JsonItemWriter,
  NdjsonItemReader,
  NdjsonItemWriter,
  TextItemWriter
} from "../../src/file/index.js"
import type * as ItemReader from "../../src/item/ItemReader.js"
import type * as ItemWriter from "../../src/item/ItemWriter.js"
import { failuresOf, itemsOf, MemoryFiles, readAll } from "./support.js"

const path = "x"

const numRuns = Number(process.env.EFFECT_BATCH_ROUND_TRIPS ?? 25)

/** Writes chunks; after some of them the process dies, with the next chunk written and not committed. */
const write = <A>(
  writer: ItemWriter.ItemWriter<A, any, any>,
  chunks: ReadonlyArray<ReadonlyArray<A>>,
  crashAfter: number
) =>
  Effect.gen(function*() {
    const files = new MemoryFiles()
    let state: Option.Option<Json> = Option.none()
    const life = (from: number, to: number) =>
      Effect.scoped(Effect.gen(function*() {
        const sink = yield* writer.open(state)
        for (const chunk of chunks.slice(from, to)) {
          yield* sink.write(chunk)
          state = Option.some(JSON.parse(JSON.stringify(yield* sink.flush!)))
          yield* sink.committed!
        }
        if (to < chunks.length) {
          yield* sink.write(chunks[to]!)
          yield* sink.flush!
        } else {
          yield* sink.complete!
        }
      }))
    const middle = Math.min(crashAfter, chunks.length)
    const lives = middle < chunks.length
      ? Effect.zipRight(life(0, middle), life(middle, chunks.length))
      : life(0, middle)
    yield* Effect.provide(lives, files.layer) as Effect.Effect<void>
    return files
  })

/** A name that an object of JavaScript numbers, or an exponent that its numbers do not have, is not what it seems. */
const json: FastCheck.Arbitrary<unknown> = FastCheck.oneof(
  { weight: 3, arbitrary: FastCheck.jsonValue({ maxDepth: 3 }) },
  FastCheck.fullUnicodeString({ maxLength: 12 }),
  FastCheck.double({ noNaN: true, noDefaultInfinity: true }),
  FastCheck.constantFrom<unknown>("\u2028", "\uFEFF", "]", "}", "\\", "\"", "\r\n", {}, [], null, -0, [-0], {
    "": { "": [[]] }
  })
)

const chunks = <A>(item: FastCheck.Arbitrary<A>): FastCheck.Arbitrary<ReadonlyArray<ReadonlyArray<A>>> =>
  FastCheck.array(FastCheck.array(item, { minLength: 1, maxLength: 4 }), { maxLength: 4 })

interface Format {
  readonly writer: ItemWriter.ItemWriter<unknown, any, any>
  readonly reader: (bufferSize: number) => ItemReader.ItemReader<unknown, any, any>
}

const formats: Readonly<Record<string, Format>> = {
  NDJSON: {
    writer: NdjsonItemWriter.make(path),
    reader: (bufferSize) => NdjsonItemReader.make(path, { bufferSize })
  },
  JSON: {
    writer: JsonItemWriter.array(path),
    reader: (bufferSize) => JsonItemReader.array(path, { bufferSize })
  }
}

describe("written and read again", () => {
  for (const [name, { reader, writer }] of Object.entries(formats)) {
    it.effect.prop(
      `any value of JSON, as ${name}, also after a crash and from any position on (OWN-24, ITEM-4, ITEM-20)`,
      [chunks(json), FastCheck.nat(4), FastCheck.integer({ min: 1, max: 40 }), FastCheck.nat(9)],
      ([chunks, crashAfter, bufferSize, at]) =>
        Effect.gen(function*() {
          const files = yield* write(writer, chunks, crashAfter)
          const wanted = chunks.flat()
          const all = yield* Effect.provide(readAll(reader(bufferSize), { max: 1 }), files.layer)
          assert.deepStrictEqual(failuresOf(all), [])
          assert.deepStrictEqual(itemsOf(all), wanted)
          const page = all.pages[at % all.pages.length]!
          const rest = yield* Effect.provide(readAll(reader(bufferSize), { from: page.position }), files.layer)
          assert.deepStrictEqual(itemsOf(rest), wanted.slice(page.before))
        }) as Effect.Effect<void>,
      { fastCheck: { numRuns } }
    )
  }

  it.effect.prop(
    "lines of text in any encoding are the bytes that were given, also after a crash, or are refused (OWN-24, ITEM-20)",
    [
      chunks(
        FastCheck.oneof(
          FastCheck.fullUnicodeString({ maxLength: 8 }),
          FastCheck.constantFrom("€", "é", "", "\uFEFFx", "a\nb", "a\r\n")
        )
      ),
      FastCheck.nat(4),
      FastCheck.constantFrom(...encodings.encodings),
      FastCheck.constantFrom("\n" as const, "\r\n" as const, "\r" as const),
      FastCheck.constantFrom(undefined, "head"),
      FastCheck.constantFrom(undefined, false, true)
    ],
    ([chunks, crashAfter, encoding, lineEnding, header, multiline]) =>
      Effect.gen(function*() {
        const fits = (line: string) =>
          encodings.misfit(line, encoding) === undefined && (multiline === true || !/[\r\n]/.test(line))
        const writer = TextItemWriter.lines<string>(path, (line) => line, {
          encoding,
          lineEnding,
          header,
          multiline,
          footer: ({ items }) => `${items} lines`
        })
        if (!chunks.flat().every(fits)) {
          const error = yield* Effect.flip(write(writer, chunks, crashAfter))
          assert.strictEqual((error as unknown as { readonly _tag: string })._tag, "ItemEncodeError")
        }
        const kept = chunks.map((chunk) => chunk.filter(fits)).filter((chunk) => chunk.length > 0)
        const files = yield* write(writer, kept, crashAfter)
        const lines = [...(header === undefined ? [] : [header]), ...kept.flat(), `${kept.flat().length} lines`]
        const mark = encodings.unitOf(encoding) === 2 ? "\uFEFF" : ""
        const label = encoding === "utf16le" ? "utf-16le" : encoding === "utf16be" ? "utf-16be" : encoding
        // The decoder of Node takes Windows-1252 for ISO 8859-1.
        const text = encodings.unitOf(encoding) === 1 && encoding !== "utf-8"
          ? encodings.decode(files.bytes(path)!, encoding).text
          : new TextDecoder(label, { fatal: true, ignoreBOM: true }).decode(files.bytes(path))
        assert.strictEqual(text, mark + lines.map((line) => line + lineEnding).join(""))
      }) as Effect.Effect<void>,
    { fastCheck: { numRuns } }
  )

  it.effect.each<readonly [string, string]>([
    [
      "a\nb",
      "its text has a line break (LF) at character 2 and would be several lines; replace it, or set `multiline`"
    ],
    ["a\rb\n", "its text has a line break (CR) at character 2"],
    ["\r\n\r\n", "its text has a line break (CRLF) at character 1"],
    [
      "ab\n",
      "its text has a line break (LF) at character 3 and would be several lines; the line ending is added by the writer"
    ],
    ["ab\r\n", "its text has a line break (CRLF) at character 3 and would be several lines; the line ending is added"]
  ])("a line that is several is refused by item and place: %j (OWN-24)", ([wrong, message]) =>
    Effect.gen(function*() {
      for (const lineEnding of ["\n", "\r", "\r\n"] as const) {
        const writer = TextItemWriter.lines<string>(path, (item) => item, { lineEnding })
        const error = yield* Effect.flip(write(writer, [["good"], ["good", wrong]], 0))
        assert.include((error as unknown as Error).message, `Item 3 cannot be written to "x": ${message}`)
      }
    }) as Effect.Effect<void>)

  it.effect("a line that is no text is refused by item, and no text of an object (OWN-24)", () =>
    Effect.gen(function*() {
      for (const wrong of [undefined, null, 5, { a: 1 }, Object.create(null)]) {
        const writer = TextItemWriter.lines<unknown>(path, (item) => item as string)
        const error = yield* Effect.flip(write(writer, [["good", wrong]], 0))
        assert.include((error as unknown as Error).message, "Item 2 cannot be written to \"x\": its line is no text")
      }
    }) as Effect.Effect<void>)
})
