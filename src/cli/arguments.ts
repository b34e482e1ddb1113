/**
 * What people mean and the parser does not see. `show 7 --json` and `show --json 7` are the same to them, but the parser
 * wants options first, and a flag that is followed by `1`, `0` or the like takes it for its own value. Pure.
 */

/** The commands that have a subcommand for every job. */
const PER_JOB: ReadonlyArray<string> = ["run", "next", "explain"]

/** The commands that take positional arguments, and which of their options have a value. */
const COMMANDS: Readonly<Record<string, ReadonlyArray<string>>> = {
  show: [],
  restart: [],
  stop: [],
  abandon: [],
  recover: ["--reason", "--job"],
  skipped: [],
  graph: []
}

/** The flags without a value that those commands have. */
const FLAGS: ReadonlyArray<string> = ["--json", "--force"]

/**
 * Moves the options of such a command in front of its arguments, and ends its flags. `args` are those behind the name of
 * the program.
 *
 * @internal
 */
export const optionsFirst = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const [command, ...rest] = args
  const valued = command === undefined || !Object.hasOwn(COMMANDS, command) ? undefined : COMMANDS[command]
  if (command === undefined || valued === undefined) {
    return args
  }
  const options: Array<string> = []
  const positional: Array<string> = []
  for (let i = 0; i < rest.length; i++) {
    const token = rest[i]!
    if (token === "--") {
      positional.push(...rest.slice(i))
      break
    }
    if (!token.startsWith("-")) {
      positional.push(token)
      continue
    }
    options.push(FLAGS.includes(token) ? `${token}=true` : token)
    const value = rest[i + 1]
    if (valued.includes(token) && value !== undefined) {
      options.push(value)
      i++
    }
  }
  return [command, ...options, ...positional]
}

/**
 * The job that such a command line names although there is none. The parser would speak of a subcommand.
 *
 * @internal
 */
export const unknownJob = (args: ReadonlyArray<string>, jobs: ReadonlyArray<string>): string | undefined => {
  const [command, name] = args
  const isNamed = command !== undefined && PER_JOB.includes(command) && name !== undefined && !name.startsWith("-")
  // The parser does not tell cases apart.
  return isNamed && !jobs.some((job) => job.toLowerCase() === name.toLowerCase()) ? name : undefined
}
