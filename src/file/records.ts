/**
 * Decoding of records: the first problem decides, and only for a bad record all of them are gathered, in one
 * line and without sensitive values.
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import type * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import * as FastDecode from "../base/fastDecode.js"
import { oneLine } from "../base/text.js"
import { hasProto, losesProto, protoProblem } from "../item/lostNames.js"
import { wholeEncode } from "../item/wholeEncode.js"
import * as Sensitive from "../vocabulary/Sensitive.js"

/** @internal */
export interface Explanation {
  readonly problem: string
  /** The member of the record that the first problem is about. */
  readonly key: string | undefined
}

/** @internal */
export interface Codec<A> {
  readonly decode: (input: unknown) => Either.Either<A, ParseResult.ParseIssue>
  readonly explain: (input: unknown) => Explanation
  /** Whether the text of a record may hold sensitive values. */
  readonly sensitive: boolean
}

/** @internal */
export const codec = <A, I>(schema: Schema.Schema<A, I>): Codec<A> => {
  const all = ParseResult.decodeUnknownEither(schema, { errors: "all" })
  const format = formatter(schema)
  const decode = FastDecode.decodeUnknownEither(schema)
  const loses = losesProto(schema)
  const lost = (input: unknown) => new ParseResult.Type(schema.ast, input, protoProblem)
  return {
    decode: loses ? (input) => hasProto(input) ? Either.left(lost(input)) : decode(input) : decode,
    explain: (input) =>
      loses && hasProto(input)
        ? { problem: protoProblem, key: undefined }
        : Either.match(all(input), {
          onLeft: format,
          onRight: () => ({ problem: "cannot be decoded", key: undefined })
        }),
    sensitive: Sensitive.isSensitive(schema)
  }
}

/**
 * For readers without a schema: everything fits.
 *
 * @internal
 */
export const identity: Codec<any> = {
  decode: Either.right,
  explain: () => ({ problem: "cannot be decoded", key: undefined }),
  sensitive: false
}

/** @internal */
export type Encoder<I> = (item: unknown) => Either.Either<I, Explanation>

/**
 * Encodes items with the schema, if there is one, and says in words why that is impossible.
 *
 * @internal
 */
export const encoder = <I>(
  schema: Schema.Schema.Any | undefined,
  fits: (encoded: unknown) => encoded is I,
  otherwise: string
): Encoder<I> => {
  const check = (encoded: unknown) =>
    fits(encoded) ? Either.right(encoded) : Either.left({ problem: otherwise, key: undefined })
  if (schema === undefined) {
    return check
  }
  const encode = wholeEncode(schema)
  const format = formatter(schema)
  const loses = losesProto(schema)
  return (item) => {
    if (loses && hasProto(item)) {
      return Either.left({ problem: protoProblem, key: undefined })
    }
    const encoded = encode(item)
    return Either.isLeft(encoded) ? Either.left(format(encoded.left)) : check(encoded.right)
  }
}

/** @internal */
export const formatter = (schema: Schema.Schema.Any): (issue: ParseResult.ParseIssue) => Explanation => {
  const format = Sensitive.formatIssues(schema)
  return (issue) => {
    const issues = format(issue)
    const key = ParseResult.ArrayFormatter.formatIssueSync(issue)[0]?.path[0]
    return {
      problem: oneLine(issues.map(({ message, path }) => path === "" ? message : `${path}: ${message}`).join("; ")),
      key: key === undefined ? undefined : String(key)
    }
  }
}

/**
 * The members that a record of the schema has before decoding, or `undefined` when the schema is no plain struct.
 *
 * @internal
 */
export const encodedFields = (schema: Schema.Schema.Any): ReadonlyArray<AST.PropertySignature> | undefined => {
  const ast = AST.encodedAST(schema.ast)
  return AST.isTypeLiteral(ast) && ast.indexSignatures.length === 0 ? ast.propertySignatures : undefined
}
