import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import { describe as describeCause, errorOf } from "../../src/internal/failure.js"

class Broken extends Data.TaggedError("Broken")<{ readonly message: string }> {}

const failure = new Broken({ message: "the wheel\n  is broken" })
const other = new Broken({ message: "the other one, too" })
const defect = new TypeError("no such property")

describe("what a cause is told as", () => {
  it("one line, by the failure; the place is named for a defect only", () => {
    assert.strictEqual(describeCause(Cause.fail(failure)), "Broken: the wheel is broken")
    assert.match(describeCause(Cause.die(defect)), /^TypeError: no such property \(at .*failure\.test\.ts:\d+:\d+\)$/)
    assert.strictEqual(describeCause(Cause.die("out of paper")), "out of paper")
    assert.strictEqual(describeCause(Cause.interrupt(FiberId.none)), "interrupted")
    assert.strictEqual(describeCause(Cause.empty), "interrupted")
  })

  it("LIFE-14: a defect comes before any failure, since it decides", () => {
    for (const cause of [Cause.sequential(Cause.fail(failure), Cause.die(defect)), Cause.die(defect)]) {
      assert.match(describeCause(cause), /^TypeError: no such property/)
      assert.strictEqual(Option.getOrNull(errorOf(cause)), defect)
    }
    assert.strictEqual(Option.getOrNull(errorOf(Cause.fail(failure))), failure)
  })

  it("of several it tells the first, and how many more there are", () => {
    const both = Cause.parallel(Cause.fail(failure), Cause.fail(other))
    assert.strictEqual(describeCause(both), "Broken: the wheel is broken (and 1 more)")
    assert.match(describeCause(Cause.parallel(both, Cause.die(defect))), /^TypeError: .* \(and 2 more\)$/)
  })

  it("counts neither an interruption nor the same error twice", () => {
    const again = Cause.sequential(
      Cause.fail(failure),
      Cause.parallel(Cause.interrupt(FiberId.none), Cause.fail(failure))
    )
    assert.strictEqual(describeCause(again), "Broken: the wheel is broken")
  })
})
