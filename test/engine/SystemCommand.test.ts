/**
 * Real programs, run by tasklets. Time is the test's, so a timeout comes exactly when the program is known to run.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import * as TestServices from "effect/TestServices"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import {
  BatchError,
  JobOperator,
  JobRepository,
  Listener,
  Step,
  StepScope,
  SystemCommandTasklet
} from "../../src/index.js"
import { drivers, sqlDrivers } from "../support/drivers.js"
import { runStep } from "./faults/world.js"

const { SystemCommandError } = SystemCommandTasklet

const inMemory = Effect.provide(Layer.merge(JobRepository.layerMemory, NodeContext.layer))

const node = (script: string, ...args: ReadonlyArray<SystemCommandTasklet.Text>) =>
  [process.execPath, "-e", script, ...args] as const

const command = <const Code extends string = never>(
  name: string,
  script: string,
  options: Partial<SystemCommandTasklet.Options<Code>> = {}
) =>
  Step.tasklet(name, SystemCommandTasklet.make(node(script), { timeout: "1 minute", ...options })).pipe(
    Step.withTransaction({ propagation: "notSupported" })
  )

const directory = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-batch-command-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

/** A program with a child, both of which run until they are ended, and which tells their ids in a file. */
const family = (file: string, preparation = "") => `
  ${preparation}
  const child = require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"])
  child.on("spawn", () => {
    const file = ${JSON.stringify(file)}
    require("node:fs").writeFileSync(file + ".new", process.pid + " " + child.pid)
    require("node:fs").renameSync(file + ".new", file)
  })
  setInterval(() => {}, 1000)
`

/** Looks again and again, in real time. */
const eventually = (condition: () => boolean) =>
  Effect.iterate(condition(), {
    while: (met) => !met,
    body: () => Effect.as(TestServices.provideLive(Effect.sleep("10 millis")), 0).pipe(Effect.map(condition))
  })

/** Also of a process that nobody has collected after its end. */
const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return Fs.existsSync(`/proc/${pid}/stat`) && /^\d+ \(.*\) Z/s.test(Fs.readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return true
  }
}

/** Starts the step, and gives its processes once they run. */
const started = <C extends string, E, R>(step: Step.Step<C, E, R>, file: string) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(runStep(step))
    yield* eventually(() => Fs.existsSync(file))
    return { fiber, pids: Fs.readFileSync(file, "utf8").split(" ").map(Number) }
  })

const allGone = (pids: ReadonlyArray<number>) =>
  Effect.zipRight(
    eventually(() => pids.every(isGone)),
    Effect.sync(() => assert.lengthOf(pids, 2))
  )

