/**
 * What an operator does to single executions: what is said about them, and that nothing else happens. On the clock of the
 * test.
 */
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { Job, JobOperator, JobRepository, Step } from "../../src/index.js"

/** Claimed by a process that is somewhere else; `leaseMillis` below zero: whose time is over. */
const claimed = (jobName: string, leaseMillis: number) =>
  Effect.flatMap(JobRepository.JobRepository, (repository) =>
    repository.launch({
      jobName,
      parameters: [],
      restartable: true,
      owner: "somewhere else",
      leaseMillis,
      isOwnerGone: () => false
    }))

const inMemory = Effect.provide(JobRepository.layerMemory)

describe("an operator", () => {
  it.effect("gives up what is given up already without a trace (ABANDON-1)", () =>
    Effect.gen(function*() {
      const job = Job.make("given up", { flow: Step.tasklet("break", Effect.fail("broken")) })
      const { id } = yield* JobOperator.run(job, {})
      const abandoned = yield* JobOperator.abandon(id)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* JobOperator.abandon(id), abandoned)
    }).pipe(inMemory))

  it.effect("cannot give up what has only been claimed, and hears since when it runs (ABANDON-1)", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const launched = yield* claimed("claimed", 1_000_000)
      const since = () =>
        Effect.flatMap(
          Effect.flip(JobOperator.abandon(launched.id)),
          (error) => error._tag === "JobExecutionAlreadyRunning" ? Effect.succeed(error.since) : Effect.die(error)
        )
      assert.deepStrictEqual(yield* since(), launched.createTime)
      yield* TestClock.adjust("1 minute")
      const startTime = yield* DateTime.now
      yield* repository.updateJobExecution({ ...launched, status: "STARTED", startTime: Option.some(startTime) })
      assert.deepStrictEqual(yield* since(), startTime)
    }).pipe(inMemory))

  it.effect("is told whether a process had died or was robbed, whether or not it used force (RECOVER-1)", () =>
    Effect.gen(function*() {
      for (
        const [leaseMillis, force, code] of [
          [-1000, false, "OWNER_DIED"],
          [-1000, true, "OWNER_DIED"],
          [1_000_000, true, "RECOVERED"]
        ] as const
      ) {
        const { id } = yield* claimed(`${code} ${force}`, leaseMillis)
        const { exitStatus, status } = yield* JobOperator.recover(id, { force })
        assert.deepStrictEqual([status, exitStatus.code], ["FAILED", code])
      }
    }).pipe(inMemory))

  it.effect("recovers the dead of one job only, if only that is named (RECOVER-2)", () =>
    Effect.gen(function*() {
      const one = yield* claimed("one", -1000)
      const two = yield* claimed("two", -1000)
      const of = Effect.map(JobOperator.recoverExpired({ jobName: "one" }), (all) => all.map(({ id }) => id))
      assert.deepStrictEqual(yield* of, [one.id])
      assert.strictEqual((yield* JobOperator.execution(two.id)).status, "STARTING")
      assert.deepStrictEqual((yield* JobOperator.recoverExpired()).map(({ id }) => id), [two.id])
    }).pipe(inMemory))

  it.effect("recovers the others when somebody has deleted one of the dead meanwhile (RECOVER-2)", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const { id } = yield* claimed("left", -1000)
      const recovered = yield* Effect.provideService(JobOperator.recoverExpired(), JobRepository.JobRepository, {
        ...repository,
        expiredExecutions: (witness) =>
          Effect.map(
            repository.expiredExecutions(witness),
            (dead) => [...dead.map((one) => ({ ...one, id: 4711 })), ...dead]
          )
      })
      assert.deepStrictEqual(recovered.map((one) => one.id), [id])
    }).pipe(inMemory))
})
