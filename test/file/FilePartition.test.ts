/**
 * Ranges of a file: read one after the other they are the file, whatever is in it. `RANGE_RUNS=5000` tries more files.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import * as CsvItemReader from "../../src/file/CsvItemReader.js"
import * as Dividing from "../../src/file/dividing.js"
import { CsvHeaderError, CsvTrailerError, FileError } from "../../src/file/FileError.js"
import * as FilePartition from "../../src/file/FilePartition.js"
import * as NdjsonItemReader from "../../src/file/NdjsonItemReader.js"
import { ItemWriter, Job, JobOperator, JobRepository, Step } from "../../src/index.js"
import type * as ItemReader from "../../src/item/ItemReader.js"
import * as ReaderLaws from "../../src/testing/ReaderLaws.js"
import { JobDefinitionError, UnreadablePosition } from "../../src/vocabulary/BatchError.js"
import { failuresOf, itemsOf, MemoryFiles, readAll } from "./support.js"

const path = "x.csv"

const stored = (range: FilePartition.FileRange): FilePartition.FileRange =>
  Schema.decodeUnknownSync(FilePartition.FileRange)(
    JSON.parse(JSON.stringify(Schema.encodeSync(FilePartition.FileRange)(range)))
  )

const runs = Number(process.env.RANGE_RUNS ?? 50)

/** What a reader gave, with bad records by their place. */
const given = (read: { readonly given: ReadonlyArray<unknown> }) =>
  read.given.map((one: any) => "item" in one ? one.item : { line: one.failure.line, raw: one.failure.raw })

/**
 * Reads a file whole and by ranges, each of them with a crash behind some page, and compares. What makes the whole unreadable
 * has to fail the plan.
 */
const assertSame = (
  files: MemoryFiles,
  whole: ItemReader.ItemReader<any, any, any>,
  plan: Effect.Effect<ReadonlyArray<{ readonly name: string; readonly input: FilePartition.FileRange }>, any, any>,
  part: (range: FilePartition.FileRange) => ItemReader.ItemReader<any, any, any>,
  partitions: number,
  crash: number
) =>
  Effect.gen(function*() {
    const all = yield* Effect.either(readAll(whole))
    const planned = yield* Effect.either(plan)
    if (Either.isLeft(all)) {
      assert.isTrue(Either.isLeft(planned))
      assert.strictEqual((Either.getLeft(planned) as any).value.message, all.left.message)
      return 0
    }
    const ranges = Either.getOrThrow(planned).map(({ input }) => stored(input))
    assert.isAtMost(ranges.length, partitions)
    const parts: Array<unknown> = []
    for (const range of ranges) {
      const reader = part(range)
      const read = yield* readAll(reader, { max: 1 + crash % 4 })
      assert.isTrue(read.given.length > 0 || ranges.length === 1, "a range without records")
      const { before, position } = read.pages[crash % read.pages.length]!
      const rest = yield* readAll(reader, { from: position, max: 2 })
      assert.deepStrictEqual(given(rest), given(read).slice(before))
      parts.push(...given(read))
    }
    assert.deepStrictEqual(parts, given(all.right))
    return ranges.length
  }).pipe(Effect.provide(files.layer)) as Effect.Effect<number, never, never>

const encoded = (text: string, encoding: CsvItemReader.Options["encoding"]): Buffer =>
  encoding === "utf16le"
    ? Buffer.from(text, "utf16le")
    : encoding === "utf16be"
    ? Buffer.from(text, "utf16le").swap16()
    : Buffer.from(text, encoding === "utf-8" ? "utf8" : "latin1")

const piece = FastCheck.oneof(
  {
    weight: 6,
    arbitrary: FastCheck.constantFrom("a", "1,2", "b,", "x,y", "\"q\"", "\"a\"\"b\"", "\"m\nn\",c", "\"r\r\ns\"")
  },
  {
    weight: 4,
    arbitrary: FastCheck.constantFrom("\n", "\r\n", "\n\n", "\r", ",", "\"", "\\", "\\\"", "#\"", "# c\n", " ")
  },
  { weight: 1, arbitrary: FastCheck.constantFrom("é", "\u{1F600}", "T,1\n", "\uFEFF") }
)

