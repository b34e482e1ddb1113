import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { FaultPoint } from "../../../src/engine/session/faultPoint.js"
import {
  ExecutionContext,
  Flow,
  Job,
  JobOperator,
  JobParameters,
  JobScope,
  Step,
  StepScope
} from "../../../src/index.js"
import { drivers } from "../../support/drivers.js"
import { endOf, ok, scripted, stepsOf } from "./kit.js"

class Nightly extends JobParameters.Tag<Nightly>()("Nightly", { day: Schema.Number }) {}
class Import extends JobParameters.Tag<Import>()("Import", { file: Schema.String }) {}

const mark = ExecutionContext.key("mark", Schema.String)
const inputFile = ExecutionContext.key("input.file", Schema.String)

/** The executions of a job, oldest first. */
const executionsOf = (jobName: string) =>
  Effect.map(JobOperator.executions({ jobName }), (executions) => [...executions].reverse())

for (const driver of drivers) {
  describe(`flow steps (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("has a step execution of its own; a restart skips what completed inside (FLOW-80)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = Job.make("flow-step", {
            flow: Step.flow(
              "outer",
              ok("a", log).pipe(Flow.andThen(scripted("b", ["FAILED", "COMPLETED"], log)))
            ).pipe(Flow.andThen(ok("next", log)))
          })
          const first = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(first), "FAILED FAILED")
          assert.deepStrictEqual(first.exit, Exit.fail("b has failed"))
          assert.deepStrictEqual(yield* stepsOf(first), ["outer FAILED", "a COMPLETED", "b FAILED"])
          const second = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* stepsOf(second), ["outer COMPLETED", "b COMPLETED", "next COMPLETED"])
          assert.deepStrictEqual(log, ["a", "b", "b", "next"])
        }))

      it.effect("an end inside ends the step with its code, on which the job routes (FLOW-80)", () =>
        Effect.gen(function*() {
          const job = Job.make("flow-step-code", {
            flow: Step.flow("outer", ok("a").pipe(Flow.match({ COMPLETED: Flow.end("EARLY") }))).pipe(
              Flow.match({ EARLY: ok("early"), FAILED: Flow.end() })
            )
          })
          const execution = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* stepsOf(execution), ["outer COMPLETED EARLY", "a COMPLETED", "early COMPLETED"])
        }))

      it.effect("a stop inside stops the step and the job; a restart passes it (FLOW-71, FLOW-43)", () =>
        Effect.gen(function*() {
          const job = Job.make("flow-step-stop", {
            flow: Step.flow("outer", ok("a").pipe(Flow.andThen(Flow.stopAndRestart(ok("b"), "LOOK"))))
          })
          const first = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(first), "STOPPED LOOK")
          assert.deepStrictEqual(yield* stepsOf(first), ["outer STOPPED LOOK", "a COMPLETED"])
          const second = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* stepsOf(second), ["outer COMPLETED", "b COMPLETED"])
        }))

      it.effect("steps that start anew inside get a copy of its context (FLOW-80)", () =>
        Effect.gen(function*() {
          let seen = Option.none<string>()
          const inner = Step.tasklet(
            "inner",
            Effect.map(StepScope.get(mark), (found) => {
              seen = found
            })
          )
          const outer = Step.flow("outer", inner).pipe(
            Step.listen({ beforeStep: () => StepScope.set(mark, "from outside") })
          )
          yield* JobOperator.run(Job.make("flow-step-context", { flow: outer }), {})
          assert.deepStrictEqual(seen, Option.some("from outside"))
        }))
    })
  })

  describe(`job steps (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      const childOf = (name: string, step: Step.Step<any, any, any>) =>
        Job.make(name, { parameters: Import, flow: step })

      it.effect("parameters by a typed extractor from the parent's and the contexts (JOBSTEP-2, C90)", () =>
        Effect.gen(function*() {
          const files: Array<string> = []
          const child = Job.make("extracted-child", {
            parameters: Import,
            flow: Step.tasklet("load", Effect.map(Import, ({ file }) => void files.push(file)))
          })
          const parent = Job.make("extracted", {
            parameters: Nightly,
            flow: Step.tasklet("choose", JobScope.set(inputFile, "payments")).pipe(
              Flow.andThen(Step.job("import", child, {
                parameters: Effect.gen(function*() {
                  const { day } = yield* Nightly
                  const name = Option.getOrThrow(yield* JobScope.get(inputFile))
                  return { file: `${name}-${day}.csv` }
                })
              }))
            )
          })
          const execution = yield* JobOperator.run(parent, { day: 7 })
          assert.deepStrictEqual(files, ["payments-7.csv"])
          assert.deepStrictEqual(yield* stepsOf(execution), ["choose COMPLETED", "import COMPLETED"])
          const [ran] = yield* executionsOf("extracted-child")
          assert.strictEqual(endOf(ran!), "COMPLETED COMPLETED")
          assert.notStrictEqual(ran!.instance.id, execution.instance.id)
          assert.deepStrictEqual(yield* stepsOf(ran!), ["load COMPLETED"])
        }))

      it.effect("a failing child fails the step; a restart addresses the same child (JOBSTEP-3, JOBSTEP-4, C90)", () =>
        Effect.gen(function*() {
          let calls = 0
          const child = childOf("restarted-child", scripted("load", ["FAILED", "COMPLETED"]))
          const parent = Job.make("restarted-parent", {
            flow: Step.job("import", child, { parameters: Effect.sync(() => ({ file: `call ${++calls}` })) })
          })
          const first = yield* JobOperator.run(parent, {})
          assert.strictEqual(endOf(first), "FAILED FAILED")
          assert.deepStrictEqual(first.exit, Exit.fail("load has failed"))
          const second = yield* JobOperator.run(parent, {})
          assert.strictEqual(endOf(second), "COMPLETED COMPLETED")
          assert.strictEqual(calls, 1)
          const children = yield* executionsOf("restarted-child")
          assert.deepStrictEqual(children.map(endOf), ["FAILED FAILED", "COMPLETED COMPLETED"])
          assert.strictEqual(children[0]!.instance.id, children[1]!.instance.id)
        }))

      it.effect("a child that stops, stops the step and the parent (JOBSTEP-4, C90)", () =>
        Effect.gen(function*() {
          const child = Job.make("stopping-child", { flow: ok("a").pipe(Flow.andThen(Flow.stop("LOOK"))) })
          const parent = Job.make("stopping-parent", {
            flow: Step.job("child", child).pipe(Flow.andThen(ok("next")))
          })
          const first = yield* JobOperator.run(parent, {})
          assert.strictEqual(endOf(first), "STOPPED LOOK")
          assert.deepStrictEqual(yield* stepsOf(first), ["child STOPPED LOOK"])
          const second = yield* JobOperator.run(parent, {})
          assert.deepStrictEqual(yield* stepsOf(second), ["child COMPLETED", "next COMPLETED"])
        }))

      it.effect("the exit code of the child routes the parent (JOBSTEP-4)", () =>
        Effect.gen(function*() {
          const child = Job.make("coded-child", { flow: ok("a").pipe(Flow.match({ COMPLETED: Flow.end("EARLY") })) })
          const parent = Job.make("coded-parent", {
            flow: Step.job("child", child).pipe(Flow.match({ EARLY: ok("early") }))
          })
          const execution = yield* JobOperator.run(parent, {})
          assert.deepStrictEqual(yield* stepsOf(execution), ["child COMPLETED EARLY", "early COMPLETED"])
        }))

      it.effect("a child that completed elsewhere is an error of the step (JOBSTEP-5)", () =>
        Effect.gen(function*() {
          const child = Job.make("complete-child", { flow: ok("a") })
          yield* JobOperator.run(child, {})
          const execution = yield* JobOperator.run(Job.make("complete-parent", { flow: Step.job("child", child) }), {})
          const error: any = yield* Effect.flip(execution.exit)
          assert.strictEqual(error._tag, "JobInstanceAlreadyComplete")
          assert.deepStrictEqual(yield* stepsOf(execution), ["child FAILED"])
        }))

      it.effect("a child that completed before the parent could note it is adopted by the restart (JOBSTEP-5)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const child = Job.make("adopted-child", { flow: ok("a", log) })
          const parent = Job.make("adopting-parent", { flow: Step.job("child", child) })
          // the parent's process dies when its child has ended
          let ended = 0
          yield* JobOperator.run(parent, {}).pipe(
            Effect.provideService(
              FaultPoint,
              (name) => name === "afterJobEnd" && ended++ === 0 ? Effect.die("killed") : Effect.void
            ),
            Effect.exit
          )
          const second = yield* JobOperator.run(parent, {})
          assert.deepStrictEqual(yield* stepsOf(second), ["child COMPLETED"])
          assert.deepStrictEqual(log, ["a"])
        }))

      it.effect("a child that was abandoned since is an error of the restarted step, which says so (JOBSTEP-5, ABANDON-1)", () =>
        Effect.gen(function*() {
          const child = Job.make("abandoned-child", { flow: scripted("a", ["FAILED"]) })
          const parent = Job.make("abandoned-parent", { flow: Step.job("child", child) })
          assert.strictEqual(endOf(yield* JobOperator.run(parent, {})), "FAILED FAILED")
          const [failed] = yield* executionsOf("abandoned-child")
          yield* JobOperator.abandon(failed!.id)
          const second = yield* JobOperator.run(parent, {})
          const error: any = yield* Effect.flip(second.exit)
          assert.strictEqual(error._tag, "JobInstanceAlreadyComplete")
          assert.deepStrictEqual([error.status, error.executionId], ["ABANDONED", failed!.id])
          assert.include(second.exitStatus.messages.join(), `"abandoned-child" without parameters is ABANDONED already`)
          assert.deepStrictEqual(yield* stepsOf(second), ["child FAILED"])
        }))

      it.effect("interrupting the parent stops the child, with durable rows (JOBSTEP-1)", () =>
        Effect.gen(function*() {
          const begun = yield* Deferred.make<void>()
          const child = Job.make("interrupted-child", {
            flow: Step.tasklet("waits", Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)).pipe(
              Step.withTransaction({ propagation: "notSupported" })
            )
          })
          const fiber = yield* Effect.fork(
            JobOperator.run(Job.make("interrupted-parent", { flow: Step.job("child", child) }), {})
          )
          yield* Deferred.await(begun)
          yield* Fiber.interrupt(fiber)
          const [ran] = yield* executionsOf("interrupted-child")
          const [parent] = yield* executionsOf("interrupted-parent")
          assert.deepStrictEqual([endOf(ran!), endOf(parent!)], ["STOPPED STOPPED", "STOPPED STOPPED"])
          assert.deepStrictEqual(yield* stepsOf(parent!), ["child STOPPED"])
        }))

      it.effect("stopping the parent stops the child at its next commit (STOP-5)", () =>
        Effect.gen(function*() {
          const begun = yield* Deferred.make<void>()
          const go = yield* Deferred.make<void>()
          const child = Job.make("stopped-child", {
            flow: Step.tasklet("waits", Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(go))).pipe(
              Step.withTransaction({ propagation: "notSupported" }),
              Flow.andThen(ok("never"))
            )
          })
          const fiber = yield* Effect.fork(
            JobOperator.run(Job.make("stopped-parent", { flow: Step.job("child", child) }), {})
          )
          yield* Deferred.await(begun)
          const [running] = yield* executionsOf("stopped-parent")
          yield* JobOperator.stop(running!.id)
          yield* Deferred.succeed(go, undefined)
          const execution = yield* Fiber.join(fiber)
          assert.strictEqual(endOf(execution), "STOPPED STOPPED")
          const [ran] = yield* executionsOf("stopped-child")
          assert.strictEqual(endOf(ran!), "STOPPED STOPPED")
        }))
    })
  })
}
