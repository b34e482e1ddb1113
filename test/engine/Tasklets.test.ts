/**
 * Calls of a tasklet: how often, with which exit code, and what a failing call leaves.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ExecutionContext, ExitStatus, Job, JobOperator, Step, StepScope, Tasklet } from "../../src/index.js"
import { drivers } from "../support/drivers.js"

const PAGE = ExecutionContext.key("page", Schema.Number)

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

      it.effect("the code that a step chooses by its counts is that of its last call, however often what comes behind fails (OWN-4)", () =>
        Effect.gen(function*() {
          let [calls, ends] = [0, 0]
          const tasklet = Step.tasklet("twice", Effect.sync(() => ++calls < 2 ? Tasklet.continuable : Tasklet.finished))
          const job = Job.make("chosen", {
            flow: tasklet.pipe(
              Step.exitCode(["TWICE"], ({ counts }) => {
                if (counts.commit === 2) return "TWICE"
                throw new Error("it was asked when the step had not called twice")
              }),
              Step.listen({
                afterChunk: () => Effect.suspend(() => calls < 2 || ++ends > 1 ? Effect.void : Effect.fail("no"))
              })
            )
          })
          const first = yield* JobOperator.run(job, {})
          const second = yield* JobOperator.run(job, {})
          assert.deepStrictEqual([first.status, second.status, second.exitStatus.code, calls], [
            "FAILED",
            "COMPLETED",
            "TWICE",
            2
          ])
        }))

      it.effect.each(["STOPPED", "FAILED"] as const)(
        "a tasklet that has called itself %s on the way has not finished, and a restart calls it again (OWN-4, TASK-9)",
        (status) =>
          Effect.gen(function*() {
            let calls = 0
            const job = Job.make(`bad ${status}`, {
              flow: Step.tasklet(
                "once",
                Effect.suspend(() =>
                  ++calls === 1
                    ? Effect.as(StepScope.upgradeStatus(status), Tasklet.finished)
                    : Effect.succeed(Tasklet.finished)
                )
              )
            })
            const ends = [yield* JobOperator.run(job, {}), yield* JobOperator.run(job, {})].map(({ status }) => status)
            assert.deepStrictEqual([ends, calls], [[status, "COMPLETED"], 2])
          })
      )

      it.effect("a tasklet that fails between its calls goes on being called by each restart until it is finished (OWN-4)", () =>
        Effect.gen(function*() {
          const calls: Array<string> = []
          const job = Job.make("again", {
            flow: Step.tasklet(
              "pages",
              Effect.gen(function*() {
                const page = yield* StepScope.get(PAGE)
                const next = Option.getOrElse(page, () => 0) + 1
                calls.push(`page ${next}`)
                if (calls.length % 2 === 0) {
                  return yield* Effect.fail("broken")
                }
                yield* StepScope.set(PAGE, next)
                return next < 4 ? Tasklet.continuable : Tasklet.finished
              })
            )
          })
          const ends: Array<string> = []
          while (ends.length < 10 && ends.at(-1) !== "COMPLETED") {
            ends.push((yield* JobOperator.run(job, {})).status)
          }
          assert.deepStrictEqual(ends, ["FAILED", "FAILED", "FAILED", "COMPLETED"])
          assert.deepStrictEqual(calls, [1, 2, 2, 3, 3, 4, 4].map((page) => `page ${page}`))
        }))
    })
  })
}
