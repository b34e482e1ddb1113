import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import { BatchEvent, Counts, JobExecution, ProgressMeter, StepExecution } from "../../src/index.js"

const at = DateTime.unsafeMake(0)
const job = JobExecution.make({
  id: 1,
  instance: { id: 1, jobName: "job", jobKey: "", createTime: at },
  createTime: at
})
const stepAt = (read: number) => ({
  ...StepExecution.make({ id: 1, jobExecutionId: 1, stepName: "load", createTime: at }),
  counts: Counts.make({ read })
})
const committed = (read: number, total: number | undefined) =>
  BatchEvent.BatchEvent.ChunkCommitted({
    job,
    step: stepAt(read),
    progress: total === undefined ? undefined : { done: read, total }
  })

const meterOf = (samples: ReadonlyArray<readonly [read: number, atMillis: number]>, total?: number) =>
  samples.reduce(
    (meter, [read, at]) => ProgressMeter.update(meter, committed(read, total), at),
    ProgressMeter.make("load")
  )

describe("ProgressMeter", () => {
  it("knows rate, share and the time that is left", () => {
    const meter = meterOf([[0, 0], [100, 1000], [300, 2000]], 900)
    assert.deepStrictEqual(ProgressMeter.rate(meter), Option.some(150))
    assert.deepStrictEqual(ProgressMeter.share(meter), Option.some(1 / 3))
    assert.deepStrictEqual(ProgressMeter.eta(meter), Option.some(Duration.millis(4000)))
  })

  it("shows nothing that it cannot know", () => {
    const empty = ProgressMeter.make("load")
    assert.deepStrictEqual(
      [ProgressMeter.rate(empty), ProgressMeter.share(empty), ProgressMeter.eta(empty)],
      [Option.none(), Option.none(), Option.none()]
    )
    const unsized = meterOf([[0, 0], [100, 1000]])
    assert.deepStrictEqual(ProgressMeter.rate(unsized), Option.some(100))
    assert.deepStrictEqual(ProgressMeter.eta(unsized), Option.none())
    assert.deepStrictEqual(ProgressMeter.eta(meterOf([[5, 0], [5, 1000]], 10)), Option.none())
  })

  it("forgets the last run of the step, and ignores other steps", () => {
    const started = BatchEvent.BatchEvent.StepStarted({ job, step: stepAt(0), resumed: true })
    const meter = ProgressMeter.update(meterOf([[0, 0], [100, 1000]], 200), started, 5000)
    assert.strictEqual(meter.samples.length, 1)
    const other = ProgressMeter.make("other")
    assert.strictEqual(ProgressMeter.update(other, committed(1, 2), 0), other)
  })

  it.prop("is bounded, total and sensible for any steady source", {
    chunks: FastCheck.integer({ min: 2, max: 2000 }),
    size: FastCheck.integer({ min: 1, max: 1000 }),
    millis: FastCheck.integer({ min: 1, max: 2000 })
  }, ({ chunks, millis, size }) => {
    const samples = Array.from({ length: chunks }, (_, i) => [i * size, i * millis] as const)
    const meter = meterOf(samples, 2 * chunks * size)
    assert.isAtMost(meter.samples.length, 65)
    assert.closeTo(Option.getOrThrow(ProgressMeter.rate(meter)), 1000 * size / millis, 1e-6 * size)
    assert.isAtMost(Option.getOrThrow(ProgressMeter.share(meter)), 1)
    assert.isAtLeast(Duration.toMillis(Option.getOrThrow(ProgressMeter.eta(meter))), 0)
  })
})
