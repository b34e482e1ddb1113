/**
 * Which deadlines a job has missed: it must complete between each time of its schedule and the next one. Pure.
 */
import * as Cron from "effect/Cron"

/** `at`: when the job must have completed since the time before. */
export interface Deadline {
  readonly jobName: string
  readonly at: Cron.Cron
}

/** A job that had to complete `after` one time and until the next one, `due`. In milliseconds. */
export interface Due {
  readonly after: number
  readonly due: number
}

/** The last of what was due after that and until now, oldest first; to the second, what is due at this very one is due. */
export const dues = ({ at }: Deadline, since: number, now: number): ReadonlyArray<Due> => {
  const found: Array<Due> = []
  let due = previous(at, now + 1000)
  while (due !== undefined && due > since && found.length < MOST) {
    const before = previous(at, due)
    found.unshift({ after: before ?? Number.NEGATIVE_INFINITY, due })
    due = before
  }
  return found
}

/** Those at which it had not completed; `ends` are the times at which it has. */
export const missed = (dues: ReadonlyArray<Due>, ends: ReadonlyArray<number>): ReadonlyArray<Due> =>
  dues.filter(({ after, due }) => !ends.some((end) => end > after && end <= due))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Who was away for long need not be told of every minute. */
const MOST = 100

/** A schedule may have no time before, such as one for a day that there is not. */
const previous = (at: Cron.Cron, millis: number): number | undefined => {
  try {
    return Cron.prev(at, new Date(millis)).getTime()
  } catch {
    return undefined
  }
}
