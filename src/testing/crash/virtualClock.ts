/**
 * A clock that nobody has to wait for and nobody has to adjust: when all that is left to do is to sleep, it moves on to
 * the moment at which the first sleeper wakes.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

export interface VirtualClock extends Clock.Clock {
  /** Forgets who sleeps. */
  readonly clear: () => void
}

/**
 * - `activity`: a number that changes whenever anything happens for which the clock has to wait.
 * - `horizon`: sleepers that are farther away, in milliseconds, are never woken.
 */
export const make = (options: { readonly activity: () => number; readonly horizon: number }): VirtualClock => {
  const sleepers = new Set<Sleeper>()
  let now = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  const first = (): Sleeper | undefined => {
    let found: Sleeper | undefined
    for (const sleeper of sleepers) {
      if (sleeper.until - now <= options.horizon && (found === undefined || sleeper.until < found.until)) {
        found = sleeper
      }
    }
    return found
  }
  // A turn of the event loop without any activity: there is nothing left to do now.
  const watch = (): void => {
    if (timer !== undefined || first() === undefined) {
      return
    }
    const before = options.activity()
    timer = setTimeout(() => {
      timer = undefined
      const next = options.activity() === before ? first() : undefined
      if (next !== undefined) {
        now = Math.max(now, next.until)
        sleepers.delete(next)
        next.wake()
      }
      watch()
    }, 1)
  }
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => now,
    unsafeCurrentTimeNanos: () => BigInt(Math.round(now * 1_000_000)),
    currentTimeMillis: Effect.sync(() => now),
    currentTimeNanos: Effect.sync(() => BigInt(Math.round(now * 1_000_000))),
    sleep: (duration) =>
      Effect.async<void>((resume) => {
        const sleeper: Sleeper = { until: now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
        sleepers.add(sleeper)
        watch()
        return Effect.sync(() => void sleepers.delete(sleeper))
      }),
    clear: () => sleepers.clear()
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}
