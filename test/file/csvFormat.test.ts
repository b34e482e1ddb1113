/**
 * The options of CSV that reader and writer share: whatever they are, what is written is read back. `CSV_RUNS=6000` tries
 * more of them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as HashMap from "effect/HashMap"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Buffer } from "node:buffer"
import type { Json } from "../../src/base/json.js"
import type { CsvFormat } from "../../src/file/CsvFormat.js"
import * as CsvItemReader from "../../src/file/CsvItemReader.js"
import * as CsvItemWriter from "../../src/file/CsvItemWriter.js"
import * as csvText from "../../src/file/csvText.js"
import * as csvTrailer from "../../src/file/csvTrailer.js"
import * as TextItemWriter from "../../src/file/TextItemWriter.js"
import { failuresOf, itemsOf, MemoryFiles, readAll } from "./support.js"

const path = "x.csv"

type Item = { readonly [column: string]: unknown }

/** Writes chunks; after some of them the process dies, with the next chunk half written. */
const write = (options: CsvItemWriter.Options, chunks: ReadonlyArray<ReadonlyArray<Item>>, crashAfter?: number) =>
  Effect.gen(function*() {
    const files = new MemoryFiles()
    const writer = CsvItemWriter.make<Item>(path, options)
    let state: Option.Option<Json> = Option.none()
    const life = (from: number, to: number, complete: boolean) =>
      Effect.scoped(Effect.gen(function*() {
        const sink = yield* writer.open(state)
        for (const chunk of chunks.slice(from, to)) {
          yield* sink.write(chunk)
          state = Option.some(JSON.parse(JSON.stringify(yield* sink.flush!)))
          yield* sink.committed!
        }
        if (complete) {
          yield* sink.complete!
        } else if (to < chunks.length) {
          yield* sink.write(chunks[to]!)
          yield* sink.flush!
        }
      }))
    const middle = crashAfter === undefined ? 0 : Math.min(crashAfter, chunks.length)
    yield* Effect.provide(Effect.zipRight(life(0, middle, false), life(middle, chunks.length, true)), files.layer)
    return files
  })

const read = (files: MemoryFiles, options: CsvItemReader.Options) =>
  Effect.provide(readAll(CsvItemReader.make(path, options)), files.layer)

const cell = FastCheck.oneof(
  {
    weight: 3,
    arbitrary: FastCheck.stringOf(FastCheck.constantFrom(..."ab,;|\t \"'\\\n\r\0#N0".split(""), "\uFEFF", "€"), {
      maxLength: 5
    })
  },
  { weight: 1, arbitrary: FastCheck.fullUnicodeString({ maxLength: 6 }) }
)

const format: FastCheck.Arbitrary<
  CsvFormat & { readonly quoting: "needed" | "all"; readonly byteOrderMark?: boolean }
> = FastCheck.record({
  delimiter: FastCheck.constantFrom(",", ";", "\t", "||", " ", "\u0001"),
  quote: FastCheck.constantFrom("\"", "'", false as const),
  escape: FastCheck.constantFrom(undefined, "\\", "~"),
  lineEnding: FastCheck.constantFrom("\n" as const, "\r\n" as const, "\r" as const),
  encoding: FastCheck.constantFrom("utf-8" as const, "utf16le" as const, "utf16be" as const, "windows-1252" as const),
  comment: FastCheck.constantFrom(undefined, "#", "//"),
  trim: FastCheck.boolean(),
  nullText: FastCheck.constantFrom(undefined, "", "NULL", "\\N"),
  trailingDelimiter: FastCheck.boolean(),
  preamble: FastCheck.constantFrom(undefined, [], ["first \"line\"", "", "# second"]),
  header: FastCheck.boolean(),
  headerNames: FastCheck.constantFrom(undefined, { a: "A, or so", b: "" }),
  quoting: FastCheck.constantFrom("needed" as const, "all" as const)
}).map(({ header, headerNames, quote, quoting, ...rest }) => ({
  ...rest,
  quote,
  header,
  headerNames: header ? headerNames : undefined,
  quoting: quote === false ? "needed" as const : quoting
}))

