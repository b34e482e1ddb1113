import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Progress from "../../../src/engine/step/progress.js"
import type * as BatchStatus from "../../../src/vocabulary/BatchStatus.js"
import * as Counts from "../../../src/vocabulary/Counts.js"
import * as ExecutionContext from "../../../src/vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../../src/vocabulary/ExitStatus.js"
import * as StepExecution from "../../../src/vocabulary/StepExecution.js"

const made = StepExecution.make({ id: 1, jobExecutionId: 1, stepName: "load", createTime: DateTime.unsafeMake(0) })

const counts: FastCheck.Arbitrary<Counts.Counts> = FastCheck.record({
  read: FastCheck.nat(9),
  write: FastCheck.nat(9),
  filter: FastCheck.nat(9),
  readSkip: FastCheck.nat(9),
  processSkip: FastCheck.nat(9),
  writeSkip: FastCheck.nat(9),
  commit: FastCheck.nat(9),
  rollback: FastCheck.nat(9)
})

const keys = ["a", "b", "c"].map((name) => ExecutionContext.key(name, Schema.Number))
const anyKey = FastCheck.constantFrom(...keys)

const context = FastCheck.dictionary(FastCheck.constantFrom("a", "b", "c"), FastCheck.nat(9)).map(
  ExecutionContext.fromEntries
)

const change: FastCheck.Arbitrary<Progress.ContextChange> = FastCheck.tuple(
  anyKey,
  FastCheck.option(FastCheck.nat(9))
)
  .map(([key, value]) => value === null ? ExecutionContext.remove(key) : ExecutionContext.unsafeSet(key, value))

const exitStatus = FastCheck.constantFrom("EXECUTING", "COMPLETED", "NOOP", "ODD", "STOPPED", "FAILED").map((code) =>
  ExitStatus.make(code)
)

const status = FastCheck.constantFrom<BatchStatus.BatchStatus>("STARTED", "COMPLETED", "STOPPED", "FAILED", "UNKNOWN")

const step = FastCheck.record({ counts, context, checkpoint: FastCheck.option(FastCheck.nat(9)) }).map((
  { checkpoint, ...changes }
): StepExecution.StepExecution => ({ ...made, ...changes, checkpoint: Option.fromNullable(checkpoint) }))

const candidate: FastCheck.Arbitrary<Progress.Candidate> = FastCheck.record({
  step,
  awaitingCommit: counts,
  jobChanges: FastCheck.array(change, { maxLength: 2 })
})

/** Any progress at all, whether a step can come to it or not. */
const progress: FastCheck.Arbitrary<Progress.Progress> = FastCheck.record({
  step,
  uncommitted: counts,
  awaitingCommit: counts,
  doubt: FastCheck.option(candidate, { nil: undefined }),
  sent: FastCheck.option(step, { nil: undefined }),
  context,
  contextChanges: FastCheck.constant(Progress.notKept),
  jobChanges: FastCheck.array(change, { maxLength: 3 }),
  exitStatus,
  status,
  stopRequested: FastCheck.boolean()
})

/** What code inside a step can do. */
const added = (key: ExecutionContext.Key<number>, more: number) => (context: ExecutionContext.ExecutionContext) =>
  ExecutionContext.unsafeSet(
    context,
    key,
    Option.getOrElse(Either.getOrThrow(ExecutionContext.get(context, key)), () => 0) + more
  )

/** What code inside the step can do. `added` is what `update` does to a number. */
const deed: FastCheck.Arbitrary<(self: Progress.Progress) => Progress.Progress> = FastCheck.oneof(
  counts.map((more) => (self: Progress.Progress) => Progress.count(self, more)),
  counts.map((awaiting) => (self: Progress.Progress) => Progress.showAwaiting(self, awaiting)),
  FastCheck.tuple(anyKey, FastCheck.nat(9)).map(([key, value]) => (self: Progress.Progress) =>
    Progress.changeContext(self, ExecutionContext.unsafeSet(key, value))
  ),
  FastCheck.tuple(anyKey, FastCheck.integer({ min: 1, max: 9 })).map(([key, more]) => (self: Progress.Progress) =>
    Progress.changeContext(self, added(key, more))
  ),
  change.map((made) => (self: Progress.Progress) => Progress.changeJobContext(self, made)),
  exitStatus.map((code) => (self: Progress.Progress) => Progress.addExitStatus(self, code)),
  status.map((raised) => (self: Progress.Progress) => Progress.upgradeStatus(self, raised)),
  FastCheck.constant(Progress.requestStop)
)