describe("a system command (TASK-14, C41)", () => {
  for (const driver of drivers) {
    it.layer(Layer.merge(Layer.orDie(driver.layer), NodeContext.layer), { timeout: "5 minutes" })(
      driver.name,
      (it) => {
        it.scoped("exit code 0 completes the step; it runs in its directory, with its environment", () =>
          Effect.gen(function*() {
            const workingDirectory = yield* directory
            const step = command(
              "zero",
              `require("node:fs").writeFileSync("out", process.env.GREETING + process.env.PATH)`,
              {
                workingDirectory,
                environment: { GREETING: "hello" }
              }
            )
            const { counts, status, step: stored } = yield* runStep(step)
            assert.deepStrictEqual([status, stored.exitStatus.code, counts.commit], ["COMPLETED", "COMPLETED", 1])
            assert.strictEqual(
              Fs.readFileSync(Path.join(workingDirectory, "out"), "utf8"),
              `hello${process.env["PATH"]}`
            )
          }))

        it.effect("another exit code fails the step, with the last lines of the command's output; a restart runs it again", () =>
          Effect.gen(function*() {
            const step = command("three", `console.error("the table is\\nlocked"); process.exitCode = 3`)
            const { exit, status, step: stored } = yield* runStep(step)
            assert.strictEqual(status, "FAILED")
            const error = yield* Effect.flip(exit)
            assert.instanceOf(error, SystemCommandError)
            assert.deepInclude(error, { reason: "exitCode", exitCode: 3, stderr: "the table is\nlocked\n" })
            assert.include(error.message, "ended with exit code 3")
            assert.include(error.message, "the table is locked")
            assert.deepStrictEqual([...stored.exitStatus.messages], [`SystemCommandError: ${error.message}`])
            assert.strictEqual((yield* runStep(command("three", ""))).status, "COMPLETED")
          }))

        it.effect("an exit code that is mapped completes it with an exit code of the step (TASK-10)", () =>
          Effect.gen(function*() {
            const step = command("mapped", "process.exitCode = 3", {
              exitCode: (code) => code === 3 ? "NOTHING TO DO" : undefined
            })
            const { status, step: stored } = yield* runStep(step)
            assert.deepStrictEqual([status, stored.exitStatus.code], ["COMPLETED", "NOTHING TO DO"])
            assert.strictEqual(
              (yield* runStep(command("unmapped", "process.exitCode = 3", {
                exitCode: (code) => code === 4 ? "FOUR" : undefined
              }))).status,
              "FAILED"
            )
          }))

        it.scoped("a timeout ends it and the processes that it started, and fails the step", () =>
          Effect.gen(function*() {
            const file = Path.join(yield* directory, "pids")
            const { fiber, pids } = yield* started(command("late", family(file), { timeout: "5 seconds" }), file)
            yield* TestClock.adjust("5 seconds")
            const { exit, status } = yield* Fiber.join(fiber)
            assert.strictEqual(status, "FAILED")
            const error = yield* Effect.flip(exit)
            assert.deepInclude(error, { _tag: "SystemCommandError", reason: "timeout" })
            assert.include((error as Error).message, "took longer than its timeout of 5s")
            yield* allGone(pids)
          }))

        it.scoped("a request to stop ends it, the step is STOPPED; a restart runs it again", () =>
          Effect.gen(function*() {
            const file = Path.join(yield* directory, "pids")
            const { fiber, pids } = yield* started(command("stopped", family(file)), file)
            const [running] = yield* JobOperator.executions({ jobName: "stopped" })
            yield* JobOperator.stop(running!.id)
            yield* TestClock.adjust("1 second")
            const { execution, status } = yield* Fiber.join(fiber)
            assert.deepStrictEqual([status, execution.status], ["STOPPED", "STOPPED"])
            yield* allGone(pids)
            const again = yield* runStep(command("stopped", ""))
            assert.deepStrictEqual([again.status, again.counts.commit], ["COMPLETED", 1])
          }))
      }
    )
  }

  it.scoped("requestStop ends it as a request to stop does (STEP-20)", () =>
    Effect.gen(function*() {
      const step = command("terminated", "setInterval(() => {}, 1000)").pipe(
        Step.listen(Listener.step({ beforeChunk: () => StepScope.requestStop }))
      )
      const fiber = yield* Effect.fork(runStep(step))
      yield* Effect.iterate(false, {
        while: (ended) => !ended,
        body: () =>
          Effect.zipRight(
            TestClock.adjust("1 second"),
            Effect.map(TestServices.provideLive(Effect.sleep("10 millis")), () => fiber.unsafePoll() !== null)
          )
      })
      assert.strictEqual((yield* Fiber.join(fiber)).status, "STOPPED")
    }).pipe(inMemory))

  it.scoped("an interruption ends it (EFF-3)", () =>
    Effect.gen(function*() {
      const file = Path.join(yield* directory, "pids")
      const { fiber, pids } = yield* started(command("interrupted", family(file)), file)
      yield* Fiber.interrupt(fiber)
      yield* allGone(pids)
      const [execution] = yield* JobOperator.executions({ jobName: "interrupted" })
      assert.strictEqual(execution!.status, "STOPPED")
    }).pipe(inMemory))

  it.scoped("a command that ignores the request to end is killed", () =>
    Effect.gen(function*() {
      const file = Path.join(yield* directory, "pids")
      const step = command("stubborn", family(file, `process.on("SIGTERM", () => console.error("not me"))`), {
        timeout: "5 seconds",
        killAfter: "3 seconds"
      })
      const { fiber, pids } = yield* started(step, file)
      yield* TestClock.adjust("5 seconds")
      yield* eventually(() => isGone(pids[1]!))
      assert.isFalse(isGone(pids[0]!))
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).status, "FAILED")
      yield* allGone(pids)
    }).pipe(inMemory))
})

