/** The tests of the project with one mutant in place of its file; the working tree stays as it is. */
import { readFileSync } from "node:fs"
import { mergeConfig } from "vitest/config"
import project from "../../vitest.config.ts"
import { plant } from "./operators.mjs"

const { file, mutant } = JSON.parse(process.env.EFFECT_BATCH_MUTANT)

const mutating = {
  name: "mutant",
  enforce: "pre",
  load: (id) => id === file ? plant(readFileSync(file, "utf8"), mutant) : undefined
}

export default mergeConfig(project, { plugins: mutant === undefined ? [] : [mutating] })
