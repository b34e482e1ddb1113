/**
 * Causes in the words of the person who is called at night: one line that says what happened and where.
 */
import * as Cause from "effect/Cause"
import * as ConfigError from "effect/ConfigError"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { oneLine, visible } from "../base/text.js"

/**
 * An error that no skip or retry policy may touch: the engine's own failures, and those of listeners. It is unwrapped
 * before anybody outside sees it.
 */
export class Fatal {
  readonly _tag = "effect-batch/Fatal"
  constructor(readonly error: unknown) {}
}

/** The member in which an error says at which of the outputs, counted from 0, a write was refused. */
export const refusedItem: unique symbol = Symbol.for("effect-batch/refusedItem")

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

/** `Tag: message` on one line. */
export const describeError = (error: unknown): string => {
  const line = messageOf(error)
  return typeof error === "string" ? line : line === "" ? tagOf(error) : `${tagOf(error)}: ${line}`
}

/**
 * What an error says, on one line. Configuration and a database that cannot be reached are told in more words than their
 * libraries have, because they are what stops a program that is started for the first time.
 */
export const messageOf = (error: unknown): string => {
  if (ConfigError.isConfigError(error)) {
    return `${inConfig(error)} (set it in the environment of the program, or in its ConfigProvider)`
  }
  const text = textOf(error)
  return Predicate.isTagged(error, "SqlError") ? unreachable(error, text) ?? text : text
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const textOf = (error: unknown): string => {
  const message = typeof error === "string"
    ? error
    : Predicate.hasProperty(error, "message") && typeof error.message === "string"
    ? error.message
    : ""
  return visible(message.replaceAll(/\s*\n\s*/g, " ").trim())
}

/** Names of keys only: a value may be a secret, and so may a message that quotes it. */
const inConfig = (error: ConfigError.ConfigError): string => {
  switch (error._op) {
    case "And":
      return `${inConfig(error.left)} and ${inConfig(error.right)}`
    case "Or":
      return `${inConfig(error.left)} or ${inConfig(error.right)}`
    case "MissingData":
      return `${keyOf(error)} is not set`
    case "InvalidData":
      return `${keyOf(error)} has a value that cannot be used`
    case "SourceUnavailable":
      return `${keyOf(error)} cannot be read, because its source is not available`
    case "Unsupported":
      return `${keyOf(error)} cannot be read from this source`
  }
}

/** As the environment spells it, where the error knows that. */
const keyOf = ({ message, path }: { readonly message: string; readonly path: ReadonlyArray<string> }): string =>
  /^Expected (\S+) to exist in /.exec(message)?.[1] ??
    (path.length === 0 ? "a value" : path.join("."))

/** A database that lets nobody in: what its driver says, and what helps. Other failures may quote rows and are left alone. */
const unreachable = (error: unknown, text: string): string | undefined => {
  const causes = causesOf(error)
  const advice = causes.map(({ code }) => Object.hasOwn(ADVICE, code) ? ADVICE[code] : undefined).find(Boolean)
  if (advice === undefined && !text.startsWith("PgClient: ")) {
    return undefined
  }
  const said = [...new Set(causes.flatMap(({ message }) => message === "" ? [] : [message]))].join(", ")
  const whole = said === "" || said === text ? text : `${text}: ${said}`
  return `${withoutPassword(whole)} (${advice ?? "check the URL of the database"})`
}

/** The innermost errors; a host with several addresses has one for each. */
const causesOf = (error: unknown, depth = 0): ReadonlyArray<{ readonly code: string; readonly message: string }> => {
  const within = depth > 10
    ? []
    : Predicate.hasProperty(error, "errors") && Array.isArray(error.errors)
    ? error.errors
    : Predicate.hasProperty(error, "cause") && Predicate.isObject(error.cause)
    ? [error.cause]
    : []
  return within.length > 0
    ? within.flatMap((cause) => causesOf(cause, depth + 1))
    : [{
      code: Predicate.hasProperty(error, "code") ? String(error.code) : "",
      message: oneLine(textOf(error))
    }]
}

const withoutPassword = (text: string): string => text.replace(/(\w:\/\/[^\s:/@]*):\S*@/g, "$1:<redacted>@")

const LISTENING = "check that the database is running and listens at this address"
const REACHABLE = "check the address of the database, and the network on the way there"
const CREDENTIALS = "check the user and the password in the URL of the database"

/** By error code of Node or SQLSTATE. */
const ADVICE: Readonly<Record<string, string>> = {
  ECONNREFUSED: LISTENING,
  ENOENT: LISTENING,
  ENOTFOUND: "check the name of the host in the URL of the database",
  EAI_AGAIN: "check the name of the host in the URL of the database",
  ETIMEDOUT: REACHABLE,
  ECONNRESET: REACHABLE,
  EHOSTUNREACH: REACHABLE,
  ENETUNREACH: REACHABLE,
  "28000": CREDENTIALS,
  "28P01": CREDENTIALS,
  "3D000": "create this database, or correct its name in the URL",
  "53300": "the server has no connection left: use smaller pools, or let it take more",
  "57P03": "wait until the server has started, and try again"
}

const placeOf = (error: unknown): string => {
  const stack = error instanceof Error && typeof error.stack === "string" ? error.stack : ""
  const frame = stack.split("\n").find((line) => /^\s+at /.test(line) && !/node_modules|node:internal/.test(line))
  const place = frame?.match(/\(?((?:file:\/\/)?[^()\s]+:\d+:\d+)\)?\s*$/)?.[1]
  return place === undefined ? "" : ` (at ${place.replace(/^file:\/\//, "")})`
}
