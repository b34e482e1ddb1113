/**
 * The lock of the job's context, as a value of its own.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Lock from "../../../src/engine/step/jobContextLock.js"

const release = (lock: Lock.JobContextLock) => Effect.suspend(() => lock.release() ?? Effect.void)

it.effect("is free for exactly one other, however often it was taken and released (CTX-10)", () =>
  Effect.gen(function*() {
    const semaphore = Effect.unsafeMakeSemaphore(1)
    const first = Lock.make(semaphore)
    yield* first.take()
    yield* first.take()
    yield* release(first)
    yield* release(first)
    const second = Lock.make(semaphore)
    yield* second.take()
    const third = yield* Effect.fork(Lock.make(semaphore).take())
    yield* Effect.yieldNow()
    assert.isNull(third.unsafePoll(), "somebody else has it")
    yield* release(second)
    yield* Fiber.join(third)
  }))

it.effect("is not released by who never had it, nor by who gave up waiting for it (CTX-10)", () =>
  Effect.gen(function*() {
    const semaphore = Effect.unsafeMakeSemaphore(1)
    const holder = Lock.make(semaphore)
    yield* holder.take()
    const waiting = Lock.make(semaphore)
    const fiber = yield* Effect.fork(waiting.take())
    yield* Effect.yieldNow()
    assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
    assert.isUndefined(waiting.release())
    const next = yield* Effect.fork(Lock.make(semaphore).take())
    yield* Effect.yieldNow()
    assert.isNull(next.unsafePoll(), "the holder still has it")
    yield* release(holder)
    yield* Fiber.join(next)
  }))
