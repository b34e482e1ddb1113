/**
 * How a step opens, ends and closes, and what becomes of it when its repository is out of reach: never a state that needs
 * a person.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import type { StepExecution } from "../../src/index.js"
import {
  BatchError,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  JobScope,
  Listener,
  Step,
  Transactor
} from "../../src/index.js"
import { drivers } from "../support/drivers.js"
import { counts, makeWorld, runStep } from "./faults/world.js"

describe("the life of a step", () => {
  for (const driver of drivers) {
    it.layer(Layer.orDie(driver.layer), { timeout: "5 minutes" })(driver.name, (it) => {
      it.effect("beforeStep comes before reader and writer open, afterStep before they close, in reverse order (C34)", () =>
        Effect.gen(function*() {
          const log: Array<string> = []
          const note = (entry: string) => Effect.sync(() => void log.push(entry))
          const opening = (name: string) => Effect.acquireRelease(note(`open ${name}`), () => note(`close ${name}`))
          const step = Step.chunk("C34", {
            reader: ItemReader.unwrap(Effect.as(opening("reader"), ItemReader.fromIterable([1]))),
            writer: ItemWriter.unwrap(Effect.as(opening("writer"), ItemWriter.discard)),
            chunkSize: 1
          }).pipe(
            Step.listen(Listener.step({ beforeStep: () => note("beforeStep"), afterStep: () => note("afterStep") }))
          )
          yield* runStep(step)
          assert.deepStrictEqual(log, [
            "beforeStep",
            "open reader",
            "open writer",
            "afterStep",
            "close writer",
            "close reader"
          ])
        }))

      it.effect("what cannot be closed neither changes the step nor keeps the rest from closing (STEP-18, STEP-28, C37)", () =>
        Effect.gen(function*() {
          const closed: Array<string> = []
          const opening = (name: string) =>
            Effect.addFinalizer(() =>
              Effect.sync(() => {
                closed.push(name)
                throw new Error(`${name} is stuck`)
              })
            )
          const step = (name: string, processor: (n: number) => Effect.Effect<number, string>) =>
            Step.chunk(name, {
              reader: ItemReader.unwrap(Effect.as(opening("reader"), ItemReader.fromIterable([1]))),
              processor,
              writer: ItemWriter.tee(
                ItemWriter.unwrap(Effect.as(opening("one"), ItemWriter.discard)),
                ItemWriter.unwrap(Effect.as(opening("two"), ItemWriter.discard))
              ),
              chunkSize: 1
            })
          const good = yield* runStep(step("good (C37)", Effect.succeed))
          assert.deepStrictEqual([good.status, good.step.exitStatus.code], ["COMPLETED", "COMPLETED"])
          const bad = yield* runStep(step("bad (C37)", () => Effect.fail("oops")))
          assert.deepStrictEqual([bad.status, [...bad.step.exitStatus.messages]], ["FAILED", ["oops [item 1]"]])
          assert.deepStrictEqual(closed, ["two", "one", "reader", "two", "one", "reader"])
        }))

      it.effect("a tasklet that answers nothing is finished after one call (C39)", () =>
        Effect.gen(function*() {
          for (const answer of [undefined, null]) {
            let calls = 0
            const { counts: counted, status } = yield* runStep(
              Step.tasklet(`C39 ${answer}`, Effect.sync(() => (calls++, answer)))
            )
            assert.deepStrictEqual([status, calls, counted], ["COMPLETED", 1, counts({ commit: 1 })])
          }
        }))

      it.effect("an interruption is STOPPED and says so, of the step and of the job (C40)", () =>
        Effect.gen(function*() {
          const { execution, step } = yield* runStep(Step.tasklet("C40", Effect.interrupt))
          for (const ended of [step, execution]) {
            assert.deepStrictEqual([ended.status, ended.exitStatus.code], ["STOPPED", "STOPPED"])
            assert.deepStrictEqual([...ended.exitStatus.messages], ["interrupted"])
          }
        }))

      it.effect("an owner that lost the execution in the middle of a chunk writes nothing more (STEP-25)", () =>
        Effect.gen(function*() {
          const world = makeWorld(4)
          const taken = Effect.flatMap(
            JobScope.execution,
            ({ id }) => Effect.orDie(JobOperator.recover(id, { force: true }))
          )
          const step = Step.chunk("STEP-25", { ...world, chunkSize: 2 }).pipe(
            Step.listen(Listener.step({
              beforeChunk: (items: ReadonlyArray<number>) => items.includes(3) ? Effect.asVoid(taken) : Effect.void
            }))
          )
          const lost = yield* Effect.flip(runStep(step))
          assert.strictEqual(lost._tag, "OwnershipLost")
          const [execution] = yield* JobOperator.executions({ jobName: "STEP-25" })
          const [row] = yield* JobOperator.steps(execution!.id)
          for (const ended of [execution!, row!]) {
            assert.deepStrictEqual([ended.status, ended.exitStatus.code], ["FAILED", "RECOVERED"])
          }
          const again = yield* runStep(Step.chunk("STEP-25", { ...world, chunkSize: 2 }))
          assert.strictEqual(again.status, "COMPLETED")
          assert.deepStrictEqual(world.written, [1, 2, 3, 4])
        }))
    })
  }
})

type Repository = JobRepository.JobRepository["Type"]

/** A repository that is out of reach for this process, from some moment on. */
interface Outage {
  out: boolean
  readonly reason?: "transient" | "fatal"
}

