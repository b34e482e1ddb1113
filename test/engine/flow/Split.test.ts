import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { Flow, Job, JobOperator, Step, StepScope } from "../../../src/index.js"
import { drivers } from "../../support/drivers.js"
import { endOf, ok, scripted, stepsOf } from "./kit.js"

const sorted = (names: ReadonlyArray<string>) => [...names].sort()

for (const driver of drivers) {
  describe(`split (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("[step1, step2] beside [step3], then step4 (C84)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = Job.make("split", {
            flow: Flow.split([ok("step1", log).pipe(Flow.andThen(ok("step2", log))), ok("step3", log)], {
              concurrency: 2
            }).pipe(Flow.andThen(ok("step4", log)))
          })
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(execution), "COMPLETED COMPLETED")
          assert.deepStrictEqual(sorted(log), ["step1", "step2", "step3", "step4"])
          assert.strictEqual(log.at(-1), "step4")
          assert.isBelow(log.indexOf("step1"), log.indexOf("step2"))
        }))

      it.effect("branches run side by side (FLOW-60)", () =>
        Effect.gen(function*() {
          const [one, two] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
          const meet = (name: string, mine: Deferred.Deferred<void>, other: Deferred.Deferred<void>) =>
            Step.tasklet(name, Effect.zipRight(Deferred.succeed(mine, undefined), Deferred.await(other))).pipe(
              Step.withTransaction({ propagation: "notSupported" })
            )
          const job = Job.make("side-by-side", {
            flow: Flow.split([meet("one", one, two), meet("two", two, one)], { concurrency: "unbounded" })
          })
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "COMPLETED COMPLETED")
        }))

      it.effect("a failing branch does not stop its sibling; the split is FAILED, a restart goes on (FLOW-60, FLOW-62)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = Job.make("split-fails", {
            flow: Flow.split([
              scripted("bad", ["FAILED", "COMPLETED"], log),
              ok("good1", log).pipe(Flow.andThen(ok("good2", log)))
            ]).pipe(Flow.andThen(ok("next", log)))
          })
          const first = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(first), "FAILED FAILED")
          assert.deepStrictEqual(first.exit, Exit.fail("bad has failed"))
          assert.deepStrictEqual(yield* stepsOf(first), ["bad FAILED", "good1 COMPLETED", "good2 COMPLETED"])
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "COMPLETED COMPLETED")
          assert.deepStrictEqual(log, ["bad", "good1", "good2", "bad", "next"])
        }))

      it.effect("a handled failure of a branch does not show in the exit code of the job (FLOW-32, FLOW-63)", () =>
        Effect.gen(function*() {
          const job = Job.make("split-handled", {
            flow: Flow.split([ok("s1"), scripted("s2", ["FAILED"])]).pipe(
              Flow.match({ FAILED: ok("s3"), COMPLETED: Flow.end() })
            )
          })
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(execution), "COMPLETED COMPLETED")
          // FLOW-65: the split, not the step, has been dealt with
          assert.deepStrictEqual(yield* stepsOf(execution), ["s1 COMPLETED", "s2 FAILED", "s3 COMPLETED"])
        }))

      it.effect("onBranchFailure interrupt: the sibling's step is rolled back and ends as STOPPED, restartable", () =>
        Effect.gen(function*() {
          const begun = yield* Deferred.make<void>()
          let broken = true
          const slow = Step.tasklet(
            "slow",
            Effect.suspend(() =>
              broken ? Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never) : Effect.void
            )
          )
          const bad = Step.tasklet(
            "bad",
            Effect.suspend(() => broken ? Effect.zipRight(Deferred.await(begun), Effect.fail("broken")) : Effect.void)
          ).pipe(Step.withTransaction({ propagation: "notSupported" }))
          const outside = slow.pipe(Step.withTransaction({ propagation: "notSupported" }))
          const job = Job.make("split-interrupts", {
            flow: Flow.split([outside.pipe(Flow.andThen(ok("never"))), bad], {
              concurrency: 2,
              onBranchFailure: "interrupt"
            }).pipe(Flow.andThen(ok("next")))
          })
          const first = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(first), "FAILED FAILED")
          assert.deepStrictEqual(first.exit, Exit.fail("broken"))
          assert.deepStrictEqual(sorted(yield* stepsOf(first)), ["bad FAILED", "slow STOPPED"])
          broken = false
          const second = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(sorted(yield* stepsOf(second)), [
            "bad COMPLETED",
            "never COMPLETED",
            "next COMPLETED",
            "slow COMPLETED"
          ])
        }))

      it.effect("onBranchFailure interrupt: a branch that has not begun does not begin", () =>
        Effect.gen(function*() {
          const job = Job.make("split-interrupts-early", {
            flow: Flow.split([scripted("bad", ["FAILED"]), ok("late")], { onBranchFailure: "interrupt" })
          })
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(execution), "FAILED FAILED")
          assert.deepStrictEqual(yield* stepsOf(execution), ["bad FAILED"])
        }))

      it.effect("a step that was stopped keeps the other branches from their next step (FLOW-66)", () =>
        Effect.gen(function*() {
          const job = Job.make("split-stops", {
            flow: Flow.split([Step.tasklet("stops", StepScope.requestStop), ok("a").pipe(Flow.andThen(ok("b")))])
          })
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(execution), "STOPPED STOPPED")
          assert.deepStrictEqual(yield* stepsOf(execution), ["stops STOPPED"])
        }))

      it.effect("a decider that fails in a branch fails the job after all branches ended (FLOW-61, FLOW-33)", () =>
        Effect.gen(function*() {
          const broken = Flow.decide("broken", ["A"], () => Effect.fail("no idea" as const))
          const job = Job.make("split-decider", { flow: Flow.split([broken, ok("other")]) })
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(execution), "FAILED FAILED")
          assert.deepStrictEqual(execution.exit, Exit.fail("no idea" as const))
          assert.deepStrictEqual(yield* stepsOf(execution), ["other COMPLETED"])
        }))

      it.effect("an end inside a branch ends the branch, a stop in it stops the job, and a restart passes it", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = Job.make("split-ends", {
            flow: Flow.split([
              ok("a", log).pipe(Flow.match({ COMPLETED: Flow.end("EARLY") })),
              ok("b", log).pipe(Flow.andThen(Flow.stopAndRestart(ok("c", log), "LOOK")))
            ]).pipe(Flow.andThen(ok("d", log)))
          })
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "STOPPED STOPPED")
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "COMPLETED COMPLETED")
          assert.deepStrictEqual(log, ["a", "b", "c", "d"])
        }))

      it.effect("interrupting the job stops every branch, and all rows are durable before it returns (EFF-3)", () =>
        Effect.gen(function*() {
          const [one, two] = yield* Effect.all([Deferred.make<number>(), Deferred.make<number>()])
          const waiting = (name: string, begun: Deferred.Deferred<number>) =>
            Step.tasklet(
              name,
              Effect.zipRight(
                Effect.flatMap(StepScope.execution, (step) => Deferred.succeed(begun, step.jobExecutionId)),
                Effect.never
              )
            ).pipe(Step.withTransaction({ propagation: "notSupported" }))
          const job = Job.make("split-interrupted", {
            flow: Flow.split([waiting("one", one), waiting("two", two)], { concurrency: 2 })
          })
          const fiber = yield* Effect.fork(JobOperator.run(job, {}))
          const id = yield* Deferred.await(one)
          yield* Deferred.await(two)
          yield* Fiber.interrupt(fiber)
          const execution = yield* JobOperator.execution(id)
          assert.strictEqual(endOf(execution), "STOPPED STOPPED")
          assert.deepStrictEqual(sorted(yield* stepsOf(execution)), ["one STOPPED", "two STOPPED"])
        }))
    })
  })
}
