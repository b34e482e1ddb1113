import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { stamp, temporal } from "../../src/sql/pgTime.js"

const two = (most: number) => FastCheck.nat(most).map((n) => String(n).padStart(2, "0"))

const local = FastCheck.record({
  day: FastCheck.tuple(FastCheck.integer({ min: 1000, max: 9999 }), two(11), two(27)).map(([year, month, day]) =>
    `${year}-${String(Number(month) + 1).padStart(2, "0")}-${String(Number(day) + 1).padStart(2, "0")}`
  ),
  time: FastCheck.tuple(two(23), two(59), two(59)).map((parts) => parts.join(":")),
  gap: FastCheck.constantFrom("T", " ")
})

describe("texts for a timestamptz column", () => {
  const encode = temporal("timestamptz", 3, (date) => stamp(date, "+00"))

  it("are bound as they are with a zone, and in UTC without one (OWN-24)", () => {
    const zones = FastCheck.constantFrom("Z", "z", "+00", "-07:30", "+05:30", "+14:00")
    FastCheck.assert(FastCheck.property(local, zones, FastCheck.constantFrom("", ".5", ".250"), (at, zone, part) => {
      const text = `${at.day}${at.gap}${at.time}${part}`
      assert.strictEqual(encode(text + zone), text + zone)
      assert.strictEqual(encode(text), `${at.day} ${at.time}${part}+00`)
    }))
  })

  it("are refused where something of them would be lost or guessed (OWN-24)", () => {
    for (
      const text of [
        "2024-02-29T12:34:56.1234Z",
        "Feb 29 2024 12:34:56",
        "2024-02-29T12:34:56Z now",
        "today 12:34:56Z",
        "2024-02-29T12:34:56Z\0"
      ]
    ) {
      assert.throws(() => encode(text), undefined, undefined, text)
    }
  })
})
