/**
 * What all drivers share about partitions: pages of any number of them, and claims that fail half-way.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { JobRepository } from "../../src/index.js"
import { BatchError } from "../../src/index.js"
import type { Encoded } from "../../src/ports/JobRepository.js"
import * as MemoryDriver from "../../src/ports/memoryDriver.js"
import { makePartitions } from "../../src/ports/partitions.js"
import type { PartitionStateRow } from "../../src/ports/partitionsDriver.js"
import * as Kit from "../../src/testing/jobRepository/kit.js"

const rows = (count: number): ReadonlyArray<PartitionStateRow> =>
  Array.from({ length: count }, (_, n) => ({
    id: n,
    // There are gaps where others have settled.
    ordinal: 2 * n,
    name: `p${n}`,
    input: "null",
    instanceId: n,
    isWaiting: false,
    status: n % 3 === 0 ? "FAILED" : "STARTED",
    isOfThisRun: false,
    isOrphaned: false,
    deaths: 0,
    executionId: n,
    exitCode: "",
    exitMessage: "",
    owner: "other",
    token: null,
    startTime: null,
    endTime: null
  }))

/** Looks at so many partitions, which no driver could keep in one page. */
const over = (count: number) => {
  const all = rows(count)
  const putUp: Array<number> = []
  const driver = {
    transact: (effect: Effect.Effect<unknown>) => effect,
    limitLeases: Effect.void,
    partitions: {
      findStates: (_: number, { after, limit }: { readonly after: number; readonly limit: number }) =>
        Effect.sync(() => all.filter(({ ordinal }) => ordinal > after).slice(0, limit)),
      putUp: (ids: ReadonlyArray<number>) => Effect.sync(() => void putUp.push(...ids)),
      countsOf: () => Effect.succeed(new Map())
    }
  } as unknown as Encoded
  return { putUp, partitions: makePartitions(driver, () => Effect.die("nothing is launched")) }
}

it.effect("all partitions are listed and put up, however many pages they fill (PART-5)", () =>
  Effect.gen(function*() {
    for (const count of [0, 1, 999, 1000, 1001, 2500]) {
      const { partitions, putUp } = over(count)
      const failed = Math.ceil(count / 3)
      const names = (yield* partitions.list(1, request, { limit: 5000 })).map(({ name }) => name)
      assert.deepStrictEqual(names, rows(count).map(({ name }) => name))
      const waiting = yield* partitions.list(1, request, { limit: 5000, standings: ["waiting"] })
      assert.strictEqual(waiting.length, failed)
      assert.strictEqual(yield* partitions.putUp(1, { isOwnerGone: () => false }), failed)
      assert.deepStrictEqual(putUp, rows(count).filter(({ status }) => status === "FAILED").map(({ id }) => id))
    }
  }))

it.effect.prop(
  "a page begins behind an ordinal and ends with its limit",
  [FastCheck.nat(30), FastCheck.integer({ min: -1, max: 60 }), FastCheck.integer({ min: 1, max: 10 })],
  ([count, after, limit]) =>
    Effect.gen(function*() {
      const listed = yield* over(count).partitions.list(1, request, { after, limit })
      assert.deepStrictEqual(
        listed.map(({ ordinal }) => ordinal),
        rows(count).map(({ ordinal }) => ordinal).filter((ordinal) => ordinal > after).slice(0, limit)
      )
    })
)

const planned = (repository: (typeof JobRepository.JobRepository)["Service"], names: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const execution = yield* Kit.setStatus(yield* Kit.launchFresh(), "STARTED")
    const { id } = yield* Kit.createStep(execution, "load")
    const inputs = names.map((name) => ({ name, input: null }))
    yield* repository.partitions.plan(execution, { id, stepName: "load", fingerprint: "f" }, inputs)
    return id
  }).pipe(Effect.provideService(JobRepository.JobRepository, repository))

const request = { owner: "worker", leaseMillis: 1000, isOwnerGone: () => false }

it.effect("a claim that fails half-way has taken nothing, wherever that is (PART-5)", () =>
  Effect.gen(function*() {
    const { driver } = yield* MemoryDriver.make
    const away = new BatchError.JobRepositoryError({ operation: "claim", reason: "transient", detail: "away" })
    let failing = ""
    /** Fails before it does anything, or when it has done it. */
    const breaking = <A extends object>(part: A): A =>
      Object.fromEntries(
        Object.entries(part).map(([name, call]) => [
          name,
          typeof call !== "function" || name === "transact" ?
            call :
            (...given: ReadonlyArray<unknown>) =>
              failing === `before ${name}`
                ? Effect.fail(away)
                : failing === `behind ${name}`
                ? Effect.zipRight(call(...given), Effect.fail(away))
                : call(...given)
        ])
      ) as A
    const repository = JobRepository.makeEncoded({
      ...breaking(driver),
      partitions: breaking(driver.partitions)
    })
    const { partitions } = repository
    const planId = yield* planned(repository, ["a"])
    const before = yield* repository.jobExecutions({ partitions: true })
    for (const call of ["take", "lockInstance", "launchHistory", "insertJobExecution", "setInstance"]) {
      for (const place of ["before", "behind"]) {
        failing = `${place} ${call}`
        assert.strictEqual((yield* Effect.flip(partitions.claim(planId, request))).reason, "transient")
        failing = ""
        assert.strictEqual((yield* partitions.tally(planId, request)).waiting, 1, `${place} ${call}`)
        assert.deepStrictEqual(yield* repository.jobExecutions({ partitions: true }), before, `${place} ${call}`)
        assert.lengthOf(yield* repository.jobInstances({}), 1)
      }
    }
    assert.strictEqual(Option.getOrThrow(yield* partitions.claim(planId, request)).name, "a")
  }))

it.effect("a partition in memory is held up to the last millisecond of its lease, and not longer (D16)", () =>
  Effect.gen(function*() {
    const { driver } = yield* MemoryDriver.make
    const repository = JobRepository.makeEncoded(driver)
    const planId = yield* planned(repository, ["a"])
    yield* repository.partitions.claim(planId, request)
    yield* TestClock.adjust(1000)
    assert.strictEqual((yield* repository.partitions.tally(planId, request)).running, 1)
    yield* TestClock.adjust(1)
    assert.strictEqual((yield* repository.partitions.tally(planId, request)).waiting, 1)
  }))
