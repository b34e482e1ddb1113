/**
 * Slots that are interrupted at any moment, and what they do when a partition has failed.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Slots from "../../../src/engine/partition/slots.js"
import * as Running from "../../../src/engine/session/running.js"
import { BatchError, JobRepository } from "../../../src/index.js"
import { Fixture } from "../../../src/testing/index.js"

const turns = (count: number) => Effect.repeatN(Effect.yieldNow(), count)

const execution = Fixture.jobExecution()

const away = new BatchError.JobRepositoryError({ operation: "close", reason: "transient", detail: "away" })

/** As a process that has seen a plan when that was run by execution 1 of its job. */
const seen: Pick<Slots.Source, "plan" | "body" | "isStopping"> = {
  plan: {
    id: 1,
    jobName: "job",
    instanceId: 1,
    executionId: 1,
    stepExecutionId: 1,
    stepName: "load",
    fingerprint: "1",
    size: 9,
    isOpen: true
  },
  body: {
    _tag: "Partition",
    plan: Effect.succeed([]),
    input: Schema.String,
    result: undefined,
    make: () => undefined as never,
    collect: undefined,
    concurrency: 1,
    onFailure: "continue",
    restart: "keep",
    fingerprint: "1"
  },
  isStopping: () => false
}

describe("slots", () => {
  it.effect("run what they have taken, or give it up, whenever they are interrupted (PART-5, OWN-21)", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const running = Running.make()
      const taken: Array<string> = []
      const run: Array<string> = []
      const slots = Slots.work({
        ...seen,
        repository: {
          ...repository,
          partitions: {
            ...repository.partitions,
            claim: (_, { onToken }) =>
              Effect.gen(function*() {
                yield* turns(2)
                const token = `claim ${taken.length}`
                onToken?.(token)
                taken.push(token)
                yield* turns(2)
                return Option.some({ name: token, input: "", execution: { ...execution, token } })
              })
          }
        },
        // As one that waits for an answer by a fiber of its own.
        save: (write) => Effect.zipLeft(write, turns(3)),
        run: (_, { token }) => Effect.zipRight(Effect.sync(() => run.push(token!)), turns(2)) as never
      }) as Effect.Effect<number, unknown>
      for (let moment = 0; moment < 60; moment++) {
        const fiber = yield* Effect.fork(Effect.provideService(slots, Running.Running, running))
        yield* turns(moment)
        yield* Fiber.interrupt(fiber)
      }
      assert.isAbove(run.length, 30)
      assert.isAbove(running.givenUp.size, 1)
      assert.deepStrictEqual(taken.filter((token) => run.includes(token) === running.givenUp.has(token)), [])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("close a step that is to stop at a failure, for who runs it now, and try that again; they keep it open otherwise (PART-7)", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const closedAfter = (onFailure: "continue" | "stop", status: "FAILED" | "STOPPED" | "COMPLETED") =>
        Effect.gen(function*() {
          const closed: Array<ReadonlyArray<number>> = []
          let left = 1
          yield* Slots.work({
            ...seen,
            body: { ...seen.body, onFailure },
            repository: {
              ...repository,
              partitions: {
                ...repository.partitions,
                claim: () =>
                  Effect.succeed(
                    left-- > 0
                      ? Option.some({
                        name: "a",
                        input: "",
                        execution: { ...execution, parent: { executionId: 7, instanceId: 1 } }
                      })
                      : Option.none()
                  ),
                close: (planId, executionId) =>
                  Effect.suspend(() => {
                    closed.push([planId, executionId])
                    return closed.length === 1 ? Effect.fail(away) : Effect.void
                  })
              }
            },
            save: (write) => Effect.retry(write, { times: 1 }),
            run: () => Effect.succeed({ ...execution, status }) as never
          }) as Effect.Effect<number, unknown>
          return closed
        })
      assert.deepStrictEqual(yield* closedAfter("stop", "FAILED"), [[1, 7], [1, 7]])
      assert.deepStrictEqual(yield* closedAfter("stop", "STOPPED"), [])
      assert.deepStrictEqual(yield* closedAfter("stop", "COMPLETED"), [])
      assert.deepStrictEqual(yield* closedAfter("continue", "FAILED"), [])
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})
