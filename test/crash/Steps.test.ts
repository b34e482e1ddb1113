/**
 * The crash kit applied to ourselves: tasklets, contexts, listeners and jobs of several steps die everywhere.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { BatchError } from "../../src/index.js"
import {
  ExecutionContext,
  ExitStatus,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  JobScope,
  Listener,
  StandardListeners,
  Step,
  StepScope,
  Tasklet,
  Transactor
} from "../../src/index.js"
import { BatchTest } from "../../src/testing/index.js"

const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index + 1)

const survives = <P, Code extends string, E, R, E2, R2>(
  make: () => BatchTest.World<P, Code, E, R, E2, R2>,
  options: { readonly randomRuns?: number; readonly seed?: number } = { randomRuns: 10 }
) => BatchTest.crashEverywhere({ make: Effect.sync(make), ...options })

describe("a tasklet step survives", () => {
  const Next = ExecutionContext.key("next", Schema.Number)

  /** Writes one number per call; the number is remembered in the context of the step. */
  const counting = (out: Array<number>, upTo: number): Effect.Effect<
    Tasklet.RepeatStatus,
    BatchError.UnreadableContextKey,
    StepScope.StepScope
  > =>
    Effect.gen(function*() {
      const next = Option.getOrElse(yield* StepScope.get(Next), () => 1)
      if (next <= upTo) {
        out.push(next)
        yield* Transactor.onRollback(Effect.sync(() => void out.pop()))
        yield* StepScope.set(Next, next + 1)
        yield* StepScope.contribute({ write: 1 })
      }
      return Tasklet.continueIf(next < upTo)
    })

  it.effect("one call after the other, its place in the context of the step (TASK-1, CTX-9)", () =>
    survives(() => {
      const out: Array<number> = []
      return {
        job: Job.make("count", { flow: Step.tasklet("count", counting(out, 5)) }),
        parameters: {},
        observe: Effect.sync(() => out.slice())
      }
    }))
})

describe("a tasklet that keeps no books", () => {
  /** What it writes is undone by a rollback, but it does not know what it has written. */
  const writing = (
    out: Array<string>,
    answer: Effect.Effect<void | Tasklet.RepeatStatus<"LATE">, never, StepScope.StepScope>
  ) =>
    Effect.zipRight(
      Effect.suspend(() => {
        out.push("row")
        return Transactor.onRollback(Effect.sync(() => void out.pop()))
      }),
      answer
    )

  const answers = {
    "that just ends": Effect.void,
    "that chooses the exit code": Effect.succeed(Tasklet.finishedWith("LATE")),
    "that raises the status": Effect.asVoid(StepScope.addExitStatus(ExitStatus.make("LATE")))
  }

  it.effect.each(Object.entries(answers))(
    "%s writes exactly once, and its step ends the same",
    ([, answer]) =>
      survives(() => {
        const out: Array<string> = []
        const step = Step.tasklet("once", writing(out, answer)).pipe(Step.listen(StandardListeners.promoteToJob([])))
        const codes = Effect.gen(function*() {
          const executions = yield* JobOperator.executions({})
          const steps = yield* Effect.forEach(executions, ({ id }) => JobOperator.steps(id))
          return steps.flat().map(({ exitStatus }) => exitStatus.code).filter((code) => code !== "OWNER_DIED")
        })
        return {
          job: Job.make("once", { flow: step }),
          parameters: {},
          observe: Effect.map(codes, (codes) => ({ out: out.slice(), codes }))
        }
      })
  )

  it.effect("is not called again when its step failed after it had finished (OWN-4)", () =>
    Effect.gen(function*() {
      const out: Array<string> = []
      let failures = 1
      const step = Step.tasklet("once only", writing(out, Effect.void)).pipe(
        Step.listen(Listener.step({ afterStep: () => failures-- > 0 ? Effect.fail("no") : Effect.succeed(undefined) }))
      )
      const job = Job.make("once only", { flow: step })
      assert.strictEqual((yield* JobOperator.run(job, {})).status, "FAILED")
      assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
      assert.deepStrictEqual(out, ["row"])
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})

describe("a job of several steps survives", () => {
  const Total = ExecutionContext.key("total", Schema.Number)

  const jobContexts = Effect.map(
    JobOperator.executions({}),
    ([last]) => last?.context.entries ?? {}
  )

  it.effect("what its steps add up in the context of the job (CTX-9)", () =>
    survives(() => {
      const adding = (name: string, by: number) =>
        Step.chunk(name, {
          reader: ItemReader.fromIterable(numbers(4)),
          writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
            Effect.gen(function*() {
              const total = Option.getOrElse(yield* JobScope.get(Total), () => 0)
              yield* JobScope.set(Total, items.reduce((sum, n) => sum + n * by, total))
            }), { delivery: "transactional" }),
          chunkSize: 2
        })
      return {
        job: Job.make("sum", { flow: adding("one", 1).pipe(Flow.andThen(adding("hundred", 100))) }),
        parameters: {},
        observe: jobContexts
      }
    }))

  it.effect("what a listener promotes when a step ends (LISTEN-40)", () =>
    survives(() => {
      const first = Step.tasklet("first", StepScope.set(Total, 42)).pipe(
        Step.listen(StandardListeners.promoteToJob([Total]))
      )
      const out: Array<number> = []
      const second = Step.tasklet(
        "second",
        Effect.gen(function*() {
          out.length = 0
          out.push(Option.getOrElse(yield* JobScope.get(Total), () => -1))
        })
      )
      return {
        job: Job.make("promote", { flow: first.pipe(Flow.andThen(second)) }),
        parameters: {},
        observe: Effect.map(jobContexts, (context) => ({ context, out: out.slice() }))
      }
    }))

  it.effect("steps with allowStartIfComplete and steps with a start limit", () =>
    survives(() => {
      const out: Array<number> = []
      const always = Step.chunk("always", {
        reader: ItemReader.fromIterable(numbers(3)),
        writer: ItemWriter.discard,
        chunkSize: 2
      }).pipe(Step.allowStartIfComplete)
      const limited = Step.chunk("limited", {
        reader: ItemReader.fromIterable(numbers(3)),
        writer: ItemWriter.inMemory(out),
        chunkSize: 2
      }).pipe(Step.startLimit(5))
      return {
        job: Job.make("steps", { flow: always.pipe(Flow.andThen(limited)) }),
        parameters: {},
        observe: Effect.sync(() => out.slice())
      }
    }))

  it.effect("listeners that answer with an exit status", () =>
    survives(() => {
      const out: Array<number> = []
      const listener = Listener.step({ beforeStep: () => Effect.void, afterStep: () => Effect.succeed(undefined) })
      const step = Step.chunk("listened", {
        reader: ItemReader.fromIterable(numbers(3)),
        writer: ItemWriter.inMemory(out),
        chunkSize: 2
      }).pipe(Step.listen(listener))
      return { job: Job.make("listened", { flow: step }), parameters: {}, observe: Effect.sync(() => out.slice()) }
    }))
})
