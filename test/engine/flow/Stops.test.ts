import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Stops from "../../../src/engine/flow/stops.js"
import { Flow, Job, JobOperator, Step } from "../../../src/index.js"
import * as ExecutionContext from "../../../src/vocabulary/ExecutionContext.js"
import { drivers } from "../../support/drivers.js"
import { endOf, ok, scripted, stepsOf } from "./kit.js"

for (const driver of drivers) {
  describe(`stop and restart (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("stops after step1, and a restart begins with step2 (FLOW-23, C79)", () =>
        Effect.gen(function*() {
          const job = Job.make("stop-and-restart", {
            flow: ok("step1").pipe(Flow.match({ COMPLETED: Flow.stopAndRestart(ok("step2")) }))
          })
          const first = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(first), "STOPPED STOPPED")
          assert.deepStrictEqual(yield* stepsOf(first), ["step1 COMPLETED"])
          const second = yield* JobOperator.run(job, {})
          assert.strictEqual(endOf(second), "COMPLETED COMPLETED")
          assert.deepStrictEqual(yield* stepsOf(second), ["step2 COMPLETED"])
        }))

      it.effect("stop and stopAndRestart with a code of their own (FLOW-24, C81)", () =>
        Effect.gen(function*() {
          const foo = Job.make("stop-code", { flow: ok("s1").pipe(Flow.andThen(Flow.stop("FOO"))) })
          assert.strictEqual(endOf(yield* JobOperator.run(foo, {})), "STOPPED FOO")
          const custom = Job.make("stop-restart-code", {
            flow: ok("s1").pipe(Flow.andThen(Flow.stopAndRestart(ok("s2"), "CUSTOM")))
          })
          assert.strictEqual(endOf(yield* JobOperator.run(custom, {})), "STOPPED CUSTOM")
          assert.strictEqual(endOf(yield* JobOperator.run(custom, {})), "COMPLETED COMPLETED")
        }))

      it.effect("a restart passes the stop; nothing is left to do and the job is COMPLETED (FLOW-22)", () =>
        Effect.gen(function*() {
          const job = Job.make("stop", { flow: ok("s1").pipe(Flow.andThen(Flow.stop())) })
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "STOPPED STOPPED")
          const second = yield* JobOperator.run(job, {})
          assert.strictEqual(second.status, "COMPLETED")
          assert.deepStrictEqual(yield* stepsOf(second), [])
        }))

      it.effect("the stop is durable, so a step that always runs does not make the job stop for ever (FLOW-43)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = Job.make("stop-once", {
            flow: Step.allowStartIfComplete(ok("always", log)).pipe(
              Flow.andThen(Flow.stop()),
              Flow.andThen(scripted("after", ["FAILED", "COMPLETED"], log))
            )
          })
          const first = yield* JobOperator.run(job, {})
          const stored = yield* JobOperator.execution(first.id)
          assert.deepStrictEqual(
            ExecutionContext.get(stored.context, Stops.key),
            Either.right(Option.some([{ stoppedAt: "stop after always", resumeAt: "after" } as Stops.Stop])) as any
          )
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "FAILED FAILED")
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "COMPLETED COMPLETED")
          assert.deepStrictEqual(log, ["always", "always", "after", "always", "after"])
        }))

      it.effect("what failed before a stopAndRestart is ABANDONED and not run again (FLOW-23)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const job = Job.make("stop-abandons", {
            flow: scripted("s1", ["FAILED"], log).pipe(
              Flow.match({ FAILED: Flow.stopAndRestart(ok("s2", log)), COMPLETED: Flow.end() })
            )
          })
          const first = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* stepsOf(first), ["s1 ABANDONED FAILED"])
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "COMPLETED COMPLETED")
          assert.deepStrictEqual(log, ["s1", "s2"])
        }))

      it.effect("a step that stops the job to be tried again is not abandoned (FLOW-23)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const step = scripted("s1", ["FAILED", "FAILED", "COMPLETED"], log)
          const job = Job.make("stop-retries", {
            flow: Flow.graph("s1", {
              s1: { run: step, on: { COMPLETED: "END", FAILED: "wait" } },
              wait: { run: Flow.stopAndRestart(step), on: { COMPLETED: "END" } }
            })
          })
          const first = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* stepsOf(first), ["s1 FAILED"])
          assert.strictEqual(endOf(first), "STOPPED STOPPED")
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "STOPPED STOPPED")
          assert.strictEqual(endOf(yield* JobOperator.run(job, {})), "COMPLETED COMPLETED")
          assert.deepStrictEqual(log, ["s1", "s1", "s1"])
        }))

      it.effect("a stop on FAILED leaves the step FAILED; a restart runs it and stops again if it fails again (FLOW-22)", () =>
        Effect.gen(function*() {
          const job = Job.make("stop-on-failed", {
            flow: scripted("s1", ["FAILED", "FAILED", "COMPLETED"]).pipe(
              Flow.match({ FAILED: Flow.stop(), COMPLETED: ok("s2") })
            )
          })
          const ends = yield* Effect.replicateEffect(JobOperator.run(job, {}), 3)
          assert.deepStrictEqual(ends.map(endOf), ["STOPPED STOPPED", "STOPPED STOPPED", "COMPLETED COMPLETED"])
          assert.deepStrictEqual(yield* stepsOf(ends[0]!), ["s1 FAILED"])
          assert.deepStrictEqual(yield* stepsOf(ends[2]!), ["s1 COMPLETED", "s2 COMPLETED"])
          const { context } = yield* JobOperator.execution(ends[2]!.id)
          const stops = Option.getOrThrow(yield* ExecutionContext.get(context, Stops.key))
          assert.lengthOf(stops, 1, "the stop is recorded once, however often it has stopped the job")
        }))
    })
  })
}

describe("the record of stops", () => {
  const places = FastCheck.record({
    place: FastCheck.constantFrom("stop after a", "stop after b"),
    path: FastCheck.constantFrom("0", "1"),
    round: FastCheck.constantFrom("1", "2")
  })

  it.prop(
    "holds a place once a round, however often the job stops there (FLOW-43)",
    [FastCheck.array(places)],
    ([stops]) => {
      const recordAll = (context: ExecutionContext.ExecutionContext, where: Stops.Where, index: number) =>
        Either.getOrThrow(Stops.record(context, where, `step${index}`))
      const context = stops.reduce(recordAll, ExecutionContext.empty)
      const last = new Map(stops.map(({ place, round }, index) => [`${place} in ${round}`, `step${index}`]))
      const stored = Option.getOrElse(Either.getOrThrow(ExecutionContext.get(context, Stops.key)), () => [])
      assert.strictEqual(stored.length, last.size)
      assert.deepStrictEqual(
        new Map(stored.map(({ resumeAt, round, stoppedAt }) => [`${stoppedAt} in ${round ?? "1"}`, resumeAt])),
        last
      )
    }
  )

  it("takes over what 0.1 recorded by the path of the place (FLOW-43)", () => {
    const where = { place: "stop after a", path: "0/1", round: "1" }
    const old = ExecutionContext.unsafeSet(Stops.key, [{ stoppedAt: "0/1", resumeAt: "b" }])(ExecutionContext.empty)
    assert.isTrue(Either.getOrThrow(Stops.isRecorded(old, where)))
    const context = Either.getOrThrow(Stops.record(old, where, "b"))
    assert.deepStrictEqual(
      Option.getOrThrow(Either.getOrThrow(ExecutionContext.get(context, Stops.key))),
      [{ stoppedAt: "stop after a", resumeAt: "b" }]
    )
  })
})
