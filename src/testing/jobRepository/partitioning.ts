/**
 * Plans of partitions: stored once, taken once, taken again from the dead, and summed up.
 */
import { assert } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ClaimWitness } from "../../ports/JobRepository.js"
import { JobRepository } from "../../ports/JobRepository.js"
import * as Counts from "../../vocabulary/Counts.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import type { JobExecution } from "../../vocabulary/JobExecution.js"
import type { Cases } from "./kit.js"
import * as Kit from "./kit.js"

/** @internal */
export const alive = { isOwnerGone: () => false }

/** @internal */
export const request = { owner: "worker", leaseMillis: 60_000, ...alive }

/** A running parent with a step. */
const started = (jobName?: string) =>
  Effect.gen(function*() {
    const launched = yield* jobName === undefined ? Kit.launchFresh() : Kit.launch(jobName)
    const execution = yield* Kit.setStatus(launched, "STARTED")
    return { execution, step: yield* Kit.createStep(execution, "load") }
  })

/** @internal */
export const planned = (names: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const { partitions } = yield* JobRepository
    const { execution, step } = yield* started()
    const inputs = names.map((name, at) => ({ name, input: { at } }))
    yield* partitions.plan(execution, { id: step.id, stepName: "load", fingerprint: "f1" }, inputs)
    return { execution, step, planId: step.id, partitions }
  })

/** @internal */
export const claim = (planId: number) =>
  Effect.flatMap(JobRepository, ({ partitions }) => Effect.map(partitions.claim(planId, request), Option.getOrThrow))

/** @internal */
export const nextName = (planId: number) =>
  Effect.flatMap(
    JobRepository,
    ({ partitions }) =>
      Effect.map(
        partitions.claim(planId, request),
        Option.match({ onNone: () => undefined, onSome: ({ name }) => name })
      )
  )

/** Ends the parent as it is after a failure, and launches it again. @internal */
export const restarted = (execution: JobExecution, planId: number, witness: ClaimWitness = alive) =>
  Effect.gen(function*() {
    const { partitions } = yield* JobRepository
    yield* Kit.setStatus(execution, "FAILED")
    const again = yield* started(execution.instance.jobName)
    const plan = yield* partitions.resume(
      again.execution,
      { id: planId, stepExecutionId: again.step.id, fingerprint: "f2" },
      witness
    )
    return { ...again, plan }
  })

const write = (execution: JobExecution, count: number) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const step = yield* Kit.createStep(execution, "rows")
    yield* repository.updateStepExecution(execution, {
      ...step,
      counts: Counts.make({ read: count, write: count, commit: 1 }),
      status: "COMPLETED"
    })
    return step
  })

