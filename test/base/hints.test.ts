import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Hints from "../../src/base/hints.js"

type Event = { readonly kind: "wait" | "give" | "leave"; readonly id: number }

const events: FastCheck.Arbitrary<ReadonlyArray<Event>> = FastCheck.array(
  FastCheck.record({
    // Several wait for the same mostly.
    kind: FastCheck.constantFrom("wait" as const, "wait" as const, "give" as const, "leave" as const),
    id: FastCheck.constantFrom(1, 1, 1, 2)
  }),
  { minLength: 4, maxLength: 16 }
)

describe("hints", () => {
  it.effect.prop(
    "wake all who wait, and if nobody does, the next one who comes, once",
    [events],
    ([events]) =>
      Effect.gen(function*() {
        const hints = Hints.make()
        const missed = new Set<number>()
        const waiting: Array<{ readonly id: number; readonly fiber: Fiber.RuntimeFiber<void>; isAwake: boolean }> = []
        for (const { id, kind } of events) {
          const mine = waiting.filter((one) => one.id === id && !one.isAwake)
          if (kind === "wait") {
            waiting.push({ id, fiber: yield* Effect.fork(hints.next(id)), isAwake: missed.delete(id) })
          } else if (kind === "give") {
            hints.give(id)
            mine.forEach((one) => void (one.isAwake = true))
            if (mine.length === 0) {
              missed.add(id)
            }
          } else if (mine.length > 0) {
            yield* Fiber.interrupt(mine[0]!.fiber)
            waiting.splice(waiting.indexOf(mine[0]!), 1)
          }
          yield* Effect.yieldNow()
          yield* Effect.yieldNow()
          assert.deepStrictEqual(
            waiting.map(({ fiber }) => fiber.unsafePoll() !== null),
            waiting.map(({ isAwake }) => isAwake),
            JSON.stringify(events)
          )
        }
        yield* Fiber.interruptAll(waiting.map(({ fiber }) => fiber))
      }),
    { fastCheck: { numRuns: 50 } }
  )

  it.effect("who gives up in the moment of being woken takes nobody along who has come since", () =>
    Effect.gen(function*() {
      const hints = Hints.make()
      const first = yield* Effect.fork(hints.next(1))
      yield* Effect.yieldNow()
      hints.give(1)
      // It has been woken, and does not know yet.
      const gone = yield* Effect.fork(Fiber.interrupt(first))
      const second = yield* Effect.fork(hints.next(1))
      yield* Fiber.join(gone)
      yield* Effect.yieldNow()
      hints.give(1)
      yield* Fiber.join(second)
    }))

  it.effect("all are woken when hints may have been lost", () =>
    Effect.gen(function*() {
      const hints = Hints.make()
      const fibers = yield* Effect.forEach([1, 2, 1], (id) => Effect.fork(hints.next(id)))
      yield* Effect.yieldNow()
      hints.giveAll()
      yield* Fiber.joinAll(fibers)
    }))

  it.effect("those that nobody waits for are not kept for ever", () =>
    Effect.gen(function*() {
      const hints = Hints.make()
      for (let id = 0; id < 10_000; id++) hints.give(id)
      yield* hints.next(0)
      for (let id = 0; id < 20_000; id++) hints.give(id)
      const forgotten = yield* Effect.fork(hints.next(1))
      yield* Effect.yieldNow()
      assert.isNull(forgotten.unsafePoll())
      yield* Fiber.interrupt(forgotten)
    }))
})
