/**
 * Who may launch what.
 */
import { assert } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { JobRepository } from "../../ports/JobRepository.js"
import type { BatchStatus } from "../../vocabulary/BatchStatus.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import type { Cases } from "./kit.js"
import * as Kit from "./kit.js"

const refusal = (status: BatchStatus) =>
  Effect.gen(function*() {
    const first = yield* Kit.launchFresh()
    yield* Kit.setStatus(first, status)
    const error = yield* Effect.flip(Kit.launch(first.instance.jobName))
    const executions = yield* Effect.flatMap(
      JobRepository,
      (repository) => repository.jobExecutions({ instanceId: first.instance.id })
    )
    assert.lengthOf(executions, 1)
    return { first, error }
  })

const alreadyRunning = (status: BatchStatus) =>
  Effect.gen(function*() {
    const { error, first } = yield* refusal(status)
    assert.strictEqual(error._tag, "JobExecutionAlreadyRunning")
    if (error._tag === "JobExecutionAlreadyRunning") {
      assert.strictEqual(error.executionId, first.id)
      assert.strictEqual(error.owner, "suite")
      assert.isAbove(error.leaseLeftMillis ?? 0, 0)
      assert.isAtMost(error.leaseLeftMillis ?? 0, 60_000)
    }
  })

const alreadyComplete = (status: BatchStatus) =>
  Effect.gen(function*() {
    const { error, first } = yield* refusal(status)
    assert.strictEqual(error._tag, "JobInstanceAlreadyComplete")
    if (error._tag === "JobInstanceAlreadyComplete") {
      deepStrictEqual([error.executionId, error.status], [first.id, status])
    }
  })

const restarts = (status: BatchStatus) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const context = ExecutionContext.fromEntries({ done: ["a", "b"] })
    const first = { ...(yield* Kit.launchFresh()), context }
    yield* Kit.setStatus(first, status)
    const second = yield* Kit.later(Kit.launch(first.instance.jobName))
    deepStrictEqual(second.instance, first.instance)
    assert.isAbove(second.id, first.id)
    deepStrictEqual(second.restartOf, Option.some(first.id))
    deepStrictEqual(second.context, context)
    assert.strictEqual((yield* repository.jobExecution(first.id)).status, status)
  })

const race = (jobName: string) =>
  Effect.gen(function*() {
    const results = yield* Effect.all(
      Array.from({ length: 10 }, (_, index) => Effect.either(Kit.launch(jobName, { owner: `owner ${index}` }))),
      { concurrency: "unbounded" }
    )
    const winners = results.filter(Either.isRight).map(({ right }) => right)
    const losers = results.filter(Either.isLeft).map(({ left }) => left)
    assert.lengthOf(winners, 1)
    deepStrictEqual(losers.map(({ _tag }) => _tag), Array(9).fill("JobExecutionAlreadyRunning"))
    const repository = yield* JobRepository
    deepStrictEqual(
      yield* repository.jobExecutions({ jobName, statuses: ["STARTING", "STARTED", "STOPPING"] }),
      winners.map(Kit.asRead)
    )
  })

