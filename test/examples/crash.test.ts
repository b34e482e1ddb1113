/**
 * The jobs of all examples survive a crash at every place. What they write to a database is there exactly once; what they
 * print may be printed again.
 */
import type * as PlatformNode from "@effect/platform-node"
import * as FileSystem from "@effect/platform-node/NodeFileSystem"
import type { FileSystem as Files } from "@effect/platform/FileSystem"
import * as SqlClient from "@effect/sql/SqlClient"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { vi } from "vitest"
import { footballJob } from "../../examples/01-football/job.js"
import * as FootballTables from "../../examples/01-football/tables.js"
import { importPoints } from "../../examples/02-conditional-flow/job.js"
import { Calendar, dayEnd } from "../../examples/03-split-and-decide/job.js"
import { nightly, Sources } from "../../examples/04-child-jobs/job.js"
import { billing } from "../../examples/05-operate/job.js"
import type * as Batch from "../../src/index.js"
import { ItemWriter, Job, Step } from "../../src/index.js"
import { CurrentTransaction } from "../../src/ports/Transactor.js"
import { BatchTest, Scripted } from "../../src/testing/index.js"
import * as Database from "./database.js"
import * as Examples from "./examples.js"

const made = vi.hoisted((): Array<unknown> => [])

/** The README's program is one file, which keeps its job to itself and runs it. */
vi.mock("effect-batch", async (original) => {
  const { Job, ...others } = await original<typeof Batch>()
  const make = (...args: Parameters<typeof Job.make>) => {
    const job = Job.make(...args)
    made.push(job)
    return job
  }
  return { ...others, Job: { ...Job, make } }
})
vi.mock("@effect/platform-node", async (original) => ({
  ...await original<typeof PlatformNode>(),
  NodeRuntime: { runMain: () => {} }
}))
// Other files run in this process, too.
afterAll(() => {
  vi.doUnmock("effect-batch")
  vi.doUnmock("@effect/platform-node")
})

const readmeJob = Effect.map(
  Effect.promise(() => import("../../examples/00-readme.js")),
  () =>
    made.find((job) => (job as Job.Job.Any).name === "import-payments") as Job.Job<
      { readonly file: string },
      string,
      unknown,
      SqlClient.SqlClient | Files
    >
)

const TIMEOUT = 300_000

const services = Layer.merge(Database.layer, FileSystem.layer)

/** Checks a job that prints; `make` is given how to look at what was printed. */
const printing = <A, E, R>(
  check: (reset: Effect.Effect<void>, printed: Effect.Effect<unknown>) => Effect.Effect<A, E, R>
) =>
  Effect.flatMap(Effect.console, (console) => {
    const lines = new Set<string>()
    return Effect.withConsole(
      check(Effect.sync(() => lines.clear()), Effect.sync(() => [...lines].sort())),
      { ...console, log: (...args) => Effect.sync(() => void lines.add(args.join(" "))) }
    )
  })

const rows = (statement: string) => Effect.flatMap(SqlClient.SqlClient, (sql) => Effect.orDie(sql.unsafe(statement)))

const match = (date: string, home_team: string, away_team: string, home_score: number | null, away_score: number) => ({
  date,
  division: "Premier",
  home_team,
  away_team,
  home_score,
  away_score
})

/** Hull is at home in two chunks: a restart that had forgotten the teams of earlier chunks would count it again. */
const MATCHES = [
  match("2016-08-13", "Hull", "Leicester", 2, 1),
  match("2016-08-14", "Leicester", "Arsenal", 0, 0),
  match("2016-08-27", "Hull", "Arsenal", null, 0),
  match("2016-09-03", "Arsenal", "Hull", 4, 1),
  match("2016-09-10", "Hull", "Leicester", 3, 1)
]

