/**
 * Reads files that hold one JSON value a line (NDJSON, JSON Lines), from any line on.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as ItemReader from "../item/ItemReader.js"
import type { UnreadablePosition } from "../vocabulary/BatchError.js"
import type { FileError, JsonError } from "./FileError.js"
import type { FileRange } from "./fileRange.js"
import * as json from "./jsonSource.js"

/**
 * How the file is read. Every option has a default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Whether lines without text are passed over rather than being bad values; default true. */
  readonly skipEmptyLines?: boolean | undefined
  /**
   * A number that a JavaScript number cannot hold, such as `12345678901234567890` or `1e999`: a `JsonError`, which is
   * the default, its text, or rounded as `JSON.parse` does.
   */
  readonly inexactNumbers?: "fail" | "text" | "round" | undefined
  /** An object that has a name twice: a `JsonError`, which is the default, or the last value, as `JSON.parse` does. */
  readonly repeatedNames?: "fail" | "last" | undefined
  /** Whether a file that does not end with a line break is taken to be cut off, a `FileError`; default false. */
  readonly requireFinalLineBreak?: boolean | undefined
  /** The part of the file to read, as `FilePartition.ndjsonRanges` has planned it. Default: all of it. */
  readonly range?: FileRange | undefined
  /** Bytes read at a time; default 256 KiB. */
  readonly bufferSize?: number | undefined
  /** Bytes above which one line is taken for damage instead of being read into memory; default 16 MiB. */
  readonly maxRecordSize?: number | undefined
}

/**
 * All that reading can fail with. Only `JsonError` is about one line and can be skipped.
 *
 * @since 0.1.0
 * @category models
 */
export type Errors = JsonError | FileError | UnreadablePosition

/**
 * A reader of the lines of a file in UTF-8, each a JSON value. With a schema, each value is decoded; without one, it is
 * the item. The schema has to decode synchronously. A line that is not valid JSON, or that the
 * schema refuses, is a `JsonError` and may be skipped.
 *
 * The position is a byte offset: a restart seeks there. It fails with `UnreadablePosition` when the text before the
 * offset has changed; lines after it may have been corrected or added.
 *
 * @example
 * ```ts
 * import { NdjsonItemReader } from "effect-batch/file"
 * import { Schema } from "effect"
 *
 * const events = NdjsonItemReader.make("events.ndjson", { schema: Schema.Struct({ at: Schema.Date }) })
 *
 * assert.strictEqual(events.name, "NdjsonItemReader(events.ndjson)")
 * ```
 *
 * @see ITEM-4, OWN-22, OWN-24, OWN-25
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  <A, I>(
    path: string,
    options: Options & { readonly schema: Schema.Schema<A, I> }
  ): ItemReader.ItemReader<A, Errors, FileSystem.FileSystem>
  (
    path: string,
    options?: Options & { readonly schema?: undefined }
  ): ItemReader.ItemReader<unknown, Errors, FileSystem.FileSystem>
} = <A, I>(
  path: string,
  options: Options & { readonly schema?: Schema.Schema<A, I> | undefined } = {}
): ItemReader.ItemReader<A, Errors, FileSystem.FileSystem> => {
  const settings = json.settings(`NdjsonItemReader(${path})`, path, options, json.lineNames)
  return ItemReader.make<A, Errors, FileSystem.FileSystem | Scope.Scope>(
    settings.reader,
    (from) => json.openLines(settings, options, from)
  )
}
