/**
 * Drivers with one flaw each, and what the simulation has to say about them.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Encoded } from "../../src/ports/JobRepository.js"
import * as Counts from "../../src/vocabulary/Counts.js"
import type { Flaws } from "./simulation.js"

/** Whoever was taken over writes on. */
const noFence = (driver: Encoded): Encoded => {
  const tokens = new Map<number, string>()
  const fenceOf = (id: number) =>
    Effect.map(driver.findJobExecutions({ ids: [id] }), ([row]) => ({
      epoch: row?.epoch ?? -1,
      token: tokens.get(id) ?? ""
    }))
  const epochOf = (stored: unknown) => (stored as { readonly epoch: number }).epoch
  return {
    ...driver,
    insertJobExecution: (row, leaseMillis, token) =>
      Effect.tap(driver.insertJobExecution(row, leaseMillis, token), (id) => Effect.sync(() => tokens.set(id, token))),
    updateStepExecution: (row, { token }) =>
      Effect.flatMap(
        driver.findStepExecution(row.id),
        (stored) => driver.updateStepExecution(row, { epoch: epochOf(stored), token })
      ),
    renewLease: (id, _fence, leaseMillis) =>
      Effect.flatMap(fenceOf(id), (fence) => driver.renewLease(id, fence, leaseMillis)),
    updateJobExecution: (row, _fence, releaseLease) =>
      Effect.flatMap(fenceOf(row.id), (fence) => driver.updateJobExecution(row, fence, releaseLease))
  }
}

/** Whoever goes on with a plan takes what is complete once more. */
const adoptedTwice = (driver: Encoded): Encoded => ({
  ...driver,
  launchHistory: (instanceId) =>
    Effect.flatMap(
      driver.launchHistory(instanceId),
      (rows) =>
        Effect.succeed(
          rows.filter(({ parentExecutionId, status }) => parentExecutionId === null || status !== "COMPLETED")
        )
    ),
  partitions: {
    ...driver.partitions,
    findStates: (planId, page) =>
      Effect.map(
        driver.partitions.findStates(planId, { ...page, unsettled: false }),
        (rows) => rows.map((row) => row.status === "COMPLETED" && !row.isOfThisRun ? { ...row, status: "FAILED" } : row)
      )
  }
})

/** What a partition counted before its process died, the sum counts again with its successor. */
const countedTwice = (driver: Encoded): Encoded => ({
  ...driver,
  partitions: {
    ...driver.partitions,
    sumCounts: (planId) =>
      Effect.gen(function*() {
        const sum = yield* driver.partitions.sumCounts(planId)
        const rows = yield* driver.partitions.findStates(planId, { after: -1, limit: 1000, unsettled: false })
        const newest = yield* Effect.forEach(
          rows.flatMap(({ executionId }) => executionId ?? []),
          (id) => driver.findStepExecutions(id)
        )
        const last = newest.flat().map((step) => Counts.make({ read: step.readCount, write: step.writeCount }))
        const before = Counts.make({
          read: sum.read - Counts.combineAll(last).read,
          write: sum.write - Counts.combineAll(last).write
        })
        return Counts.combineAll([sum, before])
      })
  }
})

/** Only the execution that was asked to stop hears of it. */
const notPassedOn = (driver: Encoded): Encoded => {
  const deaf = (id: number) =>
    Effect.map(driver.findJobExecutions({ ids: [id] }), ([row]) => row !== undefined && row.parentExecutionId !== null)
  const unless = (id: number, answer: Effect.Effect<Option.Option<string>, any>) =>
    Effect.zipWith(
      deaf(id),
      answer,
      (isDeaf, status) => Option.map(status, (status) => isDeaf && status === "STOPPING" ? "STARTED" : status)
    )
  return {
    ...driver,
    renewLease: (id, ...rest) => unless(id, driver.renewLease(id, ...rest)),
    updateStepExecution: (row, ...rest) => unless(row.jobExecutionId, driver.updateStepExecution(row, ...rest)),
    updateJobExecution: (row, ...rest) => unless(row.id, driver.updateJobExecution(row, ...rest))
  }
}

/** `seed`: one that shows it; others do, too. */
interface Planted {
  readonly flaws: Flaws
  readonly says: RegExp
  readonly seed: number
}

const TWICE = /was written [2-9] times/

export const planted: Readonly<Record<string, Planted>> = {
  "a driver without a fence": { flaws: { driver: noFence }, says: TWICE, seed: 40 },
  "a claim without a lock": { flaws: { isUnlocked: true }, says: TWICE, seed: 7 },
  "a completed partition that is run once more": { flaws: { driver: adoptedTwice }, says: TWICE, seed: 2 },
  "a sum that counts a partition twice": { flaws: { driver: countedTwice }, says: /the step says/, seed: 2 },
  "a stop that is not passed on": { flaws: { driver: notPassedOn }, says: /behind the request to stop/, seed: 18 }
}
