/** The tests of the project with one mutant in place of its file; the working tree stays as it is. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { mergeConfig } from "vitest/config"
import project from "../../vitest.config.ts"
import { plant } from "./operators.mjs"
import { instrumented } from "./reach.mjs"

const { file, mutant } = JSON.parse(process.env.EFFECT_BATCH_MUTANT ?? "{}")
const src = fileURLToPath(new URL("../../src/", import.meta.url))

const mutating = {
  name: "mutant",
  enforce: "pre",
  load: (id) => id === file ? plant(readFileSync(file, "utf8"), mutant) : undefined
}

const reaching = {
  name: "reach",
  enforce: "pre",
  load: (id) => id.startsWith(src) ? instrumented(id.slice(src.length), readFileSync(id, "utf8")) : undefined
}

const isReaching = process.env.EFFECT_BATCH_REACH !== undefined

export default mergeConfig(project, {
  plugins: isReaching ? [reaching] : mutant === undefined ? [] : [mutating],
  test: isReaching
    ? { setupFiles: [fileURLToPath(new URL("reach.setup.mjs", import.meta.url))] }
    // A mutant that waits for what never comes is noticed by that; no test takes half of this.
    : { testTimeout: 20_000, hookTimeout: 20_000, teardownTimeout: 2_000 }
})
