/**
 * What people look at: pages of skipped records, executions by time, steps of many, what was done and told.
 */
import { assert } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import type { SkippedFilter } from "../../ports/JobRepository.js"
import { JobRepository } from "../../ports/JobRepository.js"
import type { SkipPhase } from "../../vocabulary/SkippedItem.js"
import type { Cases } from "./kit.js"
import * as Kit from "./kit.js"

/** One execution with two steps, and one beside it, all with skipped records. */
const skipping = Effect.gen(function*() {
  const repository = yield* JobRepository
  const execution = yield* Kit.launchFresh()
  const [load, check] = [yield* Kit.createStep(execution, "load"), yield* Kit.createStep(execution, "check")]
  const item = (message: string, errorTag: string, phase: SkipPhase = "process") =>
    Effect.map(Kit.skipped(load, message), (skipped) => ({ ...skipped, errorTag, phase }))
  yield* repository.addSkippedItems(load, [
    yield* item("no date", "BadRow"),
    yield* item("no amount", "BadRow"),
    yield* item("no date", "BadRow", "write")
  ])
  yield* repository.addSkippedItems(check, [{ ...(yield* item("no date", "Late")), stepName: "check" }])
  yield* repository.addSkippedItems(load, [yield* item("no date", "BadRow"), yield* item("no date", "BadRow")])
  const elsewhere = yield* Kit.launchFresh()
  const other = yield* Kit.createStep(elsewhere, "load")
  yield* repository.addSkippedItems(other, [yield* Kit.skipped(other, "no date")])
  return { repository, execution }
})

