/**
 * Masking of values: a Schema is compiled once into a function over values of its type side.
 */
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import { contains, fieldsOf, isMarked, placeholder } from "./sensitiveAst.js"

type Mask = (value: unknown) => unknown

/** @internal */
export const compile = (ast: AST.AST): Mask => go(ast, new Map())

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const keep: Mask = (value) => value

const hide: Mask = () => placeholder

/**
 * `compiled` ties the knot of recursive schemas: a node that is being compiled is called through the map later.
 */
const go = (ast: AST.AST, compiled: Map<AST.AST, Mask | undefined>): Mask => {
  if (!contains(ast)) {
    return keep
  }
  if (isMarked(ast)) {
    return hide
  }
  if (compiled.has(ast)) {
    return (value) => (compiled.get(ast) ?? hide)(value)
  }
  compiled.set(ast, undefined)
  const mask = compileNode(ast, compiled)
  compiled.set(ast, mask)
  return mask
}

const compileNode = (ast: AST.AST, compiled: Map<AST.AST, Mask | undefined>): Mask => {
  switch (ast._tag) {
    case "Refinement":
      return go(ast.from, compiled)
    case "Suspend":
      // Unfolded only as deep as the value is: the nodes below may be new ones without end.
      return (value) => go(ast.f(), compiled)(value)
    case "Transformation":
      // A type side that knows nothing of the marks may hold what was marked anywhere.
      return contains(ast.to) ? go(ast.to, compiled) : hide
    case "TypeLiteral":
      return struct(ast, compiled)
    case "TupleType":
      return tuple(ast, compiled)
    case "Union":
      return union(ast, compiled)
    case "Declaration":
      return declaration(ast, compiled)
    default:
      return hide
  }
}

const struct = (ast: AST.TypeLiteral, compiled: Map<AST.AST, Mask | undefined>): Mask => {
  const properties = new Map(
    ast.propertySignatures.map((signature) => [signature.name, go(signature.type, compiled)] as const)
  )
  const rest = ast.indexSignatures.map((signature) => ({
    accepts: ParseResult.is(Schema.make(AST.typeAST(signature.parameter))),
    mask: go(signature.type, compiled)
  }))
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return placeholder
    }
    return Object.fromEntries(
      Reflect.ownKeys(value).map((key) => {
        const mask = properties.get(key) ?? rest.find((signature) => signature.accepts(key))?.mask ?? keep
        return [key, mask((value as Record<PropertyKey, unknown>)[key])]
      })
    )
  }
}

const tuple = (ast: AST.TupleType, compiled: Map<AST.AST, Mask | undefined>): Mask => {
  const elements = ast.elements.map((element) => go(element.type, compiled))
  const rest = ast.rest.map((element) => go(element.type, compiled))
  const last = rest.length - 1
  return (value) => {
    if (!Array.isArray(value)) {
      return placeholder
    }
    return value.map((element, index) => {
      const fromEnd = value.length - index
      const mask = elements[index] ?? (fromEnd <= last ? rest[last - fromEnd + 1] : rest[0])
      return (mask ?? hide)(element)
    })
  }
}

/** Every member that the value fits has its say, so that a lenient member cannot uncover what another one hides. */
const union = (ast: AST.Union, compiled: Map<AST.AST, Mask | undefined>): Mask => {
  const members = ast.types.map((type) => ({
    accepts: ParseResult.is(Schema.make(AST.typeAST(type))),
    mask: go(type, compiled)
  }))
  return (value) => {
    const fitting = members.filter((member) => member.accepts(value))
    return fitting.length === 0 ? placeholder : fitting.reduce((masked, member) => member.mask(masked), value)
  }
}

const declaration = (ast: AST.Declaration, compiled: Map<AST.AST, Mask | undefined>): Mask => {
  const fields = fieldsOf(ast)
  return fields === undefined ? hide : go(fields, compiled)
}
