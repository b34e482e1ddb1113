/**
 * The football job as its users meet it: processes that complete, are refused, killed, stopped and given bad input.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Options from "../../examples/01-football/options.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"
import * as Examples from "./examples.js"

const TIMEOUT = 300_000

class Program extends Context.Tag("Program")<Program, ReadonlyArray<string>>() {}

const football = (cwd: string, args: ReadonlyArray<string>, signal?: { name: NodeJS.Signals; after: string }) =>
  Effect.flatMap(Program, (program) => Examples.run({ program, args, cwd, signal }))

type Client = Layer.Layer<SqlClient.SqlClient, unknown>

const client = (cwd: string): Client => Sqlite.layerFile(Path.join(cwd, "football.db"))

/** Everything that the job wrote, row by row. */
const written = (database: Client) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const teams = yield* sql`select name, division from football_team`
    const matches = yield* sql`
      select season, cast(date as text) as date, division, home_team, away_team, home_score, away_score
      from football_match`
    const standings = yield* sql`select * from football_standing`
    const sorted = (rows: ReadonlyArray<object>) => rows.map((row) => JSON.stringify(row)).sort()
    return { teams: sorted(teams), matches: sorted(matches), standings: sorted(standings) }
  }).pipe(Effect.provide(database))

interface StepRow {
  readonly step_name: string
  readonly status: string
  readonly exit_message: string
}

/** The step executions of all runs, as `step: status`. */
const stepRows = (database: Client) =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql<StepRow>`select step_name, status, exit_message from batch_step_execution order by id`
  ).pipe(Effect.provide(database))

const statuses = (rows: ReadonlyArray<StepRow>) => rows.map(({ status, step_name }) => `${step_name}: ${status}`)

const assertOneLine = (text: string, ...parts: ReadonlyArray<string>) => {
  assert.strictEqual(text.trimEnd().split("\n").length, 1, text)
  for (const part of parts) {
    assert.include(text, part)
  }
}

