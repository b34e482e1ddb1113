/**
 * Stopping: from this process and from another one, a step that works, one that waits, and one that does not listen.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { seeded } from "../../../src/base/random.js"
import * as Running from "../../../src/engine/session/running.js"
import {
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  JobScope,
  Step,
  StepScope,
  Tasklet
} from "../../../src/index.js"
import { drivers } from "../../support/drivers.js"

const ends = (executionId: number) =>
  Effect.all([JobOperator.execution(executionId), JobOperator.steps(executionId)]).pipe(
    Effect.map(([job, steps]) => [job.status, ...steps.map(({ status, stepName }) => `${stepName} ${status}`)])
  )

/** Asks as another process does: past everything that this process knows about its own executions. */
const stopFromElsewhere = (executionId: number) =>
  Effect.flatMap(JobRepository.JobRepository, (repository) => repository.requestStop(executionId))

const poll = (name: string, onPoll: Effect.Effect<void>) =>
  Job.make(name, { flow: Step.tasklet("poll", Effect.as(onPoll, Tasklet.continueIf(true))) })

for (const driver of drivers) {
  describe(`stopping a job (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("another process sets the flag, the current chunk commits, then the step is STOPPED (STOP-4, STOP-5, D16)", () =>
        Effect.gen(function*() {
          const written: Array<number> = []
          const stopAtFour = (item: number) =>
            item !== 4 ? Effect.succeed(item) : Effect.gen(function*() {
              const [running] = yield* JobOperator.executions({ jobName: "chunks" })
              yield* stopFromElsewhere(running!.id)
              return item
            })
          const job = Job.make("chunks", {
            flow: Step.chunk("load", {
              reader: ItemReader.fromIterable(Chunk.range(1, 10)),
              processor: stopAtFour,
              writer: ItemWriter.inMemory(written),
              chunkSize: 3
            }).pipe(Flow.andThen(Step.tasklet("after", Effect.void)))
          })
          const first = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* ends(first.id), ["STOPPED", "load STOPPED"])
          assert.deepStrictEqual(written, [1, 2, 3, 4, 5, 6])
          assert.strictEqual(first.exitStatus.code, "STOPPED")

          const second = yield* JobOperator.run(job, {})
          assert.deepStrictEqual(yield* ends(second.id), ["COMPLETED", "load COMPLETED", "after COMPLETED"])
          assert.deepStrictEqual(written, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
        }))

      it.effect("a stop request ends the step after its chunk, and a restart continues (STOP-2, STOP-5, STOP-7, C14)", () =>
        Effect.gen(function*() {
          const repository = yield* JobRepository.JobRepository
          const written: Array<number> = []
          const job = (stopAt: number) =>
            Job.make("stopped", {
              flow: Step.chunk("load", {
                reader: ItemReader.fromIterable([1, 2, 3, 4, 5, 6]),
                processor: (n: number) =>
                  n === stopAt
                    ? JobScope.execution.pipe(
                      Effect.flatMap((execution) => repository.requestStop(execution.id)),
                      Effect.as(n)
                    )
                    : Effect.succeed(n),
                writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
                  Effect.sync(() => void written.push(...items))
                ),
                chunkSize: 2
              }).pipe(Flow.andThen(Step.tasklet("after", Effect.void)))
            })
          const stopped = yield* JobOperator.run(job(3), {})
          assert.strictEqual(stopped.status, "STOPPED")
          assert.strictEqual(stopped.exitStatus.code, "STOPPED")
          assert.deepStrictEqual(written, [1, 2, 3, 4])
          assert.deepStrictEqual(yield* ends(stopped.id), ["STOPPED", "load STOPPED"])
          const restarted = yield* JobOperator.run(job(0), {})
          assert.strictEqual(restarted.status, "COMPLETED")
          assert.deepStrictEqual(written, [1, 2, 3, 4, 5, 6])
          assert.deepStrictEqual(
            (yield* JobOperator.executions({ instanceId: stopped.instance.id })).map((execution) => execution.status),
            ["COMPLETED", "STOPPED"]
          )
        }))

      it.effect("a step that waits for its source ends at once, and commits the items it has read (STOP-1)", () =>
        Effect.gen(function*() {
          const written: Array<number> = []
          const waiting = yield* Deferred.make<void>()
          const source = ItemReader.make("two, then nothing", () =>
            Effect.sync(() => {
              let read = 0
              return {
                pull: (max: number) =>
                  read === 2
                    ? Effect.zipRight(Deferred.succeed(waiting, undefined), Effect.never)
                    : Effect.sync(() => ({
                      items: [++read],
                      position: read,
                      failure: Option.none(),
                      done: max === 0
                    }))
              }
            }))
          const job = Job.make("idle", {
            flow: Step.chunk("drain", {
              reader: source,
              writer: ItemWriter.inMemory(written),
              chunkSize: 5
            })
          })
          yield* Effect.scoped(Effect.gen(function*() {
            const running = yield* JobOperator.start(job, {})
            yield* Deferred.await(waiting)
            yield* JobOperator.stop(running.execution.id)
            const ended = yield* running.await
            assert.deepStrictEqual(yield* ends(ended.id), ["STOPPED", "drain STOPPED"])
          }))
          assert.deepStrictEqual(written, [1, 2])
        }))

      it.effect("a tasklet between two polls ends at once (STOP-1)", () =>
        Effect.gen(function*() {
          const polled = yield* Deferred.make<void>()
          const job = poll("poller", Effect.asVoid(Deferred.succeed(polled, undefined)))
          yield* Effect.scoped(Effect.gen(function*() {
            const running = yield* JobOperator.start(job, {})
            yield* Deferred.await(polled)
            yield* running.stop
            const ended = yield* running.await
            assert.deepStrictEqual(yield* ends(ended.id), ["STOPPED", "poll STOPPED"])
            yield* running.stop
          }))
        }))

      it.effect(
        "a stop that races the end of the job leaves COMPLETED or STOPPED, in whatever round (STOP-8)",
        () =>
          Effect.gen(function*() {
            const random = seeded(7)
            const seen = new Set<string>()
            for (let round = 0; round < (driver.name === "memory" ? 200 : 60); round++) {
              const written: Array<number> = []
              const job = Job.make(`race-${round}`, {
                flow: Step.chunk("load", {
                  reader: ItemReader.fromIterable([1, 2, 3]),
                  writer: ItemWriter.inMemory(written),
                  chunkSize: 1 + random(3)
                })
              })
              yield* Effect.scoped(Effect.gen(function*() {
                const running = yield* JobOperator.start(job, {})
                yield* Effect.repeatN(Effect.yieldNow(), random(200))
                const { id } = running.execution
                yield* Effect.ignore(round % 2 === 0 ? JobOperator.stop(id) : stopFromElsewhere(id))
                const ended = yield* running.await
                const [status, step] = yield* ends(ended.id)
                seen.add(`${status} ${step}`)
                if (status === "STOPPED") {
                  assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
                }
              }))
              assert.deepStrictEqual(written, [1, 2, 3])
            }
            const allowed = ["COMPLETED load COMPLETED", "STOPPED load STOPPED", "STOPPED undefined"]
            assert.includeMembers(allowed, [...seen])
          }),
        300_000
      )

      it.effect("an execution that has not begun, has ended or does not exist cannot be stopped (STOP-1, C15)", () =>
        Effect.gen(function*() {
          const ended = yield* JobOperator.run(Job.make("done", { flow: Step.tasklet("only", Effect.void) }), {})
          const error = yield* Effect.flip(JobOperator.stop(ended.id))
          assert.deepInclude(error, { _tag: "JobExecutionNotRunning", status: "COMPLETED" })
          assert.strictEqual((yield* Effect.flip(JobOperator.stop(987_654_321)))._tag, "NoSuchJobExecution")
        }))
    })
  })
}

describe("stopping a job with a clock", () => {
  const long = (name: string, call: Effect.Effect<void, never, StepScope.StepScope>) =>
    Job.make(name, { flow: Step.tasklet("long", call) })

  it.effect("a tasklet that looks at stopRequested ends in its own time (STOP-9)", () =>
    Effect.gen(function*() {
      const job = long(
        "polite",
        Effect.repeat(Effect.zipRight(Effect.sleep("1 second"), StepScope.stopRequested), { until: (asked) => asked })
      )
      yield* Effect.scoped(Effect.gen(function*() {
        const running = yield* JobOperator.start(job, {})
        yield* TestClock.adjust("10 seconds")
        yield* running.stop
        const waiter = yield* Effect.fork(running.await)
        yield* TestClock.adjust("1 second")
        const ended = yield* Fiber.join(waiter)
        const [step] = yield* JobOperator.steps(ended.id)
        assert.deepStrictEqual([ended.status, step?.status, step?.counts.commit], ["STOPPED", "STOPPED", 1])
      }))
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("a tasklet that ignores stopRequested is interrupted after the grace time and rolled back (STOP-9)", () =>
    Effect.gen(function*() {
      const job = long("deaf", Effect.never)
      yield* Effect.scoped(Effect.gen(function*() {
        const running = yield* JobOperator.start(job, {})
        yield* TestClock.adjust("1 hour")
        yield* JobOperator.stop(running.execution.id)
        yield* TestClock.adjust("29 seconds")
        assert.deepStrictEqual(yield* ends(running.execution.id), ["STOPPING", "long STARTED"])
        yield* TestClock.adjust("1 second")
        const ended = yield* running.await
        const [step] = yield* JobOperator.steps(ended.id)
        assert.deepStrictEqual(yield* ends(ended.id), ["STOPPED", "long STOPPED"])
        assert.deepInclude(step?.counts, { commit: 0, rollback: 1 })
      }))
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("a writer completes what it wrote when the source has ended, and not when the step is stopped (STOP-7)", () =>
    Effect.gen(function*() {
      const heard: Array<string> = []
      const writer = ItemWriter.make("completing", {
        delivery: "transactional",
        open: () =>
          Effect.succeed({
            write: (items: ReadonlyArray<number>) => Effect.sync(() => void heard.push(`write ${items}`)),
            complete: Effect.sync(() => void heard.push("complete"))
          })
      })
      const job = Job.make("completed", {
        flow: Step.chunk("load", {
          reader: ItemReader.fromIterable([1, 2, 3]),
          processor: (n: number) => Effect.as(n === 2 ? StepScope.requestStop : Effect.void, n),
          writer,
          chunkSize: 2
        })
      })
      assert.strictEqual((yield* JobOperator.run(job, {})).status, "STOPPED")
      assert.deepStrictEqual(heard, ["write 1,2"])
      assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
      assert.deepStrictEqual(heard, ["write 1,2", "write 3", "complete"])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("a listener that ignores the request is interrupted after the grace time, like its step (STEP-15, STOP-9)", () =>
    Effect.gen(function*() {
      const listened = Step.tasklet("listened", Effect.void).pipe(Step.listen({ afterStep: () => Effect.never }))
      yield* Effect.scoped(Effect.gen(function*() {
        const running = yield* JobOperator.start(Job.make("deaf listener", { flow: listened }), {})
        yield* TestClock.adjust("1 hour")
        yield* JobOperator.stop(running.execution.id)
        yield* TestClock.adjust("30 seconds")
        const ended = yield* running.await
        assert.deepStrictEqual(yield* ends(ended.id), ["STOPPED", "listened STOPPED"])
      }))
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("what is launched in a process that is about to end begins no step (STOP-1)", () =>
    Effect.gen(function*() {
      let began = false
      const job = Job.make("late", { flow: Step.tasklet("only", Effect.sync(() => void (began = true))) })
      const closing = { ...Running.make(), closing: true }
      const ended = yield* Effect.provideService(JobOperator.run(job, {}), Running.Running, closing)
      assert.deepStrictEqual([ended.status, began, closing.sessions.size], ["STOPPED", false, 0])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("an execution of another repository with the same id goes on (STOP-1)", () =>
    Effect.gen(function*() {
      const polled = yield* Deferred.make<void>()
      const other = yield* Layer.build(Layer.fresh(JobRepository.layerMemory))
      const job = poll("other", Effect.asVoid(Deferred.succeed(polled, undefined)))
      const bystander = yield* Effect.provide(JobOperator.start(job, {}), other)
      const running = yield* JobOperator.start(poll("mine", Effect.void), {})
      assert.strictEqual(running.execution.id, bystander.execution.id)
      yield* Deferred.await(polled)
      yield* JobOperator.stop(running.execution.id)
      yield* running.await
      const seen = yield* Effect.provide(JobOperator.execution(bystander.execution.id), other)
      assert.strictEqual(seen.status, "STARTED")
      yield* bystander.stop
      yield* bystander.await
    }).pipe(Effect.scoped, Effect.provide(Layer.fresh(JobRepository.layerMemory))))

  it.effect("one that has stopped before its row could be asked was stopped all the same (STOP-1)", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const ended = yield* Deferred.make<void>()
      yield* Effect.scoped(Effect.gen(function*() {
        const polled = yield* Deferred.make<void>()
        const running = yield* JobOperator.start(poll("quick", Effect.asVoid(Deferred.succeed(polled, undefined))), {})
        yield* Deferred.await(polled)
        const stopping = yield* Effect.fork(JobOperator.stop(running.execution.id))
        yield* running.await
        yield* Deferred.succeed(ended, undefined)
        yield* Fiber.join(stopping)
      })).pipe(Effect.provideService(JobRepository.JobRepository, {
        ...repository,
        // As one that has to wait for a connection.
        requestStop: (id) => Effect.zipRight(Deferred.await(ended), repository.requestStop(id))
      }))
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("the grace time can be set", () =>
    Effect.scoped(Effect.gen(function*() {
      const running = yield* JobOperator.start(long("brief", Effect.never), {})
      yield* JobOperator.stop(running.execution.id)
      yield* TestClock.adjust("5 millis")
      assert.strictEqual((yield* running.await).status, "STOPPED")
    })).pipe(
      Effect.provideService(JobOperator.StopGrace, "5 millis"),
      Effect.provide(JobRepository.layerMemory)
    ))

  it.effect("without any hint the heartbeat notices the request (STOP-4)", () =>
    Effect.gen(function*() {
      const job = Job.make("told-by-heartbeat", {
        flow: Step.chunk("drain", {
          reader: ItemReader.fromStream(Stream.never),
          writer: ItemWriter.inMemory<number>([]),
          chunkSize: 5
        })
      })
      yield* Effect.scoped(Effect.gen(function*() {
        const running = yield* JobOperator.start(job, {})
        yield* TestClock.adjust("15 seconds")
        yield* stopFromElsewhere(running.execution.id)
        yield* TestClock.adjust("7 seconds")
        assert.deepStrictEqual(yield* ends(running.execution.id), ["STOPPING", "drain STARTED"])
        yield* TestClock.adjust("500 millis")
        assert.strictEqual((yield* running.await).status, "STOPPED")
      }))
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("a background fiber of the reader lives from page to page", () =>
    Effect.gen(function*() {
      const written: Array<number> = []
      const merged = Stream.merge(Stream.range(1, 50), Stream.range(51, 100)).pipe(Stream.rechunk(1))
      const job = Job.make("merged", {
        flow: Step.chunk("load", {
          reader: ItemReader.fromStream(merged),
          writer: ItemWriter.inMemory(written),
          chunkSize: 7
        })
      })
      assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
      assert.deepStrictEqual([...written].sort((a, b) => a - b), [...Chunk.range(1, 100)])
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})
