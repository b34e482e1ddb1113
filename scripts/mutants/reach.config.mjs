/** The tests of the project, writing down what they reach. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { mergeConfig } from "vitest/config"
import project from "../../vitest.config.ts"
import { instrumented } from "./reach.mjs"

const src = fileURLToPath(new URL("../../src/", import.meta.url))

const reaching = {
  name: "reach",
  enforce: "pre",
  load: (id) => id.startsWith(src) ? instrumented(id.slice(src.length), readFileSync(id, "utf8")) : undefined
}

export default mergeConfig(project, {
  plugins: [reaching],
  test: { setupFiles: [fileURLToPath(new URL("reach.setup.mjs", import.meta.url))] }
})
