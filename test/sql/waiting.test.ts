/**
 * Waiting that does not last for ever: for a turn, for a connection of the pool, for a connection that says nothing any more. The real clock, on which both look, is
 * moved by hand.
 */
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { vi } from "vitest"
import * as Pool from "../../src/sql/pool.js"
import * as Silence from "../../src/sql/silence.js"
import * as Turn from "../../src/sql/turn.js"

/** With a clock that stands, and gives what moves it. */
const withClock = <A, E, R>(use: (pass: (millis: number) => Effect.Effect<void>) => Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() =>
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] })
    ),
    () => use((millis) => Effect.zipRight(Effect.sync(() => vi.advanceTimersByTime(millis)), Effect.yieldNow())),
    () => Effect.sync(() => vi.useRealTimers())
  )

describe("who waits for a turn", () => {
  it.effect("and is refused leaves the queue to the others", () =>
    withClock((pass) =>
      Effect.gen(function*() {
        const turn = Turn.make()
        yield* Turn.take(turn, () => undefined)
        let refusal: string | undefined
        const refused = yield* Effect.fork(Turn.take(turn, () => refusal))
        const patient = yield* Effect.fork(Turn.take(turn, () => undefined))
        yield* Effect.yieldNow()
        assert.lengthOf(turn.waiting, 2)
        yield* pass(5000)
        assert.lengthOf(turn.waiting, 2)
        refusal = "it will not come back"
        yield* pass(1000)
        assert.deepStrictEqual(yield* Fiber.await(refused), Exit.fail(refusal))
        assert.lengthOf(turn.waiting, 1)
        Turn.give(turn)
        yield* Fiber.join(patient)
        Turn.give(turn)
        assert.deepStrictEqual([turn.taken, turn.waiting.length, vi.getTimerCount()], [false, 0, 0])
      })
    ))

  it.effect("and is interrupted leaves it, too, and the turn that was given to him at that moment", () =>
    withClock(() =>
      Effect.gen(function*() {
        for (const isGiven of [false, true]) {
          const turn = Turn.make()
          yield* Turn.take(turn, () => undefined)
          const waiting = yield* Effect.fork(Turn.take(turn, () => undefined))
          yield* Effect.yieldNow()
          yield* Effect.zipRight(isGiven ? Effect.sync(() => Turn.give(turn)) : Effect.void, Fiber.interrupt(waiting))
          if (!isGiven) {
            Turn.give(turn)
          }
          assert.deepStrictEqual([turn.taken, turn.waiting.length, vi.getTimerCount()], [false, 0, 0])
        }
      })
    ))
})