const table = FastCheck.integer({ min: 1, max: 3 }).chain((width) =>
  FastCheck.record({
    columns: FastCheck.constant(["a", "b", "c"].slice(0, width)),
    rows: FastCheck.array(
      FastCheck.array(FastCheck.oneof(cell, FastCheck.constant(null), FastCheck.constantFrom("NULL", "\\N", "#x")), {
        minLength: width,
        maxLength: width
      }),
      { maxLength: 6 }
    )
  })
)

const itemsIn = (columns: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string | null>>): Array<Item> =>
  rows.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i]])))

const isDefect = (make: () => unknown): boolean => {
  try {
    make()
    return false
  } catch (error) {
    return (error as { readonly _tag: string })._tag === "JobDefinitionError"
  }
}

describe("a format of CSV", () => {
  it.effect.prop(
    "what is written is read back, or refused by item, whatever the format, also after a crash (OWN-24, ITEM-20)",
    [
      format,
      table,
      FastCheck.nat({ max: 3 }),
      FastCheck.integer({ min: 4, max: 60 })
    ],
    ([format, { columns, rows }, crashAfter, bufferSize]) =>
      Effect.gen(function*() {
        const headerNames = format.headerNames &&
          Object.fromEntries(Object.entries(format.headerNames).filter(([name]) => columns.includes(name)))
        const options = { ...format, headerNames, columns }
        const refused = isDefect(() => CsvItemWriter.make(path, options))
        if (refused) {
          // Names that the format cannot write: without quotes there is no way for a delimiter.
          assert.isTrue(format.quote === false || format.encoding === "windows-1252")
          return
        }
        const kept: Array<ReadonlyArray<string | null>> = []
        for (const row of rows) {
          const written = yield* Effect.either(write(options, [itemsIn(columns, [row])]))
          if (Either.isRight(written)) {
            kept.push(row)
          } else {
            const text = row.join("")
            assert.isTrue(format.quote === false || format.encoding === "windows-1252" || row.length === 1, text)
          }
        }
        const files = yield* write(options, kept.map((row) => itemsIn(columns, [row])), crashAfter)
        const found = yield* read(files, { ...options, bufferSize })
        const expected = format.nullText === undefined ? kept.map((row) => row.map((cell) => cell ?? "")) : kept
        assert.deepStrictEqual(failuresOf(found), [])
        assert.deepStrictEqual<ReadonlyArray<Item>>(itemsOf(found), itemsIn(columns, expected))
      }),
    { fastCheck: { numRuns: Number(process.env.CSV_RUNS ?? 80) } }
  )

  it.effect("the first item that the file cannot hold is told, wherever it is and whatever comes behind it (OWN-24)", () =>
    Effect.gen(function*() {
      const long = "x".repeat(700_000)
      const good = { a: "good" }
      const half = { a: "\uD800" }
      const map = { a: new Map() }
      const cases: ReadonlyArray<readonly [items: ReadonlyArray<Item>, item: number, problem: string]> = [
        [[good, half, map], 2, "it holds half of a surrogate pair in column \"a\""],
        [[good, map, half], 2, "column \"a\" holds a value"],
        [[good, half, { b: "" }], 2, "half of a surrogate pair"],
        [[{ a: long }, { a: long }, half, good], 3, "half of a surrogate pair"],
        [[{ a: long }, half, { a: long }, { a: long }], 2, "half of a surrogate pair"],
        [[{ a: long }, { a: long }, { a: long }, map], 4, "column \"a\" holds a value"],
        [[good, good, half], 3, "half of a surrogate pair"]
      ]
      for (const [items, item, problem] of cases) {
        const error = yield* Effect.flip(write({}, [items]))
        assert.strictEqual(error._tag, "ItemEncodeError", error.message)
        assert.include(error.message, `Item ${item} cannot be written`)
        assert.include(error.message, problem)
      }
    }))

  it.effect("a chunk that is too long for one text is written in pieces", () =>
    Effect.gen(function*() {
      const long = "é\"".repeat(150_000)
      const items = Array.from({ length: 7 }, (_, i) => ({ a: String(i), b: long }))
      const format = csvText.make<Item>(path, {})
      const encoded = Either.getOrThrow(format.encode(null, items, 0))
      assert.isAbove(encoded[0].length, 2)
      const files = yield* write({}, [items])
      assert.deepStrictEqual<ReadonlyArray<Item>>(itemsOf(yield* read(files, {})), items)
    }))

  it.effect("NULL and empty text stay apart where the format can tell them (OWN-24)", () =>
    Effect.gen(function*() {
      const items = [{ a: null, b: "" }, { a: "", b: null }, { a: "NULL", b: "\\N" }]
      for (const nullText of ["", "NULL", "\\N"]) {
        for (const quoting of ["needed", "all"] as const) {
          const files = yield* write({ nullText, quoting }, [items])
          assert.deepStrictEqual<ReadonlyArray<Item>>(itemsOf(yield* read(files, { nullText })), items)
        }
      }
      assert.strictEqual((yield* write({ nullText: "" }, [items.slice(0, 2)])).text(path), "a,b\n,\"\"\n\"\",\n")
      const schema = Schema.Struct({ a: Schema.NullOr(Schema.NumberFromString), b: Schema.NullOr(Schema.String) })
      const numbers = new MemoryFiles().set(path, "a,b\n1,\n,\"\"\n")
      assert.deepStrictEqual(
        itemsOf(yield* Effect.provide(readAll(CsvItemReader.make(path, { schema, nullText: "" })), numbers.layer)),
        [{ a: 1, b: null }, { a: null, b: "" }]
      )
    }))

  it.effect("all cells are in quotes, and the file begins with a byte order mark, when told to", () =>
    Effect.gen(function*() {
      const files = yield* write({ quoting: "all", byteOrderMark: true, lineEnding: "\r" }, [[{ a: 1, b: "" }]])
      assert.strictEqual(files.text(path), "\uFEFF\"a\",\"b\"\r\"1\",\"\"\r")
      const wide = yield* write({ encoding: "utf16be" }, [[{ a: "ü" }]])
      assert.deepStrictEqual(wide.bytes(path), Buffer.from("\uFEFFa\nü\n", "utf16le").swap16())
      const lines = new MemoryFiles()
      yield* Effect.scoped(Effect.gen(function*() {
        const sink = yield* TextItemWriter.lines(path, String, { encoding: "latin1", lineEnding: "\r", header: "é" })
          .open(Option.none())
        yield* sink.write(["ü"])
        yield* sink.flush!
        assert.include((yield* Effect.flip(sink.write(["ok", "€"]))).message, "Item 3 cannot be written")
        yield* sink.complete!
      })).pipe(Effect.provide(lines.layer))
      assert.deepStrictEqual(lines.bytes(path), Buffer.from("é\rü\r", "latin1"))
    }))

  it.effect("rows are appended to a file of the same format", () =>
    Effect.gen(function*() {
      const shared: CsvFormat = {
        encoding: "utf16le",
        lineEnding: "\r\n",
        preamble: ["report"],
        headerNames: { a: "The A" },
        trailingDelimiter: true
      }
      const files = yield* write(shared, [[{ a: "1", b: "2" }]])
      const sink = CsvItemWriter.make<Item>(path, { ...shared, ifExists: "append" })
      yield* Effect.scoped(Effect.gen(function*() {
        const opened = yield* sink.open(Option.none())
        yield* opened.write([{ b: "4", a: "3" }])
        yield* opened.flush!
        yield* opened.complete!
      })).pipe(Effect.provide(files.layer))
      assert.strictEqual(
        files.bytes(path)!.toString("utf16le"),
        "\uFEFFreport\r\nThe A,b,\r\n1,2,\r\n3,4,\r\n"
      )
      assert.deepStrictEqual(itemsOf(yield* read(files, shared)), [{ a: "1", b: "2" }, { a: "3", b: "4" }])
    }))
})

