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
  /** Whether each chunk is forced to the disk before its checkpoint is committed; default true. */
  readonly fsync?: boolean | undefined
  /** Whether the file is removed when the step wrote no item; default false. */
  readonly deleteIfEmpty?: boolean | undefined
}

/**
 * A writer of one JSON value a line, with what `JSON.stringify` makes of the items or of what the schema encodes
 * them to.
 *
 * Guarantee: exactly once, as described at `CsvItemWriter.make` (ITEM-20).
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
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, I = never>(
  path: string,
  options: Options & { readonly schema?: Schema.Schema<A, I> | undefined } = {}
): ItemWriter.ItemWriter<A, FileError | ItemEncodeError, FileSystem.FileSystem> => {
  const format = jsonFormat.lines(path, options.schema)
  return ItemWriter.make({
    name: `NdjsonItemWriter(${path})`,
    delivery: "restartable",
    open: (state) => fileSink.open(path, format, options, state)
  })
}
