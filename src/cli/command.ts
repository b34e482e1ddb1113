/**
 * The commands of a program as values, and how a command line is read by them. Pure: what a command does is not looked at
 * here.
 */
import * as Either from "effect/Either"
import { parseArgs } from "node:util"
import { didYouMean, nearest } from "../base/text.js"
import type { Arg, Flag } from "./flag.js"

/** @internal */
export interface Command<out Do> {
  /** The words that call it, such as `list executions`. */
  readonly words: ReadonlyArray<string>
  readonly group: string
  readonly summary: string
  readonly flags: { readonly [key: string]: Flag<unknown> }
  readonly args: { readonly [key: string]: Arg<unknown> }
  readonly run: (input: { readonly [key: string]: unknown }) => Do
}

type Inputs<Flags, Args> =
  & { readonly [K in keyof Flags]: Flags[K] extends Flag<infer A> ? A : never }
  & { readonly [K in keyof Args]: Args[K] extends Arg<infer A> ? A : never }

/** @internal */
export const command = <
  Do,
  const Flags extends { readonly [key: string]: Flag<unknown> },
  const Args extends { readonly [key: string]: Arg<unknown> }
>(
  spec: Pick<Command<Do>, "words" | "group" | "summary"> & { readonly flags: Flags; readonly args: Args },
  run: (input: Inputs<Flags, Args>) => Do
): Command<Do> => ({ ...spec, run: run as Command<Do>["run"] })

/** What every command understands. @internal */
export interface Globals {
  readonly help: boolean
  readonly version: boolean
  readonly json: boolean
  readonly logLevel: string | undefined
  readonly completions: string | undefined
}

/** What is asked for. @internal */
export type Asked<Do> =
  /** `within`: the words of a command, or of the beginning of several. */
  | { readonly _tag: "Help"; readonly within: ReadonlyArray<string> }
  | { readonly _tag: "Version" }
  | { readonly _tag: "Completions"; readonly shell: string }
  | { readonly _tag: "Run"; readonly command: Command<Do>; readonly do: Do; readonly logLevel: string | undefined }

/** A command line that makes no sense: why, and the words of the command as far as they were understood. @internal */
export interface Misuse {
  readonly problem: string
  readonly within: ReadonlyArray<string>
  /** The word that was given where there should be the name of a job. */
  readonly noSuchJob?: string | undefined
}

/** Commands that take the name of a job as a word of their own. @internal */
export const PER_JOB: ReadonlyArray<string> = ["run", "next", "explain"]

/** @internal */
export const SHELLS = ["bash", "zsh", "fish"] as const

/** @internal */
export const LOG_LEVELS = ["all", "trace", "debug", "info", "warning", "error", "fatal", "none"] as const

/** `args` are the words after the name of the program. @internal */
export const read = <Do>(
  commands: ReadonlyArray<Command<Do>>,
  args: ReadonlyArray<string>
): Either.Either<Asked<Do>, Misuse> => {
  const { given, globals, positional, rest } = split(commands, args)
  const words = leading(commands, positional)
  const misuse = (problem: string, noSuchJob?: string) => Either.left({ problem, within: words, noSuchJob })
  if (globals.version) {
    return Either.right({ _tag: "Version" })
  }
  if (globals.completions !== undefined) {
    const { completions } = globals
    return SHELLS.some((shell) => shell === completions)
      ? Either.right({ _tag: "Completions", shell: completions })
      : misuse(`--completions must be one of ${SHELLS.join(", ")}`)
  }
  const command = commands.find((candidate) => isSame(candidate.words, words))
  if (command === undefined) {
    const next = positional[words.length]
    if (globals.help || (next === undefined && args.length === 0)) {
      return next === undefined || words.length > 0
        ? Either.right({ _tag: "Help", within: words })
        : misuse(unknownWord(commands, words, next))
    }
    return next === undefined
      ? misuse(incomplete(commands, words))
      : misuse(unknownWord(commands, words, next), PER_JOB.includes(words.join(" ")) ? next : undefined)
  }
  if (globals.help) {
    return Either.right({ _tag: "Help", within: words })
  }
  if (globals.logLevel !== undefined && !LOG_LEVELS.some((level) => level === globals.logLevel?.toLowerCase())) {
    return misuse(`--log-level must be one of ${LOG_LEVELS.join(", ")}`)
  }
  return Either.mapBoth(inputOf(command, given, [...positional.slice(words.length), ...rest]), {
    onLeft: (problem) => ({ problem, within: words }),
    onRight: (input) => ({ _tag: "Run", command, do: command.run(input), logLevel: globals.logLevel?.toLowerCase() })
  })
}

