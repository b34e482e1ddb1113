/**
 * Causes in the words of the person who is called at night: one line that says what happened and where.
 */
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"

/**
 * An error that no skip or retry policy may touch: the engine's own failures, and those of listeners. It is unwrapped
 * before anybody outside sees it.
 */
export class Fatal {
  readonly _tag = "effect-batch/Fatal"
  constructor(readonly error: unknown) {}
}

export const unwrap = (cause: Cause.Cause<unknown>): Cause.Cause<unknown> =>
  Cause.map(cause, (error) => error instanceof Fatal ? error.error : error)

/** The error that stands for a cause: its first defect, which decides (LIFE-14), or else its first typed failure. */
export const errorOf = (cause: Cause.Cause<unknown>): Option.Option<unknown> =>
  Option.orElse(Cause.dieOption(cause), () => Cause.failureOption(cause))

/**
 * `Tag: message`, and for a defect also the place in the user's code. A cause of several errors is told by the one
 * that decides, and how many more there are.
 */
export const describe = (cause: Cause.Cause<unknown>): string => {
  const defects = new Set(Cause.defects(cause))
  const failures = new Set(Cause.failures(cause))
  const more = defects.size + failures.size - 1
  const others = more > 0 ? ` (and ${more} more)` : ""
  if (defects.size > 0) {
    const [defect] = defects
    return `${describeError(defect)}${placeOf(defect)}${others}`
  }
  const [failure] = failures
  return failures.size > 0 ? `${describeError(failure)}${others}` : "interrupted"
}

/** The name that policies and reports know an error by. */
export const tagOf = (error: unknown): string => {
  if (Predicate.hasProperty(error, "_tag") && typeof error._tag === "string") {
    return error._tag
  }
  return error instanceof Error ? error.name : typeof error
}

export const describeError = (error: unknown): string => {
  const message = error instanceof Error
    ? error.message
    : Predicate.hasProperty(error, "message") && typeof error.message === "string"
    ? error.message
    : typeof error === "string"
    ? error
    : ""
  const line = message.replaceAll(/\s*\n\s*/g, " ").trim()
  return typeof error === "string" ? line : line === "" ? tagOf(error) : `${tagOf(error)}: ${line}`
}

const placeOf = (error: unknown): string => {
  const stack = error instanceof Error && typeof error.stack === "string" ? error.stack : ""
  const frame = stack.split("\n").find((line) => /^\s+at /.test(line) && !/node_modules|node:internal/.test(line))
  const place = frame?.match(/\(?((?:file:\/\/)?[^()\s]+:\d+:\d+)\)?\s*$/)?.[1]
  return place === undefined ? "" : ` (at ${place.replace(/^file:\/\//, "")})`
}
