/**
 * When the times of a cron come, by the clock of its time zone, also where that clock is changed.
 *
 * A cron of every hour comes whenever that clock shows one of its times: in a repeated hour twice, in a skipped one not at all. One
 * that names hours comes once for each of its times: for a repeated one when that comes first, for a skipped one as much
 * later as the clock was set forward. A cron without a time zone is one of UTC, on every machine.
 *
 * Effect's `Cron.next` and `Cron.prev` leave out a repeated hour, go back in time when they begin in it, and end with an error for
 * some times behind a skipped one; so only the fields of a `Cron` are used here. Laws, tested by properties over all zones:
 * `nextOf` is the least tick behind a time, and `lastOf` the greatest up to it, of those that this says.
 */
import type * as Cron from "effect/Cron"
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"

/** The first tick behind that time, in milliseconds since the epoch; `Infinity` when the cron has no day at all, as 30 February. */
export const nextOf = (cron: Cron.Cron, millis: number): number => {
  const zone = zoneOf(cron)
  return search(cron, zone, millis, changeIn(zone, millis - DAY, millis))
}

/** The last tick up to that time; `-Infinity` when there was none in 400 years. */
export const lastOf = (cron: Cron.Cron, millis: number): number => {
  for (let back = 1000; back <= CYCLE_DAYS * DAY; back *= 2) {
    const tick = nextOf(cron, millis - back)
    if (tick <= millis) {
      return lastBetween(cron, tick, millis)
    }
  }
  return Number.NEGATIVE_INFINITY
}

/** That of its ticks. */
export const zoneOf = (cron: Cron.Cron): DateTime.TimeZone => Option.getOrElse(cron.tz, () => UTC)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const UTC = DateTime.zoneUnsafeMakeNamed("UTC")

const DAY = 24 * 60 * 60 * 1000

/** Behind so many days the calendar repeats. */
const CYCLE_DAYS = 146_097

/** A change of the clock: from then on it is ahead of UTC by `after` milliseconds instead of `before`. */
interface Change {
  readonly at: number
  readonly before: number
  readonly after: number
}

const offsetAt = (zone: DateTime.TimeZone, millis: number): number =>
  zone._tag === "Offset"
    ? zone.offset
    : zone.id === "UTC"
    ? 0
    : DateTime.zonedOffset(DateTime.unsafeMakeZoned(millis, { timeZone: zone }))

/** Behind `from` and not behind `to`, which are a day apart at most. No zone has changed its clock twice in a day. */
const changeIn = (zone: DateTime.TimeZone, from: number, to: number): Change | undefined => {
  const [before, after] = [offsetAt(zone, from), offsetAt(zone, to)]
  if (before === after) {
    return undefined
  }
  let [unchanged, at] = [from, to]
  while (at - unchanged > 1) {
    const middle = Math.floor((unchanged + at) / 2)
    if (offsetAt(zone, middle) === before) {
      unchanged = middle
    } else {
      at = middle
    }
  }
  return { at, before, after }
}

const firstChangeIn = (zone: DateTime.TimeZone, from: number, to: number): Change | undefined => {
  for (let day = from; day < to; day += DAY) {
    const change = changeIn(zone, day, Math.min(day + DAY, to))
    if (change !== undefined) {
      return change
    }
  }
  return undefined
}

/** - `past`: the change of the clock in the day before, if there was one. */
const search = (cron: Cron.Cron, zone: DateTime.TimeZone, millis: number, past: Change | undefined): number => {
  const tick = tickBehind(cron, millis, past?.after ?? offsetAt(zone, millis), past)
  if (!Number.isFinite(tick)) {
    return tick
  }
  // Nothing is due on the days between, whatever becomes of the clock there.
  const near = tick - 2 * DAY
  if (near > millis + DAY) {
    return search(cron, zone, near, changeIn(zone, near - DAY, near))
  }
  const change = firstChangeIn(zone, Math.max(millis, past?.at ?? millis), tick)
  return change === undefined ? tick : search(cron, zone, change.at - 1, change)
}

/** As if the clock would not be changed again. */
const tickBehind = (cron: Cron.Cron, millis: number, offset: number, past: Change | undefined): number => {
  const shown = timeBehind(cron, millis + offset) - offset
  if (past === undefined || isEveryHour(cron)) {
    return shown
  }
  const { after, at, before } = past
  if (after < before) {
    return timeBehind(cron, Math.max(millis, at + before - after - 1) + offset) - offset
  }
  const moved = timeBehind(cron, millis + before) - before
  return moved < at + after - before ? Math.min(shown, moved) : shown
}

const isEveryHour = ({ hours }: Cron.Cron): boolean => hours.size === 0 || hours.size === 24

/** `tick` is one, and none is behind the answer and not behind `millis`. */
const lastBetween = (cron: Cron.Cron, tick: number, millis: number): number => {
  let [last, none] = [tick, millis]
  while (none - last > 1) {
    const middle = Math.floor((last + none) / 2)
    const next = nextOf(cron, middle)
    if (next <= millis) {
      last = next
    } else {
      none = middle
    }
  }
  return last
}

/** The first time of the cron behind a time, on a clock that is never changed. */
const timeBehind = (cron: Cron.Cron, time: number): number => {
  let day = Math.floor(time / DAY)
  let second: number | undefined = Math.floor((time - day * DAY) / 1000) + 1
  const end = day + CYCLE_DAYS
  while (day <= end) {
    const date = new Date(day * DAY)
    if (!allows(cron.months, date.getUTCMonth() + 1)) {
      day = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / DAY
    } else {
      const found = isDay(cron, date) ? secondFrom(cron, second) : undefined
      if (found !== undefined) {
        return day * DAY + found * 1000
      }
      day++
    }
    second = 0
  }
  return Number.POSITIVE_INFINITY
}

const allows = (values: ReadonlySet<number>, value: number): boolean => values.size === 0 || values.has(value)

/** As everywhere: where days of the month and of the week are named, either is enough, unless the cron says that both are needed. */
const isDay = (cron: Cron.Cron, date: Date): boolean => {
  // Its type does not tell.
  const { and, days, weekdays } = cron as Cron.Cron & { readonly and: boolean }
  const isDayOfMonth = allows(days, date.getUTCDate())
  const isWeekday = allows(weekdays, date.getUTCDay())
  return and || days.size === 0 || weekdays.size === 0 ? isDayOfMonth && isWeekday : isDayOfMonth || isWeekday
}

/** The first second of a day, from that one on. */
const secondFrom = ({ hours, minutes, seconds }: Cron.Cron, from: number): number | undefined => {
  for (let hour = Math.floor(from / 3600); hour < 24; hour++) {
    for (let minute = Math.max(0, Math.floor(from / 60) - hour * 60); allows(hours, hour) && minute < 60; minute++) {
      const start = hour * 3600 + minute * 60
      for (let second = Math.max(0, from - start); allows(minutes, minute) && second < 60; second++) {
        if (allows(seconds, second)) {
          return start + second
        }
      }
    }
  }
  return undefined
}
