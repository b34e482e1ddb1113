/**
 * Three processes of a cluster on PostgreSQL, of which one is killed and one told to end.
 */
import type { Sharding } from "@effect/cluster/Sharding"
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { BatchCluster } from "../../src/cluster/index.js"
import * as Node from "../../src/cluster/node.js"
import { Job, JobOperator, JobParameters, JobRepository, Step } from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Processes from "../chaos/processes.js"
import * as Ports from "../support/freePort.mjs"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"
import { long, ownership, ROWS, sharding } from "./program.js"

class Day extends JobParameters.Tag<Day>()("Day", { day: Schema.Number }) {}

const until = <A, E, R>(effect: Effect.Effect<A, E, R>, holds: (value: A) => boolean): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    effect,
    (value) => holds(value) ? Effect.succeed(value) : Effect.delay(until(effect, holds), "50 millis")
  )

const freePort = Effect.promise(() => Ports.freePort("localhost"))

/** How many rows there are, and which process wrote the last one. */
const written = Effect.flatMap(SqlClient, (sql) =>
  Effect.map(
    sql<{ readonly process: number }>`select process from job_row order by id`,
    (rows) => ({ count: rows.length, process: rows.at(-1)?.process })
  ))

const ticks = Effect.flatMap(SqlClient, (sql) =>
  Effect.map(
    sql<{ readonly at: Date; readonly process: number }>`select at, process from tick_row order by at`,
    (rows) => rows.map(({ at, process }) => ({ second: at.getTime() / 1000, process }))
  ))

const inFlight = (url: string) =>
  BatchCluster.layerClient({ sharding }).pipe(
    Layer.provideMerge(SqlJobRepository.layer),
    Layer.provideMerge(Postgres.layerUrl(url, { maxConnections: 5 }))
  )

/** A database with the tables of the jobs, and processes of the cluster on it, as many as are wanted. */
const withProcesses = <E>(
  test: (
    join: Effect.Effect<Processes.Process, never, Scope.Scope>
  ) => Effect.Effect<void, E, SqlClient | Sharding | JobRepository.JobRepository | Scope.Scope>
) =>
  Effect.gen(function*() {
    const program = yield* Processes.compile(new URL("program.ts", import.meta.url))
    const url = yield* Postgres.freshUrl
    const join = Effect.flatMap(freePort, (port) => Processes.spawn(program, [url, String(port)]))
    yield* Effect.gen(function*() {
      const sql = yield* SqlClient
      yield* sql`create table job_row (id integer not null, process integer not null)`
      yield* sql`create table tick_row (at timestamptz not null, process integer not null)`
      yield* test(join)
    }).pipe(Effect.provide(inFlight(url)), Effect.provideService(JobOperator.Ownership, ownership))
  })

const ready = (processes: ReadonlyArray<Processes.Process>) =>
  Effect.forEach(processes, (process) => process.line((line) => line === "ready"), { discard: true })

const everyRowOnce = Effect.flatMap(SqlClient, (sql) =>
  Effect.map(
    sql<{ readonly all: number; readonly each: number }>`
      select count(*)::int as all, count(distinct id)::int as each from job_row`,
    ([rows]) => assert.deepStrictEqual(rows, { all: ROWS, each: ROWS })
  ))

/**
 * None missing and none twice, up to one of `more` that are still to come. A process that takes over begins with the next tick, and
 * has those that the lost one was at delivered again beside that: which comes first is open.
 */
const everyTickOnce = (more: number) =>
  Effect.gen(function*() {
    const { length } = yield* ticks
    const all = yield* until(ticks, (rows) => {
      const span = rows.length === 0 ? 0 : rows.at(-1)!.second - rows[0]!.second + 1
      return rows.length >= length + more && rows.length >= span
    })
    assert.deepStrictEqual(
      all.map(({ second }) => second),
      all.map((_, index) => all[0]!.second + index),
      JSON.stringify(all)
    )
  })

