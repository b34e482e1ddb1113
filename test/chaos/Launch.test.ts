/**
 * Many processes that launch the same instance at the same moment (LAUNCH-8).
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"
import * as Processes from "./processes.js"

const PROCESSES = 20

const databases: ReadonlyArray<readonly [string, Effect.Effect<string, Error, Scope.Scope>]> = [
  ["PostgreSQL", Postgres.freshUrl],
  ["SQLite", Sqlite.freshFile]
]

describe("20 processes launch the same instance at once", () => {
  it.scopedLive.each(databases)("%s: one runs, 19 are refused", ([kind, database]) =>
    Effect.gen(function*() {
      const where = yield* database
      const launcher = yield* Processes.compile(new URL("launcher.ts", import.meta.url))
      const processes = yield* Effect.replicateEffect(Processes.spawn(launcher, [kind, where]), PROCESSES)
      yield* Effect.forEach(processes, (process) => process.line((line) => line === "ready"), {
        concurrency: "unbounded",
        discard: true
      })
      processes.forEach((process) => process.kill("SIGUSR2"))
      const outcomes = yield* Effect.forEach(
        processes,
        (process) => process.line((line) => line === "holds" || line.startsWith("end ")),
        { concurrency: "unbounded" }
      )
      const refused = outcomes.filter((line) => line === "end JobExecutionAlreadyRunning")
      assert.deepStrictEqual(
        [outcomes.filter((line) => line === "holds").length, refused.length],
        [1, 19],
        outcomes.join()
      )
      const winner = processes[outcomes.indexOf("holds")]!
      const end = yield* Effect.fork(winner.line((line) => line.startsWith("end ")))
      winner.kill("SIGTERM")
      assert.strictEqual(yield* Fiber.join(end), "end STOPPED")
    }), 300_000)
})