layer(Layer.scoped(Program, Examples.compiled("01-football/main.ts")), { excludeTestServices: true })(
  "examples/01-football",
  (it) => {
    it.scoped(
      "completes once, is refused then, and after kill -9 ends with the same tables",
      () =>
        Effect.gen(function*() {
          const [whole, broken] = yield* Effect.all([Examples.directory, Examples.directory])
          const [full, killed] = yield* Effect.all([
            football(whole, []),
            football(broken, ["--crash-after", "90"])
          ], { concurrency: 2 })
          assert.strictEqual(full.exit, 0, full.stderr)
          assert.match(full.stdout, /^teamLoad +COMPLETED +6,508 +116 +6,392 +0 +66$/m)
          assert.match(full.stdout, /^matchLoad +COMPLETED +6,508 +6,504 +4 +0 +66$/m)
          assert.match(full.stdout, /^ 1 +Chelsea +38 +30 +3 +5 +85 +33 +\+52 +93$/m)
          assert.strictEqual(killed.exit, "SIGKILL")
          assertOneLine(killed.stderr, "after 90 committed chunks")

          const [again, resumed] = yield* Effect.all([football(whole, []), football(broken, [])], { concurrency: 2 })
          assert.strictEqual(again.exit, 2)
          assertOneLine(again.stderr, "JobInstanceAlreadyComplete", "season=2016", "execution 1")
          assert.strictEqual(resumed.exit, 0, resumed.stderr)
          assert.include(resumed.stdout, "Execution 2 goes on after execution 1, whose process died.")
          assert.match(resumed.stdout, /^teamLoad .* not run: complete since execution 1$/m)
          assert.match(resumed.stdout, /^matchLoad +COMPLETED +4,108 +4,104 +4 +0 +42 +resumed behind item 2,400$/m)

          const expected = yield* written(client(whole))
          assert.deepStrictEqual([expected.teams.length, expected.matches.length], [116, 6504])
          assert.deepStrictEqual(yield* written(client(broken)), expected)
        }),
      TIMEOUT
    )

    it.scoped("does the same on PostgreSQL as on SQLite", () =>
      Effect.gen(function*() {
        const cwd = yield* Examples.directory
        const url = yield* Postgres.freshUrl
        const [killed, sqlite] = yield* Effect.all([
          football(cwd, ["--postgres", url, "--crash-after", "8", "--chunk-size", "1000"]),
          football(cwd, ["--chunk-size", "2000"])
        ], { concurrency: 2 })
        assert.deepStrictEqual([killed.exit, sqlite.exit], ["SIGKILL", 0])
        const resumed = yield* football(cwd, ["--postgres", url, "--chunk-size", "700"])
        assert.strictEqual(resumed.exit, 0, resumed.stderr)
        assert.match(resumed.stdout, /^matchLoad .* resumed behind item 1,000$/m)
        assert.deepStrictEqual(yield* written(Postgres.layerUrl(url)), yield* written(client(cwd)))
      }), TIMEOUT)

    it.scoped(
      "runs the steps 1, 3 and 2 times when the summary keeps failing, then exceeds its limit (HAND-14)",
      () =>
        Effect.gen(function*() {
          const cwd = yield* Examples.directory
          for (const team of ["Middlesbrough", "Las Palmas"]) {
            const failed = yield* football(cwd, ["--fail", "--chunk-size", "2000"])
            assert.strictEqual(failed.exit, 1)
            assertOneLine(failed.stderr, "ScorerAsleep", team)
          }
          const refused = yield* football(cwd, ["--chunk-size", "2000"])
          assert.strictEqual(refused.exit, 1)
          assertOneLine(refused.stderr, "StepStartLimitExceeded", "seasonSummary")
          assert.deepStrictEqual(statuses(yield* stepRows(client(cwd))), [
            "teamLoad: COMPLETED",
            "matchLoad: COMPLETED",
            "seasonSummary: FAILED",
            "matchLoad: COMPLETED",
            "seasonSummary: FAILED",
            "matchLoad: COMPLETED"
          ])
        }),
      TIMEOUT
    )

    it.scoped("is STOPPED by a signal and goes on at the next run", () =>
      Effect.gen(function*() {
        const cwd = yield* Examples.directory
        // Time for a signal that comes late on a busy machine.
        const stopped = yield* football(cwd, ["--pause", "50"], { name: "SIGTERM", after: "teamLoad        26 %" })
        assert.strictEqual(stopped.exit, 143, stopped.stderr)
        assert.match(stopped.stdout, /teamLoad +STOPPED/)
        assert.deepStrictEqual(statuses(yield* stepRows(client(cwd))), ["teamLoad: STOPPED"])
        const resumed = yield* football(cwd, ["--chunk-size", "2000"])
        assert.strictEqual(resumed.exit, 0, resumed.stderr)
        assert.include(resumed.stdout, "Execution 2 goes on after execution 1, which is STOPPED.")
      }), TIMEOUT)

    it.scoped(
      "tells a missing file, a bad value and a missing table, and completes when they are corrected",
      () =>
        Effect.gen(function*() {
          const [noFile, badValue, noTable] = yield* Effect.all([
            Examples.directory,
            Examples.directory,
            Examples.directory
          ])
          Fs.writeFileSync(Path.join(badValue, "matches.json"), `[\n{"date": "2016-08-13", "division": "Premier"}\n]`)
          const [missing, bad, tableless] = yield* Effect.all([
            football(noFile, ["--file", "nowhere.json"]),
            football(badValue, ["--file", "matches.json"]),
            football(noTable, ["--no-create-tables"])
          ], { concurrency: 2 })
          assert.deepStrictEqual([missing.exit, bad.exit, tableless.exit], [1, 1, 1])
          assertOneLine(missing.stderr, "FileError", "nowhere.json", "no such file")
          assertOneLine(bad.stderr, "JsonError", "matches.json", "element 1, line 2", "home_team")
          assertOneLine(tableless.stderr, "SqlStatementError", "football_team", "does not exist")
          for (const cwd of [noFile, badValue, noTable]) {
            const [row] = yield* stepRows(client(cwd))
            assert.deepStrictEqual([row!.step_name, row!.status], ["teamLoad", "FAILED"])
          }
          const corrected = yield* football(noFile, ["--chunk-size", "2000"])
          assert.strictEqual(corrected.exit, 0, corrected.stderr)
        }),
      TIMEOUT
    )

    it.scoped(
      "opens nothing for bad parameters, and says which database cannot be opened",
      () =>
        Effect.gen(function*() {
          const cwd = yield* Examples.directory
          const [parameters, sqlite, postgres] = yield* Effect.all([
            football(cwd, ["--season", "1999", "seasn=2015", "fail=perhaps"]),
            football(cwd, ["--database", "no/such/directory.db"]),
            football(cwd, ["--postgres", "postgres://user:secret@127.0.0.1:1/football"])
          ], { concurrency: 2 })
          assert.deepStrictEqual([parameters.exit, sqlite.exit, postgres.exit], [2, 1, 1])
          assertOneLine(
            parameters.stderr,
            "InvalidJobParameters",
            "season must be the year",
            "seasn is not a parameter",
            "fail must be true or false"
          )
          assertOneLine(sqlite.stderr, "DatabaseUnreachable", "no/such/directory.db")
          assertOneLine(postgres.stderr, "DatabaseUnreachable", "127.0.0.1:1/football", "DATABASE_URL")
          assert.notInclude(postgres.stderr, "secret")
          assert.deepStrictEqual(Fs.readdirSync(cwd), [])
        }),
      TIMEOUT
    )

    it.scoped("starts as npm start starts it", () =>
      Effect.gen(function*() {
        const cwd = yield* Examples.directory
        const help = yield* Examples.run({ program: Examples.source("01-football/main.ts"), args: ["--help"], cwd })
        assert.deepStrictEqual([help.exit, help.stderr], [0, ""])
        assert.include(help.stdout, "--crash-after N")
      }), TIMEOUT)

    it("reads the command line", () => {
      const parse = (...args: ReadonlyArray<string>) => Options.parse(args, { DATABASE_URL: "postgres://host/db" })
      const problem = (...args: ReadonlyArray<string>) => Either.getOrThrow(Either.flip(parse(...args))).message
      const options = Either.getOrThrow(parse("--season", "2014", "--fail", "file=matches.json", "--crash-after", "3"))
      assert.deepStrictEqual(options.parameters, { season: "2014", file: "matches.json", fail: "true" })
      assert.deepStrictEqual([options.chunkSize, options.crashAfter, options.target._tag], [100, 3, "Postgres"])
      assert.strictEqual(Either.getOrThrow(parse("--database", "x.db")).target._tag, "Sqlite")
      assert.include(problem("--database", "x.db", "--postgres", "postgres://h/d"), "exclude each other")
      assert.include(problem("--postgres", "mysql://h/d"), "postgres://")
      assert.include(problem("--chunk-size", "0"), "--chunk-size must be a whole number of at least 1")
      assert.include(problem("--saeson", "2014"), "Unknown option '--saeson'")
      assert.include(problem("2014"), "\"2014\" is not of the form name=value")
    })
  }
)
