/**
 * JSON as data: the one representation that everything durable goes through,
 * so that a value read back from memory equals the value read back from SQL.
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"
import { lostMember } from "./lostMembers.js"

/** @internal */
export type Json =
  | string
  | number
  | boolean
  | null
  | ReadonlyArray<Json>
  | { readonly [key: string]: Json }

/** @internal */
export type JsonRecord = { readonly [key: string]: Json }

/** @internal */
export const isRecord = (json: Json): json is JsonRecord =>
  typeof json === "object" && json !== null && !Array.isArray(json)

/**
 * The canonical text of a JSON value: keys sorted by code unit, no white space.
 * Injective, so equal texts mean equal values, and valid JSON, so it is also
 * the text that is stored.
 *
 * @internal
 */
export const canonical = (json: Json): string => {
  if (typeof json !== "object" || json === null) {
    return JSON.stringify(json)
  }
  if (isArray(json)) {
    return `[${json.map(canonical).join(",")}]`
  }
  return `{${Object.keys(json).sort().map((key) => `${JSON.stringify(key)}:${canonical(json[key]!)}`).join(",")}}`
}

/** @internal */
export const equals = (self: Json, that: Json): boolean => self === that || canonical(self) === canonical(that)

/**
 * Copies a value into the form it has after a JSON round trip, or says what in
 * it JSON cannot hold. Members that are `undefined` are left out and `-0`
 * becomes `0`, as `JSON.stringify` does; what it would silently distort
 * (`NaN`, `Date`, `bigint`, `Map`, …) is refused instead.
 *
 * @internal
 */
export const fromUnknown = (value: unknown): Either.Either<Json, string> => {
  try {
    return Either.right(copy(value, ""))
  } catch (error) {
    return Either.left(error instanceof NotJson ? error.detail : "the value is nested too deeply for JSON")
  }
}

/**
 * Parses JSON text that must hold an object.
 *
 * @internal
 */
export const parseRecord = (text: string): Either.Either<JsonRecord, string> => {
  const parsed = Either.try({
    try: () => JSON.parse(text) as Json,
    catch: () => "the text is not valid JSON"
  })
  return Either.filterOrLeft(parsed, isRecord, () => "the JSON is not an object")
}

/**
 * Any JSON value, as a Schema. Written by hand because `Schema.Record` loses a
 * key named `__proto__`.
 *
 * @internal
 */
export const Json: Schema.Schema<Json> = declareJson("Json", fromUnknown, {
  anyOf: ["object", "array", "string", "number", "boolean", "null"].map((type) => ({ type }))
})

/** @internal */
export const JsonRecord: Schema.Schema<JsonRecord> = declareJson(
  "JsonRecord",
  (value) => Either.filterOrLeft(fromUnknown(value), isRecord, () => "the JSON is not an object"),
  { type: "object" }
)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

class NotJson {
  constructor(readonly detail: string) {}
}

const isArray = (value: unknown): value is ReadonlyArray<Json> => Array.isArray(value)

const at = (path: string): string => path === "" ? "" : ` at ${path}`

const copy = (value: unknown, path: string): Json => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value
    case "number":
      if (!Number.isFinite(value)) {
        throw new NotJson(`JSON cannot hold the number ${value}${at(path)}`)
      }
      return value === 0 ? 0 : value
    case "object":
      return value === null ? null : copyObject(value, path)
    default:
      throw new NotJson(`JSON cannot hold a value of type ${typeof value}${at(path)}`)
  }
}

const copyObject = (value: object, path: string): Json => {
  if (Array.isArray(value)) {
    const elements = Array.from(value, (element, index) => copy(element, `${path}[${index}]`))
    return whole(value, path, elements)
  }
  if (Object.prototype.toString.call(value) !== "[object Object]" || "toJSON" in value) {
    throw new NotJson(`JSON cannot hold a ${value.constructor?.name ?? "special object"}${at(path)}`)
  }
  const entries: Array<readonly [string, Json]> = []
  for (const [key, member] of Object.entries(value)) {
    if (member !== undefined) {
      entries.push([key, copy(member, path === "" ? key : `${path}.${key}`)])
    }
  }
  return whole(value, path, Object.fromEntries(entries))
}

const whole = (value: object, path: string, copied: Json): Json => {
  const lost = lostMember(value)
  if (lost !== undefined) {
    throw new NotJson(`JSON cannot hold ${Array.isArray(value) ? "an array" : "an object"} with ${lost}${at(path)}`)
  }
  return copied
}

function declareJson<A extends Json>(
  identifier: string,
  parse: (value: unknown) => Either.Either<A, string>,
  jsonSchema: object
): Schema.Schema<A> {
  const code = () => (value: unknown, _: AST.ParseOptions, ast: AST.Declaration) =>
    Either.mapLeft(parse(value), (detail) => new ParseResult.Type(ast, value, detail))
  return Schema.declare([], { decode: code, encode: code }, {
    identifier,
    jsonSchema,
    arbitrary: () => (fc) =>
      fc.jsonValue({ maxDepth: 2 }).map(parse).filter(Either.isRight).map((parsed) => parsed.right)
  })
}
