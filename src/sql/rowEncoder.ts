/**
 * From items to the rows of a table, by a Schema.
 */
import * as Either from "effect/Either"
import type * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { hasProto, losesProto, protoProblem } from "../item/lostNames.js"
import { wholeEncode } from "../item/wholeEncode.js"
import * as Sensitive from "../vocabulary/Sensitive.js"
import type { SqlColumnError } from "./SqlFailure.js"
import type { Item } from "./tableWrite.js"
import * as tableWrite from "./tableWrite.js"

/**
 * The fields of a row; unknown when the schema is not that of a record with fixed ones.
 *
 * @internal
 */
export const fieldsOf = (ast: SchemaAST.AST): ReadonlyArray<string> | undefined => {
  const encoded = SchemaAST.encodedAST(ast)
  if (!SchemaAST.isTypeLiteral(encoded) || encoded.indexSignatures.length > 0) {
    return undefined
  }
  return encoded.propertySignatures.map(({ name }) => String(name))
}

/** @internal */
export const rowEncoder = <A extends object, I extends object>(table: string, schema: Schema.Schema<A, I>) => {
  const encode = wholeEncode(schema)
  const format = Sensitive.formatIssues(schema)
  const loses = losesProto(schema)
  return (items: ReadonlyArray<A>): Either.Either<ReadonlyArray<Item>, SqlColumnError> => {
    const rows: Array<Item> = []
    for (let index = 0; index < items.length; index++) {
      if (loses && hasProto(items[index])) {
        return Either.left(tableWrite.fieldError(table, "__proto__", index, protoProblem))
      }
      const row = encode(items[index]!)
      if (Either.isLeft(row)) {
        const [issue] = format(row.left)
        return Either.left(tableWrite.fieldError(table, issue?.path ?? "", index, issue?.message ?? "it does not fit"))
      }
      rows.push(row.right as Item)
    }
    return Either.right(rows)
  }
}
