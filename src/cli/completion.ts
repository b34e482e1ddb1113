/**
 * Completion scripts for shells, made from the commands. Pure.
 */
import type { Command } from "./command.js"
import { LOG_LEVELS, SHELLS } from "./command.js"
import type { Program } from "./help.js"

/** A script to be evaluated by the shell, for example from its start-up file. @internal */
export const completion = (program: Program, shell: string): string => {
  switch (shell) {
    case "bash":
      return bash(program)
    case "zsh":
      return zsh(program)
    default:
      return fish(program)
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const GLOBAL_FLAGS = ["--help", "--version", "--log-level", "--completions"]

const VALUES: ReadonlyArray<readonly [flag: string, values: ReadonlyArray<string>]> = [
  ["--log-level", LOG_LEVELS],
  ["--completions", SHELLS]
]

/** In single quotes nothing is special to a shell but the quote itself. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

const identifier = (name: string): string => `_${name.replace(/[^A-Za-z0-9]/g, "_")}`

const flagsOf = (command: Command<unknown>): ReadonlyArray<string> =>
  Object.values(command.flags).map(({ name }) => `--${name}`)

/** What can follow words: by those words, joined. */
const continuations = ({ commands }: Program): ReadonlyArray<readonly [words: string, next: ReadonlyArray<string>]> => {
  const next = new Map<string, Set<string>>()
  const add = (words: ReadonlyArray<string>, word: string) => {
    const key = words.join(" ")
    next.set(key, (next.get(key) ?? new Set()).add(word))
  }
  for (const command of commands) {
    command.words.forEach((word, index) => add(command.words.slice(0, index), word))
    for (const flag of flagsOf(command)) {
      add(command.words, flag)
    }
  }
  for (const flag of GLOBAL_FLAGS) {
    add([], flag)
  }
  return [...next].map(([words, set]) => [words, [...set]])
}

const choices = ({ commands }: Program): ReadonlyArray<readonly [at: string, values: ReadonlyArray<string>]> => [
  ...commands.flatMap((command) =>
    Object.values(command.flags).filter((flag) => flag.choices.length > 0).map((flag) =>
      [`${command.words.join(" ")} --${flag.name}`, flag.choices] as const
    )
  ),
  ...VALUES
]

const words = (list: ReadonlyArray<string>): string => list.map((word) => word.replaceAll(" ", "\\ ")).join("\n")

/** The words in front of the cursor that are no flags decide. */
const bash = (program: Program): string => {
  const f = identifier(program.name)
  return `${f}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path="" word list=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) case "$path$word" in ${pathPatterns(program)}) path="$path$word ";; esac ;; esac
  done
  path=\${path% }
  case "\${path:+$path }$prev" in
${
    choices(program).map(([at, values]) => `    ${quoted(at)}|*${quoted(` ${at}`)}) list=${quoted(words(values))} ;;`)
      .join("\n")
  }
    *) case "$path" in
${continuations(program).map(([at, next]) => `      ${quoted(at)}) list=${quoted(words(next))} ;;`).join("\n")}
    esac ;;
  esac
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$list" -- "$cur"))
}
complete -o bashdefault -o default -F ${f} ${quoted(program.name)}
`
}

/** Every beginning of a command, as patterns of \`case\`. */
const pathPatterns = ({ commands }: Program): string =>
  [
    ...new Set(
      commands.flatMap((command) =>
        command.words.map((_, index) => quoted(command.words.slice(0, index + 1).join(" ")))
      )
    )
  ].join("|")

const zsh = (program: Program): string => {
  const f = identifier(program.name)
  return `#compdef ${program.name}
${f}() {
  local cmd="" word prev="\${words[CURRENT-1]}"
  local -a list
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$word" in -*) ;; *) case "$cmd$word" in ${pathPatterns(program)}) cmd="$cmd$word ";; esac ;; esac
  done
  cmd="\${cmd% }"
  case "\${cmd:+$cmd }$prev" in
${
    choices(program).map(([at, values]) =>
      `    ${quoted(at)}|*${quoted(` ${at}`)}) list=(${values.map(quoted).join(" ")}) ;;`
    ).join("\n")
  }
    *) case "$cmd" in
${continuations(program).map(([at, next]) => `      ${quoted(at)}) list=(${next.map(quoted).join(" ")}) ;;`).join("\n")}
    esac ;;
  esac
  if (( \${#list} )); then compadd -- "\${list[@]}"; else _files; fi
}
if [ "\${funcstack[1]}" = ${quoted(f)} ]; then ${f} "$@"; else compdef ${f} ${quoted(program.name)}; fi
`
}

const fish = (program: Program): string => {
  const f = identifier(program.name)
  const name = quoted(program.name)
  const within = (path: string) => quoted(`test (${f}_path) = ${path === "" ? "." : `"${path}"`}`)
  const seen = new Set<string>()
  const lines = program.commands.flatMap((command) => [
    ...command.words.flatMap((word, index) => {
      const path = command.words.slice(0, index).join(" ")
      const key = `${path}\n${word}`
      const isNew = !seen.has(key)
      seen.add(key)
      const told = index === command.words.length - 1 ? ` -d ${quoted(command.summary)}` : ""
      return isNew ? [`complete -c ${name} -f -n ${within(path)} -a ${quoted(word)}${told}`] : []
    }),
    ...Object.values(command.flags).map((flag) => {
      const values = flag.hint === undefined
        ? ""
        : flag.choices.length === 0
        ? " -r"
        : ` -x -a ${quoted(flag.choices.join(" "))}`
      return `complete -c ${name} -n ${within(command.words.join(" "))} -l ${quoted(flag.name)}${values} -d ${
        quoted(flag.description)
      }`
    })
  ])
  return `function ${f}_path
  set -l path
  for word in (commandline -opc)[2..-1]
    if not string match -q -- '-*' $word
      switch (string join ' ' $path $word)
        case ${
    [...new Set(program.commands.flatMap((c) => c.words.map((_, i) => quoted(c.words.slice(0, i + 1).join(" ")))))]
      .join(" ")
  }
          set -a path $word
      end
    end
  end
  if test (count $path) -eq 0
    echo .
  else
    string join ' ' $path
  end
end
${lines.join("\n")}
complete -c ${name} -n ${within("")} -l help -s h -d 'Help'
complete -c ${name} -n ${within("")} -l version -d 'The version of this program'
complete -c ${name} -n ${within("")} -l log-level -x -a ${quoted(LOG_LEVELS.join(" "))}
complete -c ${name} -n ${within("")} -l completions -x -a ${quoted(SHELLS.join(" "))}
`
}
