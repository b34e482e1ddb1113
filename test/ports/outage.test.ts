/**
 * Waiting for a database that is away: what is waited for, how long, and who is told.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Outage from "../../src/ports/outage.js"
import type { Open } from "../../src/ports/Transactor.js"
import { CurrentTransaction } from "../../src/ports/Transactor.js"

/** Fails so often, then answers. */
const failing = (times: number, log: Array<string>, error = "away") => {
  let calls = 0
  return Effect.suspend(() => {
    log.push("asked")
    return calls++ < times ? Effect.fail(error) : Effect.succeed("answer")
  })
}

/** Goes on for so many pauses; the first failure was at 7. */
const waitingFor = (pauses: number, log: Array<string>): Outage.Waiting => ({
  now: Effect.succeed(7),
  pause: (since) =>
    Effect.sync(() => {
      log.push(`paused since ${since}`)
      return pauses-- > 0
    }),
  over: Effect.sync(() => void log.push("over"))
})

const isOutage = (error: string) => error === "away"

const open = (isOver: boolean, outer?: Open): Open => ({ owner: {}, outer, undos: [], isOver })

describe("a database that is away", () => {
  const cases = [
    { name: "answers at once: nobody waits", fails: 0, pauses: 9, says: ["asked"], ends: "answer" },
    {
      name: "answers later: it is asked until then, and told that it is over",
      fails: 2,
      pauses: 9,
      says: ["asked", "paused since 7", "asked", "paused since 7", "asked", "over"],
      ends: "answer"
    },
    {
      name: "does not answer in time: that is said, and nothing is over",
      fails: 9,
      pauses: 1,
      says: ["asked", "paused since 7", "asked", "paused since 7"],
      ends: "away"
    },
    { name: "refuses: nobody waits for that", fails: 1, pauses: 9, error: "no", says: ["asked"], ends: "no" }
  ]
  for (const { ends, error, fails, name, pauses, says } of cases) {
    it.effect(`${name} (OWN-21)`, () =>
      Effect.gen(function*() {
        for (const isNamed of [true, false]) {
          const log: Array<string> = []
          const waiting = waitingFor(pauses, log)
          const waited = Outage.outlasting(failing(fails, log, error), isOutage, isNamed ? waiting : undefined)
          const exit = yield* Effect.exit(Effect.locally(waited, Outage.Current, isNamed ? undefined : waiting))
          assert.deepStrictEqual(exit, ends === "answer" ? Exit.succeed(ends) : Exit.fail(ends))
          assert.deepStrictEqual(log, says)
        }
      }))
  }

  it.effect("is not waited for outside of an execution, nor what it refuses when it is back (OWN-21)", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      assert.strictEqual(yield* Effect.flip(Outage.outlasting(failing(1, log), isOutage, undefined)), "away")
      assert.deepStrictEqual(log, ["asked"])
      let asked = 0
      const refused = Effect.suspend(() => Effect.fail(asked++ === 0 ? "away" : "no"))
      assert.strictEqual(yield* Effect.flip(Outage.outlasting(refused, isOutage, waitingFor(9, []))), "no")
      assert.strictEqual(asked, 2)
    }))

  it.effect("is waited for by what only reads where no transaction is kept open by that (OWN-21)", () =>
    Effect.gen(function*() {
      const situations: ReadonlyArray<readonly [Open | undefined, boolean]> = [
        [undefined, true],
        [open(false), false],
        [open(true), true],
        [open(true, open(false)), false],
        [open(false, open(true)), false],
        [open(true, open(true)), true]
      ]
      for (const [current, waits] of situations) {
        const log: Array<string> = []
        const exit = yield* Outage.outlastingReads(failing(1, log), isOutage).pipe(
          Effect.exit,
          Effect.locally(CurrentTransaction, current),
          Effect.locally(Outage.Current, waitingFor(9, log))
        )
        assert.strictEqual(Exit.isSuccess(exit), waits)
        assert.strictEqual(log.includes("over"), waits)
      }
    }))
})
