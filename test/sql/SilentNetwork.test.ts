/**
 * A network that falls silent: what is sent is taken and never arrives, in the middle of a message too, and nobody is told. The
 * server keeps what it had begun, locks included. Real clocks and a real server, through a proxy.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { ItemReader, ItemWriter, Job, JobOperator, Step } from "../../src/index.js"
import { SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import * as Proxy from "../chaos/proxy.js"
import { heldUp } from "../support/heldUp.js"
import * as Postgres from "../support/Postgres.js"

const LEASE_MILLIS = 2000
const CHUNKS = 60

const owning = (owner: string) =>
  Effect.provideService(JobOperator.Ownership, { lease: LEASE_MILLIS, owner, isOwnerGone: () => false })

const live = (url: string) =>
  Layer.fresh(SqlJobRepository.layer).pipe(Layer.provideMerge(Postgres.layerUrl(url, { maxConnections: 4 })))

interface Row {
  readonly n: number
}

/** Writes a row per chunk and takes its time; calls back before the write of a chunk, inside of its transaction. */
const loading = (kind: "messages" | "statements", inside: (n: number) => Effect.Effect<void>) => {
  const insert = SqlItemWriter.insertInto<Row>("silent_row")
  const numbers = ItemReader.fromIterable(Array.from({ length: CHUNKS }, (_, n): Row => ({ n })))
  const slowly = (row: Row) => Effect.as(Effect.sleep(20), row)
  return Job.make("load", {
    flow: kind === "messages"
      ? Step.chunk("load", {
        reader: numbers,
        processor: (row: Row) => Effect.zipRight(inside(row.n), slowly(row)),
        writer: insert,
        chunkSize: 1
      })
      : Step.chunk("load", {
        reader: numbers,
        processor: slowly,
        writer: ItemWriter.tee(
          insert,
          ItemWriter.fromFunction(([row]: ReadonlyArray<Row>) => inside(row!.n), { name: "inside" })
        ),
        chunkSize: 1
      })
  })
}

const atRow = (at: number, strike: Effect.Effect<void>) => (n: number) => n === at ? strike : Effect.void

const noStrike = () => Effect.void

const holding = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql.withTransaction(effect))

const eachOnce = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const rows = yield* sql<Row>`select n from silent_row order by n`
  assert.deepStrictEqual(rows.map(({ n }) => n), Array.from({ length: CHUNKS }, (_, n) => n))
})

const prepared = Effect.gen(function*() {
  const url = new URL(yield* Postgres.freshUrl)
  const proxy = yield* Proxy.to(url.hostname, Number(url.port))
  const proxied = new URL(url)
  proxied.hostname = "127.0.0.1"
  proxied.port = String(proxy.port)
  const direct = live(url.href)
  yield* Effect.provide(
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql`create table silent_row (n int not null)`),
    direct
  )
  return { proxy, direct, stranger: Postgres.layerUrl(url.href), proxied: live(proxied.href) }
})

describe("a network that falls silent", () => {
  const takenOver = (kind: "messages" | "statements") =>
    Effect.gen(function*() {
      const { direct, proxied, proxy } = yield* prepared
      const struck = yield* Deferred.make<void>()
      const strike = Effect.zipRight(Effect.sync(() => proxy.blackout(true)), Deferred.succeed(struck, undefined))
      const owner = yield* JobOperator.run(loading(kind, atRow(20, Effect.asVoid(strike))), {}).pipe(
        owning("first"),
        Effect.provide(proxied),
        heldUp(Effect.negate(Deferred.isDone(struck))),
        Effect.flip,
        Effect.fork
      )
      yield* Deferred.await(struck)
      yield* Effect.sleep(LEASE_MILLIS + 500)
      const taken = yield* JobOperator.run(loading(kind, noStrike), {}).pipe(
        owning("second"),
        Effect.provide(direct),
        heldUp(Effect.succeed(true)),
        Effect.timeout("1 minute")
      )
      assert.strictEqual(taken.status, "COMPLETED", taken.exitStatus.messages.join())
      const lost = yield* Effect.timeout(Fiber.join(owner), "1 minute")
      assert.strictEqual((lost as { readonly _tag: string })._tag, "OwnershipLost")
      yield* Effect.provide(eachOnce, direct)
    })

  const lookedUp = (toServer: number) =>
    Effect.gen(function*() {
      const { direct, proxied, proxy } = yield* prepared
      const strike = Effect.sync(() => {
        // The control connection came second, after the first of the pool.
        proxy.silence((index) => index !== 1, { toServer })
      })
      const run = (job: ReturnType<typeof loading>, owner: string) =>
        JobOperator.run(job, {}).pipe(owning(owner), Effect.provide(proxied), Effect.timeout("2 minutes"))
      const ended = yield* Effect.map(
        Effect.either(run(loading("messages", atRow(20, strike)), "first")),
        (result) => Either.isLeft(result) ? result.left._tag : result.right.status
      )
      if (ended !== "COMPLETED") {
        assert.include(["FAILED", "OwnershipLost"], ended)
        const second = heldUp(Effect.succeed(true))(run(loading("messages", noStrike), "second"))
        assert.strictEqual((yield* second).status, "COMPLETED")
      }
      yield* Effect.provide(eachOnce, direct)
    })

  it.scopedLive(
    "ends the owner with OwnershipLost, and another process takes over (OWN-18, OWN-19)",
    () => Effect.forEach(["messages", "statements"] as const, takenOver, { concurrency: 2, discard: true }),
    300_000
  )

  it.scopedLive(
    "on one connection only, also in the middle of a transaction of one message: it is looked up, nothing is lost (OWN-18)",
    () => Effect.forEach([0, 40], lookedUp, { concurrency: 2, discard: true }),
    300_000
  )

  it.scopedLive(
    "leaves a takeover to wait for a stranger no longer than a lease, and names it (OWN-19)",
    () =>
      Effect.gen(function*() {
        const prepare = yield* prepared
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          const job = loading("messages", noStrike)
          const first = yield* Effect.scoped(JobOperator.start(job, {}).pipe(owning("first")))
          yield* sql`update batch_job_execution set status = 'STARTED', lease_until = now() - interval '1 second'
          where id = ${first.execution.id}`
          const held = yield* Deferred.make<number>()
          const stranger = yield* Effect.fork(
            holding(Effect.gen(function*() {
              const sql = yield* SqlClient.SqlClient
              const [row] = yield* sql<{ readonly pid: number }>`select pg_backend_pid() as pid from batch_job_execution
            where id = ${first.execution.id} for update`
              yield* Deferred.succeed(held, row!.pid)
              yield* Effect.never
            })).pipe(Effect.provide(prepare.stranger))
          )
          const pid = yield* Deferred.await(held)
          const refused = yield* Effect.flip(JobOperator.run(job, {}).pipe(owning("second")))
          assert.deepInclude(refused, { _tag: "JobRepositoryError", operation: "launch", reason: "transient" })
          assert.strictEqual((refused as { readonly blockedBy?: { readonly pid: number } }).blockedBy?.pid, pid)
          assert.include(refused.message, `pg_terminate_backend(${pid})`)
          yield* Fiber.interrupt(stranger)
          assert.strictEqual((yield* JobOperator.run(job, {}).pipe(owning("second"))).status, "COMPLETED")
        }).pipe(Effect.provide(prepare.direct))
      }),
    300_000
  )
})
