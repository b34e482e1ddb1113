import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import { parse } from "csv-parse/sync"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import * as CsvItemReader from "../../src/file/CsvItemReader.js"
import type { CsvError } from "../../src/file/FileError.js"
import * as ReaderLaws from "../../src/testing/ReaderLaws.js"
import * as Sensitive from "../../src/vocabulary/Sensitive.js"
import { failuresOf, itemsOf, MemoryFiles, type Read, readAll } from "./support.js"

const Payment = Schema.Struct({ id: Schema.String, cents: Schema.NumberFromString })

const path = "in.csv"

const read = (
  content: string | Uint8Array,
  { max, ...options }: CsvItemReader.Options & { readonly max?: number } = {}
) =>
  readAll(CsvItemReader.make(path, options), { ...(max === undefined ? {} : { max }) }).pipe(
    Effect.provide(new MemoryFiles().set(path, content).layer)
  )

const readPayments = (content: string | Uint8Array, options: CsvItemReader.Options = {}) =>
  readAll(CsvItemReader.make(path, { ...options, schema: Payment })).pipe(
    Effect.provide(new MemoryFiles().set(path, content).layer)
  )

const cell = FastCheck.stringOf(
  FastCheck.constantFrom("a", "é", "😀", " ", ",", "\"", "\n", "\r", "\r\n", "#", "\uFEFF"),
  { maxLength: 5 }
)

const rows = FastCheck.array(FastCheck.tuple(cell, cell), { maxLength: 8 })

/** What can be compared of a whole reading. */
const outcome = (found: Either.Either<Read<unknown, { readonly message: string }>, { readonly message: string }>) =>
  Either.match(found, {
    onLeft: (failure) => failure.message,
    onRight: ({ given }) => given.map((one) => "item" in one ? one.item : one.failure.message)
  })

