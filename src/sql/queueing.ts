/**
 * Taking turns at the write lock of an SQLite file, which knows no queue: who asks at the right moment has it.
 *
 * Processes cannot see each other; what they can see is that somebody has committed. So each keeps to two rules. Who waits
 * looks out for commits, and asks the sooner after one, the more of them have gone by while it waited. Who has had the lock
 * stands back for a moment before it asks again. So whoever has waited longest asks first while the lock is free.
 */

/**
 * What to do while somebody else has the lock: ask for it, or look again whether somebody has committed; both after a pause
 * in milliseconds.
 *
 * @internal
 */
export interface Next {
  readonly _tag: "Ask" | "Look"
  readonly millis: number
}

/**
 * - `hasCommitted`: whether somebody has committed since the last look.
 * - `lost`: how often that was so.
 * - `sinceAsked`: the milliseconds since the lock was asked for. A commit is not the only way to give it back.
 *
 * @internal
 */
export const next = (
  { hasCommitted, lost, sinceAsked }: {
    readonly hasCommitted: boolean
    readonly lost: number
    readonly sinceAsked: number
  },
  random: number
): Next =>
  hasCommitted
    ? { _tag: "Ask", millis: Math.max(0, RANKS - lost) * RANK_MILLIS }
    : sinceAsked >= ASK_MILLIS
    ? { _tag: "Ask", millis: 0 }
    : { _tag: "Look", millis: (lost < RANKS ? LOOK_MILLIS : LOOK_MILLIS / 2) * (0.75 + random / 2) }

/**
 * How long the lock is left to others after it was held for so long, in milliseconds. Less for who has met nobody: what
 * nobody waits for is not worth a pause.
 *
 * @internal
 */
export const standBackMillis = (heldMillis: number, hasMetOthers: boolean): number =>
  hasMetOthers
    ? Math.min(LONGEST, Math.max(2, heldMillis / 4))
    : heldMillis < 100
    ? 0
    : Math.min(LONGEST / 4, heldMillis / 50)

/**
 * Whether others that were met so long ago still count.
 *
 * @internal
 */
export const remembers = (sinceMet: number, heldMillis: number): boolean => sinceMet < 1000 + 3 * heldMillis

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const RANKS = 5
/** Longer than two looks at the same commit can lie apart. */
const RANK_MILLIS = 8
const LOOK_MILLIS = 4
const ASK_MILLIS = 50
/** Long enough for the lowest rank to ask, even when timers are late. */
const LONGEST = 100
