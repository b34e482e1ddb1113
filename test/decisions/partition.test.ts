import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Partition from "../../src/decisions/partition.js"
import * as BatchStatus from "../../src/vocabulary/BatchStatus.js"

const facts = FastCheck.record({
  isWaiting: FastCheck.boolean(),
  status: FastCheck.constantFrom(null, ...BatchStatus.BatchStatus.literals),
  isOfThisRun: FastCheck.boolean(),
  isOrphaned: FastCheck.boolean(),
  deaths: FastCheck.integer({ min: 0, max: 9 })
})
/** Most partitions stand in few places: what holds only where there is none of a kind is met, too. */
const few = FastCheck.oneof(FastCheck.constant(0), FastCheck.nat(3))
const tally: FastCheck.Arbitrary<Partition.Tally> = FastCheck.record({
  waiting: few,
  running: few,
  completed: few,
  failed: few,
  stopped: few,
  unknown: few,
  abandoned: few
})
const known: Partition.Facts = { isWaiting: false, status: null, isOfThisRun: true, isOrphaned: false, deaths: 0 }
const outcome = (counts: Partial<Partition.Tally>, stopRequested = false) =>
  Partition.outcomeOf("load", { ...Partition.emptyTally, ...counts }, {
    stopRequested,
    blamed: { name: "de", executionId: 7, message: "boom" }
  })

