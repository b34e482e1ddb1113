/**
 * Workers in this process, beside a job that runs no partition itself: on every repository.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import {
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobParameters,
  JobRepository,
  Partition,
  PartitionWorker,
  Step
} from "../../src/index.js"
import { drivers, type Services } from "../support/drivers.js"

class Day extends JobParameters.Tag<Day>()("Day", { day: Schema.String }) {}

const seen: Array<string> = []

const makeJob = (name: string, options: { readonly version?: string; readonly step?: string } = {}) =>
  Job.make(name, {
    parameters: Day,
    flow: Step.partition(options.step ?? "load", {
      plan: Partition.values(["a", "b", "c"]),
      input: Schema.String,
      step: (input) => Step.tasklet("note", Effect.map(Day, ({ day }) => void seen.push(`${name} ${day} ${input}`))),
      concurrency: 0,
      version: options.version
    })
  })

const of = (name: string) => seen.filter((line) => line.startsWith(`${name} `)).sort()

const children = (executionId: number) =>
  Effect.flatMap(JobRepository.JobRepository, (repository) => repository.jobExecutions({ parentId: executionId }))

/** A moment of real time: what others are to do is done then, or would not be. */
const soon = Effect.provideService(PartitionWorker.Poll, "10 millis")

describe("a worker that cannot work", () => {
  it("is refused when it is made: no slots, or two jobs of one name", () => {
    const job = makeJob("idle")
    for (const slots of [0, -1, 1.5, NaN, Infinity]) {
      assert.throws(
        () => PartitionWorker.layer([job], { slots }),
        `a worker has ${slots} slots, give a whole number from 1`
      )
      assert.throws(() => PartitionWorker.run([job], { slots }), `a worker has ${slots} slots`)
    }
    assert.throws(() => PartitionWorker.layer([job, makeJob("idle")]), `a worker has two jobs called "idle"`)
  })
})

