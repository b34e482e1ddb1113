/**
 * Completion scripts, tried in the shells they are for.
 */
import { assert, describe, it } from "@effect/vitest"
import * as ChildProcess from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { command } from "../../src/cli/command.js"
import { completion } from "../../src/cli/completion.js"
import * as Flag from "../../src/cli/flag.js"
import type { Program } from "../../src/cli/help.js"

const json = Flag.toggle("json", "Answer with JSON")
const mode = Flag.optional("mode", "mode", "It's how", Flag.oneOf(["full", "delta"]), ["full", "delta"])
const spec = { group: "Run", args: {} }
const program: Program = {
  name: "my-batch",
  version: "1",
  commands: [
    command({ ...spec, words: ["run", "import"], summary: "It's $HOME `x`", flags: { mode, json } }, () => undefined),
    command({ ...spec, words: ["run", "tidy"], summary: "Tidy", flags: { json } }, () => undefined),
    command({ ...spec, words: ["list", "jobs"], summary: "Jobs", flags: { json } }, () => undefined)
  ]
}

/** What is typed, and what can follow; the last word is the one that is completed. */
const cases: ReadonlyArray<readonly [typed: ReadonlyArray<string>, offered: ReadonlyArray<string>]> = [
  [[""], ["list", "run"]],
  [["r"], ["run"]],
  [["run", ""], ["import", "tidy"]],
  [["run", "i"], ["import"]],
  [["run", "import", "--"], ["--json", "--mode"]],
  [["run", "import", "--mode", ""], ["delta", "full"]],
  [["run", "import", "--mode", "full", "--j"], ["--json"]],
  [["run", "tidy", "--"], ["--json"]],
  [["list", ""], ["jobs"]],
  [["--log-level", "warn"], ["warning"]]
]

const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "completion-"))

const drivers: { readonly [shell: string]: (script: string, words: ReadonlyArray<string>) => ReadonlyArray<string> } = {
  bash: (script, words) => [
    "--norc",
    "-c",
    `source ${script}; COMP_WORDS=(my-batch ${words.map((word) => `'${word}'`).join(" ")}); ` +
    `COMP_CWORD=${words.length}; _my_batch; printf '%s\\n' "\${COMPREPLY[@]}"`
  ],
  fish: (script, words) => ["--no-config", "-c", `source ${script}; complete -C 'my-batch ${words.join(" ")}'`],
  zsh: (script, words) => [
    "-f",
    "-c",
    `compdef() { : }; compadd() { shift; print -l -- "$@" }; _files() { : }; source ${script}; ` +
    `words=(my-batch ${words.map((word) => `'${word}'`).join(" ")}); CURRENT=${words.length + 1}; _my_batch`
  ]
}

describe("completion", () => {
  for (const [shell, driver] of Object.entries(drivers)) {
    const isHere = ChildProcess.spawnSync(shell, ["--version"]).error === undefined
    const title = isHere
      ? `offers in ${shell} what can follow`
      : `not tried in ${shell}, which is not installed here (Debian's package "${shell}")`
    it.skipIf(!isHere)(title, () => {
      const script = Path.join(folder, shell)
      Fs.writeFileSync(script, completion(program, shell))
      for (const [typed, expected] of cases) {
        const { status, stderr, stdout } = ChildProcess.spawnSync(shell, driver(script, typed), { encoding: "utf8" })
        const last = typed[typed.length - 1]!
        // fish adds descriptions; zsh narrows down what it was given by itself.
        const offered = stdout.split("\n").map((line) => line.split("\t")[0]!)
          .filter((word) => word !== "" && word.startsWith(last) && (last !== "" || !word.startsWith("-")))
        assert.deepStrictEqual(offered.sort(), expected, `${shell}: ${typed.join(" ")} (${status}) ${stderr}`)
      }
    })
  }

  it("nothing in a summary or a name is a command to the shell", () => {
    for (const shell of ["bash", "zsh", "fish"]) {
      const script = completion(program, shell)
      assert.notMatch(script.replaceAll(/'(?:[^']|'\\'')*'/g, "''"), /`|\$HOME/)
    }
  })
})
