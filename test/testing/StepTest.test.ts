import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ExecutionContext, ExitStatus, JobParameters, JobScope, Step, StepScope } from "../../src/index.js"
import { Expect, Fixture, StepTest } from "../../src/testing/index.js"

class Bad extends Schema.TaggedError<Bad>()("Bad", {}) {}
class Params extends JobParameters.Tag<Params>()("Params", { day: Schema.NonEmptyString }) {}

const total = ExecutionContext.key("total", Schema.Number)

describe("StepTest.runStep (TEST-1)", () => {
  it.effect("runs the step in a job of its own, with parameters and both contexts", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const step = Step.tasklet(
        "look",
        Effect.gen(function*() {
          seen.push((yield* Params).day, yield* JobScope.get(total), yield* StepScope.get(total))
          yield* StepScope.contribute({ read: 3 })
          yield* JobScope.set(total, 9)
        })
      )
      const run = yield* StepTest.runStep(step, {
        parameters: Params,
        values: { day: "2026-01-31" },
        jobContext: ExecutionContext.unsafeSet(ExecutionContext.empty, total, 1),
        stepContext: ExecutionContext.unsafeSet(ExecutionContext.empty, total, 2)
      })
      assert.deepStrictEqual(seen, ["2026-01-31", Option.some(1), Option.some(2)])
      assert.strictEqual(run.execution.instance.jobName, "TestJob")
      assert.deepStrictEqual(run.execution.parameters.map(({ name, value }) => [name, value]), [["day", "2026-01-31"]])
      assert.deepStrictEqual(run.exit, Exit.succeed("COMPLETED"))
      yield* Expect.status(run.step, "COMPLETED")
      yield* Expect.counts(run.step, { read: 3 })
      assert.deepStrictEqual(yield* ExecutionContext.get(run.execution.context, total), Option.some(9))
    }))

  it.effect("returns the failure of the step as a result", () =>
    Effect.gen(function*() {
      const run = yield* StepTest.runStep(Step.tasklet("fail", new Bad()))
      yield* Expect.status(run.step, "FAILED")
      yield* Expect.status(run.execution, "FAILED")
      assert.deepStrictEqual(run.exit, Exit.fail(new Bad()))
    }))

  it.effect("fails on values that are no parameters", () =>
    Effect.gen(function*() {
      const step = Step.tasklet("look", Params)
      const error = yield* Effect.flip(StepTest.runStep(step, { parameters: Params, values: { day: "" } }))
      assert.strictEqual(error._tag, "InvalidJobParameters")
    }))

  it.effect("each run has a repository of its own", () =>
    Effect.gen(function*() {
      const step = Step.tasklet("once", Effect.void)
      const [first, second] = yield* Effect.all([StepTest.runStep(step), StepTest.runStep(step)])
      assert.deepStrictEqual([first.step.status, second.step.status], ["COMPLETED", "COMPLETED"])
      assert.strictEqual(first.execution.id, second.execution.id)
    }))
})

describe("StepTest.stepScope (TEST-4)", () => {
  it.effect("provides the executions of the fixtures, or others", () =>
    Effect.gen(function*() {
      const ids = Effect.zipWith(StepScope.execution, JobScope.execution, (step, job) => [step.id, job.id])
      assert.deepStrictEqual(yield* StepTest.stepScope(ids), [1234, 123])
      const step = Fixture.stepExecution({ id: 5, jobExecutionId: 4 })
      assert.deepStrictEqual(yield* StepTest.stepScope(ids, { step }), [5, 4])
    }))

  it.effect("counts and entries are visible afterwards", () =>
    Effect.gen(function*() {
      const code = Effect.gen(function*() {
        const before = yield* Effect.all([StepScope.get(total), JobScope.get(total)])
        yield* StepScope.set(total, 5)
        yield* JobScope.remove(total)
        yield* StepScope.contribute({ write: 2 })
        yield* StepScope.addExitStatus(ExitStatus.FAILED)
        const after = yield* Effect.all([StepScope.get(total), JobScope.get(total)])
        return { before, after, execution: yield* StepScope.execution }
      })
      const { after, before, execution } = yield* StepTest.stepScope(code, {
        stepContext: ExecutionContext.unsafeSet(ExecutionContext.empty, total, 1),
        jobContext: ExecutionContext.unsafeSet(ExecutionContext.empty, total, 2)
      })
      assert.deepStrictEqual(before, [Option.some(1), Option.some(2)])
      assert.deepStrictEqual(after, [Option.some(5), Option.none()])
      yield* Expect.counts(execution, { write: 2, read: 0 })
    }))

  it.effect("a stop can be asked for from outside and from inside", () =>
    Effect.gen(function*() {
      assert.isFalse(yield* StepTest.stepScope(StepScope.stopRequested))
      assert.isTrue(yield* StepTest.stepScope(StepScope.stopRequested, { stopRequested: true }))
      assert.isTrue(yield* StepTest.stepScope(Effect.zipRight(StepScope.requestStop, StepScope.stopRequested)))
    }))
})
