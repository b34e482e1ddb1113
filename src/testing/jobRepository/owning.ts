/**
 * Leases, take-over and the fence.
 */
import { assert } from "@effect/vitest"
import { deepStrictEqual } from "@effect/vitest/utils"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { JobRepository } from "../../ports/JobRepository.js"
import { Transactor } from "../../ports/Transactor.js"
import type { JobExecution } from "../../vocabulary/JobExecution.js"
import type { Cases } from "./kit.js"
import * as Kit from "./kit.js"

/** An execution with a running step whose owner is dead, and the one that took over. */
const takeover = Effect.gen(function*() {
  const dead = yield* Effect.flatMap(Kit.launchFresh({ owner: "dead" }), (first) => Kit.setStatus(first, "STARTED"))
  const ended = yield* Kit.createStep(dead, "first")
  yield* Effect.flatMap(
    JobRepository,
    (repository) => repository.updateStepExecution(dead, { ...ended, status: "COMPLETED" })
  )
  const step = yield* Kit.createStep(dead, "second")
  yield* Kit.expireLease(dead)
  const live = yield* Kit.launch(dead.instance.jobName, { owner: "live" })
  return { dead, ended, step, live }
})

const lost = <A, R>(executionId: number, effect: Effect.Effect<A, { readonly _tag: string }, R>) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert.strictEqual(error._tag, "OwnershipLost")
    assert.strictEqual((error as { readonly executionId?: number }).executionId, executionId)
  })

/** A length of a lease that has passed, whatever clock the store uses. */
const PASSED = -1000

/** What is stored when the clock is set back by an hour behind the last heartbeat. */
const clockSetBack = (execution: JobExecution) =>
  Effect.flatMap(JobRepository, (repository) => repository.renewLease(execution, 3_600_000))

