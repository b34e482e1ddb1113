/**
 * Writes items as rows of a CSV file (RFC 4180), exactly once across rollbacks, crashes and restarts.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Schema from "effect/Schema"
import * as ItemWriter from "../item/ItemWriter.js"
import type { CsvFormat } from "./CsvFormat.js"
import * as csvText from "./csvText.js"
import type { FileError, ItemEncodeError } from "./FileError.js"
import * as fileSink from "./fileSink.js"

/**
 * How the file is written. Every option has a default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends CsvFormat {
  /** Which cells are in quotes: those that need it, which is the default, or all that are not NULL. */
  readonly quoting?: "needed" | "all" | undefined
  /** Whether the file begins with a byte order mark; default: in UTF-16 only. Excel needs it to see that it is UTF-8. */
  readonly byteOrderMark?: boolean | undefined
  /** The text after the last row and the trailer, written once, at the end of the step; default none. */
  readonly footer?: ((summary: { readonly items: number }) => string) | undefined
  /**
   * Puts a `'` before text that a spreadsheet would run as a formula; default false, because it changes the data.
   * Numbers stay as they are.
   */
  readonly escapeFormulas?: boolean | undefined
  /**
   * What happens to a file that exists when the step starts for the first time; default `overwrite`. `fail` lets an
   * empty file pass.
   */
  readonly ifExists?: "overwrite" | "fail" | "append" | undefined
  /**
   * Whether the file is written under its own name from the beginning, for people who watch it grow; default false.
   * That promises less: others see a file that is not complete, and a process that was frozen for longer than its lease may
   * write into what its successor writes. A file that was replaced is still recognised, and not touched.
   */
  readonly inPlace?: boolean | undefined
  /** Whether each chunk is forced to the disk before its checkpoint is committed; default true. */
  readonly fsync?: boolean | undefined
  /** Whether there is no file when the step wrote no item, not even an older one; default false. */
  readonly deleteIfEmpty?: boolean | undefined
}

/**
 * A writer of CSV rows. With a schema, items are encoded first; the result has to be a record of text, numbers,
 * booleans, dates or nothing. What the format or the encoding cannot hold, so that it would be read back as something
 * else, is an `ItemEncodeError` that names item and column.
 *
 * Guarantee: exactly once. The rows go to a part, a file beside the output, and the part gets the name of the output when
 * the step completes: nobody sees half a file. A chunk is forced to the disk before its checkpoint commits; a rollback or a
 * restart cuts the part back to the last committed byte. The header is written with the first rows, the footer at the
 * end of the step. A process that was frozen, and has lost its execution, changes nothing of what its successor delivers.
 *
 * While the step runs, and until a failed one has been restarted, the part needs room on the disk beside the old file;
 * `append` begins with a copy of it. The directory must stay the same between the runs, and be shared if another machine
 * may go on. Fails with `FileError` when the part lost committed bytes, and when another file was put at the path
 * meanwhile: that one is not overwritten.
 *
 * @example
 * ```ts
 * import { CsvItemWriter } from "effect-batch/file"
 *
 * const totals = CsvItemWriter.make<{ readonly customer: string; readonly cents: number }>("totals.csv", {
 *   footer: ({ items }) => `# ${items} customers`
 * })
 *
 * assert.strictEqual(totals.delivery, "restartable")
 * ```
 *
 * @see C50, ITEM-20, TX-6, OWN-17, OWN-24
 * @since 0.1.0
 * @category constructors
 */
export const make = <A extends object, I = never>(
  path: string,
  options: Options & { readonly schema?: Schema.Schema<A, I> | undefined } = {}
): ItemWriter.ItemWriter<A, FileError | ItemEncodeError, FileSystem.FileSystem> => {
  fileSink.check(`CsvItemWriter(${path})`, options)
  const format = csvText.make(path, options)
  return ItemWriter.make(`CsvItemWriter(${path})`, {
    delivery: "restartable",
    open: (state) => fileSink.open(path, format, options, state)
  })
}
