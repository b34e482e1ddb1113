/**
 * Launches: which are refused, and with what a launched execution is recorded.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Job, JobOperator, JobParameters, Step } from "../../src/index.js"
import { drivers } from "../support/drivers.js"

for (const driver of drivers) {
  describe(`launching a job (${driver.name})`, () => {
    class Params extends JobParameters.Tag<Params>()("Params", {
      count: Schema.Number,
      note: JobParameters.nonIdentifying(Schema.String)
    }) {}

    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("a job that is not restartable runs once, whatever the outcome (LAUNCH-5, C10)", () =>
        Effect.gen(function*() {
          const job = Job.make("once", { flow: Step.tasklet("only", Effect.fail("no")), restartable: false })
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "FAILED")
          const error = yield* Effect.flip(JobOperator.run(job, {}))
          assert.strictEqual(error._tag, "JobRestartRefused")
        }))

      it.effect("of ten launches at once one runs, nine are refused (JOB-6, LAUNCH-8)", () =>
        Effect.gen(function*() {
          const gate = yield* Deferred.make<void>()
          const job = Job.make("raced", { flow: Step.tasklet("only", Deferred.await(gate)) })
          const fibers = yield* Effect.forEach(
            Array.from({ length: 10 }),
            () => Effect.fork(Effect.either(JobOperator.run(job, {})))
          )
          yield* Effect.iterate(0, {
            while: (refused) => refused < 9,
            body: () =>
              Effect.zipRight(
                Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
                Effect.map(Effect.forEach(fibers, Fiber.poll), (polled) => polled.filter(Option.isSome).length)
              )
          })
          yield* Deferred.succeed(gate, undefined)
          const results = yield* Effect.forEach(fibers, Fiber.join)
          const tags = results.map((result) => result._tag === "Left" ? result.left._tag : result.right.status).sort()
          assert.deepStrictEqual(tags, ["COMPLETED", ...Array.from({ length: 9 }, () => "JobExecutionAlreadyRunning")])
        }))

      it.effect("all problems of the parameters are in one error, and nothing is written (VALID-1, D11, D13)", () =>
        Effect.gen(function*() {
          const job = Job.make("strict", { parameters: Params, flow: Step.tasklet("never", Effect.void) })
          const error = yield* Effect.flip(
            JobOperator.run(job, { count: "three", note: 1, nto: 2 } as unknown as { count: number; note: string })
          )
          assert.strictEqual(error._tag, "InvalidJobParameters")
          assert.include(error.message, `"strict"`)
          assert.sameMembers(
            error._tag === "InvalidJobParameters" ? error.problems.map((problem) => problem.parameter) : [],
            ["count", "note", "nto"]
          )
          assert.deepStrictEqual(yield* JobOperator.instances({ jobName: "strict" }), [])
        }))

      it.effect("executions of one instance keep their own non-identifying parameters (JOB-7, C30)", () =>
        Effect.gen(function*() {
          let fail = true
          const job = Job.make("notes", {
            parameters: Params,
            flow: Step.tasklet("once", Effect.suspend(() => fail ? Effect.fail("not yet") : Effect.void))
          })
          const first = yield* JobOperator.run(job, { count: 1, note: "first" })
          fail = false
          const second = yield* JobOperator.run(job, { count: 1, note: "second" })
          assert.strictEqual(second.instance.id, first.instance.id)
          assert.deepStrictEqual(second.restartOf, Option.some(first.id))
          const notes = (yield* JobOperator.executions({ instanceId: first.instance.id })).map((execution) =>
            execution.parameters.find((parameter) => parameter.name === "note")?.value
          )
          assert.deepStrictEqual(notes, ["second", "first"])
        }))
    })
  })
}