describe("a cluster of three", () => {
  it.scopedLive(
    "ends a job and misses no tick, whichever process is killed and whichever hands over",
    () =>
      withProcesses((join) =>
        Effect.gen(function*() {
          const runners = yield* Effect.all([join, join, join])
          yield* ready(runners)
          const runnerOf = (pid: number | undefined) => runners.find(({ child }) => child.pid === pid)!

          const running = yield* Effect.fork(BatchCluster.run(long, {}, { restarts: 9 }))
          const first = yield* until(written, ({ count }) => count >= 10)
          runnerOf(first.process).kill("SIGKILL")
          const second = yield* until(written, ({ process }) => process !== first.process)
          const leaving = runnerOf(second.process)
          leaving.kill("SIGTERM")
          assert.strictEqual((yield* Fiber.join(running)).status, "COMPLETED")
          yield* everyRowOnce

          const executions = yield* JobOperator.executions({ jobName: "long" })
          const codes = executions.map(({ exitStatus }) => exitStatus.code)
          assert.includeMembers(codes, ["COMPLETED", "OWNER_LEFT", "OWNER_DIED"])
          assert.deepStrictEqual(codes.filter((code) => code === "COMPLETED" || code.startsWith("OWNER_")), codes)
          const repository = yield* JobRepository.JobRepository
          const audit = yield* repository.audit({})
          assert.include(audit.map(({ outcome }) => outcome), "1 of 9: its process had died")

          yield* leaving.ended
          yield* everyTickOnce(2)
        })
      ),
    300_000
  )

  // Long, as leases and locks have to expire: npm run cluster.
  const isFull = process.env["EFFECT_BATCH_CLUSTER"] === "full"

  it.scopedLive.skipIf(!isFull)(
    "takes over from a process that is frozen, which changes nothing when it comes back",
    () =>
      withProcesses((join) =>
        Effect.gen(function*() {
          const runners = yield* Effect.all([join, join, join])
          yield* ready(runners)
          const running = yield* Effect.fork(BatchCluster.run(long, {}, { restarts: 9 }))
          const first = yield* until(written, ({ count }) => count >= 10)
          const frozen = runners.find(({ child }) => child.pid === first.process)!
          frozen.kill("SIGSTOP")
          yield* until(written, ({ process }) => process !== first.process)
          frozen.kill("SIGCONT")
          assert.strictEqual((yield* Fiber.join(running)).status, "COMPLETED")
          yield* everyTickOnce(5)
          yield* everyRowOnce
        })
      ),
    300_000
  )

  it.scopedLive.skipIf(!isFull)(
    "carries out what it was asked for when all of it was killed and others come",
    () =>
      withProcesses((join) =>
        Effect.gen(function*() {
          const firsts = yield* Effect.all([join, join])
          yield* ready(firsts)
          yield* BatchCluster.submit(long, {}, { restarts: 9 })
          yield* until(written, ({ count }) => count >= 10)
          firsts.forEach((runner) => runner.kill("SIGKILL"))
          yield* ready([yield* join])
          yield* until(
            JobOperator.executions({ jobName: "long" }),
            ([newest]) => newest !== undefined && newest.status === "COMPLETED"
          )
          yield* everyRowOnce
          yield* everyTickOnce(2)
        })
      ),
    300_000
  )
})

