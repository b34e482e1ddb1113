import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  ExitStatus,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobParameters,
  StandardListeners,
  Step,
  StepScope
} from "../../../src/index.js"
import { drivers } from "../../support/drivers.js"
import { endOf, ok, scripted, stepsOf } from "./kit.js"

for (const driver of drivers) {
  describe(`routing by exit code (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("step1 fails, step3 follows; the failed step is ABANDONED and the job COMPLETED (C74)", () =>
        Effect.gen(function*() {
          const step3 = ok("step3")
          const jobOf = (name: string, first: "FAILED" | "COMPLETED") =>
            Job.make(name, {
              flow: scripted("step1", [first]).pipe(
                Flow.match({
                  FAILED: step3.pipe(Flow.match({ "*": Flow.end() })),
                  "*": ok("step2").pipe(Flow.andThen(step3), Flow.match({ "*": Flow.end() }))
                })
              )
            })
          const failed = jobOf("conditional-failed", "FAILED")
          const execution = yield* JobOperator.run(failed, {})
          assert.deepStrictEqual(yield* stepsOf(execution), ["step1 ABANDONED FAILED", "step3 COMPLETED"])
          assert.strictEqual(endOf(execution), "COMPLETED COMPLETED")
          const refused = yield* Effect.flip(JobOperator.run(failed, {}))
          assert.strictEqual(refused._tag, "JobInstanceAlreadyComplete")

          const fine = yield* JobOperator.run(jobOf("conditional-fine", "COMPLETED"), {})
          assert.deepStrictEqual(yield* stepsOf(fine), ["step1 COMPLETED", "step2 COMPLETED", "step3 COMPLETED"])
        }))

      it.effect("the most specific pattern wins, whatever the order (FLOW-4, C73)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = (name: string, code: string) =>
            Job.make(name, {
              flow: scripted("stepA", [code as "COMPLETED"]).pipe(
                Flow.match({
                  "*": ok("any", log),
                  "COMPLETED*": ok("completed", log),
                  "COMPLETED": ok("exact", log),
                  "?": ok("one letter", log)
                })
              )
            })
          yield* JobOperator.run(job("exact", "COMPLETED"), {})
          yield* JobOperator.run(job("prefix", "COMPLETED WITH SKIPS"), {})
          yield* JobOperator.run(job("letter", "X"), {})
          yield* JobOperator.run(job("other", "SOMETHING"), {})
          assert.deepStrictEqual(log, ["exact", "completed", "one letter", "any"])
        }))

      it.effect("skips lead to the error step (C89)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const step1 = Step.chunk("step1", {
            reader: ItemReader.fromIterable([1, 2, 3]),
            processor: (n: number) => n === 2 ? Effect.fail({ _tag: "Bad" as const }) : Effect.succeed(n),
            writer: ItemWriter.fromFunction((_: ReadonlyArray<number>) => Effect.void),
            chunkSize: 3
          }).pipe(Step.skip("Bad", { limit: 1 }), Step.listen(StandardListeners.completedWithSkips))
          const job = Job.make("skips", {
            flow: step1.pipe(
              Flow.withCodes(["COMPLETED WITH SKIPS"]),
              Flow.match({
                FAILED: Flow.end(),
                "COMPLETED WITH SKIPS": ok("errorPrint1", log),
                "*": ok("step2", log)
              })
            )
          })
          const execution = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* stepsOf(execution), [
            "step1 COMPLETED COMPLETED WITH SKIPS",
            "errorPrint1 COMPLETED"
          ])
          assert.strictEqual(execution.status, "COMPLETED")
        }))

      it.effect("end on FAILED with a code; the step stays FAILED, the instance is complete (FLOW-20, C76)", () =>
        Effect.gen(function*() {
          const job = Job.make("early-end", {
            flow: ok("s1").pipe(
              Flow.andThen(scripted("fail", ["FAILED"])),
              Flow.match({ FAILED: Flow.end("EARLY TERMINATION"), COMPLETED: ok("s2") })
            )
          })
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(execution), "COMPLETED EARLY TERMINATION")
          assert.deepStrictEqual(yield* stepsOf(execution), ["s1 COMPLETED", "fail FAILED"])
          assert.deepStrictEqual(execution.exit, Exit.succeed("EARLY TERMINATION" as const))
          const refused = yield* Effect.flip(JobOperator.run(job, {}))
          assert.strictEqual(refused._tag, "JobInstanceAlreadyComplete")
        }))

      it.effect("step2 fails with EARLY TERMINATION, step3 does not run, a restart runs step2 again (FLOW-24)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = Job.make("early-termination", {
            flow: ok("step1", log).pipe(
              Flow.andThen(
                scripted("step2", ["FAILED", "COMPLETED"], log).pipe(
                  Flow.match({ FAILED: Flow.fail("EARLY TERMINATION"), "*": ok("step3", log) })
                )
              )
            )
          })
          const first = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(first), "FAILED EARLY TERMINATION")
          assert.deepStrictEqual(first.exit, Exit.fail("step2 has failed"))
          assert.deepStrictEqual(yield* stepsOf(first), ["step1 COMPLETED", "step2 FAILED"])
          const second = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(second), "COMPLETED COMPLETED")
          assert.deepStrictEqual(log, ["step1", "step2", "step2", "step3"])
        }))

      it.effect("fail although the step completed; a restart skips it and fails again (FLOW-21, C78)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = Job.make("fail-anyway", { flow: ok("s1", log).pipe(Flow.match({ COMPLETED: Flow.fail() })) })
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "FAILED FAILED")
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "FAILED FAILED")
          assert.deepStrictEqual(log, ["s1"])
        }))

      it.effect("A failed and was handled by B; when B fails too, a restart runs only B (FLOW-25, FLOW-44)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = Job.make("recovery", {
            flow: scripted("A", ["FAILED"], log).pipe(
              Flow.match({ FAILED: scripted("B", ["FAILED", "COMPLETED"], log), COMPLETED: ok("C", log) })
            )
          })
          const first = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* stepsOf(first), ["A ABANDONED FAILED", "B FAILED"])
          assert.strictEqual(endOf(first), "FAILED FAILED")
          const second = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* stepsOf(second), ["B COMPLETED"])
          assert.strictEqual(endOf(second), "COMPLETED COMPLETED")
          assert.deepStrictEqual(log, ["A", "B", "B"])
        }))

      it.effect("the row says ABANDONED before the next step starts (FLOW-25)", () =>
        Effect.gen(function*() {
          let seen: ReadonlyArray<string> = []
          const look = Step.tasklet(
            "look",
            Effect.gen(function*() {
              const step = yield* StepScope.execution
              seen = yield* Effect.orDie(stepsOf({ id: step.jobExecutionId }))
            })
          )
          const job = Job.make("abandoned-first", {
            flow: scripted("A", ["FAILED"]).pipe(Flow.match({ FAILED: look, COMPLETED: Flow.end() }))
          })
          yield* JobOperator.run(job, {})
          assert.strictEqual(seen[0], "A ABANDONED FAILED")
        }))

      it.effect("by default the job ends as its last step; a restart runs the failed one only (FLOW-35, C87)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = Job.make("defaults", {
            flow: ok("s1", log).pipe(Flow.andThen(scripted("fail", ["FAILED", "COMPLETED"], log)))
          })
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "FAILED FAILED")
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "COMPLETED COMPLETED")
          assert.deepStrictEqual(log, ["s1", "fail", "fail"])
        }))

      it.effect("a step of unknown outcome makes the job UNKNOWN, whatever end follows (FLOW-26, C87)", () =>
        Effect.gen(function*() {
          const unknown = Step.tasklet("s1", StepScope.upgradeStatus("UNKNOWN"))
          const bare = yield* JobOperator.run(Job.make("unknown-bare", { flow: unknown }), {})
          assert.strictEqual(bare.status, "UNKNOWN")
          const ended = yield* JobOperator.run(
            Job.make("unknown-end", { flow: unknown.pipe(Flow.match({ "*": Flow.end() })) }),
            {}
          )
          assert.strictEqual(ended.status, "UNKNOWN")
        }))

      it.effect("a code that nobody expected fails the job, not the step (FLOW-6)", () =>
        Effect.gen(function*() {
          const late = Step.tasklet("late", StepScope.addExitStatus(ExitStatus.make("LATE")))
          const job = Job.make("unrouted", { flow: late.pipe(Flow.match({ COMPLETED: ok("next") })) })
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(execution), "FAILED FAILED")
          assert.deepStrictEqual(yield* stepsOf(execution), ["late COMPLETED LATE"])
          const error: any = yield* Effect.flip(execution.exit)
          assert.deepStrictEqual([error._tag, error.state, error.code], ["UnroutedExitCode", "late", "LATE"])
        }))

      it.effect("FAILED without a key fails the job with the error of the step, at the start state too (FLOW-8)", () =>
        Effect.gen(function*() {
          const job = Job.make("default-failed", {
            flow: scripted("s1", ["FAILED"]).pipe(Flow.match({ COMPLETED: ok("s2") }))
          })
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(execution), "FAILED FAILED")
          assert.deepStrictEqual(execution.exit, Exit.fail("s1 has failed"))
        }))

      it.effect("a completed step with the exit code FAILED fails a flow without a key for it (FLOW-8, SIMPLE-4)", () =>
        Effect.gen(function*() {
          const empty = Step.tasklet("empty", StepScope.addExitStatus(ExitStatus.FAILED))
          const alone = yield* JobOperator.run(Job.make("failed-code-alone", { flow: empty }), {})
          assert.strictEqual(endOf(alone), "COMPLETED FAILED")
          const matched = yield* JobOperator.run(
            Job.make("failed-code", { flow: empty.pipe(Flow.match({ COMPLETED: ok("next") })) }),
            {}
          )
          assert.strictEqual(endOf(matched), "FAILED FAILED")
          assert.deepStrictEqual(yield* stepsOf(matched), ["empty COMPLETED FAILED"])
        }))

      it.effect("requestStop in afterStep stops the job after that step (FLOW-34)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const last = ok("s1", log).pipe(Step.listen({ afterStep: () => StepScope.requestStop }))
          const job = Job.make("terminate-after", { flow: last.pipe(Flow.andThen(ok("s2", log))) })
          const first = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(first), "STOPPED STOPPED")
          assert.deepStrictEqual(yield* stepsOf(first), ["s1 COMPLETED"])
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "COMPLETED COMPLETED")
          assert.deepStrictEqual(log, ["s1", "s2"])
        }))

      it.effect("requestStop in afterStep stops the job also where nothing comes behind that step (FLOW-34)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const last = ok("s1", log).pipe(Step.listen({ afterStep: () => StepScope.requestStop }))
          const job = Job.make("terminate-at-the-end", { flow: last })
          const first = yield* JobOperator.run(job, {})
          assert.deepStrictEqual([endOf(first), ...yield* stepsOf(first)], ["STOPPED STOPPED", "s1 COMPLETED"])
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
          assert.deepStrictEqual(log, ["s1"])
        }))

      it.effect("a step that was stopped stops the flow, whatever the keys (HAND-13)", () =>
        Effect.gen(function*() {
          const job = Job.make("stopped-step", {
            flow: Step.tasklet("s1", StepScope.requestStop).pipe(Flow.match({ "*": ok("s2") }))
          })
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(execution), "STOPPED STOPPED")
          assert.deepStrictEqual(yield* stepsOf(execution), ["s1 STOPPED"])
        }))

      it.effect("an external flow stands in two jobs (FLOW-73)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const flow1 = ok("step1", log).pipe(Flow.andThen(ok("step2", log)))
          const one = Job.make("external-1", { flow: flow1.pipe(Flow.andThen(ok("step3", log))) })
          const two = Job.make("external-2", { flow: ok("step0", log).pipe(Flow.andThen(flow1)) })
          yield* JobOperator.run(one, {})
          yield* JobOperator.run(two, {})
          assert.deepStrictEqual(log, ["step1", "step2", "step3", "step0", "step1", "step2"])
        }))
    })
  })

  describe(`deciders (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      class Params extends JobParameters.Tag<Params>()("Params", { day: Schema.Number }) {}
      class Calendar extends Context.Tag("Calendar")<Calendar, { readonly isLast: (day: number) => boolean }>() {}

      it.effect("routes by the answer of a decider, which may use parameters and services (FLOW-50, C83)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const decision = Flow.decide("decision", ["FAILED", "COMPLETED"], ({ job, last }) =>
            Effect.gen(function*() {
              const { day } = yield* Params
              const calendar = yield* Calendar
              log.push(`${job.status} after ${Option.getOrThrow(last).stepName}`)
              return calendar.isLast(day) ? "FAILED" : "COMPLETED"
            }))
          const job = Job.make("decision", {
            parameters: Params,
            flow: ok("step1", log).pipe(
              Flow.andThen(decision.pipe(Flow.match({ FAILED: ok("step2", log), COMPLETED: ok("step3", log) })))
            )
          })
          const calendar = { isLast: (day: number) => day === 31 }
          yield* Effect.provideService(JobOperator.run(job, { day: 31 }), Calendar, calendar)
          yield* Effect.provideService(JobOperator.run(job, { day: 1 }), Calendar, calendar)
          assert.deepStrictEqual(log, [
            "step1",
            "STARTED after step1",
            "step2",
            "step1",
            "STARTED after step1",
            "step3"
          ])
        }))

      it.effect("a decider that throws fails the job with its cause (FLOW-33, C83)", () =>
        Effect.gen(function*() {
          const failing = Flow.decide("failing", ["A"], () => Effect.fail("no idea" as const))
          const throwing = Flow.decide("throwing", ["A"], (): Effect.Effect<"A"> => {
            throw new Error("broken")
          })
          const failed = yield* JobOperator.run(
            Job.make("decider-fails", { flow: ok("s1").pipe(Flow.andThen(failing)) }),
            {}
          )
          assert.strictEqual(endOf(failed), "FAILED FAILED")
          assert.deepStrictEqual(failed.exit, Exit.fail("no idea" as const))
          assert.deepStrictEqual(yield* stepsOf(failed), ["s1 COMPLETED"])
          const died = yield* JobOperator.run(Job.make("decider-throws", { flow: throwing }), {})
          assert.strictEqual(died.status, "FAILED")
          assert.ok(died.exitStatus.messages.some((message) => message.includes("broken")))
        }))

      it.effect("a decider at the start or after a split sees no last step (FLOW-51, FLOW-65)", () =>
        Effect.gen(function*() {
          const seen: Array<string> = []
          const look = (name: string) =>
            Flow.decide(name, ["OK"], ({ last }) =>
              Effect.sync(() => {
                seen.push(`${name}: ${Option.match(last, { onNone: () => "none", onSome: (step) => step.stepName })}`)
                return "OK"
              }))
          const job = Job.make("decider-last", {
            flow: look("start").pipe(
              Flow.andThen(ok("a")),
              Flow.andThen(look("behind a")),
              Flow.andThen(Flow.split([ok("b"), ok("c").pipe(Flow.andThen(look("in branch")))])),
              Flow.andThen(look("behind split"))
            )
          })
          yield* JobOperator.run(job, {})
          assert.deepStrictEqual(seen, ["start: none", "behind a: a", "in branch: c", "behind split: none"])
        }))

      it.effect("a restart follows the recorded answer of a decider (OWN-5, FLOW-41)", () =>
        Effect.gen(function*() {
          let answers = 0
          const decision = Flow.decide("decision", ["1", "2"], () => Effect.sync(() => answers++ === 0 ? "1" : "2"))
          const job = Job.make("decided", {
            flow: decision.pipe(Flow.match({ 1: scripted("one", ["FAILED", "COMPLETED"]), 2: ok("two") }))
          })
          yield* JobOperator.run(job, {})
          const second = yield* JobOperator.run(job, {})
          assert.deepStrictEqual([yield* stepsOf(second), answers], [["one COMPLETED"], 1])
        }))

      it.effect("a loop runs its step again until the decider lets it out (FLOW-10, C83)", () =>
        Effect.gen(function*() {
          let turns = 0
          const again = Flow.decide("again", ["YES", "NO"], () => Effect.sync(() => ++turns < 3 ? "YES" : "NO"))
          const job = Job.make("loop", {
            flow: Flow.graph("work", {
              work: { run: ok("work"), on: { COMPLETED: "again" } },
              again: { run: again, on: { YES: "work", NO: "END" } }
            })
          })
          const execution = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* stepsOf(execution), ["work COMPLETED", "work COMPLETED", "work COMPLETED"])
          assert.strictEqual(endOf(execution), "COMPLETED NO")
        }))

      it.effect("in a loop that is restarted in the middle, a completed step is skipped once, then runs again (HAND-3)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = Job.make("loop-restart", {
            flow: Flow.graph("s", {
              s: { run: scripted("s", ["MORE", "DONE"], log), on: { "*": "END", MORE: "t" } },
              t: { run: scripted("t", ["FAILED", "COMPLETED"], log), on: { COMPLETED: "s" } }
            })
          })
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "FAILED FAILED")
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "COMPLETED DONE")
          assert.deepStrictEqual(log, ["s", "t", "t", "s"])
        }))
    })
  })
}
