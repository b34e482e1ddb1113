import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import { causesOf, endingOf, heard, unheard } from "../../src/decisions/outcome.js"
import { type BatchStatus, ExitStatus } from "../../src/index.js"

/** A step whose code has left its status and exit status alone, but for these. */
const step = (changes: Partial<Parameters<typeof endingOf>[1]> = {}): Parameters<typeof endingOf>[1] => ({
  stopping: false,
  status: "STARTED",
  exitStatus: ExitStatus.EXECUTING,
  ...changes
})

const completed = () => "COMPLETED"

const ends = (
  ending: ReturnType<typeof endingOf>,
  status: BatchStatus.BatchStatus,
  ...exit: readonly [code: string, ...messages: ReadonlyArray<string>]
) =>
  assert.deepStrictEqual({ status: ending.status, exitStatus: ending.exitStatus }, {
    status,
    exitStatus: ExitStatus.make(...exit)
  })

const interrupted = Cause.interrupt(FiberId.none)

describe("how a step ended", () => {
  it("without trouble it is COMPLETED, without a message (STEP-5, STEP-21)", () => {
    ends(endingOf(Exit.void, step(), completed), "COMPLETED", "COMPLETED")
  })

  it("an exit status that its code has chosen goes before the one of its definition (STEP-5, EXIT-5)", () => {
    const chosen = step({ exitStatus: ExitStatus.make("ODD", "seen") })
    ends(endingOf(Exit.void, chosen, completed), "COMPLETED", "ODD", "seen")
    ends(endingOf(Exit.void, chosen, () => "COMPLETED WITH SKIPS"), "COMPLETED", "ODD", "seen")
    ends(endingOf(Exit.void, step(), () => "COMPLETED WITH SKIPS"), "COMPLETED", "COMPLETED WITH SKIPS")
  })

  it("a status that its code has raised stays (STEP-10)", () => {
    ends(endingOf(Exit.void, step({ status: "FAILED" }), completed), "FAILED", "FAILED")
    ends(endingOf(Exit.fail("no"), step({ status: "UNKNOWN" }), completed), "UNKNOWN", "UNKNOWN", "no")
  })

  it("a request to stop is STOPPED when the body ended well, and does not hide a failure (STEP-9, STEP-11)", () => {
    const stopping = step({ stopping: true })
    ends(endingOf(Exit.void, stopping, completed), "STOPPED", "STOPPED", "stopped on request")
    ends(endingOf(Exit.fail("no"), stopping, completed), "FAILED", "FAILED", "no")
  })

  it("a failure and a defect are FAILED, one that came with an interruption too (STEP-11, LIFE-14)", () => {
    ends(endingOf(Exit.fail("no"), step(), completed), "FAILED", "FAILED", "no")
    assert.strictEqual(endingOf(Exit.die(new Error("broken")), step(), completed).status, "FAILED")
    ends(
      endingOf(Exit.failCause(Cause.sequential(interrupted, Cause.fail("no"))), step(), completed),
      "FAILED",
      "FAILED",
      "no"
    )
  })

  it("a code that was chosen before the failure is void, and the messages tell of it (OWN-1, STEP-11)", () => {
    const odd = step({ exitStatus: ExitStatus.make("ODD", "seen") })
    ends(
      endingOf(Exit.fail("no"), odd, completed),
      "FAILED",
      "FAILED",
      "seen",
      `it had chosen the exit code "ODD" before`,
      "no"
    )
    const noop = step({ exitStatus: ExitStatus.make("NOOP", "seen") })
    ends(endingOf(Exit.fail("no"), noop, completed), "FAILED", "FAILED", "seen", "no")
  })

  it("what is known of a failure stays with it, whatever its listeners make of it (STEP-14, LIFE-14)", () => {
    const cause = Cause.fail(new Error("outer", { cause: "inner" }))
    const known = causesOf(Option.some(cause)).causes!
    assert.strictEqual(known[1], "  caused by inner")
    const failed = endingOf(Exit.failCause(cause), step(), completed)
    assert.deepStrictEqual(failed.causes, known)
    const inside = { status: "FAILED", exitStatus: ExitStatus.FAILED, cause: Option.some(cause) }
    assert.deepStrictEqual(endingOf(Exit.succeed(inside), step(), completed).causes, known)
    for (const status of ["FAILED", "UNKNOWN"] as const) {
      assert.deepStrictEqual(heard(failed, { status, exitStatus: ExitStatus.FAILED, given: undefined }).causes, known)
    }
    assert.deepStrictEqual(unheard(failed, Cause.fail("deaf")).causes, [...known, "deaf"])
    assert.deepStrictEqual(unheard({ ...failed, status: "STOPPED" }, Cause.fail("deaf")).causes, [...known, "deaf"])
    const good = endingOf(Exit.void, step(), completed)
    assert.isUndefined(good.causes)
    assert.isUndefined(causesOf(Option.none()).causes)
    assert.deepStrictEqual(unheard(good, Cause.fail("deaf")).causes, ["deaf"])
    assert.isUndefined(unheard(good, interrupted).causes)
  })

  it("an interruption alone is STOPPED (STEP-24, HAND-12)", () => {
    ends(endingOf(Exit.failCause(interrupted), step(), completed), "STOPPED", "STOPPED", "interrupted")
  })
})
