/**
 * Steps side by side that write the job's context one after the other: each waits for the transaction that has it, and
 * for nothing else of the other step.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import {
  BatchError,
  ExecutionContext,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobScope,
  Step,
  Transactor
} from "../../src/index.js"
import { drivers } from "../support/drivers.js"

const key = (name: string) => ExecutionContext.key(name, Schema.Number)

/** Looks so often, at least half a minute long: the other step needs a few messages to a database that may be busy. */
const until = (happened: () => boolean, looks = 6000): Effect.Effect<void> =>
  Effect.suspend(() =>
    happened() || looks === 0
      ? Effect.void
      : Effect.flatMap(
        Effect.async<void>((resume) => void setTimeout(() => resume(Effect.void), 5)),
        () => until(happened, looks - 1)
      )
  )

/** The first transactions of a job are rolled back when all is written, as one that lost against another one. */
const losing = (transactions: number) =>
  Effect.map(Transactor.Transactor, ({ transact }) => {
    let lost = 0
    return Transactor.Transactor.of({
      transact: (effect, options) =>
        transact(
          Effect.zipLeft(
            effect,
            Effect.suspend(() =>
              lost++ < transactions
                ? new BatchError.TransactionError({ reason: "transient", phase: "body", cause: "lost" })
                : Effect.void
            )
          ),
          options
        )
    })
  })

/**
 * The first step writes the context in its first chunk, and goes on when the second one has written it, too. Each waits
 * outside of its transactions.
 */
const makeJob = (prefetch: boolean) => {
  let firstWrites = 0
  let secondIsDone = false
  let waitedInVain = false
  const awaitSecond = Effect.zipRight(
    until(() => secondIsDone),
    Effect.sync(() => {
      waitedInVain = !secondIsDone
    })
  )
  const first = Step.chunk("first", {
    reader: ItemReader.fromIterable([1, 2]),
    processor: (n) => Effect.as(n === 2 && !prefetch ? awaitSecond : Effect.void, n),
    writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
      Effect.zipRight(
        Effect.sync(() => void firstWrites++),
        items.includes(1) ? JobScope.set(key("first"), 1) : Effect.void
      )
    ),
    chunkSize: 1,
    prefetch
  }).pipe(
    Step.retry("TransactionError", { schedule: Schedule.tapOutput(Schedule.recurs(1), () => awaitSecond) })
  )
  const second = Step.chunk("second", {
    reader: ItemReader.fromIterable([1]),
    processor: (n) => Effect.as(until(() => firstWrites > 0), n),
    writer: ItemWriter.fromFunction(() => JobScope.set(key("second"), 2)),
    chunkSize: 1
  }).pipe(Step.listen({
    afterChunk: () =>
      Effect.sync(() => {
        secondIsDone = true
      })
  }))
  return {
    job: Job.make(`locked ${jobs++}`, { flow: Flow.split([first, second], { concurrency: 2 }) }),
    waitedInVain: () => waitedInVain
  }
}

let jobs = 0

for (const { layer, name } of drivers) {
  it.layer(layer, { timeout: 300_000 })(`the job's context (${name})`, (it) => {
    it.effect("is free for another step behind the commit that changed it (CTX-10)", () =>
      Effect.gen(function*() {
        const { job, waitedInVain } = makeJob(false)
        const ended = yield* JobOperator.run(job, {})
        assert.deepStrictEqual([ended.status, waitedInVain()], ["COMPLETED", false])
        const { context } = yield* JobOperator.execution(ended.id)
        assert.deepStrictEqual(yield* ExecutionContext.get(context, key("first")), Option.some(1))
        assert.deepStrictEqual(yield* ExecutionContext.get(context, key("second")), Option.some(2))
      }))

    it.effect("is free behind the end of a step that changed it (CTX-7)", () =>
      Effect.gen(function*() {
        const first = Step.tasklet("first", Effect.void).pipe(
          Step.listen({ afterStep: () => JobScope.set(key("first"), 1) })
        )
        const second = Step.tasklet("second", JobScope.set(key("second"), 2))
        const ended = yield* JobOperator.run(Job.make(`ended ${jobs++}`, { flow: Flow.andThen(first, second) }), {})
        const { context } = yield* JobOperator.execution(ended.id)
        assert.deepStrictEqual(yield* ExecutionContext.get(context, key("first")), Option.some(1))
        assert.deepStrictEqual(yield* ExecutionContext.get(context, key("second")), Option.some(2))
      }))

    it.effect.each([false, true])(
      "is free behind a transaction that was rolled back; prefetch: %s (CTX-10)",
      (prefetch) =>
        Effect.gen(function*() {
          const { job, waitedInVain } = makeJob(prefetch)
          const ended = yield* Effect.provideServiceEffect(JobOperator.run(job, {}), Transactor.Transactor, losing(1))
          assert.deepStrictEqual([ended.status, waitedInVain()], ["COMPLETED", false])
          const { context } = yield* JobOperator.execution(ended.id)
          assert.deepStrictEqual(yield* ExecutionContext.get(context, key("first")), Option.some(1))
          assert.deepStrictEqual(yield* ExecutionContext.get(context, key("second")), Option.some(2))
        })
    )
  })
}
