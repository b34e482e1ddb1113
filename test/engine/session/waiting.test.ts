/** Who waits for a database that is out of reach: what runs in an execution, and not its heartbeat, which has a patience of its own. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as TestClock from "effect/TestClock"
import { Job, JobOperator, JobRepository, Step } from "../../../src/index.js"
import * as Outage from "../../../src/ports/outage.js"

it.effect("everything in an execution waits as that does, in a job inside of another one too, and its heartbeat never (OWN-21)", () =>
  Effect.gen(function*() {
    const repository = yield* JobRepository.JobRepository
    const waits: Array<boolean> = []
    const beats: Array<boolean> = []
    const note = (log: Array<boolean>) =>
      Effect.map(FiberRef.get(Outage.Current), (current) => void log.push(current !== undefined))
    const inner = Job.make("inner", {
      flow: Step.tasklet("work", Effect.zipRight(note(waits), Effect.zipRight(Effect.sleep("3 seconds"), note(waits))))
    })
    const outer = Job.make("outer", { flow: Step.job("inner", inner) })
    const running = yield* Effect.fork(
      JobOperator.run(outer, {}).pipe(
        Effect.provideService(JobRepository.JobRepository, {
          ...repository,
          renewLease: (...args) => Effect.zipRight(note(beats), repository.renewLease(...args))
        }),
        Effect.provideService(JobOperator.Ownership, { lease: "1 second", owner: "this", isOwnerGone: () => false })
      )
    )
    yield* TestClock.adjust("5 seconds")
    assert.strictEqual((yield* Fiber.join(running)).status, "COMPLETED")
    assert.deepStrictEqual(waits, [true, true])
    assert.isAbove(beats.length, 10)
    assert.isTrue(beats.every((waits) => !waits))
    assert.isUndefined(yield* FiberRef.get(Outage.Current))
  }).pipe(Effect.provide(JobRepository.layerMemory)))
