/**
 * Positions of readers, and states of writers: what was stored is decoded by a Schema, because the code that reads
 * it may be newer than the code that wrote it.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { Json } from "../base/json.js"
import { UnreadablePosition } from "../vocabulary/BatchError.js"
import * as Sensitive from "../vocabulary/Sensitive.js"

/** @internal */
export const Count: Schema.Schema<number> = Schema.NonNegativeInt

/** @internal */
export const decode = <P, I>(
  name: string,
  schema: Schema.Schema<P, I>
): (from: Option.Option<Json>) => Effect.Effect<Option.Option<P>, UnreadablePosition> => {
  const decodeUnknown = ParseResult.decodeUnknownEither(schema, { errors: "all" })
  const format = Sensitive.formatIssues(schema)
  const unreadable = (issue: ParseResult.ParseIssue): UnreadablePosition =>
    new UnreadablePosition({
      reader: name,
      detail: format(issue).map(({ message, path }) => path === "" ? message : `${path}: ${message}`).join("; ")
    })
  return Option.match({
    onNone: () => Effect.succeedNone,
    onSome: (json) => Either.mapBoth(decodeUnknown(json), { onLeft: unreadable, onRight: Option.some })
  })
}

/**
 * The source has become shorter than the position: what was read is not what is there, so nobody can tell what is left.
 *
 * @internal
 */
export const shortened = (reader: string, read: number, left: number): UnreadablePosition =>
  new UnreadablePosition({
    reader,
    detail: `${read} items were read before, but now the source has only ${left}`,
    advice: "let it give the same items again and restart, or abandon the execution and run the job with another " +
      "identifying parameter"
  })

/**
 * A position that its own Schema refuses is a mistake in the program, so it is thrown and becomes a defect.
 *
 * @internal
 */
export const encode = <P, I extends Json>(schema: Schema.Schema<P, I>): (position: P) => Json =>
  Schema.encodeSync(schema)

/**
 * Errors about a position name the reader, so they follow it to its new name.
 *
 * @internal
 */
export const renamed = <E>(error: E, from: string, to: string): E =>
  error instanceof UnreadablePosition && error.reader === from
    ? new UnreadablePosition({ reader: to, detail: error.detail, advice: error.advice }) as E & UnreadablePosition
    : error