const dialect = FastCheck.record({
  quote: FastCheck.constantFrom("\"", "\"", "\"", false as const),
  escape: FastCheck.constantFrom(undefined, undefined, "\\"),
  lineEnding: FastCheck.constantFrom(undefined, "\r" as const),
  encoding: FastCheck.constantFrom(
    "utf-8" as const,
    "utf-8" as const,
    "utf16le" as const,
    "utf16be" as const,
    "latin1" as const
  ),
  comment: FastCheck.constantFrom(undefined, "#"),
  trim: FastCheck.boolean(),
  skipEmptyLines: FastCheck.boolean(),
  skipLines: FastCheck.constantFrom(0, 0, 1),
  header: FastCheck.boolean(),
  trailer: FastCheck.constantFrom(undefined, undefined, undefined, ["T", { count: "rows" as const }]),
  raggedRows: FastCheck.constantFrom("fail" as const, "fillAndCut" as const),
  requireFinalLineBreak: FastCheck.constantFrom(false, false, true)
})

const csvFile = FastCheck.tuple(dialect, FastCheck.array(piece, { maxLength: 60, size: "max" }), FastCheck.boolean())
  .map(
    ([options, pieces, marked]) => {
      const end = options.lineEnding ?? "\n"
      const head = (options.skipLines === 1 ? `any "line${end}` : "") + (options.header ? `a,b${end}` : "")
      const body = pieces.join("").replaceAll(options.lineEnding === "\r" ? /\r\n|\n/g : /\u0000/g, end)
      return {
        options: { ...options, columns: ["a", "b"] },
        text: (marked && options.encoding !== "latin1" ? "\uFEFF" : "") + head + body
      }
    }
  )

