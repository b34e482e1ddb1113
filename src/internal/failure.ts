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

/** The typed failure of a cause, or its defect; interruption alone has none. */
export const errorOf = (cause: Cause.Cause<unknown>): Option.Option<unknown> =>
  Option.orElse(Cause.failureOption(cause), () => Cause.dieOption(cause))

/** `Tag: message`, and for a defect also the place in the user's code. */
export const describe = (cause: Cause.Cause<unknown>): string => {
  const failure = Cause.failureOption(cause)
  if (Option.isSome(failure)) {
    return describeError(failure.value)
  }
  const defect = Cause.dieOption(cause)
  if (Option.isSome(defect)) {
    return `${describeError(defect.value)}${placeOf(defect.value)}`
  }
  return "interrupted"
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