/** @internal */
export const partitioning: Cases = {
  "a plan is stored with its inputs, and read back by its id (PART-10)": Effect.gen(function*() {
    const { execution, partitions, planId, step } = yield* planned(["de", "fr"])
    deepStrictEqual(
      yield* partitions.find(planId),
      Option.some({
        id: planId,
        jobName: execution.instance.jobName,
        instanceId: execution.instance.id,
        executionId: execution.id,
        stepExecutionId: step.id,
        stepName: "load",
        fingerprint: "f1",
        size: 2,
        isOpen: true
      })
    )
    const states = yield* partitions.list(planId, alive)
    deepStrictEqual(states.map(({ input, name, standing }) => [name, input, standing]), [
      ["de", { at: 0 }, "waiting"],
      ["fr", { at: 1 }, "waiting"]
    ])
    deepStrictEqual(yield* partitions.find(-1), Option.none())
  }),
  "who has lost the execution stores no plan (PART-10, OWN-16)": Effect.gen(function*() {
    const { partitions } = yield* JobRepository
    const { execution, step } = yield* started()
    const plan = { id: step.id, stepName: "load", fingerprint: "f" }
    const error = yield* Effect.flip(
      partitions.plan({ ...execution, token: "stolen" }, plan, [{ name: "a", input: null }])
    )
    assert.strictEqual(error._tag, "OwnershipLost")
    deepStrictEqual(yield* partitions.find(step.id), Option.none())
    assert.strictEqual(yield* nextName(step.id), undefined)
  }),
  "partitions are taken in the order of the plan, each once, as executions of their own": Effect.gen(function*() {
    const { execution, partitions, planId } = yield* planned(["de", "fr", "es"])
    const first = yield* claim(planId)
    deepStrictEqual([first.name, first.input], ["de", { at: 0 }])
    assert.strictEqual(first.execution.instance.jobName, `${execution.instance.jobName}/load`)
    assert.strictEqual(first.execution.status, "STARTED")
    deepStrictEqual(first.execution.parent, { executionId: execution.id, instanceId: execution.instance.id })
    deepStrictEqual(
      first.execution.parameters.map(({ identifying, name, value }) => [name, value, identifying]),
      [["parentInstance", execution.instance.id, true], ["plan", planId, true], ["partition", "de", true]]
    )
    deepStrictEqual([yield* nextName(planId), yield* nextName(planId), yield* nextName(planId)], [
      "fr",
      "es",
      undefined
    ])
    const tally = yield* partitions.tally(planId, alive)
    assert.strictEqual(tally.running, 3)
  }),
  "of many who take at once each gets another one": Effect.gen(function*() {
    const names = Array.from({ length: 20 }, (_, at) => `p${at}`)
    const { planId } = yield* planned(names)
    const taken = yield* Effect.all(Array.from({ length: 24 }, () => nextName(planId)), { concurrency: "unbounded" })
    deepStrictEqual(taken.filter((name) => name !== undefined).sort(), [...names].sort())
  }),
  "nothing is taken unless the parent is STARTED and the plan open": Effect.gen(function*() {
    const repository = yield* JobRepository
    const { execution, partitions, planId } = yield* planned(["de"])
    const mine = (plans: ReadonlyArray<{ readonly id: number }>) => plans.map(({ id }) => id)
    const openPlans = Effect.map(partitions.openPlans([execution.instance.jobName, "another"]), mine)
    deepStrictEqual(yield* openPlans, [planId])
    deepStrictEqual(yield* partitions.openPlans([]), [])
    yield* partitions.close(planId, execution.id - 1)
    deepStrictEqual(yield* openPlans, [planId], "another execution has nothing to say")
    yield* partitions.close(planId, execution.id)
    assert.strictEqual(yield* nextName(planId), undefined)
    deepStrictEqual(yield* openPlans, [])
    yield* partitions.resume(execution, { id: planId, stepExecutionId: planId, fingerprint: "f" }, alive)
    yield* repository.requestStop(execution.id)
    assert.strictEqual(yield* nextName(planId), undefined)
    deepStrictEqual(yield* openPlans, [])
    yield* Kit.setStatus(execution, "STOPPED")
    assert.strictEqual(yield* nextName(planId), undefined)
  }),
  "a partition begins with a copy of the parent's context (PART-4)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const { execution, partitions, planId } = yield* planned(["de"])
    yield* repository.updateJobExecution({ ...execution, context: ExecutionContext.fromEntries({ day: "monday" }) })
    const { execution: child } = yield* claim(planId)
    assert.strictEqual(ExecutionContext.toJson(child.context), `{"day":"monday"}`)
    yield* Kit.setStatus({ ...child, context: ExecutionContext.fromEntries({ mine: 1 }) }, "FAILED")
    const again = yield* restarted(execution, planId)
    assert.isTrue(Option.isSome(again.plan))
    const second = yield* claim(planId)
    assert.strictEqual(ExecutionContext.toJson(second.execution.context), `{"mine":1}`)
    deepStrictEqual(yield* partitions.contexts(planId, { after: -1, limit: 10 }), [])
    yield* Kit.setStatus(second.execution, "COMPLETED")
    deepStrictEqual(
      (yield* partitions.contexts(planId, { after: -1, limit: 10 })).map(({ context, name, ordinal }) => [
        name,
        ordinal,
        JSON.parse(context)
      ]),
      [["de", 0, { mine: 1 }]]
    )
    deepStrictEqual(yield* partitions.contexts(planId, { after: 0, limit: 10 }), [])
  }),
  "a restart takes what is unfinished and nothing else, first what had begun (PART-4, PART-5)": Effect.gen(function*() {
    const { execution, partitions, planId } = yield* planned(["a", "b", "c", "d", "e"])
    const [a, b, c, d] = [yield* claim(planId), yield* claim(planId), yield* claim(planId), yield* claim(planId)]
    yield* Kit.setStatus(a.execution, "COMPLETED")
    yield* Kit.setStatus(b.execution, "FAILED")
    yield* Kit.setStatus(c.execution, "STOPPED")
    const before = yield* partitions.tally(planId, alive)
    deepStrictEqual([before.completed, before.failed, before.stopped, before.running, before.waiting], [1, 1, 1, 1, 1])
    deepStrictEqual(
      (yield* partitions.list(planId, alive)).map(({ executionId, exitCode, name, owner, standing }) => [
        name,
        standing,
        exitCode,
        Option.getOrNull(executionId),
        Option.isSome(owner)
      ]),
      [
        ["a", "completed", "COMPLETED", a.execution.id, true],
        ["b", "failed", "FAILED", b.execution.id, true],
        ["c", "stopped", "STOPPED", c.execution.id, true],
        ["d", "running", "UNKNOWN", d.execution.id, true],
        ["e", "waiting", "", null, false]
      ]
    )
    assert.strictEqual(yield* partitions.putUp(planId, alive), 0)
    const again = yield* restarted(execution, planId)
    const plan = Option.getOrThrow(again.plan)
    deepStrictEqual([plan.executionId, plan.fingerprint, plan.size], [again.execution.id, "f2", 5])
    const taken = [yield* claim(planId), yield* claim(planId), yield* claim(planId)]
    deepStrictEqual(taken.map(({ name }) => name), ["b", "c", "e"])
    deepStrictEqual(taken[0]!.execution.restartOf, Option.some(b.execution.id))
    deepStrictEqual(taken[0]!.execution.parent?.executionId, again.execution.id)
    assert.strictEqual(yield* nextName(planId), undefined)
    assert.strictEqual((yield* partitions.tally(planId, alive)).running, 4)
    yield* Kit.setStatus(d.execution, "FAILED")
    assert.strictEqual(yield* partitions.putUp(planId, alive), 1)
    assert.strictEqual(yield* nextName(planId), "d")
  }),
  "what a dead process held is taken again, before what is new": Effect.gen(function*() {
    const { partitions, planId } = yield* planned(["a", "b", "c"])
    const first = yield* claim(planId)
    yield* Kit.expireLease(first.execution)
    assert.strictEqual((yield* partitions.tally(planId, alive)).waiting, 3)
    assert.strictEqual(yield* partitions.putUp(planId, alive), 1)
    const second = yield* claim(planId)
    assert.strictEqual(second.name, "a")
    deepStrictEqual(second.execution.restartOf, Option.some(first.execution.id))
    const error = yield* Effect.flip(write(first.execution, 1))
    assert.strictEqual(error._tag, "OwnershipLost")
    assert.strictEqual(yield* partitions.putUp(planId, alive), 0)
    assert.strictEqual(yield* partitions.putUp(planId, { isOwnerGone: (owner) => owner === "worker" }), 1)
  }),
  "of a partition, too, the lease has ended when its length has passed, however far the clock was set back (OWN-20)":
    Effect
      .gen(function*() {
        const repository = yield* JobRepository
        const { partitions, planId } = yield* planned(["a"])
        const { execution } = yield* Effect.map(
          partitions.claim(planId, { ...request, leaseMillis: -1000 }),
          Option.getOrThrow
        )
        yield* repository.renewLease(execution, 3_600_000)
        assert.strictEqual(yield* partitions.putUp(planId, alive), 1)
        assert.strictEqual((yield* claim(planId)).name, "a")
      }),
  "who runs a part of what is stopped hears of it with the next heartbeat, whoever else is gone (STOP-1, PART-7)":
    Effect
      .gen(function*() {
        const repository = yield* JobRepository
        const { execution, planId } = yield* planned(["a", "b"])
        const [a, b] = [yield* claim(planId), yield* claim(planId)]
        yield* Kit.setStatus(a.execution, "STARTED")
        yield* Kit.setStatus(b.execution, "STARTED")
        assert.strictEqual(yield* repository.renewLease(a.execution, 60_000), "STARTED")
        yield* repository.requestStop(execution.id)
        assert.strictEqual(yield* repository.renewLease(a.execution, 60_000), "STOPPING")
        assert.strictEqual((yield* repository.jobExecution(a.execution.id)).status, "STOPPING")
        yield* Kit.setStatus(execution, "STOPPED")
        assert.strictEqual(yield* repository.renewLease(b.execution, 60_000), "STOPPING")
        yield* Kit.setStatus(b.execution, "COMPLETED")
        assert.strictEqual(yield* repository.renewLease(b.execution, 60_000), "COMPLETED")
        assert.strictEqual(yield* repository.renewLease(yield* Kit.launchFresh(), 60_000), "STARTING")
      }),
  "a partition that kills every process is given up (PART-7)": Effect.gen(function*() {
    const { partitions, planId } = yield* planned(["poison"])
    for (let death = 1; death <= 5; death++) {
      const { execution } = yield* claim(planId)
      yield* Kit.expireLease(execution)
      assert.strictEqual(yield* partitions.putUp(planId, alive), death < 5 ? 1 : 0)
    }
    assert.strictEqual((yield* partitions.tally(planId, alive)).failed, 1)
    assert.strictEqual(yield* nextName(planId), undefined)
  }),
  "a partition that killed processes in an earlier run of the parent has to kill as many again (PART-7)": Effect.gen(
    function*() {
      const { execution, partitions, planId } = yield* planned(["poison"])
      const die = Effect.flatMap(claim(planId), ({ execution }) => Kit.expireLease(execution))
      for (let death = 1; death <= 4; death++) {
        yield* die
        yield* partitions.putUp(planId, alive)
      }
      yield* restarted(execution, planId)
      for (let death = 1; death <= 5; death++) {
        yield* die
        assert.strictEqual(yield* partitions.putUp(planId, alive), death < 5 ? 1 : 0)
      }
    }
  ),
  "what ended badly waits for a restart, whether its process lives or not (PART-5)": Effect.gen(function*() {
    const { partitions, planId } = yield* planned(["a", "b"])
    const [a, b] = [yield* claim(planId), yield* claim(planId)]
    yield* Kit.setStatus(a.execution, "FAILED")
    yield* Kit.setStatus(b.execution, "STOPPED")
    assert.strictEqual(yield* partitions.putUp(planId, { isOwnerGone: () => true }), 0)
    assert.strictEqual(yield* nextName(planId), undefined)
  }),
  "who has lost the execution takes over no plan (PART-4, OWN-16)": Effect.gen(function*() {
    const { execution, partitions, planId } = yield* planned(["a"])
    yield* partitions.close(planId, execution.id)
    for (const zombie of [{ ...execution, token: "stolen" }, { ...execution, epoch: execution.epoch + 1 }]) {
      const plan = { id: planId, stepExecutionId: planId, fingerprint: "other" }
      const error = yield* Effect.flip(partitions.resume(zombie, plan, alive))
      assert.strictEqual(error._tag, "OwnershipLost")
    }
    const stored = Option.getOrThrow(yield* partitions.find(planId))
    deepStrictEqual([stored.fingerprint, stored.isOpen], ["f1", false])
  }),
  "what was put up although somebody has it is not taken twice": Effect.gen(function*() {
    const { partitions, planId } = yield* planned(["a", "b"])
    const first = yield* claim(planId)
    yield* partitions.putUp(planId, { isOwnerGone: () => true })
    assert.strictEqual(yield* nextName(planId), "b")
    assert.strictEqual(yield* nextName(planId), undefined)
    yield* Kit.setStatus(first.execution, "COMPLETED")
    assert.strictEqual((yield* partitions.tally(planId, alive)).completed, 1)
  }),
  "counts are the sums over all executions of all partitions (PART-6, PART-15)": Effect.gen(function*() {
    const { execution, partitions, planId } = yield* planned(["a", "b"])
    const [a, b] = [yield* claim(planId), yield* claim(planId)]
    yield* write(a.execution, 4)
    yield* write(b.execution, 1)
    yield* Kit.setStatus(a.execution, "COMPLETED")
    yield* Kit.setStatus(b.execution, "FAILED")
    deepStrictEqual(yield* partitions.counts(planId), Counts.make({ read: 5, write: 5, commit: 2 }))
    yield* restarted(execution, planId)
    const again = yield* claim(planId)
    yield* write(again.execution, 3)
    deepStrictEqual(yield* partitions.counts(planId), Counts.make({ read: 8, write: 8, commit: 3 }))
    const states = yield* partitions.list(planId, alive)
    deepStrictEqual(states.map(({ counts }) => counts.write), [4, 4])
    const [only] = yield* partitions.list(planId, alive, { standings: ["running"], limit: 1 })
    deepStrictEqual([only?.name, only?.owner], ["b", Option.some("worker")])
    deepStrictEqual(yield* partitions.counts(-1), Counts.empty)
  }),
  "partitions are listed under their parent, not among the jobs": Effect.gen(function*() {
    const repository = yield* JobRepository
    const { execution, planId } = yield* planned(["a", "b"])
    const first = yield* claim(planId)
    const second = yield* claim(planId)
    const children = [second.execution.id, first.execution.id]
    const jobName = `${execution.instance.jobName}/load`
    const ids = (found: ReadonlyArray<{ readonly id: number }>) => found.map(({ id }) => id)
    deepStrictEqual(ids(yield* repository.jobExecutions({ parentId: execution.id })), children)
    deepStrictEqual(ids(yield* repository.jobExecutions({ jobName })), children)
    deepStrictEqual(
      ids(yield* repository.jobExecutions({ limit: 2 })).filter((id) => children.includes(id)),
      []
    )
    deepStrictEqual(ids(yield* repository.jobExecutions({ limit: 2, partitions: true })), children)
    assert.notInclude(yield* repository.jobNames, jobName)
    deepStrictEqual((yield* repository.jobInstances({ limit: 3 })).filter((other) => other.jobName === jobName), [])
    assert.strictEqual((yield* repository.jobInstances({ jobName })).length, 2)
  }),
  "skipped records of partitions are those of their parent, too": Effect.gen(function*() {
    const repository = yield* JobRepository
    const { execution, planId } = yield* planned(["a", "b"])
    const [child, other] = [yield* claim(planId), yield* claim(planId)]
    const step = yield* Kit.createStep(child.execution, "rows")
    const otherStep = yield* Kit.createStep(other.execution, "rows")
    const own = yield* Kit.createStep(execution, "rows")
    yield* repository.addSkippedItems(step, [yield* Kit.skipped(step, "bad")])
    yield* repository.addSkippedItems(own, [yield* Kit.skipped(own, "own")])
    yield* repository.addSkippedItems(otherStep, [yield* Kit.skipped(otherStep, "bad")])
    deepStrictEqual(yield* Kit.messages(execution.id), ["bad", "own", "bad"])
    deepStrictEqual(yield* Kit.messages(child.execution.id), ["bad"])
    const page = (filter: { readonly after?: number; readonly limit?: number; readonly partitions?: boolean }) =>
      repository.skippedPage({ executionId: execution.id, stepName: "rows", ...filter })
    const first = yield* page({ limit: 2 })
    deepStrictEqual(first.map(({ message }) => message), ["bad", "own"])
    deepStrictEqual((yield* page({ after: first[1]!.id })).map(({ message }) => message), ["bad"])
    deepStrictEqual((yield* page({ partitions: false })).map(({ message }) => message), ["own"])
    const groups = (id: number) =>
      Effect.map(repository.skippedGroups(id), (found) => found.map(({ count, message }) => [message, count]))
    deepStrictEqual(yield* groups(execution.id), [["bad", 2], ["own", 1]])
    deepStrictEqual(yield* groups(other.execution.id), [["bad", 1]])
  }),
  "deleting takes an instance with its root only (REPO-14)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const { execution, partitions, planId } = yield* planned(["a", "b"])
    const child = yield* claim(planId)
    const parent = { executionId: execution.id, instanceId: execution.instance.id }
    const job = yield* Effect.flatMap(Kit.launchFresh({ parent }), (other) => Kit.setStatus(other, "COMPLETED"))
    yield* Kit.setStatus(execution, "FAILED")
    assert.strictEqual(yield* repository.deleteJobExecutions([execution.id]), 0)
    yield* Kit.setStatus(child.execution, "COMPLETED")
    assert.strictEqual(yield* repository.deleteJobExecutions([child.execution.id, job.id]), 0)
    assert.strictEqual(yield* repository.deleteJobExecutions([execution.id]), 3)
    deepStrictEqual(yield* partitions.find(planId), Option.none())
    deepStrictEqual(yield* repository.jobInstances({ jobName: child.execution.instance.jobName }), [])
    deepStrictEqual(yield* repository.jobExecutions({ instanceId: job.instance.id }), [])
  }),
  "what two roots have launched goes with the last of them (REPO-14)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const first = yield* Effect.flatMap(Kit.launchFresh(), (root) => Kit.setStatus(root, "FAILED"))
    const second = yield* Effect.flatMap(Kit.launchFresh(), (root) => Kit.setStatus(root, "FAILED"))
    const link = ({ id, instance }: JobExecution) => ({ executionId: id, instanceId: instance.id })
    const part = yield* Effect.flatMap(
      Kit.launchFresh({ parent: link(first) }),
      (launched) => Kit.setStatus(launched, "FAILED")
    )
    yield* Effect.flatMap(
      Kit.launch(part.instance.jobName, { parent: link(second) }),
      (launched) => Kit.setStatus(launched, "COMPLETED")
    )
    assert.strictEqual(yield* repository.deleteJobExecutions([first.id]), 1)
    assert.strictEqual((yield* repository.jobExecutions({ instanceId: part.instance.id })).length, 2)
    assert.strictEqual(yield* repository.deleteJobExecutions([second.id]), 3)
  })
}