describe("who waits for a connection", () => {
  const make = (): Pool.Pool => ({
    poolSize: 1,
    patience: 30_000,
    holding: 0,
    heldAt: performance.now(),
    isExhausted: false
  })

  /** After how many seconds somebody who waits gives up. */
  const secondsOf = (pool: Pool.Pool, pass: (millis: number) => Effect.Effect<void>) =>
    Effect.gen(function*() {
      const never = yield* Effect.fork(
        Effect.flatten(Deferred.make<Connection, SqlError>().pipe(Effect.map(Deferred.await)))
      )
      const waiting = yield* Effect.fork(Pool.awaited(pool, never))
      yield* Effect.yieldNow()
      let seconds = 0
      while (waiting.unsafePoll() === null && seconds < 100) {
        seconds++
        yield* pass(1000)
      }
      yield* Fiber.interrupt(waiting)
      yield* Fiber.interrupt(never)
      assert.strictEqual(vi.getTimerCount(), 0)
      return seconds
    })

  it.effect("gives up when nobody gives one back: the first after all of his patience, others soon behind him (OWN-18)", () =>
    withClock((pass) =>
      Effect.gen(function*() {
        const pool = make()
        assert.strictEqual(yield* secondsOf(pool, pass), 30)
        assert.strictEqual(yield* secondsOf(pool, pass), 1)
        // One came free since, so there is hope again.
        const scope = yield* Scope.make()
        yield* Pool.hold(pool, scope)
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(yield* secondsOf(pool, pass), 30)
      })
    ))

  it.effect("does not give up while a transaction of ours holds one, and begins to lose patience behind it (OWN-18)", () =>
    withClock((pass) =>
      Effect.gen(function*() {
        const pool = make()
        const scope = yield* Scope.make()
        yield* Pool.hold(pool, scope)
        assert.strictEqual(yield* secondsOf(pool, pass), 100)
        yield* Scope.close(scope, Exit.void)
        yield* pass(20_000)
        assert.strictEqual(yield* secondsOf(pool, pass), 30)
      })
    ))

  it.effect("gets it, or hears why not, and nobody looks any longer", () =>
    withClock(() =>
      Effect.gen(function*() {
        const error = new SqlError({ cause: "no", message: "no" })
        const connection = {} as Connection
        for (const answer of [Exit.succeed(connection), Exit.fail(error)]) {
          const arriving = yield* Effect.fork(Effect.zipRight(Effect.yieldNow(), answer))
          assert.deepStrictEqual(yield* Effect.exit(Pool.awaited(make(), arriving)), answer)
          assert.strictEqual(vi.getTimerCount(), 0)
        }
        const timeout = new SqlError({ cause: new Error("timeout exceeded when trying to connect") })
        assert.deepStrictEqual(
          [0, 1].flatMap((holding) =>
            [timeout, error].map((error) => Pool.isBehindOurs({ ...make(), holding }, error))
          ),
          [false, false, true, false]
        )
      })
    ))
})

describe("a connection that says nothing any more", () => {
  const make = () => {
    const heard: Array<string> = []
    const pg = { connection: { stream: { destroy: () => void heard.push("cut") } } }
    Silence.whenCut(pg, () => void heard.push("told"))
    return { connection: { pg } as unknown as Connection, heard }
  }

  it.effect("is cut when it has not answered to a good-bye, and no other one, however late (OWN-18)", () =>
    withClock((pass) =>
      Effect.gen(function*() {
        for (const answer of [Effect.void, Effect.fail("no"), Effect.die("broken"), Effect.interrupt]) {
          const { connection, heard } = make()
          yield* Effect.exit(Silence.bounded(connection, answer))
          yield* pass(60_000)
          assert.deepStrictEqual(heard, [])
        }
        const { connection, heard } = make()
        const silent = yield* Effect.fork(Silence.bounded(connection, Effect.async<void>(() => {})))
        yield* Effect.yieldNow()
        yield* pass(1999)
        assert.deepStrictEqual(heard, [])
        yield* pass(1)
        assert.deepStrictEqual(heard, ["cut", "told"])
        yield* Fiber.interrupt(silent)
      })
    ))

  it.effect("has its time for a commit, whoever is interrupted: what it says then counts (OWN-18, TX-1)", () =>
    withClock((pass) =>
      Effect.gen(function*() {
        for (const isAnswered of [true, false]) {
          const { connection, heard } = make()
          const answer = yield* Deferred.make<string, string>()
          const commit = Effect.uninterruptible(Effect.tap(Deferred.await(answer), (said) => heard.push(said)))
          const committing = yield* Effect.fork(Silence.lastWord(connection, commit))
          yield* Effect.yieldNow()
          yield* pass(60_000)
          const interrupting = yield* Effect.fork(Fiber.interrupt(committing))
          for (let turn = 0; turn < 5; turn++) {
            yield* Effect.yieldNow()
          }
          assert.isNull(committing.unsafePoll())
          yield* pass(isAnswered ? 1000 : 2000)
          yield* isAnswered ? Deferred.succeed(answer, "committed") : Deferred.fail(answer, "Connection terminated")
          yield* Fiber.join(interrupting)
          assert.deepStrictEqual(heard, isAnswered ? ["committed"] : ["cut", "told"])
          assert.strictEqual(vi.getTimerCount(), 0)
        }
      })
    ))
})