describe("ragged rows", () => {
  const content = "a,b,c\n1,2,3\n4,5\n6,7,8,9\n\"10\"\n"

  const logged = (raggedRows: "fail" | "fill" | "cut" | "fillAndCut", options: CsvItemReader.Options = {}) =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      const found = yield* read(new MemoryFiles().set(path, content), { raggedRows, ...options }).pipe(
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      return {
        items: itemsOf(found).map(Object.values),
        failed: failuresOf(found).map(({ message }) => message),
        lines
      }
    })

  it.effect("fail, are filled or are cut, and each one is reported", () =>
    Effect.gen(function*() {
      const fail = yield* logged("fail")
      assert.deepStrictEqual([fail.items, fail.failed.length, fail.lines], [[["1", "2", "3"]], 3, []])
      const fill = yield* logged("fill")
      assert.deepStrictEqual(fill.items, [["1", "2", "3"], ["4", "5", ""], ["10", "", ""]])
      assert.include(fill.failed.join(), "line 4: 3 fields expected, but the row has 4")
      assert.include(fill.lines.join(), "line 3 has 2")
      assert.include(fill.lines.join(), "line 5 has 1")
      const cut = yield* logged("cut")
      assert.deepStrictEqual([cut.items, cut.failed.length], [[["1", "2", "3"], ["6", "7", "8"]], 2])
      const both = yield* logged("fillAndCut", { nullText: "" })
      assert.deepStrictEqual(both.items, [["1", "2", "3"], ["4", "5", null], ["6", "7", "8"], ["10", null, null]])
      assert.deepStrictEqual(both.lines, [
        "3 rows of \"x.csv\" did not have 3 fields and went on filled or cut, as `raggedRows` says: line 3 has 2, line 4 " +
        "has 4, line 5 has 1"
      ])
    }))
})

