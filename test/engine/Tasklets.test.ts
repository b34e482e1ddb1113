/**
 * Calls of a tasklet: how often, with which exit code, and what a failing call leaves.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ExitStatus, Job, JobOperator, Step, StepScope, Tasklet } from "../../src/index.js"
import { drivers } from "../support/drivers.js"

for (const driver of drivers) {
  describe(`tasklets (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("a tasklet is called until it is finished; its exit code is the step's (TASK-1, TASK-9, TASK-10)", () =>
        Effect.gen(function*() {
          let calls = 0
          const job = Job.make("calls", {
            flow: Step.tasklet(
              "three",
              Effect.sync(() => ++calls < 3 ? Tasklet.continuable : Tasklet.finishedWith("ENOUGH"))
            )
          })
          const execution = yield* JobOperator.run(job, {})
          const [step] = yield* JobOperator.steps(execution.id)
          assert.strictEqual(step!.counts.commit, 3)
          assert.strictEqual(step!.status, "COMPLETED")
          assert.strictEqual(step!.exitStatus.code, "ENOUGH")
          assert.deepStrictEqual([execution.status, execution.exitStatus.code], ["COMPLETED", "ENOUGH"])
        }))

      it.effect("a failing call rolls back, fails the step, and counts nothing but that (TASK-4, TASK-5, OWN-9)", () =>
        Effect.gen(function*() {
          const job = Job.make("counted", {
            flow: Step.tasklet(
              "half",
              Effect.zipRight(StepScope.contribute({ read: 5, write: 3 }), Effect.fail("broken"))
            )
          })
          const execution = yield* JobOperator.run(job, {})
          const [step] = yield* JobOperator.steps(execution.id)
          const { commit, read, rollback, write } = step!.counts
          assert.deepStrictEqual({ read, write, commit, rollback }, { read: 0, write: 0, commit: 0, rollback: 1 })
          assert.strictEqual(ExitStatus.description(step!.exitStatus), "broken")
        }))
    })
  })
}
