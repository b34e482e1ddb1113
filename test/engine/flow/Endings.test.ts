/**
 * A job never says more than its steps did: codes of failed steps, stops beside failures, and what committed its end.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import {
  ExitStatus,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  Listener,
  Step,
  StepScope,
  Tasklet
} from "../../../src/index.js"
import { drivers } from "../../support/drivers.js"
import { endOf, ok, scripted, stepsOf } from "./kit.js"

/** Runs the job again and again until it is COMPLETED: how each execution ended. */
const untilComplete = (job: Job.Job<{}, string, any, any>, most = 6) =>
  Effect.gen(function*() {
    const ends: Array<string> = []
    while (ends.length < most && !ends.at(-1)?.startsWith("COMPLETED")) {
      ends.push(endOf(yield* JobOperator.run(job, {})))
    }
    return ends
  }) as Effect.Effect<ReadonlyArray<string>, any, any>

const failsOnce = (): { readonly effect: Effect.Effect<void, string> } => {
  let failures = 1
  return { effect: Effect.suspend(() => failures-- > 0 ? Effect.fail("ledger not balanced") : Effect.void) }
}

for (const driver of drivers) {
  describe(`a failed step is followed as a failed step (${driver.name})`, () => {
    it.layer(Layer.orDie(driver.layer), { timeout: 300_000 })((it) => {
      const chosenBefore: Record<string, Step.Step<any, any, any>> = {
        "Tasklet.finishedWith, then afterStep fails": Step.tasklet(
          "s",
          Effect.succeed(Tasklet.finishedWith("MONTH_END"))
        ).pipe(Step.listen({ afterStep: () => Effect.fail("ledger not balanced") })),
        "StepScope.addExitStatus, then the tasklet fails": Step.tasklet(
          "s",
          Effect.zipRight(StepScope.addExitStatus(ExitStatus.make("MONTH_END")), Effect.fail("broken"))
        ),
        "Step.exitCode, then afterStep fails": Step.tasklet("s", Effect.void).pipe(
          Step.exitCode(["MONTH_END"], () => "MONTH_END"),
          Step.listen({ afterStep: () => Effect.fail("ledger not balanced") })
        ),
        "an earlier listener, then the next one fails": Step.tasklet("s", Effect.void).pipe(
          Step.listen({ afterStep: () => Effect.fail("ledger not balanced") }),
          Step.listen({ afterStep: () => Effect.succeed(ExitStatus.make("MONTH_END")) })
        ),
        "beforeStep, then the chunk fails": Step.chunk("s", {
          reader: ItemReader.fromIterable([1]),
          writer: ItemWriter.fromFunction(() => Effect.fail("full")),
          chunkSize: 1
        }).pipe(Step.listen({ beforeStep: () => StepScope.addExitStatus(ExitStatus.make("MONTH_END")) })),
        "the tasklet, which fails its step by its status": Step.tasklet(
          "s",
          Effect.as(StepScope.upgradeStatus("FAILED"), Tasklet.finishedWith("MONTH_END"))
        ),
        "beforeStep of a step that runs a flow": Step.flow("s", Step.tasklet("inner", Effect.fail("broken"))).pipe(
          Step.listen({ beforeStep: () => StepScope.addExitStatus(ExitStatus.make("MONTH_END")) })
        )
      }
      for (const [how, step] of Object.entries(chosenBefore)) {
        it.effect(`a code that was chosen before the failure is void: ${how} (OWN-1)`, () =>
          Effect.gen(function*() {
            const log: Array<string> = []
            const job = Job.make(how, {
              flow: (step as Step.Step<string, any, any>).pipe(
                Flow.match({ MONTH_END: ok("statements", log), COMPLETED: Flow.end(), FAILED: Flow.fail() })
              )
            })
            const execution = yield* JobOperator.run(job, {}) as Effect.Effect<any, any, any>
            assert.deepStrictEqual([endOf(execution), log], ["FAILED FAILED", []])
            const stored = (yield* JobOperator.steps(execution.id)).find(({ stepName }) => stepName === "s")!
            assert.deepStrictEqual([stored.status, stored.exitStatus.code], ["FAILED", "FAILED"])
            assert.include(stored.exitStatus.messages.join(), `it had chosen the exit code "MONTH_END" before`)
          }) as Effect.Effect<void, any, any>)
      }

      it.effect("a listener that has seen the failure may give it a code, and only that is followed (OWN-1)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const step = Step.tasklet("s", Effect.fail("broken")).pipe(
            Step.listen({ afterStep: ({ status }) => Effect.succeed(ExitStatus.make(`${status} AND SEEN`)) }),
            Flow.withCodes(["FAILED AND SEEN"])
          )
          const job = Job.make("seen", {
            flow: step.pipe(Flow.match({ "FAILED AND SEEN": ok("repair", log), COMPLETED: Flow.end() }))
          })
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "COMPLETED COMPLETED")
          assert.deepStrictEqual(log, ["repair"])
        }))

      it.effect("a failing afterStep takes away the code that an earlier listener gave the failure (OWN-1, STEP-15)", () =>
        Effect.gen(function*() {
          const step = Step.tasklet("s", Effect.fail("broken")).pipe(
            Step.listen({ afterStep: () => Effect.fail("listener") }),
            Step.listen({ afterStep: () => Effect.succeed(ExitStatus.make("HARMLESS")) })
          )
          const execution = yield* JobOperator.run(Job.make("taken", { flow: step }), {})
          assert.deepStrictEqual(yield* stepsOf(execution), ["s FAILED"])
          assert.deepStrictEqual(execution.exit, Exit.fail("broken"))
        }))

      it.effect("an exit code that throws fails its step, and the work is not done again (OWN-1, OWN-4)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          let broken = true
          const step = ok("s", log).pipe(Step.exitCode(["LATE"], () => {
            if (broken) throw new Error("no such count")
            return "LATE"
          }))
          const job = Job.make("code-throws", { flow: step })
          const first = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* stepsOf(first), ["s FAILED"])
          broken = false
          const second = yield* JobOperator.run(job, {})
          assert.deepStrictEqual([yield* stepsOf(second), log], [["s COMPLETED LATE"], ["s"]])
        }))
    })
  })

  describe(`a stop beats every end (${driver.name})`, () => {
    it.layer(Layer.orDie(driver.layer), { timeout: 300_000 })((it) => {
      /** Four items in chunks of two; it asks for its end in the second chunk of its first execution. */
      const stopsInChunkTwo = (name: string, written: Array<number>) => {
        let stops = 1
        return Step.chunk(name, {
          reader: ItemReader.fromIterable([1, 2, 3, 4, 5, 6]),
          writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
            Effect.zipRight(
              items.includes(3) && stops-- > 0 ? StepScope.requestStop : Effect.void,
              Effect.sync(() => void written.push(...items))
            )
          ),
          chunkSize: 2
        })
      }

      for (
        const [end, cases] of Object.entries({
          "an end": { FAILED: Flow.end("PARTIAL"), COMPLETED: Flow.end() },
          "a fail": { FAILED: Flow.fail("PARTIAL"), COMPLETED: Flow.end() },
          "a stop": { FAILED: Flow.stop("PARTIAL"), COMPLETED: Flow.end() },
          "a step": { FAILED: ok("handles"), COMPLETED: Flow.end() },
          "anything": { "*": Flow.end("PARTIAL") }
        })
      ) {
        it.effect(`a branch that is stopped beside one that fails is finished by the restart, behind it ${end} (OWN-2)`, () =>
          Effect.gen(function*() {
            const written: Array<number> = []
            const job = Job.make(`stopped beside, ${end}`, {
              flow: Flow.split([scripted("fail", ["FAILED", "COMPLETED"]), stopsInChunkTwo("long", written)]).pipe(
                Flow.match(cases as { readonly "*": Flow.Flow<"X"> })
              )
            })
            const first = yield* JobOperator.run(job, {})
            assert.strictEqual(endOf(first), "STOPPED STOPPED")
            assert.deepStrictEqual(yield* stepsOf(first), ["fail FAILED", "long STOPPED"])
            assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
            assert.deepStrictEqual(written, [1, 2, 3, 4, 5, 6])
          }))
      }

      it.effect("a sibling that was interrupted by a failure is not lost in the handling of that failure (OWN-2)", () =>
        Effect.gen(function*() {
          const begun = yield* Deferred.make<void>()
          const log: Array<string> = []
          let broken = true
          const outside = { propagation: "notSupported" } as const
          const slow = Step.tasklet(
            "slow",
            Effect.suspend(() =>
              broken
                ? Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)
                : Effect.sync(() => void log.push("slow"))
            )
          ).pipe(Step.withTransaction(outside))
          const bad = Step.tasklet(
            "bad",
            Effect.suspend(() => broken ? Effect.zipRight(Deferred.await(begun), Effect.fail("broken")) : Effect.void)
          ).pipe(Step.withTransaction(outside))
          const job = Job.make("interrupted-not-lost", {
            flow: Step.flow("both", Flow.split([slow, bad], { concurrency: 2, onBranchFailure: "interrupt" })).pipe(
              Flow.match({ FAILED: Flow.end("PARTIAL"), COMPLETED: Flow.end() })
            )
          })
          const first = yield* JobOperator.run(job, {})
          assert.strictEqual(first.status, "STOPPED")
          assert.include(first.exitStatus.messages.join(), "broken")
          broken = false
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "COMPLETED COMPLETED")
          assert.deepStrictEqual(log, ["slow"])
        }))

      it.effect("a branch that had completed is not interrupted again by one that fails in every execution (OWN-2)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const fails = scripted("fails", ["COMPLETED"], log).pipe(Flow.andThen(Flow.fail("NO")))
          const slow = scripted("slow", ["FAILED", "COMPLETED"], log)
          const job = Job.make("fails-for-ever", {
            flow: Flow.split([slow, fails], { onBranchFailure: "interrupt" }).pipe(
              Flow.match({ FAILED: scripted("handler", ["FAILED", "COMPLETED"], log), COMPLETED: Flow.end() })
            )
          })
          const first = Job.make("fails-for-ever", {
            flow: Flow.split([fails, slow], { onBranchFailure: "interrupt" }).pipe(
              Flow.match({ FAILED: scripted("handler", ["COMPLETED"], log), COMPLETED: Flow.end() })
            )
          })
          // Both have failed, then `slow` has completed, and `fails` has failed by definition.
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "STOPPED STOPPED")
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "FAILED FAILED")
          log.length = 0
          assert.strictEqual(endOf(yield* JobOperator.run(first, {})), "COMPLETED COMPLETED")
          assert.deepStrictEqual(log, ["handler"])
        }))

      it.effect("a branch that a restart only finds failed does not keep the one beside it from its work (OWN-2)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const outside = { propagation: "notSupported" } as const
          let broken = true
          const slow = Step.tasklet(
            "slow",
            Effect.suspend(() =>
              broken ? Effect.never : Effect.zipRight(Effect.yieldNow(), Effect.sync(() => void log.push("slow")))
            )
          ).pipe(Step.withTransaction(outside))
          const job = Job.make("found-failed", {
            flow: Flow.split([ok("fails", log).pipe(Flow.andThen(Flow.fail("NO"))), slow], {
              concurrency: 2,
              onBranchFailure: "interrupt"
            }).pipe(Flow.match({ FAILED: Flow.end("PARTIAL"), COMPLETED: Flow.end() }))
          })
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "STOPPED")
          broken = false
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "COMPLETED PARTIAL")
          assert.deepStrictEqual(log, ["fails", "slow"])
        }))

      it.effect("a hold in one branch is not passed over when another branch fails and is dealt with (OWN-2)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = Job.make("hold-beside-failure", {
            flow: Flow.split([
              scripted("fail", ["FAILED", "COMPLETED"], log),
              ok("a", log).pipe(Flow.andThen(Flow.stop("LOOK")), Flow.andThen(ok("b", log)))
            ]).pipe(Flow.match({ FAILED: Flow.end("PARTIAL"), COMPLETED: Flow.end() }))
          })
          assert.deepStrictEqual(yield* untilComplete(job), ["STOPPED STOPPED", "COMPLETED COMPLETED"])
          assert.deepStrictEqual(log, ["fail", "a", "fail", "b"])
        }))

      it.effect("a step that fails while the job is asked to stop leaves the job STOPPED, whatever handles failures (OWN-2)", () =>
        Effect.gen(function*() {
          const [begun, go] = yield* Effect.all([Deferred.make<number>(), Deferred.make<void>()])
          const log: Array<string> = []
          let failures = 1
          const step = Step.tasklet(
            "s",
            Effect.suspend(() =>
              failures-- > 0
                ? StepScope.execution.pipe(
                  Effect.flatMap((execution) => Deferred.succeed(begun, execution.jobExecutionId)),
                  Effect.zipRight(Deferred.await(go)),
                  Effect.zipRight(Effect.fail("broken"))
                )
                : Effect.sync(() => void log.push("s"))
            )
          ).pipe(Step.withTransaction({ propagation: "notSupported" }))
          const job = Job.make("fails-while-stopping", {
            flow: step.pipe(Flow.match({ FAILED: Flow.end("FINE"), COMPLETED: Flow.end() }))
          })
          const fiber = yield* Effect.fork(JobOperator.run(job, {}))
          yield* JobOperator.stop(yield* Deferred.await(begun))
          yield* Deferred.succeed(go, undefined)
          const first = yield* Fiber.join(fiber)
          assert.strictEqual(endOf(first), "STOPPED STOPPED")
          assert.include(first.exitStatus.messages.join(), "broken")
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "COMPLETED COMPLETED")
          assert.deepStrictEqual(log, ["s"])
        }))

      it.effect("a stop that is asked for in afterStep of a failing step stops the job, and the restart runs the step (OWN-2)", () =>
        Effect.gen(function*() {
          const step = scripted("s", ["FAILED", "COMPLETED"]).pipe(
            Step.listen({ afterStep: ({ status }) => status === "FAILED" ? StepScope.requestStop : Effect.void })
          )
          const job = Job.make("fails-and-stops", {
            flow: step.pipe(Flow.match({ FAILED: ok("handles"), COMPLETED: Flow.end() }))
          })
          assert.deepStrictEqual(yield* untilComplete(job), ["STOPPED STOPPED", "COMPLETED COMPLETED"])
        }))

      it.effect("a request to stop that comes when everything has completed changes nothing (OWN-2)", () =>
        Effect.gen(function*() {
          const last = ok("last").pipe(Step.listen({
            afterStep: ({ jobExecutionId }) => Effect.asVoid(JobOperator.stop(jobExecutionId))
          }))
          const job = Job.make("stop-too-late", { flow: last.pipe(Flow.match({ COMPLETED: Flow.end("DONE") })) })
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "COMPLETED DONE")
        }))

      it.effect("a step of unknown outcome in a branch makes the job UNKNOWN, whatever follows (OWN-2, FLOW-26)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const unknown = Step.tasklet("u", StepScope.upgradeStatus("UNKNOWN"))
          const job = Job.make("unknown-in-branch", {
            flow: Flow.split([unknown, ok("a")]).pipe(Flow.match({ "*": ok("next", log) }))
          })
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "UNKNOWN")
          assert.deepStrictEqual(log, [])
        }))
    })
  })

  describe(`a stop is passed only by what has completed since (${driver.name})`, () => {
    it.layer(Layer.orDie(driver.layer), { timeout: 300_000 })((it) => {
      it.effect("a split that fails again stops again, and what follows is not lost (OWN-3)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = Job.make("hold-behind-split", {
            flow: Flow.split([scripted("bad", ["FAILED", "FAILED", "COMPLETED"], log), ok("good", log)]).pipe(
              Flow.match({ FAILED: Flow.stop("LOOK"), COMPLETED: ok("next", log) })
            )
          })
          assert.deepStrictEqual(yield* untilComplete(job), ["STOPPED LOOK", "STOPPED LOOK", "COMPLETED COMPLETED"])
          assert.deepStrictEqual(log, ["bad", "good", "bad", "bad", "next"])
        }))

      it.effect("a flow inside a step that fails again stops again (OWN-3)", () =>
        Effect.gen(function*() {
          const inner = Step.flow("inner", scripted("bad", ["FAILED", "FAILED", "COMPLETED"]))
          const job = Job.make("hold-behind-flow", {
            flow: inner.pipe(Flow.match({ FAILED: Flow.stop("LOOK"), COMPLETED: Flow.end() }))
          })
          assert.deepStrictEqual(yield* untilComplete(job), ["STOPPED LOOK", "STOPPED LOOK", "COMPLETED COMPLETED"])
        }))

      it.effect("a hold that is passed in one place still holds in the other (OWN-27)", () =>
        Effect.gen(function*() {
          const hold = Flow.stop("HOLD")
          const s1 = scripted("s1", ["HOLD", "COMPLETED"]).pipe(Step.allowStartIfComplete)
          const s2 = scripted("s2", ["HOLD"])
          const job = Job.make("two-holds", {
            flow: s1.pipe(Flow.match({ HOLD: hold, "*": s2.pipe(Flow.match({ HOLD: hold, "*": Flow.end() })) }))
          })
          assert.deepStrictEqual(yield* untilComplete(job), ["STOPPED HOLD", "STOPPED HOLD", "COMPLETED COMPLETED"])
        }))

      it.effect("a step value in two places, with holds before and behind the second one: each hold stops once (OWN-27)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const same = ok("same", log)
          const job = Job.make("three-holds", {
            flow: same.pipe(
              Flow.andThen(Flow.stopAndRestart(ok("next", log), "FIRST")),
              Flow.andThen(Flow.stopAndRestart(
                same.pipe(Flow.andThen(Flow.stopAndRestart(ok("last", log), "THIRD"))),
                "SECOND"
              ))
            )
          })
          assert.deepStrictEqual(yield* untilComplete(job), [
            "STOPPED FIRST",
            "STOPPED SECOND",
            "STOPPED THIRD",
            "COMPLETED COMPLETED"
          ])
          assert.deepStrictEqual(log, ["same", "next", "same", "last"])
        }))
    })
  })

  describe(`what committed its end is not called again (${driver.name})`, () => {
    it.layer(Layer.orDie(driver.layer), { timeout: 300_000 })((it) => {
      it.effect("a tasklet whose listener fails posts once (OWN-4)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = Job.make("posts-once", {
            flow: Step.tasklet("post", Effect.as(Effect.sync(() => log.push("post")), Tasklet.finishedWith("POSTED")))
              .pipe(
                Step.listen({ afterStep: () => failing.effect }),
                Flow.match({ POSTED: ok("next", log), COMPLETED: Flow.end("LOST ITS CODE") })
              )
          })
          const failing = failsOnce()
          assert.deepStrictEqual(yield* untilComplete(job, 1), ["FAILED FAILED"])
          assert.include(
            (yield* JobOperator.explain(job, {})).lines.join("\n"),
            "post: resume behind its work, which has ended: only its listeners are called again"
          )
          assert.deepStrictEqual(yield* untilComplete(job), ["COMPLETED COMPLETED"])
          assert.deepStrictEqual(log, ["post", "next"])
        }))

      it.effect("a tasklet whose afterChunk or beforeStep fails posts once, however often (OWN-4)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          let calls = 0
          const failsAt = (...at: ReadonlyArray<number>) =>
            Effect.suspend(() => at.includes(++calls) ? Effect.fail("no") : Effect.void)
          const job = Job.make("posts-once-behind-a-chunk", {
            flow: ok("post", log).pipe(
              Step.listen({ beforeStep: () => failsAt(3, 4), afterChunk: () => failsAt(2) })
            )
          })
          assert.deepStrictEqual(yield* untilComplete(job), [
            "FAILED FAILED",
            "FAILED FAILED",
            "FAILED FAILED",
            "COMPLETED COMPLETED"
          ])
          assert.deepStrictEqual(log, ["post"])
        }))

      it.effect("a tasklet that is asked to stop during its call posts once (OWN-4)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const post = Step.tasklet(
            "post",
            StepScope.execution.pipe(
              Effect.flatMap(({ jobExecutionId }) => JobOperator.stop(jobExecutionId)),
              Effect.zipRight(Effect.sync(() => void log.push("post")))
            )
          ).pipe(Step.withTransaction({ propagation: "notSupported" }))
          const job = Job.make("posts-once-stopped", { flow: post.pipe(Flow.andThen(ok("next", log))) })
          assert.deepStrictEqual(yield* untilComplete(job), ["STOPPED STOPPED", "COMPLETED COMPLETED"])
          assert.deepStrictEqual(log, ["post", "next"])
        }))

      it.effect("a chunk step whose source is archived by its listener, which then fails, does not open it again (OWN-4)", () =>
        Effect.gen(function*() {
          let there = true
          const written: Array<number> = []
          const failing = failsOnce()
          const load = Step.chunk("load", {
            reader: ItemReader.unwrap(
              Effect.suspend(() =>
                there ? Effect.succeed(ItemReader.fromIterable([1, 2, 3])) : Effect.fail("the file is gone")
              )
            ),
            writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
              Effect.sync(() => void written.push(...items))
            ),
            chunkSize: 2
          }).pipe(
            Step.exitCode(["COMPLETED", "LOADED"], ({ counts }) => counts.write > 0 ? "LOADED" : "COMPLETED"),
            Step.listen({
              afterStep: () => {
                there = false
                return failing.effect
              }
            })
          )
          const job = Job.make("archived", {
            flow: load.pipe(Flow.match({ LOADED: Flow.end("DONE"), COMPLETED: Flow.end("NOTHING") }))
          })
          assert.deepStrictEqual(yield* untilComplete(job), ["FAILED FAILED", "COMPLETED DONE"])
          assert.deepStrictEqual(written, [1, 2, 3])
        }))

      it.effect("a flow and a job inside a step are not run again when only a listener failed (OWN-4)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const [one, two] = [failsOnce(), failsOnce()]
          const always = Step.allowStartIfComplete(ok("always", log))
          const child = Job.make("listened-child", {
            flow: ok("inside", log).pipe(Flow.match({ COMPLETED: Flow.end("DONE") }))
          })
          const job = Job.make("listened-parent", {
            flow: Step.flow("flow", always).pipe(
              Step.listen({ afterStep: () => one.effect }),
              Flow.andThen(
                Step.job("job", child, { parameters: Effect.succeed({}) }).pipe(
                  Step.listen({ afterStep: () => two.effect }),
                  Flow.match({ DONE: ok("next", log) })
                )
              )
            )
          })
          assert.deepStrictEqual(yield* untilComplete(job as Job.Job<{}, string, any, any>), [
            "FAILED FAILED",
            "FAILED FAILED",
            "COMPLETED COMPLETED"
          ])
          assert.deepStrictEqual(log, ["always", "inside", "next"])
        }))

      it.effect("a chunk with a skipped item that fails stores no skip, and the restart counts it once (OWN-9)", () =>
        Effect.gen(function*() {
          let broken = true
          const step = Step.chunk("load", {
            reader: ItemReader.fromIterable([1, -2, 3, 4]),
            processor: (n: number) => n < 0 ? Effect.fail({ _tag: "Negative" as const }) : Effect.succeed(n),
            writer: ItemWriter.fromFunction(() => broken ? Effect.fail({ _tag: "Full" as const }) : Effect.void),
            chunkSize: 4
          }).pipe(Step.skip("Negative", { limit: 10 }))
          const job = Job.make("skips-once", { flow: step })
          const first = yield* JobOperator.run(job, {})
          const counted = ({ id }: { readonly id: number }) =>
            Effect.map(JobOperator.steps(id), ([row]) => [row!.counts.read, row!.counts.processSkip, row!.counts.write])
          assert.deepStrictEqual(yield* counted(first), [0, 0, 0])
          broken = false
          assert.deepStrictEqual(yield* counted(yield* JobOperator.run(job, {})), [4, 1, 3])
        }))
    })
  })

  describe(`listeners and deciders after a stop (${driver.name})`, () => {
    it.layer(Layer.orDie(driver.layer), { timeout: 300_000 })((it) => {
      const never = (begun: Deferred.Deferred<number>, id: number) =>
        Effect.zipRight(Deferred.succeed(begun, id), Effect.never)
      const waits: Record<string, (begun: Deferred.Deferred<number>) => Job.Job<{}, string, any, any>> = {
        decider: (begun) =>
          Job.make("waits in decider", { flow: Flow.decide("waits", ["A"], ({ job }) => never(begun, job.id)) }),
        beforeJob: (begun) =>
          Job.make("waits in beforeJob", {
            flow: ok("s"),
            listeners: [Listener.job({ beforeJob: ({ id }) => never(begun, id) })]
          }),
        afterStep: (begun) =>
          Job.make("waits in afterStep", {
            flow: ok("s").pipe(Step.listen({ afterStep: ({ jobExecutionId }) => never(begun, jobExecutionId) }))
          })
      }
      for (const [place, make] of Object.entries(waits)) {
        it.effect(`a ${place} that waits can be stopped (OWN-8)`, () =>
          Effect.gen(function*() {
            const begun = yield* Deferred.make<number>()
            const fiber = yield* Effect.fork(JobOperator.run(make(begun), {}))
            yield* JobOperator.stop(yield* Deferred.await(begun))
            assert.strictEqual((yield* Fiber.join(fiber)).status, "STOPPED")
          }).pipe(Effect.provideService(JobOperator.StopGrace, "0 seconds")) as Effect.Effect<void, any, any>)
      }

      it.effect("an afterJob that waits for ever is given up after a stop (OWN-8)", () =>
        Effect.gen(function*() {
          const begun = yield* Deferred.make<number>()
          const job = Job.make("waits in afterJob", {
            flow: Step.tasklet("s", StepScope.requestStop),
            listeners: [Listener.job({ afterJob: ({ id }) => never(begun, id) })]
          })
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "STOPPED")
        }).pipe(Effect.provideService(JobOperator.StopGrace, "0 seconds")) as Effect.Effect<void, any, any>)

      it.effect("afterJob or beforeJob that throws before it returns an effect has failed, and no more: run returns (OWN-8, LIFE-12)", () =>
        Effect.gen(function*() {
          const thrown = (): Effect.Effect<void> => {
            throw new Error("no such property")
          }
          const after = Job.make("afterJob throws", { flow: ok("s"), listeners: [Listener.job({ afterJob: thrown })] })
          assert.strictEqual(endOf(yield* JobOperator.run(after, {})), "COMPLETED COMPLETED")
          const before = Job.make("beforeJob throws", {
            flow: ok("s"),
            listeners: [Listener.job({ beforeJob: thrown })]
          })
          const failed = yield* JobOperator.run(before, {})
          assert.strictEqual(endOf(failed), "FAILED FAILED")
          assert.include(failed.exitStatus.messages.join(), "no such property")
        }))
    })
  })
}