const encode = (field: string) => /[",\r\n\uFEFF]/.test(field) ? `"${field.replaceAll("\"", "\"\"")}"` : field

const toCsv = (table: ReadonlyArray<ReadonlyArray<string>>) =>
  [["a", "b"], ...table].map((row) => row.map(encode).join(",")).join("\n")

describe("CsvItemReader", () => {
  describe("rows", () => {
    it.effect("decodes each row with the schema", () =>
      Effect.gen(function*() {
        const payments = yield* readPayments("cents,id\n100,a\n200,b\n")
        assert.deepStrictEqual(itemsOf(payments), [{ id: "a", cents: 100 }, { id: "b", cents: 200 }])
        assert.deepStrictEqual(failuresOf(payments), [])
      }))

    it.effect("returns records of strings without a schema", () =>
      Effect.gen(function*() {
        const found = yield* read("a,b\n1,\n\"x,\"\"y\"\"\r\nz\",2")
        assert.deepStrictEqual(itemsOf(found), [{ a: "1", b: "" }, { a: "x,\"y\"\r\nz", b: "2" }])
      }))

    it.effect("reads files without a header by the given columns", () =>
      Effect.gen(function*() {
        const found = yield* readPayments("a;1\nb;2", { header: false, columns: ["id", "cents"], delimiter: ";" })
        assert.deepStrictEqual(itemsOf(found), [{ id: "a", cents: 1 }, { id: "b", cents: 2 }])
      }))

    it("takes only schemas that decode from strings", () => {
      // @ts-expect-error: a field of a CSV row is text, it needs NumberFromString
      const reader = CsvItemReader.make(path, { schema: Schema.Struct({ cents: Schema.Number }) })
      assert.strictEqual(reader.name, "CsvItemReader(in.csv)")
    })

    it.effect("does not mistake a column for the prototype", () =>
      Effect.gen(function*() {
        const [item] = itemsOf(yield* read("__proto__,b\n1,2"))
        assert.deepStrictEqual(Object.entries(item!), [["__proto__", "1"], ["b", "2"]])
      }))

    it.effect.prop("reads what csv-parse reads, for blocks and pages of any size", [
      rows,
      FastCheck.integer({ min: 1, max: 40 }),
      FastCheck.integer({ min: 1, max: 4 })
    ], ([table, bufferSize, max]) =>
      Effect.gen(function*() {
        const csv = toCsv(table)
        const found = yield* read(csv, { bufferSize, max })
        assert.deepStrictEqual(
          itemsOf(found),
          parse(csv, { columns: true, record_delimiter: "\n", skip_empty_lines: true })
        )
      }))
  })

  describe("encodings", () => {
    it.effect.prop("reads every encoding, with and without a byte order mark", [
      rows,
      FastCheck.constantFrom("utf-8" as const, "utf16le" as const),
      FastCheck.boolean(),
      FastCheck.integer({ min: 1, max: 40 })
    ], ([table, encoding, bom, bufferSize]) =>
      Effect.gen(function*() {
        const expected = itemsOf(yield* read(toCsv(table)))
        const bytes = Buffer.from((bom ? "\uFEFF" : "") + toCsv(table), encoding)
        assert.deepStrictEqual(itemsOf(yield* read(bytes, { encoding, bufferSize })), expected)
      }))

    it.effect("reads latin1", () =>
      Effect.gen(function*() {
        const found = yield* read(Buffer.from("a,b\né,ü", "latin1"), { encoding: "latin1" })
        assert.deepStrictEqual(itemsOf(found), [{ a: "é", b: "ü" }])
      }))

    it.effect("calls bytes that are not UTF-8 a bad row instead of replacing them", () =>
      Effect.gen(function*() {
        const bytes = Buffer.concat([Buffer.from("a,b\né,1\n"), Buffer.from("x,ü\n", "latin1"), Buffer.from("à ,2")])
        const found = yield* read(bytes)
        assert.deepStrictEqual(itemsOf(found), [{ a: "é", b: "1" }, { a: "à ", b: "2" }])
        const [error] = failuresOf(found)
        assert.strictEqual(
          error?.message,
          "Bad row in \"in.csv\", line 3: column \"b\" holds bytes that are not valid UTF-8. Correct the row and " +
            "restart, or let the step skip \"CsvError\". The row: x,\uFFFD"
        )
      }))

    it.effect("tells control characters of a bad row in letters, and keeps the row as it was", () =>
      Effect.gen(function*() {
        const [error] = failuresOf(yield* read("a,b\n11,\u001b[31mred\u001b[2J,x\n"))
        assert.strictEqual(error?._tag === "CsvError" ? error.raw : "", "11,\u001b[31mred\u001b[2J,x")
        assert.include(error?.message, "The row: 11,\\u001b[31mred\\u001b[2J,x")
      }))

    it.effect("says that a file is UTF-16", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(read(Buffer.from("\uFEFFa,b\n1,2", "utf16le")))
        assert.strictEqual(
          error.message,
          "Cannot read \"in.csv\": it is UTF-16, not UTF-8. Set `encoding` to \"utf16le\", or convert the file."
        )
      }))

    it.effect("says that a UTF-16 file is cut off within a character", () =>
      Effect.gen(function*() {
        const bytes = Buffer.from("a,b\n1,2", "utf16le")
        const error = yield* Effect.flip(read(bytes.subarray(0, -1), { encoding: "utf16le" }))
        assert.include(error.message, "it ends in the middle of a character")
      }))
  })

  describe("bad rows", () => {
    const problems = (content: string, options?: CsvItemReader.Options) =>
      Effect.map(readPayments(content, options), (found) =>
        failuresOf(found).map((error) => {
          assert.strictEqual(error._tag, "CsvError")
          const { column, columnNumber, line, problem, raw } = error as CsvError
          return { column, columnNumber, line, problem, raw }
        }))

    it.effect("names line, column and everything that is wrong", () =>
      Effect.gen(function*() {
        const Both = Schema.Struct({ id: Schema.NonEmptyString, cents: Schema.NumberFromString })
        const reader = CsvItemReader.make(path, { schema: Both })
        const found = yield* readAll(reader).pipe(
          Effect.provide(new MemoryFiles().set(path, "id,cents\na,1\n,x\nb,2\n").layer)
        )
        assert.deepStrictEqual(itemsOf(found), [{ id: "a", cents: 1 }, { id: "b", cents: 2 }])
        const [error] = failuresOf(found) as Array<CsvError>
        assert.deepStrictEqual([error?.line, error?.column, error?.columnNumber, error?.raw], [3, "id", 1, ",x"])
        assert.include(error?.problem, "id: Expected a non empty string, actual \"\"; cents: ")
        assert.notInclude(error?.message, "\n")
      }))

    it.effect("reports rows with the wrong number of fields, and goes on", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* problems("id,cents\na\nb,2,3\nc,4"), [
          {
            column: undefined,
            columnNumber: undefined,
            line: 2,
            problem: "2 fields expected, but the row has 1",
            raw: "a"
          },
          {
            column: undefined,
            columnNumber: undefined,
            line: 3,
            problem: "2 fields expected, but the row has 3",
            raw: "b,2,3"
          }
        ])
      }))

    it.effect("loses no row after a quote that is never closed", () =>
      Effect.gen(function*() {
        const content = "id,cents\n\"a,1\nb,2\nc,3\n"
        const found = yield* readPayments(content, { bufferSize: 10 })
        assert.deepStrictEqual(itemsOf(found), [{ id: "b", cents: 2 }, { id: "c", cents: 3 }])
        assert.deepStrictEqual((yield* problems(content)).map(({ line, problem, raw }) => [line, problem, raw]), [
          [2, "a quote is opened but never closed", "\"a,1"]
        ])
      }))

    it.effect("cuts the text of a long row at 500 characters", () =>
      Effect.gen(function*() {
        const [problem] = yield* problems(`id,cents\n${"é".repeat(2000)}\n`)
        assert.strictEqual(problem?.raw, "é".repeat(500) + "…")
      }))

    it.effect("ends a page after the bad row, with the position after it", () =>
      Effect.gen(function*() {
        const reader = CsvItemReader.make(path, { schema: Payment })
        const source = yield* reader.open(Option.none())
        const page = yield* source.pull(10)
        assert.deepStrictEqual(page.items, [{ id: "a", cents: 1 }])
        assert.isTrue(Option.isSome(page.failure))
        assert.isFalse(page.done)
        assert.deepStrictEqual(page.position, { ...(page.position as object), offset: 17, line: 4 })
      }).pipe(
        Effect.scoped,
        Effect.provide(new MemoryFiles().set(path, "id,cents\na,1\nb,x\nc,3").layer)
      ))

    it.effect("shows no sensitive field, neither in the problem nor in the text of the row", () =>
      Effect.gen(function*() {
        const Account = Schema.Struct({ id: Schema.NumberFromString, pin: Sensitive.make(Schema.NumberFromString) })
        const found = yield* readAll(CsvItemReader.make(path, { schema: Account })).pipe(
          Effect.provide(new MemoryFiles().set(path, "id,pin\n1,secret\n2,secret,3\n\"3,secret\n").layer)
        )
        const messages = failuresOf(found).map((error) => error.message)
        assert.strictEqual(messages.length, 3)
        assert.include(messages[0], "The row: 1,<sensitive>")
        messages.forEach((message) => assert.notInclude(message, "secret"))
        const Noted = Schema.Struct({ id: Schema.NullOr(Schema.String), pin: Account.fields.pin, note: Schema.String })
        const damaged = yield* readAll(CsvItemReader.make(path, { schema: Noted, nullText: "-" })).pipe(
          Effect.provide(new MemoryFiles().set(path, Buffer.from("id,pin,note\n-,123,\xFF\n", "latin1")).layer)
        )
        assert.include(failuresOf(damaged)[0]?.message, "The row: ,<sensitive>,\uFFFD")
      }))
  })

  describe("the header", () => {
    const failure = (content: string, options?: CsvItemReader.Options) =>
      Effect.map(Effect.flip(readPayments(content, options)), (error) => error.message)

    it.effect("lists missing, unexpected and duplicate columns", () =>
      Effect.gen(function*() {
        assert.strictEqual(
          yield* failure("id,cent,x,x\n"),
          "The columns of \"in.csv\" (header in line 1) do not fit: missing column \"cents\"; unexpected columns " +
            "\"cent\", \"x\"; duplicate column \"x\"; \"cent\" may be a misspelt \"cents\". Correct the header or the " +
            "schema; `delimiter`, `encoding` and `strictColumns` decide how it is read."
        )
      }))

    it.effect("is missing in an empty file", () =>
      Effect.gen(function*() {
        assert.include(yield* failure(""), "the file is empty, it has not even a header")
      }))

    it.effect("is not read when its quoting is broken", () =>
      Effect.gen(function*() {
        assert.include(
          yield* failure("id,\"cents\na,1"),
          "the header cannot be read: a quote is opened but never closed"
        )
      }))

    it.effect("may have further columns if these are allowed", () =>
      Effect.gen(function*() {
        const found = yield* readPayments("x,id,cents\n0,a,1", { strictColumns: false })
        assert.deepStrictEqual(itemsOf(found), [{ id: "a", cents: 1 }])
      }))

    it.effect("may lack the columns that the schema calls optional", () =>
      Effect.gen(function*() {
        const schema = Schema.Struct({ id: Schema.String, note: Schema.optional(Schema.String) })
        const found = yield* readAll(CsvItemReader.make(path, { schema })).pipe(
          Effect.provide(new MemoryFiles().set(path, "id\na").layer)
        )
        assert.deepStrictEqual(itemsOf(found), [{ id: "a" }])
      }))

    it("has to be replaced by columns when there is none", () => {
      assert.throws(() => CsvItemReader.make(path, { header: false }), /the `columns` have to be given/)
    })

    it.effect("follows comments and empty lines", () =>
      Effect.gen(function*() {
        const found = yield* readPayments("# export\n\nid,cents\na,1\n#b,2\n", { comment: "#" })
        assert.deepStrictEqual(itemsOf(found), [{ id: "a", cents: 1 }])
      }))
  })

  describe("restart", () => {
    it.effect.prop(
      "continues exactly after every position (ITEM-4)",
      [
        FastCheck.array(FastCheck.oneof(rows.map(toCsv), FastCheck.constant("\"x\n1,2,3\n")), { maxLength: 3 }),
        FastCheck.constantFrom("utf-8" as const, "utf16le" as const, "latin1" as const),
        FastCheck.boolean(),
        FastCheck.integer({ min: 4, max: 50 })
      ],
      ([parts, encoding, header, bufferSize]) =>
        ReaderLaws.check(CsvItemReader.make(path, { header, columns: ["a", "b"], encoding, bufferSize })).pipe(
          Effect.provide(new MemoryFiles().set(path, Buffer.from("\uFEFFa,b\n" + parts.join("\n"), encoding)).layer)
        ),
      { fastCheck: { numRuns: 50 } }
    )

    it.effect.prop(
      "also in damaged files, whatever their bytes (ITEM-4)",
      [
        FastCheck.array(FastCheck.constantFrom(0x61, 0x2c, 0x22, 0x0a, 0x0d, 0x20, 0xc3, 0xa9, 0xff), {
          maxLength: 60
        }),
        FastCheck.constantFrom("utf-8" as const, "latin1" as const),
        FastCheck.integer({ min: 4, max: 30 })
      ],
      ([bytes, encoding, bufferSize]) => {
        const reader = (bufferSize: number) =>
          CsvItemReader.make(path, { columns: ["a", "b"], header: false, encoding, bufferSize })
        const files = new MemoryFiles().set(path, Buffer.from(bytes)).layer
        return Effect.gen(function*() {
          const [inBlocks, atOnce] = yield* Effect.forEach(
            [bufferSize, 1000],
            (size) => Effect.either(readAll(reader(size)))
          )
          assert.deepStrictEqual(outcome(inBlocks!), outcome(atOnce!))
          // A file that is refused as a whole has no positions to go on from.
          yield* Either.isRight(atOnce!) ? ReaderLaws.check(reader(bufferSize)) : Effect.void
        }).pipe(Effect.provide(files))
      },
      {
        fastCheck: {
          examples: [
            [[0x2c, 0x0d, 0x2c, 0x0d, 0x2c], "utf-8", 4],
            [[0x2c, 0x0d, 0x2c, 0x0d, 0x2c, 0x20, 0x20, 0x0a], "utf-8", 8]
          ]
        }
      }
    )

    it.effect("refuses a file of one line with other line breaks wherever its blocks end (OWN-25)", () =>
      Effect.gen(function*() {
        for (const mark of ["", "\uFEFF"]) {
          const content = Buffer.from(`${mark}a,b\rc,d\re,f\n`)
          for (let bufferSize = 4; bufferSize <= content.length + 1; bufferSize++) {
            const failure = yield* Effect.flip(read(content, { header: false, columns: ["x", "y"], bufferSize }))
            assert.include(failure.message, "its lines end with CR, which `lineEnding` does not say", `${bufferSize}`)
          }
        }
      }))

    const restart = (
      change: (content: string) => string,
      content = "id,cents\naa,1\nbb,2\ncc,3\n"
    ) =>
      Effect.gen(function*() {
        const files = new MemoryFiles().set(path, content)
        const reader = CsvItemReader.make(path, { schema: Payment })
        const { pages } = yield* Effect.provide(readAll(reader, { max: 2 }), files.layer)
        files.set(path, change(content))
        return yield* Effect.either(Effect.provide(readAll(reader, { from: pages[0]!.position }), files.layer))
      })

    it.effect("reads rows that were corrected or added after the position", () =>
      Effect.gen(function*() {
        const found = yield* restart((content) => content.replace("cc,3", "c,30") + "dd,4\n")
        assert.deepStrictEqual(
          Either.map(found, itemsOf),
          Either.right([{ id: "c", cents: 30 }, { id: "dd", cents: 4 }])
        )
      }))

    it.effect("refuses a file that is shorter than the position", () =>
      Effect.gen(function*() {
        const found = yield* restart(() => "id,cents\naa,1\n")
        assert.strictEqual(
          Either.getLeft(found).pipe(Option.getOrThrow).message,
          "\"CsvItemReader(in.csv)\" cannot go on from its stored state: 19 bytes of \"in.csv\" were read " +
            "before, but now it has only 14; put the file back as it was and restart, or abandon the execution and " +
            "run the job with another identifying parameter"
        )
      }))

    it.effect("refuses a file whose rows before the position have moved", () =>
      Effect.gen(function*() {
        const found = yield* restart((content) => content.replace("aa,1", "aa,10"))
        assert.include(Either.getLeft(found).pipe(Option.getOrThrow).message, "is not what was read there")
        assert.include(
          Either.getLeft(found).pipe(Option.getOrThrow).message,
          "; put the file back as it was and restart"
        )
      }))

    it.effect("refuses a file with another header", () =>
      Effect.gen(function*() {
        const long = "id,cents\n" + Array.from({ length: 30 }, (_, i) => `row${i},${i}\n`).join("")
        const files = new MemoryFiles().set(path, long)
        const reader = CsvItemReader.make(path, { schema: Payment })
        const { pages } = yield* Effect.provide(readAll(reader, { max: 20 }), files.layer)
        files.set(path, long.replace("id,cents", "cents,id"))
        const error = yield* Effect.flip(Effect.provide(readAll(reader, { from: pages[0]!.position }), files.layer))
        assert.strictEqual(error._tag, "UnreadablePosition")
        assert.include(error.message, "the header of \"in.csv\" is not the one that was read before; put the file back")
      }))

    it.effect("refuses the position of another reader", () =>
      Effect.gen(function*() {
        const reader = CsvItemReader.make(path)
        const error = yield* Effect.flip(readAll(reader, { from: { page: 3 } }))
        assert.include(error.message, "it is not a position in a file")
      }).pipe(Effect.provide(new MemoryFiles().set(path, "a\n1").layer)))
  })

  describe("the file", () => {
    it.effect("that fails to be read has not moved the reader", () =>
      Effect.gen(function*() {
        const files = new MemoryFiles().set(path, "a,b\n1,2\n3,4\n5,6\n")
        yield* Effect.gen(function*() {
          const source = yield* CsvItemReader.make(path, { bufferSize: 8 }).open(Option.none())
          assert.deepStrictEqual((yield* source.pull(5)).items, [{ a: "1", b: "2" }])
          files.failing = "read"
          const error = yield* Effect.flip(source.pull(5))
          assert.strictEqual(
            error.message,
            "Cannot read \"in.csv\": disk on fire. Run the job again when that is solved."
          )
          files.failing = undefined
          assert.deepStrictEqual((yield* source.pull(5)).items, [{ a: "3", b: "4" }, { a: "5", b: "6" }])
        }).pipe(Effect.scoped, Effect.provide(files.layer))
      }))

    it.effect("without line breaks is not read into memory", () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(read("a,b\n" + "x".repeat(1000), { bufferSize: 64, maxRecordSize: 256 }))
        assert.include(error.message, "there is no line break within 256 bytes from byte 4, line 2")
      }))

    it.effect("tells how far it is read", () =>
      Effect.gen(function*() {
        const source = yield* CsvItemReader.make(path).open(Option.none())
        yield* source.pull(1)
        assert.deepStrictEqual(source.progress?.(), { done: 4, total: 6 })
      }).pipe(Effect.scoped, Effect.provide(new MemoryFiles().set(path, "a\n1\n2\n").layer)))
  })
})