for (const { layer, name } of drivers) {
  describe(`a worker (${name})`, () => {
    const live = <E>(title: string, test: Effect.Effect<void, E, Services>) =>
      it.live(title, () => {
        seen.length = 0
        return Effect.provide(test, layer)
      })

    describe("takes", () => {
      live(
        "the partitions of a job that leaves them all to workers, with its parameters (PART-16)",
        Effect.gen(function*() {
          const job = makeJob("far")
          const execution = yield* JobOperator.run(job, { day: "monday" }).pipe(
            Effect.provide(PartitionWorker.layer([job], { slots: 2 })),
            soon
          )
          assert.strictEqual(execution.status, "COMPLETED")
          assert.deepStrictEqual(of("far"), ["far monday a", "far monday b", "far monday c"])
        })
      )

      live(
        "them also when it joins late",
        Effect.gen(function*() {
          const job = makeJob("late")
          const running = yield* Effect.fork(JobOperator.run(job, { day: "monday" }))
          yield* Effect.repeat(JobOperator.executions({ jobName: "late" }), {
            until: (found) => found.length === 1,
            schedule: Schedule.spaced("5 millis")
          })
          const execution = yield* Effect.provide(Fiber.join(running), PartitionWorker.layer([job]))
          assert.strictEqual(execution.status, "COMPLETED")
          assert.deepStrictEqual(of("late").length, 3)
        }).pipe(soon)
      )
    })

    describe("leaves", () => {
      live(
        "what its own code does not have, and refuses what its code does otherwise, to those that fit",
        Effect.gen(function*() {
          const job = makeJob("other", { version: "2" })
          const refused = yield* Deferred.make<unknown>()
          const olds = Layer.merge(
            PartitionWorker.layer([makeJob("other", { version: "1" })], {
              onRefusal: (refusal) => Effect.asVoid(Deferred.succeed(refused, refusal))
            }),
            PartitionWorker.layer([makeJob("other", { step: "older" }), makeJob("unrelated")])
          )
          const running = yield* Effect.fork(Effect.provide(JobOperator.run(job, { day: "monday" }), olds))
          const refusal = (yield* Deferred.await(refused)) as Record<string, unknown>
          assert.strictEqual(refusal["_tag"], "PartitionCodeDiffers")
          assert.notStrictEqual(refusal["planned"], refusal["own"])
          const [parent] = yield* JobOperator.executions({ jobName: "other" })
          assert.deepStrictEqual(yield* children(parent!.id), [])
          const execution = yield* Effect.provide(Fiber.join(running), PartitionWorker.layer([job]))
          assert.strictEqual(execution.status, "COMPLETED")
        }).pipe(soon)
      )
    })

    describe("whose program has other parameters for a job", () => {
      live(
        "leaves it to others, says so once, and runs all other jobs (PART-16)",
        Effect.gen(function*() {
          const job = makeJob("changed", { version: "1" })
          const next = makeJob("next")
          const ahead = Job.make("changed", {
            parameters: JobParameters.Tag<any>()("Day", { day: Schema.String, zone: Schema.String }),
            flow: Step.partition("load", {
              plan: Partition.values(["a", "b", "c"]),
              input: Schema.String,
              step: () => Step.tasklet("note", Effect.void),
              concurrency: 0,
              version: "1"
            })
          })
          const told: Array<string> = []
          const logger = Logger.replace(
            Logger.defaultLogger,
            Logger.make(({ message }) => void told.push(String(message)))
          )
          const waiting = yield* Effect.fork(JobOperator.run(job, { day: "monday" }))
          yield* Effect.repeat(JobOperator.executions({ jobName: "changed" }), {
            until: (found) => found.length === 1,
            schedule: Schedule.spaced("5 millis")
          })
          const execution = yield* JobOperator.run(next, { day: "monday" }).pipe(
            Effect.provide(PartitionWorker.layer([ahead, next])),
            Effect.provide(logger)
          )
          assert.strictEqual(execution.status, "COMPLETED")
          const lines = told.filter((line) => line.startsWith("A worker leaves"))
          assert.lengthOf(lines, 1)
          assert.match(
            lines[0]!,
            /^A worker leaves .* step "load" of execution \d+ of job "changed" to others: .*zone is missing/
          )
          const late = yield* Effect.provide(Fiber.join(waiting), PartitionWorker.layer([job]))
          assert.strictEqual(late.status, "COMPLETED")
        }).pipe(soon)
      )
    })

    describe("that goes away", () => {
      live(
        "hands over what it is at, and another one goes on without a restart",
        Effect.gen(function*() {
          const begun = yield* Deferred.make<void>()
          let isWaiting = true
          const items: Array<string> = []
          const job = Job.make("handing over", {
            flow: Step.partition("load", {
              plan: Partition.values(["a", "b"]),
              input: Schema.String,
              step: (part) =>
                Step.chunk("rows", {
                  reader: ItemReader.fromStream(
                    Stream.mapEffect(Stream.make(1, 2, 3), (item) =>
                      item === 2 && isWaiting
                        ? Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)
                        : Effect.succeed(item))
                  ),
                  writer: ItemWriter.fromFunction((chunk: ReadonlyArray<number>) =>
                    Effect.sync(() => void items.push(...chunk.map((item) => `${part}${item}`)))
                  ),
                  chunkSize: 1
                }),
              concurrency: 0
            })
          })
          const running = yield* Effect.fork(JobOperator.run(job, {}))
          yield* Effect.provide(Deferred.await(begun), PartitionWorker.layer([job]))
          isWaiting = false
          const [parent] = yield* JobOperator.executions({ jobName: "handing over" })
          const left = yield* children(parent!.id)
          assert.deepStrictEqual([parent?.status, ...left.map(({ exitStatus, status }) => [status, exitStatus.code])], [
            "STARTED",
            ["STOPPED", "OWNER_LEFT"]
          ])
          const execution = yield* Effect.provide(Fiber.join(running), PartitionWorker.layer([job]))
          assert.strictEqual(execution.status, "COMPLETED")
          // What was handed over may be put up behind the moment in which the next worker takes something.
          assert.deepStrictEqual([...items].sort(), ["a1", "a2", "a3", "b1", "b2", "b3"])
        }).pipe(soon)
      )

      live(
        "hands over what it was just taking, and begins nothing of it (PART-7)",
        Effect.gen(function*() {
          const job = makeJob("just taken")
          const repository = yield* JobRepository.JobRepository
          const taken = yield* Deferred.make<void>()
          const answered = yield* Deferred.make<void>()
          const slow = Layer.succeed(JobRepository.JobRepository, {
            ...repository,
            partitions: {
              ...repository.partitions,
              claim: (planId, request) =>
                Effect.uninterruptible(
                  Effect.zipLeft(
                    repository.partitions.claim(planId, request),
                    Effect.zipRight(Deferred.succeed(taken, undefined), Deferred.await(answered))
                  )
                )
            }
          })
          const running = yield* Effect.fork(JobOperator.run(job, { day: "monday" }))
          const scope = yield* Scope.make()
          yield* Layer.buildWithScope(Layer.provide(PartitionWorker.layer([job]), slow), scope)
          yield* Deferred.await(taken)
          const leaving = yield* Effect.fork(Scope.close(scope, Exit.void))
          yield* Effect.repeatN(Effect.yieldNow(), 20)
          yield* Deferred.succeed(answered, undefined)
          yield* Fiber.join(leaving)
          assert.deepStrictEqual(of("just taken"), [])
          const execution = yield* Effect.provide(Fiber.join(running), PartitionWorker.layer([job]))
          assert.strictEqual(execution.status, "COMPLETED")
          assert.lengthOf(of("just taken"), 3)
        }).pipe(soon)
      )
    })
  })
}
