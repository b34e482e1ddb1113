/**
 * Parts of a file that begin and end between two records, and how a reader recognises that its part is the one that was
 * planned (OWN-22).
 */
import * as Schema from "effect/Schema"
import { checksum, Stamp } from "./identity.js"

/** @internal */
export const FileRange = Schema.Struct({
  path: Schema.String,
  /** The byte with which it begins, and the physical line of that place. */
  from: Schema.NonNegativeInt,
  line: Schema.Positive,
  /** The byte behind it; null for a range that goes on to the end of the file, wherever that is by then. */
  to: Schema.NullOr(Schema.NonNegativeInt),
  /** How many bytes the file had. */
  size: Schema.NonNegativeInt,
  /** The checksums of everything in front of it, and of that and the range: to `to`, or to the end that the file had. */
  before: Schema.NonNegativeInt,
  sum: Schema.NonNegativeInt,
  /** The file as it was; absent when that could not tell a later change. */
  file: Schema.optional(Stamp),
  /** CSV: fingerprint of the header. */
  header: Schema.optional(Schema.NonNegativeInt),
  /** Fingerprint of what decides where a record ends. */
  format: Schema.NonNegativeInt
})

/** @internal */
export type FileRange = typeof FileRange.Type

/** The byte up to which the content of a range is known. */
export const endOf = ({ size, to }: Pick<FileRange, "size" | "to">): number => to ?? size

/**
 * A number for the options by which records are told from each other.
 *
 * @internal
 */
export const formatOf = (kind: "csv" | "ndjson", options: ReadonlyArray<unknown>): number =>
  checksum(new TextEncoder().encode(JSON.stringify([kind, ...options])), 0)
