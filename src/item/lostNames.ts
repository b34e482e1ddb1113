/**
 * Members named `__proto__`, which a Schema can lose.
 */
import type * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import { parts } from "../vocabulary/sensitiveAst.js"

/**
 * Whether the schema can lose a member named `__proto__`: a record by assigning it, which sets the prototype instead.
 *
 * @internal
 */
export const losesProto = (schema: Schema.Schema.Any): boolean => {
  const queue: Array<AST.AST> = [schema.ast]
  const seen = new Set(queue)
  for (let i = 0; i < queue.length && i < nodeLimit; i++) {
    const ast = queue[i]!
    if (
      AST.isTypeLiteral(ast) &&
      (ast.indexSignatures.length > 0 || ast.propertySignatures.some(({ name }) => name === "__proto__"))
    ) {
      return true
    }
    for (const part of parts(ast)) {
      if (!seen.has(part)) {
        seen.add(part)
        queue.push(part)
      }
    }
  }
  return false
}

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

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Recursive schemas unfold for ever. */
const nodeLimit = 10_000
