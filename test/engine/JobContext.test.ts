import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ExecutionContext, Flow, Job, JobOperator, JobRepository, JobScope, Step, Tasklet } from "../../src/index.js"
import { drivers } from "../support/drivers.js"

const earlier = ExecutionContext.key("earlier", Schema.Number)
const left = ExecutionContext.key("left", Schema.Number)
const right = ExecutionContext.key("right", Schema.Number)

const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

for (const driver of drivers) {
  describe(`the job's context in a split (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("branches that change it at the same time do not write over each other (CTX-10)", () =>
        Effect.gen(function*() {
          const repository = yield* JobRepository.JobRepository
          const stored: Array<ReadonlyArray<string>> = []
          const watched = {
            ...repository,
            updateJobExecution: (execution: Parameters<typeof repository.updateJobExecution>[0]) => {
              stored.push(Object.keys(execution.context.entries).filter((key) => key === "left" || key === "right"))
              return repository.updateJobExecution(execution)
            },
            // Keeps the transaction of the left branch open while the right one gets to its own write.
            updateStepExecution: (
              ...args: Parameters<typeof repository.updateStepExecution>
            ): ReturnType<typeof repository.updateStepExecution> =>
              args[1].stepName === "left"
                ? Effect.zipRight(Effect.repeatN(turn, 50), repository.updateStepExecution(...args))
                : repository.updateStepExecution(...args)
          }
          const both = yield* Deferred.make<void>()
          let calls = 0
          const job = Job.make("split-context", {
            flow: Flow.split([
              // Twice, as a transaction that has ended must leave the next one as guarded as it was itself.
              Step.tasklet(
                "left",
                Effect.suspend(() =>
                  ++calls === 2
                    ? Effect.zipRight(JobScope.set(left, 1), Deferred.succeed(both, undefined))
                    : JobScope.set(earlier, 0)
                ).pipe(
                  Effect.map(() => Tasklet.continueIf(calls < 2))
                )
              ),
              Step.tasklet("right", Effect.zipRight(Deferred.await(both), JobScope.set(right, 2)))
            ], { concurrency: driver.name === "SQLite" ? 1 : 2 })
          })
          const execution = yield* Effect.provideService(JobOperator.run(job, {}), JobRepository.JobRepository, watched)
          assert.strictEqual(execution.status, "COMPLETED")
          const writes = stored.filter((keys) => keys.length > 0)
          assert.deepStrictEqual(writes.slice(0, 2), [["left"], ["left", "right"]])
        }))
    })
  })
}
