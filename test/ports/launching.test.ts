/**
 * What a launch does around its decision: to the dead, to who counts, and to errors of the driver.
 */
import { assert, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { BatchError, BatchMetrics, JobRepository } from "../../src/index.js"
import * as MemoryDriver from "../../src/ports/memoryDriver.js"
import * as Kit from "../../src/testing/jobRepository/kit.js"

it.effect("buries only the dead, and counts them although it is refused then (LAUNCH-5)", () =>
  Effect.gen(function*() {
    const { driver } = yield* MemoryDriver.make
    const closed: Array<ReadonlyArray<number>> = []
    const repository = JobRepository.makeEncoded({
      ...driver,
      close: (ids, end) => Effect.zipRight(Effect.sync(() => void closed.push(ids)), driver.close(ids, end))
    })
    const takeovers = (jobName: string) =>
      Effect.map(Metric.value(Metric.tagged(BatchMetrics.takeovers, "job", jobName)), ({ count }) => count)
    for (const restartable of [true, false]) {
      closed.length = 0
      const request = { ...Kit.request(`over the dead, ${restartable}`), restartable: true }
      const first = yield* repository.launch(request)
      assert.strictEqual((yield* Effect.flip(repository.launch(request)))._tag, "JobExecutionAlreadyRunning")
      assert.deepStrictEqual(closed, [])
      const again = yield* Effect.either(repository.launch({ ...request, restartable, isOwnerGone: () => true }))
      assert.strictEqual(again._tag, restartable ? "Right" : "Left")
      assert.deepStrictEqual(closed, [[first.id]])
      assert.strictEqual(yield* takeovers(request.jobName), 1)
    }
  }))

it.effect("says who blocks it, if its driver does (OWN-19)", () =>
  Effect.gen(function*() {
    const { driver } = yield* MemoryDriver.make
    const other = { pid: 7, application: "nightly report", queryStart: DateTime.unsafeMake(0) }
    for (const blockedBy of [other, undefined]) {
      const error = new BatchError.JobRepositoryError({
        operation: "transact",
        reason: "transient",
        detail: "it waited for too long",
        ...(blockedBy === undefined ? {} : { blockedBy })
      })
      const { launch } = JobRepository.makeEncoded({ ...driver, transact: () => Effect.fail(error) })
      const said = yield* Effect.flip(launch(Kit.request("blocked")))
      assert.deepInclude(said, { _tag: "JobRepositoryError", operation: "launch", detail: "it waited for too long" })
      assert.deepStrictEqual((said as BatchError.JobRepositoryError).blockedBy, blockedBy)
    }
  }))

it.effect("what is gone already is not closed once more (LAUNCH-5)", () =>
  Effect.gen(function*() {
    const { driver } = yield* MemoryDriver.make
    const repository = JobRepository.makeEncoded(driver)
    const { id } = yield* repository.launch(Kit.request("gone"))
    yield* driver.close([404, id], { status: "FAILED", exitCode: "FAILED", exitMessage: "", endTime: 0 })
    assert.deepStrictEqual((yield* repository.jobExecutions({})).map((row) => [row.id, row.status]), [[id, "FAILED"]])
  }))