const deeds = FastCheck.array(deed, { maxLength: 6 }).map((all) => (self: Progress.Progress) =>
  all.reduce((one, next) => next(one), self)
)

const record: FastCheck.Arbitrary<Progress.CommitRecord> = FastCheck.record({
  checkpoint: FastCheck.option(FastCheck.nat(9)).map(Option.fromNullable),
  counts,
  awaitingCommit: FastCheck.option(counts, { nil: undefined })
})

const totalOf = (self: Progress.Progress) => Progress.current(self).counts

describe("the progress of a step", () => {
  it.prop("begins with what the row says", [step], ([step]) => {
    assert.deepStrictEqual(Progress.current(Progress.make(step)), step)
  })

  it.prop("shows every count, whatever became durable of it", [progress, counts], ([before, more]) => {
    assert.deepStrictEqual(totalOf(Progress.count(before, more)), Counts.add(totalOf(before), more))
  })

  it.prop("never lowers its status (ENUM-5, ENUM-7)", [progress, status], ([before, raised]) => {
    const after = Progress.upgradeStatus(before, raised)
    assert.strictEqual(Progress.upgradeStatus(after, before.status).status, after.status)
    assert.strictEqual(Progress.upgradeStatus(after, raised).status, after.status)
  })
})

describe("a transaction of a step", () => {
  it.prop("that commits makes durable what was counted before it and in it, and what was set", [
    progress,
    record
  ], ([before, record]) => {
    const after = Progress.adopt(before, Progress.candidate(before, record))
    const durable = Counts.combineAll([before.step.counts, before.uncommitted, Counts.make(record.counts)])
    assert.deepStrictEqual(after.step.counts, durable)
    assert.deepStrictEqual(totalOf(after), Counts.add(durable, record.awaitingCommit ?? Counts.empty))
    assert.strictEqual(after.step.context, before.context)
    assert.strictEqual(after.step.checkpoint, record.checkpoint)
    assert.deepStrictEqual(after.jobChanges, [])
  })

  it.prop("that rolls back forgets what was set in it, and keeps what was counted (CTX-9)", [
    progress,
    deeds
  ], ([before, during]) => {
    const ended = during(before)
    const after = Progress.rollBack(ended, before)
    assert.strictEqual(after.context, before.context)
    assert.strictEqual(after.jobChanges, before.jobChanges)
    assert.deepStrictEqual(totalOf(after), totalOf(ended))
    assert.strictEqual(after.step, before.step)
  })

  it.prop("that is looked up and found leaves no doubt, and is what any other commit is", [progress, record], ([
    before,
    record
  ]) => {
    const candidate = Progress.candidate(before, record)
    assert.deepStrictEqual(
      Progress.adopt(Progress.clearDoubt(Progress.putInDoubt(before, candidate)), candidate),
      Progress.adopt(Progress.clearDoubt(before), candidate)
    )
  })

  it.prop("that came true late leaves exactly what the row holds", [progress, step], ([before, stored]) => {
    assert.deepStrictEqual(Progress.current(Progress.overtake(before, stored)), stored)
  })

  it.prop("of which a candidate alone is known has changed nothing", [progress, record], ([before, record]) => {
    const copy = { ...before }
    Progress.candidate(before, record)
    assert.deepStrictEqual(before, copy)
  })
})