const withOutage = (outage: Outage) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository.JobRepository
    const guarded = <Args extends ReadonlyArray<any>, A, E>(
      operation: string,
      call: (...args: Args) => Effect.Effect<A, E>
    ) =>
    (...args: Args): Effect.Effect<A, E | BatchError.JobRepositoryError> =>
      Effect.suspend((): Effect.Effect<A, E | BatchError.JobRepositoryError> =>
        outage.out
          ? new BatchError.JobRepositoryError({ operation, reason: outage.reason ?? "fatal", detail: "out of reach" })
          : call(...args)
      )
    return yield* Effect.provideService(self, JobRepository.JobRepository, {
      ...repository,
      updateJobExecution: guarded("updateJobExecution", repository.updateJobExecution),
      updateStepExecution: guarded("updateStepExecution", repository.updateStepExecution),
      renewLease: guarded("renewLease", repository.renewLease),
      stepExecutions: guarded("stepExecutions", repository.stepExecutions)
    })
  })

/** The answer to this commit, counted from 1, is lost with everything behind it. */
const losingCommit = (outage: Outage, lost: number, happens: boolean) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Transactor.Transactor, ({ transact }) => {
    let commits = 0
    const answer = Effect.suspend(() => {
      outage.out = true
      return new BatchError.TransactionError({ reason: "transient", phase: "commit", cause: new Error("reset") })
    })
    return Effect.provideService(self, Transactor.Transactor, {
      transact: (work, options) =>
        Effect.suspend(() =>
          ++commits !== lost
            ? transact(work, options)
            : happens
            ? Effect.zipRight(transact(work, options), answer)
            : transact(Effect.zipRight(work, answer), options)
        )
    })
  })

const owning = Effect.provideService(JobOperator.Ownership, {
  lease: "30 seconds",
  owner: "tested",
  isOwnerGone: () => false
})

const inMemory = Effect.provide(JobRepository.layerMemory)

/** What is stored while the owner is cut off: it looks as if it ran. Its own process may take it back at once (OWN-21). */
const buriedAndResumed = <C extends string, E, R>(job: Job.Job<{}, C, E, R>) =>
  Effect.gen(function*() {
    const [execution] = yield* JobOperator.executions({ jobName: job.name })
    const [step] = yield* JobOperator.steps(execution!.id)
    assert.deepStrictEqual([execution!.status, step!.status], ["STARTED", "STARTED"])
    const second = yield* JobOperator.run(job, {}).pipe(owning)
    assert.strictEqual(second.status, "COMPLETED")
    const buried = yield* JobOperator.execution(execution!.id)
    const [closed] = yield* JobOperator.steps(execution!.id)
    for (const ended of [buried, closed!]) {
      assert.deepStrictEqual([ended.status, ended.exitStatus.code], ["FAILED", "OWNER_DIED"])
    }
    const [resumed] = yield* JobOperator.steps(second.id)
    return { buried: closed!, resumed: resumed! }
  })

const written = (...steps: ReadonlyArray<StepExecution.StepExecution>) => steps.map((step) => step.counts.write)

describe("a commit without an answer, and then no repository (TASK-8, C36)", () => {
  for (const happens of [true, false]) {
    it.effect(`${happens ? "it happened" : "it did not happen"}: the run fails, the next one knows`, () =>
      Effect.gen(function*() {
        const world = makeWorld(6)
        const job = Job.make("C36", { flow: Step.chunk("load", { ...world, chunkSize: 2 }) })
        const outage: Outage = { out: false }
        const failed = yield* JobOperator.run(job, {}).pipe(
          withOutage(outage),
          losingCommit(outage, 2, happens),
          owning,
          Effect.flip
        )
        assert.strictEqual(failed._tag, "JobRepositoryError")
        assert.include(failed.message, "out of reach")
        const { buried, resumed } = yield* buriedAndResumed(job)
        assert.deepStrictEqual(written(buried, resumed), happens ? [4, 2] : [2, 4])
        assert.deepStrictEqual(world.written, [1, 2, 3, 4, 5, 6])
      }).pipe(inMemory))
  }
})

