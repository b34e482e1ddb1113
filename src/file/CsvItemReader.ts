/**
 * Reads CSV files (RFC 4180) as typed rows, from any row on.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Schema from "effect/Schema"
import * as ItemReader from "../item/ItemReader.js"
import type { UnreadablePosition } from "../vocabulary/BatchError.js"
import * as csv from "./csvSource.js"
import type { CsvError, CsvHeaderError, FileError } from "./FileError.js"

/**
 * How the file is written down. Every option has a default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Whether the first row names the columns; default true. Without a header, `columns` is needed. */
  readonly header?: boolean | undefined
  /** The names of the columns when there is no header, in their order. */
  readonly columns?: ReadonlyArray<string> | undefined
  /**
   * Whether columns that the schema does not know are an error; default true. Missing, misspelt and duplicate
   * columns always are.
   */
  readonly strictColumns?: boolean | undefined
  /** Default `,`. */
  readonly delimiter?: string | undefined
  /** Default `"`; `false` for formats without quoting. Inside of quotes it is doubled. */
  readonly quote?: string | false | undefined
  /** Default `utf-8`. `latin1` is ISO 8859-1. */
  readonly encoding?: "utf-8" | "latin1" | "utf16le" | undefined
  /** Lines that begin with it are passed over, also before the header; default none. */
  readonly comment?: string | undefined
  /** Default true. A line that holds only delimiters is not empty. */
  readonly skipEmptyLines?: boolean | undefined
  /** Removes spaces and tabs around fields, though not inside of quotes; default false. */
  readonly trim?: boolean | undefined
  /** Bytes read at a time; default 256 KiB. */
  readonly bufferSize?: number | undefined
  /** Bytes above which one row is taken for damage instead of being read into memory; default 16 MiB. */
  readonly maxRecordSize?: number | undefined
}

/**
 * All that reading can fail with. Only `CsvError` is about one row and can be skipped.
 *
 * @since 0.1.0
 * @category models
 */
export type Errors = CsvError | CsvHeaderError | FileError | UnreadablePosition

/**
 * A reader of the rows of a CSV file. With a schema, each row is decoded from a record of strings, one per column;
 * without one, that record is the item. The schema has to decode from strings, and synchronously.
 *
 * Rows may hold delimiters, doubled quotes and line breaks inside of quotes; a byte order mark, LF and CRLF, and a
 * last row without a line break are understood. A quote in the middle of an unquoted field is an ordinary character.
 *
 * A row with the wrong number of fields, with values that the schema refuses, with bytes that are not valid UTF-8
 * or with broken quoting is a `CsvError` and may be skipped. A row with broken quoting ends at its first line
 * break, so that a forgotten quote does not swallow the rows behind it.
 *
 * The position is a byte offset: a restart seeks there, however large the file, and reads again only the header. It
 * fails with `UnreadablePosition` when the header or the text before the offset has changed; rows behind it may
 * have been corrected or added (ITEM-4). Memory is constant in the size of the file.
 *
 * @example
 * ```ts
 * import { CsvItemReader } from "effect-batch/file"
 * import { Schema } from "effect"
 *
 * const Payment = Schema.Struct({ id: Schema.String, cents: Schema.NumberFromString })
 *
 * const payments = CsvItemReader.make("payments.csv", { schema: Payment, delimiter: ";" })
 *
 * assert.strictEqual(payments.name, "CsvItemReader(payments.csv)")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  <A, I extends { readonly [K in keyof I]?: string | undefined }>(
    path: string,
    options: Options & { readonly schema: Schema.Schema<A, I> }
  ): ItemReader.ItemReader<A, Errors, FileSystem.FileSystem>
  (
    path: string,
    options?: Options & { readonly schema?: undefined }
  ): ItemReader.ItemReader<{ readonly [column: string]: string }, Errors, FileSystem.FileSystem>
} = <A, I>(
  path: string,
  options: Options & { readonly schema?: Schema.Schema<A, I> | undefined } = {}
): ItemReader.ItemReader<A, Errors, FileSystem.FileSystem> => {
  const settings = csv.settings(`CsvItemReader(${path})`, path, options)
  return ItemReader.make(settings.reader, (from) => csv.open(settings, from))
}
