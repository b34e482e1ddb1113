import { assert, describe, it } from "@effect/vitest"
import * as Cron from "effect/Cron"
import * as DateTime from "effect/DateTime"
import * as FastCheck from "effect/FastCheck"
import { lastOf, nextOf } from "../../src/decisions/calendar.js"

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

const ticks = (text: string, zone: string, from: string, count: number): ReadonlyArray<string> => {
  const cron = Cron.unsafeParse(text, zone)
  let tick = Date.parse(from)
  return Array.from({ length: count }, () => new Date(tick = nextOf(cron, tick)).toISOString())
}

const offsetAt = (zone: string, millis: number): number =>
  DateTime.zonedOffset(DateTime.unsafeMakeZoned(millis, { timeZone: zone }))

/** The first moment after that day, within a year, at which the clock of the zone is changed; else the end of the year. */
const changeAfter = (zone: string, from: number): number => {
  const day =
    Array.from({ length: 366 }, (_, day) => from + day * DAY).find((day) =>
      offsetAt(zone, day) !== offsetAt(zone, day + DAY)
    ) ?? from + 366 * DAY
  const before = offsetAt(zone, day)
  let [unchanged, changed] = [day, day + DAY]
  while (changed - unchanged > MINUTE) {
    const middle = unchanged + Math.floor((changed - unchanged) / 2 / MINUTE) * MINUTE
    if (offsetAt(zone, middle) === before) {
      unchanged = middle
    } else {
      changed = middle
    }
  }
  return changed
}

/** What the promise says, minute by minute: the slow way. */
const expected = (cron: Cron.Cron, zone: string, from: number, to: number): ReadonlyArray<number> => {
  const ofClock = Cron.make({ ...cron, tz: DateTime.zoneUnsafeMakeNamed("UTC") })
  const isEveryHour = cron.hours.size === 0
  const shownAt = new Map<number, number>()
  const found = new Set<number>()
  let before = offsetAt(zone, from)
  for (let minute = from; minute <= to; minute += MINUTE) {
    const offset = offsetAt(zone, minute)
    const shown = minute + offset
    if (Cron.match(ofClock, shown) && (isEveryHour || !shownAt.has(shown))) {
      found.add(minute)
    }
    shownAt.set(shown, minute)
    for (let skipped = minute + before; !isEveryHour && skipped < shown; skipped += MINUTE) {
      if (Cron.match(ofClock, skipped)) {
        found.add(skipped - before)
      }
    }
    before = offset
  }
  return [...found].sort((one, other) => one - other)
}

const zones = FastCheck.constantFrom(...Intl.supportedValuesOf("timeZone"))

const difficult = FastCheck.constantFrom(
  "Europe/Berlin",
  "Europe/Dublin",
  "America/New_York",
  "America/St_Johns",
  "America/Sao_Paulo",
  "America/Santiago",
  "Australia/Lord_Howe",
  "Australia/Adelaide",
  "Africa/Cairo",
  "Africa/Casablanca",
  "Asia/Tehran",
  "Asia/Beirut",
  "Asia/Gaza",
  "Pacific/Apia",
  "Pacific/Chatham",
  "Antarctica/Troll",
  "Asia/Pyongyang",
  "UTC"
)

const minutes = FastCheck.oneof(
  FastCheck.constantFrom("*", "*/7", "*/20", "0", "30", "0,1,59"),
  FastCheck.nat(59).map(String)
)

const hours = FastCheck.oneof(
  FastCheck.constantFrom("*", "*/2", "2", "1-3", "0", "23", "2,3"),
  FastCheck.nat(23).map(String)
)

const days = FastCheck.constantFrom("* * *", "* * *", "* * 0", "* * 1-5", "1 * *", "31 * 6", "*/2 3,10 *")

const crons = FastCheck.tuple(minutes, hours, days).map((parts) => parts.join(" "))

/** From 2004 to 2033, which is behind the last change by parts of a minute. */
const years = FastCheck.integer({ min: Date.UTC(2004, 0) / DAY, max: Date.UTC(2033, 0) / DAY })

const runs = { fastCheck: { numRuns: 25 } }

