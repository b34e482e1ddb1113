/**
 * What stands behind the name of a command: flags and arguments, as values from which parsing, help and completion are
 * made. Pure.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"

/** A flag, and what its values on a command line mean; a refusal is the end of the sentence "--name …". @internal */
export interface Flag<out A> {
  /** Without dashes. */
  readonly name: string
  readonly description: string
  /** What stands for the value in help; a switch has none. */
  readonly hint: string | undefined
  /** What the value can be, for help and completion. */
  readonly choices: ReadonlyArray<string>
  readonly isRequired: boolean
  readonly isRepeated: boolean
  /** What holds when it is not given, in words. */
  readonly fallback: string | undefined
  readonly read: (given: ReadonlyArray<string>) => Either.Either<A, string>
}

/** A word that is no flag. @internal */
export interface Arg<out A> {
  readonly name: string
  readonly description: string
  readonly choices: ReadonlyArray<string>
  readonly isRequired: boolean
  readonly read: (given: string | undefined) => Either.Either<A, string>
}

/** Reads one value. @internal */
export type Read<A> = (text: string) => Either.Either<A, string>

/** @internal */
export const anyText: Read<string> = Either.right

/** @internal */
export const integer: Read<number> = (text) =>
  /^[+-]?\d+$/.test(text) && Number.isSafeInteger(Number(text))
    ? Either.right(Number(text))
    : Either.left("must be a whole number")

/** @internal */
export const positive: Read<number> = (text) =>
  Either.filterOrLeft(integer(text), (value) => value > 0, () => "must be at least 1")

/** @internal */
export const oneOf = <const A extends string>(choices: ReadonlyArray<A>): Read<A> => (text) => {
  const found = choices.find((choice) => choice.toLowerCase() === text.toLowerCase())
  return found === undefined ? Either.left(`must be one of ${choices.join(", ")}`) : Either.right(found)
}

/** On when it is given. @internal */
export const toggle = (name: string, description: string): Flag<boolean> => ({
  name,
  description,
  hint: undefined,
  choices: [],
  isRequired: false,
  isRepeated: false,
  fallback: undefined,
  read: (given) => Either.right(given.length > 0)
})

/** A flag with a value; the last one counts when it is given more than once. @internal */
export const optional = <A>(
  name: string,
  hint: string,
  description: string,
  read: Read<A>,
  choices: ReadonlyArray<string> = []
): Flag<Option.Option<A>> => ({
  name,
  description,
  hint,
  choices,
  isRequired: false,
  isRepeated: false,
  fallback: undefined,
  read: (given) =>
    given.length === 0 ? Either.right(Option.none()) : Either.map(read(given[given.length - 1]!), Option.some)
})

/** @internal */
export const withDefault = <A>(flag: Flag<Option.Option<A>>, value: A, shown = String(value)): Flag<A> => ({
  ...flag,
  fallback: shown,
  read: (given) => Either.map(flag.read(given), Option.getOrElse(() => value))
})

/** May be given several times. @internal */
export const repeated = <A>(
  name: string,
  hint: string,
  description: string,
  read: Read<A>,
  choices: ReadonlyArray<string> = []
): Flag<ReadonlyArray<A>> => ({
  name,
  description,
  hint,
  choices,
  isRequired: false,
  isRepeated: true,
  fallback: undefined,
  read: (given) => Either.all(given.map(read))
})

/** @internal */
export const argument = <A>(name: string, description: string, read: Read<A>): Arg<A> => ({
  name,
  description,
  choices: [],
  isRequired: true,
  read: (given) => given === undefined ? Either.left("is missing") : read(given)
})

/** @internal */
export const optionalArgument = <A>(name: string, description: string, read: Read<A>): Arg<Option.Option<A>> => ({
  name,
  description,
  choices: [],
  isRequired: false,
  read: (given) => given === undefined ? Either.right(Option.none()) : Either.map(read(given), Option.some)
})
