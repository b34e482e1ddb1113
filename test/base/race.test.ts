import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { orLeave, until } from "../../src/base/race.js"

/** An effect that never ends by itself, and takes some turns to clean up. */
const slowToEnd = (log: Array<string>, entered: Deferred.Deferred<void>, turns = 1) =>
  Effect.zipRight(Deferred.succeed(entered, undefined), Effect.never).pipe(
    Effect.onInterrupt(() =>
      Effect.zipRight(Effect.repeatN(Effect.yieldNow(), turns - 1), Effect.sync(() => void log.push("cleaned up")))
    )
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
      for (const [turns, signalTurns] of [[1, 1], [20, 1], [1, 20]]) {
        const log: Array<string> = []
        const entered = yield* Deferred.make<void>()
        const watching = yield* Deferred.make<void>()
        const fiber = yield* Effect.fork(Effect.ensuring(
          until(slowToEnd(log, entered, turns), slowToEnd(log, watching, signalTurns)),
          Effect.sync(() => void log.push("released"))
        ))
        yield* Deferred.await(entered)
        yield* Deferred.await(watching)
        yield* Fiber.interrupt(fiber)
        assert.deepStrictEqual(log, ["cleaned up", "cleaned up", "released"])
      }
    }))
})

describe("a race that leaves the loser behind", () => {
  it.effect("returns what the effect comes to, and ends the signal", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const entered = yield* Deferred.make<void>()
      const signal = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void log.push("no signal")))
      assert.strictEqual(yield* orLeave(Effect.as(Effect.yieldNow(), "done"), signal), "done")
      assert.deepStrictEqual(yield* Effect.exit(orLeave(Effect.fail("broken"), signal)), Exit.fail("broken"))
      yield* Effect.repeatN(Effect.yieldNow(), 10)
      assert.deepStrictEqual(log, ["no signal", "no signal"])
      assert.isFalse(yield* Deferred.isDone(entered))
    }))

  it.effect("does not wait for an effect that the signal has interrupted", () =>
    Effect.gen(function*() {
      const entered = yield* Deferred.make<void>()
      const answer = yield* Deferred.make<void>()
      const log: Array<string> = []
      const effect = Effect.uninterruptible(
        Effect.zipRight(Deferred.succeed(entered, undefined), Deferred.await(answer))
      )
        .pipe(Effect.onExit((exit) => Effect.sync(() => void log.push(exit._tag))))
      const exit = yield* Effect.exit(orLeave(effect, Effect.zipRight(Deferred.await(entered), Effect.fail("lost"))))
      assert.deepStrictEqual([exit, log.length], [Exit.fail("lost"), 0])
      yield* Deferred.succeed(answer, undefined)
      yield* Effect.repeatN(Effect.yieldNow(), 10)
      assert.strictEqual(log.length, 1)
    }))

  it.effect("leaves nobody at work, whoever ends it", () =>
    Effect.gen(function*() {
      for (const way of ["signal", "interruption"] as const) {
        const log: Array<string> = []
        const [entered, watching] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
        const signal = way === "signal"
          ? Effect.zipRight(Deferred.await(entered), Effect.fail("lost"))
          : slowToEnd(log, watching)
        const fiber = yield* Effect.fork(Effect.exit(orLeave(slowToEnd(log, entered), signal)))
        yield* Deferred.await(entered)
        yield* way === "signal" ? Fiber.await(fiber) : Effect.zipRight(Deferred.await(watching), Fiber.interrupt(fiber))
        yield* Effect.repeatN(Effect.yieldNow(), 20)
        assert.deepStrictEqual(log, way === "signal" ? ["cleaned up"] : ["cleaned up", "cleaned up"])
      }
    }))

  for (const times of [1, 2, 3]) {
    it.effect(`is not disturbed by ${times} interruptions where it can't be interrupted, and by the first one elsewhere`, () =>
      Effect.gen(function*() {
        const entered = yield* Deferred.make<void>()
        const answer = yield* Deferred.make<string>()
        let told: Exit.Exit<string> | undefined
        const effect = Effect.zipRight(Deferred.succeed(entered, undefined), Deferred.await(answer))
        const protectedOne = yield* Effect.fork(Effect.uninterruptible(
          Effect.flatMap(Effect.exit(orLeave(effect, Effect.never)), (exit) => Effect.sync(() => void (told = exit)))
        ))
        yield* Deferred.await(entered)
        for (let k = 0; k < times; k++) {
          yield* Fiber.interruptFork(protectedOne)
          yield* Effect.repeatN(Effect.yieldNow(), 10)
        }
        const other = yield* Effect.fork(orLeave(Deferred.await(answer), Effect.never))
        yield* Effect.yieldNow()
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(other)))
        yield* Deferred.succeed(answer, "stored")
        yield* Fiber.await(protectedOne)
        assert.deepStrictEqual(told, Exit.succeed("stored"))
      }))
  }
})
