/**
 * The README's job is a file of this repository, and does what it says.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Examples from "./examples.js"

const read = (path: string) => Fs.readFileSync(Examples.repositoryFile(path), "utf8")

describe("README", () => {
  it("shows examples/00-readme.ts as it is, in at most 40 lines", () => {
    const code = read("examples/00-readme.ts")
    assert.include(read("README.md"), `\`\`\`ts\n${code}\`\`\``)
    assert.isAtMost(code.trimEnd().split("\n").length, 40)
  })

  it("holds the two commands on its first screen", () => {
    const screen = read("README.md").split("\n").slice(0, 24).join("\n")
    for (const command of ["npm install && npm start", "npm install && npm test"]) {
      assert.include(screen, `\`\`\`sh\n${command}\n\`\`\``)
    }
  })

  it.scopedLive("its job loads the good rows, and is refused when it is complete", () =>
    Effect.gen(function*() {
      const cwd = yield* Examples.directory
      Fs.writeFileSync(Path.join(cwd, "payments.csv"), read("examples/00-readme.csv"))
      const program = yield* Examples.compiled("00-readme.ts")
      const first = yield* Examples.run({ program, args: [], cwd })
      assert.deepStrictEqual([first.exit, first.stdout], [0, "COMPLETED: 4 written, 1 skipped\n"], first.stderr)
      const second = yield* Examples.run({ program, args: [], cwd })
      assert.strictEqual(second.exit, 1)
      assert.include(second.stdout + second.stderr, "JobInstanceAlreadyComplete")
    }), 300_000)

  it("links only to files that exist", () => {
    const links = [...read("README.md").matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path!)
    assert.isNotEmpty(links)
    assert.deepStrictEqual(links.filter((path) => !Fs.existsSync(Examples.repositoryFile(path))), [])
  })
})