/** @internal */
export const owning: Cases = {
  "a launch takes over from an owner whose lease has expired and buries what it left (D16)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const { dead, ended, live, step } = yield* takeover
    const now = yield* DateTime.now
    const buried = yield* repository.jobExecution(dead.id)
    assert.strictEqual(buried.status, "FAILED")
    assert.strictEqual(buried.exitStatus.code, "OWNER_DIED")
    deepStrictEqual(buried.endTime, Option.some(now))
    assert.isAbove(buried.epoch, dead.epoch)
    assert.strictEqual((yield* Kit.storedStep(ended))?.status, "COMPLETED")
    const buriedStep = yield* Kit.storedStep(step)
    assert.strictEqual(buriedStep?.status, "FAILED")
    assert.strictEqual(buriedStep?.exitStatus.code, "OWNER_DIED")
    deepStrictEqual(buriedStep?.endTime, Option.some(now))
    deepStrictEqual(live.restartOf, Option.some(dead.id))
    deepStrictEqual(live.owner, Option.some("live"))
  }),
  "an owner that is known to be gone is taken over before its lease expires": Effect.gen(function*() {
    const first = yield* Kit.launchFresh({ owner: "gone" })
    const second = yield* Kit.launch(first.instance.jobName, { isOwnerGone: (owner) => owner === "gone" })
    deepStrictEqual(second.restartOf, Option.some(first.id))
  }),
  "a claim that was given up is taken back by who made it, before its lease ends (OWN-21)": Effect.gen(function*() {
    const first = yield* Kit.launchFresh()
    const takeBack = (token: string | undefined) =>
      Kit.launch(first.instance.jobName, { hasGivenUp: (other) => other === token })
    const error = yield* Effect.flip(takeBack("the secret of another claim"))
    assert.strictEqual(error._tag, "JobExecutionAlreadyRunning")
    const second = yield* takeBack(first.token)
    deepStrictEqual(second.restartOf, Option.some(first.id))
    yield* lost(first.id, Effect.flatMap(JobRepository, (repository) => repository.renewLease(first, 60_000)))
  }),
  "a lease that would end later than its own length from now is cut to it, and its owner keeps it (OWN-20)": Effect.gen(
    function*() {
      const repository = yield* JobRepository
      const first = yield* Kit.launchFresh({ leaseMillis: 60_000 })
      yield* clockSetBack(first)
      const error = yield* Effect.flip(Kit.launch(first.instance.jobName))
      assert.strictEqual(error._tag, "JobExecutionAlreadyRunning")
      const left = error._tag === "JobExecutionAlreadyRunning" ? error.leaseLeftMillis ?? 0 : 0
      assert.isAtMost(left, 60_000)
      assert.isAbove(left, 0)
      assert.strictEqual(yield* repository.renewLease(first, 60_000), "STARTING")
    }
  ),
  "a lease has ended when its length has passed, however far the clock was set back (OWN-20)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const [launched, recovered] = yield* Effect.all([
      Kit.launchFresh({ leaseMillis: PASSED }),
      Kit.launchFresh({ leaseMillis: PASSED })
    ])
    yield* clockSetBack(recovered)
    const found = yield* repository.expiredExecutions({ isOwnerGone: () => false })
    assert.isTrue(found.some(({ id }) => id === recovered.id))
    yield* clockSetBack(launched)
    const second = yield* Kit.launch(launched.instance.jobName)
    deepStrictEqual(second.restartOf, Option.some(launched.id))
  }),
  "an execution that a process has given up is dead for this process only (RECOVER-1, OWN-21)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const { id, token } = yield* Kit.launchFresh()
    const isDeadFor = (mine: string | undefined) =>
      Effect.map(
        repository.expiredExecutions({ isOwnerGone: () => false, hasGivenUp: (other) => other === mine }),
        (found) => found.some((other) => other.id === id)
      )
    assert.isTrue(yield* isDeadFor(token))
    assert.isFalse(yield* isDeadFor("the secret of another claim"))
  }),
  "what a step saves renews its lease when that runs out, and nobody else's (D16, OWN-16)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const execution = yield* Kit.launchFresh({ leaseMillis: 100_000 })
    const step = yield* Kit.createStep(execution, "load")
    yield* repository.renewLease(execution, 20_000)
    for (const zombie of [{ ...execution, token: "stolen" }, { ...execution, epoch: execution.epoch + 1 }]) {
      yield* lost(execution.id, repository.updateStepExecution(zombie, step))
      assert.isAtMost(yield* Kit.leaseLeftMillis(execution), 20_000)
    }
    yield* repository.updateStepExecution(execution, step)
    assert.isAbove(yield* Kit.leaseLeftMillis(execution), 90_000)
  }),
  "the burial of a dead owner's execution stays although the launch is refused (LAUNCH-5)": Effect.gen(function*() {
    const repository = yield* JobRepository
    const first = yield* Kit.launchFresh()
    yield* Kit.expireLease(first)
    const error = yield* Effect.flip(Kit.launch(first.instance.jobName, { restartable: false }))
    assert.strictEqual(error._tag, "JobRestartRefused")
    assert.strictEqual((yield* repository.jobExecution(first.id)).exitStatus.code, "OWNER_DIED")
  }),
  "after a take-over the old owner can write nothing": Effect.gen(function*() {
    const repository = yield* JobRepository
    const { dead, ended, live, step } = yield* takeover
    const before = yield* repository.stepExecutions(dead.id)
    yield* lost(dead.id, repository.updateJobExecution({ ...dead, status: "COMPLETED" }))
    yield* lost(dead.id, repository.updateStepExecution(dead, { ...step, status: "COMPLETED" }))
    yield* lost(dead.id, repository.updateStepExecution(dead, { ...ended, status: "STARTED" }))
    yield* lost(dead.id, repository.renewLease(dead, 60_000))
    yield* lost(dead.id, Kit.createStep(dead, "third"))
    yield* lost(dead.id, repository.recordAnswer(dead, { place: "more", round: "1", code: "YES" }))
    assert.strictEqual((yield* repository.jobExecution(dead.id)).exitStatus.code, "OWNER_DIED")
    deepStrictEqual(yield* repository.stepExecutions(dead.id), before)
    deepStrictEqual((yield* repository.flowHistory(dead.instance)).answers, [])
    assert.strictEqual(yield* repository.renewLease(live, 60_000), "STARTING")
  }),
  "a zombie in an open transaction rolls back": Effect.gen(function*() {
    const repository = yield* JobRepository
    const { transact } = yield* Transactor
    const { dead, step } = yield* takeover
    const item = yield* Kit.skipped(step, "from the dead")
    const zombie = transact(
      Effect.zipRight(repository.addSkippedItems(step, [item]), repository.updateStepExecution(dead, step))
    )
    yield* lost(dead.id, zombie)
    deepStrictEqual(yield* Kit.messages(dead.id), [])
  }),
  "a save that follows other commits or rollbacks than those that are stored writes nothing": Effect.gen(function*() {
    const repository = yield* JobRepository
    const first = yield* Kit.launchFresh()
    const step = yield* Kit.createStep(first, "load")
    const committed = { ...step, counts: { ...step.counts, read: 5, commit: 1 } }
    const rolledBack = { ...step, counts: { ...step.counts, rollback: 1 } }
    yield* repository.updateStepExecution(first, committed, step)
    yield* lost(first.id, repository.updateStepExecution(first, rolledBack, step))
    yield* lost(first.id, repository.updateStepExecution(first, committed, rolledBack))
    for (const counts of [{ commit: 2 }, { rollback: 1 }]) {
      const other = { ...committed, counts: { ...committed.counts, ...counts } }
      yield* lost(first.id, repository.updateStepExecution(first, committed, other))
    }
    deepStrictEqual((yield* Kit.storedStep(step))?.counts, committed.counts)
    yield* repository.updateStepExecution(first, rolledBack, committed)
    deepStrictEqual((yield* Kit.storedStep(step))?.counts, rolledBack.counts)
  }),
  "an owner with the numbers of another claim passes no fence, the one-message commit included (OWN-16)": Effect.gen(
    function*() {
      const repository = yield* JobRepository
      const mine = yield* Kit.launchFresh()
      const step = yield* Kit.createStep(mine, "load", { place: "load", round: "1" })
      const other = yield* Kit.launchFresh()
      assert.notStrictEqual(mine.token, other.token)
      // As a database gives them out again that has lost its last commits: id and epoch are those of the other claim.
      for (const token of [other.token, "", undefined]) {
        const zombie = { ...mine, token }
        yield* lost(mine.id, repository.updateJobExecution({ ...zombie, status: "STARTED" }))
        yield* lost(mine.id, repository.renewLease(zombie, 60_000))
        yield* lost(mine.id, repository.recordAnswer(zombie, { place: "more", round: "1", code: "YES" }))
        // One that is there already is not given away either.
        for (const stepName of ["more", "load"]) {
          yield* lost(
            mine.id,
            repository.createStepExecution(zombie, {
              stepName,
              place: stepName,
              round: "1",
              context: step.context,
              checkpoint: Option.none()
            })
          )
        }
        const counts = { ...step.counts, commit: 1 }
        yield* lost(mine.id, repository.updateStepExecution(zombie, { ...step, counts }, step))
        yield* lost(mine.id, repository.updateStepExecution(zombie, { ...step, counts }))
      }
      deepStrictEqual((yield* Kit.storedStep(step))?.counts, step.counts)
      deepStrictEqual((yield* repository.flowHistory(mine.instance)).answers, [])
      assert.isUndefined((yield* repository.jobExecution(mine.id)).token, "nobody reads the secret")
      assert.strictEqual(yield* repository.updateStepExecution(mine, step, step), "STARTING")
    }
  ),
  "a lease that is renewed keeps the execution": Effect.gen(function*() {
    const repository = yield* JobRepository
    const first = yield* Kit.launchFresh()
    yield* Kit.expireLease(first)
    assert.strictEqual(yield* repository.renewLease(first, 60_000), "STARTING")
    const error = yield* Effect.flip(Kit.launch(first.instance.jobName))
    assert.strictEqual(error._tag, "JobExecutionAlreadyRunning")
  }),
  "saving a step renews a lease that is running out": Effect.gen(function*() {
    const repository = yield* JobRepository
    const first = yield* Kit.launchFresh({ leaseMillis: 3_600_000 })
    const step = yield* Kit.createStep(first, "load")
    yield* Kit.expireLease(first)
    yield* repository.updateStepExecution(first, step)
    const error = yield* Effect.flip(Kit.launch(first.instance.jobName))
    assert.isAbove(error._tag === "JobExecutionAlreadyRunning" ? error.leaseLeftMillis ?? 0 : 0, 2_700_000)
  }),
  "dead executions are found, live and ended ones are not": Effect.gen(function*() {
    const repository = yield* JobRepository
    const [live, expired, gone, ended] = yield* Effect.all([
      Kit.launchFresh({ owner: "live" }),
      Kit.launchFresh({ owner: "expired" }),
      Kit.launchFresh({ owner: "gone" }),
      Kit.launchFresh({ owner: "gone" })
    ])
    yield* Kit.expireLease(expired)
    yield* Kit.setStatus(ended, "COMPLETED")
    const found = yield* repository.expiredExecutions({ isOwnerGone: (owner) => owner === "gone" })
    const ids = found.map(({ id }) => id)
    deepStrictEqual([live, expired, gone, ended].map(({ id }) => ids.includes(id)), [false, true, true, false])
  }),
  "all dead executions are found, however many there are, and lists without a limit end with the hundredth (P2)": Effect
    .gen(function*() {
      const repository = yield* JobRepository
      const jobName = yield* Kit.freshName
      const numbers = Array.from({ length: 120 }, (_, index) => index)
      const dead = yield* Effect.forEach(
        numbers,
        (n) => Kit.launch(jobName, { owner: "gone", parameters: [Kit.parameter("n", n)] })
      )
      const found = yield* repository.expiredExecutions({ isOwnerGone: (owner) => owner === "gone" })
      const ids = new Set(found.map(({ id }) => id))
      deepStrictEqual(dead.filter(({ id }) => !ids.has(id)), [])
      const newest = dead.slice(-100).reverse()
      deepStrictEqual((yield* repository.jobExecutions({ jobName })).map(({ id }) => id), newest.map(({ id }) => id))
      deepStrictEqual(
        (yield* repository.jobInstances({ jobName })).map(({ id }) => id),
        newest.map(({ instance }) => instance.id)
      )
    })
}
