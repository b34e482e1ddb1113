/**
 * Wakes who waits for something by its number. A hint that comes while nobody waits is remembered for the next one, since
 * between two looks at what has changed nobody does.
 */
import * as Effect from "effect/Effect"

export interface Hints {
  /** Completes with the next hint, or at once if one was missed. */
  readonly next: (id: number) => Effect.Effect<void>
  /** Wakes all who wait for this number. */
  readonly give: (id: number) => void
  /** Wakes all who wait for anything. */
  readonly giveAll: () => void
}

export const make = (): Hints => {
  const waiting = new Map<number, Set<() => void>>()
  const missed = new Set<number>()
  const give = (id: number): void => {
    const all = waiting.get(id)
    if (all === undefined) {
      // There may be hints for numbers that nobody here will ever wait for.
      if (missed.size >= MOST_MISSED) {
        missed.clear()
      }
      missed.add(id)
      return
    }
    waiting.delete(id)
    all.forEach((wake) => wake())
  }
  return {
    next: (id) =>
      Effect.async<void>((resume) => {
        if (missed.delete(id)) {
          return resume(Effect.void)
        }
        const wake = () => resume(Effect.void)
        const all = waiting.get(id) ?? new Set()
        waiting.set(id, all.add(wake))
        return Effect.sync(() => {
          all.delete(wake)
          // Others may have come since these were woken.
          if (all.size === 0 && waiting.get(id) === all) {
            waiting.delete(id)
          }
        })
      }),
    give,
    giveAll: () => [...waiting.keys()].forEach(give)
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const MOST_MISSED = 10_000
