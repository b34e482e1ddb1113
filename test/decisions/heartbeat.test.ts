import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Beats from "../../src/decisions/heartbeat.js"

const leases = FastCheck.integer({ min: 100, max: 600_000 })

/** What became of each attempt, and how long it took: a fraction of the time it was given; Infinity for a silent network. */
type Attempt = { readonly answer: boolean; readonly took: number }

const attempts = FastCheck.array(
  FastCheck.record({ answer: FastCheck.boolean(), took: FastCheck.double({ min: 0, max: 1, noNaN: true }) }),
  { maxLength: 40 }
)

/** Lives on exact timers through the attempts, and on a silent network behind them. */
const live = (leaseMillis: number, given: ReadonlyArray<Attempt>) => {
  let beats = Beats.begin(leaseMillis, 0)
  let now = 0
  let proven = 0
  const rests: Array<number> = []
  for (let i = 0;;) {
    const next = Beats.next(beats, now)
    if (next._tag === "GiveUp") {
      return { now, proven, rests }
    } else if (next._tag === "Rest") {
      rests.push(next.millis)
      now += next.millis
      continue
    }
    const { answer, took } = given[i++] ?? { answer: false, took: 1 }
    const asked = now
    now += next.limitMillis * took
    if (answer) {
      beats = Beats.answered(beats, asked)
      proven = asked
    } else {
      beats = Beats.failed(beats, asked)
      now += Beats.pauseMillis(beats, now)
    }
  }
}

describe("the heartbeat of an execution", () => {
  it("gives up when three quarters of the lease have passed since the last proof, whatever the network does (OWN-18)", () =>
    FastCheck.assert(FastCheck.property(leases, attempts, (lease, given) => {
      const { now, proven } = live(lease, given)
      assert.isAtLeast(now - proven, lease * 0.75 - 1e-6)
      assert.isAtMost(now - proven, lease * 0.75 + 4, "but for the parts of a millisecond")
    })))

  it("proves four times per lease that the owner lives while it is answered at once (OWN-18)", () => {
    const { rests } = live(1000, Array.from({ length: 10 }, () => ({ answer: true, took: 0 })))
    assert.isTrue(rests.every((millis) => Math.abs(millis - 250) < 1e-6))
  })

  const states = FastCheck.record({
    leaseMillis: leases,
    provenAt: FastCheck.integer({ min: 0, max: 1_000_000 }),
    triedAt: FastCheck.option(FastCheck.integer({ min: 0, max: 1_000_000 }), { nil: undefined })
  })

  it("never gives up without having tried: who was frozen asks once (OWN-18)", () =>
    FastCheck.assert(FastCheck.property(states, FastCheck.nat(5_000_000), (state, late) => {
      const next = Beats.next({ ...state, triedAt: undefined }, state.provenAt + late)
      assert.notStrictEqual(next._tag, "GiveUp")
    })))

  it("gives no attempt more than a quarter of the lease, nor any that has failed more than is left (OWN-18)", () =>
    FastCheck.assert(FastCheck.property(states, FastCheck.nat(5_000_000), (state, late) => {
      const now = state.provenAt + late
      const next = Beats.next(state, now)
      if (next._tag === "Try") {
        assert.isAbove(next.limitMillis, 0)
        assert.isAtMost(next.limitMillis, state.leaseMillis / 4 + 1)
        assert.isTrue(state.triedAt === undefined || late + next.limitMillis <= state.leaseMillis * 0.75 + 1)
      }
      assert.isAtMost(Beats.pauseMillis(state, now), Math.max(0, state.leaseMillis * 0.75 - late) + 1)
    })))

  it("takes an answer that comes late for the proof of when it was asked, and never goes back", () =>
    FastCheck.assert(FastCheck.property(states, FastCheck.nat(2_000_000), (state, asked) => {
      assert.strictEqual(Beats.answered(state, asked).provenAt, Math.max(state.provenAt, asked))
      assert.strictEqual(Beats.failed(Beats.failed(state, asked), asked + 1).triedAt, state.triedAt ?? asked)
    })))

  it("worries when an answer needed more than a quarter of the lease, failed attempts included", () => {
    const beats = Beats.begin(1000, 0)
    assert.strictEqual(Beats.worry(beats, 250, 500), undefined)
    assert.strictEqual(Beats.worry(beats, 250, 501), 251)
    assert.strictEqual(Beats.worry(Beats.failed(beats, 250), 480, 510), 260)
    assert.strictEqual(Beats.worry(Beats.answered(Beats.failed(beats, 250), 480), 730, 740), undefined)
  })
})
