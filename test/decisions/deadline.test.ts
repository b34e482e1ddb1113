/** When jobs are late. */
import { assert, describe, it } from "@effect/vitest"
import * as Cron from "effect/Cron"
import * as FastCheck from "effect/FastCheck"
import * as Deadline from "../../src/decisions/deadline.js"

const daily: Deadline.Deadline = { jobName: "billing", at: Cron.unsafeParse("0 6 * * *", "UTC") }
const day = (n: number, hour = 6) => Date.UTC(2026, 5, n, hour)

describe("deadlines", () => {
  it("are all those since then, the present second included", () => {
    const due = (since: number, now: number) => Deadline.dues(daily, since, now).map(({ due }) => due)
    assert.deepStrictEqual(due(day(1, 7), day(4)), [day(2), day(3), day(4)])
    assert.deepStrictEqual(due(day(1), day(1, 5)), [])
    assert.deepStrictEqual(due(day(1) - 1, day(1)), [day(1)])
    assert.deepStrictEqual(due(day(1) - 1, day(1) - 1), [])
    assert.lengthOf(Deadline.dues({ ...daily, at: Cron.unsafeParse("* * * * *", "UTC") }, 0, day(1)), 100)
  })

  it("law: a completion meets exactly the one deadline that follows it", () => {
    FastCheck.assert(FastCheck.property(FastCheck.integer({ min: day(1), max: day(10) }), (end) => {
      const dues = Deadline.dues(daily, day(1) - 1, day(11))
      const missed = Deadline.missed(dues, [end])
      const met = dues.filter((due) => !missed.includes(due))
      assert.deepStrictEqual(met, dues.filter(({ due }) => due >= end).slice(0, 1))
    }))
  })
})
