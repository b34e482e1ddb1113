/**
 * A request to stop and a read that waits, at every moment at which they can meet.
 */
import { assert, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Session } from "../../../src/engine/session/session.js"
import { requestStop } from "../../../src/engine/session/session.js"
import { awaitStop, unlessStopped, withinGrace } from "../../../src/engine/session/stopping.js"

/** What is asked of a session here. */
const makeSession = () =>
  ({ stopRequested: false, onStop: new Set() }) as Pick<Session, "onStop" | "stopRequested"> as Session

/** Waits for ever, and tells when it has begun and when it was interrupted. */
const waiting = Effect.gen(function*() {
  const begun = yield* Deferred.make<void>()
  const heard: Array<string> = []
  const read: Effect.Effect<string> = Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never).pipe(
    Effect.onInterrupt(() => Effect.zipRight(Effect.yieldNow(), Effect.sync(() => void heard.push("interrupted"))))
  )
  return { begun, heard, read }
})

const nothing = () => "nothing read"

it.effect("a read that waits is given up when the stop is requested (STOP-1)", () =>
  Effect.gen(function*() {
    const session = makeSession()
    const { begun, heard, read } = yield* waiting
    const fiber = yield* Effect.fork(unlessStopped(session, read, nothing))
    yield* Deferred.await(begun)
    requestStop(session)
    assert.strictEqual(yield* Fiber.join(fiber), "nothing read")
    assert.deepStrictEqual([heard, session.onStop.size], [["interrupted"], 0])
  }))

it.effect("a read that requests the stop itself, and then waits, is given up, too (STOP-1)", () =>
  Effect.gen(function*() {
    const session = makeSession()
    const { heard, read } = yield* waiting
    const asking = Effect.zipRight(Effect.sync(() => requestStop(session)), read)
    assert.strictEqual(yield* unlessStopped(session, asking, nothing), "nothing read")
    assert.deepStrictEqual([heard, session.onStop.size], [["interrupted"], 0])
  }))

it.effect("no read begins behind a request to stop (STOP-1)", () =>
  Effect.gen(function*() {
    const session = makeSession()
    requestStop(session)
    const read = Effect.sync(() => "read")
    assert.strictEqual(yield* unlessStopped(session, read, nothing), "nothing read")
  }))

it.effect("a read that is interrupted from outside has ended before anything else goes on", () =>
  Effect.gen(function*() {
    const session = makeSession()
    const { begun, heard, read } = yield* waiting
    const fiber = yield* Effect.fork(unlessStopped(session, read, nothing))
    yield* Deferred.await(begun)
    assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
    assert.deepStrictEqual([heard, session.onStop.size], [["interrupted"], 0])
  }))

it.effect("a read that interrupts itself is not taken for one that was given up", () =>
  Effect.gen(function*() {
    const session = makeSession()
    const interrupting = Effect.zipRight(Effect.yieldNow(), Effect.interrupt)
    assert.isTrue(Exit.isInterrupted(yield* Effect.exit(unlessStopped(session, interrupting, nothing))))
  }))

it.effect("who waits for the stop and gives up leaves nothing behind, and hears of it otherwise", () =>
  Effect.gen(function*() {
    const session = makeSession()
    const givesUp = yield* Effect.fork(awaitStop(session))
    const hears = yield* Effect.fork(awaitStop(session))
    yield* Effect.yieldNow()
    yield* Fiber.interrupt(givesUp)
    assert.strictEqual(session.onStop.size, 1)
    requestStop(session)
    yield* Fiber.join(hears)
    yield* awaitStop(session)
    assert.strictEqual(session.onStop.size, 0)
  }))

it.effect("what the body of a step starts in the background goes on behind it, and ends with the step", () =>
  Effect.gen(function*() {
    const session = makeSession()
    const heard: Array<string> = []
    const background = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void heard.push("the background ends")))
    const step = withinGrace(session, Effect.zipRight(Effect.fork(background), Effect.yieldNow())).pipe(
      Effect.zipRight(Effect.yieldNow()),
      Effect.zipRight(Effect.sync(() => void heard.push("the step goes on")))
    )
    yield* Fiber.await(yield* Effect.fork(step))
    assert.deepStrictEqual(heard, ["the step goes on", "the background ends"])
  }))
