/**
 * What the listeners of a partitioned step hear of its partitions, in whichever process these run.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { Job, JobOperator, JobRepository, Listener, Partition, PartitionWorker, Step } from "../../../src/index.js"
import { drivers } from "../../support/drivers.js"

const listening = (heard: Array<string>) =>
  Listener.step({
    onPartitionBegun: ({ name }) => Effect.sync(() => void heard.push(`${name} begun`)),
    onPartitionEnded: ({ execution, name }) => Effect.sync(() => void heard.push(`${name} ${execution.status}`)),
    onPartitionFailed: ({ execution, name }) =>
      Effect.sync(() => void heard.push(`${name} failed: ${execution.exitStatus.messages[0]}`))
  })

const makeJob = (
  heard: Array<string>,
  options: { readonly broken: () => boolean; readonly concurrency: number; readonly lasts?: string }
) =>
  Job.make("heard", {
    flow: Step.partition("load", {
      plan: Partition.values(["a", "b", "c"]),
      input: Schema.String,
      step: (part) =>
        Step.tasklet("rows", part === "b" && options.broken() ? Effect.fail("no rows" as const) : Effect.void),
      concurrency: options.concurrency
    }).pipe(Step.listen(listening(heard)))
  })

for (const { layer, name } of drivers) {
  it.layer(layer, { timeout: 300_000 })(`listeners of a partitioned step (${name})`, (it) => {
    it.effect("hear once that each partition began and ended, and that it failed; a restart tells of its own (PART-12)", () =>
      Effect.gen(function*() {
        const heard: Array<string> = []
        let broken = true
        const job = makeJob(heard, { broken: () => broken, concurrency: 2 })
        assert.strictEqual((yield* JobOperator.run(job, {})).status, "FAILED")
        assert.deepStrictEqual([...heard].sort(), [
          "a COMPLETED",
          "a begun",
          "b FAILED",
          "b begun",
          "b failed: no rows",
          "c COMPLETED",
          "c begun"
        ])
        for (const part of ["a", "b", "c"]) {
          const own = heard.filter((line) => line.startsWith(part))
          assert.strictEqual(own[0], `${part} begun`)
        }
        assert.isBelow(heard.indexOf("b failed: no rows"), heard.indexOf("b FAILED"))
        heard.length = 0
        broken = false
        assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
        assert.deepStrictEqual(heard, ["b begun", "b COMPLETED"])
      }))

    it.effect("fail the step when they fail, and the restart does what is left (LISTEN-4)", () =>
      Effect.gen(function*() {
        let deaf = false
        const ran: Array<string> = []
        const job = Job.make("deaf", {
          flow: Step.partition("load", {
            plan: Partition.values(["a", "b"]),
            input: Schema.String,
            step: (part) => Step.tasklet("rows", Effect.sync(() => void ran.push(part)))
          }).pipe(Step.listen(Listener.step({
            onPartitionEnded: () => deaf ? Effect.void : Effect.fail("nobody listens" as const)
          })))
        })
        const failed = yield* JobOperator.run(job, {})
        assert.strictEqual(failed.status, "FAILED")
        assert.include(failed.exitStatus.messages.join(), "nobody listens")
        deaf = true
        assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
        assert.deepStrictEqual(ran.sort(), ["a", "b"])
      }))
  })
}

describe("listeners of a partitioned step", () => {
  it.scoped("hear of partitions that workers run, while these run (PART-12, PART-16)", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const job = Job.make("far", {
        flow: Step.partition("load", {
          plan: Partition.values(["a", "b", "c"]),
          input: Schema.String,
          step: () => Step.tasklet("rows", Effect.sleep("10 seconds")),
          concurrency: 0
        }).pipe(Step.listen(listening(heard)))
      })
      const repository = yield* Layer.build(JobRepository.layerMemory)
      yield* Effect.provide(Layer.build(PartitionWorker.layer([job])), repository)
      const running = yield* Effect.fork(Effect.provide(JobOperator.run(job, {}), repository))
      for (let second = 0; second < 15; second++) {
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(heard.slice(0, 3), ["a begun", "a COMPLETED", "b begun"])
      assert.strictEqual(heard.length, 3)
      for (let second = 0; second < 30; second++) {
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual((yield* Fiber.join(running)).status, "COMPLETED")
      assert.strictEqual(heard.length, 6)
    }))

  it.scoped("hear of each of many partitions once, over minutes", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const job = Job.make("long", {
        flow: Step.partition("load", {
          plan: Partition.values(Array.from({ length: 520 }, (_, index) => index)),
          input: Schema.Number,
          step: (part) => Step.tasklet("rows", part < 516 ? Effect.void : Effect.sleep("2 minutes")),
          concurrency: 2
        }).pipe(Step.listen(listening(heard)))
      })
      const running = yield* Effect.fork(JobOperator.run(job, {}))
      for (let minute = 0; minute < 9; minute++) {
        yield* TestClock.adjust("30 seconds")
      }
      assert.strictEqual((yield* Fiber.join(running)).status, "COMPLETED")
      assert.strictEqual(heard.length, 1040)
      assert.strictEqual(new Set(heard).size, 1040)
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})
