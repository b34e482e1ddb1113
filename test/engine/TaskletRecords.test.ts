/**
 * The record of a tasklet that does nothing to the database: it has no transaction, and nobody may notice that.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Function from "effect/Function"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  BatchError,
  ExecutionContext,
  Job,
  JobOperator,
  JobRepository,
  Step,
  StepScope,
  Tasklet,
  Transactor
} from "../../src/index.js"
import { sqlDrivers } from "../support/drivers.js"

type Save = JobRepository.JobRepository["Type"]["updateStepExecution"]

/** Runs it with another way to save a step that has not ended. */
const saving = (change: (save: Save) => Save) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.flatMap(JobRepository.JobRepository, (repository) => {
    const changed = change(repository.updateStepExecution)
    return Effect.provideService(self, JobRepository.JobRepository, {
      ...repository,
      updateStepExecution: (execution, step, before) =>
        Option.isSome(step.endTime)
          ? repository.updateStepExecution(execution, step, before)
          : changed(execution, step, before)
    })
  })

const failure = (reason: BatchError.FailureReason) =>
  new BatchError.JobRepositoryError({ operation: "updateStepExecution", reason, detail: "gone" })

/** What JSON can hold and text often can't. */
const ODD = ExecutionContext.key("odd", Schema.String)

/** Sends what was handed over to it when the transaction inside of it has committed. */
const outbox = (transact: Transactor.Transactor["Type"]["transact"]) => {
  const sent: Array<string> = []
  const open: Array<string> = []
  const sending = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    transact(effect).pipe(
      Effect.tap(() => Effect.sync(() => sent.push(...open))),
      Effect.ensuring(Effect.sync(() => open.splice(0)))
    )
  return { sent, open, sending }
}

for (const driver of sqlDrivers) {
  describe(`a tasklet that does nothing to the database (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect.each([["wraps", true], ["was made around", false]] as const)(
        "sends nothing without its record, where something with a commit of its own %s the transactor (TASK-7)",
        ([how, isPlain]) =>
          Effect.gen(function*() {
            const { open, sending, sent } = outbox((yield* Transactor.Transactor).transact)
            const job = Job.make(how, { flow: Step.tasklet("send", Effect.sync(() => open.push("message"))) })
            const run = Effect.provideService(
              JobOperator.run(job, {}),
              Transactor.Transactor,
              isPlain ? { transact: sending } : Transactor.make(sending, Function.identity)
            )
            const first = yield* saving(() => () => failure("fatal"))(run)
            assert.deepStrictEqual([first.status, ...sent], ["FAILED"])
            const second = yield* run
            assert.deepStrictEqual([second.status, ...sent], ["COMPLETED", "message"])
          })
      )

      it.effect("has what it has begun to write, and not waited for, in the transaction of its record (TASK-1)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`create table begun (id int)`
          const writing = yield* Deferred.make<Fiber.Fiber<unknown, unknown>>()
          const begin = Effect.forkDaemon(sql`insert into begun values (1)`).pipe(
            Effect.flatMap((fiber) => Deferred.succeed(writing, fiber)),
            Effect.zipRight(Effect.yieldNow())
          )
          const { status } = yield* JobOperator.run(Job.make("begins", { flow: Step.tasklet("begin", begin) }), {})
          yield* Effect.flatMap(Deferred.await(writing), Fiber.join)
          assert.deepStrictEqual([status, (yield* sql`select id from begun`).length], ["COMPLETED", 1])
        }))

      it.effect("has happened when its record was interrupted before the answer came, and is no rollback (TASK-8, OWN-4)", () =>
        Effect.gen(function*() {
          const stored = yield* Deferred.make<void>()
          let calls = 0
          const job = Job.make("interrupted", {
            flow: Step.tasklet("count", Effect.sync(() => ++calls < 3 ? Tasklet.continuable : Tasklet.finished))
          })
          const silent = saving((save) => (...row) =>
            Effect.zipRight(save(...row), Effect.zipRight(Deferred.succeed(stored, undefined), Effect.never))
          )
          const running = yield* Effect.fork(silent(JobOperator.run(job, {})))
          yield* Deferred.await(stored)
          yield* Fiber.interrupt(running)
          const [first] = yield* JobOperator.executions({ jobName: "interrupted" })
          const [step] = yield* JobOperator.steps(first!.id)
          assert.deepStrictEqual([step!.status, step!.counts.commit, step!.counts.rollback, calls], [
            "STOPPED",
            1,
            0,
            1
          ])
          assert.deepStrictEqual([(yield* JobOperator.run(job, {})).status, calls], ["COMPLETED", 3])
        }))
    })

    it.live("is not called again when the answers to its records are lost, whatever stands in its context (TASK-8, OWN-21)", () =>
      Effect.gen(function*() {
        let [calls, saves] = [0, 0]
        const count = Effect.sync(() => ++calls < 3 ? Tasklet.continuable : Tasklet.finished)
        const job = Job.make("lost", {
          flow: Step.tasklet("count", Effect.zipRight(StepScope.set(ODD, "\0\ud800"), count))
        })
        const losing = saving((save) => (...row) =>
          ++saves % 2 === 1 ? Effect.zipRight(save(...row), failure("transient")) : save(...row)
        )
        const { id, status } = yield* losing(JobOperator.run(job, {}))
        const [step] = yield* JobOperator.steps(id)
        assert.deepStrictEqual([status, calls, step!.counts.commit, step!.counts.rollback], ["COMPLETED", 3, 3, 0])
      }).pipe(Effect.provide(driver.layer)))
  })
}
