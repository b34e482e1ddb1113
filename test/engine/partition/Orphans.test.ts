/**
 * Partitions whose process, or whose step, is gone: who goes on with them, and who hears of a stop.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { fingerprintOf } from "../../../src/definition/fingerprint.js"
import {
  ExecutionContext,
  Job,
  JobOperator,
  JobRepository,
  Partition,
  PartitionWorker,
  Step
} from "../../../src/index.js"

import { living, within } from "./kit.js"

const alive = () => false

const as = (owner: string) =>
  Effect.provideService(JobOperator.Ownership, { lease: "30 seconds", owner, isOwnerGone: alive })

const thePlan = Effect.gen(function*() {
  const { partitions } = yield* JobRepository.JobRepository
  const [plan] = yield* partitions.openPlans(["orphans"])
  return { partitions, plan: plan! }
})

const standings = Effect.gen(function*() {
  const { partitions, plan } = yield* thePlan
  return (yield* partitions.list(plan.id, { isOwnerGone: alive })).map(({ standing }) => standing)
})

const makeJob = (
  names: ReadonlyArray<string>,
  concurrency: number,
  body: (name: string) => Effect.Effect<void, unknown, JobRepository.JobRepository>
) =>
  Job.make("orphans", {
    flow: Step.partition("load", {
      plan: Partition.values(names),
      input: Schema.String,
      step: (name) => Step.tasklet("note", Effect.suspend(() => body(name))),
      version: "1",
      concurrency
    })
  })

const soon = TestClock.adjust("10 millis")

describe("partitions of the dead", () => {
  it.effect("what another process had put up when it died, the step itself begins (PART-5)", () =>
    Effect.gen(function*() {
      const other = { owner: "other", leaseMillis: 10_500, isOwnerGone: alive }
      const job = makeJob(["a", "b"], 1, (name) =>
        name === "b"
          ? Effect.void
          : Effect.flatMap(thePlan, ({ partitions, plan }) => Effect.asVoid(partitions.claim(plan.id, other))))
      const running = yield* Effect.fork(JobOperator.run(job, {}))
      yield* soon
      assert.deepStrictEqual(yield* standings, ["completed", "running"])
      yield* TestClock.adjust("10500 millis")
      const { partitions, plan } = yield* thePlan
      assert.strictEqual(yield* partitions.putUp(plan.id, other), 1)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Fiber.join(running)).status, "COMPLETED")
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("a step that is to stop does not wait for partitions of a process that is known to be gone (PART-7, STOP-1)", () =>
    Effect.gen(function*() {
      const gone = { owner: "gone", leaseMillis: 600_000, isOwnerGone: alive }
      const job = makeJob(["a", "b"], 1, () =>
        Effect.gen(function*() {
          const { partitions, plan } = yield* thePlan
          yield* partitions.claim(plan.id, gone)
          yield* JobOperator.stop(plan.executionId)
        }))
      const running = yield* Effect.fork(living(JobOperator.run(job, {})))
      const { id, status } = yield* within(5, running)
      assert.strictEqual(status, "STOPPED")
      const [step] = yield* JobOperator.partitions(id, { order: "plan" })
      const [a, b] = step!.partitions
      // The one that asked for the stop may have ended before it heard of it.
      assert.oneOf(a!.exitCode, ["COMPLETED", "STOPPED"])
      assert.strictEqual(b!.exitCode, "OWNER_DIED")
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("what a process began for a step that others have taken over is handed over, not stopped (PART-5)", () =>
    Effect.gen(function*() {
      const gates = { a: yield* Deferred.make<void>(), b: yield* Deferred.make<void>() }
      const began: Array<string> = []
      const job = makeJob(["a", "b", "c"], 1, (name) => {
        began.push(name)
        return name === "c"
          ? began.filter((other) => other === "c").length === 1 ? Effect.never : Effect.void
          : Deferred.await(gates[name as "a" | "b"])
      })
      const old = yield* Effect.fork(as("old")(JobOperator.run(job, {})))
      yield* soon
      const { plan } = yield* thePlan
      yield* JobOperator.recover(plan.executionId, { force: true })
      const next = yield* Effect.fork(as("new")(JobOperator.run(job, {})))
      yield* soon
      yield* Deferred.succeed(gates.a, undefined)
      yield* soon
      assert.deepStrictEqual(began, ["a", "b", "c"])
      yield* TestClock.adjust("8 seconds")
      assert.strictEqual((yield* Fiber.await(old))._tag, "Failure")
      yield* Deferred.succeed(gates.b, undefined)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Fiber.join(next)).status, "COMPLETED")
      assert.deepStrictEqual(began, ["a", "b", "c", "c"])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("workers begin what a dead process has planned, and hear of a stop that it can't pass on (PART-7, STOP-1)", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const began: Array<string> = []
      const job = makeJob(["a", "b", "c"], 0, (name) => {
        began.push(name)
        return name === "b" ? Effect.never : Effect.void
      })
      const parent = yield* repository.launch({
        jobName: "orphans",
        parameters: [],
        restartable: true,
        owner: "dead",
        leaseMillis: 1000,
        isOwnerGone: alive
      })
      yield* repository.updateJobExecution({ ...parent, status: "STARTED" })
      const step = Option.getOrThrow(
        yield* repository.createStepExecution(parent, {
          stepName: "load",
          context: ExecutionContext.empty,
          checkpoint: Option.none()
        })
      )
      yield* repository.partitions.plan(
        parent,
        { id: step.id, stepName: "load", fingerprint: fingerprintOf("1") },
        ["a", "b", "c"].map((name) => ({ name, input: name }))
      )
      yield* TestClock.adjust("1 minute")
      yield* as("worker")(Layer.build(PartitionWorker.layer([job])))
      yield* soon
      assert.deepStrictEqual(began, ["a", "b"])
      yield* JobOperator.stop(parent.id)
      yield* TestClock.adjust("8 seconds")
      yield* TestClock.adjust("30 seconds")
      const found = yield* repository.partitions.list(step.id, { isOwnerGone: alive })
      assert.deepStrictEqual(found.map(({ standing }) => standing), ["completed", "stopped", "waiting"])
      assert.deepStrictEqual(began, ["a", "b"])
    }).pipe(Effect.scoped, Effect.provide(JobRepository.layerMemory)))
})
