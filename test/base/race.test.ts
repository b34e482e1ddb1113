import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { until } from "../../src/base/race.js"

/** An effect that never ends by itself, and takes some turns to clean up. */
const slowToEnd = (log: Array<string>, entered: Deferred.Deferred<void>) =>
  Effect.zipRight(Deferred.succeed(entered, undefined), Effect.never).pipe(
    Effect.onInterrupt(() => Effect.zipRight(Effect.yieldNow(), Effect.sync(() => void log.push("cleaned up"))))
  )

describe("a race that waits for the loser", () => {
  it.effect("returns the result of an effect that ends by itself, and ends the signal", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const entered = yield* Deferred.make<void>()
      const result = yield* until(Effect.as(Deferred.await(entered), "done"), slowToEnd(log, entered))
      assert.strictEqual(result, "done")
      assert.deepStrictEqual(log, ["cleaned up"])
    }))

  it.effect("keeps the failure of an effect that ends by itself", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Effect.exit(until(Effect.fail("broken"), Effect.never)), Exit.fail("broken"))
    }))

  it.effect("ends the effect when the signal comes, waits for it, and returns the signal's result", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const entered = yield* Deferred.make<void>()
      const exit = yield* Effect.exit(
        until(slowToEnd(log, entered), Effect.zipRight(Deferred.await(entered), Effect.fail("lost")))
      )
      assert.deepStrictEqual(exit, Exit.fail("lost"))
      assert.deepStrictEqual(log, ["cleaned up"])
    }))

  it.effect("takes an interruption as a signal", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const entered = yield* Deferred.make<void>()
      const exit = yield* Effect.exit(
        until(slowToEnd(log, entered), Effect.zipRight(Deferred.await(entered), Effect.interrupt))
      )
      assert.isTrue(Exit.isInterrupted(exit))
      assert.deepStrictEqual(log, ["cleaned up"])
    }))

  it.effect("ends both before it ends itself when it is interrupted from outside", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const entered = yield* Deferred.make<void>()
      const watching = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(Effect.ensuring(
        until(slowToEnd(log, entered), slowToEnd(log, watching)),
        Effect.sync(() => void log.push("released"))
      ))
      yield* Deferred.await(entered)
      yield* Deferred.await(watching)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(log, ["cleaned up", "cleaned up", "released"])
    }))
})
