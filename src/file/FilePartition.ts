/**
 * Plans for `Step.partition` over files: one partition for each file, or parts of one file that is large.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as CsvItemReader from "./CsvItemReader.js"
import { settings as csvSettings } from "./csvSettings.js"
import * as csv from "./csvSource.js"
import * as dividing from "./dividing.js"
import type { FileError } from "./FileError.js"
import { list } from "./FileItemReader.js"
import * as fileRange from "./fileRange.js"
import * as json from "./jsonSource.js"
import type * as NdjsonItemReader from "./NdjsonItemReader.js"
import * as records from "./records.js"

/**
 * A part of a file, from one record to another, with what shows later that it is still the same. What it holds besides
 * `path`, `from` and `to` is for the reader.
 *
 * @since 0.1.0
 * @category models
 */
export interface FileRange extends fileRange.FileRange {}

/**
 * The schema of `FileRange`, for `input` of `Step.partition`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const FileRange: Schema.Schema<FileRange> = fileRange.FileRange

/**
 * One partition for each file in a directory whose name matches a pattern, in the order of the names. Its name is that of
 * the file, and its input the path. In the pattern, `*` stands for any characters and `?` for one. Directories
 * below are left out.
 *
 * Fails with `FileError` when the directory cannot be read, or when nothing matches, unless `ifNone` is `"empty"`: then
 * there are no partitions, and the step completes.
 *
 * @example
 * ```ts
 * import { ItemWriter, Step } from "effect-batch"
 * import { CsvItemReader, FilePartition } from "effect-batch/file"
 * import { Schema } from "effect"
 *
 * const load = Step.partition("load", {
 *   plan: FilePartition.files("inbox", "orders-*.csv"),
 *   input: Schema.String,
 *   step: (path) =>
 *     Step.chunk("orders", { reader: CsvItemReader.make(path), writer: ItemWriter.discard, chunkSize: 500 }),
 *   concurrency: 4
 * })
 *
 * assert.strictEqual(load.name, "load")
 * ```
 *
 * @see PART-13
 * @since 0.1.0
 * @category constructors
 */
export const files = (
  directory: string,
  pattern: string,
  options: { readonly ifNone?: "fail" | "empty" | undefined } = {}
): Effect.Effect<ReadonlyArray<{ readonly name: string; readonly input: string }>, FileError, FileSystem.FileSystem> =>
  Effect.map(
    list(directory, pattern, options),
    (paths) => paths.map((path) => ({ name: path.slice(path.lastIndexOf("/") + 1), input: path }))
  )

/**
 * Divides a CSV file into ranges of about equal numbers of bytes, each from one row to another, whatever stands in quotes. The
 * options are those of the reader, which reads one of them with `range`.
 *
 * The file is read once for it, in constant memory, and everything is found that makes the file unreadable as a whole: a wrong
 * header, another encoding, and a trailer that does not agree with the rows. So no partition begins with a file whose totals
 * are wrong, and the readers leave the trailer to the plan. Bad rows are left to them.
 *
 * There are as many ranges as rows at most, and one where there are none. The last one has no end: rows that are added behind the
 * plan are in it, unless there is a trailer. A range in which anything else was changed since the plan, or whose header was, is refused
 * by its reader, in every execution, so a bad row cannot be corrected in it: let the step skip it.
 *
 * Lines in errors count from the beginning of the file.
 *
 * @example
 * ```ts
 * import { ItemWriter, Step } from "effect-batch"
 * import { CsvItemReader, FilePartition } from "effect-batch/file"
 * import { Schema } from "effect"
 *
 * const format = { delimiter: ";", schema: Schema.Struct({ id: Schema.String, cents: Schema.NumberFromString }) }
 *
 * const load = Step.partition("load", {
 *   plan: FilePartition.csvRanges("payments.csv", { ...format, partitions: 8 }),
 *   input: FilePartition.FileRange,
 *   step: (range) =>
 *     Step.chunk("payments", {
 *       reader: CsvItemReader.make(range.path, { ...format, range }),
 *       writer: ItemWriter.discard,
 *       chunkSize: 500
 *     }),
 *   concurrency: 4
 * })
 *
 * assert.strictEqual(load.name, "load")
 * ```
 *
 * @see PART-13, OWN-22
 * @since 0.1.0
 * @category constructors
 */
export const csvRanges = (
  path: string,
  options: Omit<CsvItemReader.Options, "range"> & {
    readonly partitions: number
    readonly schema?: Schema.Schema<any, any> | undefined
  }
): Effect.Effect<
  ReadonlyArray<{ readonly name: string; readonly input: FileRange }>,
  CsvItemReader.Errors,
  FileSystem.FileSystem
> => {
  const { partitions, ...format } = options
  const name = `FilePartition.csvRanges(${path})`
  dividing.checkCount(name, partitions)
  const settings = { ...csvSettings(name, path, format), codec: records.identity, quiet: true }
  return Effect.scoped(Effect.flatMap(
    csv.open(settings, Option.none()),
    (source) => dividing.plan(source, partitions, { path, header: source.headerHash, format: settings.format })
  ))
}

/**
 * Divides an NDJSON file into ranges of about equal numbers of bytes, each of whole lines, as `csvRanges` does with a CSV
 * file. The values are not looked at.
 *
 * @example
 * ```ts
 * import { FilePartition } from "effect-batch/file"
 * import { Effect } from "effect"
 *
 * const plan = FilePartition.ndjsonRanges("events.ndjson", { partitions: 8 })
 *
 * assert.strictEqual(Effect.isEffect(plan), true)
 * ```
 *
 * @see PART-13, OWN-22
 * @since 0.1.0
 * @category constructors
 */
export const ndjsonRanges = (
  path: string,
  options: Omit<NdjsonItemReader.Options, "range"> & { readonly partitions: number }
): Effect.Effect<
  ReadonlyArray<{ readonly name: string; readonly input: FileRange }>,
  NdjsonItemReader.Errors,
  FileSystem.FileSystem
> => {
  const { partitions, ...format } = options
  const name = `FilePartition.ndjsonRanges(${path})`
  dividing.checkCount(name, partitions)
  const settings = { ...json.settings(name, path, format, json.lineNames), unparsed: true }
  return Effect.scoped(Effect.flatMap(
    json.openLines(settings, format, Option.none()),
    (source) => dividing.plan(source, partitions, { path, format: json.lineFormat })
  ))
}
