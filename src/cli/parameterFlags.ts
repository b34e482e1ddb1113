/**
 * Flags from the declared parameters of a job.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { Input, Kind } from "../view/inputs.js"
import { inputs, parse } from "../view/inputs.js"
import type * as JobParameters from "../vocabulary/JobParameters.js"
import type { Flag } from "./flag.js"

/** @internal */
export interface ParameterFlag extends Input {
  /** Without dashes. */
  readonly name: string
}

/** @internal */
export const flags = (
  declaration: JobParameters.Declaration<any, any>,
  reserved: ReadonlyArray<string>
): ReadonlyArray<ParameterFlag> =>
  inputs(declaration).map((input) => ({ ...input, name: flagName(input.parameter, reserved) }))

/** `businessDate` is written `--business-date`. @internal */
export const flagName = (parameter: string, reserved: ReadonlyArray<string>): string => {
  const kebab = parameter
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/[^A-Za-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")
    .toLowerCase()
  return kebab === "" || reserved.includes(kebab) ? `param-${kebab}` : kebab
}

/** The flags as a command takes them, by parameter; `isComplete` when all required ones have to be given. @internal */
export const toFlags = (
  flags: ReadonlyArray<ParameterFlag>,
  isComplete: boolean
): { readonly [parameter: string]: Flag<Option.Option<unknown>> } =>
  Object.fromEntries(
    flags.map(({ description, fallback, isRequired, kind, name, parameter }) => [parameter, {
      name,
      description,
      hint: hint(kind),
      choices: kind._tag === "Choice" ? kind.choices.map(String) : [],
      isRequired: isComplete && isRequired,
      isRepeated: false,
      fallback: isComplete ? fallback : undefined,
      read: (given) =>
        given.length === 0
          ? Either.right(Option.none())
          : Either.map(checked(kind, given[given.length - 1]!), Option.some)
    }])
  )

/** The given parameters by name, encoded; what is not given is left out. @internal */
export const parametersOf = (
  flags: ReadonlyArray<ParameterFlag>,
  input: { readonly [key: string]: unknown }
): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    flags.flatMap(({ parameter }) =>
      Option.match(input[parameter] as Option.Option<unknown>, {
        onNone: () => [],
        onSome: (value) => [[parameter, value]]
      })
    )
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const hint = (kind: Kind): string => {
  switch (kind._tag) {
    case "Text":
      return kind.hint
    case "Number":
      return "number"
    case "Choice":
      return kind.choices.join("|")
    case "Json":
      return "json"
  }
}

/** A choice is told here, where all of them are known; everything else is told by the Schema, in its words. */
const checked = (kind: Kind, text: string): Either.Either<unknown, string> => {
  const value = parse(kind, text)
  return kind._tag === "Choice" && !kind.choices.some((choice) => choice === value)
    ? Either.left(`must be one of ${kind.choices.join(", ")}`)
    : Either.right(value)
}
