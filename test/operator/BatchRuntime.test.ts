import { assert, describe, it, vi } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import { BatchError, BatchRuntime } from "../../src/index.js"

const { exitCodeOf } = BatchRuntime

const refusals = [
  new BatchError.InvalidJobParameters({ problems: [] }),
  new BatchError.JobInstanceAlreadyComplete({ jobName: "j", parameters: "", executionId: 1, status: "COMPLETED" }),
  new BatchError.JobExecutionAlreadyRunning({ jobName: "j", executionId: 1 }),
  new BatchError.JobRestartRefused({ jobName: "j", reason: "notRestartable", detail: "" }),
  new BatchError.JobExecutionNotRunning({ executionId: 1, status: "FAILED" }),
  new BatchError.NoSuchJob({ name: "j", known: [] }),
  new BatchError.NoSuchJobExecution({ executionId: 1 })
]

const notCompleted = (status: "FAILED" | "STOPPED") =>
  Exit.fail(new BatchError.JobNotCompleted({ jobName: "j", executionId: 1, status, exitCode: status }))

describe("the exit code of a program (CLI-3)", () => {
  it("follows the status of the execution that it returns", () => {
    const codes = (["COMPLETED", "FAILED", "ABANDONED", "UNKNOWN", "STOPPED"] as const).map((status) =>
      exitCodeOf(Exit.succeed({ status }))
    )
    assert.deepStrictEqual(codes, [0, 1, 1, 1, 143])
    assert.strictEqual(exitCodeOf(Exit.succeed("anything")), 0)
  })

  it("says why nothing was run: 3 complete already, 4 running elsewhere, 2 anything else", () => {
    assert.deepStrictEqual(refusals.map((error) => exitCodeOf(Exit.fail(error))), [2, 3, 4, 2, 2, 2, 2])
    const given = { jobName: "j", parameters: "", executionId: 1, status: "ABANDONED" } as const
    assert.strictEqual(exitCodeOf(Exit.fail(new BatchError.JobInstanceAlreadyComplete(given))), 2)
    assert.strictEqual(
      exitCodeOf(Exit.fail(refusals[2]), { exitCodes: { runningElsewhere: 75 } }),
      75
    )
  })

  it("is that of the signal when the signal stopped it, and 0 when the job completed in spite of it", () => {
    const stopped = Exit.succeed({ status: "STOPPED" })
    assert.strictEqual(exitCodeOf(stopped, { signal: "SIGINT" }), 130)
    assert.strictEqual(exitCodeOf(stopped, { signal: "SIGTERM" }), 143)
    assert.strictEqual(exitCodeOf(notCompleted("STOPPED"), { signal: "SIGINT" }), 130)
    assert.strictEqual(exitCodeOf(Exit.interrupt(FiberId.none), { signal: "SIGTERM" }), 143)
    assert.strictEqual(exitCodeOf(Exit.succeed({ status: "COMPLETED" }), { signal: "SIGTERM" }), 0)
    assert.strictEqual(exitCodeOf(Exit.void, { signal: "SIGTERM" }), 143)
    assert.strictEqual(exitCodeOf(notCompleted("FAILED"), { signal: "SIGTERM" }), 1)
  })

  it("is 1 for every other failure", () => {
    assert.strictEqual(exitCodeOf(Exit.fail("no disk")), 1)
    assert.strictEqual(exitCodeOf(Exit.die(new TypeError("x"))), 1)
    assert.strictEqual(exitCodeOf(notCompleted("FAILED")), 1)
    assert.strictEqual(exitCodeOf(Exit.failCause(Cause.interrupt(FiberId.none))), 1)
  })

  it("can be given other numbers", () => {
    assert.strictEqual(exitCodeOf(Exit.fail(refusals[0]), { exitCodes: { refused: 75 } }), 75)
    assert.strictEqual(exitCodeOf(Exit.succeed({ status: "STOPPED" }), { exitCodes: { stopped: 0 } }), 0)
  })
})

describe("the message of a program that fails", () => {
  it("no control characters of the error", () => {
    const lines: Array<string> = []
    const spy = vi.spyOn(process.stderr, "write").mockImplementation((line) => lines.push(String(line)) > 0)
    BatchRuntime.report(Cause.fail("bad \u001b[2J\u009b"))
    BatchRuntime.report(Cause.die(new Error("bad \u001b[2J\u009b")))
    spy.mockRestore()
    assert.lengthOf(lines, 2)
    for (const line of lines) {
      assert.include(line, "bad \\u001b[2J\\u009b")
      assert.notMatch(line, /(?!\n)\p{Cc}/u)
    }
  })
})