describe("FilePartition.csvRanges", () => {
  it.effect.prop(
    "one after the other, ranges give what the whole file gives, each record once, also after a crash in one (PART-13, OWN-22)",
    [
      csvFile,
      FastCheck.integer({ min: 1, max: 9 }),
      FastCheck.integer({ min: 4, max: 40 }),
      FastCheck.nat({ max: 50 })
    ],
    ([{ options, text }, partitions, bufferSize, crash]) => {
      const format = { ...options, bufferSize }
      return Effect.asVoid(assertSame(
        new MemoryFiles().set(path, encoded(text, options.encoding)),
        CsvItemReader.make(path, format),
        FilePartition.csvRanges(path, { ...format, partitions }),
        (range) => CsvItemReader.make(range.path, { ...format, range }),
        partitions,
        crash
      ))
    },
    { fastCheck: { numRuns: runs }, timeout: 600_000 }
  )

  it.effect("rows of about equal length make ranges of about equal numbers of rows", () =>
    Effect.gen(function*() {
      const rows = Array.from({ length: 1000 }, (_, i) => `${i},"two\nlines ${i}"\n`)
      const files = new MemoryFiles().set(path, `id,text\n${rows.join("")}`)
      const plan = yield* Effect.provide(FilePartition.csvRanges(path, { partitions: 8 }), files.layer)
      assert.strictEqual(plan.length, 8)
      assert.deepStrictEqual(plan.map(({ name }) => name).slice(0, 2), ["range 1", "range 2"])
      for (const { input: range } of plan) {
        const read = yield* Effect.provide(readAll(CsvItemReader.make(path, { range })), files.layer)
        assert.isAtLeast(itemsOf(read).length, 115)
        assert.isAtMost(itemsOf(read).length, 135)
      }
      const count = yield* Effect.provide(
        assertCounts(plan.map(({ input }) => CsvItemReader.make(path, { range: input }))),
        files.layer
      )
      assert.strictEqual(count, 1000)
    }))

  it.effect("a bad row is told by its line in the file, and a restart is where it was (ITEM-4)", () =>
    Effect.gen(function*() {
      const rows = Array.from({ length: 12 }, (_, i) => i === 9 ? "9\n" : `${i},"a\nb"\n`)
      const files = new MemoryFiles().set(path, `id,text\n${rows.join("")}`)
      const plan = yield* Effect.provide(FilePartition.csvRanges(path, { partitions: 3 }), files.layer)
      const last = plan[2]!.input
      const reader = CsvItemReader.make(path, { range: last })
      const [failure] = failuresOf(yield* Effect.provide(readAll(reader), files.layer))
      assert.strictEqual((failure as { readonly line: number }).line, 2 + 9 * 2)
      for (const { input } of plan) {
        yield* Effect.provide(ReaderLaws.check(CsvItemReader.make(path, { range: input })), files.layer)
      }
    }))

  it.effect("one huge row, and more ranges than rows", () =>
    Effect.gen(function*() {
      const huge = `1,"${"line\n".repeat(100_000)}"\n`
      for (
        const [text, expected] of [
          [`a,b\n${huge}2,x\n3,y\n`, 2],
          [`a,b\n1,x\n${huge}`, 1],
          [`a,b\n${huge}`, 1],
          ["a,b\n1,x\n2,y\n3,z", 3]
        ] as const
      ) {
        const files = new MemoryFiles().set(path, text)
        const count = yield* assertSame(
          files,
          CsvItemReader.make(path),
          FilePartition.csvRanges(path, { partitions: 50 }),
          (range) => CsvItemReader.make(path, { range }),
          50,
          1
        )
        assert.isAtLeast(count, expected)
      }
    }))

  it.effect("a row that is longer than allowed ends at its first line break for the plan and for every reader", () =>
    Effect.gen(function*() {
      const long = `1,"${"line,x\n".repeat(30)}"\n`
      for (let bufferSize = 4; bufferSize < 400; bufferSize += 9) {
        const format = { maxRecordSize: 100, bufferSize }
        yield* assertSame(
          new MemoryFiles().set(path, `a,b\n0,x\n${long}2,y\n3,"z\n"\n${long}`),
          CsvItemReader.make(path, { maxRecordSize: 100, bufferSize: 64 }),
          FilePartition.csvRanges(path, { ...format, partitions: 6 }),
          (range) => CsvItemReader.make(path, { ...format, range }),
          6,
          3
        )
      }
    }))

  it.effect("a file without rows is one range, which has the rows that are added", () =>
    Effect.gen(function*() {
      for (const [header, text] of [[true, "a,b\n"], [false, ""]] as const) {
        const format = { header, columns: ["a", "b"] }
        const files = new MemoryFiles().set(path, text)
        const plan = yield* Effect.provide(FilePartition.csvRanges(path, { ...format, partitions: 4 }), files.layer)
        assert.strictEqual(plan.length, 1)
        const reader = CsvItemReader.make(path, { ...format, range: plan[0]!.input })
        assert.deepStrictEqual(itemsOf(yield* Effect.provide(readAll(reader), files.layer)), [])
        files.change(path, `${text}1,2\n`)
        assert.deepStrictEqual(itemsOf(yield* Effect.provide(readAll(reader), files.layer)), [{ a: "1", b: "2" }])
      }
    }))

  it.effect("a trailer is compared by the plan, once, and belongs to no range", () =>
    Effect.gen(function*() {
      const rows = Array.from({ length: 20 }, (_, i) => `${i},1.10\n`).join("")
      const format = { trailer: ["END", { sum: "amount" }] }
      const plan = (end: string) =>
        Effect.provide(
          FilePartition.csvRanges(path, { ...format, partitions: 4 }),
          new MemoryFiles().set(path, `id,amount\n${rows}${end}`).layer
        )
      for (const wrong of ["END,22.01\n", "", "END,22\nEND,22\n"]) {
        assert.instanceOf(yield* Effect.flip(plan(wrong)), CsvTrailerError)
      }
      const files = new MemoryFiles().set(path, `id,amount\n${rows}END,22.00\n`)
      const ranges = yield* Effect.provide(FilePartition.csvRanges(path, { ...format, partitions: 4 }), files.layer)
      const count = yield* Effect.provide(
        assertCounts(ranges.map(({ input: range }) => CsvItemReader.make(path, { ...format, range }))),
        files.layer
      )
      assert.strictEqual(count, 20)
    }))

  it.effect("what is wrong with the file as a whole fails the plan", () =>
    Effect.gen(function*() {
      const plan = (content: string | Buffer) =>
        Effect.flip(Effect.provide(
          FilePartition.csvRanges(path, { partitions: 3, schema: Schema.Struct({ a: Schema.String }) }),
          new MemoryFiles().set(path, content).layer
        ))
      assert.instanceOf(yield* plan("b\n1\n"), CsvHeaderError)
      assert.instanceOf(yield* plan(""), CsvHeaderError)
      assert.instanceOf(yield* plan(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0])), FileError)
      assert.instanceOf(yield* plan(Buffer.from("\uFEFFa\n1\n", "utf16le")), FileError)
      assert.instanceOf(
        yield* Effect.flip(Effect.provide(FilePartition.csvRanges("none", { partitions: 3 }), new MemoryFiles().layer)),
        FileError
      )
    }))

  it("numbers of ranges and options that make no sense are refused where the plan is made", () => {
    for (const partitions of [0, -1, 1.5, NaN, Infinity, 2_000_000]) {
      assert.throws(() => FilePartition.csvRanges(path, { partitions }), JobDefinitionError)
      assert.throws(() => FilePartition.ndjsonRanges(path, { partitions }), JobDefinitionError)
    }
    assert.throws(() => FilePartition.csvRanges(path, { partitions: 2, delimiter: "" }), JobDefinitionError)
  })
})

