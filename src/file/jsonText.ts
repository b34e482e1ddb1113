/**
 * Values as JSON, exactly or not at all: `JSON.stringify` writes `null` for what is no number, `{}` for a `Map` and
 * `"<redacted>"` for a `Redacted` (OWN-24).
 */
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import { lostMember } from "../base/lostMembers.js"

/**
 * What has no form in JSON.
 *
 * @internal
 */
export interface Misfit {
  readonly problem: string
  /** The path of the member in trouble. */
  readonly member: string | undefined
}

/**
 * The JSON text of a value. Members that are `undefined` are left out; a valid `Date` is its text.
 *
 * @internal
 */
export const stringify = (value: unknown): Either.Either<string, Misfit> => {
  try {
    const check = new Check()
    if (!check.fits(value)) {
      const member = check.path.length === 0 ? undefined : check.path.reverse().join("").replace(/^\./, "")
      const what = member === undefined ? "" : `: ${member} is ${check.problem}`
      return Either.left({ problem: `it has no form in JSON${what || `: it is ${check.problem}`}`, member })
    }
    return Either.right(check.negativeZero ? write(value) : JSON.stringify(value))
  } catch (error) {
    return Either.left({
      problem: /string length/.test(String(error))
        ? "its JSON is longer than a text in JavaScript can be (512 MiB)"
        : "it has no form in JSON: it holds itself, or is nested too deeply",
      member: undefined
    })
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

class Check {
  problem = ""
  /** From the inside out. */
  readonly path: Array<string> = []
  /** `JSON.stringify` makes `0` of it. */
  negativeZero = false

  fits(value: unknown): boolean {
    switch (typeof value) {
      case "string":
      case "boolean":
        return true
      case "number":
        this.negativeZero = this.negativeZero || Object.is(value, -0)
        return Number.isFinite(value) || this.fail(`the number ${value}`)
      case "object":
        return value === null || (Array.isArray(value) ? this.fitsAll(value) : this.fitsObject(value))
      default:
        return this.fail(value === undefined ? "undefined" : `a ${typeof value}`)
    }
  }

  private fitsAll(values: ReadonlyArray<unknown>): boolean {
    for (let i = 0; i < values.length; i++) {
      if (!this.fits(values[i])) {
        this.path.push(`[${i}]`)
        return false
      }
    }
    return this.isWhole(values)
  }

  private fitsObject(value: object): boolean {
    const prototype = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null && !isData(value)) {
      return value instanceof Date
        ? !Number.isNaN(value.getTime()) || this.fail("a date that is not valid")
        : this.fail(`${nameOf(value)}; encode it by a schema`)
    }
    for (const key of Object.keys(value)) {
      const member = (value as Record<string, unknown>)[key]
      if (member !== undefined && !this.fits(member)) {
        this.path.push(/^\w+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`)
        return false
      }
    }
    return this.isWhole(value)
  }

  private isWhole(value: object): boolean {
    const lost = lostMember(value)
    return lost === undefined || this.fail(`an ${Array.isArray(value) ? "array" : "object"} with ${lost}`)
  }

  private fail(problem: string): false {
    this.problem = problem
    return false
  }
}

/** An instance of a class that shows what it holds, as those of `Schema.Class` and `Data.Class` do. */
const isData = (value: object): boolean =>
  Object.prototype.toString.call(value) === "[object Object]" && !("toJSON" in value) && Object.keys(value).length > 0

const nameOf = (value: object): string => {
  const tag = Object.prototype.toString.call(value).slice(8, -1)
  const name = tag === "Object" ? value.constructor?.name ?? tag : tag
  return Redacted.isRedacted(value) ? "a Redacted" : `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name}`
}

/** As `JSON.stringify`, with the sign of zero. */
const write = (value: unknown): string => {
  if (typeof value === "number") {
    return Object.is(value, -0) ? "-0" : JSON.stringify(value)
  }
  if (typeof value !== "object" || value === null || value instanceof Date) {
    return JSON.stringify(value)
  }
  return Array.isArray(value)
    ? `[${value.map(write).join(",")}]`
    : `{${
      Object.entries(value)
        .filter(([, member]) => member !== undefined)
        .map(([key, member]) => `${JSON.stringify(key)}:${write(member)}`)
        .join(",")
    }}`
}
