/**
 * Which columns a CSV file has, which ones its schema wants, and how a row becomes a record.
 */
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import * as Sensitive from "../vocabulary/Sensitive.js"
import { isMarked } from "../vocabulary/sensitiveAst.js"
import { encodedFields } from "./records.js"

/** @internal */
export interface Expected {
  readonly required: ReadonlyArray<string>
  readonly optional: ReadonlyArray<string>
}

/** @internal */
export interface Mismatch {
  readonly missing: ReadonlyArray<string>
  readonly unexpected: ReadonlyArray<string>
  readonly duplicate: ReadonlyArray<string>
}

/**
 * The columns that rows of the schema have; `undefined` when the schema does not say.
 *
 * @internal
 */
export const expected = (schema: Schema.Schema.Any): Expected | undefined => {
  const fields = encodedFields(schema)
  return fields && {
    required: fields.filter((field) => !field.isOptional).map((field) => String(field.name)),
    optional: fields.filter((field) => field.isOptional).map((field) => String(field.name))
  }
}

/** @internal */
export const compare = (
  actual: ReadonlyArray<string>,
  wanted: Expected | undefined,
  strict: boolean
): Mismatch => {
  const names = new Set(actual)
  const known = new Set(wanted && [...wanted.required, ...wanted.optional])
  return {
    missing: (wanted?.required ?? []).filter((name) => !names.has(name)),
    unexpected: wanted && strict ? [...names].filter((name) => !known.has(name)) : [],
    duplicate: [...new Set(actual.filter((name, index) => actual.indexOf(name) !== index))]
  }
}

/** @internal */
export const fits = ({ duplicate, missing, unexpected }: Mismatch): boolean =>
  missing.length + unexpected.length + duplicate.length === 0

/** @internal */
export const toRecord = (names: ReadonlyArray<string>): (fields: ReadonlyArray<string>) => Record<string, string> =>
  names.includes("__proto__")
    // Assignment would set the prototype instead of a member.
    ? (fields) => Object.fromEntries(names.map((name, index) => [name, fields[index]!]))
    : (fields) => {
      const record: Record<string, string> = {}
      for (let i = 0; i < names.length; i++) {
        record[names[i]!] = fields[i]!
      }
      return record
    }

/**
 * Tells which columns may be shown. A schema that is sensitive in a way that cannot be told by column hides all.
 *
 * @internal
 */
export const shown = (schema: Schema.Schema.Any): (name: string) => boolean => {
  if (!Sensitive.isSensitive(schema)) {
    return () => true
  }
  const fields = isMarked(AST.encodedAST(schema.ast)) ? [] : encodedFields(schema) ?? []
  const marked = fields.filter((field) => Sensitive.isSensitive(Schema.make(field.type)))
  const hidden = new Set(marked.map((field) => String(field.name)))
  return (name) => hidden.size > 0 && !hidden.has(name)
}
