import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Equal from "effect/Equal"
import { pipe } from "effect/Function"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as BatchStatus from "../../src/vocabulary/BatchStatus.js"
import * as Counts from "../../src/vocabulary/Counts.js"
import * as ExecutionContext from "../../src/vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../src/vocabulary/ExitStatus.js"
import * as StepExecution from "../../src/vocabulary/StepExecution.js"

const at = (millis: number) => DateTime.unsafeMake(millis)
const fresh = StepExecution.make({ id: 5, jobExecutionId: 7, stepName: "load", createTime: at(0) })
const { BatchStatus: Status } = BatchStatus

describe("StepExecution", () => {
  it("a new step execution is STARTING, EXECUTING and has counted nothing (EXEC-5)", () => {
    assert.strictEqual(fresh.status, "STARTING")
    assert.strictEqual(fresh.exitStatus, ExitStatus.EXECUTING)
    assert.strictEqual(fresh.counts, Counts.empty)
    assert.deepStrictEqual([fresh.startTime, fresh.endTime, fresh.checkpoint], [
      Option.none(),
      Option.none(),
      Option.none()
    ])
    assert.isTrue(StepExecution.isRunning(fresh))
  })

  it("a resumed step begins with the given context and checkpoint (HAND-9)", () => {
    const context = ExecutionContext.fromEntries({ n: 1 })
    const checkpoint = Option.some({ line: 10 })
    const resumed = StepExecution.make({
      id: 6,
      jobExecutionId: 8,
      stepName: "load",
      createTime: at(1),
      context,
      checkpoint
    })
    assert.deepStrictEqual([resumed.context, resumed.checkpoint], [context, checkpoint])
  })

  it("start and end set times (EXEC-5)", () => {
    const run = pipe(fresh, StepExecution.start(at(10)), StepExecution.end(at(250)))
    assert.strictEqual(run.status, "STARTED")
    assert.deepStrictEqual(StepExecution.duration(run), Option.some(Duration.millis(240)))
    assert.deepStrictEqual(run.lastUpdated, at(250))
  })

  it.prop("setStatus overwrites, upgradeStatus upgrades (ENUM-7)", [Status, Status], ([a, b]) => {
    const execution = StepExecution.setStatus(fresh, a)
    assert.strictEqual(pipe(execution, StepExecution.setStatus(b)).status, b)
    assert.strictEqual(StepExecution.upgradeStatus(execution, b).status, BatchStatus.upgradeTo(a, b))
  })

  it.prop(
    "a chunk's counts and exit status are added (EXEC-8)",
    [Counts.Counts, ExitStatus.ExitStatus],
    ([a, exit]) => {
      const after = pipe(fresh, StepExecution.addCounts(a), StepExecution.addExitStatus(exit))
      assert.deepStrictEqual(after.counts, a)
      assert.deepStrictEqual(after.exitStatus, ExitStatus.and(fresh.exitStatus, exit))
    }
  )

  it("each count has its accessor (EXEC-5, EXEC-6)", () => {
    const counts = { read: 1, write: 2, filter: 3, readSkip: 4, processSkip: 5, writeSkip: 6, commit: 7, rollback: 8 }
    const self = StepExecution.addCounts(fresh, counts)
    const accessors = [
      StepExecution.readCount,
      StepExecution.writeCount,
      StepExecution.filterCount,
      StepExecution.readSkipCount,
      StepExecution.processSkipCount,
      StepExecution.writeSkipCount,
      StepExecution.commitCount,
      StepExecution.rollbackCount,
      StepExecution.skipCount
    ]
    assert.deepStrictEqual(accessors.map((accessor) => accessor(self)), [1, 2, 3, 4, 5, 6, 7, 8, 15])
  })

  it("sets exit status, context and checkpoint", () => {
    const context = ExecutionContext.fromEntries({ n: 1 })
    const changed = pipe(
      fresh,
      StepExecution.setExitStatus(ExitStatus.NOOP),
      StepExecution.setContext(context),
      StepExecution.setCheckpoint(null)
    )
    assert.deepStrictEqual([changed.exitStatus, changed.context], [ExitStatus.NOOP, context])
    assert.deepStrictEqual(changed.checkpoint, Option.some(null))
  })

  it("last by create time, listed by id (EXEC-9, EXEC-10)", () => {
    const make = (id: number, time: number) => StepExecution.make({ ...fresh, id, createTime: at(time) })
    const some = [make(3, 5), make(9, 1), make(2, 5)]
    assert.deepStrictEqual(some.toSorted(StepExecution.Order).map(({ id }) => id), [9, 2, 3])
    assert.deepStrictEqual(some.toSorted(StepExecution.OrderById).map(({ id }) => id), [2, 3, 9])
  })

  it.prop("survives storage as JSON text (EXEC-5)", [StepExecution.StepExecution], ([execution]) => {
    const schema = Schema.parseJson(StepExecution.StepExecution)
    const text = Schema.encodeSync(schema)(execution)
    const back = Schema.decodeSync(schema)(text)
    assert.strictEqual(Schema.encodeSync(schema)(back), text)
    assert.isTrue(Equal.equals(back.context, execution.context))
    assert.deepStrictEqual(back.counts, execution.counts)
  })

  it("tells the checkpoint null from no checkpoint", () => {
    const schema = Schema.parseJson(StepExecution.StepExecution)
    const through = (self: StepExecution.StepExecution) => Schema.decodeSync(schema)(Schema.encodeSync(schema)(self))
    assert.deepStrictEqual(through(fresh).checkpoint, Option.none())
    assert.deepStrictEqual(through(StepExecution.setCheckpoint(fresh, null)).checkpoint, Option.some(null))
  })
})
