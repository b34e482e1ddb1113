/**
 * The declared parameters of a job as somebody types them, into a command line or a form: their kinds and help come from
 * the Schema. Values stay text until the Schema decodes them, so that every problem is told at once and in its words.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import type * as JobParameters from "../vocabulary/JobParameters.js"

/**
 * How a parameter is written.
 */
export type Kind =
  | { readonly _tag: "Text"; readonly hint: string }
  | { readonly _tag: "Number" }
  | { readonly _tag: "Choice"; readonly choices: ReadonlyArray<string | number | boolean> }
  | { readonly _tag: "Json" }

export interface Input {
  readonly parameter: string
  readonly kind: Kind
  readonly isRequired: boolean
  readonly isSecret: boolean
  readonly description: string
  /** What the Schema puts in when it is not given, as people would type it. */
  readonly fallback: string | undefined
}

export const inputs = (declaration: JobParameters.Declaration<any, any>): ReadonlyArray<Input> =>
  Object.entries(declaration.fields).map(([parameter, field]) => {
    const { encoded, isRequired, type } = sides(parameter, field)
    const isSecret = declaration.redacted.includes(parameter)
    return {
      parameter,
      kind: isSecret ? { _tag: "Text" as const, hint: "secret" } : kindOf(encoded, type),
      isRequired,
      isSecret,
      fallback: isSecret ? undefined : fallbackOf(field),
      description: [
        ...Option.toArray(describe(field)),
        declaration.identifying.includes(parameter)
          ? "identifies the job instance"
          : "does not identify the job instance",
        ...(isSecret ? ["never shown"] : [])
      ].join("; ")
    }
  })

/** The encoded value that the text stands for. Text that is not of the kind stays text, for the Schema to refuse. */
export const parse = (kind: Kind, text: string): unknown => {
  switch (kind._tag) {
    case "Text":
      return text
    case "Number":
      return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text
    case "Choice":
      return kind.choices.find((choice) => String(choice) === text) ?? text
    case "Json":
      try {
        return JSON.parse(text)
      } catch {
        return text
      }
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** The default of the Schema, as text. */
const fallbackOf = (field: Schema.Struct.Field): string | undefined => {
  if (field.ast._tag !== "PropertySignatureTransformation") {
    return undefined
  }
  const value = Option.getOrUndefined(field.ast.decode(Option.none()))
  if (value === undefined || Option.isOption(value)) {
    return undefined
  }
  const text = Either.getOrElse(
    Schema.encodeUnknownEither(Schema.make<unknown, unknown>(field.ast.from.type))(value),
    () => value
  )
  return typeof text === "string" || typeof text === "number" || typeof text === "boolean"
    ? String(text).replace(/T00:00:00\.000Z$/, "")
    : undefined
}

/** The stored and the decoded side of one parameter. */
const sides = (parameter: string, field: Schema.Struct.Field) => {
  const single = Schema.Struct({ [parameter]: field }) as unknown as Schema.Schema<object>
  const encoded = propertyOf(Schema.encodedSchema(single).ast)
  const type = propertyOf(Schema.typeSchema(single).ast)
  return {
    encoded: encoded === undefined ? AST.unknownKeyword : withoutUndefined(encoded.type),
    type: type === undefined ? AST.unknownKeyword : withoutUndefined(type.type),
    isRequired: encoded !== undefined && !encoded.isOptional
  }
}

const propertyOf = (ast: AST.AST): AST.PropertySignature | undefined =>
  AST.isTypeLiteral(ast) ? ast.propertySignatures[0] : undefined

const withoutUndefined = (ast: AST.AST): AST.AST =>
  AST.isUnion(ast)
    ? AST.Union.make(ast.types.filter((part) => !AST.isUndefinedKeyword(part)))
    : ast

const kindOf = (encoded: AST.AST, type: AST.AST): Kind => {
  const choices = choicesOf(encoded)
  if (choices !== undefined) {
    return { _tag: "Choice", choices }
  }
  if (AST.isNumberKeyword(encoded)) {
    return { _tag: "Number" }
  }
  return AST.isStringKeyword(encoded) || AST.isTemplateLiteral(encoded)
    ? { _tag: "Text", hint: hintOf(type) }
    : { _tag: "Json" }
}

const choicesOf = (ast: AST.AST): ReadonlyArray<string | number | boolean> | undefined => {
  if (AST.isBooleanKeyword(ast)) {
    return [true, false]
  }
  const parts = AST.isUnion(ast) ? ast.types : [ast]
  const literals = parts.flatMap((part) =>
    AST.isLiteral(part) ? [part.literal] : AST.isEnums(part) ? part.enums.map(([, value]) => value) : []
  )
  const isAll = literals.length > 0 && parts.every((part) => AST.isLiteral(part) || AST.isEnums(part))
  return isAll && literals.every((literal) => literal !== null && typeof literal !== "bigint")
    ? literals as ReadonlyArray<string | number | boolean>
    : undefined
}

/** What the text stands for. */
const hintOf = (type: AST.AST): string => {
  switch (type._tag) {
    case "Refinement":
      return hintOf(type.from)
    case "NumberKeyword":
      return "number"
    case "BooleanKeyword":
      return "true|false"
    case "BigIntKeyword":
      return "integer"
    case "StringKeyword":
      return "text"
    default:
      return Option.match(AST.getIdentifierAnnotation(type), {
        onNone: () => "text",
        onSome: (name) => /date/i.test(name) ? "date" : "text"
      })
  }
}

/** What the author of the schema says, unless it is what every schema of its type says ("a string", "an integer"). */
const describe = (field: Schema.Struct.Field): Option.Option<string> => {
  for (const annotated of annotatedParts(field.ast)) {
    const description = AST.getDescriptionAnnotation(annotated)
    if (Option.isSome(description) && !/^an? /.test(description.value)) {
      return description
    }
  }
  return Option.none()
}

const annotatedParts = (ast: Schema.Struct.Field["ast"]): ReadonlyArray<AST.Annotated> => {
  switch (ast._tag) {
    case "PropertySignatureTransformation":
      return [ast.to, ast.from, ast.to.type, ast.from.type]
    case "PropertySignatureDeclaration":
      return [ast, ast.type]
    default:
      return [ast]
  }
}
