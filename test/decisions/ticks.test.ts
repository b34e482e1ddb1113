import { assert, describe, it } from "@effect/vitest"
import * as Cron from "effect/Cron"
import * as FastCheck from "effect/FastCheck"
import { nextOf } from "../../src/decisions/calendar.js"
import type { Policy } from "../../src/decisions/ticks.js"
import { decide } from "../../src/decisions/ticks.js"

const minutely = Cron.unsafeParse("0 * * * * *", "UTC")

const at = (time: string) => Date.parse(`2026-03-01T${time}Z`)

const MINUTE = 60_000

const policy = (misfire: Policy["misfire"]): Policy => ({ misfire, toleranceMillis: MINUTE })

const crons = FastCheck.constantFrom("0 * * * * *", "*/7 * * * * *", "0 30 2 * * *", "0 0 12 * * 1-5").map((text) =>
  Cron.unsafeParse(text, "Europe/Berlin")
)

const anyTime = FastCheck.integer({ min: at("00:00:00"), max: at("00:00:00") + 400 * 24 * 60 * MINUTE })

describe("a tick", () => {
  it("runs when it is in time, and hands on to the next one", () => {
    for (const misfire of ["once", "skip"] as const) {
      assert.deepStrictEqual(decide(minutely, at("10:00:00"), at("10:01:00"), policy(misfire)), {
        run: at("10:00:00"),
        next: at("10:01:00")
      })
    }
  })

  it("runs once for all that were missed", () => {
    assert.deepStrictEqual(decide(minutely, at("10:00:00"), at("10:05:30"), policy("once")), {
      run: at("10:05:00"),
      next: at("10:06:00")
    })
    assert.deepStrictEqual(decide(minutely, at("10:00:00"), at("10:05:00"), policy("once")).run, at("10:05:00"))
  })

  it("is skipped with all that were missed, but not those that are in time", () => {
    assert.deepStrictEqual(decide(minutely, at("10:00:00"), at("10:05:30"), policy("skip")), {
      run: undefined,
      next: at("10:05:00")
    })
  })

  it.prop(
    "hands on to a later one, and runs none that is still to come",
    [crons, anyTime, FastCheck.nat(3 * 24 * 60 * MINUTE), FastCheck.constantFrom("once" as const, "skip" as const)],
    ([cron, time, late, misfire]) => {
      const tick = nextOf(cron, time)
      const { next, run } = decide(cron, tick, tick + late, policy(misfire))
      assert.isAbove(next, tick)
      assert.isTrue(run === undefined || (run >= tick && run <= tick + late && run < next))
      assert.strictEqual(run === undefined, misfire === "skip" && late > MINUTE)
    }
  )

  it.prop(
    "is run once, with all others in their order, while nobody is too late",
    [crons, anyTime, FastCheck.array(FastCheck.nat(MINUTE), { minLength: 5, maxLength: 5 })],
    ([cron, time, delays]) => {
      let tick = nextOf(cron, time)
      const expected: Array<number> = []
      const ran: Array<number | undefined> = []
      for (const delay of delays) {
        expected.push(expected.length === 0 ? tick : nextOf(cron, expected.at(-1)!))
        const { next, run } = decide(cron, tick, tick + delay, policy("skip"))
        ran.push(run)
        tick = next
      }
      assert.deepStrictEqual(ran, expected)
    }
  )
})
