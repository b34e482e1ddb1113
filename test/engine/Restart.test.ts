import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Flow, Job, JobOperator, JobRepository, Step } from "../../src/index.js"

const names = (executionId: number) =>
  Effect.map(JobOperator.steps(executionId), (steps) => steps.map((step) => `${step.stepName} ${step.status}`))

describe("three tasklets in a row (seed 000)", () => {
  const jobOf = (second: Effect.Effect<void, string>, log: Array<string>) =>
    Job.make("job", {
      flow: Step.tasklet("step1", Effect.sync(() => void log.push("step1"))).pipe(
        Flow.andThen(Step.tasklet("step2", Effect.zipRight(Effect.sync(() => void log.push("step2")), second))),
        Flow.andThen(Step.tasklet("step3", Effect.sync(() => void log.push("step3"))))
      )
    })

  it.effect("all succeed: three steps and the job COMPLETED", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const execution = yield* JobOperator.run(jobOf(Effect.void, log), {})
      assert.strictEqual(execution.status, "COMPLETED")
      assert.deepStrictEqual(execution.exit, Exit.succeed("COMPLETED" as const))
      assert.deepStrictEqual(yield* names(execution.id), ["step1 COMPLETED", "step2 COMPLETED", "step3 COMPLETED"])
      assert.deepStrictEqual(log, ["step1", "step2", "step3"])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("the second fails, a restart runs the second and third only (SIMPLE-3)", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const failed = yield* JobOperator.run(jobOf(Effect.fail("step2 has failed"), log), {})
      assert.strictEqual(failed.status, "FAILED")
      assert.strictEqual(failed.exitStatus.code, "FAILED")
      assert.deepStrictEqual(failed.exit, Exit.fail("step2 has failed"))
      assert.deepStrictEqual(yield* names(failed.id), ["step1 COMPLETED", "step2 FAILED"])

      const restarted = yield* JobOperator.run(jobOf(Effect.void, log), {})
      assert.strictEqual(restarted.status, "COMPLETED")
      assert.strictEqual(restarted.instance.id, failed.instance.id)
      assert.deepStrictEqual(yield* names(restarted.id), ["step2 COMPLETED", "step3 COMPLETED"])
      assert.deepStrictEqual(log, ["step1", "step2", "step2", "step3"])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("a completed instance refuses to run again (LAUNCH-4)", () =>
    Effect.gen(function*() {
      const job = jobOf(Effect.void, [])
      yield* JobOperator.run(job, {})
      const error = yield* Effect.flip(JobOperator.run(job, {}))
      assert.strictEqual(error._tag, "JobInstanceAlreadyComplete")
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})

describe("the football job (HAND-14)", () => {
  it.effect("three runs: 1, 3 and 2 step executions, then the start limit", () =>
    Effect.gen(function*() {
      const job = Job.make("football", {
        flow: Step.tasklet("playerLoad", Effect.void).pipe(
          Flow.andThen(Step.allowStartIfComplete(Step.tasklet("gameLoad", Effect.void))),
          Flow.andThen(Step.startLimit(Step.tasklet("playerSummarization", Effect.fail("no summary")), 2))
        )
      })
      const runs = yield* Effect.replicateEffect(JobOperator.run(job, {}), 3)
      const [first, second, third] = yield* Effect.forEach(runs, (run) => names(run.id))
      assert.deepStrictEqual(first, ["playerLoad COMPLETED", "gameLoad COMPLETED", "playerSummarization FAILED"])
      assert.deepStrictEqual(second, ["gameLoad COMPLETED", "playerSummarization FAILED"])
      assert.deepStrictEqual(third, ["gameLoad COMPLETED"])
      assert.deepStrictEqual(runs.map((run) => run.status), ["FAILED", "FAILED", "FAILED"])
      const limit = yield* Effect.flip(runs[2]!.exit)
      assert.strictEqual((limit as { readonly _tag: string })._tag, "StepStartLimitExceeded")
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})
