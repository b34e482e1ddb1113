/**
 * Partitions in real processes that are frozen, killed and stopped: the job's own process as well as its workers.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { JobOperator, JobRepository } from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Processes from "../chaos/processes.js"
import * as Postgres from "../support/Postgres.js"
import { createHeld, heldUp, holdUp, until } from "./held.js"

const ROWS = 320

const counted = Effect.flatMap(SqlClient, (sql) =>
  Effect.map(
    sql<{ readonly all: number; readonly each: number }>`
      select count(*)::int as all, count(distinct (part, id))::int as each from part_row`,
    ([count]) => count!
  ))

/** The job ends well, and every row is there once. */
const completes = (job: Processes.Process) =>
  Effect.gen(function*() {
    const ended = yield* job.ended
    assert.strictEqual(ended.code, 0, ended.errors)
    assert.deepStrictEqual(yield* counted, { all: ROWS, each: ROWS })
  })

const writtenBy = (pid: number | undefined) =>
  Effect.flatMap(SqlClient, (sql) =>
    Effect.map(
      sql<{ readonly count: number }>`select count(*)::int as count from part_row where process = ${pid ?? -1}`,
      ([row]) => row!.count
    ))

const partitions = Effect.flatMap(
  JobRepository.JobRepository,
  (repository) => repository.jobExecutions({ jobName: "spread/load", limit: 1000 })
)

const prepared = Effect.gen(function*() {
  const program = yield* Processes.compile(new URL("workerProgram.ts", import.meta.url))
  const url = yield* Postgres.freshUrl
  const layer = Layer.provideMerge(SqlJobRepository.layer, Postgres.layerUrl(url, { maxConnections: 3 }))
  return {
    layer,
    run: Processes.spawn(program, [url, "run", "spread"]),
    worker: Processes.spawn(program, [url, "worker", "--slots", "2"])
  }
})

const createTable = Effect.flatMap(
  SqlClient,
  (sql) => sql`create table part_row (part text not null, id integer not null, process integer not null)`
)

/** Nobody who is taken over can tell: epochs stay what they were, and with them what the fence compares. */
const withoutFence = Effect.flatMap(SqlClient, (sql) =>
  Effect.zipRight(
    sql`create function keep_epoch() returns trigger language plpgsql as
      $$ begin new.epoch = old.epoch; return new; end $$`,
    Effect.forEach(["batch_job_execution", "batch_step_execution"], (table) =>
      sql`create trigger keep_epoch before update on ${sql(table)} for each row execute function keep_epoch()`)
  ))

/** Whoever stores a partition waits in the middle of the transaction, as long as a test has the lock. */
const holdingPlans = Effect.flatMap(SqlClient, (sql) =>
  Effect.zipRight(
    createHeld,
    sql`create trigger held after insert on batch_partition for each row execute function held()`
  ))

/** Freezes a worker in its work, has others do that, and tells whether it does it again when it wakes. */
const writesAgain = Effect.flatMap(prepared, ({ layer, run, worker }) =>
  Effect.gen(function*() {
    yield* createTable
    const job = yield* run
    const frozen = yield* worker
    yield* until(writtenBy(frozen.child.pid), (count) => count > 0)
    yield* withoutFence
    frozen.kill("SIGSTOP")
    yield* worker
    yield* completes(job)
    frozen.kill("SIGCONT")
    const isTwice = Effect.delay(Effect.map(counted, ({ all, each }) => all > each), "20 millis")
    return yield* Effect.iterate({ is: false, looks: 0 }, {
      while: ({ is, looks }) => !is && looks < 150,
      body: ({ looks }) => Effect.map(isTwice, (is) => ({ is, looks: looks + 1 }))
    })
  }).pipe(Effect.map(({ is }) => is), Effect.provide(layer)))

