/**
 * How a CSV file is written down: the options that mean the same to `CsvItemReader` and to `CsvItemWriter`, so that one
 * value describes a kind of file to both.
 *
 * @since 0.1.0
 */

/**
 * The encodings of text files. `latin1` is ISO 8859-1; `windows-1252` is what Windows calls ANSI in western countries,
 * with the euro sign. Bytes that stand for nothing and characters that have no byte are errors, never replaced.
 *
 * @since 0.1.0
 * @category models
 */
export type Encoding = "utf-8" | "utf16le" | "utf16be" | "latin1" | "windows-1252"

/**
 * A field of a trailer: fixed text, the number of rows, or the sum of a column.
 *
 * @since 0.1.0
 * @category models
 */
export type TrailerField = string | { readonly count: "rows" } | { readonly sum: string }

/**
 * A kind of CSV file. Every option has a default. Options that make no sense, alone or together, are refused where the
 * reader or writer is made: `JobDefinitionError`.
 *
 * @example
 * ```ts
 * import { CsvItemReader, CsvItemWriter } from "effect-batch/file"
 * import type { CsvFormat } from "effect-batch/file"
 *
 * const bank: CsvFormat.CsvFormat = {
 *   delimiter: ";",
 *   encoding: "windows-1252",
 *   lineEnding: "\r\n",
 *   nullText: "",
 *   trailer: ["T", { count: "rows" }, { sum: "amount" }]
 * }
 *
 * const payments = CsvItemReader.make("in.csv", bank)
 * const answers = CsvItemWriter.make("out.csv", { ...bank, columns: ["id", "amount"] })
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface CsvFormat {
  /** Whether a row names the columns; default true. Without one the reader needs `columns`. */
  readonly header?: boolean | undefined
  /**
   * The columns in their order. The writer's default: those of the schema, else the keys of the first item; an item
   * with other keys is an `ItemEncodeError`. The reader needs them where no header names the columns, and where
   * `matchHeader` says so.
   */
  readonly columns?: ReadonlyArray<string> | undefined
  /** What the file calls columns, where that is not the name that items have: `{ id: "Customer no." }`. */
  readonly headerNames?: { readonly [column: string]: string } | undefined
  /** Lines before the header, word for word. The reader fails with `CsvHeaderError` where a file has others. */
  readonly preamble?: ReadonlyArray<string> | undefined
  /** Default `,`. May be several characters. */
  readonly delimiter?: string | undefined
  /** Default `"`; `false` for formats without quoting. One character. */
  readonly quote?: string | false | undefined
  /**
   * A character that takes its meaning from the one after it, inside and outside of quotes, often `\`. Default: none,
   * and a quote inside of quotes is doubled.
   */
  readonly escape?: string | undefined
  /**
   * What ends a row. The writer's default is `\n`. The reader takes `\n` and `\r\n` alike, as each row has it; a file
   * with `\r` alone needs the option.
   */
  readonly lineEnding?: "\n" | "\r\n" | "\r" | undefined
  /** Default `utf-8`. The reader passes over a byte order mark. */
  readonly encoding?: Encoding | undefined
  /** Lines that begin with it are no rows: the reader passes over them, also before the header. Default none. */
  readonly comment?: string | undefined
  /** Whether spaces and tabs around fields do not count, though they do inside of quotes; default false. */
  readonly trim?: boolean | undefined
  /**
   * The text that means NULL where it is not in quotes, such as an empty one, `NULL` or `\N`; the same text in quotes
   * is text. Default: none, the reader has no NULL, and the writer writes an empty field for it, as for empty text.
   */
  readonly nullText?: string | undefined
  /** Whether every row ends with a delimiter after its last field; default false. */
  readonly trailingDelimiter?: boolean | undefined
  /**
   * The last row, which is not data: texts that mark it, and totals that have to agree with the rows before it. At
   * least one field has to be a text. A difference, a missing trailer and rows behind it are a `CsvTrailerError`.
   * Totals are added up as decimals, to the last digit; an empty field and NULL count as nothing.
   */
  readonly trailer?: ReadonlyArray<TrailerField> | undefined
}