describe("the header", () => {
  const names = (content: string, options: CsvItemReader.Options) =>
    Effect.map(Effect.either(read(new MemoryFiles().set(path, content), options)), (found) =>
      Either.match(found, {
        onLeft: (error) => error.message,
        onRight: (found) => itemsOf(found).flatMap((item) => Object.keys(item)).join()
      }))

  it.effect("is matched without case and blanks when told to", () =>
    Effect.gen(function*() {
      const loose = { matchHeader: "loose", columns: ["customerId", "name"] } as const
      assert.strictEqual(yield* names("Customer ID , NAME,x\n1,2,3\n", loose), "customerId,name,x")
      assert.include(yield* names("Name,NAME\n1,2\n", loose), "duplicate column \"name\"")
      const schema = Schema.Struct({ "Customer Id": Schema.String })
      const found = yield* readAll(CsvItemReader.make(path, { schema, matchHeader: "loose" })).pipe(
        Effect.provide(new MemoryFiles().set(path, "CUSTOMERID\n1\n").layer)
      )
      assert.deepStrictEqual(itemsOf(found), [{ "Customer Id": "1" }])
    }))

  it.effect("has as many names as those that replace it", () =>
    Effect.gen(function*() {
      const options = { matchHeader: "position", columns: ["a", "b"] } as const
      assert.strictEqual(yield* names("x,x\n1,2\n", options), "a,b")
      assert.include(yield* names("x,y,z\n", options), "the header has 3 columns, `columns` has 2")
    }))

  it.effect("may not be blank where that is an error, nor a name that the schema would lose", () =>
    Effect.gen(function*() {
      assert.include(yield* names("a, ,c\n", { blankNames: "fail" }), "column 2 has no name")
      assert.strictEqual(yield* names("a,,c\n1,2,3\n", {}), "a,,c")
      assert.strictEqual(yield* names("a,NULL\n1,2\n", { nullText: "NULL" }), "a,NULL")
      const schema = Schema.Record({ key: Schema.String, value: Schema.String })
      const error = yield* Effect.flip(Effect.provide(
        readAll(CsvItemReader.make(path, { schema })),
        new MemoryFiles().set(path, "a,__proto__\n1,2\n").layer
      ))
      assert.include(error.message, "a column cannot be named \"__proto__\"")
    }))

  it.effect("stands behind the lines that stand before it", () =>
    Effect.gen(function*() {
      assert.include(
        yield* names("other\na\n1\n", { preamble: ["export"] }),
        "line 1 is not the one that `preamble` gives"
      )
      assert.include(yield* names("a\n", { skipLines: 3 }), "the file ends within the 3 lines before its header")
      assert.strictEqual(yield* names("\"open quote\r\n\r\na\r\n1\r\n", { skipLines: 2 }), "a")
    }))

  it.effect("that lists a hundred thousand wrong names lists twenty", () =>
    Effect.gen(function*() {
      const wide = Array.from({ length: 100_000 }, (_, i) => `c${i}`).join()
      const schema = Schema.Struct({ id: Schema.String })
      const error = yield* Effect.flip(Effect.provide(
        readAll(CsvItemReader.make(path, { schema })),
        new MemoryFiles().set(path, `${wide}\n`).layer
      ))
      assert.include(error.message, "\"c19\" and 99980 more")
      assert.isBelow(error.message.length, 1000)
    }))
})