describe("a step that cannot be saved (C38)", () => {
  /** The outage begins with the save of the step of this number, counted from 1. */
  const fromSave = (outage: Outage, first: number) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.flatMap(JobRepository.JobRepository, (repository) => {
      let saves = 0
      const updateStepExecution: Repository["updateStepExecution"] = (execution, step) =>
        Effect.suspend(() => {
          outage.out = outage.out || ++saves === first
          return outage.out
            ? new BatchError.JobRepositoryError({
              operation: "updateStepExecution",
              reason: outage.reason ?? "fatal",
              detail: "out of reach"
            })
            : repository.updateStepExecution(execution, step)
        })
      return self.pipe(
        withOutage(outage),
        Effect.provideService(JobRepository.JobRepository, { ...repository, updateStepExecution })
      )
    })

  const jobOf = (world: ReturnType<typeof makeWorld>, heard: Array<string> = []) =>
    Job.make("C38", {
      flow: Step.chunk("load", { ...world, chunkSize: 2 }).pipe(
        Step.listen(Listener.step({ afterStep: ({ status }) => Effect.sync(() => void heard.push(status)) }))
      )
    })

  const cases = [
    { id: "CHUNK-6", when: "with its second chunk", first: 2, counts: [2, 4], heard: [] },
    { id: "STEP-13", when: "at its end", first: 4, counts: [6, 0], heard: [] },
    { id: "STEP-17", when: "behind its listeners", first: 5, counts: [6, 0], heard: ["COMPLETED"] }
  ] as const

  for (const { counts, first, heard, id, when } of cases) {
    it.effect(`${when}: the run fails, and the next one in the same process continues at once (${id})`, () =>
      Effect.gen(function*() {
        const world = makeWorld(6)
        const calls: Array<string> = []
        const outage: Outage = { out: false }
        const failed = yield* JobOperator.run(jobOf(world, calls), {}).pipe(
          fromSave(outage, first),
          owning,
          Effect.flip
        )
        assert.strictEqual(failed._tag, "JobRepositoryError")
        assert.deepStrictEqual(calls, [...heard])
        const { buried, resumed } = yield* buriedAndResumed(jobOf(world))
        assert.deepStrictEqual(written(buried, resumed), [...counts])
        assert.deepStrictEqual(world.written, [1, 2, 3, 4, 5, 6])
      }).pipe(inMemory))
  }

  it.effect("an outage that passes is waited for (STEP-13, V6C-14)", () =>
    Effect.gen(function*() {
      const world = makeWorld(6)
      const outage: Outage = { out: false, reason: "transient" }
      const running = yield* Effect.fork(JobOperator.run(jobOf(world), {}).pipe(fromSave(outage, 4), owning))
      yield* TestClock.adjust("1 second")
      assert.isTrue(outage.out)
      outage.out = false
      yield* TestClock.adjust("2 seconds")
      const execution = yield* Fiber.join(running)
      assert.strictEqual(execution.status, "COMPLETED")
      const [step] = yield* JobOperator.steps(execution.id)
      assert.deepStrictEqual([step!.status, step!.counts.write], ["COMPLETED", 6])
    }).pipe(inMemory))

  it.effect("an outage that passes with the chunk fails the step, with durable rows; a restart goes on (TASK-7)", () =>
    Effect.gen(function*() {
      const world = makeWorld(6)
      const outage: Outage = { out: false }
      const listened = jobOf(world)
      const passing = Job.make("C38", {
        flow: Step.chunk("load", { ...world, chunkSize: 2 }).pipe(
          Step.listen(Listener.step({ afterChunkError: () => Effect.sync(() => void (outage.out = false)) }))
        )
      })
      const failed = yield* JobOperator.run(passing, {}).pipe(fromSave(outage, 2), owning)
      assert.strictEqual(failed.status, "FAILED")
      const error = Exit.isFailure(failed.exit) ? yield* Effect.flip(failed.exit) : undefined
      assert.instanceOf(error, BatchError.JobRepositoryError)
      const [step] = yield* JobOperator.steps(failed.id)
      assert.deepStrictEqual([step!.status, step!.counts.write, step!.counts.rollback], ["FAILED", 2, 1])
      assert.deepStrictEqual(Option.isSome(step!.endTime), true)
      assert.strictEqual((yield* JobOperator.run(listened, {}).pipe(owning)).status, "COMPLETED")
      assert.deepStrictEqual(world.written, [1, 2, 3, 4, 5, 6])
    }).pipe(inMemory))
})
