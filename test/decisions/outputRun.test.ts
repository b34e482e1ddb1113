import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import { idOf, isOver, runName } from "../../src/decisions/outputRun.js"
import type * as BatchStatus from "../../src/vocabulary/BatchStatus.js"
import * as ExecutionContext from "../../src/vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../src/vocabulary/ExitStatus.js"
import type { JobExecution } from "../../src/vocabulary/JobExecution.js"

const time = FastCheck.integer({ min: 0, max: 9 }).map((millis) => DateTime.unsafeMake(millis))

const status = FastCheck.constantFrom(
  ...(["STARTING", "STARTED", "STOPPING", "STOPPED", "FAILED", "COMPLETED", "ABANDONED", "UNKNOWN"] as const)
) satisfies FastCheck.Arbitrary<BatchStatus.BatchStatus>

/** Few of each, so that two have much in common. */
const execution: FastCheck.Arbitrary<JobExecution> = FastCheck.record({
  id: FastCheck.oneof(
    FastCheck.integer({ min: 1, max: 3 }),
    FastCheck.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
  ),
  instance: FastCheck.record({
    id: FastCheck.integer({ min: 1, max: 3 }),
    jobName: FastCheck.constantFrom("a", "b", "a\",\"b"),
    jobKey: FastCheck.constantFrom("", "k"),
    createTime: time
  }),
  createTime: time,
  status
}).map((some): JobExecution => ({
  parameters: [],
  exitStatus: ExitStatus.UNKNOWN,
  startTime: Option.none(),
  endTime: Option.none(),
  lastUpdated: some.createTime,
  context: ExecutionContext.empty,
  owner: Option.none(),
  epoch: 1,
  restartOf: Option.none(),
  ...some
}))

const identity = ({ createTime, id, instance: { createTime: begun, jobKey, jobName } }: JobExecution) =>
  JSON.stringify([id, jobName, jobKey, DateTime.toEpochMillis(begun), DateTime.toEpochMillis(createTime)])

describe("the run that a file beside an output was made by", () => {
  it.prop("is found by the id in its name", [execution], ([execution]) => {
    assert.match(runName(execution), /^[a-z0-9]+_[0-9a-f]{8}$/)
    assert.strictEqual(idOf(runName(execution)), execution.id)
  })

  it.prop("has no id in a name that was made by nobody", [FastCheck.string()], ([name]) => {
    const id = idOf(name)
    assert.isTrue(id === undefined || name.startsWith(`${id.toString(36)}_`))
  })

  it.prop(
    "is another one if the same id was given out again (OWN-16, OWN-17)",
    [execution, execution],
    ([one, other]) => {
      assert.strictEqual(runName(one) === runName(other), identity(one) === identity(other))
    }
  )

  it.prop("is over only if its very instance can never be restarted (OWN-17)", [
    execution,
    execution,
    FastCheck.array(execution, { maxLength: 3 })
  ], ([asked, found, ofInstance]) => {
    const isEnded = ofInstance.some(({ instance, status }) =>
      instance.id === found.instance.id && ["COMPLETED", "ABANDONED"].includes(status)
    )
    assert.strictEqual(isOver(runName(asked), found, ofInstance), identity(asked) === identity(found) && isEnded)
    assert.isFalse(isOver(runName(asked), asked, []))
  })
})
