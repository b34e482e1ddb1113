/**
 * Processes that are killed while they work (`kill -9`), and started again until the job is done.
 */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { seeded } from "../../src/base/random.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Processes from "./processes.js"
import * as Support from "./support.js"

/** `EFFECT_BATCH_KILLS=200` strikes more often, and `EFFECT_BATCH_CRASH_SEED` elsewhere. */
const KILLS = Number(process.env["EFFECT_BATCH_KILLS"] ?? 12)

describe("a process that is killed at random moments and started again", () => {
  it.scopedLive.each(
    [
      ["SQLite", Support.sqlite, 2, Support.LINES],
      ["PostgreSQL", Support.postgres, 2, Support.LINES],
      ["PostgreSQL, chunks on their way in one message each", Support.postgres, undefined, Support.EVENTS]
    ] as const
  )(
    "%s: writes every row once, and files and counts equal those of an undisturbed run",
    ([, database, pauseMillis, lines]) =>
      Effect.gen(function*() {
        const worker = yield* Processes.compiled
        const random = seeded(Support.SEED)
        let kills = 0
        while (kills < KILLS) {
          const db = yield* database
          const options = { ...yield* Support.prepare(db), pauseMillis }
          kills += yield* Support.untilDone(
            worker,
            options,
            () => ({ lines: 1 + random(lines), millis: random(4) })
          )
          const live = Layer.provideMerge(SqlJobRepository.layer, db.client)
          yield* Effect.provide(Support.check(options.directory), live)
        }
      }).pipe(Support.hint),
    900_000
  )
})
