/**
 * The commands of a program that is part of a cluster, without one. `test/cluster` runs real processes by them.
 */
import * as Terminal from "@effect/platform/Terminal"
import { assert, describe, it } from "@effect/vitest"
import * as Cron from "effect/Cron"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { BatchCli } from "../../src/cli/index.js"
import { Job, JobRepository, Step } from "../../src/index.js"

const report = Job.make("report", { flow: Step.tasklet("write", Effect.void) })

const schedules = [
  { jobName: "report", name: "nightly", cron: Cron.unsafeParse("0 30 2 * * *", "Europe/Berlin") },
  { jobName: "report", name: "hourly", cron: Cron.unsafeParse("0 0 * * * *", "UTC") }
]

/** Runs a command of a program with these schedules; `begun` hears of the process that it becomes. */
const run = (
  args: ReadonlyArray<string>,
  options: {
    readonly isPart?: boolean
    readonly begun?: (settings: BatchCli.ClusterSettings) => Effect.Effect<unknown>
    readonly ended?: Effect.Effect<unknown>
    readonly listed?: typeof schedules
  } = {}
) =>
  Effect.gen(function*() {
    const { begun = () => Effect.void, ended = Effect.void, isPart = true, listed = schedules } = options
    const out: Array<string> = []
    const cli = BatchCli.make({
      name: "batch",
      version: "1.0.0",
      jobs: [report],
      layer: JobRepository.layerMemory,
      cluster: !isPart ? undefined : {
        schedules: listed,
        process: (settings) =>
          Layer.scopedDiscard(
            Effect.zipRight(JobRepository.JobRepository, Effect.acquireRelease(begun(settings), () => ended))
          )
      }
    })
    const terminal = Terminal.Terminal.of({
      columns: Effect.succeed(80),
      rows: Effect.succeed(30),
      isTTY: Effect.succeed(false),
      readInput: Effect.die("no input"),
      readLine: Effect.die("no input"),
      display: (text) => Effect.sync(() => void out.push(text))
    })
    const exit = yield* Effect.exit(
      Effect.provideService(cli(["node", "batch", ...args]), Terminal.Terminal, terminal)
    )
    const error = Exit.isFailure(exit) ? (exit.cause as { error?: { message?: string } }).error?.message : undefined
    return { code: BatchCli.exitCodeOf(exit), text: out.join(""), error: String(error) }
  })

describe("list schedules", () => {
  it.effect("says when each comes next in its own zone, also around a change of clocks", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.parse("2026-10-24T12:00:00Z"))
      const { code, text } = yield* run(["list", "schedules", "--next", "2"])
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(text.trimEnd().split("\n").map((line) => line.trim().split(/\s{2,}/)), [
        ["JOB", "SCHEDULE", "ZONE", "NEXT"],
        ["report", "nightly", "Europe/Berlin", "2026-10-25 02:30:00+02:00"],
        ["2026-10-26 02:30:00+01:00"],
        ["report", "hourly", "UTC", "2026-10-24 13:00:00+00:00"],
        ["2026-10-24 14:00:00+00:00"]
      ])
    }))

  it.effect("answers with JSON for programs, and says when there are none", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.parse("2026-10-24T12:00:00Z"))
      assert.deepStrictEqual(JSON.parse((yield* run(["list", "schedules", "--json"])).text), [
        { job: "report", schedule: "nightly", zone: "Europe/Berlin", next: ["2026-10-25T00:30:00.000Z"] },
        { job: "report", schedule: "hourly", zone: "UTC", next: ["2026-10-24T13:00:00.000Z"] }
      ])
      assert.include((yield* run(["list", "schedules"], { listed: [] })).text, "This program has no schedules.")
    }))
})

describe("cluster run", () => {
  const started = (args: ReadonlyArray<string>) =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<BatchCli.ClusterSettings>()
      const ended = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(run(["cluster", "run", ...args], {
        begun: (settings) => Deferred.succeed(begun, settings),
        ended: Deferred.succeed(ended, undefined)
      }))
      const settings = yield* Deferred.await(begun)
      assert.isFalse(yield* Deferred.isDone(ended))
      yield* Fiber.interrupt(fiber)
      yield* Deferred.await(ended)
      return settings
    })

  it.effect("is a process of the cluster until it is told to end, with what it was given", () =>
    Effect.gen(function*() {
      const address = { host: "localhost", port: 34431 }
      assert.deepStrictEqual(yield* started([]), { slots: 1, jobs: 16, address, listen: undefined })
      assert.deepStrictEqual(
        yield* started(["--slots", "8", "--jobs", "2", "--address", "10.0.0.7:9000", "--listen", "[::]:9001"]),
        { slots: 8, jobs: 2, address: { host: "10.0.0.7", port: 9000 }, listen: { host: "::", port: 9001 } }
      )
    }))

  it.effect("refuses an address that is none, and is not known to a program without a cluster", () =>
    Effect.gen(function*() {
      for (const wrong of ["localhost", "localhost:", ":80", "localhost:65536", "a:b:1", "http://a:1"]) {
        const { code, error } = yield* run(["cluster", "run", "--address", wrong])
        assert.deepStrictEqual([code, error.includes("must be a host and a port")], [2, true], wrong)
      }
      for (const words of [["cluster", "run"], ["list", "schedules"]]) {
        assert.strictEqual((yield* run(words, { isPart: false })).code, 2)
      }
      assert.include((yield* run(["--help"])).text, "cluster run")
      assert.notInclude((yield* run(["--help"], { isPart: false })).text, "cluster run")
    }))
})