describe("the trailer", () => {
  it("is a row with as many fields, and its texts in their places: what begins like it is a row", () => {
    const trailer = ["TRL", { sum: "cents" }, "END"]
    const cases: ReadonlyArray<readonly [fields: ReadonlyArray<string | null>, is: boolean]> = [
      [["TRL", "7", "END"], true],
      [[" TRL ", "", "END"], true],
      [["TRL", null, "END"], true],
      [["TRL", "7", "END", ""], false],
      [["TRL", "7"], false],
      [["TRL", "7", "end"], false],
      [["", "7", "END"], false],
      [[], false]
    ]
    for (const [fields, is] of cases) {
      assert.strictEqual(csvTrailer.isTrailer(trailer, fields), is, JSON.stringify(fields))
    }
    assert.isTrue(csvTrailer.isTrailer(["", "x"], [null, "x"]))
  })

  const trailer = ["T", { count: "rows" }, { sum: "amount" }] as const
  const content = "id,amount,note\n1,10.50,x\n2,-0.25,\n3,,y\nT,3,10.25\n"

  const outcome = (content: string, options: CsvItemReader.Options = { trailer }) =>
    Effect.map(
      Effect.either(read(new MemoryFiles().set(path, content), options)),
      (found) => Either.match(found, { onLeft: ({ message }) => message, onRight: (found) => itemsOf(found).length })
    )

  it.effect("agrees with the rows, to the last digit", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* outcome(content), 3)
      assert.strictEqual(yield* outcome(content.replace("T,3,10.25\n", "T,0003,010.250\n\n")), 3)
      const digits = "id,amount\n1,0.1\n2,0.2\n3,90071992547409931234.000000000000000000001\n"
      assert.strictEqual(yield* outcome(`${digits}T,3,90071992547409931234.300000000000000000001`), 3)
    }))

  it.effect.each([
    ["another sum", "10.25\n", "10.26\n", "line 5: it says that the sum of \"amount\" is \"10.26\", but it is 10.25"],
    ["another count", "T,3", "T,4", "it says that there are \"4\" rows, but there are 3"],
    ["no number", "T,3", "T,three", "it says that there are \"three\" rows"],
    ["rows behind it", "10.25\n", "10.25\n4,1,z\n", "it stands in line 5, but line 6 follows it"],
    ["a second one", "T,3,10.25\n", "T,3,10.25\nT,3,10.25\n", "it stands in line 5, but line 6 follows it"],
    ["none", "T,3,10.25\n", "", "it is missing; the file ends with line 4"],
    ["a row lost", "2,-0.25,\n", "", "there are \"3\" rows, but there are 2; it says that the sum of \"amount\""]
  ])("does not: %s", ([, from, to, message]) =>
    Effect.gen(function*() {
      assert.include(String(yield* outcome(content.replace(from!, to!))), message!)
    }))

  it.effect("is counted over restarts, and from every position", () =>
    Effect.gen(function*() {
      for (const bufferSize of [8, 4096]) {
        const files = new MemoryFiles().set(path, content)
        const reader = CsvItemReader.make(path, { trailer, bufferSize })
        const { pages } = yield* Effect.provide(readAll(reader, { max: 1 }), files.layer)
        for (const { before, position } of pages) {
          const rest = yield* Effect.provide(readAll(reader, { from: position }), files.layer)
          assert.strictEqual(itemsOf(rest).length, 3 - before)
        }
        files.set(path, content.replace("T,3,10.25", "T,3,10"))
        const error = yield* Effect.flip(Effect.provide(readAll(reader, { from: pages[1]!.position }), files.layer))
        assert.strictEqual(error._tag, "CsvTrailerError")
        files.set(path, content)
        const { totals: _, ...without } = pages[1]!.position as any
        assert.include(
          (yield* Effect.flip(Effect.provide(readAll(reader, { from: without }), files.layer))).message,
          "it has no totals"
        )
      }
    }))

  it.effect("counts bad rows, and calls a row bad whose amount is no number", () =>
    Effect.gen(function*() {
      const found = yield* read(
        new MemoryFiles().set(path, "id,amount\n1,10\n2\n3,1e3\nT,3,10\n"),
        { trailer }
      )
      assert.deepStrictEqual(failuresOf(found).map((error) => error._tag === "CsvError" ? error.line : 0), [3, 4])
      assert.include(failuresOf(found)[1]?.message, "column \"amount\" is added up for the trailer")
    }))

  it.effect.prop("that is written agrees, also after a crash", [
    FastCheck.array(FastCheck.integer().map((n) => n / 100), { maxLength: 8 }),
    FastCheck.nat({ max: 8 })
  ], ([amounts, crashAfter]) =>
    Effect.gen(function*() {
      const items = amounts.map((amount, i) => ({ id: String(i), amount: amount.toFixed(2) }))
      const options = { trailer, columns: ["id", "amount"] }
      const files = yield* write(options, items.map((item) => [item]), crashAfter)
      assert.deepStrictEqual(itemsOf(yield* read(files, options)), items)
      const sum = amounts.reduce((sum, amount) => sum + Math.round(amount * 100), 0) / 100
      assert.strictEqual(Number(files.text(path)!.trimEnd().split(",").at(-1)), sum)
    }))

  it.effect("refuses items that would be one, or that cannot be added up", () =>
    Effect.gen(function*() {
      const refusal = (item: Item) => Effect.map(Effect.flip(write({ trailer }, [[item]])), (error) => error.message)
      assert.include(yield* refusal({ id: "T", amount: 1, note: "" }), "it would be taken for the trailer")
      assert.include(
        yield* refusal({ id: "1", amount: "much", note: "" }),
        "column \"amount\" is added up in the trailer"
      )
      assert.include(yield* refusal({ id: "1", amount: NaN, note: "" }), "column \"amount\"")
    }))
})

