/** The register of the executions that run in this process. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { find, giveUp, make, registered, Running } from "../../../src/engine/session/running.js"
import { type BatchStatus } from "../../../src/index.js"
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