/** @internal */
export const viewing: Cases = {
  "skipped records are paged, of all or of one group (SKIP-12)": Effect.gen(function*() {
    const { execution, repository } = yield* skipping
    const page = (filter: Omit<SkippedFilter, "executionId">) =>
      repository.skippedPage({ executionId: execution.id, ...filter })
    const all = yield* page({})
    deepStrictEqual(
      all.map(({ id: _, ...item }) => item),
      yield* repository.skippedItems(execution.id)
    )
    const first = yield* page({ limit: 4 })
    const second = yield* page({ limit: 4, after: first.at(-1)!.id })
    deepStrictEqual([...first, ...second], all)
    deepStrictEqual(yield* page({ after: second.at(-1)!.id }), [])
    const indexes = (filter: Omit<SkippedFilter, "executionId">) =>
      Effect.map(page(filter), (items) => items.map(({ id }) => all.findIndex((item) => item.id === id)))
    deepStrictEqual(yield* indexes({ errorTag: "BadRow" }), [0, 1, 2, 4, 5])
    deepStrictEqual(yield* indexes({ stepName: "check" }), [3])
    deepStrictEqual(yield* indexes({ phase: "write" }), [2])
    deepStrictEqual(yield* indexes({ message: "no date", phase: "process", errorTag: "BadRow" }), [0, 4, 5])
    deepStrictEqual(yield* indexes({ message: "no date' or '1' = '1" }), [])
  }),
  "skipped records are grouped by step, phase, error and message, the most frequent first (SKIP-12)": Effect.gen(
    function*() {
      const { execution, repository } = yield* skipping
      const all = yield* repository.skippedPage({ executionId: execution.id })
      const groups = yield* repository.skippedGroups(execution.id)
      deepStrictEqual(
        groups.map(({ firstId, ...group }) => ({ ...group, first: all.findIndex(({ id }) => id === firstId) })),
        [
          { stepName: "load", phase: "process", errorTag: "BadRow", message: "no date", count: 3, first: 0 },
          { stepName: "load", phase: "process", errorTag: "BadRow", message: "no amount", count: 1, first: 1 },
          { stepName: "load", phase: "write", errorTag: "BadRow", message: "no date", count: 1, first: 2 },
          { stepName: "check", phase: "process", errorTag: "Late", message: "no date", count: 1, first: 3 }
        ]
      )
      deepStrictEqual(yield* repository.skippedGroups(execution.id, 1), groups.slice(0, 1))
      const step = yield* Kit.createStep(yield* Kit.launchFresh(), "load")
      deepStrictEqual(yield* repository.skippedGroups(step.jobExecutionId), [])
    }
  ),
  "what was skipped and done is listed up to the hundredth where no limit is given (FTC-16, REPO-14)": Effect.gen(
    function*() {
      const repository = yield* JobRepository
      const execution = yield* Kit.launchFresh()
      const step = yield* Kit.createStep(execution, "load")
      const items = yield* Effect.forEach(Array.from({ length: 101 }), (_, n) => Kit.skipped(step, `bad ${1000 + n}`))
      yield* repository.addSkippedItems(step, items)
      const createTime = yield* DateTime.now
      const entry = { executionId: execution.id, jobName: execution.instance.jobName, who: "ada", outcome: "done" }
      yield* Effect.forEach(items, ({ message: what }) => repository.recordAudit({ ...entry, what, createTime }))
      const messages = items.map(({ message }) => message)
      const [page, groups, audit] = yield* Effect.all([
        repository.skippedPage({ executionId: execution.id }),
        repository.skippedGroups(execution.id),
        repository.audit({ executionId: execution.id })
      ])
      deepStrictEqual(page.map(({ message }) => message), messages.slice(0, 100))
      deepStrictEqual(groups.map(({ message }) => message), messages.slice(0, 100))
      deepStrictEqual(audit.map(({ what }) => what), messages.slice(1).reverse())
    }
  ),
  "executions are listed by the time of their creation and of their last change (EXPL-1)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const jobName = yield* Kit.freshName
    const at = DateTime.now
    const first = yield* Kit.launch(jobName)
    yield* TestClock.adjust("1 minutes")
    const between = yield* at
    const second = yield* Kit.launch(jobName, { parameters: [Kit.parameter("other", 1)] })
    yield* TestClock.adjust("1 minutes")
    const later = yield* at
    yield* Kit.setStatus(first, "FAILED")
    const list = (filter: Parameters<typeof repository.jobExecutions>[0]) =>
      Effect.map(repository.jobExecutions({ jobName, ...filter }), (found) => found.map(({ id }) => id))
    deepStrictEqual(yield* list({ createdFrom: between }), [second.id])
    deepStrictEqual(yield* list({ createdTo: between }), [first.id])
    deepStrictEqual(yield* list({ createdFrom: first.createTime, createdTo: later }), [second.id, first.id])
    deepStrictEqual(yield* list({ changedSince: between }), [second.id, first.id])
    deepStrictEqual(yield* list({ changedSince: later }), [first.id])
    deepStrictEqual(yield* list({ changedSince: DateTime.add(later, { millis: 1 }) }), [])
  }),
  "the steps of many executions are read at once, oldest first (EXEC-10)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const [one, two, three] = [yield* Kit.launchFresh(), yield* Kit.launchFresh(), yield* Kit.launchFresh()]
    const steps = yield* Effect.forEach([two, one, three, one], (execution) => Kit.createStep(execution, "load"))
    const found = yield* repository.stepExecutionsOf([one.id, two.id])
    deepStrictEqual(found.map(({ id }) => id), [steps[0]!.id, steps[1]!.id, steps[3]!.id])
    deepStrictEqual(found[0], yield* Kit.storedStep(steps[0]!))
    deepStrictEqual(yield* repository.stepExecutionsOf([]), [])
    deepStrictEqual((yield* repository.stepExecutionsOf([...Array(3000).keys()].map((id) => -id))).length, 0)
  }),
  "what was done to an execution is kept with it, newest first, and goes with it (REPO-14)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const execution = yield* Kit.launchFresh()
    const createTime = yield* DateTime.now
    const entry = (what: string, executionId?: number) => ({
      executionId,
      jobName: execution.instance.jobName,
      who: "ada <ada@example.org>",
      what,
      outcome: "done",
      createTime
    })
    yield* repository.recordAudit(entry("stop", execution.id))
    yield* repository.recordAudit(entry("restart", execution.id))
    yield* repository.recordAudit(entry("launch"))
    deepStrictEqual(yield* repository.audit({ executionId: execution.id }), [
      entry("restart", execution.id),
      entry("stop", execution.id)
    ])
    deepStrictEqual(yield* repository.audit({ limit: 1 }), [entry("launch")])
    yield* Kit.setStatus(execution, "COMPLETED")
    assert.strictEqual(yield* repository.deleteJobExecutions([execution.id]), 1)
    deepStrictEqual(yield* repository.audit({ executionId: execution.id }), [])
  }),
  "what was told is remembered once per subject and kind": Effect.gen(function*() {
    const repository = yield* JobRepository
    const [one, two] = [yield* Kit.freshName, yield* Kit.freshName]
    yield* repository.recordNotice({ subject: one, kind: "failed" })
    yield* repository.recordNotice({ subject: one, kind: "failed" })
    yield* repository.recordNotice({ subject: two, kind: "late" })
    const told = yield* repository.notices([one, two, "nobody"])
    deepStrictEqual([...told].sort((a) => a.subject === one ? -1 : 1), [
      { subject: one, kind: "failed" },
      { subject: two, kind: "late" }
    ])
    deepStrictEqual(yield* repository.notices([]), [])
  }),
  "what was told is forgotten by age, subject and kind, and with the execution that it is about": Effect.gen(
    function*() {
      const repository = yield* JobRepository
      const execution = yield* Kit.launchFresh()
      const [name, other] = [yield* Kit.freshName, `execution ${execution.id}`]
      const kinds = (subject: string) =>
        Effect.map(repository.notices([subject]), (found) => found.map(({ kind }) => kind).sort())
      const tell = (subject: string, kind: string) => repository.recordNotice({ subject, kind })
      yield* tell(name, "late")
      yield* tell(name, "failed")
      yield* tell(other, "failed")
      yield* TestClock.adjust("1 minutes")
      const later = yield* DateTime.now
      yield* tell(name, "stalled")
      yield* repository.forgetNotices({ subject: name, kind: "late", before: later })
      deepStrictEqual(yield* kinds(name), ["failed", "stalled"])
      yield* repository.forgetNotices({ subject: name, before: later })
      deepStrictEqual([yield* kinds(name), yield* kinds(other)], [["stalled"], ["failed"]])
      yield* Kit.setStatus(execution, "COMPLETED")
      yield* repository.deleteJobExecutions([execution.id])
      deepStrictEqual(yield* kinds(other), [])
    }
  ),
  "the leases of what runs are known, and what is left of them (OWN-18)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const leaseOf = (id: number) =>
      Effect.map(repository.leases, (found) => found.find(({ executionId }) => executionId === id))
    const execution = yield* Kit.launchFresh({ leaseMillis: 60_000 })
    const lease = yield* leaseOf(execution.id)
    assert.strictEqual(lease?.lengthMillis, 60_000)
    assert.isAtMost(lease?.leftMillis ?? Infinity, 60_000)
    assert.isAbove(lease?.leftMillis ?? 0, 20_000)
    yield* Kit.expireLease(execution)
    assert.isAtMost((yield* leaseOf(execution.id))?.leftMillis ?? 0, 0)
    yield* Kit.setStatus(execution, "COMPLETED")
    assert.isUndefined(yield* leaseOf(execution.id))
  })
}