describe("a chunk that fails", () => {
  it.prop("forgets what was set since it began, and is one rollback (V6C-9)", [progress, deeds], ([began, during]) => {
    const failed = during(began)
    const after = Progress.abandon(failed, began)
    assert.strictEqual(after.context, began.context)
    assert.strictEqual(after.jobChanges, began.jobChanges)
    assert.isAbove(Progress.rollbacks(after), Progress.rollbacks(began))
  })

  it.prop("counts no second rollback for its transaction", [progress], ([began]) => {
    const rolledBack = Progress.count(began, { rollback: 1 })
    assert.strictEqual(Progress.rollbacks(Progress.abandon(rolledBack, began)), Progress.rollbacks(began) + 1)
  })

  it.prop("keeps what its first transactions have committed", [progress, deeds, record], ([began, during, record]) => {
    const active = during(began)
    const committed = Progress.adopt(active, Progress.candidate(active, record))
    const after = Progress.abandon(committed, began)
    assert.strictEqual(after.context, committed.step.context)
    assert.deepStrictEqual(after.jobChanges, [])
    assert.strictEqual(after.step, committed.step)
  })
})

describe("a step in two places", () => {
  it.prop("that parts and meets again without anything between is the same", [progress], ([before]) => {
    assert.deepStrictEqual(Progress.rejoin(Progress.branch(before), before, before), {
      ...before,
      contextChanges: { before: 0, made: [] }
    })
  })

  it.prop("counts as much as if it had been in one", [progress, deeds, deeds], ([parted, here, there]) => {
    const [beside, written] = [here(Progress.branch(parted)), there(parted)]
    const together = Progress.rejoin(beside, parted, written)
    const apart = Counts.add(totalOf(written), Counts.add(beside.uncommitted, beside.awaitingCommit))
    assert.deepStrictEqual(totalOf(together), apart)
  })

  it.prop("is as if what was done beside the chunk had been done behind it", [progress, record, deeds], ([
    parted,
    record,
    here
  ]) => {
    const written = Progress.adopt(parted, Progress.candidate(parted, record))
    const together = Progress.rejoin(here(Progress.branch(parted)), parted, written)
    const behind = here(Progress.branch(written))
    assert.deepStrictEqual(together.step, behind.step)
    assert.deepStrictEqual(together.uncommitted, behind.uncommitted)
    assert.isTrue(Equal.equals(together.context, behind.context))
    assert.strictEqual(together.jobChanges.length, behind.jobChanges.length)
    assert.strictEqual(together.status, behind.status)
    assert.deepStrictEqual(together.exitStatus, behind.exitStatus)
    assert.strictEqual(together.stopRequested, behind.stopRequested)
  })

  it.prop("loses no change of one key of its context, whoever made it (OWN-7)", [
    progress,
    FastCheck.array(FastCheck.tuple(FastCheck.nat(3), FastCheck.nat(3)), { minLength: 1, maxLength: 5 })
  ], ([before, rounds]) => {
    const sum = ExecutionContext.key("sum", Schema.Number)
    const valueOf = ({ context }: Progress.Progress) =>
      Option.getOrElse(Either.getOrThrow(ExecutionContext.get(context, sum)), () => 0)
    const add = (self: Progress.Progress, times: number) =>
      Array.from({ length: times }).reduce<Progress.Progress>((one) => Progress.changeContext(one, added(sum, 1)), self)
    let here: Progress.Progress = { ...before, context: ExecutionContext.empty }
    let expected = 0
    for (const [beside, inWriter] of rounds) {
      const parted = here
      here = Progress.rejoin(add(Progress.branch(parted), beside), parted, add(parted, inWriter))
      expected += beside + inWriter
    }
    assert.strictEqual(valueOf(here), expected)
  })

  it.prop("applies what the chunk did to the job's context first", [progress, deeds, deeds, context], ([
    parted,
    here,
    there,
    stored
  ]) => {
    const [beside, written] = [here(Progress.branch(parted)), there(parted)]
    const together = Progress.rejoin(beside, parted, written)
    const inOrder = Progress.jobContext(beside, Progress.jobContext(written, stored))
    assert.isTrue(Equal.equals(Progress.jobContext(together, stored), inOrder))
  })

  it.prop("falls back to the chunk that failed, as if nothing had happened beside it", [progress, deeds, deeds], ([
    parted,
    here,
    there
  ]) => {
    const written = there(parted)
    assert.strictEqual(Progress.fallBack(here(Progress.branch(parted)), written), written)
  })
})
