/** The places at which a test stops the world: before and behind what happens there, and nowhere else. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { around, type Handler, hit } from "../../../src/engine/session/faultPoint.js"

describe("a fault point", () => {
  const log: Array<string> = []
  const faults: Handler = (name) => Effect.sync(() => void log.push(name))
  const work = Effect.sync(() => {
    log.push("work")
    return "done"
  })

  it.effect("is met in front of what it stands before, and behind what it follows", () =>
    Effect.gen(function*() {
      for (const before of ["beforeWrite", undefined] as const) {
        for (const after of ["afterWrite", undefined] as const) {
          log.length = 0
          assert.strictEqual(yield* around({ faults }, before, work, after), "done")
          assert.deepStrictEqual(log, [before, "work", after].filter((name) => name !== undefined))
        }
      }
      log.length = 0
      yield* hit({ faults }, "afterCommit")
      assert.deepStrictEqual(log, ["afterCommit"])
    }))

  it("costs nothing where nobody has put one", () => {
    assert.strictEqual(around({ faults: undefined }, "beforeWrite", work, "afterWrite"), work)
    assert.strictEqual(hit({ faults: undefined }, "afterCommit"), Effect.void)
  })
})
