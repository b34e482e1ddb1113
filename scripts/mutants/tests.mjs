/** Runs tests with a mutant in place, in processes that end with this one. */
import { fork, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { plant } from "./operators.mjs"

const root = fileURLToPath(new URL("../..", import.meta.url))

let database

/** One PostgreSQL for all runs, where each of them would wait two seconds for one of its own; ends with this process. */
const startDatabase = async () => {
  const server = spawn(process.execPath, [Path.join(root, "test/support/postgresServer.mjs"), "{}"], {
    detached: true,
    stdio: ["pipe", "pipe", "inherit"]
  })
  const line = await new Promise((resolve) => createInterface({ input: server.stdout }).once("line", resolve))
  server.unref()
  for (const stream of [server.stdin, server.stdout]) stream.unref()
  const { error, url } = JSON.parse(line)
  if (error !== undefined) throw new Error(error)
  return url
}

/** Of a child in a group of its own, which a signal to this process does not reach: its workers end with it. */
const ending = (child) => {
  const end = () => {
    try {
      process.kill(-child.pid, "SIGKILL")
    } catch {
      // It has ended.
    }
  }
  process.once("exit", end)
  child.once("exit", () => process.off("exit", end))
  return end
}

/** Holds the source file with the mutant in it, for tests that compile programs: see test/support/bundle.ts. */
const PLANTED = Path.join(Os.tmpdir(), `effect-batch-mutant-${process.pid}.json`)
process.once("exit", () => Fs.rmSync(PLANTED, { force: true }))

let host

const startHost = async () => {
  database ??= await (process.env.EFFECT_BATCH_TEST_PG ?? startDatabase())
  const child = fork(fileURLToPath(new URL("host.mjs", import.meta.url)), [], {
    cwd: root,
    detached: true,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: { ...process.env, NODE_ENV: "test", EFFECT_BATCH_TEST_PG: database, EFFECT_BATCH_MUTANT: PLANTED }
  })
  const end = ending(child)
  await new Promise((resolve, reject) => {
    child.once("message", resolve)
    child.once("exit", () => reject(new Error("the test runner ended at once")))
  })
  return { child, end }
}

/**
 * Runs test files, `mutant` in the place of `file` if it is given, and says whether they pass and, if not, which of them
 * fails first; "time" when they take longer than `patience`, in milliseconds.
 */
export const run = async (tests, { file, mutant, patience }) => {
  const text = file === undefined ? undefined : plant(Fs.readFileSync(file, "utf8"), mutant)
  Fs.writeFileSync(PLANTED, JSON.stringify({ file, text }))
  host ??= await startHost()
  const { child, end } = host
  const answer = await new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ passes: false, failed: "time" }), patience)
    const onExit = () => resolve({ passes: false, failed: "exit" })
    child.once("exit", onExit)
    child.once("message", (answer) => {
      clearTimeout(timer)
      child.off("exit", onExit)
      resolve(answer)
    })
    child.send({ tests, file, mutant })
  })
  if (["time", "exit"].includes(answer.failed)) {
    host = undefined
    end()
  }
  if (answer.failed === "start") throw new Error(answer.error)
  return answer
}

/** Lets this process end. */
export const close = () => host?.child.disconnect()

/** Runs all tests once, each file in a process of its own, and has them write into a folder what they reach. */
export const runReaching = (folder) =>
  new Promise((resolve) => {
    const vitest = spawn(
      process.execPath,
      [
        Path.join(root, "node_modules/vitest/vitest.mjs"),
        "run",
        "--config",
        "scripts/mutants/reach.config.mjs",
        "--root",
        root
      ],
      { cwd: root, detached: true, stdio: "inherit", env: { ...process.env, EFFECT_BATCH_REACH: folder } }
    )
    ending(vitest)
    vitest.once("exit", (code) => resolve(code === 0))
  })