/** Whether the answer has to be JSON, also when the command line makes no sense. @internal */
export const wantsJson = (args: ReadonlyArray<string>): boolean => {
  const end = args.indexOf("--")
  return (end < 0 ? args : args.slice(0, end)).includes("--json")
}

/** The commands that begin with these words. @internal */
export const below = <Do>(
  commands: ReadonlyArray<Command<Do>>,
  words: ReadonlyArray<string>
): ReadonlyArray<Command<Do>> => commands.filter((command) => isSame(command.words.slice(0, words.length), words))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Given {
  readonly name: string
  readonly raw: string
  readonly value: string | undefined
  readonly isInline: boolean
}

const GLOBALS = {
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
  "log-level": { type: "string" },
  completions: { type: "string" }
} as const

/** Tells flags from words. Which flags take a value depends on the command, which its words tell. */
const split = <Do>(commands: ReadonlyArray<Command<Do>>, args: ReadonlyArray<string>) => {
  const plain = args.filter((arg) => !arg.startsWith("-"))
  const flags = commands.filter(({ words }) => isSame(words, plain.slice(0, words.length)))
    .flatMap((command) => Object.values(command.flags))
  const types = Object.fromEntries(
    flags.map(({ hint, name }) => [name, { type: hint === undefined ? "boolean" : "string", multiple: true }] as const)
  )
  const { tokens } = parseArgs({
    args: [...args],
    options: { ...types, ...GLOBALS },
    strict: false,
    allowPositionals: true,
    tokens: true
  })
  const positional: Array<string> = []
  const rest: Array<string> = []
  const given: Array<Given> = []
  let isEnded = false
  for (const token of tokens) {
    if (token.kind === "option") {
      given.push({ name: token.name, raw: token.rawName, value: token.value, isInline: token.inlineValue === true })
    } else if (token.kind === "positional") {
      ;(isEnded ? rest : positional).push(token.value)
    } else {
      isEnded = true
    }
  }
  const last = (name: string) => given.findLast((option) => option.name === name)
  const globals: Globals = {
    help: last("help") !== undefined,
    version: last("version") !== undefined && flags.every(({ name }) => name !== "version"),
    json: last("json") !== undefined,
    logLevel: last("log-level")?.value ?? (last("log-level") === undefined ? undefined : ""),
    completions: last("completions")?.value ?? (last("completions") === undefined ? undefined : "")
  }
  return { given: given.filter(({ name }) => !Object.hasOwn(GLOBALS, name)), globals, positional, rest }
}

const isSame = (self: ReadonlyArray<string>, that: ReadonlyArray<string>): boolean =>
  self.length === that.length && self.every((word, index) => word.toLowerCase() === that[index]?.toLowerCase())

/** The words of a command, or of the beginning of several, that the line begins with; as they are spelt there. */
const leading = <Do>(
  commands: ReadonlyArray<Command<Do>>,
  positional: ReadonlyArray<string>
): ReadonlyArray<string> => {
  for (let length = positional.length; length > 0; length--) {
    const [found] = below(commands, positional.slice(0, length))
    if (found !== undefined) {
      return found.words.slice(0, length)
    }
  }
  return []
}

