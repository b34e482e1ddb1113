/**
 * What operators do to executions that others own: stop, close, delete.
 */
import { assert } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { JobRepository } from "../../ports/JobRepository.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import type { JobExecution } from "../../vocabulary/JobExecution.js"
import type { Cases } from "./kit.js"
import * as Kit from "./kit.js"

const nowhere = Number.MAX_SAFE_INTEGER

/** @internal */
export const operating: Cases = {
  "a stop request sets one flag and answers with the status before (STOP-2, D16)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const first = yield* Effect.flatMap(Kit.launchFresh(), (launched) => Kit.setStatus(launched, "STARTED"))
    const before = yield* repository.jobExecution(first.id)
    assert.strictEqual(yield* repository.requestStop(first.id), "STARTED")
    deepStrictEqual(yield* repository.jobExecution(first.id), { ...before, status: "STOPPING" })
    assert.strictEqual(yield* repository.requestStop(first.id), "STOPPING")
  }),
  "an execution that is STARTING can be stopped (STOP-6)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const first = yield* Kit.launchFresh()
    assert.strictEqual(yield* repository.requestStop(first.id), "STARTING")
    assert.strictEqual((yield* repository.jobExecution(first.id)).status, "STOPPING")
  }),
  "an execution that has ended stays as it is (STOP-1)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const first = yield* Effect.flatMap(Kit.launchFresh(), (launched) => Kit.setStatus(launched, "COMPLETED"))
    const before = yield* repository.jobExecution(first.id)
    assert.strictEqual(yield* repository.requestStop(first.id), "COMPLETED")
    deepStrictEqual(yield* repository.jobExecution(first.id), before)
  }),
  "the owner sees the flag in whatever it saves and can't overwrite it (STOP-4, STOP-8)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const first = yield* Kit.launchFresh()
    const step = yield* Kit.createStep(first, "load")
    assert.strictEqual(yield* repository.updateStepExecution(first, step), "STARTING")
    yield* repository.requestStop(first.id)
    assert.strictEqual(yield* repository.updateStepExecution(first, step), "STOPPING")
    assert.strictEqual(yield* repository.renewLease(first, 60_000), "STOPPING")
    assert.strictEqual(yield* repository.updateJobExecution({ ...first, status: "STARTED" }), "STOPPING")
    assert.strictEqual((yield* repository.jobExecution(first.id)).status, "STOPPING")
    assert.strictEqual(yield* repository.updateJobExecution({ ...first, status: "STOPPED" }), "STOPPED")
  }),
  "a step begins no more once a stop is asked for, and one that has begun goes on to its next record (HAND-1, STOP-4)":
    Effect
      .gen(function*() {
        const repository = yield* JobRepository
        const begin = (execution: JobExecution, stepName: string) =>
          Effect.map(
            repository.createStepExecution(execution, {
              stepName,
              place: stepName,
              round: "1",
              context: ExecutionContext.empty,
              checkpoint: Option.none()
            }),
            Option.map(({ id }) => id)
          )
        const begun = yield* Effect.flatMap(Kit.launchFresh(), (launched) => Kit.setStatus(launched, "STARTED"))
        const id = yield* begin(begun, "load")
        assert.isTrue(Option.isSome(id))
        yield* repository.requestStop(begun.id)
        deepStrictEqual(yield* begin(begun, "more"), Option.none())
        deepStrictEqual(yield* begin(begun, "load"), id, "whose answer was lost")
        deepStrictEqual((yield* repository.stepExecutions(begun.id)).map(({ stepName }) => stepName), ["load"])
        // What it has launched hears of it by itself.
        const { id: executionId, instance } = yield* Kit.launchFresh()
        const part = yield* Kit.launchFresh({ parent: { executionId, instanceId: instance.id } })
        assert.isTrue(Option.isSome(yield* begin(part, "first")))
        yield* repository.requestStop(executionId)
        deepStrictEqual(yield* begin(part, "second"), Option.none())
        deepStrictEqual((yield* repository.stepExecutions(part.id)).map(({ stepName }) => stepName), ["first"])
        // What is not there any more can't be stopped.
        const orphan = yield* Kit.launchFresh({ parent: { executionId: nowhere, instanceId: nowhere } })
        assert.isTrue(Option.isSome(yield* begin(orphan, "load")))
      }),
  "closing ends the execution with its running steps and fences the owner (ABANDON-1, RECOVER-1)": Effect.gen(
    function*() {
      const repository = yield* JobRepository
      const first = yield* Kit.launchFresh()
      const ended = yield* Kit.createStep(first, "first")
      yield* repository.updateStepExecution(first, { ...ended, status: "COMPLETED" })
      const running = yield* Kit.createStep(first, "second")
      yield* repository.close(first.id, { status: "ABANDONED", exitCode: "GIVEN UP", message: "by hand" })
      const now = yield* DateTime.now
      const closed = yield* repository.jobExecution(first.id)
      deepStrictEqual([closed.status, closed.exitStatus.code, closed.exitStatus.messages.join()], [
        "ABANDONED",
        "GIVEN UP",
        "by hand"
      ])
      deepStrictEqual(closed.endTime, Option.some(now))
      assert.strictEqual((yield* Kit.storedStep(ended))?.status, "COMPLETED")
      assert.strictEqual((yield* Kit.storedStep(running))?.status, "ABANDONED")
      const error = yield* Effect.flip(repository.updateStepExecution(first, running))
      assert.strictEqual(error._tag, "OwnershipLost")
    }
  ),
  "an execution that does not exist is named (OPER-1)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const end = { status: "FAILED", exitCode: "FAILED", message: "" } as const
    const errors = yield* Effect.all([
      Effect.flip(repository.jobExecution(nowhere)),
      Effect.flip(repository.requestStop(nowhere)),
      Effect.flip(repository.close(nowhere, end))
    ])
    for (const error of errors) {
      assert.strictEqual(error._tag, "NoSuchJobExecution")
    }
  }),
  "deleting removes ended executions with all that is theirs, and instances that are empty (REPO-14)": Effect.gen(
    function*() {
      const repository = yield* JobRepository
      const first = yield* Kit.launchFresh({ parameters: [Kit.parameter("a", 1)] })
      const step = yield* Kit.createStep(first, "load")
      yield* repository.addSkippedItems(step, [yield* Kit.skipped(step, "bad")])
      yield* Kit.setStatus(first, "FAILED")
      const second = yield* Kit.launch(first.instance.jobName, { parameters: first.parameters })
      yield* Kit.setStatus(second, "COMPLETED")
      assert.strictEqual(yield* repository.deleteJobExecutions([first.id, nowhere]), 1)
      const left = yield* repository.jobExecutions({ instanceId: first.instance.id })
      deepStrictEqual(left.map(({ id }) => id), [second.id])
      deepStrictEqual(yield* repository.stepExecutions(first.id), [])
      deepStrictEqual(yield* Kit.messages(first.id), [])
      assert.strictEqual(yield* repository.deleteJobExecutions([second.id]), 1)
      deepStrictEqual(yield* repository.jobInstances({ jobName: first.instance.jobName }), [])
      const third = yield* Kit.launch(first.instance.jobName, { parameters: first.parameters })
      assert.isAbove(third.id, second.id)
      deepStrictEqual(third.restartOf, Option.none())
    }
  ),
  "what a running execution goes on from is not deleted (REPO-14)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const first = yield* Kit.launchFresh()
    const step = yield* Kit.createStep(first, "load")
    yield* Kit.setStatus(first, "FAILED")
    const second = yield* Kit.launch(first.instance.jobName)
    assert.strictEqual(yield* repository.deleteJobExecutions([first.id, second.id]), 0)
    assert.strictEqual((yield* repository.stepExecutions(first.id))[0]?.id, step.id)
  }),
  "deleting nothing deletes nothing (REPO-14)": Effect.gen(function*() {
    const repository = yield* JobRepository
    assert.strictEqual(yield* repository.deleteJobExecutions([]), 0)
  })
}
