/**
 * Nothing is no data: files that are not what their reader takes them for are errors that say what they are.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import { brotliCompressSync, deflateRawSync, gzipSync } from "node:zlib"
import * as CsvItemReader from "../../src/file/CsvItemReader.js"
import * as JsonItemReader from "../../src/file/JsonItemReader.js"
import * as NdjsonItemReader from "../../src/file/NdjsonItemReader.js"
import type * as ItemReader from "../../src/item/ItemReader.js"
import { failuresOf, itemsOf, MemoryFiles, readAll } from "./support.js"

const path = "in"

const data = "id,name\n1,a\n2,b\n".repeat(20)

const files = (content: string | Uint8Array) => new MemoryFiles().set(path, content).layer

const error = (content: string | Uint8Array, reader: ItemReader.ItemReader<unknown, any, any>) =>
  Effect.flip(Effect.provide(readAll(reader), files(content))) as Effect.Effect<{
    readonly _tag: string
    readonly message: string
    readonly reason?: string
  }>

const readers: Readonly<Record<string, ItemReader.ItemReader<unknown, any, any>>> = {
  CSV: CsvItemReader.make(path),
  "CSV in latin1": CsvItemReader.make(path, { encoding: "latin1" }),
  "CSV in UTF-16": CsvItemReader.make(path, { encoding: "utf16le" }),
  "CSV without a header": CsvItemReader.make(path, { header: false, columns: ["id", "name"] }),
  NDJSON: NdjsonItemReader.make(path),
  JSON: JsonItemReader.array(path)
}

const bytes = (hex: string) => Buffer.concat([Buffer.from(hex, "hex"), Buffer.alloc(600, 7)])

const tar = Buffer.alloc(1024)
tar.write("data.csv")
tar.write("ustar", 257)

const archives: Readonly<Record<string, readonly [content: Uint8Array, problem: string, hint: string]>> = {
  gzip: [gzipSync(data), "it is a gzip archive, not text", "Unpack it first (`gunzip`)"],
  "gzip, two members": [Buffer.concat([gzipSync(data), gzipSync(data)]), "it is a gzip archive", "gunzip"],
  zip: [
    Buffer.concat([Buffer.from("504b0304140000000800", "hex"), deflateRawSync(data)]),
    "it is a zip archive (or an Excel or OpenDocument file",
    "export the sheet as CSV"
  ],
  "an empty zip": [bytes("504b0506"), "it is an empty zip archive", "again"],
  bzip2: [bytes("425a6839314159265359"), "it is a bzip2 archive", "bunzip2"],
  xz: [bytes("fd377a585a00"), "it is an xz archive", "unxz"],
  zstd: [bytes("28b52ffd"), "it is a zstd archive", "unzstd"],
  "7z": [bytes("377abcaf271c"), "it is a 7z archive", "7z x"],
  tar: [tar, "it is a tar archive", "tar xf"],
  "an old Excel file": [bytes("d0cf11e0a1b11ae1"), "it is an old Excel file", "Export the sheet"],
  Parquet: [bytes("5041523115"), "it is a Parquet file", "Convert it"],
  SQLite: [Buffer.from("SQLite format 3\0"), "it is an SQLite database", "SqlItemReader"],
  PDF: [Buffer.from("%PDF-1.7\n1,2\n"), "it is a PDF document", "text format"],
  "zeros that a crashed machine left": [Buffer.alloc(4096), "it begins with zero bytes", "Transfer the file again"]
}

describe("an archive that is read as text (OWN-25)", () => {
  for (const [kind, reader] of Object.entries(readers)) {
    it.effect.each(Object.entries(archives))(`${kind}: %s`, ([, [content, problem, hint]]) =>
      Effect.gen(function*() {
        const found = yield* error(content, reader)
        assert.strictEqual(found.reason, "NotText", found.message)
        assert.include(found.message, problem)
        assert.include(found.message, hint)
      }))
  }

  it.effect("is not seen in text that only begins like one", () =>
    Effect.gen(function*() {
      for (const text of ["PK,PAR1\n1,2\n", "BZh9,x\n1,2\n", "Obj\n1\n", "Rar!\n1\n", "ustar\n1\n"]) {
        const found = yield* Effect.provide(readAll(CsvItemReader.make(path)), files(text))
        assert.strictEqual(itemsOf(found).length, 1, text)
      }
      // Brotli has no mark of its own; its bytes are no text all the same.
      const found = yield* error(brotliCompressSync(data), CsvItemReader.make(path))
      assert.strictEqual(found._tag, "CsvHeaderError")
    }))
})

describe("what is no table (OWN-25)", () => {
  const html = "<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head>\n<body>Sorry, no file</body></html>\n"
  const cases: ReadonlyArray<readonly [what: string, content: string, problem: string, hint: string]> = [
    ["a web page", html, "it is a web page, not CSV", "Look at it in a browser"],
    ["a web page behind blanks", `\uFEFF\n  ${html.toLowerCase()}`, "it is a web page", "browser"],
    ["a page without a doctype", "<html>\n<body>a,b</body>\n</html>", "it is a web page", "browser"],
    ["XML", "<?xml version=\"1.0\"?>\n<rows><row a=\"1\"/></rows>\n", "it is XML, not CSV", "Convert it to CSV"],
    [
      "XML without a declaration",
      "<Error><Code>AccessDenied</Code></Error>",
      "it is XML, not CSV",
      "why there is no file"
    ],
    ["XML with a name space", "<s:Envelope xmlns:s=\"x\">\n<s:Body/>\n</s:Envelope>\n", "it is XML", "Convert"],
    ["NDJSON", "{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"name\":\"b\"}\n", "it is NDJSON or JSON", "NdjsonItemReader"],
    ["a JSON object", "{\n  \"id\": 1,\n  \"name\": \"a\"\n}\n", "it is JSON", "JsonItemReader.array"],
    ["a JSON array", "[{\"id\":1},{\"id\":2}]", "it is JSON", "JsonItemReader.array"],
    ["a JSON array over lines", "[\n  {\"id\": 1},\n  {\"id\": 2}\n]\n", "it is JSON", "JsonItemReader.array"],
    ["an error as JSON", "{\"error\":{\"code\":403}}", "it is NDJSON or JSON", "NdjsonItemReader"],
    [
      "a pointer of Git LFS",
      "version https://git-lfs.github.com/spec/v1\noid sha256:4d7\nsize 5\n",
      "Git LFS",
      "git lfs pull"
    ],
    ["RTF", "{\\rtf1\\ansi a,b\n}", "it is an RTF document", "plain text"]
  ]
  for (const kind of ["CSV", "CSV in latin1", "CSV without a header"]) {
    it.effect.each(cases.filter(([what]) => kind !== "CSV in latin1" || !what.includes("blanks")))(
      `${kind}: %s`,
      ([, content, problem, hint]) =>
        Effect.gen(function*() {
          const found = yield* error(content, readers[kind]!)
          assert.strictEqual(found.reason, "NotText", found.message)
          assert.include(found.message, problem)
          assert.include(found.message, hint)
        })
    )
  }

  it.effect.each(cases.filter(([, , problem]) => /page|XML/.test(problem)))(
    "NDJSON: %s",
    ([, content, problem]) =>
      Effect.gen(function*() {
        const found = yield* error(content, readers.NDJSON!)
        assert.strictEqual(found.reason, "NotText", found.message)
        assert.include(found.message, `${problem.replace(", not CSV", "")}, not JSON`)
      })
  )

  it.effect("is not seen in one bad value, nor behind good ones", () =>
    Effect.gen(function*() {
      for (const text of ["<b\n1\n", "1\n<html></html>\n", "<1>\n1\n</1>\n"]) {
        const found = yield* Effect.provide(readAll(readers.NDJSON!), files(text))
        assert.deepStrictEqual(itemsOf(found), [1], text)
      }
    }))

  it.effect("is not seen in tables that only begin like one", () =>
    Effect.gen(function*() {
      for (
        const text of [
          "<DATE>,<TIME>,<OPEN>\n1,2,3\n",
          "{id},{name}\n1,2\n",
          "[1],[2]\n1,2\n",
          "[2026-11-26 08:00],INFO\n1,2\n",
          "<b,a\n1,</b>\n",
          "version,https\n1,2\n"
        ]
      ) {
        const found = yield* Effect.provide(readAll(CsvItemReader.make(path)), files(text))
        assert.strictEqual(itemsOf(found).length, 1, text)
      }
    }))
})

describe("UTF-16 in blocks and limits of an odd number of bytes", () => {
  const encoded = (text: string, encoding: "utf16le" | "utf16be") =>
    encoding === "utf16le" ? Buffer.from(text, "utf16le") : Buffer.from(text, "utf16le").swap16()

  it.effect("two halves of different characters are no line break (OWN-24)", () =>
    Effect.gen(function*() {
      // The last byte of the one and the first of the other are those of a line feed.
      for (const [encoding, pair] of [["utf16le", "\u0A05\u0100"], ["utf16be", "\u0100\u0A05"]] as const) {
        const expected = [{ a: `${pair}x${pair}` }, { a: "y" }, { a: pair }]
        const content = encoded(`a\n${expected.map(({ a }) => a).join("\n")}\n`, encoding)
        for (let bufferSize = 4; bufferSize < 24; bufferSize++) {
          const reader = CsvItemReader.make(path, { encoding, bufferSize })
          assert.deepStrictEqual(itemsOf(yield* Effect.provide(readAll(reader), files(content))), expected)
        }
      }
    }))

  it.effect("a line without an end is told within the limit (OWN-25)", () =>
    Effect.gen(function*() {
      for (const encoding of ["utf16le", "utf16be"] as const) {
        for (const maxRecordSize of [40, 41]) {
          const reader = CsvItemReader.make(path, { encoding, bufferSize: 9, maxRecordSize })
          const told = (text: string) => Effect.map(error(encoded(text, encoding), reader), ({ message }) => message)
          const text = "a\n" + "x".repeat(99)
          assert.include(yield* told(text), `there is no line break within ${maxRecordSize} bytes from byte 4, line 2`)
          assert.include(yield* told(text.replaceAll("xx", "x\r")), "its lines seem to end with")
        }
      }
    }))
})

describe("marks where none belong (OWN-25)", () => {
  const header = (content: string | Uint8Array, options: CsvItemReader.Options = {}) =>
    Effect.map(error(content, CsvItemReader.make(path, options)), ({ message }) => message)

  it.effect("a second byte order mark is no part of a name", () =>
    Effect.gen(function*() {
      const told = "the header begins with a second byte order mark"
      assert.include(yield* header(`\uFEFF\uFEFF${data}`), told)
      assert.include(yield* header(Buffer.from(`\uFEFF\uFEFF${data}`, "utf16le"), { encoding: "utf16le" }), told)
      assert.include(yield* header(`\uFEFF\uFEFF"id",name\n1,2\n`), told)
      const damaged = Buffer.concat([Buffer.from("\uFEFF\uFEFFid,name\n1,"), Buffer.from([0xff, 0x0a])])
      assert.include(yield* header(damaged), told)
    }))

  it.effect("the one at the beginning is no part of the first name or item, whatever is damaged behind it", () =>
    Effect.gen(function*() {
      const damaged = (text: string) => Buffer.concat([Buffer.from(`\uFEFF${text}`), Buffer.from([0xff, 0x0a])])
      const rows = yield* Effect.provide(readAll(readers.CSV!), files(damaged("id,name\n1,a\n2,")))
      assert.deepStrictEqual([itemsOf(rows), failuresOf(rows).length], [[{ id: "1", name: "a" }], 1])
      const lines = yield* Effect.provide(readAll(NdjsonItemReader.make(path)), files(damaged("{\"id\":1}\n")))
      assert.deepStrictEqual([itemsOf(lines), failuresOf(lines).length], [[{ id: 1 }], 1])
    }))

  it.effect("a byte order mark in front of a row shows that files were put together", () =>
    Effect.gen(function*() {
      const each = "\uFEFFid,name\n1,a\n"
      const found = yield* Effect.provide(readAll(readers.CSV!), files(each + each + "\uFEFF\"2\",b\n3,\uFEFFc\n"))
      assert.deepStrictEqual(itemsOf(found), [{ id: "1", name: "a" }, { id: "1", name: "a" }, {
        id: "3",
        name: "\uFEFFc"
      }])
      assert.deepStrictEqual(failuresOf(found).map(({ line }) => line), [3, 5])
      assert.include(failuresOf(found)[0]?.message, "it begins with a byte order mark, which belongs at the beginning")
      const bare = yield* Effect.provide(readAll(readers["CSV without a header"]!), files("\uFEFF\uFEFF1,a\n2,b\n"))
      assert.deepStrictEqual(itemsOf(bare), [{ id: "2", name: "b" }])
    }))

  it.effect("zero bytes outside of quotes are no text", () =>
    Effect.gen(function*() {
      const told = "a zero byte stands outside of quotes"
      assert.include(yield* header("i\0d,name\n1,2\n"), told)
      const rows = `id,name\n1,"a\0"\n2,b\0\n3,"c",\0\n4,d\n5,${"\0".repeat(100)}`
      const found = yield* Effect.provide(readAll(readers.CSV!), files(rows))
      assert.deepStrictEqual(itemsOf(found), [{ id: "1", name: "a\0" }, { id: "4", name: "d" }])
      assert.deepStrictEqual(failuresOf(found).map(({ line }) => line), [3, 4, 6])
      assert.include(failuresOf(found)[0]?.message, told)
      const separated = yield* Effect.provide(
        readAll(CsvItemReader.make(path, { delimiter: "\0" })),
        files("a\0b\n1\0\n")
      )
      assert.deepStrictEqual(itemsOf(separated), [{ a: "1", b: "" }])
    }))

  it.effect.each(["a,b\n", "id\n1\n", "1;2\n3;4\n5;6\n"])(
    "a few characters in UTF-16 without a mark show by their zeros: %j",
    (text) =>
      Effect.gen(function*() {
        for (const kind of ["CSV", "CSV in latin1", "CSV without a header"]) {
          const little = yield* error(Buffer.from(text, "utf16le"), readers[kind]!)
          assert.include(little.message, "Set `encoding` to \"utf16le\"")
          const big = yield* error(Buffer.from(text, "utf16le").swap16(), readers[kind]!)
          assert.include(big.message, "Set `encoding` to \"utf16be\"")
        }
      })
  )

  it.effect("UTF-16 that is hardly ASCII does not pass either", () =>
    Effect.gen(function*() {
      const text = Buffer.from(`名前,住所\n${"太郎,東京都千代田区丸の内\n".repeat(9)}`, "utf16le")
      for (const encoding of ["latin1", "windows-1252", "utf-8"] as const) {
        const found = yield* error(text, CsvItemReader.make(path, { encoding }))
        assert.include(["FileError", "CsvHeaderError"], found._tag)
      }
    }))
})

describe("the line by which a spreadsheet is told the delimiter", () => {
  const read = (content: string | Buffer, options: CsvItemReader.Options = {}) =>
    Effect.provide(readAll(CsvItemReader.make(path, { delimiter: ";", ...options })), files(content))

  it.effect("is no row, whatever stands in front of it or around it", () =>
    Effect.gen(function*() {
      const rows = "id;name\n1;a\n2;b\n"
      for (const line of ["sep=;\n", "\uFEFFsep=;\r\n", "SEP=;\n", "\"sep=;\"\n"]) {
        const found = yield* read(line + rows)
        assert.deepStrictEqual(itemsOf(found), [{ id: "1", name: "a" }, { id: "2", name: "b" }], line)
        const [first] = (yield* Effect.provide(
          readAll(CsvItemReader.make(path, { delimiter: ";" }), { max: 1 }),
          files(line + rows)
        )).pages
        const rest = yield* Effect.provide(
          readAll(CsvItemReader.make(path, { delimiter: ";" }), { from: first!.position }),
          files(line + rows)
        )
        assert.deepStrictEqual(itemsOf(rest), [{ id: "2", name: "b" }], line)
      }
      const tab = yield* read("sep=\t\nid\tname\n1\ta\n", { delimiter: "\t", bufferSize: 4 })
      assert.deepStrictEqual(itemsOf(tab), [{ id: "1", name: "a" }])
      const wide = yield* read(Buffer.from(`\uFEFFsep=;\n${rows}`, "utf16le"), { encoding: "utf16le" })
      assert.strictEqual(itemsOf(wide).length, 2)
      for (const options of [{ preamble: ["sep=;"] }, { skipLines: 1 }, { preamble: ["Report"] }]) {
        const found = yield* read(
          `sep=;\n${"preamble" in options && options.preamble[0] === "Report" ? "Report\n" : ""}${rows}`,
          options
        )
        assert.strictEqual(itemsOf(found).length, 2)
      }
    }))

  it.effect("is an error where it says something else than the options, or where there is no header", () =>
    Effect.gen(function*() {
      const other = yield* Effect.flip(read("sep=,\nid,name\n1,a\n"))
      assert.include(other.message, "line 1 says that the delimiter is \",\", and `delimiter` says \";\"")
      const bare = yield* Effect.flip(read("sep=;\n1;2\n", { header: false, columns: ["a", "b"] }))
      assert.include(bare.message, "give it as `preamble`, or pass over it by `skipLines`")
      const given = yield* read("sep=;\n1;2\n", { header: false, columns: ["a", "b"], preamble: ["sep=;"] })
      assert.deepStrictEqual(itemsOf(given), [{ a: "1", b: "2" }])
      const column = yield* read("sep=x;b\n1;2\n")
      assert.deepStrictEqual(itemsOf(column), [{ "sep=x": "1", b: "2" }])
    }))
})

describe("another encoding than the one it is read with (OWN-25)", () => {
  const swapped = (text: string) => Buffer.from(text, "utf16le").swap16()
  const cases: ReadonlyArray<readonly [string, Uint8Array, keyof typeof readers, string]> = [
    [
      "UTF-16LE",
      Buffer.from(`\uFEFF${data}`, "utf16le"),
      "CSV",
      "it is UTF-16, not UTF-8. Set `encoding` to \"utf16le\""
    ],
    ["UTF-16BE", swapped(`\uFEFF${data}`), "CSV", "it is UTF-16BE, not UTF-8. Set `encoding` to \"utf16be\""],
    ["UTF-16LE without a mark", Buffer.from(data, "utf16le"), "CSV", "Set `encoding` to \"utf16le\""],
    ["UTF-16BE without a mark", swapped(data), "CSV", "Set `encoding` to \"utf16be\""],
    ["UTF-16BE without a mark, in latin1", swapped(data), "CSV in latin1", "Set `encoding` to \"utf16be\""],
    ["UTF-16BE as UTF-16LE", swapped(`\uFEFF${data}`), "CSV in UTF-16", "it is UTF-16BE, not UTF-16LE. Set `encoding`"],
    ["UTF-16BE as UTF-16LE without a mark", swapped(data), "CSV in UTF-16", "Set `encoding` to \"utf16be\""],
    ["UTF-8 as UTF-16LE", Buffer.from(data), "CSV in UTF-16", "it is UTF-8, not UTF-16LE. Set `encoding` to \"utf-8\""],
    ["UTF-8 with a mark as latin1", Buffer.from(`\uFEFF${data}`), "CSV in latin1", "Set `encoding` to \"utf-8\""],
    ["UTF-32", Buffer.from("fffe000069000000", "hex"), "CSV", "it is UTF-32, not UTF-8. Convert the file to UTF-8"],
    ["UTF-16LE as NDJSON", Buffer.from("\uFEFF{}\n", "utf16le"), "NDJSON", "Convert the file to UTF-8"],
    ["UTF-16BE as JSON", swapped("[1, 2, 3]"), "JSON", "it is UTF-16BE, not UTF-8. Convert the file to UTF-8"]
  ]
  it.effect.each(cases)("%s", ([, content, kind, message]) =>
    Effect.gen(function*() {
      const found = yield* error(content, readers[kind]!)
      assert.strictEqual(found.reason, "NotText", found.message)
      assert.include(found.message, message)
    }))

  it.effect("is followed when it is named", () =>
    Effect.gen(function*() {
      const found = yield* readAll(CsvItemReader.make(path, { encoding: "utf16be", bufferSize: 5 }))
      assert.deepStrictEqual(itemsOf(found), [{ id: "1", name: "ü😀" }, { id: "2", name: "b" }])
    }).pipe(Effect.provide(files(swapped("\uFEFFid,name\r\n1,ü😀\r\n2,b")))))

  it.effect("bytes that stand for nothing in it are bad rows, in each encoding (OWN-24)", () =>
    Effect.gen(function*() {
      const damaged = {
        "utf-8": Buffer.from("a,b\n1,\xff\n2,x\n", "latin1"),
        "windows-1252": Buffer.from("a,b\n1,\x81\n2,x\n", "latin1"),
        utf16le: Buffer.from("a,b\n1,\uDC00\n2,x\n", "utf16le"),
        utf16be: swapped("a,b\n1,\uDC00\n2,x\n")
      } as const
      for (const [encoding, content] of Object.entries(damaged)) {
        const reader = CsvItemReader.make(path, { encoding: encoding as "utf-8" })
        const found = yield* Effect.provide(readAll(reader), files(content))
        assert.deepStrictEqual(itemsOf(found), [{ a: "2", b: "x" }])
        assert.include(failuresOf(found)[0]?.message, "line 2: column \"b\" holds bytes that are not valid ")
      }
    }))
})

describe("line ends that are not known (OWN-25)", () => {
  const csv = (end: string) => ["id,name", "1,a", "2,b", "3,c", ""].join(end)
  const json = (end: string) => ["{\"a\":1}", "{\"a\":2}", ""].join(end)

  it.effect.each([
    ["CR", csv("\r"), "CSV", "its lines end with CR, not with LF. Set `lineEnding` to \"\\r\""],
    ["CR and one LF at the end", `${csv("\r")}\n`, "CSV", "its lines end with CR"],
    ["CR without a header", "1,a\r2,b\r3,c\r", "CSV without a header", "its lines end with CR"],
    ["NEL", csv("\u0085"), "CSV", "its lines end with NEL (U+0085), not with LF"],
    ["the separator of Unicode", csv("\u2028"), "CSV", "its lines end with U+2028"],
    ["the record separator", csv("\x1e"), "CSV", "its lines end with the record separator U+001E"],
    ["CR in NDJSON", json("\r"), "NDJSON", "its lines end with CR, not with LF. Convert the file to LF line ends"],
    ["NEL in NDJSON", json("\u0085"), "NDJSON", "its lines end with NEL"]
  ])("%s", ([, content, kind, message]) =>
    Effect.gen(function*() {
      const found = yield* error(content!, readers[kind!]!)
      assert.strictEqual(found.reason, "NotText", found.message)
      assert.include(found.message, message!)
    }))

  it.effect("LF where CR is expected", () =>
    Effect.gen(function*() {
      const found = yield* error(csv("\n"), CsvItemReader.make(path, { lineEnding: "\r" }))
      assert.include(found.message, "its lines end with LF, not with CR. Leave out `lineEnding`")
    }))

  it.effect("CR in a file that is too large to be one row", () =>
    Effect.gen(function*() {
      const content = csv("\r").repeat(100)
      const found = yield* error(content, CsvItemReader.make(path, { bufferSize: 64, maxRecordSize: 256 }))
      assert.include(found.message, "its lines seem to end with CR. Set `lineEnding`")
    }))

  it.effect("a few CR among LF are bad rows", () =>
    Effect.gen(function*() {
      const found = yield* Effect.provide(readAll(readers.CSV!), files("id,name\n1,a\r2,b\n3,\"c\rd\"\n\"4\",e\rf\n"))
      assert.deepStrictEqual(itemsOf(found), [{ id: "3", name: "c\rd" }])
      assert.deepStrictEqual(failuresOf(found).map(({ line }) => line), [2, 4])
      assert.include(failuresOf(found)[0]?.message, "a CR without an LF stands outside of quotes")
    }))
})

describe("a file that is one long line (OWN-25)", () => {
  const long = "x".repeat(100_000)

  it.effect.each([
    ["CSV", `id,${long}`, "CSV", "it is one line of 100003 characters without a line break"],
    ["JSON values without line breaks", "{\"a\":1}".repeat(10_000), "NDJSON", "that is not one JSON value"],
    [
      "a JSON array",
      JSON.stringify(Array(10_000).fill({ a: 1 })),
      "NDJSON",
      "it is one JSON array, not a value on each line"
    ]
  ])("%s", ([, content, kind, message]) =>
    Effect.gen(function*() {
      const found = yield* error(content!, readers[kind!]!)
      assert.strictEqual(found.reason, "NotText", found.message)
      assert.include(found.message, message!)
    }))

  it.effect("is data where it is one value, or where the header is what the schema says", () =>
    Effect.gen(function*() {
      const one = yield* Effect.provide(readAll(readers.NDJSON!), files(JSON.stringify({ long })))
      assert.deepStrictEqual(itemsOf(one), [{ long }])
      const short = yield* Effect.provide(readAll(readers.CSV!), files("id,name"))
      assert.deepStrictEqual(itemsOf(short), [])
    }))
})

describe("a file that is cut off", () => {
  const cases: ReadonlyArray<readonly [string, ItemReader.ItemReader<unknown, any, any>, string | Buffer]> = [
    ["CSV", CsvItemReader.make(path, { requireFinalLineBreak: true }), "id\n1\n2"],
    [
      "CSV in UTF-16",
      CsvItemReader.make(path, { requireFinalLineBreak: true, encoding: "utf16le" }),
      Buffer.from("a\nb", "utf16le")
    ],
    ["CSV with CR", CsvItemReader.make(path, { requireFinalLineBreak: true, lineEnding: "\r" }), "id\r1\r2"],
    ["NDJSON", NdjsonItemReader.make(path, { requireFinalLineBreak: true }), "1\n2"]
  ]
  it.effect.each(cases)(
    "is an error where a final line break is required: %s",
    ([, reader, content]) =>
      Effect.gen(function*() {
        const found = yield* error(content, reader)
        assert.strictEqual(found.reason, "Incomplete", found.message)
        assert.include(found.message, "it does not end with a line break. Transfer the file again")
        const end = Buffer.from(
          reader.name.startsWith("Csv") && content.includes("\r") ? "\r" : "\n",
          typeof content === "string" ? "utf8" : "utf16le"
        )
        yield* Effect.provide(readAll(reader), files(Buffer.concat([Buffer.from(content as string), end])))
      })
  )
})
