/**
 * Keeps passwords, account numbers and the like out of logs, reports and error messages.
 *
 * A part of a Schema is marked once, where the data is described. From then on values can be masked before they
 * are shown, and parse errors are formatted without the values that were marked.
 *
 * @since 0.1.0
 */
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"
import * as ast_ from "./sensitiveAst.js"
import * as issues_ from "./sensitiveIssues.js"
import * as mask_ from "./sensitiveMask.js"

/**
 * The annotation that marks a Schema as sensitive.
 *
 * @since 0.1.0
 * @category type ids
 */
export const SensitiveId: typeof ast_.SensitiveId = ast_.SensitiveId

/**
 * What replaces a sensitive value.
 *
 * @since 0.1.0
 * @category models
 */
export const placeholder: typeof ast_.placeholder = ast_.placeholder

/**
 * One thing that is wrong with a value: where, and what. The message holds no sensitive value.
 *
 * @since 0.1.0
 * @category schemas
 */
export class Issue extends Schema.Class<Issue>("effect-batch/Sensitive/Issue")({
  /** The names and indexes that lead to the place, such as `address.lines[0]`; empty for the value itself. */
  path: Schema.String,
  message: Schema.String
}) {}

/**
 * Marks a Schema as sensitive. It decodes and encodes as before; only what is shown of its values changes.
 *
 * Mark the result too where a transformation carries marked data into a part that is not marked itself: the type side
 * alone (`Schema.typeSchema`) no longer knows where its values came from.
 *
 * @example
 * ```ts
 * import { Sensitive } from "effect-batch"
 * import { Schema } from "effect"
 *
 * const Account = Schema.Struct({ id: Schema.Number, iban: Sensitive.make(Schema.String) })
 *
 * assert.deepStrictEqual(Schema.decodeUnknownSync(Account)({ id: 1, iban: "DE02" }), { id: 1, iban: "DE02" })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, I, R>(schema: Schema.Schema<A, I, R>): Schema.Schema<A, I, R> =>
  Schema.make(ast_.annotate(schema.ast))

/**
 * Whether the Schema is marked, or holds a marked part at any depth.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isSensitive = (schema: Schema.Schema.All): boolean => ast_.contains(schema.ast)

/**
 * Gives a pure function that replaces every sensitive part of a value of the Schema by {@link placeholder}, deep in
 * structs, arrays, records and unions. It is total: a value that does not have the shape of the Schema is replaced
 * where a sensitive part might hide in it. A value without sensitive parts is returned as it is.
 *
 * @example
 * ```ts
 * import { Sensitive } from "effect-batch"
 * import { Schema } from "effect"
 *
 * const mask = Sensitive.mask(Schema.Struct({ id: Schema.Number, iban: Sensitive.make(Schema.String) }))
 *
 * assert.deepStrictEqual(mask({ id: 1, iban: "DE02" }), { id: 1, iban: "<sensitive>" })
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const mask = (schema: Schema.Schema.All): (value: unknown) => unknown => mask_.compile(schema.ast)

/**
 * Gives a pure function that formats what a decoder or an encoder of the Schema found wrong, as one issue per place.
 * Issues at, in or around a sensitive part name the place and what was expected, never a value; their custom messages
 * are left out, because these may quote the value.
 *
 * @example
 * ```ts
 * import { Sensitive } from "effect-batch"
 * import { Either, Schema } from "effect"
 *
 * const Account = Schema.Struct({ id: Schema.Number, iban: Sensitive.make(Schema.String) })
 * const format = Sensitive.formatIssues(Account)
 *
 * const result = Schema.decodeUnknownEither(Account, { errors: "all" })({ id: "one", iban: 2 })
 * assert.deepStrictEqual(
 *   Either.mapLeft(result, (error) => format(error.issue).map(({ message, path }) => `${path}: ${message}`)),
 *   Either.left([
 *     `id: Expected number, actual "one"`,
 *     `iban: Expected string, actual <sensitive>`
 *   ])
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const formatIssues = (schema: {
  readonly ast: AST.AST
}): (issue: ParseResult.ParseIssue) => ReadonlyArray<Issue> => {
  const format = issues_.compile(schema.ast)
  return (issue) => format(issue).map(({ message, path }) => new Issue({ message, path }))
}
