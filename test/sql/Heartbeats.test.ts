/**
 * Heartbeats on PostgreSQL while the steps have all connections of the pool, for longer than the lease. The database
 * holds the steps up, hence the real clock.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import { type BatchEvent, Flow, Job, JobOperator, Step } from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import { onceCalm } from "../support/heldUp.js"
import * as Postgres from "../support/Postgres.js"

const LEASE_MILLIS = 2000

const owning = Effect.provideService(JobOperator.Ownership, {
  ...JobOperator.Ownership.defaultValue(),
  owner: "elsewhere:1",
  lease: LEASE_MILLIS,
  isOwnerGone: () => false
})

const repository = (url: string, maxConnections: number) =>
  Layer.fresh(SqlJobRepository.layer).pipe(Layer.provideMerge(Postgres.layerUrl(url, { maxConnections })))

/** As many steps side by side as the pool has connections; each of them holds one for longer than the lease. */
const crowded = (width: number) =>
  Effect.map(Deferred.make<void>(), (held) => {
    let begun = 0
    const branch = (_: unknown, index: number) =>
      Step.tasklet(
        `branch ${index}`,
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`select 1`
          if (++begun === width) {
            yield* Deferred.succeed(held, undefined)
          }
          yield* sql`select pg_sleep(${(LEASE_MILLIS * 2.5) / 1000})`
        })
      )
    const [first, ...others] = Array.from({ length: width }, branch)
    return { held, job: Job.make("crowded", { flow: Flow.split([first!, ...others]) }) }
  })

describe("an execution on PostgreSQL whose steps hold all connections of the pool for longer than its lease", () => {
  const keeps = (width: number) =>
    Effect.gen(function*() {
      const url = yield* Postgres.freshUrl
      const { held, job } = yield* crowded(width)
      const running = yield* Effect.fork(Effect.provide(owning(JobOperator.run(job, {})), repository(url, width)))
      yield* Deferred.await(held)
      yield* Effect.sleep(LEASE_MILLIS * 1.5)
      const refused = yield* Effect.flip(Effect.provide(owning(JobOperator.run(job, {})), repository(url, 2)))
      assert.strictEqual(refused._tag, "JobExecutionAlreadyRunning")
      const ended = yield* Fiber.join(running)
      assert.strictEqual(ended.status, "COMPLETED", ended.exitStatus.messages.join())
      const steps = yield* Effect.provide(JobOperator.steps(ended.id), repository(url, 2))
      assert.deepStrictEqual(steps.map(({ status }) => status), Array.from({ length: width }, () => "COMPLETED"))
    })

  it.scopedLive(
    "keeps it, and nobody can take it over: pools of 1, 2 and 3 (OWN-18)",
    () => Effect.forEach([1, 2, 3], (width) => onceCalm(keeps(width)), { concurrency: "unbounded", discard: true }),
    300_000
  )

  it.scopedLive(
    "shares its secret with nobody: not with events, scopes, or what is returned (OWN-16)",
    () =>
      Effect.gen(function*() {
        const url = yield* Postgres.freshUrl
        const events = yield* PubSub.unbounded<BatchEvent.BatchEvent>()
        const heard = yield* PubSub.subscribe(events)
        const job = Job.make("secret", { flow: Step.tasklet("only", Effect.void) })
        const [ended, tokens] = yield* Effect.provide(
          Effect.gen(function*() {
            const sql = yield* SqlClient.SqlClient
            const ended = yield* JobOperator.run(job, {}).pipe(
              Effect.provideService(JobOperator.Events, events)
            )
            return [ended, yield* sql<{ readonly token: string }>`select token from batch_job_execution`] as const
          }),
          repository(url, 2)
        )
        assert.isAbove(tokens[0]!.token.length, 20)
        const seen = JSON.stringify([ended, Array.from(yield* Queue.takeAll(heard))])
        assert.include(seen, "JobEnded")
        assert.notInclude(seen, tokens[0]!.token)
      }),
    300_000
  )
})
