/**
 * Word of a request to stop, over a connection that may break at any time.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import type { Control, Query } from "../../src/sql/control.js"
import * as StopHints from "../../src/sql/stopHints.js"

/** A connection that is told what happens to it. */
const make = () => {
  const listeners = new Map<string, Set<(message: { readonly payload?: string }) => void>>()
  const heard: Array<string> = []
  let isThere = true
  let answers: Array<() => void> = []
  const query: Query = (text, _, answer) => {
    heard.push(text)
    answers.push(() => answer(null, { rows: [] }))
  }
  const client = {
    on: (event: string, listener: (message: { readonly payload?: string }) => void) =>
      void listeners.set(event, (listeners.get(event) ?? new Set()).add(listener)),
    off: (event: string, listener: (message: { readonly payload?: string }) => void) =>
      void listeners.get(event)?.delete(listener)
  }
  return {
    heard,
    control: {
      run: () => Effect.die("not used"),
      line: Effect.suspend(() => isThere ? Effect.succeed({ client, query }) : Effect.fail("away"))
    } as unknown as Control,
    isListening: () => listeners.get("notification")!.size > 0,
    answer: Effect.suspend(() => {
      answers.forEach((answer) => answer())
      answers = []
      return settle
    }),
    say: (event: string, payload = "") =>
      Effect.suspend(() => {
        ;[...listeners.get(event) ?? []].forEach((listener) => listener({ payload }))
        return settle
      }),
    set isThere(is: boolean) {
      isThere = is
    }
  }
}

const settle = Effect.repeatN(Effect.yieldNow(), 20)

it.effect("whoever waits is woken by his own word, and by each new connection, behind which a word may be lost (STOP-1)", () =>
  Effect.gen(function*() {
    const line = make()
    const scope = yield* Scope.make()
    const hint = (yield* Scope.extend(StopHints.make(line.control, "my_"), scope))!
    const waiting = (id: number) => Effect.zipLeft(Effect.fork(hint(id)), settle)
    const isWoken = (fiber: Fiber.RuntimeFiber<void, unknown>) => fiber.unsafePoll() !== null
    const early = yield* waiting(1)
    assert.deepStrictEqual(line.heard, ["LISTEN \"my_stop\""])
    assert.isFalse(isWoken(early))
    // From now on no word is lost; one that came before is.
    yield* line.answer
    assert.isTrue(isWoken(early))
    const [one, two] = [yield* waiting(1), yield* waiting(2)]
    yield* line.say("notification", "1")
    assert.deepStrictEqual([isWoken(one), isWoken(two)], [true, false])
    line.isThere = false
    yield* line.say("end")
    yield* TestClock.adjust("5 seconds")
    assert.isFalse(isWoken(two))
    line.isThere = true
    yield* TestClock.adjust("1 seconds")
    yield* settle
    yield* line.answer
    assert.isTrue(isWoken(two))
    assert.deepStrictEqual(line.heard, ["LISTEN \"my_stop\"", "UNLISTEN \"my_stop\"", "LISTEN \"my_stop\""])
    yield* Scope.close(scope, Exit.void)
    yield* settle
    assert.isFalse(line.isListening())
  }))
