/**
 * Runs the worker as a child process and kills it: after a random number of its lines and a random time, so that the
 * kill lands while it works. All randomness comes from a seed, except for what the operating system adds.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { bundle } from "../support/bundle.js"
import type { WorkerOptions } from "./worker.js"

/** How a run of the worker came to its end. */
export interface Ended {
  /** The last thing the worker said, or `undefined` when it was killed before its end. */
  readonly status: string | undefined
  /** What went wrong beyond that. */
  readonly errors: string
}

/** When to strike a run: behind so many lines, after so many milliseconds. */
export interface Strike {
  readonly lines: number
  readonly millis: number
  /** What happens then. By default the process is killed. */
  readonly instead?: (() => void) | undefined
}

/** The worker as one file. */
export const compiled: Effect.Effect<string, never, Scope.Scope> = bundle(
  fileURLToPath(new URL("worker.ts", import.meta.url))
)

/** A directory for the files of a job, removed when the scope closes. */
export const directory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-batch-crash-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

/** Runs the worker to its end, however that comes. It never outlives the effect. */
export const run = (file: string, options: WorkerOptions, strike?: Strike): Effect.Effect<Ended> =>
  Effect.async((resume) => {
    const child = spawn(process.execPath, [file, JSON.stringify(options)], { stdio: ["ignore", "pipe", "pipe"] })
    let status: string | undefined
    let lines = 0
    let errors = ""
    child.stderr.on("data", (data) => {
      errors += String(data)
    })
    createInterface({ input: child.stdout }).on("line", (line) => {
      lines++
      if (line.startsWith("end ")) {
        status = line.slice(4)
      }
      if (lines === strike?.lines) {
        setTimeout(strike.instead ?? (() => child.kill("SIGKILL")), strike.millis)
      }
    })
    child.once("close", () => resume(Effect.succeed({ status, errors })))
    return Effect.sync(() => void child.kill("SIGKILL"))
  })
