/**
 * Causes in the words of the person who is called at night: one line that says what happened and where.
 */
import * as Cause from "effect/Cause"
import * as ConfigError from "effect/ConfigError"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { oneLine } from "../base/text.js"
import * as Driver from "./driverText.js"
import { bounded, fieldsOf, inConfig, textOf, withoutPassword } from "./errorText.js"

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

/**
 * The member in which an error says which of the outputs are refused, all of them in their order, when that was tried: without
 * these the others can be written.
 */
export const refusedItems: unique symbol = Symbol.for("effect-batch/refusedItems")

/** One of these outputs, and why it is refused. */
export interface RefusedItem {
  readonly item: number
  readonly error: unknown
}

/** Begins the line of a chain that names the item. */
export const AT = "at "

/** Stands behind the failure that it is about. */
class AtItem {
  readonly _tag = "effect-batch/AtItem"
  constructor(readonly place: string) {}
}

/**
 * Says in the line of a cause at which item it came about, a defect too. `unwrap` takes that away again; the innermost place
 * stays.
 */
export const atItem = <E>(cause: Cause.Cause<E>, place: string | undefined): Cause.Cause<E> =>
  place === undefined || Cause.isInterruptedOnly(cause) || placeIn(cause) !== undefined
    ? cause
    : Cause.sequential(cause, Cause.fail(new AtItem(place) as E))

/** The cause as people outside may see it. */
export const unwrap = (cause: Cause.Cause<unknown>): Cause.Cause<unknown> =>
  Cause.map(
    placeIn(cause) === undefined ? cause : Cause.filter(cause, (part) => !isAtItem(part)),
    (error) => error instanceof Fatal ? error.error : error
  )

/** The error that stands for a cause: its first defect, which decides (LIFE-14), or else its first typed failure. */
export const errorOf = (cause: Cause.Cause<unknown>): Option.Option<unknown> =>
  Option.orElse(Cause.dieOption(cause), () => Cause.failureOption(cause))

/**
 * `Tag: message`, and for a defect also the place in the user's code, with the item at which it came about. A cause of
 * several errors is told by the one that decides, and how many more there are.
 */
