/**
 * What is data, and what only looks like it when it is turned into text: a `Map` would become `{}`, a `Redacted` its
 * mask, half of a surrogate pair a replacement character. Each of these is refused instead.
 */
import * as Data from "effect/Data"
import * as Redacted from "effect/Redacted"
import { lostMember } from "../base/lostMembers.js"

/**
 * A value no column can hold, or not this one. Encoders throw it; who calls them knows item and column. `isData` says that
 * the kind of value is right and only this one does not fit, as the database might have said itself.
 *
 * @internal
 */
export class Unfit {
  constructor(readonly problem: string, readonly isData = false) {}
}

/**
 * Refuses a value that would be changed.
 *
 * @internal
 */
export const refuse = (problem: string): never => {
  throw new Unfit(problem, true)
}

/**
 * What a value is, in words for a message. Never the value itself.
 *
 * @internal
 */
export const kindOf = (value: unknown): string => {
  if (typeof value !== "object" || value === null) {
    return value === null ? "null" : `a ${typeof value}`
  }
  if (Redacted.isRedacted(value)) {
    return "a Redacted value (take it out with Redacted.value)"
  }
  const name: unknown = value.constructor?.name
  return Array.isArray(value)
    ? "an array"
    : isPlain(value)
    ? "an object"
    : `an instance of ${String(name ?? "a class")}`
}

/** @internal */
export const notFor = (value: unknown, column: string): Unfit => {
  const problem = `${kindOf(value)} is no value of ${column}`
  const isTold = /[;,]/.test(column) || Redacted.isRedacted(value)
  return new Unfit(isTold ? problem : `${problem}; convert it in the processor, or by the schema of the writer`)
}

/**
 * The text, if it is one: half of a surrogate pair has no UTF-8.
 *
 * @internal
 */
export const wellFormed = (text: string): string => {
  return isWellFormed(text) ? text : refuse("the text holds half of a surrogate pair, which would be replaced")
}

/**
 * The bytes of a `Uint8Array`. Other views are numbers of some size and order, so whoever has one says what its bytes are.
 *
 * @internal
 */
export const bytesOf = (value: object): Buffer | undefined =>
  value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : undefined

/**
 * The text of a valid date in UTC, so that it does not depend on where the process runs.
 *
 * @internal
 */
export const isoOf = (date: Date): string => {
  if (Number.isNaN(date.getTime())) {
    throw new Unfit("the date is not valid")
  }
  return date.toISOString()
}

/**
 * A value as JSON text that holds all of it.
 *
 * Plain objects, arrays, texts, finite numbers, booleans, null and valid dates (as ISO text) are data; a member that is
 * undefined is one that is not there. Everything else is refused, as `JSON.stringify` would change or drop it.
 *
 * @internal
 */
export const jsonText = (value: unknown): string => {
  const problem = problemIn(value)
  if (problem !== undefined) {
    throw new Unfit(problem.path === "" ? problem.what : `${problem.what} (at ${problem.path.replace(/^\./, "")})`)
  }
  return JSON.stringify(value)
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

// Node 20 has it, the library of TypeScript 5.9 for ES2022 does not.
const isWellFormed = (text: string): boolean =>
  (text as unknown as { readonly isWellFormed: () => boolean }).isWellFormed()

const structural: unknown = Object.getPrototypeOf(Data.struct({}))

const isPlain = (value: object): boolean => {
  const prototype: object | null = Object.getPrototypeOf(value)
  return prototype === null || prototype === structural || Object.getPrototypeOf(prototype) === null
}

interface Problem {
  readonly path: string
  readonly what: string
}

const problemIn = (value: unknown): Problem | undefined => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined
    case "number":
      return Number.isFinite(value) ? undefined : { path: "", what: `${value} is not a JSON number` }
    case "object":
      return value === null ? undefined : problemInObject(value)
    default:
      return { path: "", what: `a ${typeof value} is not a JSON value` }
  }
}

const problemInObject = (value: object): Problem | undefined => {
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const problem = problemIn(value[index])
      if (problem !== undefined) {
        return { ...problem, path: `[${index}]${problem.path}` }
      }
    }
    return lostIn(value)
  }
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? { path: "", what: "the date is not valid" } : undefined
  }
  if (!isPlain(value)) {
    return { path: "", what: `${kindOf(value)} is not data; encode it with the schema of the writer` }
  }
  for (const [key, member] of Object.entries(value)) {
    const problem = member === undefined ? undefined : problemIn(member)
    if (problem !== undefined) {
      return { ...problem, path: `.${key}${problem.path}` }
    }
  }
  return lostIn(value)
}

const lostIn = (value: object): Problem | undefined => {
  const lost = lostMember(value)
  return lost === undefined ? undefined : { path: "", what: `${kindOf(value)} with ${lost} would lose that` }
}