/** @internal */
export const launching: Cases = {
  "a first launch gives a STARTING execution with its parameters in their order (LAUNCH-10)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const parameters = [
      Kit.parameter("zebra", "last letter"),
      Kit.parameter("count", 3, false),
      { ...Kit.parameter("alpha", { nested: [1, null, true] }), redacted: true }
    ]
    const now = yield* DateTime.now
    const execution = yield* Kit.launchFresh({ parameters, owner: "host/1" })
    deepStrictEqual(
      {
        ...Kit.asRead(execution),
        id: 0,
        epoch: 0,
        instance: { ...execution.instance, id: 0, jobName: "", jobKey: "" }
      },
      {
        id: 0,
        instance: { id: 0, jobName: "", jobKey: "", createTime: now },
        parameters,
        status: "STARTING",
        exitStatus: ExitStatus.UNKNOWN,
        createTime: now,
        startTime: Option.none(),
        endTime: Option.none(),
        lastUpdated: now,
        context: ExecutionContext.empty,
        owner: Option.some("host/1"),
        epoch: 0,
        restartOf: Option.none()
      }
    )
    deepStrictEqual(yield* repository.jobExecution(execution.id), Kit.asRead(execution))
  }),
  "identifying parameters make the instance, in any order; each execution keeps its own (JOB-1, JOB-3, JOB-7)": Effect
    .gen(function*() {
      const repository = yield* JobRepository
      const [a, b] = [Kit.parameter("a", "1"), Kit.parameter("b", 2)]
      const first = yield* Kit.launchFresh({ parameters: [a, b, Kit.parameter("note", "x", false)] })
      yield* Kit.setStatus(first, "FAILED")
      const { jobName } = first.instance
      const again = yield* Kit.launch(jobName, { parameters: [Kit.parameter("note", "y", false), b, a] })
      const other = yield* Kit.launch(jobName, { parameters: [a] })
      assert.strictEqual(again.instance.id, first.instance.id)
      assert.notStrictEqual(other.instance.id, first.instance.id)
      deepStrictEqual(
        (yield* repository.jobExecutions({ instanceId: first.instance.id })).map(({ parameters }) => parameters),
        [again.parameters, first.parameters]
      )
    }),
  "refused while an execution is STARTING (LAUNCH-4)": alreadyRunning("STARTING"),
  "refused while an execution is STARTED (LAUNCH-4)": alreadyRunning("STARTED"),
  "refused while an execution is STOPPING (LAUNCH-4)": alreadyRunning("STOPPING"),
  "refused after an execution that is UNKNOWN (LAUNCH-4)": Effect.gen(function*() {
    const { error } = yield* refusal("UNKNOWN")
    assert.strictEqual(error._tag === "JobRestartRefused" && error.reason, "unknownStatus")
  }),
  "refused after an execution that is COMPLETED, even without parameters (LAUNCH-4, D9)": alreadyComplete("COMPLETED"),
  "refused after an execution that is ABANDONED (LAUNCH-4, ABANDON-2)": alreadyComplete("ABANDONED"),
  "refused when a step of the last execution is UNKNOWN (LAUNCH-4)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const first = yield* Kit.launchFresh()
    const step = yield* Kit.createStep(first, "load")
    yield* repository.updateStepExecution(first, { ...step, status: "UNKNOWN" })
    yield* Kit.setStatus(first, "FAILED")
    const error = yield* Effect.flip(Kit.launch(first.instance.jobName))
    assert.strictEqual(error._tag === "JobRestartRefused" && error.reason, "stepUnknown")
  }),
  "an earlier execution that is UNKNOWN refuses as well as the last one (LAUNCH-4)": Effect.gen(function*() {
    const first = yield* Kit.launchFresh()
    yield* Kit.setStatus(first, "FAILED")
    const second = yield* Kit.launch(first.instance.jobName)
    yield* Kit.setStatus(second, "FAILED")
    yield* Kit.setStatus(first, "UNKNOWN")
    const error = yield* Effect.flip(Kit.launch(first.instance.jobName))
    assert.strictEqual(error._tag === "JobRestartRefused" && error.reason, "unknownStatus")
  }),
  "a job that is not restartable runs once (LAUNCH-5)": Effect.gen(function*() {
    const first = yield* Kit.launchFresh({ restartable: false })
    yield* Kit.setStatus(first, "FAILED")
    const error = yield* Effect.flip(Kit.launch(first.instance.jobName, { restartable: false }))
    assert.strictEqual(error._tag === "JobRestartRefused" && error.reason, "notRestartable")
  }),
  "a FAILED execution is restarted with its context (LAUNCH-4, RESTART-4, CTX-12)": restarts("FAILED"),
  "a STOPPED execution is restarted with its context (STOP-7, CTX-12)": restarts("STOPPED"),
  "only the last execution counts (RESTART-3)": Effect.gen(function*() {
    const first = yield* Kit.launchFresh()
    yield* Kit.setStatus({ ...first, context: ExecutionContext.fromEntries({ of: 1 }) }, "FAILED")
    const second = yield* Kit.launch(first.instance.jobName)
    const context = ExecutionContext.fromEntries({ of: 2 })
    yield* Kit.setStatus({ ...second, context }, "FAILED")
    const third = yield* Kit.launch(first.instance.jobName)
    deepStrictEqual(third.restartOf, Option.some(second.id))
    deepStrictEqual(third.context, context)
  }),
  "of ten first launches one wins (JOB-6, LAUNCH-8)": Effect.flatMap(Kit.freshName, race),
  "of ten restarts one wins (JOB-6, LAUNCH-8)": Effect.gen(function*() {
    const first = yield* Kit.launchFresh()
    yield* Kit.setStatus(first, "FAILED")
    yield* race(first.instance.jobName)
  })
}