export const describe = (wrapped: Cause.Cause<unknown>): string => {
  const cause = unwrap(wrapped)
  const place = placeIn(wrapped)
  const defects = new Set(Cause.defects(cause))
  const failures = new Set(Cause.failures(cause))
  const more = defects.size + failures.size - 1
  const others = `${place === undefined ? "" : ` [${place}]`}${more > 0 ? ` (and ${more} more)` : ""}`
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

/** `Tag: message` on one line, with what caused it. */
export const describeError = (error: unknown): string => {
  const told = unwrapped(error)
  const line = messageOf(told)
  return typeof told === "string" ? line : line === "" ? tagOf(told) : `${tagOf(told)}: ${line}`
}

/**
 * What an error says, on one line: its message or its fields, then its causes, the outermost first. What a driver of a
 * database says is told without the values of rows that it quotes. Configuration and a database that cannot be reached are
 * told in more words than their libraries have, because they are what stops a program that is started for the first time.
 */
export const messageOf = (error: unknown): string => {
  if (ConfigError.isConfigError(error)) {
    return `${inConfig(error)} (set it in the environment of the program, or in its ConfigProvider)`
  }
  const told = unwrapped(error)
  const text = ownText(told)
  if (Predicate.isTagged(told, "SqlError")) {
    return unreachable(told, text) ?? withDriver(told, text)
  }
  return bounded([text, ...causesBelow(told, text)].filter((part) => part !== "").join(", caused by "), LONGEST)
}

/**
 * Everything that is known of a cause, for people who look closer: each error with its fields, its place in the code and
 * its causes, one a line, the inner ones indented. Without secrets, and of bounded size: at most 60 lines and 12,000 characters.
 */
export const chainOf = (wrapped: Cause.Cause<unknown>): ReadonlyArray<string> => {
  const cause = unwrap(wrapped)
  const place = placeIn(wrapped)
  const roots = [...new Set([...Cause.defects(cause), ...Cause.failures(cause)])]
  const lines = [...(place === undefined ? [] : [`${AT}${place}`]), ...roots.flatMap((error) => chain(error, 0))]
  let length = 0
  const fitting = lines.findIndex((line, index) =>
    index === MOST_LINES || (length += line.length + 1) > MOST_CHARACTERS
  )
  return fitting === -1 ? lines : [...lines.slice(0, fitting), `… and ${lines.length - fitting} more`]
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const LONGEST = 4000
const MOST_LINES = 60
const MOST_CHARACTERS = 12_000
const DEEPEST = 8

const isAtItem = (cause: Cause.Cause<unknown>): boolean => Cause.isFailType(cause) && cause.error instanceof AtItem

const placeIn = (cause: Cause.Cause<unknown>): string | undefined =>
  Option.getOrUndefined(
    Cause.find(cause, (part) =>
      Cause.isFailType(part) && part.error instanceof AtItem ? Option.some(part.error.place) : Option.none())
  )

/** Wrappers that only say that something was wrapped stand for what they wrap. */
const unwrapped = (error: unknown): unknown =>
  Predicate.isTagged(error, "UnknownException") && Predicate.hasProperty(error, "error")
    ? error.error ?? error
    : error

const ownText = (error: unknown): string => {
  const text = textOf(error)
  return text !== "" || error instanceof Error && !Predicate.hasProperty(error, "_tag") ? text : fieldsOf(error)
}

const causeOf = (error: unknown): unknown =>
  Predicate.hasProperty(error, "cause") && !Cause.isCause(error.cause) ? unwrapped(error.cause) : undefined

/** The causes that say something new, each as `Tag: message`; what a driver says is said last, and safely. */
const causesBelow = (error: unknown, said: string, depth = 0): ReadonlyArray<string> => {
  const cause = causeOf(error)
  if (cause === undefined || cause === null || depth >= 4) {
    return []
  }
  const driver = Driver.driverErrorOf(cause)
  if (driver !== undefined) {
    return said.includes(driver.code) ? [] : [Driver.inWords(driver)]
  }
  const text = ownText(cause)
  const line = text === "" ? tagOf(cause) : typeof cause === "string" ? text : `${tagOf(cause)}: ${text}`
  const isNews = text === "" || !said.includes(text)
  return [...(isNews ? [line] : []), ...causesBelow(cause, `${said} ${text}`, depth + 1)]
}

const withDriver = (error: unknown, text: string): string => {
  const driver = Driver.driverErrorOf(error)
  return driver === undefined
    ? [text, ...causesBelow(error, text)].join(", caused by ")
    : [text, Driver.inWords(driver)].filter((part) => part !== "").join(": ")
}

const chain = (error: unknown, depth: number): ReadonlyArray<string> => {
  const told = error instanceof Fatal ? error.error : error
  const driver = Driver.driverErrorOf(Predicate.isObject(told) ? { ...told, cause: undefined } : undefined)
  const isDriver = driver !== undefined && Predicate.hasProperty(told, "code") && told.code === driver.code
  const message = isDriver ? Driver.inWords(driver) : textOf(told)
  const fields = isDriver || typeof told === "string" ? "" : fieldsOf(told)
  const line = [
    typeof told === "string" ? message : `${tagOf(told)}${message === "" ? "" : `: ${message}`}`,
    ...(fields === "" ? [] : [`{ ${fields} }`])
  ].join(" ")
  const inner = causesWithin(told)
  return [
    `${"  ".repeat(depth)}${depth === 0 ? "" : "caused by "}${bounded(line, 1000)}${placeOf(told)}`,
    ...(depth >= DEEPEST ? [] : inner.flatMap((cause) => chain(cause, depth + 1)))
  ]
}

const causesWithin = (error: unknown): ReadonlyArray<unknown> => {
  if (!Predicate.isObject(error)) {
    return []
  }
  const { cause, error: wrapped, errors } = error as { cause?: unknown; error?: unknown; errors?: unknown }
  return [
    ...(Cause.isCause(cause) ? [...Cause.defects(cause), ...Cause.failures(cause)] : cause == null ? [] : [cause]),
    ...(Predicate.isTagged(error, "UnknownException") && wrapped != null && cause == null ? [wrapped] : []),
    ...(Array.isArray(errors) ? errors : [])
  ]
}

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
