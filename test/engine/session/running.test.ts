/** The register of the executions that run in this process. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import { find, giveUp, make, registered, Running, stop } from "../../../src/engine/session/running.js"
import { type BatchStatus, JobRepository } from "../../../src/index.js"
import { makeSession } from "./support.js"

describe("the register of running executions", () => {
  it.effect("keeps the secret of an execution whose end nobody could store, and of no other (OWN-21)", () =>
    Effect.gen(function*() {
      const running = make()
      for (const status of ["COMPLETED", "FAILED", "STOPPED", "ABANDONED"] as ReadonlyArray<BatchStatus.BatchStatus>) {
        const session = yield* makeSession(1000)
        session.execution = { ...session.execution, status }
        giveUp(running, session)
      }
      assert.strictEqual(running.givenUp.size, 0)
      for (const status of ["STARTING", "STARTED", "STOPPING"] as ReadonlyArray<BatchStatus.BatchStatus>) {
        const session = yield* makeSession(1000)
        session.execution = { ...session.execution, status }
        giveUp(running, session)
        assert.isTrue(running.givenUp.delete("secret"), status)
      }
    }))

  it.effect("holds an execution as long as it runs, however it ends, and then tells who waits for that", () =>
    Effect.gen(function*() {
      const running = make()
      const session = yield* makeSession(1000)
      const other = yield* makeSession(1000)
      let ends = 0
      running.onEnd.add(() => void ends++)
      for (const end of [Effect.void, Effect.fail("no"), Effect.interrupt]) {
        let seen: ReadonlyArray<number> = []
        const look = Effect.sync(() => {
          seen = [[session.repository, 1], [session.repository, 2], [other.repository, 1]].map(([repository, id]) =>
            find(running, repository as typeof session.repository, id as number).length
          )
        })
        yield* registered(session, Effect.zipRight(look, end)).pipe(
          Effect.exit,
          Effect.provideService(Running, running)
        )
        assert.deepStrictEqual(seen, [1, 0, 0])
        assert.deepStrictEqual(find(running, session.repository, 1), [])
      }
      assert.strictEqual(ends, 3)
    }))

  it.effect("asks what begins while the process is about to end to stop at once, and nothing else", () =>
    Effect.gen(function*() {
      for (const closing of [false, true]) {
        const running = make()
        running.closing = closing
        const session = yield* makeSession(1000)
        yield* registered(session, Effect.sync(() => assert.strictEqual(session.stopRequested, closing))).pipe(
          Effect.provideService(Running, running)
        )
      }
    }))
})

describe("a request to stop", () => {
  /** Asks for the stop of execution 1, which runs here if `here`, while its row answers so. */
  const stopping = (here: boolean, answer: Effect.Effect<BatchStatus.BatchStatus>) =>
    Effect.gen(function*() {
      const running = make()
      const session = yield* makeSession(1000, { requestStop: () => answer })
      if (here) running.sessions.add(session)
      const fiber = yield* Effect.fork(
        Effect.either(stop(1)).pipe(
          Effect.provideService(Running, running),
          Effect.provideService(JobRepository.JobRepository, session.repository)
        )
      )
      yield* Effect.yieldNow()
      return { fiber, session }
    })

  it.effect("reaches what runs here before the repository, which may wait for a connection of that (STOP-1, D16)", () =>
    Effect.gen(function*() {
      const { fiber, session } = yield* stopping(true, Effect.never)
      assert.isTrue(session.stopRequested)
      yield* Fiber.interrupt(fiber)
    }))

  it.effect("of what runs here and stops before its row is asked is no failure; of what runs nowhere it is one", () =>
    Effect.gen(function*() {
      for (const status of ["STARTING", "STARTED", "STOPPING", "STOPPED", "COMPLETED"] as const) {
        for (const here of [true, false]) {
          const { fiber } = yield* stopping(here, Effect.succeed(status))
          const isHeard = here || status === "STARTING" || status === "STARTED"
          assert.strictEqual(Either.isRight(yield* Fiber.join(fiber)), isHeard, `${status} ${here}`)
        }
      }
    }))
})
