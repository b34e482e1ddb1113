/**
 * What readers and writers of files can fail with: `FileError` is about the file as a whole, the others about its
 * header or about one record in it.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { quoted, visible } from "../base/text.js"

/**
 * A file that cannot be read or written. Says which file, what is wrong with it and what to do.
 *
 * @since 0.1.0
 * @category errors
 */
export class FileError extends Schema.TaggedError<FileError>()("FileError", {
  path: Schema.String,
  action: Schema.Literal("read", "write"),
  /** Why, for policies that treat the cases differently. */
  reason: Schema.Literal(
    "NotFound",
    "PermissionDenied",
    "NotAFile",
    "AlreadyExists",
    "Shortened",
    "Changed",
    "Incomplete",
    "Replaced",
    "NotText",
    "Other"
  ),
  problem: Schema.String,
  hint: Schema.String
}) {
  override get message(): string {
    return `Cannot ${this.action} "${this.path}": ${this.problem}. ${this.hint}`
  }
}

/**
 * Represents a row that could not be read; the rows after it can be. Fields that the schema marks as sensitive
 * appear neither in `raw` nor in `problem`.
 *
 * @since 0.1.0
 * @category errors
 */
export class CsvError extends Schema.TaggedError<CsvError>()("CsvError", {
  path: Schema.String,
  /** The physical line where the row begins, from 1. */
  line: Schema.Number,
  /** The name of the first column in trouble, when it is about a column. */
  column: Schema.optional(Schema.String),
  /** The place of that column in the file, from 1. */
  columnNumber: Schema.optional(Schema.Number),
  /** The text of the row, cut at 500 characters. */
  raw: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return visible(
      `Bad row in "${this.path}", line ${this.line}: ${this.problem}. Correct the row and restart, or let the step ` +
        `skip "CsvError". The row: ${this.raw}`
    )
  }
}

/**
 * Represents a header whose columns are not those of the schema. No row has been read.
 *
 * @since 0.1.0
 * @category errors
 */
export class CsvHeaderError extends Schema.TaggedError<CsvHeaderError>()("CsvHeaderError", {
  path: Schema.String,
  line: Schema.Number,
  missing: Schema.Array(Schema.String),
  unexpected: Schema.Array(Schema.String),
  duplicate: Schema.Array(Schema.String),
  /** What else is wrong with the header. */
  detail: Schema.optional(Schema.String)
}) {
  override get message(): string {
    const list = (kind: string, names: ReadonlyArray<string>) =>
      names.length === 0 ? [] : [`${kind} ${names.length === 1 ? "column" : "columns"} ${some(names)}`]
    const problems = [
      ...list("missing", this.missing),
      ...list("unexpected", this.unexpected),
      ...list("duplicate", this.duplicate),
      ...(this.detail === undefined ? [] : [this.detail])
    ]
    return visible(
      `The columns of "${this.path}" (header in line ${this.line}) do not fit: ${problems.join("; ")}. Correct the ` +
        "header or the schema; `delimiter`, `encoding` and `strictColumns` decide how it is read."
    )
  }
}

/**
 * Represents a CSV file whose trailer does not agree with its rows, does not come last, or is missing. The rows before
 * it have been read, and may be written already.
 *
 * @since 0.1.0
 * @category errors
 */
export class CsvTrailerError extends Schema.TaggedError<CsvTrailerError>()("CsvTrailerError", {
  path: Schema.String,
  /** The physical line where the reader stopped, from 1. */
  line: Schema.Number,
  problem: Schema.String
}) {
  override get message(): string {
    return visible(
      `The trailer of "${this.path}" does not fit: ${this.problem}. The file is not what its sender counted: get it ` +
        "again and restart (what was read has to be the same), or correct the trailer."
    )
  }
}

/**
 * Represents a JSON value that could not be read; the values after it can be. When the schema marks anything as
 * sensitive, `raw` is left out.
 *
 * @since 0.1.0
 * @category errors
 */
export class JsonError extends Schema.TaggedError<JsonError>()("JsonError", {
  path: Schema.String,
  /** Number of the value in the file, from 1, when values are elements of an array. */
  element: Schema.optional(Schema.Number),
  /** The line where the value begins, from 1. */
  line: Schema.Number,
  /** The byte where the value begins, from 0. */
  offset: Schema.Number,
  /** The text of the value, cut at 500 characters. */
  raw: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    const element = this.element === undefined ? "" : `element ${this.element}, `
    return visible(
      `Bad value in "${this.path}", ${element}line ${this.line}: ${this.problem}. Correct it and restart, or let the ` +
        `step skip "JsonError". The value: ${this.raw}`
    )
  }
}

/**
 * Represents JSON whose structure is broken from some place on, so that nothing after it can be read.
 *
 * @since 0.1.0
 * @category errors
 */
export class JsonStructureError extends Schema.TaggedError<JsonStructureError>()("JsonStructureError", {
  path: Schema.String,
  line: Schema.Number,
  offset: Schema.Number,
  problem: Schema.String
}) {
  override get message(): string {
    return visible(
      `Cannot read "${this.path}" any further than line ${this.line} (byte ${this.offset}): ${this.problem}. ` +
        "Correct the file from there on, and restart."
    )
  }
}

/**
 * An item that has no form in the file, for instance because it lacks a column or its Schema does not encode it.
 *
 * @since 0.1.0
 * @category errors
 */
export class ItemEncodeError extends Schema.TaggedError<ItemEncodeError>()("ItemEncodeError", {
  path: Schema.String,
  /** Number of the item in the file, from 1. */
  item: Schema.Number,
  /** The column or the path of the member in trouble, when it is about one. */
  column: Schema.optional(Schema.String),
  problem: Schema.String
}) {
  override get message(): string {
    return visible(
      `Item ${this.item} cannot be written to "${this.path}": ${this.problem}. ` +
        "Change the item in a processor, or let the step skip \"ItemEncodeError\"."
    )
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** A file that was read with the wrong delimiter can have a hundred thousand names. */
const some = (names: ReadonlyArray<string>): string =>
  names.length <= 20 ? quoted(names) : `${quoted(names.slice(0, 20))} and ${names.length - 20} more`
