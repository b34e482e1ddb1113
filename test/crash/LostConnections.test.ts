/**
 * A chunk whose transaction loses its connection is written again by the same execution, as long as the lease lasts: once.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { seeded } from "../../src/base/random.js"
import { Flow, ItemWriter, Job, JobOperator, Listener, Step } from "../../src/index.js"
import { SqlItemReader, SqlItemWriter, SqlJobRepository, SqlPartition } from "../../src/sql/index.js"
import { campaignJob, idsIn, rows, table } from "../chaos/campaignJob.js"
import * as Proxy from "../chaos/proxy.js"
import * as Postgres from "../support/Postgres.js"

const SEED = Number(process.env["EFFECT_BATCH_CHAOS_SEED"] ?? 1)

const directory = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-batch-lost-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

const liveAt = (url: string) =>
  Layer.merge(NodeFileSystem.layer, Layer.fresh(Layer.provideMerge(SqlJobRepository.layer, Postgres.layerUrl(url))))

const tables = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => Effect.forEach(table, (text) => sql.unsafe(text), { discard: true })
)

const kinds = ["message", "rows", "csv"] as const

/** Runs the jobs while something strikes, and gives what was logged. What opens a step is not written again, so all write before. */
const underFire = (
  { direct, url }: { readonly url: string; readonly direct: string },
  path: string,
  strikes: Effect.Effect<never, unknown>
) =>
  Effect.gen(function*() {
    const writing = Effect.repeat(
      Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select distinct job from campaign_row`),
      { until: (jobs) => jobs.length === kinds.length, schedule: Schedule.spaced("10 millis") }
    ).pipe(Effect.provide(liveAt(direct)))
    const said: Array<string> = []
    const logger = Logger.make(({ message }) => void said.push(String(message)))
    const jobs = Effect.forEach(
      kinds,
      (kind, index) => Effect.map(JobOperator.run(campaignJob(path), { job: index + 1, kind }), (ended) => ended),
      { concurrency: "unbounded" }
    )
    const ended = yield* Effect.raceFirst(jobs, Effect.orDie(Effect.zipRight(writing, strikes))).pipe(
      Effect.provide(liveAt(url)),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger))
    )
    return { ended, said }
  })

const check = (path: string, ended: ReadonlyArray<JobOperator.EndedJobExecution<string, unknown>>) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const all = Array.from({ length: rows }, (_, index) => index + 1)
    for (const [index, kind] of kinds.entries()) {
      assert.strictEqual(ended[index]?.status, "COMPLETED", `${kind}: ${ended[index]?.exitStatus.messages.join()}`)
      const written = yield* sql<{ readonly id: number }>`
        select id from campaign_row where job = ${index + 1} order by id`
      assert.deepStrictEqual(written.map(({ id }) => id), all, kind)
      const [step] = yield* JobOperator.steps(ended[index]!.id)
      assert.strictEqual(step!.counts.write, rows)
      assert.deepStrictEqual(idsIn(path, index + 1, kind) ?? all, all)
    }
    assert.lengthOf(yield* JobOperator.executions(), kinds.length)
  })

describe("a chunk whose transaction loses its connection", () => {
  it.scopedLive(
    "is written again by the same execution, however often connections are cut (OWN-21)",
    () =>
      Effect.gen(function*() {
        const random = seeded(SEED)
        const url = new URL(yield* Postgres.freshUrl)
        const direct = liveAt(url.href)
        yield* Effect.provide(tables, direct)
        const path = yield* directory
        const proxy = yield* Proxy.to(url.hostname, Number(url.port))
        const proxied = new URL(url)
        proxied.hostname = "127.0.0.1"
        proxied.port = String(proxy.port)
        let cuts = 0
        const strikes = Effect.forever(Effect.suspend(() => {
          cuts += proxy.cut(() => random(3) > 0)
          return Effect.sleep(150 + random(400))
        }))
        const { ended } = yield* underFire({ url: proxied.href, direct: url.href }, path, strikes)
        assert.isAbove(cuts, 0)
        yield* Effect.provide(check(path, ended), direct)
      }).pipe(
        Effect.tapErrorCause(() => Effect.sync(() => process.stderr.write(`EFFECT_BATCH_CHAOS_SEED=${SEED}\n`)))
      ),
    300_000
  )

  it.scopedLive(
    "waits while the server is down, and says when that begins and ends (OWN-21)",
    () =>
      Effect.gen(function*() {
        const server = yield* Postgres.dedicated({ fsync: false })
        const direct = liveAt(server.info.url)
        yield* Effect.provide(tables, direct)
        const path = yield* directory
        const { url } = server.info
        const { ended, said } = yield* underFire(
          { url, direct: url },
          path,
          Effect.zipRight(server.crash, Effect.never)
        )
        yield* Effect.provide(check(path, ended), direct)
        const begins = said.filter((line) => line.includes("out of reach")).length
        assert.isAtLeast(begins, 1)
        assert.strictEqual(said.filter((line) => line.includes("is back")).length, begins)
      }),
    300_000
  )
})

describe("a database that is away for a while", () => {
  interface Row {
    readonly id: number
  }
  const COUNT = 6
  const LEASE_MILLIS = 20_000

  const source = SqlItemReader.keyset({
    select: (sql) => sql`select id from away_source`,
    key: ["id"],
    schema: Schema.Struct({ id: Schema.Number })
  })

  /** Goes away in each of these places, and is back before the lease ends. */
  const jobAway = (away: Effect.Effect<void>) => {
    const opening = Step.chunk("opening", {
      reader: source,
      writer: SqlItemWriter.insertInto<Row>("away_target"),
      chunkSize: COUNT
    }).pipe(Step.listen(Listener.step({ beforeStep: () => away })))
    const paging = Step.chunk("paging", {
      reader: source,
      processor: (row: Row) => Effect.as(row.id === 2 ? away : Effect.void, { id: row.id + COUNT }),
      writer: ItemWriter.tee(SqlItemWriter.insertInto<Row>("away_target"), ItemWriter.discard),
      chunkSize: 2
    })
    const tasklet = Step.tasklet(
      "tasklet",
      Effect.zipRight(away, Effect.flatMap(SqlClient.SqlClient, (sql) => sql`insert into away_target values (100)`))
    )
    const decided = Flow.decide("decided", ["ON"], () => Effect.as(away, "ON" as const))
    const planned = Step.partition("planned", {
      plan: Effect.zipRight(
        away,
        SqlPartition.ranges({ select: (sql) => sql`select id from away_source`, key: "id", partitions: 2 })
      ),
      input: SqlPartition.KeyRange,
      step: () => Step.tasklet("part", Effect.void)
    })
    return Job.make("away", {
      flow: Flow.graph("opening", {
        opening: { run: opening, on: { COMPLETED: "paging" } },
        paging: { run: paging, on: { COMPLETED: "tasklet" } },
        tasklet: { run: tasklet, on: { COMPLETED: "decided" } },
        decided: { run: decided, on: { ON: "planned" } },
        planned: { run: planned, on: { COMPLETED: "END" } }
      })
    })
  }

  it.scopedLive(
    "is waited for by what opens a step, by each page, by the begin of a tasklet, by answers and by plans (OWN-21)",
    () =>
      Effect.gen(function*() {
        const url = new URL(yield* Postgres.freshUrl)
        const proxy = yield* Proxy.to(url.hostname, Number(url.port))
        const proxied = new URL(url)
        proxied.hostname = "127.0.0.1"
        proxied.port = String(proxy.port)
        const direct = Postgres.layerUrl(url.href)
        yield* Effect.provide(
          Effect.flatMap(SqlClient.SqlClient, (sql) =>
            Effect.zipRight(
              sql`create table away_target (id integer primary key)`,
              sql`create table away_source as select id from generate_series(1, ${COUNT}::int) id`
            )),
          direct
        )
        let outages = 0
        const away = Effect.sync(() => {
          outages++
          proxy.refuse(true)
          setTimeout(() => proxy.refuse(false), 150)
        })
        const said: Array<string> = []
        const logger = Logger.make(({ message }) => void said.push(String(message)))
        const ended = yield* JobOperator.run(jobAway(away), {}).pipe(
          Effect.provideService(JobOperator.Ownership, {
            ...JobOperator.Ownership.defaultValue(),
            lease: LEASE_MILLIS
          }),
          Effect.provide(Layer.fresh(Layer.provideMerge(SqlJobRepository.layer, Postgres.layerUrl(proxied.href)))),
          Effect.provide(Logger.replace(Logger.defaultLogger, logger))
        )
        assert.strictEqual(ended.status, "COMPLETED", ended.exitStatus.messages.join())
        assert.strictEqual(outages, 5)
        const written = yield* Effect.provide(
          Effect.flatMap(SqlClient.SqlClient, (sql) => sql<Row>`select id from away_target order by id`),
          direct
        )
        assert.deepStrictEqual(
          written.map(({ id }) => id),
          [...Array.from({ length: 2 * COUNT }, (_, index) => index + 1), 100]
        )
        const begins = said.filter((line) => line.includes("out of reach")).length
        assert.isAtLeast(begins, 1)
        assert.strictEqual(said.filter((line) => line.includes("is back")).length, begins)
      }),
    300_000
  )
})
