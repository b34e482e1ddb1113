/** The way of a chunk, as CONTRIBUTING tells it, is that of the code. */
import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"

const rows = Fs.readFileSync("CONTRIBUTING.md", "utf8").split("### The way of a chunk")[1]!.split("\n\n")[2]!
  .split("\n").slice(2).map((row) => row.split("|").map((cell) => cell.trim().replaceAll("`", "")))

describe("the way of a chunk in CONTRIBUTING", () => {
  it("names functions that the files export", () => {
    assert.isAtLeast(rows.length, 10)
    for (const [, name, file] of rows) {
      assert.match(
        Fs.readFileSync(`src/${file}.ts`, "utf8"),
        new RegExp(`export const ${name}\\b`),
        `${name} in ${file}`
      )
    }
  })
})
