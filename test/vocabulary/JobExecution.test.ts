import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Equal from "effect/Equal"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as BatchStatus from "../../src/vocabulary/BatchStatus.js"
import * as ExecutionContext from "../../src/vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../src/vocabulary/ExitStatus.js"
import * as JobExecution from "../../src/vocabulary/JobExecution.js"

const at = (millis: number) => DateTime.unsafeMake(millis)
const instance = { id: 1, jobName: "import", jobKey: "ab", createTime: at(0) }
const fresh = JobExecution.make({ id: 7, instance, createTime: at(0) })
const { BatchStatus: Status } = BatchStatus

describe("JobExecution", () => {
  it("a new execution is STARTING, UNKNOWN and without times (EXEC-2, LAUNCH-10)", () => {
    assert.strictEqual(fresh.status, "STARTING")
    assert.strictEqual(fresh.exitStatus, ExitStatus.UNKNOWN)
    assert.deepStrictEqual([fresh.startTime, fresh.endTime, fresh.owner], [Option.none(), Option.none(), Option.none()])
    assert.strictEqual(fresh.context, ExecutionContext.empty)
    assert.deepStrictEqual([fresh.parameters, fresh.epoch, fresh.restartOf], [[], 0, Option.none()])
    const restarted = JobExecution.make({ id: 8, instance, createTime: at(1), owner: "me", epoch: 3, restartOf: 7 })
    assert.deepStrictEqual([restarted.owner, restarted.epoch, restarted.restartOf], [
      Option.some("me"),
      3,
      Option.some(7)
    ])
  })

  it("the duration is known when both times are (EXEC-2)", () => {
    const ended = { ...fresh, startTime: Option.some(at(10)), endTime: Option.some(at(250)) }
    assert.deepStrictEqual(JobExecution.duration(ended), Option.some(Duration.millis(240)))
    assert.deepStrictEqual(JobExecution.duration(fresh), Option.none())
  })

  it.prop("it is running while its status is (EXEC-4)", [Status], ([status]) => {
    assert.strictEqual(JobExecution.isRunning({ ...fresh, status }), BatchStatus.isRunning(status))
  })

  it("the last execution has the greatest create time, then the greatest id (EXEC-9)", () => {
    const make = (id: number, time: number) => JobExecution.make({ id, instance, createTime: at(time) })
    const sorted = [make(3, 5), make(9, 1), make(2, 5)].sort(JobExecution.Order)
    assert.deepStrictEqual(sorted.map(({ id }) => id), [9, 2, 3])
  })

  it.prop("survives storage as JSON text (EXEC-2)", [JobExecution.JobExecution], ([execution]) => {
    const schema = Schema.parseJson(JobExecution.JobExecution)
    const text = Schema.encodeSync(schema)(execution)
    const back = Schema.decodeSync(schema)(text)
    assert.strictEqual(Schema.encodeSync(schema)(back), text)
    assert.isTrue(Equal.equals(back.context, execution.context))
    assert.deepStrictEqual(back.exitStatus, execution.exitStatus)
  })
})