const assertCounts = (readers: ReadonlyArray<ItemReader.ItemReader<unknown, any, any>>) =>
  Effect.map(
    Effect.forEach(readers, (reader) => readAll(reader)),
    (reads) => reads.reduce((sum, read) => sum + itemsOf(read).length, 0)
  ) as Effect.Effect<number, any, any>

const rows = (from: number, to: number, mark = "a") =>
  Array.from({ length: to - from }, (_, i) => `${from + i},${mark}\n`).join("")

interface Case {
  readonly text: string
  /** Which of the three ranges are refused; the others have their rows all the same. */
  readonly refused: ReadonlyArray<number>
}

describe("a range of a file that is not the one that was planned", () => {
  const before = `id,m\n${rows(100, 130)}`
  const cases: { readonly [name: string]: Case } = {
    "written again with the same content": { text: before, refused: [] },
    "with rows added": { text: before + rows(130, 140), refused: [] },
    "replaced": { text: `id,m\n${rows(100, 130, "b")}`, refused: [0, 1, 2] },
    "cut": { text: `id,m\n${rows(100, 115)}`, refused: [0, 1, 2] },
    "with another header": { text: `id,n\n${rows(100, 130)}`, refused: [0, 1, 2] },
    "changed in the middle": { text: `id,m\n${rows(100, 115)}${rows(115, 116, "x")}${rows(116, 130)}`, refused: [1] },
    "with a row more at its beginning": { text: `id,m\n${rows(99, 130)}`, refused: [0, 1, 2] }
  }
  for (const [name, { refused, text }] of Object.entries(cases)) {
    it.effect(`${name}: ${refused.length === 0 ? "read" : "refused"} at the first read and at a restart (OWN-22)`, () =>
      Effect.gen(function*() {
        const files = new MemoryFiles().set(path, before)
        const run = <A, E>(effect: Effect.Effect<A, E, any>) =>
          Effect.provide(effect, files.layer) as Effect.Effect<A, E, never>
        const plan = yield* run(FilePartition.csvRanges(path, { partitions: 3 }))
        assert.strictEqual(plan.length, 3)
        const readers = plan.map(({ input: range }) => CsvItemReader.make(path, { range }))
        const positions = yield* Effect.forEach(
          readers,
          (reader) => Effect.map(run(readAll(reader, { max: 2 })), ({ pages }) => pages[1]!.position)
        )
        files.set(path, text)
        for (const [index, reader] of readers.entries()) {
          for (const from of [undefined, positions[index]!]) {
            const read = yield* Effect.either(run(readAll(reader, from === undefined ? {} : { from })))
            if (refused.includes(index)) {
              assert.instanceOf(Either.getOrThrow(Either.flip(read)), UnreadablePosition)
            } else {
              const left = from === undefined ? 10 : 6
              assert.strictEqual(
                itemsOf(Either.getOrThrow(read)).length,
                index === 2 && name === "with rows added" ? left + 10 : left
              )
            }
          }
        }
      }))
  }

  it.effect("a file that changes while a range of it is read is an error", () =>
    Effect.gen(function*() {
      for (const text of [before.replace("112,a", "112,b"), before.slice(0, 90)]) {
        const files = new MemoryFiles().set(path, before)
        const error = yield* Effect.provide(
          Effect.scoped(
            Effect.gen(function*() {
              const plan = yield* FilePartition.csvRanges(path, { partitions: 3 })
              const { input: range } = plan[1]!
              const source = yield* CsvItemReader.make(path, { range, bufferSize: 30 }).open({ _tag: "None" } as any)
              yield* source.pull(3)
              files.change(path, text)
              for (;;) {
                if ((yield* source.pull(3)).done) {
                  return undefined
                }
              }
            }).pipe(Effect.flip)
          ),
          files.layer
        )
        assert.instanceOf(error, FileError)
      }
    }))

  it.effect("options by which rows end elsewhere, and a position outside of the range, are refused", () =>
    Effect.gen(function*() {
      const files = new MemoryFiles().set(path, before)
      const run = <A, E>(effect: Effect.Effect<A, E, any>) =>
        Effect.provide(effect, files.layer) as Effect.Effect<A, E, never>
      const [first, second] = yield* run(FilePartition.csvRanges(path, { partitions: 3 }))
      const range = second!.input
      for (
        const reader of [
          CsvItemReader.make(path, { range, quote: false }),
          CsvItemReader.make(path, { range, delimiter: ";", strictColumns: false }),
          CsvItemReader.make(path, { range, header: false, columns: ["id", "m"] }),
          NdjsonItemReader.make(path, { range })
        ]
      ) {
        assert.instanceOf(yield* Effect.flip(run(readAll<unknown, any, any>(reader))), UnreadablePosition)
      }
      const other = yield* run(readAll(CsvItemReader.make(path, { range: first!.input }), { max: 2 }))
      const reader = CsvItemReader.make(path, { range })
      assert.instanceOf(
        yield* Effect.flip(run(readAll(reader, { from: other.pages[1]!.position }))),
        UnreadablePosition
      )
      const behind = yield* run(readAll(reader, { max: 2 }))
      const front = CsvItemReader.make(path, { range: first!.input })
      assert.instanceOf(
        yield* Effect.flip(run(readAll(front, { from: behind.pages[1]!.position }))),
        UnreadablePosition
      )
    }))

  it.effect("there are no more ranges than were asked for, although the file grows while it is divided", () =>
    Effect.gen(function*() {
      for (const partitions of [1, 2, 3]) {
        let offset = 0
        const ranges = yield* Dividing.plan(
          {
            // Ten bytes a record; the file had half of what is read then.
            pull: (max) =>
              Effect.sync(() => {
                const count = Math.min(max, (200 - offset) / 10)
                offset += 10 * count
                const items = Array.from({ length: count })
                return { items, failure: Option.none(), position: null, done: offset === 200 }
              }),
            place: () => ({ offset, line: 1 + offset / 10, sum: offset }),
            progress: () => ({ done: offset, total: 100 })
          },
          partitions,
          { path, format: 1 }
        )
        assert.lengthOf(ranges, partitions)
        assert.deepStrictEqual(ranges.map(({ input }) => input.to), [
          ...ranges.slice(1).map(({ input }) => input.from),
          null
        ])
      }
    }))
})

