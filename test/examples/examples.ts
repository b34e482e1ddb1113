/**
 * Runs examples as a user does: as processes of their own, in an empty directory.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import { createRequire } from "node:module"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { bundle } from "../support/bundle.js"

/** The path of a file of this repository. */
export const repositoryFile = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** An empty directory, removed when the scope closes. */
export const directory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-batch-example-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

export interface Ended {
  /** The exit code, or the name of the signal that ended the process. */
  readonly exit: number | string
  readonly stdout: string
  readonly stderr: string
}

/** An example as one file. */
export const compiled = (example: string): Effect.Effect<ReadonlyArray<string>, never, Scope.Scope> =>
  Effect.map(bundle(repositoryFile(`examples/${example}`)), (file) => [file])

/** What `npm start` and the README do: an example as it is, through tsx. */
export const source = (example: string): ReadonlyArray<string> => [
  "--import",
  pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href,
  repositoryFile(`examples/${example}`)
]

/** Runs a program to its end. A process that has not ended when the effect is interrupted is killed. */
export const run = (options: {
  readonly program: ReadonlyArray<string>
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  /** Sends a signal as soon as the standard output contains a text. */
  readonly signal?: { readonly name: NodeJS.Signals; readonly after: string } | undefined
}): Effect.Effect<Ended> =>
  Effect.async((resume) => {
    const { DATABASE_URL: _, ...env } = process.env
    const child = spawn(process.execPath, [...options.program, ...options.args], {
      cwd: options.cwd,
      env: { ...env, TSX_TSCONFIG_PATH: repositoryFile("tsconfig.json") },
      stdio: ["ignore", "pipe", "pipe"]
    })
    const { signal } = options
    let stdout = ""
    let stderr = ""
    let isSent = false
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
      if (signal !== undefined && !isSent && stdout.includes(signal.after)) {
        isSent = child.kill(signal.name)
      }
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
    })
    child.once("error", (error) => resume(Effect.die(error)))
    child.once("close", (code, by) => resume(Effect.succeed({ exit: code ?? by ?? "", stdout, stderr })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })
