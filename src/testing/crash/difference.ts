/**
 * The first place at which two values differ, so that nobody has to find it in two thousand rows. Pure.
 */
import { sameValue } from "../../base/sameValue.js"

export interface Difference {
  /** As one would write it in code, such as `output[3].cents`. */
  readonly path: string
  readonly expected: unknown
  readonly got: unknown
}

export const firstDifference = (path: string, expected: unknown, got: unknown): Difference | undefined => {
  if (sameValue(expected, got)) {
    return undefined
  }
  if (Array.isArray(expected) && Array.isArray(got)) {
    const shorter = Math.min(expected.length, got.length)
    for (let index = 0; index < shorter; index++) {
      const found = firstDifference(`${path}[${index}]`, expected[index], got[index])
      if (found !== undefined) {
        return found
      }
    }
    return { path: `${path}.length`, expected: expected.length, got: got.length }
  }
  if (isPlain(expected) && isPlain(got)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(got)])) {
      const found = firstDifference(`${path}.${key}`, expected[key], got[key])
      if (found !== undefined) {
        return found
      }
    }
  }
  return { path, expected, got }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
