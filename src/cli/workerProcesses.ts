/**
 * Copies of this process, with the same command line: they live and end with it.
 *
 * Each has a process group of its own, so that Ctrl-C reaches this process only, which passes it on. They notice when this process
 * is gone, however it went, and then end in order as well.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ChildProcess } from "node:child_process"
import { fork } from "node:child_process"

/**
 * Represents a copy of this process that has ended by itself: what was wrong with it is wrong with every other one.
 *
 * @internal
 */
export class WorkerProcessEnded extends Schema.TaggedError<WorkerProcessEnded>()("WorkerProcessEnded", {
  processId: Schema.Number,
  exitCode: Schema.Number
}) {
  override get message(): string {
    return `Worker process ${this.processId} could not work and ended with exit code ${this.exitCode}; what it said stands ` +
      "above. The others have handed over what they were at and ended too"
  }
}

/** @internal */
export const isFork = (): boolean => process.send !== undefined && process.env[MARK] !== undefined

/** Ends this process in order when the one that has made it is gone. Programs that it starts are no forks. @internal */
export const followParent: Effect.Effect<void> = Effect.sync(() => {
  delete process.env[MARK]
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"))
})

/** Keeps so many copies at work. One that is killed is replaced; when this is interrupted, all end in order. @internal */
export const forks = (count: number): Effect.Effect<never, WorkerProcessEnded> =>
  Effect.zipRight(
    Effect.forEach(Array.from({ length: count }), () => Effect.forever(kept), {
      concurrency: "unbounded",
      discard: true
    }),
    Effect.never
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Stands in the environment of a copy. */
const MARK = "EFFECT_BATCH_WORKER_FORK"

interface Ended {
  readonly processId: number
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
}

/** One copy until somebody has killed it, and the moment before the next one. */
const kept: Effect.Effect<void, WorkerProcessEnded> = Effect.gen(function*() {
  const { exitCode, processId, signal } = yield* one
  if (exitCode !== null && exitCode <= OF_SIGNALS) {
    return yield* new WorkerProcessEnded({ processId, exitCode })
  }
  yield* Effect.logWarning(
    `Worker process ${processId} was ended by ${signal ?? "a signal"}; another one takes its place`
  )
  yield* Effect.sleep("1 second")
})

/** Programs that a signal has ended exit with more than that. */
const OF_SIGNALS = 128

const one: Effect.Effect<Ended> = Effect.async<Ended>((resume) => {
  const child = fork(process.argv[1]!, process.argv.slice(2), {
    detached: true,
    env: { ...process.env, [MARK]: "1" },
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  })
  child.once("exit", (exitCode, signal) => resume(Effect.succeed({ processId: child.pid ?? 0, exitCode, signal })))
  child.once("error", (error) => child.pid === undefined ? resume(Effect.die(error)) : undefined)
  return ended(child)
})

/** Asks it to hand over, and waits until it has. */
const ended = (child: ChildProcess): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
      return resume(Effect.void)
    }
    child.once("exit", () => resume(Effect.void))
    child.kill("SIGTERM")
  })
