/**
 * The heartbeat of one execution, on the clock of the test: what it proves, when it gives up, and what it hears.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { heartbeat, monotonic } from "../../../src/engine/session/heartbeat.js"
import type { BatchEvent, BatchStatus } from "../../../src/index.js"
import { failing, makeSession } from "./support.js"

const LEASE = 8000

const away = Effect.fail(failing("transient"))

/** A repository that is away in these times, from and to, in milliseconds since the beginning; when it was asked. */
const makeRepository = (outages: ReadonlyArray<readonly [from: number, to: number]>, answerMillis = 0) => {
  const asked: Array<number> = []
  const renewLease = () =>
    Effect.flatMap(monotonic, (now) => {
      asked.push(now)
      return outages.some(([from, to]) => from <= now && now < to)
        ? away
        : Effect.as(Effect.sleep(answerMillis), "STARTED" as BatchStatus.BatchStatus)
    })
  return { asked, renewLease }
}

/** Beats for so long, and says when it ended if it did. */
const beating = (session: Effect.Effect.Success<ReturnType<typeof makeSession>>, millis: number) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(Effect.zipRight(Effect.flip(heartbeat(session)), monotonic))
    yield* TestClock.adjust(millis)
    const ended = fiber.unsafePoll()
    yield* Fiber.interrupt(fiber)
    return ended === null ? undefined : yield* ended
  })

describe("the heartbeat of an execution", () => {
  it.effect("that falls silent gives up behind three quarters of the lease, and wakes who waits for that, once (OWN-18)", () =>
    Effect.gen(function*() {
      const session = yield* makeSession(LEASE, makeRepository([[0, Infinity]]))
      let woken = 0
      session.onLost.add(() => void woken++)
      const ended = yield* beating(session, LEASE)
      assert.isAtLeast(ended ?? 0, LEASE * 0.75)
      assert.isBelow(ended ?? Infinity, LEASE * 0.75 + 10)
      assert.deepStrictEqual([session.isLost, woken, session.onLost.size], [true, 1, 0])
    }))

  it.effect.prop(
    "gives up in an outage if and only if it lasts for three quarters of the lease since the last proof (OWN-18)",
    [FastCheck.integer({ min: 0, max: 9000 }), FastCheck.integer({ min: 0, max: LEASE })],
    ([from, length]) =>
      Effect.gen(function*() {
        const { asked, renewLease } = makeRepository([[from, from + length]])
        const session = yield* makeSession(LEASE, { renewLease })
        const ended = yield* beating(session, 18_000)
        const proven = Math.max(0, ...asked.filter((at) => at < from))
        const next = asked.find((at) => at >= from + length)
        const hasGivenUp = ended !== undefined
        assert.strictEqual(session.isLost, hasGivenUp)
        if (ended !== undefined) {
          assert.isAtLeast(ended, proven + LEASE * 0.75)
          assert.isBelow(ended, proven + LEASE * 0.75 + 10)
        } else {
          assert.isAtMost(next ?? Infinity, proven + LEASE * 0.75)
          assert.isAtLeast(asked.length, 6)
        }
      }),
    { fastCheck: { numRuns: 6, examples: [[2500, 5400], [2500, 5600], [0, 6000]] }, timeout: 300_000 }
  )

  it.effect("proves that the owner lived when it asked, not when the answer came (OWN-18)", () =>
    Effect.gen(function*() {
      // The second answer takes 1,900 ms, and nothing is answered behind it.
      let beats = 0
      const session = yield* makeSession(LEASE, {
        renewLease: () =>
          Effect.suspend(() => {
            beats++
            return beats > 2 ? away : Effect.as(Effect.sleep(beats === 2 ? 1900 : 0), "STARTED")
          })
      })
      // Asked at 2,000 and at 4,000: the lease is proven until then.
      const ended = yield* beating(session, 20_000)
      assert.isBelow(ended ?? Infinity, 4000 + LEASE * 0.75 + 10)
    }))

  it.effect("tells of each outage that worries, once", () =>
    Effect.gen(function*() {
      const published: Array<BatchEvent.BatchEvent> = []
      const outages = [[2100, 6700], [12_800, 17_500], [21_000, 22_500]] as const
      const session = yield* makeSession(LEASE, makeRepository(outages), published)
      assert.isUndefined(yield* beating(session, 25_000))
      assert.deepStrictEqual(published.map(({ _tag }) => _tag), ["HeartbeatLate", "HeartbeatLate"])
    }))

  it.effect("hears that the execution is to stop, or is recorded as stopped", () =>
    Effect.gen(function*() {
      for (const [answer, stops] of [["STARTED", false], ["STOPPING", true], ["STOPPED", true]] as const) {
        const session = yield* makeSession(LEASE, { renewLease: () => Effect.succeed(answer) })
        yield* beating(session, LEASE)
        assert.strictEqual(session.stopRequested, stops, answer)
      }
    }))

  it.effect("asks at once when there is a hint, and goes on in its rhythm", () =>
    Effect.gen(function*() {
      const hint = yield* Deferred.make<void>()
      const { asked, renewLease } = makeRepository([])
      let hints = 0
      const stopHint = () => hints++ === 0 ? Deferred.await(hint) : Effect.never
      const session = yield* makeSession(LEASE, { renewLease, stopHint })
      const fiber = yield* Effect.fork(heartbeat(session))
      yield* TestClock.adjust(500)
      yield* Deferred.succeed(hint, undefined)
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(asked, [500])
      yield* TestClock.adjust(4500)
      assert.deepStrictEqual(asked, [500, 2500, 4500])
      yield* Fiber.interrupt(fiber)
    }))

  it.effect("leaves an attempt behind that has no answer, but waits for one that queues behind its own process", () =>
    Effect.gen(function*() {
      for (const beatsQueue of [false, true]) {
        let asked = 0
        const renewLease = () => Effect.zipRight(Effect.sync(() => void asked++), Effect.never)
        const session = yield* makeSession(LEASE, { renewLease, beatsQueue })
        yield* beating(session, LEASE * 0.75)
        assert.strictEqual(asked === 1, beatsQueue, `${asked} attempts`)
      }
    }))
})
