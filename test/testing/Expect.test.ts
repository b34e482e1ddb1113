import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { pipe } from "effect/Function"
import * as Schema from "effect/Schema"
import { Counts, ExitStatus, JobExecution, JobInstance, StepExecution } from "../../src/index.js"
import { Expect, Fixture } from "../../src/testing/index.js"

describe("Expect", () => {
  const step = Fixture.stepExecution({
    stepName: "load",
    status: "FAILED",
    exitStatus: { code: "FAILED", messages: ["Bad: line 3"] },
    counts: Counts.make({ read: 3, write: 2 })
  })

  it.effect("passes when everything is as expected", () =>
    Effect.gen(function*() {
      yield* Expect.status(step, "FAILED")
      yield* pipe(step, Expect.counts({ read: 3, write: 2, readSkip: 0 }))
      yield* Expect.exitCode(Fixture.jobExecution({ exitStatus: ExitStatus.COMPLETED }), "COMPLETED")
      assert.deepStrictEqual(yield* Effect.exit(Expect.counts(step, {})), yield* Effect.exit(Effect.void))
    }))

  it.effect("a wrong status fails, and says why the execution ended so", () =>
    Effect.gen(function*() {
      const mismatch = yield* Effect.flip(Expect.status(step, "COMPLETED"))
      assert.strictEqual(
        mismatch.message,
        "The step \"load\" (step execution 1234) is not as expected: status is FAILED instead of COMPLETED; " +
          "it ended with: Bad: line 3"
      )
    }))

  it.effect("wrong counts fail, and all of them are named", () =>
    Effect.gen(function*() {
      const mismatch = yield* Effect.flip(Expect.counts(step, { read: 3, write: 3, filter: 1 }))
      assert.deepStrictEqual(mismatch.differences, [
        { what: "counts.write", expected: 3, got: 2 },
        { what: "counts.filter", expected: 1, got: 0 }
      ])
    }))

  it.effect("a wrong exit code of a job fails", () =>
    Effect.gen(function*() {
      const mismatch = yield* Effect.flip(pipe(Fixture.jobExecution(), Expect.exitCode("DONE")))
      assert.strictEqual(mismatch._tag, "ExecutionMismatch")
      assert.include(mismatch.message, "The job \"job\" (execution 123)")
    }))
})

describe("Fixture (TEST-3)", () => {
  it("has fixed ids that belong together", () => {
    const [instance, job, step] = [Fixture.jobInstance(), Fixture.jobExecution(), Fixture.stepExecution()]
    assert.deepStrictEqual([instance.id, job.id, step.id], [12, 123, 1234])
    assert.deepStrictEqual(job.instance, instance)
    assert.strictEqual(step.jobExecutionId, job.id)
  })

  it("is complete: every record can be stored and read back", () => {
    const roundTrip = <A, I>(schema: Schema.Schema<A, I>, value: A) =>
      assert.deepStrictEqual(Schema.decodeSync(schema)(Schema.encodeSync(schema)(value)), value)
    roundTrip(JobInstance.JobInstance, Fixture.jobInstance())
    roundTrip(JobExecution.JobExecution, Fixture.jobExecution({ status: "STARTED" }))
    roundTrip(StepExecution.StepExecution, Fixture.stepExecution({ counts: Counts.make({ read: 1 }) }))
  })

  it("takes other values, and parameters decide the instance", () => {
    const job = Fixture.jobExecution({ id: 1, parameters: [{ name: "day", value: "1", identifying: true }] })
    assert.strictEqual(job.id, 1)
    assert.notStrictEqual(job.instance.jobKey, Fixture.jobInstance().jobKey)
  })
})
