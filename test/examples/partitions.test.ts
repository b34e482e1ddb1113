/**
 * The football job by leagues as its users meet it: workers of its own, one of which is killed.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Path from "node:path"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"
import * as Examples from "./examples.js"

class Program extends Context.Tag("Program")<Program, ReadonlyArray<string>>() {}

const leagues = (cwd: string, args: ReadonlyArray<string>) =>
  Effect.flatMap(Program, (program) => Examples.run({ program, args, cwd }))

/** Everything that the job wrote, without which process did. */
const written = (database: Layer.Layer<SqlClient.SqlClient, unknown>) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const matches = yield* sql`
      select season, cast(date as text) as date, division, home_team, away_team, home_score, away_score
      from league_match`
    const standings = yield* sql`select * from league_standing`
    const [count] = yield* sql<{ readonly processes: unknown }>`
      select count(distinct process) as processes from league_match`
    const sorted = (rows: ReadonlyArray<object>) => rows.map((row) => JSON.stringify(row)).sort()
    return { rows: { matches: sorted(matches), standings: sorted(standings) }, processes: Number(count!.processes) }
  }).pipe(Effect.provide(database))

layer(Layer.scoped(Program, Examples.compiled("06-partitions/main.ts")), { excludeTestServices: true })(
  "examples/06-partitions",
  (it) => {
    it.scoped(
      "completes on two processes, on SQLite also when one of them is killed, with the same rows on PostgreSQL (PART-5, PART-16)",
      () =>
        Effect.gen(function*() {
          const cwd = yield* Examples.directory
          const url = yield* Postgres.freshUrl
          // So long that each of the workers finds something to do, although one of them may be late.
          const killed = yield* leagues(cwd, ["--crash", "--pause", "60"])
          const calm = yield* leagues(cwd, ["--postgres", url, "--pause", "60"])
          assert.strictEqual(killed.exit, 0, killed.stderr)
          assert.match(killed.stderr, /^kill -9 of worker \d+ behind its third chunk$/m)
          for (const { stdout } of [killed, calm]) {
            assert.match(stdout, /^Deutsche Bundesliga +1,224 +completed/m)
            assert.match(stdout, /^Execution 1 is COMPLETED in /m)
          }
          assert.deepStrictEqual([calm.exit, calm.stderr], [0, ""])
          const onSqlite = yield* written(Sqlite.layerFile(Path.join(cwd, "leagues.db")))
          const onPostgres = yield* written(Postgres.layerUrl(url))
          assert.deepStrictEqual([onSqlite.processes, onPostgres.processes], [2, 2])
          assert.strictEqual(onSqlite.rows.matches.length, 6504)
          assert.deepStrictEqual(onSqlite.rows, onPostgres.rows)
        }),
      300_000
    )
  }
)
