/**
 * An interruption that comes while the commit of a chunk is under way: the commit happens, and nobody may forget it.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { NdjsonItemWriter } from "../../src/file/index.js"
import { ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step, Transactor } from "../../src/index.js"
import { SqlItemWriter } from "../../src/sql/index.js"
import { MemoryFiles } from "../file/support.js"
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

/** Any number that nobody else locks. */
const HELD = 4_713

/** A trigger that waits as long as a test has the lock. */
const held = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) =>
    sql`create or replace function held() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock_shared(${sql.literal(String(HELD))}); return null; end $$`
)

/** Interrupts what waits in its commit, and then lets that go on. */
const interruptedInCommit = <A, E, R, E2>(
  run: Effect.Effect<A, E, R>,
  meanwhile: Effect.Effect<unknown, E2> = Effect.void
) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const [holds, goes] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    const holder = yield* Effect.fork(sql.withTransaction(
      sql`select pg_advisory_xact_lock(${sql.literal(String(HELD))})`.pipe(
        Effect.zipRight(Deferred.succeed(holds, undefined)),
        Effect.zipRight(Deferred.await(goes))
      )
    ))
    yield* Deferred.await(holds)
    const running = yield* Effect.fork(run)
    yield* Effect.repeat(
      sql`select 1 from pg_locks where locktype = 'advisory' and objid = ${sql.literal(String(HELD))} and not granted
        and database = (select oid from pg_database where datname = current_database())`,
      { until: (rows) => rows.length > 0 }
    )
    yield* Fiber.interruptFork(running)
    yield* meanwhile
    yield* Deferred.succeed(goes, undefined)
    yield* Fiber.join(holder)
    yield* Fiber.await(running)
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
          yield* held
          yield* sql`create constraint trigger slow after insert on copied deferrable initially deferred
          for each row when (new.n = 4) execute function held()`
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
          yield* interruptedInCommit(JobOperator.run(job, {}))
          const [interrupted] = yield* stepsOf
          assert.deepStrictEqual([interrupted!.status, interrupted!.counts.write], ["STOPPED", 4])
          yield* JobOperator.runOrFail(job, {})
          const rows = yield* sql<{ readonly n: number }>`select n from copied order by n`
          assert.deepStrictEqual(rows.map(({ n }) => n), numbers)
        }))

      it.effect("items in a file are neither lost nor written twice when it is the record of their chunk (EFF-3)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          // As late as a commit that waits for the disk: nobody cancels it any more.
          yield* sql`create or replace function late() returns trigger language plpgsql as
            $$ begin perform pg_advisory_xact_lock_shared(${sql.literal(String(HELD))}); return null;
            exception when query_canceled then
              perform pg_advisory_xact_lock_shared(${sql.literal(String(HELD))}); return null; end $$`
          yield* sql`create trigger slow after update on batch_step_execution
            for each row when (new.write_count = 4 and old.write_count = 2) execute function late()`
          const files = new MemoryFiles()
          const job = Job.make("file", {
            flow: Step.chunk("file", {
              reader: ItemReader.fromIterable(numbers),
              writer: NdjsonItemWriter.make<number>("out"),
              chunkSize: 2
            })
          })
          yield* interruptedInCommit(
            Effect.provide(JobOperator.run(job, {}), files.layer),
            Effect.repeatN(sql`select 1`, 50)
          )
          const [interrupted] = yield* stepsOf
          assert.deepStrictEqual([interrupted!.status, interrupted!.counts.write], ["STOPPED", 4])
          yield* Effect.provide(JobOperator.runOrFail(job, {}), files.layer)
          assert.strictEqual(files.text("out"), numbers.map((n) => `${n}\n`).join(""))
          yield* sql`drop trigger slow on batch_step_execution`
        }))

      it.effect("a launch that was committed is known: it leaves no row that blocks the next one (EFF-3)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* held
          yield* sql`create constraint trigger slow after insert on batch_job_execution deferrable initially deferred
          for each row execute function held()`
          const job = Job.make("launched slowly", { flow: Step.tasklet("work", Effect.void) })
          yield* interruptedInCommit(JobOperator.run(job, {}))
          const [execution] = yield* JobOperator.executions({ jobName: "launched slowly" })
          assert.strictEqual(execution?.status, "STOPPED")
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
        }))
    }
  )
})
