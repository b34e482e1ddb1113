/**
 * On PostgreSQL a stop request of another process is seen at once: the clock of these tests stands still, so that no
 * heartbeat can be what tells.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as TestServices from "effect/TestServices"
import { ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step } from "../../../src/index.js"
import { SqlJobRepository } from "../../../src/sql/index.js"
import * as Postgres from "../../support/Postgres.js"

const idle = (name: string) =>
  Effect.map(Deferred.make<void>(), (begun) => ({
    begun,
    job: Job.make(name, {
      flow: Step.chunk("drain", {
        reader: ItemReader.fromStream(
          Stream.zipRight(Stream.fromEffect(Deferred.succeed(begun, undefined)), Stream.never)
        ),
        writer: ItemWriter.discard,
        chunkSize: 5
      })
    })
  }))

const listeners = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.map(
    sql<{ readonly pid: number }>`select pid from pg_stat_activity
      where datname = current_database() and application_name like '% heartbeat' and query <> ''`,
    (rows) => rows.map(({ pid }) => pid)
  ))

/** The database decides when this is so, hence the real clock. */
const eventually = <A, E, R>(effect: Effect.Effect<A, E, R>, holds: (value: A) => boolean) =>
  TestServices.provideLive(
    Effect.repeat(Effect.zipLeft(effect, Effect.sleep("10 millis")), { until: (value) => holds(value) }).pipe(
      Effect.timeoutFail({ duration: "2 minutes", onTimeout: () => "it never came to that" })
    )
  )

const live = Layer.provideMerge(SqlJobRepository.layer, Postgres.layer)

describe("a stop request of another process on PostgreSQL", () => {
  it.layer(live, { timeout: 300_000 })((it) => {
    it.effect("ends a step that waits at once, also after the listening connection broke", () =>
      Effect.gen(function*() {
        const repository = yield* JobRepository.JobRepository
        const sql = yield* SqlClient.SqlClient
        for (const isCut of [false, true]) {
          const { begun, job } = yield* idle(`cut ${isCut}`)
          yield* Effect.scoped(Effect.gen(function*() {
            const running = yield* JobOperator.start(job, {})
            yield* Deferred.await(begun)
            const [pid] = yield* eventually(listeners, (pids) => pids.length === 1)
            if (isCut) {
              yield* sql`select pg_terminate_backend(${pid!})`
              // When the process hears of it, and waits before it connects again, nobody here knows.
              yield* Effect.repeat(Effect.zipRight(TestClock.adjust("1 second"), listeners), {
                until: (pids) => pids.length === 1 && pids[0] !== pid
              })
            }
            yield* repository.requestStop(running.execution.id)
            assert.strictEqual((yield* running.await).status, "STOPPED")
          }))
        }
      }))

    it.effect("a request between start and listening is seen as soon as the connection listens", () =>
      Effect.gen(function*() {
        const repository = yield* JobRepository.JobRepository
        const { job } = yield* idle("early")
        yield* Effect.scoped(Effect.gen(function*() {
          const running = yield* JobOperator.start(job, {})
          yield* repository.requestStop(running.execution.id)
          assert.strictEqual((yield* running.await).status, "STOPPED")
        }))
      }))
  })

  const connected = (options: SqlJobRepository.Options, maxConnections: number) =>
    Layer.unwrapScoped(Effect.map(
      Postgres.freshUrl,
      (url) => Layer.provideMerge(SqlJobRepository.layerWith(options), Postgres.layerUrl(url, { maxConnections }))
    ))

  it.scoped("nobody listens when that is switched off", () =>
    Effect.gen(function*() {
      const { begun, job } = yield* idle("silent")
      yield* JobOperator.start(job, {})
      yield* Deferred.await(begun)
      assert.deepStrictEqual(yield* listeners, [])
    }).pipe(Effect.provide(connected({ control: false }, 10))), 300_000)

  it.scoped("is heard although the only connection of the pool is taken (OWN-18)", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const sql = yield* SqlClient.SqlClient
      const { begun, job } = yield* idle("crowded")
      const running = yield* JobOperator.start(job, {})
      yield* Deferred.await(begun)
      yield* eventually(listeners, (pids) => pids.length === 1)
      yield* Effect.scoped(Effect.gen(function*() {
        yield* sql.reserve
        yield* repository.requestStop(running.execution.id)
      }))
      assert.strictEqual((yield* running.await).status, "STOPPED")
    }).pipe(Effect.provide(connected({}, 1))), 300_000)
})
