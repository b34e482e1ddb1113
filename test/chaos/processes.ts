/**
 * Compiles programs and runs them as child processes, which are sent signals and watched line by line.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ChildProcess } from "node:child_process"
import { spawn as spawnProcess } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { bundle } from "../support/bundle.js"

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly lines: ReadonlyArray<string>
  readonly errors: string
}

export interface Process {
  readonly child: ChildProcess
  readonly kill: (signal: NodeJS.Signals) => void
  /** Waits for a line that the process has written or will write. Fails when it ends without. */
  readonly line: (matches: (line: string) => boolean) => Effect.Effect<string>
  readonly ended: Effect.Effect<Ended>
  /** What it has written so far, to either stream. */
  readonly said: () => ReadonlyArray<string>
}

/** A program as one file. */
export const compile = (entry: URL): Effect.Effect<string, never, Scope.Scope> => bundle(fileURLToPath(entry))

/** Starts the program; it dies with the scope. */
export const spawn = (
  file: string,
  args: ReadonlyArray<string>,
  onLine: (line: string) => void = () => {},
  env: Readonly<Record<string, string>> = {}
): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => start(file, args, onLine, env)),
    ({ child, kill }) => Effect.sync(() => child.exitCode === null && child.signalCode === null && kill("SIGKILL"))
  )

const start = (
  file: string,
  args: ReadonlyArray<string>,
  onLine: (line: string) => void,
  env: Readonly<Record<string, string>>
): Process => {
  const child = spawnProcess(process.execPath, [file, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env }
  })
  const lines: Array<string> = []
  const waiting = new Set<() => void>()
  const notify = () => waiting.forEach((look) => look())
  let errors = ""
  let ended: Ended | undefined
  child.stderr.on("data", (data) => {
    errors += String(data)
  })
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line)
    onLine(line)
    notify()
  })
  child.once("close", (code, signal) => {
    ended = { code, signal, lines, errors }
    notify()
  })
  const when = <A>(look: () => Effect.Effect<A> | undefined): Effect.Effect<A> =>
    Effect.async<A>((resume) => {
      const wake = () => {
        const found = look()
        if (found !== undefined) {
          waiting.delete(wake)
          resume(found)
        }
      }
      waiting.add(wake)
      wake()
      return Effect.sync(() => waiting.delete(wake))
    })
  return {
    child,
    kill: (signal) => void child.kill(signal),
    line: (matches) =>
      when(() => {
        const line = lines.find(matches)
        return line !== undefined
          ? Effect.succeed(line)
          : ended === undefined
          ? undefined
          : Effect.die(new Error(`It ended with ${ended.code ?? ended.signal}: ${[...lines, errors].join("\n")}`))
      }),
    said: () => [...lines, errors],
    ended: when(() => ended === undefined ? undefined : Effect.succeed(ended))
  }
}