const value = FastCheck.constantFrom(
  "1",
  "{\"a\":\"\\n\"}",
  "[1,2]",
  "bad",
  "\"é\"",
  "\"\u{1F600}\"",
  "",
  " ",
  "\r",
  "{",
  "\"\u2028\""
)

describe("FilePartition.ndjsonRanges", () => {
  it.effect.prop(
    "one after the other, ranges give what the whole file gives, each line once, also after a crash in one (PART-13, OWN-22)",
    [
      FastCheck.array(FastCheck.tuple(value, FastCheck.constantFrom("\n", "\r\n", "\n\n")), {
        maxLength: 40,
        size: "max"
      }),
      FastCheck.record({
        end: FastCheck.boolean(),
        marked: FastCheck.boolean(),
        skipEmptyLines: FastCheck.boolean(),
        partitions: FastCheck.integer({ min: 1, max: 9 }),
        bufferSize: FastCheck.integer({ min: 4, max: 40 }),
        crash: FastCheck.nat({ max: 50 })
      })
    ],
    ([lines, { bufferSize, crash, end, marked, partitions, skipEmptyLines }]) => {
      const format = { bufferSize, skipEmptyLines }
      const text = lines.map((line) => line.join("")).join("")
      return Effect.asVoid(assertSame(
        new MemoryFiles().set(path, (marked ? "\uFEFF" : "") + (end ? text : text.slice(0, -1))),
        NdjsonItemReader.make(path, format),
        FilePartition.ndjsonRanges(path, { ...format, partitions }),
        (range) => NdjsonItemReader.make(path, { ...format, range }),
        partitions,
        crash
      ))
    },
    { fastCheck: { numRuns: runs }, timeout: 600_000 }
  )
})

