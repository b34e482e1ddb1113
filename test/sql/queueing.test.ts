import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { seeded } from "../../src/base/random.js"
import { next, standBackMillis } from "../../src/sql/queueing.js"

interface Contender {
  /** When it asks or looks next. */
  at: number
  isAsking: boolean
  asked: number
  lost: number
  seen: number | undefined
  turns: number
  /** How many turns of others it had to wait for at most. */
  longest: number
  waitsSince: number
}

/** Processes that write one chunk after the other, with a moment of work in between. */
const simulate = (seed: number, processes: number, chunk: number, turns: number): ReadonlyArray<Contender> => {
  const below = seeded(seed)
  const random = () => below(1_000_000) / 1_000_000
  const contenders = Array.from({ length: processes }, (): Contender => ({
    at: random() * 50,
    isAsking: true,
    asked: 0,
    lost: 0,
    seen: undefined,
    turns: 0,
    longest: 0,
    waitsSince: 0
  }))
  let freeAt = 0
  let taken = 0
  while (taken < turns) {
    const self = contenders.reduce((first, other) => other.at < first.at ? other : first)
    const now = self.at
    const commits = now >= freeAt ? taken : taken - 1
    if (self.isAsking && now >= freeAt) {
      self.longest = Math.max(self.longest, taken - self.waitsSince)
      taken++
      freeAt = now + chunk
      Object.assign(self, {
        at: freeAt + 0.3 + standBackMillis(chunk, true),
        lost: 0,
        seen: undefined,
        turns: self.turns + 1,
        waitsSince: taken
      })
      continue
    }
    if (self.isAsking) {
      self.asked = now
    }
    const hasCommitted = !self.isAsking && self.seen !== commits
    self.lost += hasCommitted ? 1 : 0
    self.seen = commits
    const then = next({ hasCommitted, lost: self.lost, sinceAsked: now - self.asked }, random())
    self.isAsking = then._tag === "Ask"
    // No timer is exact.
    self.at = now + then.millis + 0.05 + random()
  }
  return contenders
}

const chunks = FastCheck.integer({ min: 200, max: 3000 })

describe("taking turns at an SQLite file", () => {
  it.prop(
    "with slow chunks nobody waits for more than three chunks more than the others (OWN-21)",
    [FastCheck.integer({ min: 1, max: 1_000_000 }), FastCheck.integer({ min: 2, max: 5 }), chunks],
    ([seed, processes, chunk]) => {
      for (const { longest } of simulate(seed, processes, chunk, 30 * processes)) {
        assert.isAtMost(longest, processes - 1 + 3)
      }
    },
    { fastCheck: { numRuns: 20 } }
  )

  it.prop(
    "with chunks of any length everybody has turns (OWN-21)",
    [
      FastCheck.integer({ min: 1, max: 1_000_000 }),
      FastCheck.integer({ min: 2, max: 5 }),
      FastCheck.integer({ min: 1, max: 3000 })
    ],
    ([seed, processes, chunk]) => {
      for (const { longest } of simulate(seed, processes, chunk, 60 * processes)) {
        assert.isAtMost(longest * chunk, Math.max(500, 8 * chunk))
      }
    },
    { fastCheck: { numRuns: 20 } }
  )

  it.prop(
    "who has waited longer asks sooner, and who had the lock stands back for a moment only (OWN-21)",
    [
      FastCheck.nat(20),
      FastCheck.double({ min: 0, max: 1, noNaN: true }),
      FastCheck.double({ min: 0, max: 1e6, noNaN: true })
    ],
    ([lost, random, held]) => {
      const ask = (lost: number) => next({ hasCommitted: true, lost, sinceAsked: 0 }, random)
      assert.isAtMost(ask(lost + 1).millis, ask(lost).millis)
      assert.strictEqual(next({ hasCommitted: false, lost, sinceAsked: 1000 }, random)._tag, "Ask")
      assert.isAbove(next({ hasCommitted: false, lost, sinceAsked: 0 }, random).millis, 1)
      assert.isAtMost(standBackMillis(held, true), 100)
      assert.isAtMost(standBackMillis(held, false), standBackMillis(held, true))
      if (held >= 200) {
        // While others stand back, each rank asks.
        assert.isBelow(ask(1).millis, standBackMillis(held, true))
      }
    }
  )
})
