/**
 * Jobs on PostgreSQL behind PgBouncer in transaction mode, which gives each transaction another connection of the server.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step } from "../../src/index.js"
import * as Database from "../../src/sql/database.js"
import { SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import * as Proxy from "../chaos/proxy.js"
import { heldUp } from "../support/heldUp.js"
import * as PgBouncer from "../support/PgBouncer.js"
import * as Postgres from "../support/Postgres.js"

if (!PgBouncer.isInstalled) {
  process.stderr.write("PgBouncer is not installed: what runs behind it is not tested\n")
}

interface Row {
  readonly n: number
}

const COUNT = 100

const writers = {
  insertInto: SqlItemWriter.insertInto<Row>("pooled"),
  copyInto: SqlItemWriter.copyInto<Row>("pooled"),
  upsertInto: SqlItemWriter.upsertInto<Row>("pooled", { key: ["n"] })
}

const live = Layer.unwrapScoped(
  Effect.map(
    Effect.flatMap(Postgres.freshUrl, PgBouncer.before),
    (url) => Layer.fresh(SqlJobRepository.layer).pipe(Layer.provideMerge(Postgres.layerUrl(url, { maxConnections: 6 })))
  )
)

describe.skipIf(!PgBouncer.isInstalled)("behind PgBouncer in transaction mode", () => {
  for (const [name, writer] of Object.entries(writers)) {
    for (const prefetch of [true, false]) {
      it.scopedLive(`a job writes every row once: ${name}, prefetch ${prefetch}`, () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`create table pooled (n int primary key)`
          // Known, so that nothing is kept on a connection that another one may have next.
          const { isPooled, prepares } = Database.known(sql)!
          assert.deepStrictEqual([isPooled, prepares], [true, false])
          const job = Job.make("pooled", {
            flow: Step.chunk("load", {
              reader: ItemReader.fromIterable(Array.from({ length: COUNT }, (_, n): Row => ({ n }))),
              writer,
              chunkSize: 5,
              prefetch
            })
          })
          const ended = yield* Effect.timeout(JobOperator.run(job, {}), "2 minutes")
          assert.strictEqual(ended.status, "COMPLETED", ended.exitStatus.messages.join())
          const rows = yield* sql<Row>`select n from pooled order by n`
          assert.deepStrictEqual(rows.map(({ n }) => n), Array.from({ length: COUNT }, (_, n) => n))
        }).pipe(Effect.provide(live)), 300_000)
    }
  }

  /** Two processes, each with a pool of its own in front of the same pooler, as far as a test has processes. */
  const two = Effect.gen(function*() {
    const url = yield* Effect.flatMap(Postgres.freshUrl, PgBouncer.before)
    const process = Layer.fresh(SqlJobRepository.layer).pipe(
      Layer.provideMerge(Postgres.layerUrl(url, { maxConnections: 3 }))
    )
    const first = yield* Layer.build(process)
    yield* Effect.provide(
      Effect.flatMap(SqlClient.SqlClient, (sql) => sql`create table pooled (n int primary key)`),
      first
    )
    return { first, second: yield* Layer.build(process) }
  })

  /** Calls `at` inside of the transaction of the third chunk, and goes on when that is done. */
  const calling = (at: Effect.Effect<void>) =>
    Job.make("called", {
      flow: Step.chunk("load", {
        reader: ItemReader.fromIterable(Array.from({ length: COUNT }, (_, n): Row => ({ n }))),
        writer: ItemWriter.tee(
          writers.insertInto,
          ItemWriter.fromFunction((rows: ReadonlyArray<Row>) => rows.some(({ n }) => n === 12) ? at : Effect.void, {
            delivery: "transactional"
          })
        ),
        chunkSize: 5
      })
    })

  const rowsOf = Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => Effect.map(sql<Row>`select n from pooled order by n`, (rows) => rows.map(({ n }) => n))
  )

  const owning = (owner: string) =>
    Effect.provideService(JobOperator.Ownership, { lease: 2000, owner, isOwnerGone: () => false })

  it.scopedLive(
    "a stop that another process asks for is heard at the next commit, and the restart goes on",
    () =>
      Effect.gen(function*() {
        const { first, second } = yield* two
        const stop = Effect.flatMap(JobOperator.executions(), ([running]) => JobOperator.stop(running!.id)).pipe(
          Effect.provide(second),
          Effect.orDie
        )
        const stopped = yield* JobOperator.run(calling(stop), {}).pipe(Effect.provide(first))
        assert.strictEqual(stopped.status, "STOPPED", stopped.exitStatus.messages.join())
        assert.deepStrictEqual(yield* Effect.provide(rowsOf, second), Array.from({ length: 15 }, (_, n) => n))
        const ended = yield* JobOperator.run(calling(Effect.void), {}).pipe(Effect.provide(second))
        assert.strictEqual(ended.status, "COMPLETED", ended.exitStatus.messages.join())
        assert.deepStrictEqual(yield* Effect.provide(rowsOf, second), Array.from({ length: COUNT }, (_, n) => n))
      }),
    300_000
  )

  it.scopedLive(
    "an owner that does not beat is taken over, and what it still holds open commits nothing",
    () =>
      Effect.gen(function*() {
        const { first, second } = yield* two
        const inside = yield* Deferred.make<void>()
        const taken = yield* Deferred.make<void>()
        const hangs = Effect.zipRight(Deferred.succeed(inside, undefined), Deferred.await(taken))
        const repository = Context.get(first, JobRepository.JobRepository)
        const owner = yield* JobOperator.run(calling(hangs), {}).pipe(
          owning("first"),
          // A process that is frozen does not beat.
          Effect.provideService(JobRepository.JobRepository, { ...repository, renewLease: () => Effect.never }),
          Effect.provide(first),
          heldUp(Effect.negate(Deferred.isDone(inside))),
          Effect.exit,
          Effect.fork
        )
        yield* Deferred.await(inside)
        yield* Effect.sleep(2500)
        const ended = yield* JobOperator.run(calling(Effect.void), {}).pipe(
          owning("second"),
          Effect.provide(second),
          heldUp(Effect.succeed(true)),
          Effect.timeout("2 minutes")
        )
        assert.strictEqual(ended.status, "COMPLETED", ended.exitStatus.messages.join())
        yield* Deferred.succeed(taken, undefined)
        assert.strictEqual((yield* Fiber.join(owner))._tag, "Failure")
        assert.deepStrictEqual(yield* Effect.provide(rowsOf, second), Array.from({ length: COUNT }, (_, n) => n))
      }),
    300_000
  )

  /** The same database by way of a network that can fall silent. */
  const silenceable = (target: string) =>
    Effect.gen(function*() {
      const url = new URL(target)
      const proxy = yield* Proxy.to(url.hostname, Number(url.port))
      url.hostname = "127.0.0.1"
      url.port = String(proxy.port)
      return { proxy, url: url.href }
    })

  /** What the network is like between two processes of one database, one of them behind a pooler. */
  const ways = {
    toPooler: (target: string) => Effect.flatMap(PgBouncer.before(target), silenceable),
    toServer: (target: string) =>
      Effect.flatMap(
        silenceable(target),
        ({ proxy, url }) => Effect.map(PgBouncer.before(url), (url) => ({ proxy, url }))
      )
  }

  /** So many bytes still pass towards the server: none, or a part of a message. */
  const silenced = (way: typeof ways.toPooler, toServer: number) =>
    Effect.gen(function*() {
      const target = yield* Postgres.freshUrl
      const { proxy, url } = yield* way(target)
      // What the server still holds for the silent one goes by the server's own time limit.
      const repository = Layer.fresh(SqlJobRepository.layerWith({ idleTimeout: "3 seconds" }))
      const pool = (url: string) => Layer.provideMerge(repository, Postgres.layerUrl(url, { maxConnections: 3 }))
      const direct = yield* Layer.build(pool(target))
      yield* Effect.provide(
        Effect.flatMap(SqlClient.SqlClient, (sql) => sql`create table pooled (n int primary key)`),
        direct
      )
      const struck = yield* Deferred.make<void>()
      const strike = Effect.zipRight(
        Effect.sync(() => {
          proxy.blackout(true)
          proxy.silence(() => true, { toServer })
        }),
        Deferred.succeed(struck, undefined)
      )
      const owner = yield* Effect.fork(
        JobOperator.run(calling(Effect.asVoid(strike)), {}).pipe(
          owning("first"),
          Effect.provide(pool(url)),
          Effect.flip
        )
      )
      // On a machine that is busy for as long as a lease, it is lost before that.
      yield* Effect.raceFirst(Deferred.await(struck), Fiber.await(owner))
      // Nobody has to lift the silence for it to end.
      const lost = yield* Effect.timeout(Fiber.join(owner), "2 minutes")
      assert.strictEqual(lost._tag, "OwnershipLost")
      const takeOver = JobOperator.run(calling(Effect.void), {}).pipe(owning("second"), Effect.provide(direct))
      const ended = yield* Effect.retry(takeOver, {
        while: ({ _tag }) => ["JobExecutionAlreadyRunning", "JobRepositoryError", "OwnershipLost"].includes(_tag),
        schedule: Schedule.spaced(200)
      }).pipe(Effect.timeout("2 minutes"))
      assert.strictEqual(ended.status, "COMPLETED", ended.exitStatus.messages.join())
      assert.deepStrictEqual(yield* Effect.provide(rowsOf, direct), Array.from({ length: COUNT }, (_, n) => n))
    })

  it.scopedLive(
    "a network that falls silent on either side of the pooler, also in the middle of a message, ends the owner, and another takes over (OWN-18, OWN-19)",
    () =>
      Effect.forEach(
        [[ways.toPooler, 0], [ways.toPooler, 40], [ways.toServer, 0], [ways.toServer, 40]] as const,
        ([way, bytes]) => silenced(way, bytes),
        { concurrency: "unbounded", discard: true }
      ),
    300_000
  )
})
