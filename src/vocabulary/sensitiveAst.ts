/**
 * Where the sensitive parts of a Schema are.
 */
import * as Option from "effect/Option"
import * as AST from "effect/SchemaAST"

/** @internal */
export const SensitiveId: unique symbol = Symbol.for("effect-batch/Sensitive")

/** @internal */
export const placeholder = "<sensitive>"

const mark = { [SensitiveId]: true }

/**
 * Marks the node and everything that Schema may take out of it: both sides of a transformation, what a refinement
 * refines and the members of a union, so that the mark survives `typeSchema`, `encodedSchema`, `optionalWith` and
 * the flattening of unions.
 *
 * @internal
 */
export const annotate = (ast: AST.AST): AST.AST => {
  switch (ast._tag) {
    case "Refinement":
      return new AST.Refinement(annotate(ast.from), ast.filter, { ...ast.annotations, ...mark })
    case "Transformation":
      return new AST.Transformation(annotate(ast.from), annotate(ast.to), ast.transformation, {
        ...ast.annotations,
        ...mark
      })
    case "Union":
      return AST.Union.make(ast.types.map(annotate), { ...ast.annotations, ...mark })
    default:
      return AST.annotations(ast, mark)
  }
}

/** @internal */
export const isMarked = (ast: AST.AST): boolean =>
  Option.getOrElse(AST.getAnnotation<boolean>(ast, SensitiveId), () => false)

/**
 * Whether the node or any node below it is marked.
 *
 * @internal
 */
export const contains = (ast: AST.AST): boolean => {
  const known = containsMemo.get(ast)
  if (known !== undefined) {
    return known
  }
  const found = somePart(ast, isMarked)
  containsMemo.set(ast, found)
  return found
}

/**
 * The direct parts of a node.
 *
 * @internal
 */
export const parts = (ast: AST.AST): ReadonlyArray<AST.AST> => {
  switch (ast._tag) {
    case "Declaration":
      return ast.typeParameters
    case "Refinement":
      return [ast.from]
    case "Transformation":
      return [ast.from, ast.to]
    case "Union":
      return ast.types
    case "Suspend":
      return [ast.f()]
    case "TupleType":
      return [...ast.elements, ...ast.rest].map((element) => element.type)
    case "TypeLiteral":
      return [...ast.propertySignatures, ...ast.indexSignatures].map((signature) => signature.type)
    default:
      return []
  }
}

/**
 * The fields of a Schema class, which it keeps as its surrogate. What is inside of other declared types, an `Option`
 * or a `HashMap`, only their own code knows.
 *
 * @internal
 */
export const fieldsOf = (ast: AST.Declaration): AST.AST | undefined =>
  Option.getOrUndefined(AST.getSurrogateAnnotation(ast))

/**
 * Whether something holds for the schema or a part of it, however deep.
 *
 * The type side of a recursive schema unfolds for ever into new nodes, so the search is breadth-first and bounded,
 * far beyond the size of any schema that a person writes.
 *
 * @internal
 */
export const somePart = (root: AST.AST, holds: (ast: AST.AST) => boolean): boolean => {
  const queue = [root]
  const seen = new Set(queue)
  for (let i = 0; i < queue.length && i < LIMIT; i++) {
    const ast = queue[i]!
    if (holds(ast)) {
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

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const containsMemo = new WeakMap<AST.AST, boolean>()

const LIMIT = 20_000
