/**
 * A test runner that stays: it takes test files and a mutant, and says which file fails first. What it has compiled it
 * keeps, and all files of a run share one process, so that a mutant costs what its tests cost.
 *
 * A process of its own, spoken to by messages, so that it can be ended together with its worker.
 */
import { readFileSync } from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { createVitest } from "vitest/node"
import { plant } from "./operators.mjs"

const root = fileURLToPath(new URL("../../", import.meta.url))

let current

const mutating = {
  name: "mutant",
  enforce: "pre",
  load: (id) => id === current?.file ? plant(readFileSync(id, "utf8"), current.mutant) : undefined
}

/** Vitest would begin with the slowest file. */
class AsGiven {
  sort(files) {
    return files
  }
  shard(files) {
    return files
  }
}

const vitest = await createVitest("test", {
  root,
  config: "vitest.config.ts",
  watch: false,
  bail: 1,
  reporters: [{}],
  sequence: { sequencer: AsGiven },
  isolate: false,
  pool: "forks",
  poolOptions: { forks: { singleFork: true, isolate: false } },
  // A mutant that waits for what never comes is noticed by that; no test takes half of this.
  testTimeout: 20_000,
  hookTimeout: 20_000,
  teardownTimeout: 2_000
}, { plugins: [mutating] })
await vitest.init?.()

const relative = (file) => Path.relative(root, file).split(Path.sep).join("/")

const run = async ({ file, mutant, tests }) => {
  current = file === undefined ? undefined : { file, mutant }
  if (file !== undefined) vitest.invalidateFile(file)
  // The filters are parts of paths, so that one may fit several files.
  const specifications = (await vitest.globTestSpecifications(tests))
    .filter(({ moduleId }) => tests.includes(relative(moduleId)))
    .sort((one, other) => tests.indexOf(relative(one.moduleId)) - tests.indexOf(relative(other.moduleId)))
  // It would answer with what came out of earlier runs, too.
  vitest.state.filesMap.clear()
  vitest.state.clearErrors()
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications)
  // What was compiled with the mutant in it must not be there for the next one.
  if (file !== undefined) vitest.invalidateFile(file)
  const failed = testModules.find((module) => module.state() === "failed" && tests.includes(relative(module.moduleId)))
  return failed === undefined
    ? {
      passes: unhandledErrors.length === 0,
      failed: unhandledErrors.length === 0 ? undefined : "error",
      error: unhandledErrors.map(String).join()
    }
    : { passes: false, failed: relative(failed.moduleId) }
}

process.on("message", async (asked) => {
  try {
    process.send(await run(asked))
  } catch (error) {
    process.send({ passes: false, failed: "start", error: String(error?.stack ?? error) })
  }
})
process.on("disconnect", () => process.exit())
process.send("ready")
