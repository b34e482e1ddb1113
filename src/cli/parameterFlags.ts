/**
 * Flags from the declared parameters of a job: their names, types and help come from the Schema. Values stay text until
 * the Schema decodes them, so that every problem is told at once and in its words.
 */
import * as Options from "@effect/cli/Options"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import type * as JobParameters from "../vocabulary/JobParameters.js"

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
export interface Flag {
  readonly parameter: string
  /** Without dashes. */
  readonly name: string
  readonly kind: Kind
  readonly isRequired: boolean
  readonly description: string
}

/** @internal */
export const flags = (
  declaration: JobParameters.Declaration<any>,
  reserved: ReadonlyArray<string>
): ReadonlyArray<Flag> =>
  Object.entries(declaration.fields).map(([parameter, field]) => {
    const { encoded, isRequired, type } = sides(parameter, field)
    const isSecret = declaration.redacted.includes(parameter)
    const kind = isSecret ? { _tag: "Text" as const, hint: "secret" } : kindOf(encoded, type)
    return {
      parameter,
      name: flagName(parameter, reserved),
      kind,
      isRequired,
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

/** The given parameters by name, encoded; what is not given is left out. @internal */
export const options = (
  flags: ReadonlyArray<Flag>,
  isComplete: boolean
): Options.Options<Readonly<Record<string, unknown>>> =>
  flags.length === 0
    ? Options.map(Options.none, () => ({}))
    : Options.map(
      Options.all(flags.map((flag) => optionOf(flag, isComplete && flag.isRequired))),
      (given) =>
        Object.fromEntries(
          flags.flatMap(({ kind, parameter }, index) =>
            Option.match(given[index] ?? Option.none<string>(), {
              onNone: () => [],
              onSome: (text) => [[parameter, parse(kind, text)]]
            })
          )
        )
    )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const optionOf = (
  { description, kind, name, parameter }: Flag,
  isRequired: boolean
): Options.Options<Option.Option<string>> => {
  const base: Options.Options<string> = kind._tag === "Choice"
    ? Options.choice(name, kind.choices.map(String))
    : Options.withPseudoName(
      Options.text(name),
      kind._tag === "Text" ? kind.hint : kind._tag === "Number" ? "number" : "json"
    )
  const aliased = parameter !== name && /^[A-Za-z][A-Za-z0-9]+$/.test(parameter)
    ? Options.withAlias(base, parameter)
    : base
  const described = Options.withDescription(aliased, description)
  return isRequired ? Options.map(described, Option.some) : Options.optional(described)
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
