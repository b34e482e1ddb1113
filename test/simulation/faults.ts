/**
 * What goes wrong, when, and to whom; drawn from a seed, and made fewer as long as the run still fails.
 */
import { seeded } from "../../src/base/random.js"
import type { Scenario } from "./simulation.js"

export const KINDS = [
  "kill",
  "freeze",
  "skew",
  "clock",
  "unanswered",
  "lost",
  "stop",
  "purge",
  "recover",
  "join",
  "leave",
  "outage",
  "error"
] as const

export interface Fault {
  readonly kind: typeof KINDS[number]
  /** Strikes when so many pieces of work were done. */
  readonly at: number
  /** Which of those that are there. */
  readonly victim: number
  /** How much of it, in milliseconds. */
  readonly amount: number
}

/** How often each kind is drawn, out of the sum. */
const WEIGHTS: Readonly<Record<Fault["kind"], number>> = {
  kill: 22,
  freeze: 20,
  skew: 4,
  clock: 3,
  unanswered: 8,
  lost: 6,
  stop: 6,
  purge: 3,
  recover: 3,
  join: 10,
  leave: 8,
  outage: 4,
  error: 3
}

/** The scenario of a seed, always the same. */
export const draw = (seed: number): Scenario => {
  const random = seeded(seed)
  const size = random(100)
  const partitions = size < 85 ? 1 + random(8) : size < 99 ? 9 + random(30) : 100 + random(100)
  const workers = random(25) === 0 ? random(30) : random(5)
  const count = 1 + random(size < 85 ? 40 : 80)
  const pace = 5 + random(120)
  const faults: Array<Fault> = []
  let at = random(300)
  for (let n = 0; n < count; n++) {
    faults.push({ kind: drawKind(random), at, victim: random(1 << 20), amount: 100 + random(40_000) })
    at += random(10) === 0 ? 0 : random(pace)
  }
  return {
    seed,
    faults,
    partitions,
    items: random(5) === 0 ? 20 + random(20) : 2 + random(12),
    slots: workers === 0 ? 1 + random(3) : random(4),
    workers,
    workerSlots: 1 + random(3),
    onFailure: random(3) === 0 ? "stop" : "continue",
    stickiness: [0, 50, 90, 99][random(4)]!
  }
}

/** The smallest set of these faults, as far as leaving out goes, with which the run still fails. */
export const shrink = (scenario: Scenario, fails: (scenario: Scenario) => boolean): Scenario => {
  let found = scenario
  for (let size = Math.ceil(found.faults.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < found.faults.length;) {
      const fewer = { ...found, faults: found.faults.filter((_, at) => at < from || at >= from + size) }
      if (fails(fewer)) {
        found = fewer
      } else {
        from += size
      }
    }
  }
  // What could not be left out before may be now.
  return found.faults.length < scenario.faults.length ? shrink(found, fails) : found
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const TOTAL = Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0)

const drawKind = (random: (below: number) => number): Fault["kind"] => {
  let left = random(TOTAL)
  for (const kind of KINDS) {
    left -= WEIGHTS[kind]
    if (left < 0) {
      return kind
    }
  }
  return "kill"
}
