/**
 * Components that are made when their step opens, from parameters and contexts.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  ExecutionContext,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobParameters,
  JobScope,
  Step,
  StepScope
} from "../../src/index.js"
import { drivers } from "../support/drivers.js"

const counter = ExecutionContext.key("counter", Schema.Number)

for (const driver of drivers) {
  describe(`late binding (${driver.name})`, () => {
    class Params extends JobParameters.Tag<Params>()("Params", {
      count: Schema.Number,
      note: JobParameters.nonIdentifying(Schema.String)
    }) {}

    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("a reader is made from parameters and from both contexts (SCOPE-2, SCOPE-8)", () =>
        Effect.gen(function*() {
          const written: Array<string> = []
          const job = Job.make("late", {
            parameters: Params,
            flow: Step.tasklet("prepare", JobScope.set(counter, 2)).pipe(
              Flow.andThen(
                Step.chunk("load", {
                  reader: ItemReader.unwrap(Effect.gen(function*() {
                    const { count, note } = yield* Params
                    const factor = Option.getOrThrow(yield* JobScope.get(counter))
                    const offset = Option.getOrThrow(yield* StepScope.get(counter))
                    return ItemReader.fromIterable(
                      Array.from({ length: count }, (_, i) => `${note}${i * factor + offset}`)
                    )
                  })),
                  writer: ItemWriter.fromFunction((items: ReadonlyArray<string>) =>
                    Effect.sync(() => void written.push(...items))
                  ),
                  chunkSize: 2
                }).pipe(Step.listen({ beforeStep: () => StepScope.set(counter, 100) }))
              )
            )
          })
          const execution = yield* JobOperator.run(job, { count: 3, note: "n" })
          assert.strictEqual(execution.status, "COMPLETED")
          assert.deepStrictEqual(written, ["n100", "n102", "n104"])
        }))

      it.effect("a component that can't be made fails the step, before any chunk (SCOPE-3)", () =>
        Effect.gen(function*() {
          const job = Job.make("unmade", {
            flow: Step.chunk("load", {
              reader: ItemReader.unwrap(
                Effect.fail("no such source") as Effect.Effect<ItemReader.ItemReader<number>, string>
              ),
              writer: ItemWriter.fromFunction((_: ReadonlyArray<number>) => Effect.void),
              chunkSize: 2
            })
          })
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(execution.status, "FAILED")
          assert.deepStrictEqual(execution.exit, Exit.fail("no such source"))
          assert.strictEqual((yield* JobOperator.steps(execution.id))[0]!.counts.commit, 0)
        }))
    })
  })
}
