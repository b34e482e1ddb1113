/**
 * Options that make no sense are refused where a component is made, before a job begins.
 */
import * as Schema from "effect/Schema"
import { constants } from "node:buffer"
import { didYouMean } from "../base/text.js"
import { JobDefinitionError } from "../vocabulary/BatchError.js"
import { defaultBufferSize, defaultMaxRecordSize } from "./byteWindow.js"

/**
 * Throws `JobDefinitionError` when there are defects.
 *
 * @internal
 */
export const refuse = (component: string, defects: ReadonlyArray<string>): void => {
  if (defects.length > 0) {
    throw new JobDefinitionError({ defects: defects.map((defect) => `${component}: ${defect}`) })
  }
}

/** @internal */
export const oneOf = <A>(name: string, value: A | undefined, allowed: ReadonlyArray<A>): ReadonlyArray<string> =>
  value === undefined || allowed.includes(value)
    ? []
    : [
      `\`${name}\` is ${shown(value)}${didYouMean(String(value), allowed.map(String))}; there are ` +
      allowed.map(shown).join(", ")
    ]

/**
 * What is wrong with the sizes of a reader. All that it has in memory at once has to fit into one string.
 *
 * @internal
 */
export const sizeDefects = (sizes: {
  readonly bufferSize?: number | undefined
  readonly maxRecordSize?: number | undefined
}): ReadonlyArray<string> => {
  const { bufferSize = defaultBufferSize, maxRecordSize = defaultMaxRecordSize } = sizes
  const wrong = [...whole("bufferSize", bufferSize, 1), ...whole("maxRecordSize", maxRecordSize, 1)]
  return wrong.length > 0 || 2 * maxRecordSize + bufferSize <= constants.MAX_STRING_LENGTH
    ? wrong
    : [
      `\`maxRecordSize\` is ${maxRecordSize} and \`bufferSize\` ${bufferSize}; twice the one and the other together can ` +
      `be at most ${constants.MAX_STRING_LENGTH} bytes, the longest text in JavaScript`
    ]
}

/** @internal */
export const whole = (name: string, value: number, least: number): ReadonlyArray<string> =>
  Number.isSafeInteger(value) && value >= least
    ? []
    : [`\`${name}\` is ${shown(value)}, give a whole number of at least ${least}`]

/**
 * What is wrong with options that are true or false.
 *
 * @internal
 */
export const flags = <A extends object>(options: A, names: ReadonlyArray<keyof A & string>): ReadonlyArray<string> =>
  names.flatMap((name) =>
    options[name] === undefined || typeof options[name] === "boolean"
      ? []
      : [`\`${name}\` is ${shown(options[name])}, give true or false`]
  )

/**
 * What is wrong with options that are lists of texts.
 *
 * @internal
 */
export const lists = <A extends object>(options: A, names: ReadonlyArray<keyof A & string>): ReadonlyArray<string> =>
  names.flatMap((name) => {
    const value: unknown = options[name]
    return value === undefined || (Array.isArray(value) && value.every((each) => typeof each === "string"))
      ? []
      : [`\`${name}\` is ${shown(value)}, give an array of texts`]
  })

/** @internal */
export const footers = ({ footer }: { readonly footer?: unknown }): ReadonlyArray<string> =>
  footer === undefined || typeof footer === "function"
    ? []
    : [`\`footer\` is ${shown(footer)}, give a function that makes the text`]

/**
 * Options that there are not, which would be passed over without a word, and a schema that is none.
 *
 * @internal
 */
export const unknown = (options: object, known: ReadonlyArray<string>): ReadonlyArray<string> => {
  const names = Object.keys(options).filter((name) => name !== "schema" && !known.includes(name))
  const schema = (options as { readonly schema?: unknown }).schema
  return [
    ...names.map((name) => `there is no option \`${name}\`${didYouMean(name, known)}`),
    ...(schema === undefined || Schema.isSchema(schema) ? [] : [`\`schema\` is ${shown(schema)}, give a Schema`])
  ]
}

/** @internal */
export const shown = (value: unknown): string =>
  typeof value === "string"
    ? JSON.stringify(value)
    : typeof value === "function"
    ? "a function"
    : Array.isArray(value)
    ? "an array"
    : typeof value === "object" && value !== null
    ? "an object"
    : String(value)
