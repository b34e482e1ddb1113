/**
 * Members named `__proto__`, which a Schema can lose.
 */
import type * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import { somePart } from "../vocabulary/sensitiveAst.js"

/**
 * Whether the schema can lose a member named `__proto__`: a record by assigning it, which sets the prototype instead.
 *
 * @internal
 */
export const losesProto = (schema: Schema.Schema.Any): boolean =>
  somePart(
    schema.ast,
    (ast) =>
      AST.isTypeLiteral(ast) &&
      (ast.indexSignatures.length > 0 || ast.propertySignatures.some(({ name }) => name === "__proto__"))
  )

/**
 * Whether a value has such a member, however deep.
 *
 * @internal
 */
export const hasProto = (value: unknown): boolean =>
  typeof value === "object" && value !== null &&
  (Array.isArray(value)
    ? value.some(hasProto)
    : Object.hasOwn(value, "__proto__") || Object.values(value).some(hasProto))

/** @internal */
export const protoProblem = "it has a member named \"__proto__\", which its schema would lose"
