/**
 * Flags from the declared parameters of a job: their names, types and help come from the Schema. Values stay text until
 * the Schema decodes them, so that every problem is told at once and in its words.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import type * as JobParameters from "../vocabulary/JobParameters.js"
import type { Flag } from "./flag.js"

/**
 * How a parameter is written on a command line.
 *
 * @internal
 */
export type Kind =
  | { readonly _tag: "Text"; readonly hint: string }
  | { readonly _tag: "Number" }
  | { readonly _tag: "Choice"; readonly choices: ReadonlyArray<string | number | boolean> }
  | { readonly _tag: "Json" }

/** @internal */
export interface ParameterFlag {
  readonly parameter: string
  /** Without dashes. */
  readonly name: string
  readonly kind: Kind
  readonly isRequired: boolean
  readonly description: string
  /** What the Schema puts in when it is not given, as people would type it. */
  readonly fallback: string | undefined
}

/** @internal */
export const flags = (
  declaration: JobParameters.Declaration<any, any>,
  reserved: ReadonlyArray<string>
): ReadonlyArray<ParameterFlag> =>
  Object.entries(declaration.fields).map(([parameter, field]) => {
    const { encoded, isRequired, type } = sides(parameter, field)
    const isSecret = declaration.redacted.includes(parameter)
    const kind = isSecret ? { _tag: "Text" as const, hint: "secret" } : kindOf(encoded, type)
    return {
      parameter,
      name: flagName(parameter, reserved),
      kind,
      isRequired,
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

/** `businessDate` is written `--business-date`. @internal */
export const flagName = (parameter: string, reserved: ReadonlyArray<string>): string => {
  const kebab = parameter
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .toLowerCase()
  return kebab === "" || reserved.includes(kebab) ? `param-${kebab}` : kebab
}

/** The encoded value that the text stands for. Text that is not of the kind stays text, for the Schema to refuse. @internal */
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

/** The flags as a command takes them, by parameter; `isComplete` when all required ones have to be given. @internal */
export const toFlags = (
  flags: ReadonlyArray<ParameterFlag>,
  isComplete: boolean
): { readonly [parameter: string]: Flag<Option.Option<unknown>> } =>
  Object.fromEntries(
    flags.map(({ description, fallback, isRequired, kind, name, parameter }) => [parameter, {
      name,
      description,
      hint: hint(kind),
      choices: kind._tag === "Choice" ? kind.choices.map(String) : [],
      isRequired: isComplete && isRequired,
      isRepeated: false,
      fallback: isComplete ? fallback : undefined,
      read: (given) =>
        given.length === 0
          ? Either.right(Option.none())
          : Either.map(checked(kind, given[given.length - 1]!), Option.some)
    }])
  )

/** The given parameters by name, encoded; what is not given is left out. @internal */
export const parametersOf = (
  flags: ReadonlyArray<ParameterFlag>,
  input: { readonly [key: string]: unknown }
): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    flags.flatMap(({ parameter }) =>
      Option.match(input[parameter] as Option.Option<unknown>, {
        onNone: () => [],
        onSome: (value) => [[parameter, value]]
      })
    )
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const hint = (kind: Kind): string => {
  switch (kind._tag) {
    case "Text":
      return kind.hint
    case "Number":
      return "number"
    case "Choice":
      return kind.choices.join("|")
    case "Json":
      return "json"
  }
}

/** A choice is told here, where all of them are known; everything else is told by the Schema, in its words. */
const checked = (kind: Kind, text: string): Either.Either<unknown, string> => {
  const value = parse(kind, text)
  return kind._tag === "Choice" && !kind.choices.some((choice) => choice === value)
    ? Either.left(`must be one of ${kind.choices.join(", ")}`)
    : Either.right(value)
}

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
