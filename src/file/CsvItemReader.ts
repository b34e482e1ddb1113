/**
 * Reads CSV files (RFC 4180 and its relatives) as typed rows, from any row on.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Schema from "effect/Schema"
import * as ItemReader from "../item/ItemReader.js"
import type { UnreadablePosition } from "../vocabulary/BatchError.js"
import type { CsvFormat } from "./CsvFormat.js"
import { settings as csvSettings } from "./csvSettings.js"
import * as csv from "./csvSource.js"
import type { CsvError, CsvHeaderError, CsvTrailerError, FileError } from "./FileError.js"
import type { FileRange } from "./fileRange.js"

/**
 * How the file is written down. Every option has a default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends CsvFormat {
  /**
   * How the names in the header become columns; default `exact`. `loose` matches them with those of the schema, or of
   * `columns`, without case and blanks. `position` passes over the header: `columns` name the fields, in their order.
   */
  readonly matchHeader?: "exact" | "loose" | "position" | undefined
  /** A name that the header has twice: an error, which is the default, or a number behind it (`name_2`). */
  readonly repeatedNames?: "fail" | "number" | undefined
  /** A name that is empty or blank: kept, which is the default, an error, or a number in its place (`column_3`). */
  readonly blankNames?: "keep" | "fail" | "number" | undefined
  /**
   * Whether columns that the schema does not know are an error; default true. Missing, misspelt and duplicate
   * columns always are.
   */
  readonly strictColumns?: boolean | undefined
  /**
   * A row with too few or too many fields: a `CsvError`, which is the default, or filled with NULL where there is a
   * `nullText` and with empty text otherwise, or cut. Each row that was filled or cut is named by a warning in the log.
   */
  readonly raggedRows?: "fail" | "fill" | "cut" | "fillAndCut" | undefined
  /** How many lines of any content stand before the header; default 0. */
  readonly skipLines?: number | undefined
  /** Default true. A line that holds only delimiters is not empty. */
  readonly skipEmptyLines?: boolean | undefined
  /** Whether a file that does not end with a line break is taken to be cut off, a `FileError`; default false. */
  readonly requireFinalLineBreak?: boolean | undefined
  /**
   * The part of the file to read, as `FilePartition.csvRanges` has planned it with the same options. Default: all of it. The
   * header is that of the file, and a trailer has been compared by the plan.
   */
  readonly range?: FileRange | undefined
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
export type Errors = CsvError | CsvHeaderError | CsvTrailerError | FileError | UnreadablePosition

/**
 * A reader of the rows of a CSV file. With a schema, each row is decoded from a record of strings, one per column, or
 * of NULL where there is a `nullText`; without one, that record is the item. The schema has to decode from these, and
 * synchronously.
 *
 * Rows may hold delimiters, doubled quotes and line breaks inside of quotes; a byte order mark, LF and CRLF, and a
 * last row without a line break are understood. A quote in the middle of an unquoted field is an ordinary character.
 *
 * A row with the wrong number of fields, with values that the schema refuses, with bytes that are not valid in the
 * encoding, with a line break of another kind or with broken quoting is a `CsvError` and may be skipped. A row with
 * broken quoting ends at its first line break, so that a forgotten quote does not swallow the rows after it.
 *
 * A file that is not text in its encoding, such as an archive, or whose lines end otherwise is a `FileError` that says
 * so, never a file without rows.
 *
 * The position is a byte offset: a restart seeks there, however large the file, and reads again only the header. Unless
 * inode, size and time are those of the file that was read, everything before the offset is read once more and compared
 * by a checksum. It fails with `UnreadablePosition` when anything there has changed; rows behind it may have been
 * corrected or added. A file that gets shorter, or is overwritten, while it is read is a `FileError`. Memory is
 * constant in the size of the file.
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
 * @see ITEM-4, OWN-22, OWN-25
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  <A, I extends { readonly [K in keyof I]?: string | null | undefined }>(
    path: string,
    options: Options & { readonly schema: Schema.Schema<A, I> }
  ): ItemReader.ItemReader<A, Errors, FileSystem.FileSystem>
  (
    path: string,
    options: Options & { readonly nullText: string; readonly schema?: undefined }
  ): ItemReader.ItemReader<{ readonly [column: string]: string | null }, Errors, FileSystem.FileSystem>
  (
    path: string,
    options?: Options & { readonly schema?: undefined }
  ): ItemReader.ItemReader<{ readonly [column: string]: string }, Errors, FileSystem.FileSystem>
} = <A, I>(
  path: string,
  options: Options & { readonly schema?: Schema.Schema<A, I> | undefined } = {}
): ItemReader.ItemReader<A, Errors, FileSystem.FileSystem> => {
  const settings = csvSettings(`CsvItemReader(${path})`, path, options)
  return ItemReader.make(settings.reader, (from) => csv.open(settings, from))
}
