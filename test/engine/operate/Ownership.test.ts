/**
 * Who owns an execution: leases, heartbeats, takeover and the fence. The clock is the test's.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/TestClock"
import {
  BatchError,
  type BatchEvent,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  Listener,
  Step
} from "../../../src/index.js"

const owning = (owner: string, lease: Duration.DurationInput = "10 seconds") =>
  Effect.provideService(JobOperator.Ownership, { lease, owner, isOwnerGone: () => false })

/** As a process that is frozen: it does not renew its lease, and does not know. */
const frozen = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(
    JobRepository.JobRepository,
    (repository) =>
      Effect.provideService(effect, JobRepository.JobRepository, {
        ...repository,
        beatsQueue: true,
        renewLease: () => Effect.never
      })
  )

const unreachable = new BatchError.JobRepositoryError({ operation: "renewLease", reason: "transient", detail: "gone" })

/** Writes three chunks of one item each; the second one waits for the gate within its transaction. */
const makeJob = Effect.gen(function*() {
  const written: Array<number> = []
  const reached = yield* Deferred.make<void>()
  const gate = yield* Deferred.make<void>()
  const memory = ItemWriter.inMemory(written)
  const job = (isGated: boolean) =>
    Job.make("owned", {
      flow: Step.chunk("load", {
        reader: ItemReader.fromIterable([1, 2, 3]),
        writer: ItemWriter.tee(
          memory,
          ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
            isGated && items.includes(2)
              ? Effect.zipRight(Deferred.succeed(reached, undefined), Deferred.await(gate))
              : Effect.void, { name: "gate" })
        ),
        chunkSize: 1
      })
    })
  return { gate, job, reached, written }
})

/** Two steps side by side that work for ever, what has been stopped, what its listener heard, and the events. */
const makeWatched = (name: string) =>
  Effect.gen(function*() {
    const stopped: Array<string> = []
    const heard: Array<string> = []
    const hub = yield* PubSub.unbounded<BatchEvent.BatchEvent>()
    const published = yield* PubSub.subscribe(hub)
    const work = (step: string) =>
      Step.tasklet(step, Effect.onInterrupt(Effect.never, () => Effect.sync(() => stopped.push(step))))
    return {
      stopped,
      heard,
      watched: Effect.provideService(JobOperator.Events, hub),
      events: Effect.map(Queue.takeAll(published), (events) => [...events].map(({ _tag }) => _tag)),
      job: Job.make(name, {
        flow: Flow.split([work("one"), work("two")], { concurrency: "unbounded" }),
        listeners: [Listener.job({ afterJob: ({ status }) => Effect.sync(() => void heard.push(status)) })]
      })
    }
  })

