/**
 * What is stored in spite of an outage, for how long it is tried, and when nobody waits any more. The clock is the test's.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"
import { monotonic } from "../../../src/engine/session/heartbeat.js"
import { saving, waitOut } from "../../../src/engine/session/saving.js"
import { lose } from "../../../src/engine/session/session.js"
import { failing, makeSession } from "./support.js"

/** Saves while the repository is away until `back`; how it ended and when, and how often it was tried. */
const savingUntil = (leaseMillis: number, back: number, reason: "transient" | "fatal" = "transient") =>
  Effect.gen(function*() {
    const session = yield* makeSession(leaseMillis)
    const began = yield* monotonic
    let tries = 0
    const write = Effect.flatMap(monotonic, (now) => {
      tries++
      return now - began < back ? Effect.fail(failing(reason)) : Effect.succeed("stored")
    })
    const fiber = yield* Effect.fork(Effect.zip(Effect.either(saving(session, write)), monotonic))
    yield* TestClock.adjust(20_000)
    const [answer, ended] = yield* Fiber.join(fiber)
    return { answer, millis: ended - began, session, tries }
  })

describe("what must be stored", () => {
  it.effect.prop(
    "is tried again until three quarters of the lease have passed in the outage, but for three seconds at least (OWN-21)",
    [FastCheck.integer({ min: 100, max: 10_000 }), FastCheck.integer({ min: 0, max: 10_000 })],
    ([leaseMillis, back]) =>
      Effect.gen(function*() {
        const patience = Math.max(3000, leaseMillis * 0.75)
        const { answer, millis, session, tries } = yield* savingUntil(leaseMillis, back)
        // The last attempt comes at most one pause, a second, behind the end of the outage.
        if (Either.isRight(answer)) {
          assert.isBelow(back, patience + 1001)
          assert.isAtMost(millis, back + 1001)
          assert.isUndefined(session.outage)
        } else {
          assert.isAbove(back, patience - 1)
          assert.isAtLeast(millis, patience)
          assert.isAtMost(millis, patience + 1001)
        }
        assert.isAtMost(tries, 2 + millis / 100)
      }),
    { fastCheck: { numRuns: 8, examples: [[1000, 2900], [1000, 4100], [8000, 5900], [8000, 7100]] }, timeout: 300_000 }
  )

  it.effect("has its patience anew for the next outage (OWN-21)", () =>
    Effect.gen(function*() {
      const session = yield* makeSession(4000)
      for (let outage = 0; outage < 3; outage++) {
        const began = yield* monotonic
        const write = Effect.flatMap(
          monotonic,
          (now) => now - began < 2500 ? Effect.fail(failing("transient")) : Effect.void
        )
        const fiber = yield* Effect.fork(Effect.either(saving(session, write)))
        yield* TestClock.adjust(5000)
        assert.isTrue(Either.isRight(yield* Fiber.join(fiber)))
      }
    }))

  it.effect("gives up when the outage lasts, whoever of the execution waits for it, and however often (OWN-21)", () =>
    Effect.gen(function*() {
      const session = yield* makeSession(4000)
      const began = yield* monotonic
      const told: Array<string> = []
      const untilGivenUp = Effect.zipRight(
        Effect.iterate(true, { while: (again) => again, body: () => waitOut(session) }),
        monotonic
      )
      const waiting = Effect.forEach([0, 700], (later) => Effect.delay(untilGivenUp, later), {
        concurrency: "unbounded"
      })
      const fiber = yield* Effect.fork(
        Effect.provide(
          waiting,
          Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => void told.push(String(message))))
        )
      )
      yield* TestClock.adjust(60_000)
      for (const ended of yield* Fiber.join(fiber)) {
        assert.isAtLeast(ended - began, 3000)
        assert.isAtMost(ended - began, 4001)
      }
      assert.deepStrictEqual(told, [
        "A database is out of reach of execution 1, which waits for it while its lease lasts"
      ])
    }))

  it.effect("says once that the database is away, and once that it is back, and after how long (OWN-21)", () =>
    Effect.gen(function*() {
      const told: Array<string> = []
      const logged = Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => void told.push(String(message))))
      yield* Effect.provide(savingUntil(8000, 1500), logged)
      assert.strictEqual(told.length, 2, told.join())
      assert.match(told[0]!, /^A database is out of reach of execution 1,/)
      assert.match(told[1]!, /^The database is back: execution 1 goes on after 1[5-9]\d\d ms$/)
    }))

  it.effect("ends an outage that others have met, when it is stored at once", () =>
    Effect.gen(function*() {
      const session = yield* makeSession(4000)
      session.outage = yield* monotonic
      yield* saving(session, Effect.void)
      assert.isUndefined(session.outage)
    }))

  it.effect("is not waited for when the lease is lost (OWN-18)", () =>
    Effect.gen(function*() {
      const session = yield* makeSession(4000)
      lose(session)
      assert.isFalse(yield* waitOut(session))
    }))

  it.effect("fails at once when trying again cannot help", () =>
    Effect.gen(function*() {
      const { answer, millis, tries } = yield* savingUntil(4000, 10_000, "fatal")
      assert.deepStrictEqual([Either.isLeft(answer), millis, tries], [true, 0, 1])
    }))

  it.effect("is tried once, and not for long, when the lease is lost, whether before or meanwhile (OWN-18)", () =>
    Effect.gen(function*() {
      for (const leaseMillis of [1000, 32_000]) {
        for (const lostAfter of [0, 300]) {
          for (
            const write of [
              Effect.never,
              Effect.zipRight(Effect.sleep(lostAfter + 100), Effect.fail(failing("transient")))
            ]
          ) {
            const session = yield* makeSession(leaseMillis)
            let tries = 0
            const tried = Effect.zipRight(Effect.sync(() => void tries++), write)
            if (lostAfter === 0) lose(session)
            const began = yield* monotonic
            const fiber = yield* Effect.fork(Effect.zip(Effect.either(saving(session, tried)), monotonic))
            yield* TestClock.adjust(lostAfter)
            if (lostAfter > 0) lose(session)
            yield* TestClock.adjust(100_000)
            const [answer, ended] = yield* Fiber.join(fiber)
            assert.isTrue(Either.isLeft(answer))
            assert.isAtMost(ended - began, lostAfter + Math.max(250, leaseMillis / 16))
            assert.deepStrictEqual([tries, session.onLost.size], [1, 0])
          }
        }
      }
    }))
})
