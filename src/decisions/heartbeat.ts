/**
 * When the owner of an execution proves that it lives, and when it has to give up because it no longer can (OWN-18).
 *
 * Everybody else may take the execution over when the lease has passed since the last proof. The owner gives up when three
 * quarters of it have, whatever became of its attempts, so that it has ended by then. Times are milliseconds of a clock
 * that never goes back; those to wait are whole ones, so that a timer which knows no parts of them ends behind its time.
 */

export interface Beats {
  readonly leaseMillis: number
  /** When the attempt began that was answered last: the lease has been renewed since. */
  readonly provenAt: number
  /** When the first attempt after that one began, if there was one. None of them was answered. */
  readonly triedAt: number | undefined
}

/**
 * Wait for so long; or try to renew the lease, for so long at most; or give up. Whoever was frozen or kept from running
 * tries once before giving up: perhaps nobody has noticed.
 */
export type Next =
  | { readonly _tag: "Rest"; readonly millis: number }
  | { readonly _tag: "Try"; readonly limitMillis: number }
  | { readonly _tag: "GiveUp" }

export const begin = (leaseMillis: number, now: number): Beats => ({ leaseMillis, provenAt: now, triedAt: undefined })

/** An attempt that began then was answered. */
export const answered = (beats: Beats, askedAt: number): Beats => ({
  ...beats,
  provenAt: Math.max(beats.provenAt, askedAt),
  triedAt: undefined
})

/** An attempt that began then was not answered, or with a failure. */
export const failed = (beats: Beats, askedAt: number): Beats => ({ ...beats, triedAt: beats.triedAt ?? askedAt })

export const next = ({ leaseMillis, provenAt, triedAt }: Beats, now: number): Next => {
  const quarter = leaseMillis / 4
  const age = Math.max(0, now - provenAt)
  if (triedAt !== undefined) {
    return age >= 3 * quarter ? GIVE_UP : { _tag: "Try", limitMillis: whole(Math.min(quarter, 3 * quarter - age)) }
  }
  return age < quarter
    ? { _tag: "Rest", millis: whole(quarter - age) }
    : { _tag: "Try", limitMillis: whole(quarter) }
}

/** How long to wait after an attempt that failed at once, so that a database that is away is not asked all the time. */
export const pauseMillis = ({ leaseMillis, provenAt }: Beats, now: number): number =>
  whole(Math.min(leaseMillis / 32, 1000, provenAt + leaseMillis * 0.75 - now))

/**
 * How long a renewal took that began then, if that was worrying: more than a quarter of the lease, of which three may
 * pass.
 */
export const worry = ({ leaseMillis, triedAt }: Beats, askedAt: number, now: number): number | undefined => {
  const millis = now - (triedAt ?? askedAt)
  return millis > leaseMillis / 4 ? millis : undefined
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const whole = (millis: number): number => Math.max(1, Math.ceil(millis))

const GIVE_UP: Next = { _tag: "GiveUp" }
