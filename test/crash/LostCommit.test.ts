/**
 * A database that goes away at the worst moment: it has committed, but its answer is lost, and nobody can ask it.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { NdjsonItemWriter } from "../../src/file/index.js"
import {
  BatchError,
  ExecutionContext,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  JobScope,
  Step,
  Transactor
} from "../../src/index.js"
import { MemoryFiles } from "../file/support.js"

const gone = (operation: string, reason: BatchError.FailureReason = "fatal") =>
  new BatchError.JobRepositoryError({ operation, reason, detail: "gone" })

/** What is out of reach, from the moment on at which the answer to a commit is lost. */
interface Outage {
  /** The commit whose answer is lost, counted from 1; 0 if it all begins with the job. */
  readonly commit: number
  /** Whether that commit happened. */
  readonly happened: boolean
  /** How many lookups, and how many saves of steps that have ended, fail then. */
  lookups: number
  saves: number
  readonly reason?: BatchError.FailureReason
}

const withOutage = (outage: Outage) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository.JobRepository
    const { transact } = yield* Transactor.Transactor
    let commits = 0
    let out = outage.commit === 0
    const answerLost = Effect.suspend(() => {
      out = true
      return new BatchError.TransactionError({ reason: "transient", phase: "commit", cause: "gone" })
    })
    return yield* self.pipe(
      Effect.provideService(JobRepository.JobRepository, {
        ...repository,
        stepExecutions: (id) =>
          Effect.suspend(() =>
            out && outage.lookups-- > 0
              ? gone("stepExecutions", outage.reason)
              : repository.stepExecutions(id)
          ),
        updateStepExecution: (execution, step, before) =>
          Effect.suspend(() =>
            out && Option.isSome(step.endTime) && outage.saves-- > 0
              ? gone("updateStepExecution")
              : repository.updateStepExecution(execution, step, before)
          )
      }),
      Effect.provideService(Transactor.Transactor, {
        transact: (effect, options) =>
          Effect.suspend(() => {
            if (++commits !== outage.commit) {
              return transact(effect, options)
            }
            return outage.happened
              ? Effect.zipRight(transact(effect, options), answerLost)
              : transact(Effect.zipRight(effect, answerLost), options)
          })
      })
    )
  })

const numbers = [1, 2, 3, 4, 5, 6, 7]

/** In the context of the job, changed by what it is, so that a change which is made twice shows. */
const processed = ExecutionContext.key("processed", Schema.Number)

const counting = (n: number) =>
  Effect.as(JobScope.update(processed, (count) => Option.getOrElse(count, () => 0) + 1), n)

const jobOf = (out: Array<number>) =>
  Job.make("copy", {
    flow: Step.chunk("copy", {
      reader: ItemReader.fromIterable(numbers),
      processor: counting,
      writer: ItemWriter.tee(ItemWriter.inMemory(out), NdjsonItemWriter.make<number>("out")),
      chunkSize: 2
      // Nothing may be tried again as long as nobody knows what became of it.
    }).pipe(Step.retry("TransactionError", { times: 1 }))
  })

const steps = Effect.gen(function*() {
  const executions = yield* JobOperator.executions({})
  const all = yield* Effect.forEach([...executions].reverse(), ({ id }) => JobOperator.steps(id))
  return all.flat()
})

/** The job in an outage, and again when the database is back. */
const twice = (outage: Outage) =>
  Effect.gen(function*() {
    const out: Array<number> = []
    const files = new MemoryFiles()
    yield* Effect.gen(function*() {
      const first = yield* JobOperator.run(jobOf(out), {}).pipe(withOutage(outage))
      assert.strictEqual(first.status, "FAILED")
      for (const step of yield* steps) {
        assert.deepStrictEqual([step.status, step.endTime._tag], ["FAILED", "Some"])
      }
      const stored = yield* JobOperator.execution(first.id)
      assert.deepStrictEqual(
        yield* ExecutionContext.get(stored.context, processed),
        outage.happened && outage.commit > 1 ? Option.some(2) : Option.none()
      )
      const second = yield* JobOperator.run(jobOf(out), {})
      assert.strictEqual(second.status, "COMPLETED", second.exitStatus.messages.join())
      const ended = yield* JobOperator.execution(second.id)
      assert.deepStrictEqual(yield* ExecutionContext.get(ended.context, processed), Option.some(numbers.length))
    }).pipe(Effect.provide(files.layer))
    assert.deepStrictEqual(out, numbers)
    assert.strictEqual(files.text("out"), numbers.map((n) => `${n}\n`).join(""))
    assert.strictEqual((yield* steps).reduce((sum, { counts }) => sum + counts.write, 0), numbers.length)
  }).pipe(Effect.provide(JobRepository.layerMemory))

describe("a commit whose answer is lost", () => {
  const both = [["that happened", true], ["that did not happen", false]] as const

  it.effect.each(both)(
    "%s, and cannot be looked up: the end of the step is not saved over it",
    ([, happened]) => twice({ commit: 2, happened, lookups: 1, saves: 0 })
  )

  it.effect.each(both)(
    "%s, and is that of what the writer stores before it writes: what it made stays (D18)",
    ([, happened]) => twice({ commit: 1, happened, lookups: 1, saves: 0 })
  )

  it.effect.each(both)(
    "%s, and cannot be looked up before the end of the job",
    ([, happened]) => twice({ commit: 2, happened, lookups: 2, saves: 0 })
  )
})

