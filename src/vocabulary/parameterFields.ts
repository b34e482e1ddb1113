/**
 * What the schema of one job parameter says about it, and the codec of that one
 * parameter. Parameters are coded one by one so that every problem is found at
 * once, and so that a message can be withheld where the value is secret.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import * as Json from "../base/json.js"
import { didYouMean, oneLine } from "../base/text.js"
import { InvalidJobParameters } from "./BatchError.js"
import * as Sensitive from "./sensitiveAst.js"

/** @internal */
export type Field = Schema.Struct.Field

/** @internal */
export type Coded = Either.Either<Coding, string>

const NonIdentifyingId = Symbol.for("effect-batch/JobParameters/nonIdentifying")

/** @internal */
export const nonIdentifying = <S extends Field>(self: S): S => {
  // both kinds of field return their own kind, which their common supertype does not say
  const annotated = self as unknown as { readonly annotations: (annotations: object) => S }
  return annotated.annotations({ [NonIdentifyingId]: true })
}

/** @internal */
export const isIdentifying = (field: Field): boolean => !marks(field).some((mark) => mark[NonIdentifyingId] === true)

/** @internal */
export const isRedacted = (field: Field): boolean => roots(field).some((ast) => someNode(ast, isSecretNode))

/** @internal */
export const encode = (name: string, field: Field, value: object): Coded =>
  withValidDate(name, field, value, pick(name, value)).pipe(
    Either.flatMap((picked) => code(name, field, value, Schema.encodeUnknownEither(single(name, field))(picked))),
    Either.flatMap((encoded) => asJson(name, field, encoded))
  )

/** @internal */
export const decode = (name: string, field: Field, value: object): Coded =>
  Either.flatMap(
    code(name, field, value, Schema.decodeUnknownEither(single(name, field))(pick(name, value))),
    (decoded) => withValidDate(name, field, value, decoded)
  )

/**
 * Codes every declared field and refuses every other one; collects all problems.
 *
 * @internal
 */
export const strictly = (
  declaration: { readonly fields: Schema.Struct.Fields },
  input: unknown,
  code: (name: string, field: Field, input: object) => Coded
): Either.Either<Coding, InvalidJobParameters> => {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    return Either.left(new InvalidJobParameters({ problems: [{ parameter: "", message: "are not an object" }] }))
  }
  const problems = unknownNames(Object.keys(declaration.fields), input)
  const coded: Array<[string, unknown]> = []
  for (const [name, field] of Object.entries(declaration.fields)) {
    Either.match(code(name, field, input), {
      onLeft: (message) => problems.push({ parameter: name, message }),
      onRight: (record) => coded.push(...Object.entries(record))
    })
  }
  return problems.length === 0
    ? Either.right(Object.fromEntries(coded))
    : Either.left(new InvalidJobParameters({ problems }))
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const unknownNames = (
  known: ReadonlyArray<string>,
  input: object
): Array<InvalidJobParameters["problems"][number]> => {
  const given = Object.entries(input).flatMap(([name, value]) => value === undefined ? [] : [name])
  return given.filter((name) => !known.includes(name)).map((parameter) => ({
    parameter,
    message: `is not a parameter of this job${didYouMean(parameter, known.filter((name) => !given.includes(name)))}`
  }))
}

type Coding = { readonly [name: string]: unknown }

const single = (name: string, field: Field): Schema.Schema<Coding, Coding> =>
  // the caller admits only fields that need no services
  Schema.Struct({ [name]: field }) as unknown as Schema.Schema<Coding, Coding>

const pick = (name: string, value: object): Coding =>
  Object.fromEntries(Object.entries(value).filter(([key, member]) => key === name && member !== undefined))

const code = (
  name: string,
  field: Field,
  given: object,
  result: Either.Either<Coding, ParseResult.ParseError>
): Coded => Either.mapLeft(result, (error) => explain(name, field, pick(name, given)[name], error))

