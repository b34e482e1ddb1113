/**
 * Decoding and encoding of single items by a Schema, without fiber work where the Schema has no asynchronous part.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as ParseResult from "effect/ParseResult"
import type * as Schema from "effect/Schema"
import * as Sensitive from "../vocabulary/Sensitive.js"

/** @internal */
export const decoder = <A, I, R, E>(
  schema: Schema.Schema<A, I, R>,
  invalid: (issues: ReadonlyArray<Sensitive.Issue>) => E
): (item: I) => Effect.Effect<A, E, R> => {
  const decode = ParseResult.decode(schema, { errors: "all" })
  const format = Sensitive.formatIssues(schema)
  return (item) => now(decode(item), (issue) => invalid(format(issue)))
}

/** @internal */
export const encoder = <A, I, R, E>(
  schema: Schema.Schema<A, I, R>,
  invalid: (issues: ReadonlyArray<Sensitive.Issue>) => E
): (item: A) => Effect.Effect<I, E, R> => {
  const encode = ParseResult.encode(schema, { errors: "all" })
  const format = Sensitive.formatIssues(schema)
  return (item) => now(encode(item), (issue) => invalid(format(issue)))
}

/** A Schema without asynchronous parts gives an Either, which its type does not tell. */
const now = <A, E, R>(
  result: Effect.Effect<A, ParseResult.ParseIssue, R>,
  toError: (issue: ParseResult.ParseIssue) => E
): Effect.Effect<A, E, R> => {
  const known = result as Effect.Effect<A, ParseResult.ParseIssue, R> | Either.Either<A, ParseResult.ParseIssue>
  if (Either.isEither(known)) {
    return Either.isRight(known) ? Exit.succeed(known.right) : Exit.fail(toError(known.left))
  }
  return Effect.mapError(known, toError)
}
