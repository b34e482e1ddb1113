/**
 * Which columns a CSV file has, which ones its schema wants, and how a row becomes a record.
 */
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import { repeated } from "../base/repeated.js"
import { quoted } from "../base/text.js"
import * as Sensitive from "../vocabulary/Sensitive.js"
import { isMarked } from "../vocabulary/sensitiveAst.js"
import type { Field } from "./csvRows.js"
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

/** @internal */
export interface Naming {
  readonly matchHeader: "exact" | "loose" | "position"
  readonly repeatedNames: "fail" | "number"
  readonly blankNames: "keep" | "fail" | "number"
  readonly headerNames: { readonly [column: string]: string }
  /** The columns that items have, as far as they are known. */
  readonly columns: ReadonlyArray<string> | undefined
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

/**
 * The columns of items, from the names in the header.
 *
 * @internal
 */
export const name = (
  header: ReadonlyArray<string>,
  { blankNames, columns, headerNames, matchHeader, repeatedNames }: Naming
): { readonly names: ReadonlyArray<string>; readonly detail: string | undefined } => {
  if (matchHeader === "position") {
    const wanted = columns ?? []
    return { names: wanted, detail: header.length === wanted.length ? undefined : otherWidth(header, wanted) }
  }
  const key = matchHeader === "loose" ? loosely : (text: string) => text
  const known = new Map([
    ...(columns ?? []).map((column) => [key(column), column] as const),
    ...Object.entries(headerNames).map(([column, inFile]) => [key(inFile), column] as const)
  ])
  const blank = header.findIndex((text) => text.trim() === "")
  const found = header.map((text, i) =>
    blankNames === "number" && text.trim() === "" ? `column_${i + 1}` : known.get(key(text)) ?? text
  )
  return {
    names: repeatedNames === "number" ? numbered(found) : found,
    detail: blankNames === "fail" && blank >= 0 ? `column ${blank + 1} has no name` : undefined
  }
}

/**
 * Columns that are one and the same when their names are matched loosely.
 *
 * @internal
 */
export const alike = (names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const keys = names.map(loosely)
  const twice = new Set(repeated(keys))
  return names.filter((_, i) => twice.has(keys[i]!))
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
    duplicate: repeated(actual)
  }
}

/**
 * What is wrong with `columns` beside a schema, in words.
 *
 * @internal
 */
export const unlikeSchema = (
  missing: ReadonlyArray<string>,
  unexpected: ReadonlyArray<string>
): ReadonlyArray<string> => [
  ...(missing.length === 0 ? [] : [`\`columns\` lacks ${quoted(missing)}, which the schema has`]),
  ...(unexpected.length === 0 ? [] : [`\`columns\` has ${quoted(unexpected)}, which the schema does not have`])
]

/** @internal */
export const fits = ({ duplicate, missing, unexpected }: Mismatch): boolean =>
  missing.length + unexpected.length + duplicate.length === 0

/** @internal */
export const toRecord = (names: ReadonlyArray<string>): (fields: ReadonlyArray<Field>) => Record<string, Field> =>
  names.includes("__proto__")
    // Assignment would set the prototype instead of a member.
    ? (fields) => Object.fromEntries(names.map((name, index) => [name, fields[index]!]))
    : (fields) => {
      const record: Record<string, Field> = {}
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

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const loosely = (name: string): string => name.normalize("NFC").toLowerCase().replace(/\s+/g, "")

const otherWidth = (header: ReadonlyArray<string>, wanted: ReadonlyArray<string>): string =>
  `the header has ${header.length} columns, \`columns\` has ${wanted.length}`

/** The second `a` becomes `a_2`, or what comes next if there is a column of that name. */
const numbered = (names: ReadonlyArray<string>): ReadonlyArray<string> => {
  const taken = new Set(names)
  const seen = new Set<string>()
  const next = new Map<string, number>()
  return names.map((name) => {
    if (!seen.has(name)) {
      seen.add(name)
      return name
    }
    let number = next.get(name) ?? 2
    while (taken.has(`${name}_${number}`)) {
      number++
    }
    next.set(name, number + 1)
    const other = `${name}_${number}`
    taken.add(other)
    return other
  })
}
