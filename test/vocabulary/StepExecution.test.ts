import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Equal from "effect/Equal"
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

  it("the duration is known when both times are (EXEC-5)", () => {
    const started = { ...fresh, startTime: Option.some(at(10)) }
    assert.deepStrictEqual(StepExecution.duration(started), Option.none())
    const ended = { ...started, endTime: Option.some(at(250)) }
    assert.deepStrictEqual(StepExecution.duration(ended), Option.some(Duration.millis(240)))
  })

  it.prop("it is running while its status is", [Status], ([status]) => {
    assert.strictEqual(StepExecution.isRunning({ ...fresh, status }), BatchStatus.isRunning(status))
  })

  it("the last execution has the greatest create time, then the greatest id (EXEC-9)", () => {
    const make = (id: number, time: number) => StepExecution.make({ ...fresh, id, createTime: at(time) })
    const some = [make(3, 5), make(9, 1), make(2, 5)]
    assert.deepStrictEqual(some.toSorted(StepExecution.Order).map(({ id }) => id), [9, 2, 3])
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
    assert.deepStrictEqual(through({ ...fresh, checkpoint: Option.some(null) }).checkpoint, Option.some(null))
  })
})
