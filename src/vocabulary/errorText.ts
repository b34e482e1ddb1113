/**
 * What one error says: its message, or its fields when it has none, on one line and without secrets. Pure.
 */
import type * as ConfigError from "effect/ConfigError"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { oneLine, visible } from "../base/text.js"

/** The message on one line; empty when there is none. @internal */
export const textOf = (error: unknown): string => {
  const message = typeof error === "string"
    ? error
    : Predicate.hasProperty(error, "message") && typeof error.message === "string"
    ? error.message
    : ""
  return bounded(withoutPassword(visible(message.replaceAll(/\s*\n\s*/g, " ").trim())), 2000)
}

/** `country: "DE", status: 503`: what an error without a message carries. @internal */
export const fieldsOf = (error: unknown): string => {
  if (!Predicate.isObject(error) || Array.isArray(error)) {
    return ""
  }
  const fields = Object.entries(error).filter(([key, value]) =>
    !NOT_FIELDS.includes(key) && value !== undefined && typeof value !== "function"
  )
  const shown = fields.slice(0, 8).map(([key, value]) => `${oneLine(key)}: ${valueOf(key, value)}`)
  return [...shown, ...(fields.length > 8 ? ["…"] : [])].join(", ")
}

/** Names of keys only: a value may be a secret, and so may a message that quotes it. @internal */
export const inConfig = (error: ConfigError.ConfigError): string => {
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

/** @internal */
export const withoutPassword = (text: string): string => text.replace(/(\w:\/\/[^\s:/@]*):\S*@/g, "$1:<redacted>@")

/** @internal */
export const bounded = (text: string, length: number): string =>
  text.length > length ? `${text.slice(0, length)}…` : text

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const NOT_FIELDS: ReadonlyArray<string> = ["_tag", "name", "message", "stack", "cause", "errors", "span"]

const SECRET = /pass(word|wd|phrase)?$|secret|token|api_?key|private_?key|authorization|credential|cookie/i

const valueOf = (key: string, value: unknown): string =>
  SECRET.test(key) || Redacted.isRedacted(value) ? "<redacted>" : bounded(visible(json(value)), 120)

const json = (value: unknown): string => {
  try {
    return JSON.stringify(value, (key, inner) =>
      SECRET.test(key) || Redacted.isRedacted(inner)
        ? "<redacted>"
        : typeof inner === "bigint"
        ? String(inner)
        : inner) ?? String(value)
  } catch {
    return `[${typeof value}]`
  }
}

/** As the environment spells it, where the error knows that. */
const keyOf = ({ message, path }: { readonly message: string; readonly path: ReadonlyArray<string> }): string =>
  /^Expected (\S+) to exist in /.exec(message)?.[1] ??
    (path.length === 0 ? "a value" : path.join("."))
