/**
 * Encoding by a Schema that leaves nothing out: a member that the Schema does not have would be dropped without a word
 * (OWN-24). What is not enumerable does not count, such as the hash that Effect keeps in a value.
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import type * as Schema from "effect/Schema"
import { isEnumerable } from "../base/lostMembers.js"

/** @internal */
export const wholeEncode = (
  schema: Schema.Schema.Any
): (item: unknown) => Either.Either<unknown, ParseResult.ParseIssue> => {
  const whole = ParseResult.encodeUnknownEither(schema as Schema.Schema<unknown>, { onExcessProperty: "error" })
  const all = ParseResult.encodeUnknownEither(schema as Schema.Schema<unknown>, {
    onExcessProperty: "error",
    errors: "all"
  })
  const known = ParseResult.encodeUnknownEither(schema as Schema.Schema<unknown>)
  const retried = (item: unknown, issue: ParseResult.ParseIssue): Either.Either<unknown, ParseResult.ParseIssue> => {
    const issues = Either.match(all(item), {
      onLeft: ParseResult.ArrayFormatter.formatIssueSync,
      onRight: () => []
    })
    const excess = issues.filter(({ _tag }) => _tag === "Unexpected")
    const shown = excess.filter(({ path }) => isShown(item, path))
    if (excess.length === shown.length) {
      return Either.left(issue)
    }
    const encoded = known(item)
    const [first] = shown
    return Either.isLeft(encoded) || first === undefined ? encoded : Either.left(
      new ParseResult.Pointer(first.path as [PropertyKey], item, new ParseResult.Unexpected(undefined, first.message))
    )
  }
  return (item) => {
    const encoded = whole(item)
    return Either.isLeft(encoded) ? retried(item, encoded.left) : encoded
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const isShown = (item: unknown, path: ReadonlyArray<PropertyKey>): boolean => {
  let value = item
  for (const [index, key] of path.entries()) {
    if (typeof value !== "object" || value === null) {
      return true
    }
    if (index === path.length - 1) {
      return !Object.hasOwn(value, key) || isEnumerable(value, key)
    }
    value = (value as Record<PropertyKey, unknown>)[key]
  }
  return true
}
