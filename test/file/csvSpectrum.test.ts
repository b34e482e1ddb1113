/**
 * CSV files that others have collected, written from their descriptions: csv-spectrum, and the tests of the W3C for CSV
 * on the web, whose dialects have names of their own for the same options.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as CsvItemReader from "../../src/file/CsvItemReader.js"
import { failuresOf, itemsOf, MemoryFiles, readAll } from "./support.js"

interface Case {
  readonly content: string | Uint8Array
  readonly options?: CsvItemReader.Options
  readonly items: ReadonlyArray<{ readonly [column: string]: string | null }>
}

const spectrum: Readonly<Record<string, Case>> = {
  comma_in_quotes: {
    content: "first,last,address,city,zip\nJohn,Doe,120 any st.,\"Anytown, WW\",08123",
    items: [{ first: "John", last: "Doe", address: "120 any st.", city: "Anytown, WW", zip: "08123" }]
  },
  empty: {
    content: "a,b,c\n1,\"\",\"\"\n2,3,4",
    items: [{ a: "1", b: "", c: "" }, { a: "2", b: "3", c: "4" }]
  },
  empty_crlf: {
    content: "a,b,c\r\n1,\"\",\"\"\r\n2,3,4\r\n",
    items: [{ a: "1", b: "", c: "" }, { a: "2", b: "3", c: "4" }]
  },
  escaped_quotes: {
    content: "a,b\n1,\"ha \"\"ha\"\" ha\"\n3,4\n",
    items: [{ a: "1", b: "ha \"ha\" ha" }, { a: "3", b: "4" }]
  },
  json: {
    content: "key,val\n1,\"{\"\"type\"\": \"\"Point\"\", \"\"coordinates\"\": [102.0, 0.5]}\"\n",
    items: [{ key: "1", val: "{\"type\": \"Point\", \"coordinates\": [102.0, 0.5]}" }]
  },
  location_coordinates: {
    content: "Title,Location\nA,\"52.1, 4.3\"\n",
    items: [{ Title: "A", Location: "52.1, 4.3" }]
  },
  newlines: {
    content: "a,b,c\n1,2,3\n\"Once upon \na time\",5,6\n7,8,9\n",
    items: [{ a: "1", b: "2", c: "3" }, { a: "Once upon \na time", b: "5", c: "6" }, { a: "7", b: "8", c: "9" }]
  },
  newlines_crlf: {
    content: "a,b,c\r\n\"Once upon \r\na time\",5,6\r\n7,8,9\r\n",
    items: [{ a: "Once upon \r\na time", b: "5", c: "6" }, { a: "7", b: "8", c: "9" }]
  },
  quotes_and_newlines: {
    content: "a,b\n1,\"ha \n\"\"ha\"\" \nha\"\n3,4\n",
    items: [{ a: "1", b: "ha \n\"ha\" \nha" }, { a: "3", b: "4" }]
  },
  simple_crlf: { content: "a,b,c\r\n1,2,3", items: [{ a: "1", b: "2", c: "3" }] },
  utf8: { content: "a,b,c\n1,2,3\n4,5,ʤ\n", items: [{ a: "1", b: "2", c: "3" }, { a: "4", b: "5", c: "ʤ" }] }
}

/** `commentPrefix`, `delimiter`, `doubleQuote: false`, `encoding`, `header`, `lineTerminators`, `skipRows`, `null`, … */
const w3c: Readonly<Record<string, Case>> = {
  "a tree operations table, with other options for its options": {
    content: "GID|On Street|Trim Cycle\n1|ADDISON AV|\"Large Tree | Routine\"\n",
    options: { delimiter: "|" },
    items: [{ GID: "1", "On Street": "ADDISON AV", "Trim Cycle": "Large Tree | Routine" }]
  },
  "rows to skip and comments": {
    content:
      "publisher,City of Palo Alto\nupdated,12/31/2010\n#name,GID,on_street\nGID,street\n1,ADDISON AV\n#2,EMERSON ST\n",
    options: { skipLines: 2, comment: "#" },
    items: [{ GID: "1", street: "ADDISON AV" }]
  },
  "quotes that are escaped by a backslash": {
    content: "a,b\n\"say \\\"hi\\\", then go\",C:\\\\temp\n",
    options: { escape: "\\" },
    items: [{ a: "say \"hi\", then go", b: "C:\\temp" }]
  },
  "no header": {
    content: "AD,Andorra\nAF,Afghanistan\n",
    options: { header: false, columns: ["code", "name"] },
    items: [{ code: "AD", name: "Andorra" }, { code: "AF", name: "Afghanistan" }]
  },
  "blanks around fields": {
    content: "code , name\nAD , \" Andorra \"\n",
    options: { trim: true },
    items: [{ code: "AD", name: " Andorra " }]
  },
  "text for NULL": {
    content: "code,name,note\nAD,NULL,\"NULL\"\nAF,-,\n",
    options: { nullText: "NULL" },
    items: [{ code: "AD", name: null, note: "NULL" }, { code: "AF", name: "-", note: "" }]
  },
  "lines that end with a carriage return": {
    content: "code,name\rAD,\"An\ndorra\"\rAF,Afghanistan\r",
    options: { lineEnding: "\r" },
    items: [{ code: "AD", name: "An\ndorra" }, { code: "AF", name: "Afghanistan" }]
  },
  "another encoding": {
    content: Buffer.from([0x63, 0x0a, 0x80, 0x20, 0x93, 0x78, 0x94, 0x0a]),
    options: { encoding: "windows-1252" },
    items: [{ c: "€ “x”" }]
  }
}

