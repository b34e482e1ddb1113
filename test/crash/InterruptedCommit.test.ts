/**
 * An interruption that comes while the commit of a chunk is under way: the commit happens, and nobody may forget it.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step, Transactor } from "../../src/index.js"
import { SqlItemWriter } from "../../src/sql/index.js"
import { drivers, sqlDrivers } from "../support/drivers.js"

const numbers = [1, 2, 3, 4, 5, 6]

/** Keeps back the answer to the second commit, and says when there is something to wait for. */
const slowly = (reached: Deferred.Deferred<void>, answer: Deferred.Deferred<void>) =>
  Effect.map(Transactor.Transactor, ({ transact }) => {
    let commits = 0
    const kept = Effect.zipRight(Deferred.succeed(reached, undefined), Deferred.await(answer))
    return Transactor.Transactor.of({
      transact: (effect, options) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.zipLeft(restore(transact(effect, options)), Effect.suspend(() => ++commits === 2 ? kept : Effect.void))
        )
    })
  })

const stepsOf = Effect.gen(function*() {
  const repository = yield* JobRepository.JobRepository
  const [newest] = yield* JobOperator.executions({})
  return yield* repository.stepExecutions(newest!.id)
})

describe("an interruption during a commit", () => {
  for (const { layer, name } of drivers) {
    it.layer(layer)(
      name,
      (it) =>
        it.effect("committed items are counted, and are not written again (EFF-3)", () =>
          Effect.gen(function*() {
            const out: Array<number> = []
            const job = Job.make("copy", {
              flow: Step.chunk("copy", {
                reader: ItemReader.fromIterable(numbers),
                writer: ItemWriter.inMemory(out),
                chunkSize: 2
              })
            })
            const reached = yield* Deferred.make<void>()
            const answer = yield* Deferred.make<void>()
            const run = yield* Effect.fork(
              Effect.provideServiceEffect(JobOperator.run(job, {}), Transactor.Transactor, slowly(reached, answer))
            )
            yield* Deferred.await(reached)
            const stopping = yield* Effect.fork(Fiber.interrupt(run))
            // The interruption passes through some fibers before it comes to the one that commits.
            yield* Effect.repeatN(Effect.yieldNow(), 100)
            yield* Deferred.succeed(answer, undefined)
            yield* Fiber.join(stopping)
            const [interrupted] = yield* stepsOf
            assert.deepStrictEqual([interrupted!.status, interrupted!.counts.write, interrupted!.counts.commit], [
              "STOPPED",
              4,
              2
            ])
            yield* JobOperator.runOrFail(job, {})
            assert.deepStrictEqual(out, numbers)
          }))
    )
  }

  const [, postgres] = sqlDrivers
  it.layer(postgres!.layer)(
    "PostgreSQL, with a commit that takes its time",
    (it) => {
      it.effect("committed items are counted, and are not written again", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`create table copied (n int)`
          yield* sql.unsafe(
            "create function dawdle() returns trigger language plpgsql as " +
              "'begin perform pg_sleep(0.4); return null; end'"
          )
          yield* sql`create constraint trigger slow after insert on copied deferrable initially deferred
          for each row when (new.n = 4) execute function dawdle()`
          const job = Job.make("copy", {
            flow: Step.chunk("copy", {
              reader: ItemReader.fromIterable(numbers.map((n) => ({ n }))),
              writer: SqlItemWriter.statement(
                "copied",
                (rows: ReadonlyArray<{ readonly n: number }>, sql) => sql`insert into copied ${sql.insert(rows)}`
              ),
              chunkSize: 2
            })
          })
          const run = yield* Effect.fork(JobOperator.run(job, {}))
          const committing =
            sql`select 1 from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()`
          yield* Effect.repeat(committing, {
            until: (rows) => rows.length > 0
          })
          yield* Fiber.interrupt(run)
          const [interrupted] = yield* stepsOf
          assert.deepStrictEqual([interrupted!.status, interrupted!.counts.write], ["STOPPED", 4])
          yield* JobOperator.runOrFail(job, {})
          const rows = yield* sql<{ readonly n: number }>`select n from copied order by n`
          assert.deepStrictEqual(rows.map(({ n }) => n), numbers)
        }))

      it.effect("a launch that was committed is known: it leaves no row that blocks the next one (EFF-3)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql.unsafe(
            "create function linger() returns trigger language plpgsql as " +
              "'begin perform pg_sleep(0.4); return null; end'"
          )
          yield* sql`create constraint trigger slow after insert on batch_job_execution deferrable initially deferred
          for each row execute function linger()`
          const job = Job.make("launched slowly", { flow: Step.tasklet("work", Effect.void) })
          const run = yield* Effect.fork(JobOperator.run(job, {}))
          const committing =
            sql`select 1 from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()`
          yield* Effect.repeat(committing, { until: (rows) => rows.length > 0 })
          yield* Fiber.interrupt(run)
          const [execution] = yield* JobOperator.executions({ jobName: "launched slowly" })
          assert.strictEqual(execution?.status, "STOPPED")
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
        }))
    }
  )
})
