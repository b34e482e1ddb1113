/**
 * Options that make no sense are refused where a reader or writer is made, before a job begins.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import {
  CsvItemReader,
  CsvItemWriter,
  JsonItemReader,
  JsonItemWriter,
  NdjsonItemReader,
  NdjsonItemWriter,
  TextItemWriter
} from "../../src/file/index.js"

const defects = (make: () => unknown): string => {
  try {
    make()
  } catch (error) {
    assert.strictEqual((error as { readonly _tag: string })._tag, "JobDefinitionError")
    return (error as Error).message
  }
  return "none"
}

const schema = Schema.Struct({ a: Schema.String })

/** Options of programs that were not checked by the compiler. */
const both = (options: any) =>
  [defects(() => CsvItemReader.make("x", options)), defects(() => CsvItemWriter.make("x", options))] as const

describe("nonsense is refused", () => {
  it.each<readonly [object, string]>([
    [{ delimiter: "" }, "`delimiter` is \"\", it needs at least one character"],
    [{ delimiter: 5 }, "`delimiter` is 5"],
    [{ delimiter: "\n" }, "`delimiter` holds a line break"],
    [{ delimiter: "a\rb" }, "`delimiter` holds a line break"],
    [{ delimiter: "\"" }, "`quote` is \"\\\"\", which `delimiter` holds, too"],
    [{ delimiter: "|'|", quote: "'" }, "`quote` is \"'\", which `delimiter` holds, too"],
    [{ quote: "" }, "`quote` is \"\", it has to be one character"],
    [{ quote: "''" }, "`quote` is \"''\", it has to be one character"],
    [{ quote: "\n" }, "it has to be one character and no line break"],
    [{ quote: true }, "`quote` is true"],
    [{ escape: "" }, "`escape` is \"\", it has to be one character"],
    [{ escape: "\\\\" }, "`escape` is \"\\\\\\\\\""],
    [{ escape: "," }, "`escape` is \",\", which `delimiter` holds, too"],
    [{ escape: " " }, "`escape` is a blank"],
    [{ comment: "" }, "`comment` is empty: every line would be one"],
    [{ comment: "a\nb" }, "`comment` has to be text without a line break"],
    [{ comment: "\"x" }, "`comment` begins with `quote`"],
    [{ comment: "," }, "`comment` is the same as `delimiter`"],
    [{ encoding: "utf8" }, "`encoding` is \"utf8\" (did you mean \"utf-8\"?); there are \"utf-8\", \"utf16le\""],
    [{ encoding: "cp1252" }, "`encoding` is \"cp1252\""],
    [{ encoding: "latin1", delimiter: "→" }, "`delimiter` holds the character \"→\" (U+2192), which ISO 8859-1"],
    [{ delimiter: "\uD800" }, "`delimiter` holds half of a surrogate pair"],
    [{ lineEnding: "\n\r" }, "`lineEnding` is"],
    [{ nullText: "a,b" }, "`nullText` is \"a,b\", which does not stand for a field without quotes"],
    [{ nullText: "\"" }, "`nullText` is"],
    [{ nullText: " NULL", trim: true }, "`nullText` begins or ends with a blank"],
    [{ columns: ["a", "b", "a"] }, "`columns` names a column twice"],
    [{ headerNames: { a: "x", b: "x" } }, "`headerNames` gives two columns one name"],
    [{ headerNames: { a: "x" }, header: false, columns: ["a"] }, "`headerNames` needs a header"],
    [{ preamble: ["a\nb"] }, "a line of `preamble` holds a line break"],
    [{ trailer: [{ count: "rows" }] }, "`trailer` needs a text"],
    [{ trailer: ["", { count: "rows" }] }, "`trailer` needs a text"],
    [{ trailer: ["T", { sum: "x" }], columns: ["a"] }, "`trailer` adds up \"x\", which is no column"],
    [{ trailer: ["T", { sum: "x" }], schema }, "`trailer` adds up \"x\", which is no column"],
    [{ trailer: ["T", { count: "items" }] }, "`trailer` has to be an array of texts"],
    [{ trailer: ["T", { sum: 5 }] }, "`trailer` has to be an array of texts"],
    [{ trailer: "T" }, "`trailer` has to be an array of texts"],
    [{ header: "false" }, "`header` is \"false\", give true or false"],
    [{ header: 0 }, "`header` is 0, give true or false"],
    [{ trim: "both" }, "`trim` is \"both\", give true or false"],
    [{ trailingDelimiter: 1 }, "`trailingDelimiter` is 1"],
    [{ columns: "a,b" }, "`columns` is \"a,b\", give an array of texts"],
    [{ columns: ["a", 2] }, "`columns` is an array, give an array of texts"],
    [{ columns: [] }, "`columns` is empty"],
    [{ preamble: "Report" }, "`preamble` is \"Report\", give an array of texts"],
    [{ preamble: ["sep=|"] }, "`preamble` says that the delimiter is another one"],
    [{ nullText: null }, "`nullText` is null, give a text"],
    [{ nullText: "#N/A", comment: "#" }, "`nullText` begins with `comment`"],
    [{ headerNames: ["x"] }, "`headerNames` has to be an object"],
    [{ headerNames: { a: 5 } }, "`headerNames` has to be an object"],
    [{ headerNames: { idd: "Customer" }, columns: ["id"] }, "`headerNames` names \"idd\", which is no column"],
    [{ headerNames: { idd: "Customer" }, schema }, "`headerNames` names \"idd\", which is no column"],
    [{ headerNames: { a: "b" }, columns: ["a", "b"] }, "`headerNames` gives a column the name that another one has"],
    [{ comment: "#,", columns: ["a"] }, "`comment` is what a row can begin with"],
    [{ comment: ",," }, "`comment` is what a row can begin with"],
    [{ comment: "#|", delimiter: "||" }, "`comment` is what a row can begin with"],
    [{ delimeter: ";" }, "there is no option `delimeter` (did you mean \"delimiter\"?)"],
    [{ separator: ";" }, "there is no option `separator`"],
    [{ schema: { a: "string" } }, "`schema` is an object, give a Schema"]
  ])("by readers and writers of CSV alike: %j", (options, message) => {
    const [reader, writer] = both(options)
    assert.include(reader, message)
    assert.include(writer, message)
    assert.include(reader, "CsvItemReader(x): ")
    assert.include(writer, "CsvItemWriter(x): ")
  })

  it.each<readonly [object, string]>([
    [{ bufferSize: NaN }, "`bufferSize` is NaN, give a whole number of at least 1"],
    [{ bufferSize: -1 }, "`bufferSize` is -1"],
    [{ bufferSize: 0 }, "`bufferSize` is 0"],
    [{ bufferSize: 1.5 }, "`bufferSize` is 1.5"],
    [{ maxRecordSize: Infinity }, "`maxRecordSize` is Infinity"],
    [{ maxRecordSize: "16 MB" }, "`maxRecordSize` is \"16 MB\""],
    [{ maxRecordSize: 2 ** 30 }, "can be at most"]
  ])("sizes, by all readers: %j", (options, message) => {
    assert.include(defects(() => CsvItemReader.make("x", options)), message)
    assert.include(defects(() => NdjsonItemReader.make("x", options)), message)
    assert.include(defects(() => JsonItemReader.array("x", options)), message)
  })

  it.each<readonly [object, string]>([
    [{ matchHeader: "fuzzy" }, "`matchHeader` is \"fuzzy\"; there are \"exact\", \"loose\", \"position\""],
    [{ matchHeader: "position" }, "needs a header and `columns`"],
    [{ matchHeader: "position", columns: ["a"], header: false }, "needs a header and `columns`"],
    [{ matchHeader: "loose", columns: ["a b", "AB"] }, "the columns \"a b\", \"AB\" cannot be told from each other"],
    [{ raggedRows: "drop" }, "`raggedRows` is \"drop\""],
    [{ repeatedNames: "last" }, "`repeatedNames` is \"last\""],
    [{ blankNames: "" }, "`blankNames` is \"\""],
    [{ skipLines: -1 }, "`skipLines` is -1"],
    [{ skipLines: 1, preamble: ["x"] }, "say the same thing twice"],
    [{ skipLines: "1" }, "`skipLines` is \"1\""],
    [{ strictColumns: "no" }, "`strictColumns` is \"no\", give true or false"],
    [{ skipEmptyLines: null }, "`skipEmptyLines` is null"],
    [{ requireFinalLineBreak: 1 }, "`requireFinalLineBreak` is 1"],
    [{ header: false }, "without a header row, the `columns` have to be given"],
    [{ header: false, columns: ["b"], schema }, "`columns` lacks \"a\", which the schema has"],
    [{ header: false, columns: ["a", "b"], schema }, "`columns` has \"b\", which the schema does not have"],
    [{ matchHeader: "position", columns: ["b"], schema }, "`columns` lacks \"a\""],
    [{ header: false, columns: ["a"], matchHeader: "loose" }, "`matchHeader` needs a header"],
    [{ header: false, columns: ["a"], repeatedNames: "number" }, "`repeatedNames` needs a header"],
    [{ header: false, columns: ["a"], blankNames: "fail" }, "`blankNames` needs a header"]
  ])("of CSV that is read: %j", (options, message) => {
    assert.include(defects(() => CsvItemReader.make("x", options)), message)
  })

  it.each<readonly [object, string]>([
    [{ quoting: "always" }, "`quoting` is \"always\""],
    [{ quoting: "all", quote: false }, "`quoting: \"all\"` needs a `quote`"],
    [{ ifExists: "replace" }, "`ifExists` is \"replace\""],
    [{ ifExists: "append", trailer: ["T"] }, "rows cannot be appended behind a `trailer`"],
    [{ byteOrderMark: true, encoding: "latin1" }, "`byteOrderMark` needs a Unicode encoding"],
    [{ columns: ["b"], schema }, "`columns` lacks \"a\", which the schema has"],
    [{ columns: ["a", "b"], schema }, "`columns` has \"b\", which the schema does not have"],
    [{ columns: ["sep=", ""] }, "`columns`: its names make a header that tells a spreadsheet the delimiter"],
    [{ columns: ["sep="], delimiter: ";", trailingDelimiter: true }, "a header that tells a spreadsheet"],
    [{ columns: ["[1]"] }, "`columns`: its names make a header that is not taken for one of CSV"],
    [{ escapeFormulas: "yes" }, "`escapeFormulas` is \"yes\", give true or false"],
    [{ byteOrderMark: "utf-8" }, "`byteOrderMark` is \"utf-8\", give true or false"],
    [{ fsync: 0 }, "`fsync` is 0"],
    [{ inPlace: "" }, "`inPlace` is \"\""],
    [{ deleteIfEmpty: [] }, "`deleteIfEmpty` is an array"],
    [{ footer: "# end" }, "`footer` is \"# end\", give a function that makes the text"],
    [{ footer: () => "end", trailer: ["T"] }, "`footer` stands behind the `trailer`"],
    [{ columns: ["a,b"], quote: false }, "`columns`: its names make no header"],
    [{ columns: ["a", "€"], encoding: "latin1" }, "`columns`: a name holds the character \"€\""],
    [{ trailer: ["T,U"], quote: false }, "`trailer`: "]
  ])("of CSV that is written: %j", (options, message) => {
    assert.include(defects(() => CsvItemWriter.make("x", options)), message)
  })

  it("of the other formats", () => {
    assert.include(
      defects(() => NdjsonItemReader.make("x", { inexactNumbers: "lose" as "fail" })),
      "`inexactNumbers` is \"lose\""
    )
    assert.include(
      defects(() => JsonItemReader.array("x", { bufferSize: NaN })),
      "JsonItemReader(x): `bufferSize` is NaN"
    )
    assert.include(
      defects(() => NdjsonItemWriter.make("x", { ifExists: "no" as "fail" })),
      "NdjsonItemWriter(x): `ifExists`"
    )
    assert.include(
      defects(() => JsonItemWriter.array("x", { ifExists: "append" as "fail" })),
      "`ifExists` is \"append\""
    )
    assert.include(defects(() => TextItemWriter.lines("x", String, { lineEnding: "" as "\n" })), "`lineEnding` is \"\"")
    assert.include(
      defects(() => TextItemWriter.lines("x", String, { header: "€", encoding: "latin1" })),
      "`header` holds"
    )
    assert.include(
      defects(() => TextItemWriter.lines("x", String, { encoding: "ascii" as "utf-8" })),
      "`encoding` is \"ascii\""
    )
  })

  it.each<readonly [string, () => unknown, string]>([
    ["NDJSON", () => NdjsonItemReader.make("x", { skipEmptyLines: "no" as any }), "`skipEmptyLines` is \"no\""],
    ["NDJSON", () => NdjsonItemReader.make("x", { delimiter: ";" } as any), "there is no option `delimiter`"],
    ["NDJSON", () => NdjsonItemReader.make("x", { schema: {} } as any), "`schema` is an object, give a Schema"],
    ["JSON", () => JsonItemReader.array("x", { skipEmptyLines: true } as any), "there is no option `skipEmptyLines`"],
    [
      "JSON",
      () => JsonItemReader.array("x", { inexactNumber: "text" } as any),
      "there is no option `inexactNumber` (did you mean \"inexactNumbers\"?)"
    ],
    [
      "written NDJSON",
      () => NdjsonItemWriter.make("x", { fsync: "no" as any }),
      "`fsync` is \"no\", give true or false"
    ],
    [
      "written NDJSON",
      () => NdjsonItemWriter.make("x", { encoding: "latin1" } as any),
      "there is no option `encoding`"
    ],
    ["written JSON", () => JsonItemWriter.array("x", { deleteIfEmpty: 1 as any }), "`deleteIfEmpty` is 1"],
    ["written JSON", () => JsonItemWriter.array("x", { footer: () => "" } as any), "there is no option `footer`"],
    ["text", () => TextItemWriter.lines("x", String, { footer: "end" as any }), "`footer` is \"end\", give a function"],
    ["text", () => TextItemWriter.lines("x", String, { header: 5 as any }), "`header` is 5, give a text"],
    ["text", () => TextItemWriter.lines("x", "id" as any), "give a function that makes a line of an item"],
    ["text", () => TextItemWriter.lines("x", String, { newline: "\n" } as any), "there is no option `newline`"]
  ])("of the other formats, one by one: %s %#", (_, make, message) => {
    assert.include(defects(make), message)
  })

  it("all at once", () => {
    const [message] = both({ delimiter: "", encoding: "x", bufferSize: -1 })
    for (const name of ["delimiter", "encoding", "bufferSize"]) {
      assert.include(message, `\`${name}\``)
    }
  })

  it("and sense is not", () => {
    for (
      const options of [
        { quote: "«" },
        { escape: "\"" },
        { delimiter: "||" },
        { delimiter: "\u0001" },
        { schema },
        {
          comment: "//"
        },
        { preamble: ["sep=;"], delimiter: ";" },
        { headerNames: { a: "A" }, schema },
        {
          headerNames: { a: "b", b: "a" },
          columns: ["a", "b"]
        },
        { quoting: "all", matchHeader: "loose", fsync: false, bufferSize: 10 }
      ]
    ) {
      assert.deepStrictEqual(both(options), ["none", "none"])
    }
  })
})