describe("the job of each example survives a crash at every place", () => {
  it.scopedLive("00-readme", () =>
    Effect.gen(function*() {
      const job = yield* readmeJob
      const file = Examples.repositoryFile("examples/00-readme.csv")
      yield* rows("create table payment (id integer primary key, account text not null, cents integer not null)")
      const report = yield* BatchTest.crashEverywhere({
        make: Effect.as(rows("delete from payment"), {
          job,
          parameters: { file },
          observe: Effect.tap(rows("select * from payment order by id"), (rows) => assert.lengthOf(rows, 4))
        })
      })
      assert.isAbove(report.points, 10)
    }).pipe(Effect.provide(services)), TIMEOUT)

  it.scopedLive("01-football", () =>
    Effect.gen(function*() {
      const file = Path.join(yield* Examples.directory, "matches.json")
      Fs.writeFileSync(file, JSON.stringify(MATCHES))
      yield* FootballTables.create
      const report = yield* BatchTest.crashEverywhere({
        make: Effect.as(
          Effect.forEach(["standing", "match", "team"], (table) => rows(`delete from football_${table}`)),
          {
            job: footballJob({ chunkSize: 3, listener: {} }),
            parameters: { season: 2016, file, fail: false },
            observe: Effect.tap(
              rows("select team, points from football_standing order by points desc, team"),
              (rows) => assert.lengthOf(rows, 3)
            )
          }
        ),
        // One kill in the last step uses up its start limit of two.
        randomRuns: 0
      })
      assert.isAbove(report.points, 30)
    }).pipe(Effect.provide(services)), TIMEOUT)

  for (const input of ["clean", "dirty"] as const) {
    it.scopedLive(`02-conditional-flow, ${input} input`, () =>
      printing((reset, observe) =>
        Effect.gen(function*() {
          const make = Effect.as(reset, { job: importPoints, parameters: { input, mended: false }, observe })
          const report = yield* BatchTest.crashEverywhere({ make })
          assert.isAbove(report.points, 20)
          assert.include(yield* observe, "  archived")
        })
      ), TIMEOUT)
  }

  it.scopedLive("03-split-and-decide", () =>
    printing((reset, observe) =>
      Effect.gen(function*() {
        const make = Effect.as(reset, { job: dayEnd, parameters: { day: new Date("2026-01-30") }, observe })
        const report = yield* BatchTest.crashEverywhere({ make })
        assert.isAbove(report.points, 20)
        assert.includeMembers((yield* observe) as Array<string>, ["  check balance", "  reindex search"])
      }).pipe(Effect.provideService(Calendar, { isMonthEnd: () => false }))
    ), TIMEOUT)

  it.scopedLive("04-child-jobs", () =>
    printing((reset, observe) =>
      Effect.gen(function*() {
        const make = Effect.as(reset, { job: nightly, parameters: { day: "2026-01-31" }, observe })
        const report = yield* BatchTest.crashEverywhere({ make, randomRuns: 5 })
        assert.isAbove(report.points, 30)
        assert.includeMembers((yield* observe) as Array<string>, ["  orders stored", "  report printed"])
      }).pipe(Effect.provideService(Sources, { fetch: () => Effect.void }))
    ), TIMEOUT)

  it.scopedLive("05-operate", () =>
    Effect.gen(function*() {
      const report = yield* BatchTest.crashEverywhere({
        make: Effect.as(rows("drop table if exists bill"), {
          job: billing,
          parameters: { day: new Date("2026-06-30"), orders: 25, pause: 20 },
          observe: Effect.tap(rows("select * from bill order by id"), (rows) => assert.lengthOf(rows, 25))
        })
      })
      assert.isAbove(report.points, 25)
    }).pipe(Effect.provide(services)), TIMEOUT)
})

describe("the check would find a database that forgets to roll back", () => {
  it.effect("a write that is outside the transaction is there twice", () =>
    Effect.gen(function*() {
      const make = Effect.map(
        rows("drop table if exists note").pipe(Effect.zipRight(rows("create table note (n)"))),
        () => ({
          job: Job.make("notes", {
            flow: Step.chunk("notes", {
              reader: Scripted.reader([Scripted.ok(1), Scripted.ok(2)]),
              writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
                Effect.locally(rows(`insert into note values (${items[0]})`), CurrentTransaction, undefined)
              ),
              chunkSize: 1
            })
          }),
          parameters: {},
          observe: rows("select n from note order by n")
        })
      )
      const finding = yield* Effect.flip(BatchTest.crashEverywhere({ make }))
      assert.strictEqual(finding._tag, "CrashFinding")
    }).pipe(Effect.provide(services)))
})
