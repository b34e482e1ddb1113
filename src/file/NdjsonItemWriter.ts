/**
 * Writes items as lines of JSON, exactly once across rollbacks, crashes and restarts.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Schema from "effect/Schema"
import * as ItemWriter from "../item/ItemWriter.js"
import type { FileError, ItemEncodeError } from "./FileError.js"
import * as fileSink from "./fileSink.js"
import * as jsonFormat from "./jsonFormat.js"
import { refuse, unknown } from "./options.js"

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
 * A writer of one JSON value a line: the items, or what the schema encodes them to.
 *
 * Items are plain data: objects, arrays, text, finite numbers, truth values, null and valid dates, which become text;
 * members that are `undefined` are left out. Anything else is an `ItemEncodeError` that names item and member; encode
 * it by a schema. Guarantee: exactly once, as described at `CsvItemWriter.make`.
 *
 * @example
 * ```ts
 * import { NdjsonItemWriter } from "effect-batch/file"
 * import { Schema } from "effect"
 *
 * const Event = Schema.Struct({ id: Schema.Number, at: Schema.Date })
 *
 * const events = NdjsonItemWriter.make("events.ndjson", { schema: Event, ifExists: "append" })
 *
 * assert.strictEqual(events.name, "NdjsonItemWriter(events.ndjson)")
 * ```
 *
 * @see ITEM-20, OWN-24
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, I = never>(
  path: string,
  options: Options & { readonly schema?: Schema.Schema<A, I> | undefined } = {}
): ItemWriter.ItemWriter<A, FileError | ItemEncodeError, FileSystem.FileSystem> => {
  refuse(`NdjsonItemWriter(${path})`, unknown(options, fileSink.names))
  fileSink.check(`NdjsonItemWriter(${path})`, options)
  const format = jsonFormat.lines(path, options.schema)
  return ItemWriter.make(`NdjsonItemWriter(${path})`, {
    delivery: "restartable",
    open: (state) => fileSink.open(path, format, options, state)
  })
}
