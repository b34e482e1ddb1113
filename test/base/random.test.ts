import { assert, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { seeded } from "../../src/base/random.js"

/** mulberry32 as its author has published it. */
const published = (seed: number) => () => {
  let t = seed += 0x6D2B79F5
  t = Math.imul(t ^ t >>> 15, t | 1)
  t ^= t + Math.imul(t ^ t >>> 7, t | 61)
  return ((t ^ t >>> 14) >>> 0) / 4294967296
}

it.prop("random numbers of a seed are the same everywhere, and below what they have to be", [
  FastCheck.nat(0x7fff_ffff),
  FastCheck.integer({ min: 1, max: 1000 })
], ([seed, below]) => {
  const [one, other] = [seeded(seed), published(seed)]
  for (let n = 0; n < 20; n++) {
    const found = one(below)
    assert.strictEqual(found, Math.floor(other() * below))
    assert.isBelow(found, below)
  }
})
