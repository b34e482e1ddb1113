import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { Job, JobOperator, JobRepository, Step } from "../../src/index.js"
import { BatchTest, Expect, ReaderLaws, Scripted, StepTest } from "../../src/testing/index.js"

class Bad extends Schema.TaggedError<Bad>()("Bad", {}) {}

const { die, fail, filtered, ok } = Scripted

describe("Scripted.reader", () => {
  it.effect.prop(
    "obeys the law of readers, whatever its script",
    {
      script: FastCheck.array(FastCheck.oneof(FastCheck.integer().map((n) => ok(n)), FastCheck.constant(fail("bad"))), {
        maxLength: 8
      })
    },
    ({ script }) =>
      Effect.gen(function*() {
        yield* ReaderLaws.check(Scripted.reader<number, string>(script))
        assert.isAtMost(script.length, 8)
      })
  )

  it.effect("dies once, and the restart continues after the last committed chunk", () =>
    Effect.gen(function*() {
      const reader = Scripted.reader([ok(1), ok(2), ok(3), die("power cut"), ok(4)])
      const writer = Scripted.writer<number>()
      const job = Job.make("copy", { flow: Step.chunk("copy", { reader, writer, chunkSize: 2 }) })
      const first = yield* JobOperator.run(job, {})
      const second = yield* JobOperator.run(job, {})
      assert.deepStrictEqual([first.status, second.status], ["FAILED", "COMPLETED"])
      assert.deepStrictEqual(writer.written, [1, 2, 3, 4])
      const opened = reader.calls.flatMap((call) => call._tag === "Open" ? [call.from] : [])
      assert.deepStrictEqual(opened.map(({ _tag }) => _tag), ["None", "Some"])
      assert.include(first.exitStatus.messages.join(), "power cut")
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("reports bad records, which the step may skip", () =>
    Effect.gen(function*() {
      const step = Step.chunk("copy", {
        reader: Scripted.reader([ok(1), fail(new Bad()), ok(2)]),
        writer: Scripted.writer<number>(),
        chunkSize: 10
      })
      const skipping = yield* StepTest.runStep(step.pipe(Step.skip("Bad", { limit: 1 })))
      yield* Expect.counts(skipping.step, { read: 2, readSkip: 1, write: 2 })
      const failing = yield* StepTest.runStep(step)
      assert.deepStrictEqual(failing.exit, Exit.fail(new Bad()))
    }))
})

describe("Scripted.processor", () => {
  it.effect("has an outcome for each call", () =>
    Effect.gen(function*() {
      const processor = Scripted.processor([ok("a"), filtered, fail(new Bad()), ok("d")])
      const writer = Scripted.writer<string>()
      const step = Step.chunk("copy", {
        reader: Scripted.reader([ok(1), ok(2), ok(3), ok(4)]),
        processor,
        writer,
        chunkSize: 10
      }).pipe(Step.skip("Bad", { limit: 1 }))
      const run = yield* StepTest.runStep(step)
      yield* Expect.counts(run.step, { read: 4, filter: 1, processSkip: 1, write: 2 })
      assert.deepStrictEqual(processor.calls, [1, 2, 3, 4])
      assert.deepStrictEqual(writer.written, ["a", "d"])
    }))

  it.effect("dies by its script, and when the script is too short", () =>
    Effect.gen(function*() {
      const statusWith = (processor: Scripted.ScriptedProcessor<number, number, never>) =>
        StepTest.runStep(Step.chunk("copy", {
          reader: Scripted.reader([ok(1), ok(2)]),
          processor,
          writer: Scripted.writer<number>(),
          chunkSize: 10
        }))
      const dead = yield* statusWith(Scripted.processor((n: number) => n === 2 ? die(new Error("two")) : ok(n)))
      assert.include(dead.step.exitStatus.messages.join(), "two")
      const short = yield* statusWith(Scripted.processor([ok(1)]))
      assert.include(short.step.exitStatus.messages.join(), "called 2 times; its script is shorter")
    }))
})

describe("Scripted.writer", () => {
  it.effect("records writes, commits and rollbacks, and removes what was rolled back", () =>
    Effect.gen(function*() {
      const writer = Scripted.writer<number, Bad>([ok(), fail(new Bad()), ok()])
      const step = Step.chunk("copy", { reader: Scripted.reader([ok(1), ok(2)]), writer, chunkSize: 1 })
      const failed = yield* StepTest.runStep(step)
      yield* Expect.status(failed.step, "FAILED")
      assert.deepStrictEqual(writer.written, [1])
      assert.deepStrictEqual(writer.calls.map(({ _tag }) => _tag).slice(0, 5), [
        "Open",
        "Write",
        "Committed",
        "Write",
        "Rollback"
      ])
      assert.deepStrictEqual(writer.calls[3], { _tag: "Write", items: [2] })
    }))

  it.effect("a retry gets the next outcome", () =>
    Effect.gen(function*() {
      const writer = Scripted.writer<number, Bad>([fail(new Bad())])
      const step = Step.chunk("copy", { reader: Scripted.reader([ok(1), ok(2)]), writer, chunkSize: 2 }).pipe(
        Step.retry("Bad", { times: 2 })
      )
      const run = yield* StepTest.runStep(step)
      yield* Expect.counts(run.step, { write: 2, rollback: 1 })
      assert.deepStrictEqual(writer.written, [1, 2])
    }))

  it.effect("an outcome can depend on the items, and be a defect", () =>
    Effect.gen(function*() {
      const writer = Scripted.writer((items: ReadonlyArray<number>) => items.includes(2) ? die("disk") : ok())
      const step = Step.chunk("copy", { reader: Scripted.reader([ok(1), ok(2)]), writer, chunkSize: 1 })
      const run = yield* StepTest.runStep(step)
      assert.include(run.step.exitStatus.messages.join(), "disk")
      assert.deepStrictEqual(writer.written, [1])
    }))

  it.effect("survives every crash together with the reader", () =>
    Effect.gen(function*() {
      const make = Effect.sync(() => {
        const writer = Scripted.writer<number>()
        const step = Step.chunk("copy", { reader: Scripted.reader([ok(1), ok(2), ok(3)]), writer, chunkSize: 2 })
        return {
          job: Job.make("copy", { flow: step }),
          parameters: {},
          observe: Effect.sync(() => [...writer.written])
        }
      })
      const report = yield* BatchTest.crashEverywhere({ make, randomRuns: 5 })
      assert.isAbove(report.points, 14)
    }))
})