const nextWords = <Do>(
  commands: ReadonlyArray<Command<Do>>,
  words: ReadonlyArray<string>
): ReadonlyArray<string> => [...new Set(below(commands, words).map((command) => command.words[words.length]!))]

const unknownWord = <Do>(
  commands: ReadonlyArray<Command<Do>>,
  words: ReadonlyArray<string>,
  next: string
): string => {
  const known = nextWords(commands, words)
  const what = words.length === 0
    ? "command"
    : PER_JOB.includes(words.join(" "))
    ? "job"
    : `"${words.join(" ")}" command`
  return `There is no ${what} "${next}"${didYouMean(next, known)}: choose one of ${known.join(", ")}`
}

const incomplete = <Do>(commands: ReadonlyArray<Command<Do>>, words: ReadonlyArray<string>): string => {
  const known = nextWords(commands, words).join(", ")
  return words.length === 0
    ? `A command is missing: choose one of ${known}`
    : `"${words.join(" ")}" needs one more word: choose one of ${known}`
}

/** What the flags and words mean to the command; everything that is wrong with them, in one sentence each. */
const inputOf = <Do>(
  command: Command<Do>,
  given: ReadonlyArray<Given>,
  words: ReadonlyArray<string>
): Either.Either<{ readonly [key: string]: unknown }, string> => {
  const flags = Object.entries(command.flags)
  const args = Object.entries(command.args)
  const refused = given.flatMap((option) => refusedFlag(command, option))
  const problems = [
    ...refused,
    ...missingFlags(command, given),
    // The word after an unknown flag may have been its value.
    ...(refused.length > 0 ? [] : words.slice(args.length).map((word) => `"${word}" is one word too many`))
  ]
  const values = [
    ...flags.map(([key, flag]) => {
      const texts = given.filter(({ name }) => name === flag.name).map(({ value }) => value ?? "")
      return [key, Either.mapLeft(flag.read(texts), (problem) => `--${flag.name} ${problem}`)] as const
    }),
    ...args.map(([key, arg], index) =>
      [key, Either.mapLeft(arg.read(words[index]), (problem) => `<${arg.name}> ${problem}`)] as const
    )
  ]
  const all = problems.length > 0
    ? problems
    : values.flatMap(([, value]) => Either.isLeft(value) ? [value.left] : [])
  return all.length > 0
    ? Either.left(all.join("; "))
    : Either.right(Object.fromEntries(values.map(([key, value]) => [key, Either.getOrThrow(value)])))
}

const refusedFlag = <Do>(command: Command<Do>, { isInline, name, raw, value }: Given): ReadonlyArray<string> => {
  const flags = Object.values(command.flags)
  const flag = flags.find((candidate) => candidate.name === name)
  if (flag === undefined || (raw !== `--${name}`)) {
    const near = nearest(name, flags.map((known) => known.name))
    return [
      `"${command.words.join(" ")}" has no flag ${raw}${near === undefined ? "" : ` (did you mean --${near}?)`}`
    ]
  }
  if (flag.hint === undefined) {
    return value === undefined ? [] : [`${raw} takes no value`]
  }
  return value === undefined || (!isInline && value.startsWith("--"))
    ? [`${raw} needs a value${value === undefined ? "" : `: write ${raw}=${value} if "${value}" is meant`}`]
    : []
}

const missingFlags = <Do>(command: Command<Do>, given: ReadonlyArray<Given>): ReadonlyArray<string> => {
  const missing = Object.values(command.flags)
    .filter(({ isRequired, name }) => isRequired && !given.some((option) => option.name === name))
    .map(({ name }) => `--${name}`)
  return missing.length === 0 ? [] : [
    missing.length === 1
      ? `${missing[0]} is missing`
      : `${missing.slice(0, -1).join(", ")} and ${missing[missing.length - 1]} are missing`
  ]
}
