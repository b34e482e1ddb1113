/**
 * From the rows of a reader to its items, by a Schema.
 */
import * as Either from "effect/Either"
import type * as ParseResult from "effect/ParseResult"
import type * as Schema from "effect/Schema"
import * as FastDecode from "../base/fastDecode.js"
import { hasProto, losesProto, protoProblem } from "../item/lostNames.js"
import * as Sensitive from "../vocabulary/Sensitive.js"
import type { Row } from "./keyset.js"
import type { Shape } from "./readShape.js"
import { shapeOf } from "./readShape.js"
import { adapter, Misread } from "./readValue.js"
import { SqlRowError } from "./SqlFailure.js"

/** @internal */
export type Decode<A> = (row: Row, key: () => string) => Either.Either<A, SqlRowError>

/**
 * What a row is by the Schema; `key` tells which row it is when it does not fit.
 *
 * @internal
 */
export const rowDecoder = <A, I>(reader: string, schema: Schema.Schema<A, I>): Decode<A> => {
  const decode = FastDecode.decodeUnknownEither(schema)
  const adapt = rowAdapter(shapeOf(schema))
  const format = Sensitive.formatIssues(schema)
  const problem = (issue: ParseResult.ParseIssue) =>
    format(issue).map(({ message, path }) => path === "" ? message : `${path}: ${message}`).join("; ")
  const loses = losesProto(schema)
  return (row, key) => {
    const misread = adapt(row as Record<string, unknown>) ?? (loses && hasProto(row) ? protoProblem : undefined)
    return misread === undefined
      ? Either.mapLeft(decode(row), (issue) => new SqlRowError({ reader, key: key(), problem: problem(issue) }))
      : Either.left(new SqlRowError({ reader, key: key(), problem: misread }))
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Makes of the values of a row what the Schema wants, in place, or says what is wrong: rows belong to nobody else. */
const rowAdapter = ({ columns, others }: Shape): (row: Record<string, unknown>) => string | undefined => {
  const adapters = new Map([...columns].map(([column, want]) => [column, adapter(want)]))
  const rest = others === undefined ? undefined : adapter(others)
  return (row) => {
    let at = ""
    try {
      for (at of rest === undefined ? adapters.keys() : Object.keys(row)) {
        if (Object.hasOwn(row, at)) {
          row[at] = (adapters.get(at) ?? rest!)(row[at])
        }
      }
      return undefined
    } catch (error) {
      if (error instanceof Misread) {
        return `${at}: ${error.problem}`
      }
      throw error
    }
  }
}