describe("what has no place in a cell (OWN-24)", () => {
  class Money {
    constructor(readonly cents: number) {}
  }
  const secret = Redacted.make("hunter2")

  it.effect.each([
    ["a Redacted", secret, "holds a Redacted that is no text"],
    ["a Map", new Map([[1, 2]]), "holds a value that is no text"],
    ["a Set", new Set([1]), "holds a value that is no text"],
    ["an instance of a class", new Money(1), "holds a value that is no text"],
    ["a HashMap", HashMap.make([1, 2]), "holds a value that is no text"],
    ["an Option", Option.some(1), "holds a value that is no text"],
    ["an array", [1], "holds a value that is no text"],
    ["bytes", Buffer.from("x"), "holds a value that is no text"],
    ["a symbol", Symbol("x"), "holds a value that is no text"],
    ["a function", () => 1, "holds a value that is no text"],
    ["a date that is none", new Date(NaN), "holds a value that is no text"],
    ["an object of a truth value", Object(true), "holds a value that is no text"]
  ])("%s", ([, value, message]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(write({}, [[{ id: 1, x: "ok" }, { id: 2, x: value }]]))
      assert(error._tag === "ItemEncodeError")
      assert.deepStrictEqual([error.item, error.column], [2, "x"])
      assert.include(error.message, `column "x" ${message}`)
      assert.notInclude(error.message, "hunter2")
    }))

  it.effect.each([
    ["a Map", new Map([["a", 1]])],
    ["an array", ["a"]],
    ["a Redacted", secret],
    ["an error", new Error("x")],
    ["a date", new Date(0)],
    ["nothing at all", {}],
    ["a member whose name is a symbol", { a: 1, [Symbol("s")]: 2 }]
  ])("an item that is no record: %s", ([, item]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(write({}, [[item as Item]]))
      assert.strictEqual(error._tag, "ItemEncodeError")
    }))

  it.effect.each(
    [
      ["latin1", "€", "the character \"€\" (U+20AC) in column \"x\", which ISO 8859-1 (latin1) cannot hold"],
      ["windows-1252", "ž → ą", "the character \"→\" (U+2192) in column \"x\", which Windows-1252 cannot hold"],
      ["utf-8", "\uD800", "half of a surrogate pair in column \"x\", which UTF-8 cannot hold"],
      ["utf16le", "a\uDFFF", "half of a surrogate pair in column \"x\", which UTF-16LE cannot hold"]
    ] as const
  )("text that the encoding does not have: %s", ([encoding, text, message]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(write({ encoding }, [[{ x: "ok" }, { x: text }]]))
      assert(error._tag === "ItemEncodeError")
      assert.deepStrictEqual([error.item, error.column], [2, "x"])
      assert.include(error.message, message)
      const name = yield* Effect.flip(write({ encoding }, [[{ [text]: "x" }]]))
      assert.include(name.message, "a name holds")
    }))

  it.effect("a member whose name is a symbol, and one that the schema does not have", () =>
    Effect.gen(function*() {
      const schema = Schema.Struct({ x: Schema.String })
      const hidden = Object.defineProperty({ x: "a" }, Symbol("s"), { value: 1, enumerable: false })
      const first = yield* Effect.flip(write({}, [[hidden, { x: "b", [Symbol("s")]: 1 }]]))
      assert.include(first.message, "Item 2 cannot be written")
      assert.include(first.message, "it has a member whose name is a symbol (Symbol(s)), which can be no column")
      const known = yield* Effect.flip(
        Effect.scoped(Effect.gen(function*() {
          const sink = yield* CsvItemWriter.make(path, { schema }).open(Option.none())
          yield* sink.write([hidden, { x: "b", y: "c" } as { readonly x: string }])
        })).pipe(Effect.provide(new MemoryFiles().layer))
      )
      assert.include(known.message, "Item 2 cannot be written")
      assert.include(known.message, "is unexpected, expected: ")
    }))

  it.effect("text without quotes that would become several cells or rows", () =>
    Effect.gen(function*() {
      for (const x of ["a,b", "a\nb", "a\rb"]) {
        const error = yield* Effect.flip(write({ quote: false }, [[{ id: "1", x }]]))
        assert.include(error.message, "the text in column 2 would be read back as something else")
      }
      const footer = yield* Effect.flip(write({ encoding: "latin1", footer: () => "€" }, [[{ x: 1 }]]))
      assert.include(footer.message, "its footer holds the character \"€\"")
    }))

  it.effect("numbers keep their sign and their digits", () =>
    Effect.gen(function*() {
      const numbers = [-0, 0, 1e21, 5e-324, NaN, -Infinity, 0.1, 2 ** 53]
      const files = yield* write({}, [[...numbers.map((x) => ({ x }))]])
      const schema = Schema.Struct({ x: Schema.NumberFromString })
      const found = yield* Effect.provide(readAll(CsvItemReader.make(path, { schema })), files.layer)
      assert.deepStrictEqual(itemsOf(found).map(({ x }) => x), numbers)
      assert.strictEqual((yield* write({}, [[{ x: 12345678901234567890n }]])).text(path), "x\n12345678901234567890\n")
    }))

  it.effect("a chunk that is longer than a text can be is written, a row that is too long is refused", () =>
    Effect.gen(function*() {
      const mebibyte = "x".repeat(2 ** 20)
      const wide = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`c${i}`, mebibyte]))
      const error = yield* Effect.flip(write({}, [[{ ...wide, c0: "" }, wide]]))
      assert.include(error.message, "Item 1 cannot be written to \"x.csv\": as a row it is longer than a text")
    }))
})
