/**
 * A turn that one at a time may have, in the order in which it was asked for. Taking it costs nothing when it is free, and
 * nobody waits for ever for one that will not come back.
 */
import * as Effect from "effect/Effect"
import { finishing } from "./finishing.js"

/** @internal */
export interface Turn {
  taken: boolean
  /** When it was given back the last time, or made. */
  givenAt: number
  readonly waiting: Array<() => void>
}

/** @internal */
export const make = (): Turn => ({ taken: false, givenAt: performance.now(), waiting: [] })

/**
 * Waits for the turn. While it does, `refusal` is asked every second, on the real clock, whether there is a reason to give
 * up.
 *
 * @internal
 */
export const take = <E>(turn: Turn, refusal: () => E | undefined): Effect.Effect<void, E> =>
  Effect.suspend(() => {
    if (!turn.taken) {
      turn.taken = true
      return Effect.void
    }
    return waiting(turn, refusal)
  })

/** @internal */
export const give = (turn: Turn): void => {
  turn.givenAt = performance.now()
  const next = turn.waiting.shift()
  if (next === undefined) {
    turn.taken = false
  } else {
    next()
  }
}

/**
 * Runs the effect while it has the turn, in a region that cannot be interrupted but where `restore` says so. Every statement of a
 * transaction comes through here, so what is free is taken and given back without more.
 *
 * @internal
 */
export const during = <A, E, E2, R>(
  turn: Turn,
  refusal: () => E2 | undefined,
  effect: (restore: Restore) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | E2, R> =>
  Effect.uninterruptibleMask((restore) => {
    const run = finishing(Effect.suspend(() => effect(restore)), () => give(turn))
    if (turn.taken) {
      return Effect.zipRight(restore(waiting(turn, refusal)), run)
    }
    turn.taken = true
    return run
  })

/** @internal */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const waiting = <E>(turn: Turn, refusal: () => E | undefined): Effect.Effect<void, E> =>
  Effect.async<void, E>((resume) => {
    let isGranted = false
    const grant = () => {
      isGranted = true
      clearInterval(watch)
      resume(Effect.void)
    }
    const leave = () => {
      clearInterval(watch)
      turn.waiting.splice(turn.waiting.indexOf(grant), 1)
    }
    const watch = setInterval(() => {
      const reason = refusal()
      if (reason !== undefined) {
        leave()
        resume(Effect.fail(reason))
      }
    }, 1000)
    turn.waiting.push(grant)
    return Effect.sync(() => isGranted ? give(turn) : turn.waiting.includes(grant) ? leave() : undefined)
  })
