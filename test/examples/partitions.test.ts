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
      "completes on two processes, also when one of them is killed, on SQLite and on PostgreSQL (PART-5, PART-16)",
      () =>
        Effect.gen(function*() {
          const [whole, broken] = yield* Effect.all([Examples.directory, Examples.directory])
          const url = yield* Postgres.freshUrl
          const calm = yield* leagues(whole, ["--pause", "10"])
          const killed = yield* leagues(broken, ["--crash", "--pause", "10"])
          const onPostgres = yield* leagues(broken, ["--crash", "--postgres", url, "--pause", "10"])
          assert.strictEqual(calm.exit, 0, calm.stderr)
          assert.match(calm.stdout, /^Deutsche Bundesliga +1,224 +completed$/m)
          assert.match(calm.stdout, /^Execution 1 is COMPLETED in /m)
          for (const crashed of [killed, onPostgres]) {
            assert.strictEqual(crashed.exit, 0, crashed.stderr)
            assert.match(crashed.stderr, /^kill -9 of worker \d+ behind its third chunk$/m)
            assert.match(crashed.stdout, /^Execution 1 is COMPLETED in /m)
          }
          const expected = yield* written(Sqlite.layerFile(Path.join(whole, "leagues.db")))
          assert.strictEqual(expected.rows.matches.length, 6504)
          const again = yield* leagues(whole, ["--pause", "10"])
          assert.strictEqual(again.exit, 2)
          assert.include(again.stderr, "JobInstanceAlreadyComplete")
          for (const database of [Sqlite.layerFile(Path.join(broken, "leagues.db")), Postgres.layerUrl(url)]) {
            const found = yield* written(database)
            assert.strictEqual(found.processes, 2)
            assert.deepStrictEqual(found.rows, expected.rows)
          }
        }),
      120_000
    )
  }
)