describe("the owner of an execution", () => {
  it.effect("refused at 9 s, taken over at 11 s; the frozen owner then commits nothing and ends with OwnershipLost", () =>
    Effect.gen(function*() {
      const { gate, job, reached, written } = yield* makeJob
      const first = yield* Effect.fork(Effect.exit(JobOperator.run(job(true), {}).pipe(frozen, owning("first"))))
      yield* Deferred.await(reached)
      yield* TestClock.adjust("9 seconds")
      const refused = yield* Effect.flip(JobOperator.run(job(false), {}).pipe(owning("second")))
      assert.strictEqual(refused._tag, "JobExecutionAlreadyRunning")
      assert.deepInclude(refused, { owner: "first", leaseLeftMillis: 1000 })

      yield* TestClock.adjust("2 seconds")
      const second = yield* JobOperator.run(job(false), {}).pipe(owning("second"))
      assert.strictEqual(second.status, "COMPLETED")
      assert.sameMembers([...written], [1, 2, 2, 3], "the frozen owner's row is there until its transaction ends")

      yield* Deferred.succeed(gate, undefined)
      const lost = yield* Fiber.join(first)
      assert.deepStrictEqual(
        Exit.mapError(lost, (error) => error._tag),
        Exit.fail("OwnershipLost" as const)
      )
      assert.deepStrictEqual([...written].sort(), [1, 2, 3])

      const [taker, buried] = yield* JobOperator.executions({ jobName: "owned" })
      assert.deepStrictEqual([taker?.id, taker?.status], [second.id, "COMPLETED"])
      assert.deepStrictEqual([buried?.status, buried?.exitStatus.code], ["FAILED", "OWNER_DIED"])
      assert.isAbove(buried!.epoch, 1)
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("an hour-long job keeps its lease", () =>
    Effect.gen(function*() {
      const job = Job.make("long", { flow: Step.tasklet("sleep", Effect.sleep("1 hour")) })
      const running = yield* Effect.fork(JobOperator.run(job, {}).pipe(owning("first", "2 minutes")))
      for (let minutes = 0; minutes < 57; minutes += 3) {
        yield* TestClock.adjust("3 minutes")
        const refused = yield* Effect.flip(JobOperator.run(job, {}).pipe(owning("second")))
        assert.strictEqual(refused._tag, "JobExecutionAlreadyRunning")
      }
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual((yield* Fiber.join(running)).status, "COMPLETED")
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("without a heartbeat for three quarters of the lease it interrupts itself, before anybody may take over", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      let interruptedAt: number | undefined
      const job = Job.make("cut-off", {
        flow: Step.tasklet(
          "work",
          Effect.onInterrupt(Effect.never, () =>
            Effect.map(TestClock.currentTimeMillis, (now) => {
              interruptedAt = now
            }))
        )
      })
      const running = yield* JobOperator.run(job, {}).pipe(
        Effect.provideService(JobRepository.JobRepository, {
          ...repository,
          renewLease: () => Effect.fail(unreachable)
        }),
        owning("first"),
        Effect.exit,
        Effect.fork
      )
      yield* TestClock.adjust("7 seconds")
      assert.strictEqual(interruptedAt, undefined)
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(interruptedAt, 7500)
      const exit = yield* Fiber.join(running)
      assert.deepStrictEqual(Exit.mapError(exit, ({ _tag }) => _tag), Exit.fail("OwnershipLost" as const))
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("a heartbeat whose answer takes long proves that the owner lived when it was sent, and no longer", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      let beats = 0
      let interruptedAt: number | undefined
      const slow = {
        ...repository,
        renewLease: (...args: Parameters<typeof repository.renewLease>) =>
          Effect.suspend(() =>
            beats++ === 0
              ? Effect.zipLeft(repository.renewLease(...args), Effect.sleep("2 seconds"))
              : Effect.fail(unreachable)
          )
      }
      const job = Job.make("slow", {
        flow: Step.tasklet(
          "work",
          Effect.onInterrupt(Effect.never, () =>
            Effect.map(TestClock.currentTimeMillis, (now) => {
              interruptedAt = now
            }))
        )
      })
      const running = yield* JobOperator.run(job, {}).pipe(
        Effect.provideService(JobRepository.JobRepository, slow),
        owning("first"),
        Effect.exit,
        Effect.fork
      )
      yield* TestClock.adjust("20 seconds")
      yield* Fiber.join(running)
      // Sent after 2.5 s, answered after 4.5 s, and then nothing: three quarters of the lease are over after 10 s.
      assert.strictEqual(interruptedAt, 10_000)
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("a heartbeat that fails for a while does no harm", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      let beats = 0
      const flaky = {
        ...repository,
        renewLease: (...args: Parameters<typeof repository.renewLease>) =>
          Effect.suspend(() => ++beats % 3 === 0 ? repository.renewLease(...args) : Effect.fail(unreachable))
      }
      const job = Job.make("flaky", { flow: Step.tasklet("sleep", Effect.sleep("2 minutes")) })
      const running = yield* JobOperator.run(job, {}).pipe(
        Effect.provideService(JobRepository.JobRepository, flaky),
        owning("first"),
        Effect.fork
      )
      yield* TestClock.adjust("3 minutes")
      const execution = yield* Fiber.join(running)
      assert.strictEqual(execution.status, "COMPLETED")
      assert.isAbove(beats, 40)
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("the owner whose process is known to be gone is taken over at once", () =>
    Effect.gen(function*() {
      const { job, reached } = yield* makeJob
      const first = yield* Effect.fork(JobOperator.run(job(true), {}).pipe(frozen, owning("gone")))
      yield* Deferred.await(reached)
      const second = yield* JobOperator.run(job(false), {}).pipe(
        Effect.provideService(JobOperator.Ownership, {
          lease: "10 seconds",
          owner: "second",
          isOwnerGone: (owner) => owner === "gone"
        })
      )
      assert.strictEqual(second.status, "COMPLETED")
      yield* Fiber.interrupt(first)
      const rows = yield* JobOperator.executions({ jobName: "owned" })
      assert.deepStrictEqual(rows.map(({ status }) => status), ["COMPLETED", "FAILED"])
    }).pipe(Effect.provide(JobRepository.layerMemory)))
  it.scoped("an owner whose heartbeat finds a takeover writes no row, calls no listener and fails with OwnershipLost", () =>
    Effect.gen(function*() {
      const { events, heard, job, stopped, watched } = yield* makeWatched("lost")
      const running = yield* Effect.fork(Effect.flip(JobOperator.run(job, {}).pipe(owning("first"), watched)))
      yield* TestClock.adjust("1 second")
      const [row] = yield* JobOperator.executions({ jobName: "lost" })
      yield* JobOperator.recover(row!.id, { force: true })
      const rows = Effect.all([JobOperator.execution(row!.id), JobOperator.steps(row!.id)])
      const taken = yield* rows
      yield* TestClock.adjust("2 seconds")
      const lost = yield* Fiber.join(running)
      assert.deepInclude(lost, { _tag: "OwnershipLost", executionId: row!.id, epoch: row!.epoch })
      assert.sameMembers(stopped, ["one", "two"], "what ran has been interrupted")
      assert.deepStrictEqual(yield* rows, taken)
      assert.deepStrictEqual(taken[1].map(({ status }) => status), ["FAILED", "FAILED"])
      assert.deepStrictEqual(heard, [])
      assert.deepStrictEqual((yield* events).filter((tag) => tag.endsWith("Ended")), [])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.scoped("an owner that fell silent and was not taken over yet ends its rows as STOPPED, so that a restart need not wait", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const { events, heard, job, watched } = yield* makeWatched("silent")
      const running = yield* JobOperator.run(job, {}).pipe(
        Effect.provideService(JobRepository.JobRepository, {
          ...repository,
          renewLease: () => Effect.fail(unreachable)
        }),
        owning("first"),
        watched,
        Effect.flip,
        Effect.fork
      )
      yield* TestClock.adjust("8 seconds")
      const lost = yield* Fiber.join(running)
      assert.strictEqual(lost._tag, "OwnershipLost")
      assert.include(lost.message, "was taken over by another process, or may be", "nobody did")
      const [row] = yield* JobOperator.executions({ jobName: "silent" })
      const steps = yield* JobOperator.steps(row!.id)
      for (const ended of [row!, ...steps]) {
        assert.deepStrictEqual([ended.status, ended.exitStatus.code], ["STOPPED", "STOPPED"])
      }
      assert.deepStrictEqual([steps.length, heard.join()], [2, "STOPPED"])
      assert.strictEqual((yield* events).at(-1), "JobEnded")
      const again = yield* JobOperator.start(job, {}).pipe(owning("second"), Effect.scoped)
      assert.deepStrictEqual(again.execution.restartOf, Option.some(row!.id))
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("a job fails, with a reason in its row, when its listener ran another job that lost its ownership", () =>
    Effect.gen(function*() {
      const other = new BatchError.OwnershipLost({ executionId: 4711, epoch: 1 })
      const job = Job.make("bystander", {
        flow: Step.tasklet("work", Effect.void),
        listeners: [Listener.job({ beforeJob: () => Effect.fail(other) })]
      })
      const execution = yield* JobOperator.run(job, {})
      assert.deepStrictEqual(execution.exit, Exit.fail(other))
      assert.strictEqual((yield* JobOperator.execution(execution.id)).status, "FAILED")
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})
