/**
 * Programs under BatchRuntime.runMain that get signals.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { JobOperator } from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Sqlite from "../support/Sqlite.js"
import * as Processes from "./processes.js"

const rows = (file: string) =>
  Effect.gen(function*() {
    const executions = yield* JobOperator.executions()
    const [step] = yield* JobOperator.steps(executions[0]!.id)
    return {
      executions: executions.map(({ exitStatus, status }) => [status, exitStatus.code]),
      step: step?.status,
      written: step?.counts.write
    }
  }).pipe(Effect.provide(Layer.provideMerge(SqlJobRepository.layer, Sqlite.layerFile(file))))

const program = Effect.all([Processes.compile(new URL("shutdownProgram.ts", import.meta.url)), Sqlite.freshFile])

describe("a signal to a program that runs a job", () => {
  it.scopedLive(
    "on SIGTERM the current chunk commits, the rows are STOPPED, the exit code is 143, and the next run continues there",
    () =>
      Effect.gen(function*() {
        const [compiled, file] = yield* program
        for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
          const process = yield* Processes.spawn(compiled, ["chunks", file])
          yield* process.line((line) => line.startsWith("written"))
          yield* process.line((line) => line === (signal === "SIGTERM" ? "writing 11" : "writing 31"))
          process.kill(signal)
          const ended = yield* process.ended
          assert.strictEqual(ended.code, code, ended.errors)
          assert.strictEqual(ended.lines.at(-1), "ended STOPPED")
          assert.include(ended.errors, `${signal}: stopping`)
          const stored = yield* rows(file)
          assert.deepStrictEqual([stored.executions[0], stored.step], [["STOPPED", "STOPPED"], "STOPPED"])
          assert.strictEqual(stored.written, 20)
        }
      }),
    300_000
  )

  it.scopedLive(
    "a step that waits for its source, and a tasklet that does not listen, end too",
    () =>
      Effect.gen(function*() {
        const [compiled, file] = yield* program
        for (const kind of ["idle", "deaf"]) {
          const process = yield* Processes.spawn(compiled, [kind, file])
          yield* process.line((line) => line === kind)
          process.kill("SIGTERM")
          const ended = yield* process.ended
          assert.strictEqual(ended.code, 143, ended.errors)
          assert.deepStrictEqual((yield* rows(file)).executions[0], ["STOPPED", "STOPPED"])
        }
      }),
    300_000
  )

  it.scopedLive(
    "a second signal kills the process at once, and the next run recovers (HOOK-2)",
    () =>
      Effect.gen(function*() {
        const [compiled, file] = yield* program
        const process = yield* Processes.spawn(compiled, ["chunks", file])
        yield* process.line((line) => line === "writing 11")
        process.kill("SIGINT")
        process.kill("SIGTERM")
        const killed = yield* process.ended
        assert.notStrictEqual(killed.lines.at(-1), "ended STOPPED")
        assert.include([130, 143], killed.code)
        const next = yield* Processes.spawn(compiled, ["done", file])
        const done = yield* next.ended
        assert.strictEqual(done.code, 0, done.errors)
        assert.deepStrictEqual((yield* rows(file)).executions, [["COMPLETED", "COMPLETED"], ["FAILED", "OWNER_DIED"]])
      }),
    300_000
  )

  it.scopedLive(
    "without a job the program is interrupted at once; the other codes are 0, 1 and 2",
    () =>
      Effect.gen(function*() {
        const [compiled, file] = yield* program
        const asleep = yield* Processes.spawn(compiled, ["sleeps", file])
        yield* asleep.line((line) => line === "asleep")
        asleep.kill("SIGINT")
        assert.strictEqual((yield* asleep.ended).code, 130)
        const codeOf = (kind: string) =>
          Effect.flatMap(Processes.spawn(compiled, [kind, file]), (process) => process.ended)
        assert.strictEqual((yield* codeOf("fails")).code, 1)
        assert.strictEqual((yield* codeOf("done")).code, 0)
        const refused = yield* codeOf("done")
        assert.strictEqual(refused.code, 3)
        assert.include(refused.errors, "JobInstanceAlreadyComplete")
      }),
    300_000
  )
})