describe("partition", () => {
  it.prop("a plan is sound exactly when all names are there and no two are equal (PART-1)", [
    FastCheck.array(FastCheck.constantFrom("", " ", "a", "b", "c", "d e"), { maxLength: 5 })
  ], ([names]) => {
    const sound = names.every((name) => name.trim() !== "") && new Set(names).size === names.length
    assert.strictEqual(Partition.nameProblems(names).length === 0, sound)
  })

  it("every bad name of a plan is told, and only so many (PART-1)", () => {
    assert.deepStrictEqual(Partition.nameProblems(["a", "", "b", "a", " "]), [
      "partition 2, 5 has no name",
      `two partitions are called "a"`
    ])
    assert.deepStrictEqual(Partition.nameProblems(["a\0", "😀", "\ud800", "\ud801"]), [
      "the name of partition 1, 3, 4 holds NUL or half of a surrogate pair, which no database stores as it is"
    ])
    const many = Array.from({ length: 100_000 }, (_, n) => `p${n % 50_000}`)
    assert.strictEqual(Partition.nameProblems(many).length, 11)
  })

  it.prop("what completed stays completed, and is never begun again (PART-5)", [facts], ([some]) => {
    const done = { ...some, status: "COMPLETED" as const }
    assert.strictEqual(Partition.standingOf(done), "completed")
    assert.isFalse(Partition.isToPutUp(done))
  })

  it.prop("what runs in a living process is left to it (PART-5)", [facts], ([some]) => {
    for (const status of ["STARTING", "STARTED", "STOPPING"] as const) {
      assert.strictEqual(Partition.standingOf({ ...some, status, isOrphaned: false }), "running")
    }
  })

  it.prop("what an earlier run of the parent left unfinished is begun again, once (PART-5)", [facts], ([some]) => {
    for (const status of ["FAILED", "STOPPED"] as const) {
      const left = { ...some, status, isOfThisRun: false, isWaiting: false }
      assert.isTrue(Partition.isToPutUp(left))
      const ended = { ...left, isOfThisRun: true, isOrphaned: false }
      assert.isFalse(Partition.isToPutUp(ended))
      assert.strictEqual(Partition.standingOf(ended), status === "FAILED" ? "failed" : "stopped")
    }
  })

  it.prop(
    "what was put up while its process was slow has ended with it all the same (PART-5, PART-7)",
    [facts],
    ([some]) => {
      const ended = { ...some, status: "FAILED" as const, isOfThisRun: true, isOrphaned: false }
      assert.strictEqual(Partition.standingOf({ ...ended, isWaiting: true }), "failed")
      assert.strictEqual(Partition.standingOf({ ...ended, isWaiting: true, status: "STOPPED" }), "stopped")
    }
  )

  it("what lost its process is begun again, until it has killed five of them", () => {
    for (const status of ["STARTED", "FAILED"] as const) {
      const dead = (deaths: number) => ({ ...known, status, isOrphaned: true, deaths })
      assert.deepStrictEqual([1, 4, 5].map((deaths) => Partition.standingOf(dead(deaths))), [
        "waiting",
        "waiting",
        "failed"
      ])
      assert.strictEqual(Partition.standingOf({ ...dead(5), isOfThisRun: false }), "waiting")
    }
  })

  it.prop("each partition is counted in one place (PART-6)", [
    FastCheck.array(FastCheck.tuple(facts, FastCheck.nat(5)), { maxLength: 6 })
  ], ([groups]) => {
    const sum = Partition.tallyOf(groups.map(([group, count]) => ({ ...group, count })))
    assert.strictEqual(Partition.total(sum), groups.reduce((all, [, count]) => all + count, 0))
  })

  it.prop("nothing is begun after a stop, and nobody waits for nothing (PART-7)", [
    tally,
    FastCheck.boolean(),
    FastCheck.boolean()
  ], ([some, stopRequested, isOpen]) => {
    const next = Partition.next(some, { stopRequested, isOpen })
    assert.isTrue(next !== "Take" || (some.waiting > 0 && !stopRequested && isOpen))
    assert.strictEqual(next === "End", some.running === 0 && (some.waiting === 0 || stopRequested || !isOpen))
  })

  it.prop(
    "a failure closes the step to further partitions only where it is to stop at one (PART-7)",
    [tally],
    ([some]) => {
      assert.isTrue(Partition.staysOpen(some, "continue"))
      assert.strictEqual(Partition.staysOpen(some, "stop"), some.failed === 0 && some.unknown === 0)
    }
  )

  it.prop(
    "the step is as good as its worst partition (PART-6, PART-7)",
    [tally, FastCheck.boolean()],
    ([some, stop]) => {
      const { cause, exitStatus, status } = Partition.outcomeOf("load", some, {
        stopRequested: stop,
        blamed: undefined
      })
      const bad = some.failed + some.unknown > 0
      const isDone = some.waiting + some.running + some.stopped === 0
      assert.strictEqual(status === "COMPLETED", isDone && !bad)
      assert.isTrue(!bad || !isDone || status === "FAILED")
      assert.isTrue(some.stopped === 0 || status === "STOPPED")
      assert.strictEqual(exitStatus.code, status)
      assert.strictEqual(Option.isSome(cause), status === "FAILED")
    }
  )

  it.prop("a plan is made anew only beside nothing that runs, and where what is unfinished may be given up (PART-3)", [
    tally
  ], ([some]) => {
    assert.strictEqual(Partition.replanOf("keep", some), "Keep")
    const isSettled = some.waiting + some.failed + some.stopped + some.unknown === 0
    assert.strictEqual(Partition.replanOf("replan", some), some.running === 0 && isSettled ? "Replan" : "Refuse")
    assert.strictEqual(Partition.replanOf("abandonAndReplan", some), some.running === 0 ? "Replan" : "Refuse")
    assert.strictEqual(
      Partition.unfinished(some),
      Partition.UNFINISHED.reduce((sum, standing) => sum + some[standing], 0)
    )
  })

  it("no partitions are complete (PART-9)", () => {
    assert.deepStrictEqual([outcome({}).status, outcome({}).exitStatus.messages.length], ["COMPLETED", 0])
  })

  it("the message says how many failed, and which was the first (PART-7)", () => {
    assert.deepStrictEqual([...outcome({ completed: 37, failed: 3 }).exitStatus.messages], [
      `3 of 40 partitions of "load" failed, first "de" (execution 7): boom; ` +
      "mend the cause and restart the job, which runs those again that did not complete"
    ])
    assert.deepStrictEqual([...outcome({ completed: 1, failed: 1, waiting: 2 }).exitStatus.messages], [
      `1 of 4 partitions of "load" failed, 2 were not begun, first "de" (execution 7): boom; ` +
      "mend the cause and restart the job, which runs those again that did not complete"
    ])
    assert.deepStrictEqual([...outcome({ completed: 1, waiting: 1 }, true).exitStatus.messages], [
      "1 of 2 partitions completed"
    ])
  })

  it("a stop that comes when everything has completed changes nothing (OWN-2)", () => {
    assert.strictEqual(outcome({ completed: 2 }, true).status, "COMPLETED")
  })

  it("a worker takes its own code, leaves steps that it does not have, and refuses other code", () => {
    assert.deepStrictEqual(
      [Partition.fitnessOf("a", "a"), Partition.fitnessOf("a", undefined), Partition.fitnessOf("a", "b")],
      ["Take", "Leave", "Refuse"]
    )
  })
})
