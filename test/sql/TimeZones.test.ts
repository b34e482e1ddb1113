/**
 * Dates and times do not depend on where the process runs: the same file, written and read by processes west and east of UTC.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

const worker = fileURLToPath(new URL("timeZoneWorker.ts", import.meta.url))

const run = (zone: string, options: object): Effect.Effect<{ readonly offset: number }, Error> =>
  Effect.async((resume) => {
    const child = execFile(
      process.execPath,
      ["--import", "tsx", worker, JSON.stringify(options)],
      { env: { ...process.env, TZ: zone, PGTZ: zone }, maxBuffer: 2 ** 24 },
      (error, stdout) => resume(error === null ? Effect.succeed(JSON.parse(stdout)) : Effect.fail(error))
    )
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

/** Half an hour off and west of UTC, and a day ahead of it; daylight saving skips and repeats hours of the file in one. */
const zones = ["America/St_Johns", "Pacific/Kiritimati"]

const csv = `id,day,local,at
1,2024-02-29,2024-03-10T02:30:00Z,2024-03-10T07:30:00.123Z
2,1969-12-31,2024-11-03T01:30:00Z,2024-11-03T05:30:00Z
3,0099-01-01,1883-11-18T12:03:58.001Z,1883-11-18T17:00:00Z
4,2024-12-31,2024-12-31T23:59:59.999Z,2024-12-31T23:59:59.999Z
`

describe("dates and times, wherever the process runs", () => {
  it.scopedLive(
    "are stored and read the same, from a CSV file into each database and back (OWN-24)",
    () =>
      Effect.gen(function*() {
        const found = yield* Effect.forEach(zones, (zone) =>
          Effect.gen(function*() {
            const sqlite = yield* Sqlite.freshFile
            const file = Path.join(Path.dirname(sqlite), "in.csv")
            Fs.writeFileSync(file, csv)
            return yield* run(zone, { csv: file, postgres: yield* Postgres.freshUrl, sqlite })
          }))
        const [west, east] = found.map(({ offset: _, ...rest }) => rest)
        assert.isTrue(found[0]!.offset > 0 && found[1]!.offset < 0)
        assert.deepStrictEqual(east, west)
        const shown = JSON.stringify(west)
        assert.include(shown, "{\"id\":1,\"day\":\"2024-02-29\",\"local\":\"2024-03-10 02:30:00\"")
        assert.include(shown, "1,2024-02-29T00:00:00.000Z,2024-03-10T02:30:00.000Z,2024-03-10T07:30:00.123Z")
      }),
    300_000
  )
})
