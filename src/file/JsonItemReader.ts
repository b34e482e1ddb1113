/**
 * Reads the elements of one big JSON array, from any element on.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as ItemReader from "../item/ItemReader.js"
import type { UnreadablePosition } from "../vocabulary/BatchError.js"
import type { FileError, JsonError, JsonStructureError } from "./FileError.js"
import * as json from "./jsonSource.js"

/**
 * How the file is read. Every option has a default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * A number that a JavaScript number cannot hold, such as `12345678901234567890` or `1e999`: a `JsonError`, which is
   * the default, its text, or rounded as `JSON.parse` does.
   */
  readonly inexactNumbers?: "fail" | "text" | "round" | undefined
  /** An object that has a name twice: a `JsonError`, which is the default, or the last value, as `JSON.parse` does. */
  readonly repeatedNames?: "fail" | "last" | undefined
  /** Bytes read at a time; default 256 KiB. */
  readonly bufferSize?: number | undefined
  /** Bytes above which one element is taken for damage instead of being read into memory; default 16 MiB. */
  readonly maxRecordSize?: number | undefined
}

/**
 * All that reading can fail with. Only `JsonError` is about one element and can be skipped.
 *
 * @since 0.1.0
 * @category models
 */
export type Errors = JsonError | JsonStructureError | FileError | UnreadablePosition

/**
 * A reader of the elements of a JSON array in UTF-8, one after the other: memory is constant in the size of the file.
 * With a schema, each element is decoded; without one, it is the item. The schema has to decode
 * synchronously.
 *
 * An element that is not valid JSON although its brackets match, or that the schema refuses, is a `JsonError` and may
 * be skipped. Where brackets or commas are missing nobody can tell where the next element begins: everything before
 * that place is read, then the reader fails with `JsonStructureError`.
 *
 * The position is a byte offset: a restart seeks there. It fails with `UnreadablePosition` when the text before the
 * offset has changed.
 *
 * @example
 * ```ts
 * import { JsonItemReader } from "effect-batch/file"
 * import { Schema } from "effect"
 *
 * const trades = JsonItemReader.array("trades.json", { schema: Schema.Struct({ isin: Schema.String }) })
 *
 * assert.strictEqual(trades.name, "JsonItemReader(trades.json)")
 * ```
 *
 * @see ITEM-4, OWN-22, OWN-24, OWN-25
 * @since 0.1.0
 * @category constructors
 */
export const array: {
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
  const settings = json.settings(`JsonItemReader(${path})`, path, options)
  return ItemReader.make<A, Errors, FileSystem.FileSystem | Scope.Scope>(
    settings.reader,
    (from) => json.openArray(settings, from)
  )
}
