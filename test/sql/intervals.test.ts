/**
 * Columns of PostgreSQL that keep some fields of an interval: what they would drop without a word is refused (OWN-24).
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as SqlItemWriter from "../../src/sql/SqlItemWriter.js"
import * as Postgres from "../support/Postgres.js"

const fields = [
  "year",
  "month",
  "day",
  "hour",
  "minute",
  "second",
  "year to month",
  "day to hour",
  "day to minute",
  "day to second",
  "hour to minute",
  "hour to second",
  "minute to second"
]

/** Each is written as PostgreSQL shows it. */
const values = [
  "1 year",
  "1 mon",
  "1 year 1 mon",
  "1 day",
  "01:00:00",
  "-01:00:00",
  "00:01:00",
  "00:00:01",
  "00:00:00.5",
  "00:00:00",
  "1 day 01:00:00",
  "1 year 2 mons -3 days +04:05:06"
]

/** Other forms, of which a column may drop something. */
const others = [
  "PT1M",
  "P1Y2M3DT4H5M6S",
  "1 h",
  "5 m",
  "1.5 days",
  "@ 1 day 2 hours ago",
  "2 weeks",
  "90 minutes",
  "0 days 1 hour"
]

it.effect("an interval is stored as it is, or refused where its column would drop a part of it (OWN-24)", () =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    const all = [...values, ...others]
    for (const field of fields) {
      yield* sql.unsafe(`drop table if exists spans; create table spans (n int, span interval ${field})`)
      const shown = yield* sql.unsafe<{ readonly kept: boolean; readonly shown: string }>(
        all.map((span) =>
          `select cast('${span}' as interval ${field}) = interval '${span}' as kept, (interval '${span}')::text as shown`
        ).join(" union all ")
      )
      const writer = SqlItemWriter.insertInto<{ readonly n: number; readonly span: string }>("spans")
      const sink = yield* writer.open(Option.none())
      const written: Array<{ readonly span: string }> = []
      for (const [n, span] of all.entries()) {
        const isWritten = Either.isRight(yield* Effect.either(sink.write([{ n, span }])))
        const { kept, shown: whole } = shown[n]!
        const where = `${span} in a column of ${field}`
        assert.isTrue(kept || !isWritten, where)
        assert.isTrue(!kept || isWritten || others.includes(span), where)
        written.push(...isWritten ? [{ span: whole }] : [])
      }
      assert.deepStrictEqual(yield* sql.unsafe("select span::text as span from spans order by n"), written)
      assert.isAbove(written.length, 1)
    }
  }).pipe(Effect.scoped, Effect.provide(Postgres.layer)))