describe("CsvItemReader on the platform's file system", () => {
  it.scopedLive("names files that are missing or no files", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const directory = yield* fs.makeTempDirectoryScoped()
      const missing = yield* Effect.flip(readAll(CsvItemReader.make(`${directory}/no.csv`)))
      assert.strictEqual(
        missing.message,
        `Cannot read "${directory}/no.csv": there is no such file. Check the path and the working directory.`
      )
      const wrong = yield* Effect.flip(readAll(CsvItemReader.make(directory)))
      assert.include(wrong.message, "it is a directory")
    }).pipe(Effect.provide(NodeContext.layer)))

  it.scopedLive("reads a large file page by page, and goes on in its middle", () =>
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const file = `${yield* fs.makeTempDirectoryScoped()}/big.csv`
      const count = 200_000
      yield* fs.writeFileString(
        file,
        "id,cents\n" + Array.from({ length: count }, (_, i) => `"pa,y${i}",${i}\n`).join("")
      )
      const reader = CsvItemReader.make(file, { schema: Payment })
      const total = (from: Option.Option<any>) =>
        Effect.scoped(Effect.gen(function*() {
          const source = yield* reader.open(from)
          let rows = 0
          let sum = 0
          let middle: any
          for (;;) {
            const page = yield* source.pull(1000)
            page.items.forEach((item) => sum += item.cents)
            rows += page.items.length
            if (middle === undefined && rows > count / 2) {
              middle = { position: page.position, rows, sum }
            }
            if (page.done) {
              return { rows, sum, middle }
            }
          }
        }))
      const all = yield* total(Option.none())
      assert.deepStrictEqual([all.rows, all.sum], [count, count * (count - 1) / 2])
      const rest = yield* total(Option.some(all.middle.position))
      assert.deepStrictEqual([rest.rows, rest.sum], [count - all.middle.rows, all.sum - all.middle.sum])
    }).pipe(Effect.provide(NodeContext.layer)))
})
