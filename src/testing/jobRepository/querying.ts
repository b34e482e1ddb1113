/**
 * What can be asked.
 */
import { assert } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { JobRepository } from "../../ports/JobRepository.js"
import type { Cases } from "./kit.js"
import * as Kit from "./kit.js"

/** Five ended executions of one instance and one running execution of another, oldest first. */
const history = Effect.gen(function*() {
  const jobName = yield* Kit.freshName
  const ended = yield* Effect.forEach(
    ["FAILED", "STOPPED", "FAILED", "FAILED", "COMPLETED"] as const,
    (status) => Effect.flatMap(Kit.launch(jobName), (execution) => Kit.setStatus(execution, status))
  )
  const running = yield* Kit.launch(jobName, { parameters: [Kit.parameter("other", true)] })
  return { jobName, ended, running, ids: [...ended, running].map(({ id }) => id) }
})

/** @internal */
export const querying: Cases = {
  "executions are listed newest first, by job, instance and status (REPO-15)": Effect.gen(function*() {
    const { jobExecutions } = yield* JobRepository
    const { ended, ids, jobName, running } = yield* history
    const list = (filter: Parameters<typeof jobExecutions>[0]) =>
      Effect.map(jobExecutions(filter), (executions) => executions.map(({ id }) => ids.indexOf(id)))
    const instanceId = ended[0]!.instance.id
    deepStrictEqual(yield* list({ jobName }), [5, 4, 3, 2, 1, 0])
    deepStrictEqual(yield* list({ instanceId }), [4, 3, 2, 1, 0])
    deepStrictEqual(yield* list({ instanceId: running.instance.id }), [5])
    deepStrictEqual(yield* list({ jobName, statuses: ["STOPPED", "STARTING"] }), [5, 1])
    deepStrictEqual(yield* list({ jobName, statuses: [] }), [])
    deepStrictEqual(yield* list({ jobName: `${jobName} '; --` }), [])
  }),
  "executions are paged by the id before which to go on (EXPL-1)": Effect.gen(function*() {
    const { jobExecutions } = yield* JobRepository
    const { ids, jobName } = yield* history
    const page = (before?: number) =>
      Effect.map(jobExecutions({ jobName, limit: 4, before }), (executions) => executions.map(({ id }) => id))
    const first = yield* page()
    const second = yield* page(first.at(-1))
    assert.lengthOf(first, 4)
    deepStrictEqual([...first, ...second], [...ids].reverse())
    deepStrictEqual(yield* page(second.at(-1)), [])
  }),
  "instances are listed newest first, by job and key, in pages (EXPL-1)": Effect.gen(function*() {
    const { jobInstances } = yield* JobRepository
    const jobName = yield* Kit.freshName
    const executions = yield* Effect.forEach(
      [1, 2, 3],
      (value) => Kit.launch(jobName, { parameters: [Kit.parameter("value", value)] })
    )
    const [one, two, three] = [executions[0]!.instance, executions[1]!.instance, executions[2]!.instance]
    deepStrictEqual(yield* jobInstances({ jobName }), [three, two, one])
    deepStrictEqual(yield* jobInstances({ jobName, jobKey: two.jobKey }), [two])
    deepStrictEqual(yield* jobInstances({ jobName, limit: 1 }), [three])
    deepStrictEqual(yield* jobInstances({ jobName, before: two.id }), [one])
    deepStrictEqual(yield* jobInstances({ jobName, jobKey: "no such key" }), [])
  }),
  "job names are distinct and sorted (EXPL-1)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const base = yield* Kit.freshName
    const given = ["b", "a", "ä", "B", "_"].map((end) => `${base}-${end}`)
    yield* Effect.forEach(
      [...given, given[0]!],
      (name, index) => Kit.launch(name, { parameters: [Kit.parameter("index", index)] })
    )
    const names = yield* repository.jobNames
    deepStrictEqual(names.filter((name) => name.startsWith(base)), [...given].sort())
  }),
  "step executions are listed oldest first (EXEC-10)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const execution = yield* Kit.launchFresh()
    const steps = yield* Effect.forEach(["c", "a", "b", "a"], (name) => Kit.createStep(execution, name))
    yield* repository.updateStepExecution(execution, { ...steps[0]!, status: "COMPLETED" })
    const read = yield* repository.stepExecutions(execution.id)
    deepStrictEqual(read.map(({ id }) => id), steps.map(({ id }) => id))
  }),
  "the history of a step spans the executions of its instance (HAND-2, HAND-6, REPO-16)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const first = yield* Kit.launchFresh()
    const { instance } = first
    deepStrictEqual(yield* repository.flowHistory(instance), { steps: [], answers: [] })
    yield* Kit.createStep(first, "load")
    yield* Kit.createStep(first, "other")
    yield* repository.recordAnswer(first, { place: "more", round: "1", code: "YES" })
    yield* Kit.setStatus(first, "FAILED")
    const second = yield* Kit.launch(instance.jobName)
    const step = yield* Kit.createStep(second, "load", { checkpoint: { offset: 5 }, place: "load#2", round: "2.3" })
    yield* repository.recordAnswer(second, { place: "more", round: "1", code: "NO" })
    const elsewhere = yield* Kit.launch(instance.jobName, { parameters: [Kit.parameter("other", 1)] })
    yield* Kit.createStep(elsewhere, "load")
    const { answers, steps } = yield* repository.flowHistory(instance)
    deepStrictEqual(steps.map(({ place, round, stepName }) => [stepName, place, round]), [
      ["load", "load", "1"],
      ["other", "other", "1"],
      ["load", "load#2", "2.3"]
    ])
    deepStrictEqual(answers.map(({ code, place, round }) => [place, round, code]), [["more", "1", "YES"], [
      "more",
      "1",
      "NO"
    ]])
    deepStrictEqual(yield* repository.stepExecution(step.id), Option.some(step))
    deepStrictEqual(yield* repository.stepExecution(step.id + 1_000_000), Option.none())
    const lost = yield* Effect.flip(
      repository.recordAnswer({ ...second, epoch: second.epoch + 1 }, { place: "more", round: "2", code: "NO" })
    )
    assert.strictEqual(lost._tag, "OwnershipLost")
  })
}