/** `Schema.DateFromString` lets an invalid date pass; it must not become part of a job's identity. */
const withValidDate = (name: string, field: Field, given: object, decoded: Coding): Coded => {
  const value = decoded[name]
  return value instanceof Date && Number.isNaN(value.getTime())
    ? Either.left(isRedacted(field) ? HIDDEN : noDate(pick(name, given)[name]))
    : Either.right(decoded)
}

const noDate = (given: unknown): string =>
  typeof given === "string"
    ? oneLine(`is not a valid date: ${JSON.stringify(given)}; write it like "2026-06-30"`)
    : "is not a valid date"

const asJson = (name: string, field: Field, encoded: Coding): Coded =>
  encoded[name] === undefined
    ? Either.right({})
    : Either.mapBoth(Json.fromUnknown(encoded[name]), {
      onLeft: (detail) => isRedacted(field) ? HIDDEN : detail,
      onRight: (json) => ({ [name]: json })
    })

const HIDDEN = "is not valid (the value is secret and not shown)"

const explain = (name: string, field: Field, given: unknown, error: ParseResult.ParseError): string => {
  const issues = ParseResult.ArrayFormatter.formatErrorSync(error)
  if (isRedacted(field) && issues.some((issue) => issue._tag !== "Missing")) {
    return HIDDEN
  }
  // Of an optional value, that it is not `undefined` is no news.
  const told = issues.filter(({ message }) => !message.startsWith("Expected undefined, actual "))
  return oneLine(
    (told.length === 0 ? issues : told).map(({ message, path }) => {
      const inner = path.slice(path[0] === name ? 1 : 0).map(String).join(".")
      return inner !== "" ? `at ${inner}: ${message}` : NO_DATE.test(message) ? noDate(given) : message
    }).join("; ")
  )
}

/** It leaves out what was given. */
const NO_DATE = /^Expected a valid Date.*, actual Invalid Date$/

/** The ASTs a field is made of: one for a schema, two for a transforming property. */
const roots = (field: Field): ReadonlyArray<AST.AST> =>
  signatures(field).map((part) => "_tag" in part ? part : part.type)

const signatures = (field: Field): ReadonlyArray<AST.AST | AST.OptionalType> => {
  const ast = field.ast
  switch (ast._tag) {
    case "PropertySignatureTransformation":
      return [ast.from, ast.from.type, ast.to, ast.to.type]
    case "PropertySignatureDeclaration":
      return [ast.type]
    default:
      return [ast]
  }
}

/** Every set of annotations that speaks about the parameter as a whole. */
const marks = (field: Field): ReadonlyArray<AST.Annotations> => {
  const own = "annotations" in field.ast ? [field.ast.annotations] : []
  return [...own, ...signatures(field).flatMap((part) => "_tag" in part ? wrappers(part) : [part.annotations])]
}

/** A refinement, a transformation or an optional hides the mark of the schema inside it. */
const wrappers = (ast: AST.AST): ReadonlyArray<AST.Annotations> => {
  switch (ast._tag) {
    case "Refinement":
      return [ast.annotations, ...wrappers(ast.from)]
    case "Transformation":
      return [ast.annotations, ...wrappers(ast.from), ...wrappers(ast.to)]
    case "Union":
      return [ast.annotations, ...ast.types.flatMap(wrappers)]
    default:
      return [ast.annotations]
  }
}

const isSecretNode = (ast: AST.AST): boolean =>
  Sensitive.isMarked(ast) || Option.exists(
    AST.getAnnotation<AST.TypeConstructorAnnotation>(AST.TypeConstructorAnnotationId)(ast),
    (constructor) => constructor._tag === "effect/Redacted"
  )

/** Bounded, because a recursive schema may unfold for ever into new nodes. */
const someNode = (root: AST.AST, predicate: (ast: AST.AST) => boolean): boolean => {
  const queue = [root]
  const seen = new Set(queue)
  for (let i = 0; i < queue.length && i < MOST_NODES; i++) {
    if (predicate(queue[i]!)) {
      return true
    }
    for (const part of Sensitive.parts(queue[i]!)) {
      if (!seen.has(part)) {
        seen.add(part)
        queue.push(part)
      }
    }
  }
  return false
}

const MOST_NODES = 20_000
