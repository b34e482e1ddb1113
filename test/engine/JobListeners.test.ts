/**
 * Listeners of a job: their order, and what they make of its status.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ExecutionContext, ExitStatus, Job, JobOperator, JobScope, Step } from "../../src/index.js"
import { drivers } from "../support/drivers.js"

const statuses = (executionId: number) =>
  Effect.map(JobOperator.steps(executionId), (steps) => steps.map((step) => `${step.stepName} ${step.status}`))

const counter = ExecutionContext.key("counter", Schema.Number)

for (const driver of drivers) {
  describe(`listeners of a job (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("beforeJob runs in order, afterJob in reverse order, and the context that afterJob writes is kept (LIFE-4, LIFE-12, C21)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const listener = (name: string) => ({
            beforeJob: () => Effect.sync(() => void log.push(`before ${name}`)),
            afterJob: () => Effect.zipRight(JobScope.set(counter, 7), Effect.sync(() => void log.push(`after ${name}`)))
          })
          const job = Job.make("listened", {
            flow: Step.tasklet("only", Effect.sync(() => void log.push("step"))),
            listeners: [listener("1"), listener("2")]
          })
          const execution = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(log, ["before 1", "before 2", "step", "after 2", "after 1"])
          const stored = yield* JobOperator.execution(execution.id)
          assert.deepStrictEqual(yield* ExecutionContext.get(stored.context, counter), Option.some(7))
        }))

      it.effect("a failing beforeJob fails the job: no step runs, every afterJob does (LIFE-9, LIFE-15)", () =>
        Effect.gen(function*() {
          const after: Array<number> = []
          const job = Job.make("refused-by-listener", {
            flow: Step.tasklet("never", Effect.die("must not run")),
            listeners: [1, 2, 3].map((n) => ({
              beforeJob: () => n === 2 ? Effect.fail("not today") : Effect.void,
              afterJob: () => Effect.sync(() => void after.push(n))
            }))
          })
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(execution.status, "FAILED")
          assert.deepStrictEqual(execution.exit, Exit.fail("not today"))
          assert.deepStrictEqual(yield* statuses(execution.id), [])
          assert.deepStrictEqual(after, [3, 2, 1])
        }))

      it.effect("afterJob may raise the exit status; its failure changes nothing (LIFE-12, LIFE-19)", () =>
        Effect.gen(function*() {
          const job = (name: string, afterJob: Effect.Effect<ExitStatus.ExitStatus | void, string>) =>
            Job.make(name, { flow: Step.tasklet("only", Effect.void), listeners: [{ afterJob: () => afterJob }] })
          const raised = yield* JobOperator.run(job("raised", Effect.succeed(ExitStatus.make("ODD"))), {})
          assert.strictEqual((yield* JobOperator.execution(raised.id)).exitStatus.code, "ODD")
          const failed = yield* JobOperator.run(job("after-fails", Effect.fail("too late")), {})
          assert.strictEqual(failed.status, "COMPLETED")
        }))
    })
  })
}
