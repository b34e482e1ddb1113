/**
 * Ends that nobody planned: defects and interruptions leave durable rows that a restart continues from.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { ExitStatus, ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step } from "../../src/index.js"
import { drivers } from "../support/drivers.js"

const statuses = (executionId: number) =>
  Effect.map(JobOperator.steps(executionId), (steps) => steps.map((step) => `${step.stepName} ${step.status}`))

for (const driver of drivers) {
  describe(`a job that ends abruptly (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("a defect fails the step and the job, with its place in one line (LIFE-14)", () =>
        Effect.gen(function*() {
          const job = Job.make("defect", {
            flow: Step.tasklet("broken", Effect.sync(() => (undefined as unknown as { readonly x: number }).x))
          })
          const execution = yield* JobOperator.run(job, {})
          assert.strictEqual(execution.status, "FAILED")
          assert.isTrue(Exit.isFailure(execution.exit))
          const [step] = yield* JobOperator.steps(execution.id)
          assert.match(ExitStatus.description(step!.exitStatus), /^TypeError: .*AbruptEnds\.test\.ts:\d+/)
          assert.notInclude(ExitStatus.description(step!.exitStatus), "\n")
        }))

      it.effect("an interruption ends in durable STOPPED rows, and a restart continues (EFF-3)", () =>
        Effect.gen(function*() {
          const entered = yield* Deferred.make<void>()
          const written: Array<number> = []
          const job = (hang: boolean) =>
            Job.make("interrupted", {
              flow: Step.chunk("load", {
                reader: ItemReader.fromIterable([1, 2, 3, 4, 5]),
                processor: (n: number) =>
                  hang && n === 3
                    ? Effect.zipRight(Deferred.succeed(entered, undefined), Effect.never)
                    : Effect.succeed(n),
                writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
                  Effect.sync(() => void written.push(...items))
                ),
                chunkSize: 2
              })
            })
          const fiber = yield* Effect.fork(JobOperator.run(job(true), {}))
          yield* Deferred.await(entered)
          const exit = yield* Fiber.interrupt(fiber)
          assert.isTrue(Exit.isInterrupted(exit))
          const [stopped] = yield* JobOperator.executions({ jobName: "interrupted" })
          assert.strictEqual(stopped!.status, "STOPPED")
          assert.deepStrictEqual(yield* statuses(stopped!.id), ["load STOPPED"])
          const restarted = yield* JobOperator.run(job(false), {})
          assert.strictEqual(restarted.status, "COMPLETED")
          assert.deepStrictEqual(written, [1, 2, 3, 4, 5])
        }))

      it.effect("an interruption between the claim and the first step leaves no running row (EFF-3)", () =>
        Effect.gen(function*() {
          const repository = yield* JobRepository.JobRepository
          const job = Job.make("early", { flow: Step.tasklet("only", Effect.void) })
          const claimed = yield* Deferred.make<void>()
          const slow = {
            ...repository,
            launch: (request: JobRepository.LaunchRequest) =>
              repository.launch(request).pipe(
                Effect.tap(() => Deferred.succeed(claimed, undefined)),
                Effect.tap(() => Effect.yieldNow())
              )
          }
          const fiber = yield* Effect.fork(
            Effect.provideService(JobOperator.run(job, {}), JobRepository.JobRepository, slow)
          )
          yield* Deferred.await(claimed)
          yield* Fiber.interrupt(fiber)
          const [execution] = yield* JobOperator.executions({ jobName: "early" })
          assert.strictEqual(execution!.status, "STOPPED")
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
        }))
    })
  })
}
