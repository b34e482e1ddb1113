/**
 * What is done at the end of a statement, however that ends.
 */
import { assert, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import { finishing, locally } from "../../src/sql/finishing.js"

const ref = FiberRef.unsafeMake("outside")

const ends: ReadonlyArray<Effect.Effect<string, string>> = [
  Effect.succeed("done"),
  Effect.fail("no"),
  Effect.die("broken"),
  Effect.interrupt
]

it.effect("the end of an effect is noticed once, and its value is another one inside of it only, however it ends", () =>
  Effect.gen(function*() {
    for (const end of ends) {
      const heard: Array<string> = []
      const inside = Effect.flatMap(
        FiberRef.get(ref),
        (value) => Effect.zipRight(Effect.sync(() => heard.push(value)), end)
      )
      const exit = yield* Effect.exit(Effect.uninterruptible(
        locally(finishing(inside, () => void heard.push("finished")), ref, "inside")
      ))
      assert.deepStrictEqual(exit, yield* Effect.exit(end))
      assert.deepStrictEqual(heard, ["inside", "finished"])
      assert.strictEqual(yield* FiberRef.get(ref), "outside")
    }
  }))

it.effect("also where what may be interrupted inside of it is", () =>
  Effect.gen(function*() {
    const heard: Array<string> = []
    const begun = yield* Deferred.make<void>()
    const statement = Effect.uninterruptibleMask((restore) =>
      locally(
        finishing(
          restore(Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)),
          () => void heard.push("finished")
        ),
        ref,
        "inside"
      ).pipe(Effect.exit, Effect.zipRight(FiberRef.get(ref)), Effect.tap((value) => heard.push(value)))
    )
    const fiber = yield* Effect.fork(statement)
    yield* Deferred.await(begun)
    assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
    assert.deepStrictEqual(heard, ["finished", "outside"])
  }))
