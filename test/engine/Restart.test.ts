/**
 * Restarts: which steps run again, with which parameters, contexts and limits.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  ExecutionContext,
  Flow,
  Job,
  JobOperator,
  JobParameters,
  JobRepository,
  JobScope,
  Step,
  StepScope,
  Tasklet
} from "../../src/index.js"
import { drivers } from "../support/drivers.js"

const statuses = (executionId: number) =>
  Effect.map(JobOperator.steps(executionId), (steps) => steps.map((step) => `${step.stepName} ${step.status}`))

const counter = ExecutionContext.key("counter", Schema.Number)

/** Three tasklets in a row, of which the second runs the given effect. */
const three = (name: string, second: Effect.Effect<void, string>, log: Array<string>) =>
  Job.make(name, {
    flow: Step.tasklet("step1", Effect.sync(() => void log.push("step1"))).pipe(
      Flow.andThen(Step.tasklet("step2", Effect.zipRight(Effect.sync(() => void log.push("step2")), second))),
      Flow.andThen(Step.tasklet("step3", Effect.sync(() => void log.push("step3"))))
    )
  })

for (const driver of drivers) {
  describe(`restarting a job (${driver.name})`, () => {
    class Params extends JobParameters.Tag<Params>()("Params", {
      count: Schema.Number,
      note: JobParameters.nonIdentifying(Schema.String)
    }) {}

    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("when all steps completed, their instance refuses to run again (LAUNCH-4)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = three("complete", Effect.void, log)
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(execution.status, "COMPLETED")
          assert.deepStrictEqual(execution.exit, Exit.succeed("COMPLETED" as const))
          assert.deepStrictEqual(yield* statuses(execution.id), [
            "step1 COMPLETED",
            "step2 COMPLETED",
            "step3 COMPLETED"
          ])
          assert.deepStrictEqual(log, ["step1", "step2", "step3"])
          const error = yield* Effect.flip(JobOperator.run(job, {}))
          assert.strictEqual(error._tag, "JobInstanceAlreadyComplete")
        }))

      it.effect("when the second of three steps failed, a restart runs the second and third only (SIMPLE-3)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const failed = yield* JobOperator.run(three("restarted", Effect.fail("step2 has failed"), log), {})
          assert.strictEqual(failed.status, "FAILED")
          assert.strictEqual(failed.exitStatus.code, "FAILED")
          assert.deepStrictEqual(failed.exit, Exit.fail("step2 has failed"))
          assert.deepStrictEqual(yield* statuses(failed.id), ["step1 COMPLETED", "step2 FAILED"])

          const restarted = yield* JobOperator.run(three("restarted", Effect.void, log), {})
          assert.strictEqual(restarted.status, "COMPLETED")
          assert.strictEqual(restarted.instance.id, failed.instance.id)
          assert.deepStrictEqual(yield* statuses(restarted.id), ["step2 COMPLETED", "step3 COMPLETED"])
          assert.deepStrictEqual(log, ["step1", "step2", "step2", "step3"])
        }))

      it.effect("three runs have 1, 3 and 2 step executions, then the start limit fails the job (HAND-14)", () =>
        Effect.gen(function*() {
          const job = Job.make("football", {
            flow: Step.tasklet("playerLoad", Effect.void).pipe(
              Flow.andThen(Step.allowStartIfComplete(Step.tasklet("gameLoad", Effect.void))),
              Flow.andThen(Step.startLimit(Step.tasklet("playerSummarization", Effect.fail("no summary")), 2))
            )
          })
          const runs = yield* Effect.replicateEffect(JobOperator.run(job, {}), 3)
          const [first, second, third] = yield* Effect.forEach(runs, (run) => statuses(run.id))
          assert.deepStrictEqual(first, ["playerLoad COMPLETED", "gameLoad COMPLETED", "playerSummarization FAILED"])
          assert.deepStrictEqual(second, ["gameLoad COMPLETED", "playerSummarization FAILED"])
          assert.deepStrictEqual(third, ["gameLoad COMPLETED"])
          assert.deepStrictEqual(runs.map((run) => run.status), ["FAILED", "FAILED", "FAILED"])
          const limit = yield* Effect.flip(runs[2]!.exit)
          assert.strictEqual((limit as { readonly _tag: string })._tag, "StepStartLimitExceeded")
        }))

      it.effect("a restart that finds every step complete is COMPLETED with NOOP (LIFE-10, LIFE-18)", () =>
        Effect.gen(function*() {
          const repository = yield* JobRepository.JobRepository
          const job = Job.make("all-done", { flow: Step.tasklet("only", Effect.void) })
          const first = yield* JobOperator.run(job, {})
          yield* repository.close(first.id, { status: "FAILED", exitCode: "FAILED", message: "set by hand" })
          const second = yield* JobOperator.run(job, {})
          assert.strictEqual(second.status, "COMPLETED")
          assert.strictEqual(second.exitStatus.code, "NOOP")
          assert.deepStrictEqual(yield* statuses(second.id), [])
        }))

      it.effect("restart runs an execution again with exactly its parameters (RESTART-1)", () =>
        Effect.gen(function*() {
          const seen: Array<string> = []
          const job = Job.make("again", {
            parameters: Params,
            flow: Step.tasklet(
              "note",
              Effect.flatMap(Params, ({ note }) => {
                seen.push(note)
                return seen.length === 1 ? Effect.fail("first time") : Effect.void
              })
            )
          })
          const failed = yield* JobOperator.run(job, { count: 1, note: "kept" })
          const restarted = yield* JobOperator.restart(job, failed.id)
          assert.strictEqual(restarted.status, "COMPLETED")
          assert.deepStrictEqual(seen, ["kept", "kept"])
        }))

      it.effect("a completed step that may start again starts with an empty context (HAND-8, HAND-10)", () =>
        Effect.gen(function*() {
          const seen: Array<unknown> = []
          const again = Step.allowStartIfComplete(
            Step.tasklet(
              "again",
              Effect.zipRight(
                Effect.map(StepScope.get(counter), (value) => void seen.push(value)),
                StepScope.set(counter, 1)
              )
            )
          )
          let failing = true
          const job = Job.make("twice", {
            flow: Flow.andThen(
              again,
              Step.tasklet("gate", Effect.suspend(() => failing ? Effect.fail("no") : Effect.void))
            )
          })
          yield* JobOperator.run(job, {})
          failing = false
          yield* JobOperator.run(job, {})
          assert.deepStrictEqual(seen, [Option.none(), Option.none()])
        }))

      it.effect("a call that rolls back leaves no entries in the contexts, and a restart finds those of the calls before (CTX-9, CTX-12)", () =>
        Effect.gen(function*() {
          const seen: Array<unknown> = []
          let failing = true
          const next = Effect.gen(function*() {
            const step = Option.getOrElse(yield* StepScope.get(counter), () => 0)
            const job = Option.getOrElse(yield* JobScope.get(counter), () => 0)
            seen.push([step, job])
            yield* StepScope.set(counter, step + 1)
            yield* JobScope.set(counter, job + 10)
            if (step === 2 && failing) {
              return yield* Effect.fail("third call")
            }
            return step === 3 ? Tasklet.finished : Tasklet.continuable
          })
          const job = Job.make("forgetful", { flow: Step.tasklet("count", next) })
          const failed = yield* JobOperator.run(job, {})
          const [step] = yield* JobOperator.steps(failed.id)
          assert.deepStrictEqual([step!.counts.commit, step!.counts.rollback], [2, 1])
          failing = false
          const restarted = yield* JobOperator.run(job, {})
          assert.strictEqual(restarted.status, "COMPLETED")
          assert.deepStrictEqual(seen, [[0, 0], [1, 10], [2, 20], [2, 20], [3, 30]])
        }))
    })
  })
}
