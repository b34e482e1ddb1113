/** Runs tests with a mutant in place, each time in processes of its own that end with this one. */
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))
const CONFIG = "scripts/mutants/vitest.config.mjs"

let database

/** One PostgreSQL for all runs, where each test file would wait two seconds for one of its own; ends with this process. */
const startDatabase = async () => {
  const server = spawn(process.execPath, [Path.join(root, "test/support/postgresServer.mjs"), "{}"], {
    detached: true,
    stdio: ["pipe", "pipe", "inherit"]
  })
  const [line] = await new Promise((resolve) => createInterface({ input: server.stdout }).once("line", (...all) => resolve(all)))
  server.unref()
  for (const stream of [server.stdin, server.stdout]) stream.unref()
  const { error, url } = JSON.parse(line)
  if (error !== undefined) throw new Error(error)
  return url
}

/**
 * Runs test files, and says whether they pass and, if not, which of them fails first; "time" when they take longer than
 * `patience`, in milliseconds.
 */
export const run = async (tests, { bail = true, env, patience }) => {
  database ??= await (process.env.EFFECT_BATCH_TEST_PG ?? startDatabase())
  const report = Path.join(Os.tmpdir(), `effect-batch-mutant-${process.pid}.json`)
  Fs.rmSync(report, { force: true })
  const vitest = spawn(
    process.execPath,
    [
      Path.join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      "--config",
      CONFIG,
      "--root",
      root,
      ...(bail ? ["--bail", "1"] : []),
      "--reporter",
      "json",
      "--outputFile",
      report,
      ...tests
    ],
    {
      cwd: root,
      detached: true,
      stdio: "ignore",
      env: { ...process.env, EFFECT_BATCH_TEST_PG: database, ...env }
    }
  )
  let isLate = false
  const end = () => process.kill(-vitest.pid, "SIGKILL")
  const timer = setTimeout(() => {
    isLate = true
    end()
  }, patience)
  // Its workers are in a group of their own, which a signal to this process does not reach.
  process.once("exit", end)
  const code = await new Promise((resolve) => vitest.on("exit", resolve))
  clearTimeout(timer)
  process.off("exit", end)
  return isLate ? { passes: false, failed: "time" } : { passes: code === 0, failed: code === 0 ? undefined : firstFailed(report) }
}

const firstFailed = (report) => {
  if (!Fs.existsSync(report)) return "start"
  const { testResults } = JSON.parse(Fs.readFileSync(report, "utf8"))
  const failed = testResults.filter(({ status }) => status === "failed").sort((one, other) => one.endTime - other.endTime)
  return failed.length === 0 ? "start" : Path.relative(root, failed[0].name).split(Path.sep).join("/")
}