describe("partitions in processes that die", () => {
  it.scopedLive(
    "a worker is frozen and wakes, one joins late, the job and a worker are killed: every row once (PART-5, OWN-16)",
    () =>
      Effect.flatMap(prepared, ({ layer, run, worker }) =>
        Effect.gen(function*() {
          yield* createTable
          const job = yield* run
          const frozen = yield* worker
          yield* until(writtenBy(frozen.child.pid), (count) => count > 0)
          frozen.kill("SIGSTOP")
          const late = yield* worker
          yield* until(writtenBy(late.child.pid), (count) => count > 0)
          // What the frozen one had is taken by others when its lease has ended.
          yield* until(partitions, (found) => found.some(({ exitStatus }) => exitStatus.code === "OWNER_DIED"))
          job.kill("SIGKILL")
          late.kill("SIGKILL")
          frozen.kill("SIGCONT")
          yield* job.ended
          const [killed] = yield* JobOperator.executions({ jobName: "spread" })
          const repository = yield* JobRepository.JobRepository
          const complete = (yield* partitions).filter(({ status }) => status === "COMPLETED")
          assert.strictEqual(yield* repository.deleteJobExecutions(complete.map(({ id }) => id)), 0)
          // On a machine that is busy for as long as a partition takes, all of it may be over before the kill.
          if (killed!.status !== "COMPLETED") {
            const again = yield* run
            yield* worker
            yield* completes(again)
          }
          assert.deepStrictEqual(yield* counted, { all: ROWS, each: ROWS })
          const found = yield* partitions
          assert.strictEqual(found.filter(({ status }) => status === "COMPLETED").length, 8)
        }).pipe(Effect.provide(layer))),
    300_000
  )

  it.scopedLive(
    "a stop reaches the workers of a job whose own process is dead, and a restart does the rest (STOP-1, PART-7)",
    () =>
      Effect.flatMap(prepared, ({ layer, run, worker }) =>
        Effect.gen(function*() {
          yield* createTable
          const job = yield* run
          const busy = yield* worker
          yield* until(writtenBy(busy.child.pid), (count) => count > 0)
          job.kill("SIGKILL")
          yield* job.ended
          const [parent] = yield* JobOperator.executions({ jobName: "spread" })
          yield* JobOperator.stop(parent!.id)
          const stopped = yield* until(partitions, (found) => found.every(({ endTime }) => endTime._tag === "Some"))
          assert.isTrue(stopped.some(({ status }) => status === "STOPPED"))
          assert.isBelow((yield* counted).all, ROWS)
          const again = yield* run
          yield* completes(again)
        }).pipe(Effect.provide(layer))),
    300_000
  )

  it.scopedLive(
    "without the fence the worker that wakes writes again what others have written: the test above sees that (OWN-16)",
    () =>
      Effect.gen(function*() {
        // Whom the signal meets between two chunks writes none again: that does not happen again and again.
        const isTwice = yield* Effect.repeat(Effect.scoped(writesAgain), { until: (isTwice) => isTwice, times: 9 })
        assert.isTrue(isTwice)
      }),
    300_000
  )

  it.scopedLive(
    "the job is killed while it stores its plan: nothing of that is there, and the next one plans anew (PART-10)",
    () =>
      Effect.flatMap(prepared, ({ layer, run, worker }) =>
        Effect.gen(function*() {
          const sql = yield* SqlClient
          const stored = Effect.map(
            sql<{ readonly count: number }>`select (select count(*) from batch_partition)::int
              + (select count(*) from batch_partition_plan)::int as count`,
            ([row]) => row!.count
          )
          yield* createTable
          yield* JobRepository.JobRepository
          yield* holdingPlans
          const job = yield* sql.withTransaction(Effect.gen(function*() {
            yield* holdUp
            const job = yield* run
            yield* until(heldUp, (count) => count === 1)
            job.kill("SIGKILL")
            yield* job.ended
            return job
          }))
          assert.isNotNull(job)
          yield* until(heldUp, (count) => count === 0)
          assert.strictEqual(yield* stored, 0)
          yield* sql`drop trigger held on batch_partition`
          const again = yield* run
          yield* worker
          yield* completes(again)
          assert.strictEqual(yield* stored, 9)
        }).pipe(Effect.provide(layer))),
    300_000
  )
})
