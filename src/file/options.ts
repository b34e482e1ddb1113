/**
 * Options that make no sense are refused where a component is made, before a job begins.
 */
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

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const shown = (value: unknown): string => typeof value === "string" ? JSON.stringify(value) : String(value)
