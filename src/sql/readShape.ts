/**
 * What the Schema of a reader wants of each column: the same text of the database may be wanted as text, as a Date or as
 * a bigint.
 */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

/**
 * The kinds of values that a Schema takes in a place. Where it takes text, it gets the exact text of the database.
 *
 * @internal
 */
export interface Want {
  readonly text: boolean
  readonly number: boolean
  readonly bigint: boolean
  readonly boolean: boolean
  readonly date: boolean
  /** An object or an array. */
  readonly json: boolean
  /** The elements, where an array is taken. */
  readonly items: Want | undefined
}

/** @internal */
export interface Shape {
  readonly columns: ReadonlyMap<string, Want>
  /** What is wanted of columns that the Schema does not name; undefined when it does not look at them. */
  readonly others: Want | undefined
}

/**
 * Whatever there is, as it is.
 *
 * @internal
 */
export const anything: Want = {
  text: true,
  number: true,
  bigint: true,
  boolean: true,
  date: true,
  json: true,
  items: undefined
}

/** @internal */
export const shapeOf = (schema: Schema.Schema.All): Shape => {
  const columns = new Map<string, Want>()
  let others: Want | undefined
  const visit = (ast: SchemaAST.AST, depth: number): void => {
    switch (ast._tag) {
      case "TypeLiteral":
        ast.propertySignatures.forEach(({ name, type }) => {
          const known = columns.get(String(name))
          const want = wantOf(type, 0)
          columns.set(String(name), known === undefined ? want : either(known, want))
        })
        ast.indexSignatures.forEach(({ type }) => {
          others = either(others ?? nothing, wantOf(type, 0))
        })
        break
      case "Union":
        ast.types.forEach((type) => visit(type, depth))
        break
      case "Refinement":
        visit(ast.from, depth)
        break
      case "Suspend":
        if (depth < DEPTH) {
          visit(ast.f(), depth + 1)
        }
        break
      default:
        others = anything
    }
  }
  visit(SchemaAST.encodedAST(schema.ast), 0)
  return { columns, others }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const DEPTH = 8

const nothing: Want = {
  text: false,
  number: false,
  bigint: false,
  boolean: false,
  date: false,
  json: false,
  items: undefined
}

const either = (one: Want, other: Want): Want => ({
  text: one.text || other.text,
  number: one.number || other.number,
  bigint: one.bigint || other.bigint,
  boolean: one.boolean || other.boolean,
  date: one.date || other.date,
  json: one.json || other.json,
  items: one.items === undefined ? other.items : other.items === undefined ? one.items : either(one.items, other.items)
})

const wantOf = (ast: SchemaAST.AST, depth: number): Want => {
  switch (ast._tag) {
    case "StringKeyword":
    case "TemplateLiteral":
      return { ...nothing, text: true }
    case "NumberKeyword":
      return { ...nothing, number: true }
    case "BigIntKeyword":
      return { ...nothing, bigint: true }
    case "BooleanKeyword":
      return { ...nothing, boolean: true }
    case "Literal":
      return ofLiteral(ast.literal)
    case "Enums":
      return ast.enums.reduce((want, [, value]) => either(want, ofLiteral(value)), nothing)
    case "ObjectKeyword":
    case "TypeLiteral":
      return { ...nothing, json: true }
    case "TupleType":
      return {
        ...nothing,
        json: true,
        items: [...ast.elements, ...ast.rest].reduce((want, { type }) => either(want, wantOf(type, depth + 1)), nothing)
      }
    case "Union":
      return ast.types.reduce((want, type) => either(want, wantOf(type, depth)), nothing)
    case "Refinement":
      return wantOf(ast.from, depth)
    case "Suspend":
      return depth < DEPTH ? wantOf(ast.f(), depth + 1) : anything
    case "Declaration":
      return isDate(ast) ? { ...nothing, date: true } : bytes.has(nameOf(ast)) ? nothing : anything
    case "UndefinedKeyword":
    case "VoidKeyword":
    case "NeverKeyword":
      return nothing
    default:
      return anything
  }
}

const ofLiteral = (literal: SchemaAST.LiteralValue): Want => ({
  ...nothing,
  text: typeof literal === "string",
  number: typeof literal === "number",
  bigint: typeof literal === "bigint",
  boolean: typeof literal === "boolean"
})

const isDate = (ast: SchemaAST.AST): boolean =>
  ast.annotations[SchemaAST.SchemaIdAnnotationId] === Schema.DateFromSelfSchemaId

const bytes: ReadonlySet<unknown> = new Set(["Uint8ArrayFromSelf"])

const nameOf = (ast: SchemaAST.AST): unknown => ast.annotations[SchemaAST.IdentifierAnnotationId]
