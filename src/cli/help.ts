/**
 * Help, made from the commands. Pure.
 */
import type { Command } from "./command.js"
import { below, LOG_LEVELS, PER_JOB, SHELLS } from "./command.js"
import type { Arg, Flag } from "./flag.js"
import { beside, wrap } from "./layout.js"

/** @internal */
export interface Program {
  readonly name: string
  readonly version: string
  readonly commands: ReadonlyArray<Command<unknown>>
}

/** Where it is shown: how wide that is, in characters, and whether it shows bold text. @internal */
export interface Screen {
  readonly width: number
  readonly isStyled: boolean
}

/** Help about one command, or about all that begin with these words. @internal */
export const help = (program: Program, words: ReadonlyArray<string>, screen: Screen): string => {
  const commands = below(program.commands, words)
  const only = commands.find((command) => command.words.length === words.length)
  return only === undefined ? overview(program, words, commands, screen) : about(program, only, screen)
}

/** `shop-batch run billing --day <date> [--json]`. @internal */
export const usage = ({ name }: Pick<Program, "name">, command: Command<unknown>): string =>
  [
    name,
    ...command.words,
    ...Object.values(command.args).map(argUsage),
    ...Object.values(command.flags).map((flag) => {
      const text = flagUsage(flag)
      return flag.isRequired ? text : flag.isRepeated ? `[${text}]...` : `[${text}]`
    })
  ].join(" ")

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const bold = (text: string, { isStyled }: Screen): string => isStyled ? `\u001b[1m${text}\u001b[0m` : text

const argUsage = ({ isRequired, name }: Arg<unknown>): string => isRequired ? `<${name}>` : `[<${name}>]`

const flagUsage = ({ hint, name }: Flag<unknown>): string => hint === undefined ? `--${name}` : `--${name} <${hint}>`

const about = (program: Program, command: Command<unknown>, screen: Screen): string => {
  const indent = "  "
  const [first, ...rest] = wrap(unbroken(usage(program, command)), screen.width - 4).map((line) =>
    line.replaceAll(NO_BREAK, " ")
  )
  const args = Object.values(command.args)
  const flags = Object.values(command.flags)
  return sections([
    wrap(`${command.summary}.`, screen.width).join("\n"),
    `${bold("Usage", screen)}\n${[indent + first, ...rest.map((line) => `${indent}  ${line}`)].join("\n")}`,
    args.length === 0 ?
      "" :
      `${bold("Arguments", screen)}\n${
        beside(args.map((arg) => [argUsage(arg), arg.description] as const), screen.width)
      }`,
    flags.length === 0 ?
      "" :
      `${bold("Options", screen)}\n${
        beside(flags.map((flag) => [flagUsage(flag), flagText(flag)] as const), screen.width)
      }`
  ])
}

const NO_BREAK = "\u00a0"

/** A flag and its value stay on one line. */
const unbroken = (text: string): string => text.replaceAll(/ (?=<[^>]*>\]|<)/g, NO_BREAK)

const flagText = ({ choices, description, fallback, hint, isRepeated, isRequired }: Flag<unknown>): string =>
  [
    description,
    ...(choices.length > 0 && choices.join("|") !== hint ? [`one of ${choices.join(", ")}`] : []),
    ...(isRequired ? ["required"] : []),
    ...(isRepeated ? ["may be given several times"] : []),
    ...(fallback === undefined ? [] : [`default ${fallback}`])
  ].join("; ")

const overview = (
  program: Program,
  words: ReadonlyArray<string>,
  commands: ReadonlyArray<Command<unknown>>,
  screen: Screen
): string => {
  const groups = [...new Set(commands.map(({ group }) => group))]
  return sections([
    words.length === 0 ? `${program.name} ${program.version}` : "",
    `${bold("Usage", screen)}\n  ${[program.name, ...words].join(" ")} <command> [options]`,
    ...groups.map((group) =>
      `${bold(group, screen)}\n${
        beside(rowsOf(commands.filter((command) => command.group === group), words), screen.width)
      }`
    ),
    words.length > 0 ? "" : `${bold("Options", screen)}\n${beside(GLOBAL_OPTIONS, screen.width)}`
  ])
}

/** One row for a command, and one for all jobs that it can be called with. */
const rowsOf = (
  commands: ReadonlyArray<Command<unknown>>,
  words: ReadonlyArray<string>
): ReadonlyArray<readonly [string, string]> => {
  const rows = new Map<string, string>()
  for (const command of commands) {
    const [verb, job] = command.words
    const isPerJob = words.length === 0 && verb !== undefined && PER_JOB.includes(verb)
    const left = isPerJob
      ? `${verb} <job>`
      : [...command.words, ...Object.values(command.args).map(argUsage)].join(" ")
    const jobs = commands.flatMap(({ words: [other, name] }) => other === verb && name !== undefined ? [name] : [])
    const summary = PER_JOB.includes(verb!) ? summaryOfVerb(command, job) : command.summary
    rows.set(left, isPerJob ? `${summary}: ${jobs.join(", ")}` : summary)
  }
  return [...rows]
}

const summaryOfVerb = ({ summary }: Command<unknown>, job: string | undefined): string =>
  job === undefined ? summary : summary.replace(` "${job}"`, " a job")

const GLOBAL_OPTIONS: ReadonlyArray<readonly [string, string]> = [
  ["-h, --help", "Help; after a command, about that command"],
  ["--version", "The version of this program"],
  ["--json", "Answer with JSON, for programs; after any command"],
  ["--log-level <level>", `How much is logged: ${LOG_LEVELS.join(", ")}`],
  ["--completions <shell>", `A completion script for ${SHELLS.join(", ")}`]
]

const sections = (parts: ReadonlyArray<string>): string => parts.filter((part) => part !== "").join("\n\n")