describe("a time of a cron", () => {
  it("that is skipped when clocks are set forward comes as much later, and one that is repeated comes when it comes first", () => {
    assert.deepStrictEqual(ticks("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3), [
      "2026-03-28T01:30:00.000Z",
      "2026-03-29T01:30:00.000Z",
      "2026-03-30T00:30:00.000Z"
    ])
    assert.deepStrictEqual(ticks("30 2 * * *", "Europe/Berlin", "2026-10-24T22:00:00Z", 2), [
      "2026-10-25T00:30:00.000Z",
      "2026-10-26T01:30:00.000Z"
    ])
    assert.deepStrictEqual(ticks("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00:00Z", 2), [
      "2026-04-23T22:00:00.000Z",
      "2026-04-24T21:00:00.000Z"
    ])
    assert.deepStrictEqual(ticks("0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", 2), [
      "2018-11-04T03:00:00.000Z",
      "2018-11-05T02:00:00.000Z"
    ])
    assert.deepStrictEqual(ticks("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2), [
      "2026-10-03T15:45:00.000Z",
      "2026-10-04T15:15:00.000Z"
    ])
  })

  it("of every hour comes in both of the hours that are one when clocks are set back, and never goes back itself", () => {
    assert.deepStrictEqual(ticks("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:59:00Z", 6), [
      "2026-10-25T00:00:00.000Z",
      "2026-10-25T00:30:00.000Z",
      "2026-10-25T01:00:00.000Z",
      "2026-10-25T01:30:00.000Z",
      "2026-10-25T02:00:00.000Z",
      "2026-10-25T02:30:00.000Z"
    ])
  })

  it("is found again from every time behind it, on the days when clocks are changed as well", () => {
    const nightly = Cron.unsafeParse("0 30 2 * * *", "Europe/Berlin")
    assert.strictEqual(lastOf(nightly, 1_806_024_600_000), Date.parse("2027-03-26T01:30:00Z"))
    assert.strictEqual(lastOf(nightly, Date.parse("2026-03-29T01:29:59Z")), Date.parse("2026-03-28T01:30:00Z"))
    assert.strictEqual(lastOf(nightly, Date.parse("2026-10-25T12:00:00Z")), Date.parse("2026-10-25T00:30:00Z"))
  })

  it("may be one in many years, or none", () => {
    const leapMonday = Cron.make({ minutes: [0], hours: [0], days: [29], months: [2], weekdays: [1], and: true })
    assert.strictEqual(nextOf(leapMonday, Date.UTC(2026, 0)), Date.UTC(2044, 1, 29))
    assert.strictEqual(lastOf(leapMonday, Date.UTC(2026, 0)), Date.UTC(2016, 1, 29))
    const never = Cron.unsafeParse("0 0 30 2 *", "Europe/Berlin")
    assert.strictEqual(nextOf(never, 0), Infinity)
    assert.strictEqual(lastOf(never, 0), -Infinity)
  })

  it.prop(
    "comes as its time zone says around every change of clocks: each once, none twice, in their order",
    [FastCheck.oneof(zones, difficult), crons, years, FastCheck.integer({ min: -1500, max: 1500 })],
    ([zone, text, day, around]) => {
      const cron = Cron.unsafeParse(text, zone)
      const from = changeAfter(zone, day * DAY) + around * MINUTE
      const to = from + DAY
      // A time may be one that was repeated, or skipped, before.
      const all = expected(cron, zone, from - DAY, to).filter((tick) => tick > from && tick <= to)
      const found: Array<number> = []
      for (let tick = nextOf(cron, from); tick <= to; tick = nextOf(cron, tick)) {
        found.push(tick)
      }
      assert.deepStrictEqual(found, all)
    },
    runs
  )

  it.prop(
    "is the last one at itself and until the next one",
    [FastCheck.oneof(zones, difficult), crons, years, FastCheck.integer({ min: -1500, max: 1500 })],
    ([zone, text, day, around]) => {
      const cron = Cron.unsafeParse(text, zone)
      const tick = nextOf(cron, changeAfter(zone, day * DAY) + around * MINUTE)
      if (tick < Infinity) {
        const next = nextOf(cron, tick)
        assert.deepStrictEqual([lastOf(cron, tick), lastOf(cron, next - 1), lastOf(cron, next)], [tick, tick, next])
      }
    },
    runs
  )
})
