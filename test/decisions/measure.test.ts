/** How far a step is, and how long it takes from here. */
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Measure from "../../src/decisions/measure.js"

const positive = FastCheck.integer({ min: 1, max: 1_000_000 })

describe("a measure", () => {
  it("law: at a steady pace the end is where it is, whenever one looks and wherever the execution began", () => {
    FastCheck.assert(
      FastCheck.property(
        positive,
        positive,
        FastCheck.integer({ min: 0, max: 1000 }),
        positive,
        (done, rest, from, pace) => {
          const measure = { from, done: from + done, total: from + done + rest }
          const took = done * pace
          for (const ago of [0, pace]) {
            const left = Option.getOrThrow(Measure.left(measure, took + ago, ago))
            assert.approximately(left, Math.max(0, rest * pace - ago), 1e-3 * rest * pace + 1)
          }
        }
      )
    )
  })

  it("has no end while nothing moves, and none that has passed", () => {
    assert.isTrue(Option.isNone(Measure.left({ done: 5, from: 5, total: 9 }, 1000, 0)))
    assert.isTrue(Option.isNone(Measure.left({ done: 5, from: 0, total: 9 }, 1000, 1000)))
    assert.deepStrictEqual(Measure.left({ done: 9, from: 0, total: 9 }, 9000, 5000), Option.some(0))
    assert.strictEqual(Measure.share({ done: 12, from: 0, total: 9 }), 1)
    assert.strictEqual(Measure.share({ done: 0, from: 0, total: 0 }), 1)
  })

  it("is read from a checkpoint, whatever else is in it, and none of what others have put there", () => {
    const measure = { done: 1, from: 0, total: 2 }
    assert.deepStrictEqual(Measure.read(Option.some({ reader: 7, progress: measure })), Option.some(measure))
    for (const other of [null, 7, "x", [], {}, { progress: 7 }, { progress: { done: "x", total: 1, from: 0 } }]) {
      assert.isTrue(Option.isNone(Measure.read(Option.some(other as any))), JSON.stringify(other))
    }
    assert.deepStrictEqual(Measure.without({ reader: 7, progress: measure }), { reader: 7 })
  })
})
