/**
 * What a worker does when the world around it is not as it should be. In memory, where everything can be made to happen.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as Running from "../../src/engine/session/running.js"
import {
  BatchError,
  type Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  Partition,
  PartitionWorker,
  Step
} from "../../src/index.js"
import { having, inMemory, living, planOf, taken, within } from "../engine/partition/kit.js"
import { sqlDrivers } from "../support/drivers.js"

const { JobRepository: Repository } = JobRepository
const jobOf = <E, R>(
  name: string,
  parts: ReadonlyArray<string>,
  step: (part: string) => Flow.Flow<string, E, R>,
  version?: string
) =>
  Job.make(name, {
    flow: Step.partition("load", {
      plan: Partition.values(parts),
      input: Schema.String,
      step,
      concurrency: 0,
      version
    })
  })

const noop = (part: string) => Step.tasklet(part, Effect.void)

/** Nobody but the worker looks for what is to be done. */
const seldom = Effect.provideService(PartitionWorker.Poll, "10 hours")

describe("a worker", () => {
  inMemory(
    "runs as many partitions at once as it has slots",
    Effect.gen(function*() {
      let [now, most] = [0, 0]
      const gate = yield* Deferred.make<void>()
      const job = jobOf("slots", ["a", "b", "c", "d", "e", "f"], () =>
        Step.chunk("one", {
          reader: ItemReader.unwrap(
            Effect.suspend(() => {
              most = Math.max(most, ++now)
              return now === 3 ? Deferred.succeed(gate, undefined) : Deferred.await(gate)
            }).pipe(Effect.as(ItemReader.fromIterable([1])), Effect.ensuring(Effect.sync(() => now--)))
          ),
          writer: ItemWriter.discard,
          chunkSize: 1
        }))
      const running = yield* Effect.fork(JobOperator.run(job, {}))
      yield* Layer.build(PartitionWorker.layer([job], { slots: 3 }))
      assert.strictEqual((yield* within(10, running)).status, "COMPLETED")
      assert.strictEqual(most, 3)
    })
  )

  inMemory(
    "that can't reach the repository looks again",
    Effect.gen(function*() {
      let refusals = 3
      const job = jobOf("away", ["a"], noop)
      const away = new BatchError.JobRepositoryError({ operation: "findPlans", reason: "data", detail: "away" })
      const repository = yield* having(({ openPlans }) => ({
        openPlans: (names) => Effect.suspend(() => refusals-- > 0 ? Effect.fail(away) : openPlans(names))
      }))
      const running = yield* Effect.fork(JobOperator.run(job, {}))
      yield* Effect.provideService(Layer.build(PartitionWorker.layer([job])), Repository, repository)
      assert.strictEqual((yield* within(10, running)).status, "COMPLETED")
    })
  )

  inMemory(
    "takes what a process held that is gone, or has fallen silent, when nobody else looks (PART-5)",
    Effect.gen(function*() {
      for (const [owner, seconds] of [["gone", 3], ["silent", 12]] as const) {
        const job = jobOf(owner, ["a"], noop)
        const running = yield* Effect.fork(seldom(JobOperator.run(job, {})))
        yield* TestClock.adjust("1 second")
        yield* taken(owner, owner, 10_000)
        yield* living(Layer.build(PartitionWorker.layer([job])))
        assert.strictEqual((yield* within(seconds, running)).status, "COMPLETED")
      }
    })
  )

  inMemory(
    "serves every job that needs it, also beside one of which everything is taken",
    Effect.gen(function*() {
      const [first, second] = [jobOf("first", ["a"], noop), jobOf("second", ["b"], noop)]
      yield* Effect.forkScoped(JobOperator.run(first, {}))
      const running = yield* Effect.fork(JobOperator.run(second, {}))
      yield* TestClock.adjust("1 second")
      yield* taken("first", "another worker")
      yield* Layer.build(PartitionWorker.layer([first, second]))
      assert.strictEqual((yield* within(10, running)).status, "COMPLETED")
    })
  )

  inMemory(
    "that finds nothing to take wakes nobody, and one that has run something wakes its step",
    Effect.gen(function*() {
      const woken: Array<number> = []
      const repository = yield* having(({ wake }) => ({
        wake: (plan) => Effect.zipRight(Effect.sync(() => void woken.push(plan)), wake(plan))
      }))
      const job = jobOf("quiet", ["a", "b"], noop)
      const running = yield* Effect.fork(JobOperator.run(job, {}))
      yield* TestClock.adjust("1 second")
      yield* taken("quiet", "another worker", 10_000)
      yield* taken("quiet", "another worker", 10_000)
      yield* Effect.provideService(Layer.build(PartitionWorker.layer([job])), Repository, repository)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(woken, [])
      assert.strictEqual((yield* within(20, running)).status, "COMPLETED")
      assert.isNotEmpty(woken)
    })
  )

  inMemory(
    "that is the main program runs until it is interrupted, and begins nothing after that",
    Effect.gen(function*() {
      const began: Array<string> = []
      const note = (part: string) => Step.tasklet(part, Effect.sync(() => void began.push(part)))
      const [first, second] = [jobOf("first", ["a", "b"], note), jobOf("second", ["c"], note)]
      const main = yield* Effect.fork(PartitionWorker.run([first, second], { slots: 2 }))
      const running = yield* Effect.fork(JobOperator.run(first, {}))
      assert.strictEqual((yield* within(10, running)).status, "COMPLETED")
      assert.isNull(main.unsafePoll())
      yield* Fiber.interrupt(main)
      yield* Effect.forkScoped(JobOperator.run(second, {}))
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(began.sort(), ["a", "b"])
    })
  )

  inMemory(
    "that cannot read what is stored of one job runs the partitions of all others, and says so once (PART-16)",
    Effect.gen(function*() {
      const told: Array<string> = []
      const logger = Logger.make(({ message }) => void told.push(String(message)))
      yield* Effect.forkScoped(JobOperator.run(jobOf("damaged", ["a"], noop), {}))
      yield* TestClock.adjust("1 second")
      const damaged = yield* planOf("damaged")
      const refused = new BatchError.JobRepositoryError({ operation: "claim", reason: "data", detail: "no JSON" })
      const repository = yield* having(({ claim }) => ({
        claim: (plan, request) => plan === damaged ? Effect.fail(refused) : claim(plan, request)
      }))
      const next = jobOf("next", ["a", "b"], noop)
      yield* Layer.build(PartitionWorker.layer([jobOf("damaged", ["a"], noop), next])).pipe(
        Effect.provideService(Repository, repository),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
        Logger.withMinimumLogLevel(LogLevel.Warning)
      )
      const running = yield* Effect.fork(JobOperator.run(next, {}))
      assert.strictEqual((yield* within(10, running)).status, "COMPLETED")
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(told.map((line) => line.replace(/execution \d+/, "execution _")), [
        `A worker leaves the partitions of step "load" of execution _ of job "damaged" to others: ` +
        `JobRepositoryError: ${refused.message}`
      ])
    })
  )

  inMemory(
    "refuses other code once for each execution, however often it looks",
    Effect.gen(function*() {
      let [looks, refusals] = [0, 0]
      const repository = yield* having(({ openPlans }) => ({
        openPlans: (names) => Effect.suspend(() => (looks++, openPlans(names)))
      }))
      yield* Effect.forkScoped(JobOperator.run(jobOf("refused", ["a"], noop, "2"), {}))
      const old = PartitionWorker.layer([jobOf("refused", ["a"], noop, "1")], {
        onRefusal: () => Effect.sync(() => void refusals++)
      })
      yield* Effect.provideService(Layer.build(old), Repository, repository)
      yield* TestClock.adjust("5 seconds")
      assert.isAtLeast(looks, 5)
      assert.strictEqual(refusals, 1)
    })
  )

  inMemory(
    "in a process that is about to end does not even look",
    Effect.gen(function*() {
      let looks = 0
      const repository = yield* having(({ openPlans }) => ({
        openPlans: (names) => Effect.suspend(() => (looks++, openPlans(names)))
      }))
      const job = jobOf("ending", ["a"], noop)
      yield* Effect.forkScoped(JobOperator.run(job, {}))
      yield* Layer.build(PartitionWorker.layer([job])).pipe(
        Effect.provideService(Repository, repository),
        Effect.provideService(Running.Running, { ...Running.make(), closing: true })
      )
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(looks, 0)
    })
  )

  inMemory(
    "that goes away waits until every partition has committed its chunk, and undoes none (PART-16)",
    Effect.gen(function*() {
      const gates = { a: yield* Deferred.make<void>(), b: yield* Deferred.make<void>() }
      const both = yield* Deferred.make<void>()
      let begun = 0
      const job = jobOf("slow", ["a", "b"], (part) =>
        Step.chunk("rows", {
          reader: ItemReader.fromIterable([1, 2]),
          writer: ItemWriter.fromFunction(() =>
            Effect.zipRight(
              ++begun === 2 ? Deferred.succeed(both, undefined) : Effect.void,
              Deferred.await(gates[part as "a" | "b"])
            )
          ),
          chunkSize: 1
        }))
      yield* Effect.forkScoped(JobOperator.run(job, {}))
      const scope = yield* Scope.make()
      yield* Scope.extend(Layer.build(PartitionWorker.layer([job], { slots: 2 })), scope)
      yield* TestClock.adjust("1 second")
      yield* Deferred.await(both)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      const repository = yield* Repository
      const left = Effect.map(
        repository.jobExecutions({ jobName: "slow/load" }),
        (found) => found.map(({ exitStatus }) => exitStatus.code).filter((code) => code === "OWNER_LEFT").length
      )
      yield* Effect.yieldNow()
      yield* Deferred.succeed(gates.a, undefined)
      yield* Effect.repeat(Effect.zipRight(Effect.yieldNow(), left), { until: (count) => count === 1 })
      assert.isNull(closing.unsafePoll())
      yield* Deferred.succeed(gates.b, undefined)
      yield* Fiber.join(closing)
      assert.strictEqual(yield* left, 2)
      const executions = yield* repository.jobExecutions({ jobName: "slow/load" })
      for (const { id } of executions) {
        const [step] = yield* repository.stepExecutions(id)
        assert.deepStrictEqual([step?.counts.write, step?.counts.commit, step?.counts.rollback], [1, 1, 0])
      }
    })
  )
})

for (
  const { layer, name } of [
    { name: "memory", layer: JobRepository.layerMemory },
    ...sqlDrivers.filter(({ name }) => name === "PostgreSQL")
  ]
) {
  it.live(
    `a worker and a step that hardly ever look are woken: for a plan, for its restart, and when all is done (${name})`,
    () =>
      Effect.gen(function*() {
        let isBroken = true
        const job = jobOf("woken", ["a", "b"], (part) =>
          Step.tasklet(
            part,
            Effect.suspend(() => isBroken ? Effect.fail("broken") : Effect.void)
          ))
        yield* Effect.scoped(Effect.gen(function*() {
          yield* Layer.build(PartitionWorker.layer([job]))
          // The first look is over.
          yield* Effect.sleep("50 millis")
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "FAILED")
          isBroken = false
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
        }))
      }).pipe(seldom, Effect.provide(layer)),
    300_000
  )
}
