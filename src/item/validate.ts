/**
 * Decoding of single items by a Schema, without fiber work where the Schema has no asynchronous part.
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
  return (item) => {
    // A Schema without asynchronous parts decodes to an Either, which its type does not tell.
    const result = decode(item) as
      | Effect.Effect<A, ParseResult.ParseIssue, R>
      | Either.Either<A, ParseResult.ParseIssue>
    if (Either.isEither(result)) {
      return Either.isRight(result) ? Exit.succeed(result.right) : Exit.fail(invalid(format(result.left)))
    }
    return Effect.mapError(result, (issue) => invalid(format(issue)))
  }
}
