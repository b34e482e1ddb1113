/**
 * Writes items as the elements of one JSON array, exactly once across rollbacks, crashes and restarts.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Schema from "effect/Schema"
import * as ItemWriter from "../item/ItemWriter.js"
import type { FileError, ItemEncodeError } from "./FileError.js"
import * as fileSink from "./fileSink.js"
import * as jsonFormat from "./jsonFormat.js"
import { oneOf, refuse, unknown } from "./options.js"

/**
 * How the file is written. Every option has a default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * What happens to a file that exists when the step starts for the first time; default `overwrite`. `fail` lets an
   * empty file pass.
   */
  readonly ifExists?: "overwrite" | "fail" | undefined
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
 * A writer of one JSON array, an element a line. The file is valid JSON once the step has ended; before that, the
 * closing bracket is missing.
 *
 * Items are plain data, as for `NdjsonItemWriter.make`. Guarantee: exactly once, as described at `CsvItemWriter.make`.
 *
 * @example
 * ```ts
 * import { JsonItemWriter } from "effect-batch/file"
 *
 * const report = JsonItemWriter.array<{ readonly id: number }>("report.json")
 *
 * assert.strictEqual(report.delivery, "restartable")
 * ```
 *
 * @see ITEM-20, OWN-24
 * @since 0.1.0
 * @category constructors
 */
export const array = <A, I = never>(
  path: string,
  options: Options & { readonly schema?: Schema.Schema<A, I> | undefined } = {}
): ItemWriter.ItemWriter<A, FileError | ItemEncodeError, FileSystem.FileSystem> => {
  // Nothing can be appended behind the closing bracket.
  refuse(`JsonItemWriter(${path})`, [
    ...unknown(options, fileSink.names),
    ...oneOf("ifExists", options.ifExists, ["overwrite", "fail"])
  ])
  fileSink.check(`JsonItemWriter(${path})`, options)
  const format = jsonFormat.array(path, options.schema)
  return ItemWriter.make(`JsonItemWriter(${path})`, {
    delivery: "restartable",
    open: (state) => fileSink.open(path, format, options, state)
  })
}
