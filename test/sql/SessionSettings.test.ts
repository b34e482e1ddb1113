/**
 * What the server is told about the connections of the pool, and what it does with them when their owner has lost its lease.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { Job, JobOperator, JobRepository, Step } from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Postgres from "../support/Postgres.js"

const over = (url: string) => Layer.fresh(SqlJobRepository.layer).pipe(Layer.provideMerge(Postgres.layerUrl(url)))

const owning = Effect.provideService(JobOperator.Ownership, {
  ...JobOperator.Ownership.defaultValue(),
  owner: "elsewhere:1",
  isOwnerGone: () => false
})

/** What the server says in a transaction of a step. */
const seen = (url: string) =>
  Effect.gen(function*() {
    let settings: Record<string, string> = {}
    const look = Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const rows = yield* sql<{ readonly name: string; readonly setting: string }>`
        select name, setting from pg_settings where name in ('tcp_user_timeout', 'tcp_keepalives_idle',
          'tcp_keepalives_interval', 'tcp_keepalives_count', 'client_connection_check_interval', 'application_name')
        union all select 'tag', split_part(token, '.', 1) from batch_job_execution where status = 'STARTED'`
      settings = Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))
    })
    yield* JobOperator.run(Job.make("look", { flow: Step.tasklet("look", look) }), {})
    return settings
  }).pipe(Effect.provide(over(url)))

describe("a connection of the pool that holds a transaction of a step", () => {
  it.scopedLive("tells the server how long to wait for a peer that is silent or gone, and whose it is (OWN-19)", () =>
    Effect.gen(function*() {
      const { application_name, tag, ...times } = yield* seen(yield* Postgres.freshUrl)
      assert.deepStrictEqual(times, {
        tcp_user_timeout: "25000",
        tcp_keepalives_idle: "10",
        tcp_keepalives_interval: "5",
        tcp_keepalives_count: "3",
        client_connection_check_interval: "5000"
      })
      assert.match(tag!, /^[0-9a-f]+$/)
      assert.isTrue(application_name!.endsWith(` [batch ${tag}]`), application_name)
    }))

  it.scopedLive("keeps what somebody has set for the database (OWN-19)", () =>
    Effect.gen(function*() {
      const url = yield* Postgres.freshUrl
      yield* Effect.provide(
        Effect.flatMap(
          SqlClient.SqlClient,
          (sql) => sql`alter database ${sql(new URL(url).pathname.slice(1))} set tcp_user_timeout = 9000`
        ),
        Postgres.layerUrl(url)
      )
      const { tcp_keepalives_idle, tcp_user_timeout } = yield* seen(url)
      assert.deepStrictEqual([tcp_user_timeout, tcp_keepalives_idle], ["9000", "10"])
    }))

  it.scopedLive(
    "is ended by the takeover that waits for it when the lease of its owner has expired (OWN-19)",
    () =>
      Effect.gen(function*() {
        const url = yield* Postgres.freshUrl
        const begun = yield* Deferred.make<void>()
        const gate = yield* Deferred.make<void>()
        const held = yield* Deferred.make<number>()
        const holdRows = Effect.gen(function*() {
          yield* Deferred.succeed(begun, undefined)
          yield* Deferred.await(gate)
          const sql = yield* SqlClient.SqlClient
          const [row] = yield* sql<{ readonly pid: number }>`
            select pg_backend_pid() as pid from batch_job_execution for update`
          yield* Deferred.succeed(held, row!.pid)
          yield* Effect.never
        })
        const load = (work: typeof holdRows) => Job.make("load", { flow: Step.tasklet("load", work) })
        const frozen = Effect.flatMap(JobRepository.JobRepository, (repository) =>
          Effect.provideService(
            owning(JobOperator.run(load(holdRows), {})),
            JobRepository.JobRepository,
            { ...repository, beatsQueue: true, renewLease: () => Effect.never }
          ))
        const owner = yield* Effect.fork(Effect.exit(Effect.provide(frozen, over(url))))
        yield* Deferred.await(begun)
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`update batch_job_execution set lease_until = now() - interval '1 second'`
          yield* Deferred.succeed(gate, undefined)
          const pid = yield* Deferred.await(held)
          const taken = yield* owning(JobOperator.run(load(Effect.void), {}))
          assert.strictEqual(taken.status, "COMPLETED", taken.exitStatus.messages.join())
          // It takes a moment to go.
          yield* Effect.repeat(sql`select pid from pg_stat_activity where pid = ${pid}`, {
            until: (rows) => rows.length === 0
          })
        }).pipe(Effect.provide(over(url)))
        yield* Fiber.interruptFork(owner)
      }),
    300_000
  )
})
