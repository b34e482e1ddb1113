/**
 * For tests of partitions in memory, on the clock of the test: other processes, and repositories in trouble.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { JobOperator, JobRepository } from "../../../src/index.js"
import type { Services } from "../../support/drivers.js"

const { JobRepository: Repository } = JobRepository

export type Partitions = (typeof Repository)["Service"]["partitions"]

export const silently = Logger.withMinimumLogLevel(LogLevel.None)

export const inMemory = (title: string, test: Effect.Effect<unknown, unknown, Services | Scope.Scope>) =>
  it.scoped(title, () => test.pipe(silently, Effect.provide(JobRepository.layerMemory)))

/** A repository that does some things with partitions otherwise. */
export const having = (changes: (partitions: Partitions) => Partial<Partitions>) =>
  Effect.map(Repository, (repository) => ({
    ...repository,
    partitions: { ...repository.partitions, ...changes(repository.partitions) }
  }))

/** The plan of the first step of a job's only instance. */
export const planOf = (jobName: string) =>
  Effect.gen(function*() {
    const executions = yield* JobOperator.executions({ jobName })
    const [step] = yield* JobOperator.steps(executions[executions.length - 1]!.id)
    return step!.id
  })

/** Takes the next partition as another process does, of which nobody hears again. */
export const taken = (jobName: string, owner: string, leaseMillis = 600_000) =>
  Effect.gen(function*() {
    const { partitions } = yield* Repository
    const claimed = yield* partitions.claim(yield* planOf(jobName), { owner, leaseMillis, isOwnerGone: () => false })
    return Option.getOrThrow(claimed)
  })

/** As a process that knows that `gone` is gone. */
export const living = Effect.provideService(JobOperator.Ownership, {
  lease: "30 seconds",
  owner: "living",
  isOwnerGone: (owner: string) => owner === "gone"
})

/** Lets the clock go on until the fiber has ended, which must not take longer than that. */
export const within = <A, E>(seconds: number, fiber: Fiber.RuntimeFiber<A, E>) =>
  Effect.gen(function*() {
    for (let second = 0; second < seconds && fiber.unsafePoll() === null; second++) {
      yield* TestClock.adjust("1 second")
    }
    const exit = fiber.unsafePoll()
    assert.isNotNull(exit, `has not ended after ${seconds} seconds`)
    return yield* exit!
  })