describe("a writer that can take back what it wrote", () => {
  it.effect.each(
    [
      ["what the writer stores first", 1, false],
      ["what the writer stores first", 1, true],
      ["a chunk", 2, false],
      ["a chunk", 2, true]
    ] as const
  )(
    "leaves it alone as long as nobody knows whether the commit happened: %s (D18)",
    ([, commit, happened]) =>
      Effect.gen(function*() {
        const heard: Array<string> = []
        const out: Array<number> = []
        const writer = ItemWriter.make("careful", {
          delivery: "transactional",
          open: () =>
            Effect.map(ItemWriter.inMemory(out).open(Option.none()), ({ write }) => ({
              write,
              flush: Effect.sync(() => out.length),
              rollback: Effect.sync(() => void heard.push("rollback"))
            }))
        })
        const job = (name: string) =>
          Job.make(name, {
            flow: Step.chunk("copy", { reader: ItemReader.fromIterable(numbers), writer, chunkSize: 2 })
          })
        const known = { commit, happened, lookups: 0, saves: 0 }
        yield* JobOperator.run(job("known"), {}).pipe(withOutage(known))
        assert.deepStrictEqual(heard, happened ? [] : ["rollback"])
        heard.length = 0
        yield* JobOperator.run(job("in doubt"), {}).pipe(withOutage({ ...known, lookups: 1 }))
        assert.deepStrictEqual(heard, [])
      }).pipe(Effect.provide(JobRepository.layerMemory))
  )
})

describe("a commit whose answer is lost, and that can be looked up after a moment", () => {
  it.effect.each([["happened", true], ["did not happen", false]] as const)(
    "%s: the step goes on from what the database says (D18)",
    ([, happened]) =>
      Effect.gen(function*() {
        const out: Array<number> = []
        const files = new MemoryFiles()
        const run = JobOperator.run(jobOf(out), {}).pipe(
          withOutage({ commit: 2, happened, lookups: 6, saves: 0, reason: "transient" }),
          Effect.provide(files.layer)
        )
        const running = yield* Effect.fork(run)
        yield* TestClock.adjust("10 seconds")
        const ended = yield* Fiber.join(running)
        assert.strictEqual(ended.status, "COMPLETED", ended.exitStatus.messages.join())
        assert.deepStrictEqual(out, numbers)
        assert.strictEqual(files.text("out"), numbers.map((n) => `${n}\n`).join(""))
      }).pipe(Effect.provide(JobRepository.layerMemory))
  )
})

describe("a step whose end could not be saved", () => {
  it.effect("leaves in the job's context what was committed, and not what a commit attempted before (D18, CTX-10)", () =>
    Effect.gen(function*() {
      const out: Array<number> = []
      const job = Job.make("copy", {
        flow: Step.chunk("copy", {
          reader: ItemReader.fromIterable(numbers),
          processor: counting,
          writer: ItemWriter.inMemory(out),
          chunkSize: 2
        }).pipe(Step.retry("TransactionError", { times: 1 }))
      })
      const ended = yield* JobOperator.run(job, {}).pipe(
        withOutage({ commit: 2, happened: false, lookups: 0, saves: 1 })
      )
      assert.deepStrictEqual([ended.status, out], ["FAILED", numbers])
      const { context } = yield* JobOperator.execution(ended.id)
      assert.deepStrictEqual(yield* ExecutionContext.get(context, processed), Option.some(numbers.length))
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("is closed together with its job", () =>
    Effect.gen(function*() {
      const step = Step.tasklet("broken", Effect.fail("no"))
      const ended = yield* JobOperator.run(Job.make("broken", { flow: step }), {}).pipe(
        withOutage({ commit: 0, happened: true, lookups: 0, saves: 1 })
      )
      assert.strictEqual(ended.status, "FAILED")
      const [closed] = yield* JobOperator.steps(ended.id)
      assert.deepStrictEqual([closed?.status, closed?.exitStatus.code, closed?.endTime._tag], [
        "FAILED",
        "FAILED",
        "Some"
      ])
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})

describe("a commit that comes true only after somebody has looked whether it did", () => {
  it.effect("is counted, and its items are not written again (D18)", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const { transact } = yield* Transactor.Transactor
      let late: Effect.Effect<unknown, unknown> | undefined
      let commits = 0
      const out: Array<number> = []
      const job = Job.make("late", {
        flow: Step.chunk("late", {
          reader: ItemReader.fromIterable(numbers),
          processor: counting,
          writer: ItemWriter.inMemory(out),
          chunkSize: 2
        })
      })
      const ended = yield* JobOperator.run(job, {}).pipe(
        Effect.provideService(JobRepository.JobRepository, {
          ...repository,
          updateStepExecution: (execution, step, before) =>
            Effect.suspend(() => {
              const comesTrue = late === undefined ? Effect.void : Effect.orDie(late)
              late = undefined
              return Effect.zipRight(comesTrue, repository.updateStepExecution(execution, step, before))
            })
        }),
        Effect.provideService(Transactor.Transactor, {
          transact: (effect, options) =>
            Effect.flatMap(Effect.context<never>(), (context) => {
              if (++commits !== 2) {
                return transact(effect, options)
              }
              const answerLost = new BatchError.TransactionError({
                reason: "transient",
                phase: "commit",
                cause: "gone"
              })
              return Effect.ensuring(
                transact(Effect.zipRight(effect, answerLost), options),
                Effect.sync(() => {
                  late = Effect.provide(transact(effect, options), context) as Effect.Effect<unknown, unknown>
                })
              )
            })
        })
      )
      assert.strictEqual(ended.status, "FAILED")
      const [step] = yield* JobOperator.steps(ended.id)
      assert.deepStrictEqual([step!.counts.write, step!.counts.commit], [4, 2])
      const { context } = yield* JobOperator.execution(ended.id)
      assert.deepStrictEqual(yield* ExecutionContext.get(context, processed), Option.some(4))
      yield* JobOperator.runOrFail(job, {})
      assert.deepStrictEqual(out, numbers)
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})
