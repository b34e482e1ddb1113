/**
 * The football job on two worker processes, which this program starts itself:
 *
 *   npx tsx examples/06-partitions/main.ts
 *   npx tsx examples/06-partitions/main.ts --crash
 *
 * With `--crash` one of them is killed by `kill -9` on the way. The other one takes over what it was at, from its last commit,
 * and the job completes without a restart.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { SqlClient } from "@effect/sql/SqlClient"
import { Cause, Console, Duration, Effect, Exit, Layer } from "effect"
import type { JobExecution } from "effect-batch"
import { JobOperator, Listener, PartitionWorker } from "effect-batch"
import { fork } from "node:child_process"
import { writeSync } from "node:fs"
import * as Options from "../01-football/options.js"
import * as Database from "../support/Database.js"
import { explain, runMain } from "../support/Main.js"
import * as Terminal from "../support/Terminal.js"
import { leaguesJob } from "./job.js"

const HELP = `Loads the football matches of five leagues, one partition for each, on two worker processes.

  npx tsx examples/06-partitions/main.ts [options]

  --crash               kill one of the two on the way
  --file PATH           the matches as a JSON array (default: football.json of vega-datasets)
  --database PATH       an SQLite file (default leagues.db)
  --postgres URL        a PostgreSQL database (default: DATABASE_URL, if it is set)
  --pause MILLIS        rest after every chunk, to have time to look (default 50)
  --help`

const args = process.argv.slice(2)

/** What a process is for stands in its environment: the workers have the same command line. */
const ROLE = process.env["LEAGUES_ROLE"]

const options = Effect.gen(function*() {
  const given = args.filter((arg) => arg !== "--crash")
  const says = (name: string) => given.some((arg) => arg === name || arg.startsWith(`${name}=`))
  const { DATABASE_URL } = process.env
  return yield* Options.parse([
    ...given,
    ...(says("--database") || says("--postgres") || DATABASE_URL ? [] : ["--database", "leagues.db"]),
    ...(says("--pause") ? [] : ["--pause", "50"])
  ], process.env)
})

// -- the process of a worker ---------------------------------------------------------------------------------------------------

/** Rests after each chunk, and dies behind the third one if that is what it is here for. */
const chunks = (pauseMillis: number) => {
  let committed = 0
  return Listener.step({
    afterChunk: () =>
      Effect.suspend(() => {
        if (++committed === 3 && ROLE === "victim") {
          writeSync(2, `kill -9 of worker ${process.pid} behind its third chunk\n`)
          process.kill(process.pid, "SIGKILL")
        }
        return Effect.sleep(pauseMillis)
      })
  })
}

const worker = Effect.gen(function*() {
  const { pauseMillis, target } = yield* options
  // Its end is that of the process which has started it.
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"))
  yield* Layer.build(PartitionWorker.layer([leaguesJob(chunks(pauseMillis))], { slots: 2 })).pipe(
    Effect.zipRight(Effect.sync(() => process.send?.("at work"))),
    Effect.zipRight(Effect.never),
    Effect.scoped,
    Effect.provide([Database.layer(target), NodeFileSystem.layer]),
    Effect.provideService(PartitionWorker.Poll, "100 millis")
  )
  return "COMPLETED" as const
})

// -- the process of the job ----------------------------------------------------------------------------------------------------

/** A worker until the scope closes; it is at work when the effect completes. */
const startWorker = (role: "worker" | "victim") =>
  Effect.acquireRelease(
    Effect.async<ReturnType<typeof fork>>((resume) => {
      const child = fork(process.argv[1]!, args, { env: { ...process.env, LEAGUES_ROLE: role } })
      child.once("message", () => resume(Effect.succeed(child)))
      child.once("exit", () => resume(Effect.dieMessage("a worker could not start")))
    }),
    (child) =>
      Effect.async<void>((resume) => {
        if (child.exitCode !== null || child.signalCode !== null) {
          return resume(Effect.void)
        }
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGTERM")
      })
  )

const createTables = Effect.flatMap(SqlClient, (sql) =>
  Effect.all([
    sql`create table if not exists league_match (
      season integer not null,
      date date not null,
      division text not null,
      home_team text not null,
      away_team text not null,
      home_score integer not null,
      away_score integer not null,
      process integer not null,
      primary key (date, home_team, away_team)
    )`,
    sql`create table if not exists league_standing (
      division text not null,
      season integer not null,
      team text not null,
      points integer not null,
      goals integer not null,
      primary key (division, season, team)
    )`
  ], { discard: true }))

interface League {
  readonly division: string
  readonly matches: number
  readonly processes: number
}

/** What became of each league: by how many processes, and in which execution it ended. */
const report = (execution: JobExecution.JobExecution) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    const leagues = yield* sql<League>`
      select division, cast(count(*) as integer) as matches, cast(count(distinct process) as integer) as processes
      from league_match group by division order by division`
    const [step] = yield* JobOperator.partitions(execution.id, { order: "plan" })
    const standing = (name: string) => step?.partitions.find((partition) => partition.name === name)?.standing ?? "?"
    return Terminal.table(
      [{ title: "league" }, { title: "matches", align: "right" }, { title: "" }, { title: "" }],
      leagues.map(({ division, matches, processes }) => [
        division,
        Terminal.number(matches),
        standing(division),
        processes > 1 ? `by ${processes} processes, one after the other` : ""
      ])
    )
  })

const run = Effect.gen(function*() {
  const { parameters, target } = yield* options
  const crash = args.includes("--crash")
  return yield* Effect.scoped(Effect.gen(function*() {
    yield* createTables
    const workers = yield* Effect.all([startWorker(crash ? "victim" : "worker"), startWorker("worker")], {
      concurrency: 2
    })
    yield* Console.log(
      Terminal.bold("football by leagues") + Terminal.dim(` → ${Database.describe(target)}`) +
        `, on workers ${workers.map(({ pid }) => pid).join(" and ")}`
    )
    const running = yield* JobOperator.start(leaguesJob({}), { file: parameters["file"]! })
    const execution = yield* running.await
    yield* Console.log(["", ...(yield* report(execution)), ""].join("\n"))
    const took = execution.endTime._tag === "Some" && execution.startTime._tag === "Some"
      ? ` in ${
        Duration.format(Duration.millis(execution.endTime.value.epochMillis - execution.startTime.value.epochMillis))
      }`
      : ""
    yield* Console.log(`Execution ${execution.id} is ${execution.status}${took}.`)
    if (Exit.isFailure(execution.exit)) {
      yield* Console.error(Terminal.red(explain(Cause.squash(execution.exit.cause))))
    }
    return execution.status
  })).pipe(
    Effect.provideService(PartitionWorker.Poll, "100 millis"),
    Effect.provide([Database.layer(target), NodeFileSystem.layer])
  )
})

const program = Effect.gen(function*() {
  if (args.includes("--help") || args.includes("-h")) {
    yield* Console.log(HELP)
    return "COMPLETED" as const
  }
  return yield* ROLE === undefined ? run : worker
})

runMain(program)