describe("FilePartition.files", () => {
  const directory = Effect.acquireRelease(
    Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-batch-files-"))),
    (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
  )

  it.scoped("one partition a file, whatever its name, in the order of the names; each is read once (PART-13)", () =>
    Effect.gen(function*() {
      const inbox = yield* directory
      const names = [
        "orders-a b.csv",
        "orders-\"; drop table.csv",
        "orders-'.csv",
        "orders-*.csv",
        "orders-line\nbreak.csv",
        "orders- .csv",
        "orders-\u{1F600}.csv",
        "orders-é.csv",
        "orders-e\u0301.csv",
        `orders-${"x".repeat(240)}.csv`
      ]
      for (const name of [...names, "other.csv"]) {
        Fs.writeFileSync(Path.join(inbox, name), `id\n${JSON.stringify(name).length}\n`)
      }
      const plan = yield* FilePartition.files(inbox, "orders-*.csv")
      assert.deepStrictEqual(plan.map(({ name }) => name), [...names].sort())
      let written = 0
      const job = Job.make("import", {
        flow: Step.partition("load", {
          plan: FilePartition.files(inbox, "orders-*.csv"),
          input: Schema.String,
          step: (path) =>
            Step.chunk("rows", {
              reader: CsvItemReader.make(path),
              writer: ItemWriter.fromFunction((items: ReadonlyArray<unknown>) =>
                Effect.sync(() => void (written += items.length))
              ),
              chunkSize: 10
            }),
          concurrency: 3
        })
      })
      const { status } = yield* Effect.provide(JobOperator.run(job, {}), JobRepository.layerMemory)
      assert.strictEqual(status, "COMPLETED")
      assert.strictEqual(written, names.length)
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scoped("no file is an error, or no partition, as one says", () =>
    Effect.gen(function*() {
      const inbox = yield* directory
      const error = yield* Effect.flip(FilePartition.files(inbox, "*.csv"))
      assert.strictEqual(error.reason, "NotFound")
      assert.deepStrictEqual(yield* FilePartition.files(inbox, "*.csv", { ifNone: "empty" }), [])
      assert.instanceOf(yield* Effect.flip(FilePartition.files(Path.join(inbox, "none"), "*")), FileError)
    }).pipe(Effect.provide(NodeContext.layer)))
})