describe("a system command that cannot end well", () => {
  const failure = <E, R>(step: Step.Step<string, E, R>) =>
    Effect.gen(function*() {
      const { exit, status, step: stored } = yield* runStep(step)
      assert.strictEqual(status, "FAILED")
      const error = yield* Effect.flip(exit)
      assert.instanceOf(error, SystemCommandError)
      return { error, stored }
    })

  it.effect("is distinguished from a missing program and from a missing directory", () =>
    Effect.gen(function*() {
      const absent = SystemCommandTasklet.make(["no-such-program"], { timeout: "1 minute" })
      const { error: first } = yield* failure(Step.tasklet("absent", absent))
      assert.deepStrictEqual(
        [first.reason, first.message],
        [
          "notStarted",
          "Command no-such-program cannot be started because there is no such program, " +
          "check the name of the program and the PATH"
        ]
      )
      const { error: second } = yield* failure(command("nowhere", "", { workingDirectory: "/no/such/directory" }))
      assert.strictEqual(second.reason, "workingDirectory")
      assert.include(second.message, `cannot run in "/no/such/directory"`)
      const { error: third } = yield* failure(command("no directory", "", { workingDirectory: process.execPath }))
      assert.include(third.message, "which is not a directory, create it or correct")
      const { error: fourth } = yield* failure(command("refused", "\0"))
      assert.deepInclude(fourth, {
        reason: "notStarted",
        problem: "cannot be started because the system refuses it (ERR_INVALID_ARG_VALUE)"
      })
    }).pipe(inMemory))

  it.effect("names the signal that ended it", () =>
    Effect.gen(function*() {
      const { error } = yield* failure(command("killed", `process.kill(process.pid, "SIGKILL")`))
      assert.strictEqual(error.reason, "signal")
      assert.include(error.message, "was ended by SIGKILL")
    }).pipe(inMemory))

  it.effect("may print a lot, of which the end is kept", () =>
    Effect.gen(function*() {
      const { error } = yield* failure(command(
        "verbose",
        `process.stdout.write("o".repeat(2e6)); process.stderr.write("e".repeat(2e6) + "end", () => process.exit(1))`
      ))
      assert.strictEqual(error.stderr, `${"e".repeat(1997)}end`)
      assert.isBelow(error.message.length, 1200)
    }).pipe(inMemory))

  it.effect("shows neither its environment nor redacted arguments, not even where it printed them", () =>
    Effect.gen(function*() {
      const { error, stored } = yield* failure(Step.tasklet(
        "secrets",
        SystemCommandTasklet.make(
          node(
            `console.error(process.argv[1], process.env.TOKEN, process.env.PIN); process.exit(1)`,
            Redacted.make("hush")
          ),
          { timeout: "1 minute", environment: { TOKEN: "t0psecret", PIN: Redacted.make("7") } }
        )
      ))
      assert.strictEqual(error.stderr, "<redacted> <redacted> <redacted>\n")
      const printed = [
        error.message,
        Cause.pretty(Cause.fail(error)),
        JSON.stringify(error),
        stored.exitStatus.messages
      ]
      assert.notMatch(printed.join("\n"), /hush|t0psecret/)
      assert.include(error.command, "<redacted>")
    }).pipe(inMemory))

  it.effect("needs a timeout", () =>
    Effect.gen(function*() {
      const { exit, status } = yield* runStep(command("endless", "", { timeout: 0 }))
      assert.strictEqual(status, "FAILED")
      assert.isTrue(exit._tag === "Failure")
      const defects = exit._tag === "Failure" ? [...Cause.defects(exit.cause)] : []
      assert.instanceOf(defects[0], BatchError.JobDefinitionError)
    }).pipe(inMemory))
})

const sqlite = sqlDrivers.find(({ name }) => name === "SQLite")!

describe("without a transaction", () => {
  it.scoped("nobody waits for the database while a command runs", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      yield* sql`create table note (id int)`
      const file = Path.join(yield* directory, "pids")
      const { fiber, pids } = yield* started(command("beside", family(file)), file)
      yield* sql`insert into note values (1)`
      yield* Fiber.interrupt(fiber)
      yield* allGone(pids)
      assert.deepStrictEqual(yield* sql`select id from note`, [{ id: 1 }])
    }).pipe(Effect.provide(Layer.merge(Layer.orDie(sqlite.layer), NodeContext.layer))))
})
