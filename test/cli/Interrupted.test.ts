/**
 * Ctrl-C at the command line: what a person reads then, and what a scheduler sees.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Processes from "../chaos/processes.js"
import * as Sqlite from "../support/Sqlite.js"

/** Looks again and again, as somebody would who waits for it. */
const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => holds() ? Effect.void : Effect.delay(until(holds), "10 millis"))

const begun = (file: string) =>
  until(() => Fs.existsSync(`${file}.at`) && Number(Fs.readFileSync(`${file}.at`, "utf8")) > 10)

/** Times and counts differ from run to run. */
const steady = (lines: ReadonlyArray<string>) =>
  lines.map((line) => line.replace(/in [\d.]+ m?s/, "in T").replace(/\d+ read, \d+ written, \d+ commits?/, "N read"))

const errors = (signal: string) =>
  `${signal}: stopping after the chunk at work; another signal ends the process at once\n`

describe("Ctrl-C at the command line", () => {
  it.scopedLive(
    "stops the job behind the chunk at hand, says how to go on if that is possible, and the said command does",
    () =>
      Effect.gen(function*() {
        const compiled = yield* Processes.compile(new URL("interruptedProgram.ts", import.meta.url))
        const file = yield* Sqlite.freshFile
        const interrupted = (job: string, signal: "SIGINT" | "SIGTERM") =>
          Effect.gen(function*() {
            Fs.rmSync(`${file}.at`, { force: true })
            const process = yield* Processes.spawn(compiled, [file, "run", job])
            yield* begun(file)
            process.kill(signal)
            const { code, errors, lines } = yield* process.ended
            return { code, errors, lines: steady(lines) }
          })
        assert.deepStrictEqual(yield* interrupted("load", "SIGINT"), {
          code: 130,
          errors: errors("SIGINT"),
          lines: [
            "load runs as execution 1",
            "  work started",
            "  work STOPPED: N read in T",
            "load execution 1 STOPPED in T",
            "  work: stopped on request",
            "Go on from the last commit with: nightly restart 1"
          ]
        })
        assert.deepStrictEqual(yield* interrupted("load", "SIGTERM"), {
          code: 143,
          errors: errors("SIGTERM"),
          lines: [
            "load runs as execution 2",
            "  work goes on from its last commit",
            "  work STOPPED: N read in T",
            "load execution 2 STOPPED in T",
            "  work: stopped on request",
            "Go on from the last commit with: nightly restart 2"
          ]
        })
        const once = yield* interrupted("once", "SIGINT")
        assert.strictEqual(once.code, 130)
        assert.strictEqual(
          once.lines.at(-1),
          "It cannot be restarted: see what it has done, then run it with another identifying parameter"
        )
        Fs.writeFileSync(`${file}.fast`, "")
        const again = yield* Effect.flatMap(
          Processes.spawn(compiled, [file, "restart", "2"]),
          (process) => process.ended
        )
        assert.strictEqual(again.code, 0, again.errors)
        assert.strictEqual(steady(again.lines).at(-1), "load execution 4 COMPLETED in T")
      }),
    300_000
  )
})