describe("messages that were answered", () => {
  it.scopedLive(
    "are deleted behind their time, with their answers, and what is still to come stays",
    () =>
      Effect.gen(function*() {
        const job = Job.make("asked", { parameters: Day, flow: Step.tasklet("work", Effect.void) })
        const yearly = BatchCluster.schedule(job, "0 0 0 1 1 *", (tick) => ({ day: tick.epochMillis }))
        const url = yield* Postgres.freshUrl
        const runner = Layer.unwrapEffect(
          Effect.map(freePort, (port) =>
            BatchCluster.layer([job], { schedules: [yearly], address: { host: "localhost", port }, sharding }))
        )
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient
          const [answered, open] = [
            sql<{ readonly count: number }>`
            select count(*)::int as count from batch_cluster_messages
            where processed and entity_type = 'effect-batch/Job'`,
            sql<
              { readonly count: number }
            >`select count(*)::int as count from batch_cluster_messages where not processed`
          ].map(Effect.map(([row]) =>
            row!.count
          )) as [Effect.Effect<number>, Effect.Effect<number>]
          const replies = Effect.map(
            sql<{ readonly count: number }>`select count(*)::int as count from batch_cluster_replies`,
            ([row]) => row!.count
          )
          yield* BatchCluster.run(job, { day: 1 })
          yield* BatchCluster.run(job, { day: 2 })
          yield* until(open, (count) => count === 1)
          assert.strictEqual(yield* answered, 2)
          const now = yield* DateTime.now
          yield* Node.forget("batch_cluster", DateTime.subtract(now, { minutes: 10 }))
          assert.deepStrictEqual([yield* answered, yield* open], [2, 1])
          yield* Node.forget("batch_cluster", DateTime.add(now, { minutes: 10 }))
          assert.deepStrictEqual([yield* answered, yield* open, yield* replies], [0, 1, 0])
          assert.strictEqual((yield* BatchCluster.run(job, { day: 2 })).status, "COMPLETED")
          assert.strictEqual((yield* JobOperator.executions({ jobName: "asked" })).length, 2)
        }).pipe(
          Effect.provide(runner),
          Effect.provide(SqlJobRepository.layer),
          Effect.provide(Postgres.layerUrl(url, { maxConnections: 6 }))
        )
      }),
    300_000
  )
})

describe("two clusters in one database", () => {
  it.scopedLive(
    "make their tables side by side, and neither runs what the other is asked for",
    () =>
      Effect.gen(function*() {
        const url = yield* Postgres.freshUrl
        const database = Postgres.layerUrl(url, { maxConnections: 6 })
        yield* Effect.all(
          ["alpha_", "alpha_", "alpha_", "beta_"].map((prefix) =>
            Effect.provide(BatchCluster.migrate({ prefix }), database)
          ),
          { concurrency: "unbounded" }
        )
        const ran: Array<string> = []
        const made = (prefix: string) => {
          const job = Job.make("same name", {
            parameters: Day,
            flow: Step.tasklet("note", Effect.map(Day, ({ day }) => void ran.push(`${prefix} ${day}`)))
          })
          const layer = Layer.unwrapEffect(
            Effect.map(
              freePort,
              (port) => BatchCluster.layer([job], { prefix, address: { host: "localhost", port }, sharding })
            )
          ).pipe(Layer.provideMerge(SqlJobRepository.layerWith({ prefix })), Layer.provide(database))
          return { job, layer }
        }
        const [alpha, beta] = [made("alpha_"), made("beta_")]
        const asked = (days: ReadonlyArray<number>) =>
          Effect.forEach(days, (day) => BatchCluster.run(alpha.job, { day }), { concurrency: "unbounded" })
        yield* Effect.scoped(
          Effect.zipRight(Layer.build(beta.layer), Effect.provide(asked([1, 2, 3, 4, 5, 6]), alpha.layer))
        )
        assert.deepStrictEqual(ran.sort(), [1, 2, 3, 4, 5, 6].map((day) => `alpha_ ${day}`))
      }),
    300_000
  )

  it.scopedLive("are refused names that cannot be those of tables, and databases that cannot hold them", () =>
    Effect.gen(function*() {
      const url = yield* Postgres.freshUrl
      const named = yield* Effect.flip(
        Effect.provide(BatchCluster.migrate({ prefix: "a; drop" }), Postgres.layerUrl(url, { maxConnections: 2 }))
      )
      assert.match(named.message, /cannot be part of a table name/)
      const sqlite = yield* Effect.flip(Effect.provide(BatchCluster.migrate(), Sqlite.layer))
      assert.match(sqlite.message, /needs PostgreSQL/)
    }))
})