const real: Readonly<Record<string, Case>> = {
  "of a bank, with lines before the header and names that nobody can type": {
    content:
      "\uFEFFKontoauszug;DE02\r\n\r\nBuchungstag; Betrag (EUR);Verwendungszweck;\r\n01.02.;\"1.234,50\";Miete;\r\n",
    options: {
      delimiter: ";",
      skipLines: 2,
      trailingDelimiter: true,
      matchHeader: "loose",
      headerNames: { day: "buchungstag", amount: "BETRAG(eur)", text: "Verwendungs zweck" }
    },
    items: [{ day: "01.02.", amount: "1.234,50", text: "Miete" }]
  },
  "of MySQL (SELECT … INTO OUTFILE)": {
    content: "1\t\\N\ttwo\\\nlines\ttab\\\there\n2\t\t\\\\N\t\n",
    options: {
      header: false,
      columns: ["id", "a", "b", "c"],
      delimiter: "\t",
      quote: false,
      escape: "\\",
      nullText: "\\N"
    },
    items: [{ id: "1", a: null, b: "two\nlines", c: "tab\there" }, { id: "2", a: "", b: "\\N", c: "" }]
  },
  "of PostgreSQL (COPY … CSV)": {
    content: "a,b,c\n,\"\",x\n",
    options: { nullText: "" },
    items: [{ a: null, b: "", c: "x" }]
  },
  "of a spreadsheet, with names that repeat and names that are missing": {
    content: "amount,,amount,amount_2,,amount\n1,2,3,4,5,6\n",
    options: { repeatedNames: "number", blankNames: "number" },
    items: [{ amount: "1", column_2: "2", amount_3: "3", amount_2: "4", column_5: "5", amount_4: "6" }]
  },
  "of a mainframe, with names of our own in place of its header": {
    content: "FLD-01;FLD-02\nx;y\n",
    options: { delimiter: ";", matchHeader: "position", columns: ["id", "name"] },
    items: [{ id: "x", name: "y" }]
  }
}

describe("CSV files of others", () => {
  const groups = { "csv-spectrum": spectrum, "the W3C": w3c, programs: real }
  for (const [group, cases] of Object.entries(groups)) {
    it.effect.each(Object.entries(cases))(
      `${group}: %s`,
      ([, { content, items, options = {} }]) =>
        Effect.gen(function*() {
          for (const bufferSize of [7, 4096]) {
            const found = yield* readAll(CsvItemReader.make("in", { ...options, bufferSize }))
            assert.deepStrictEqual(failuresOf(found), [])
            assert.deepStrictEqual<ReadonlyArray<object>>(itemsOf(found), items)
          }
        }).pipe(Effect.provide(new MemoryFiles().set("in", content).layer))
    )
  }
})
