import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Equal from "effect/Equal"
import * as FastCheck from "effect/FastCheck"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { couldNotBegin, hasAdvanced, hasHappened, isStored, mayHaveCommitted } from "../../../src/engine/step/doubt.js"
import { TransactionError } from "../../../src/vocabulary/BatchError.js"
import * as ExecutionContext from "../../../src/vocabulary/ExecutionContext.js"
import * as StepExecution from "../../../src/vocabulary/StepExecution.js"

const made = StepExecution.make({ id: 1, jobExecutionId: 1, stepName: "load", createTime: DateTime.unsafeMake(0) })

const row = FastCheck.record({ read: FastCheck.nat(3), commit: FastCheck.nat(3), checkpoint: FastCheck.nat(3) }).map(
  ({ checkpoint, commit, read }): StepExecution.StepExecution => ({
    ...made,
    counts: { ...made.counts, read, commit },
    checkpoint: Option.some(checkpoint)
  })
)

const error = (phase: "begin" | "body" | "commit") =>
  Cause.fail(new TransactionError({ phase, reason: "transient", cause: "gone" }))

describe("a commit without an answer", () => {
  it.prop("has happened if the row holds its result or a later one", [
    row,
    row,
    FastCheck.integer({ min: 1 })
  ], ([
    before,
    attempted,
    more
  ]) => {
    const follower = { ...before, counts: { ...before.counts, commit: before.counts.commit + more } }
    assert.isTrue(hasHappened(before, attempted, attempted))
    assert.isTrue(hasHappened(before, attempted, follower))
  })

  it.prop("has not happened if the row is still that from before", [row, row], ([before, attempted]) => {
    const other = { ...attempted, counts: { ...attempted.counts, commit: before.counts.commit + 1 } }
    assert.isFalse(hasHappened(before, other, before))
  })

  it.prop("has advanced the row only where that counts more commits", [row, row], ([known, stored]) => {
    assert.strictEqual(hasAdvanced(known, stored), stored.counts.commit > known.counts.commit)
  })

  it.prop(
    "of an end has happened only if the row has ended so, with the same counts, position and context",
    [row, row],
    ([
      attempted,
      other
    ]) => {
      const ended: StepExecution.StepExecution = { ...attempted, status: "COMPLETED" }
      assert.isTrue(isStored(ended, ended))
      assert.isFalse(isStored(ended, attempted))
      const context = ExecutionContext.unsafeSet(ExecutionContext.key("seen", Schema.String), "more")(ended.context)
      assert.isFalse(isStored(ended, { ...ended, context }))
      const isSame = Equal.equals(Data.struct(attempted.counts), Data.struct(other.counts)) &&
        Equal.equals(attempted.checkpoint, other.checkpoint)
      assert.strictEqual(isStored(ended, { ...other, status: "COMPLETED" }), isSame)
    }
  )

  it("is a lost or interrupted one, not one that was refused before", () => {
    assert.isTrue(mayHaveCommitted(error("commit")))
    assert.isTrue(mayHaveCommitted(Cause.interrupt(FiberId.none)))
    assert.isFalse(mayHaveCommitted(error("body")))
    assert.isFalse(mayHaveCommitted(error("begin")))
    assert.isFalse(mayHaveCommitted(Cause.die("broken")))
  })
})

describe("a transaction that found no connection", () => {
  it("is one that was refused at its beginning for good, however deep that stands, and no other", () => {
    for (const phase of ["begin", "body", "commit"] as const) {
      for (const reason of ["fatal", "transient"] as const) {
        const failed = new TransactionError({ phase, reason, cause: new Error("no connection") })
        const isOne = phase === "begin" && reason === "fatal"
        assert.strictEqual(couldNotBegin(failed), isOne, `${phase} ${reason}`)
        const around = new Error("the save failed", { cause: new Error("the statement failed", { cause: failed }) })
        assert.strictEqual(couldNotBegin(around), isOne, `${phase} ${reason}, inside`)
      }
    }
    for (const other of [new Error("alone"), "text", undefined, { cause: new Error("no") }]) {
      assert.isFalse(couldNotBegin(other))
    }
  })
})
