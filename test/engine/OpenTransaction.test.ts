/**
 * What a job does while a transaction of the engine is open, or could be: launching another job, waiting, being stopped.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import {
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  Listener,
  Step,
  StepScope
} from "../../src/index.js"
import { SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import { drivers, sqlDrivers } from "../support/drivers.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

for (const driver of drivers) {
  describe(`launching a job while a transaction is open (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      const launches = (name: string) => {
        const child = Job.make(`${name} child`, { flow: Step.tasklet("work", Effect.void) })
        const launch = JobOperator.run(child, {})
        return { child, launch, none: Effect.map(JobOperator.executions({ jobName: child.name }), (all) => all.length) }
      }

      it.effect("is refused in a tasklet, a writer, a processor in the transaction and a listener of the commit, before anything is written (OWN-13)", () =>
        Effect.gen(function*() {
          const { launch, none } = launches("inside")
          const chunk = {
            reader: ItemReader.fromIterable([1]),
            writer: ItemWriter.discard as ItemWriter.ItemWriter<number>,
            chunkSize: 1
          }
          const steps = [
            Step.tasklet("tasklet", launch),
            Step.chunk("writer", { ...chunk, writer: ItemWriter.fromFunction((_: ReadonlyArray<number>) => launch) }),
            Step.chunk("listener", chunk).pipe(Step.listen(Listener.step({ beforeCommit: () => launch }))),
            Step.chunk("processor", { ...chunk, processor: (n: number) => Effect.as(launch, n) }).pipe(
              Step.processInTransaction
            )
          ]
          for (const step of steps) {
            const { exitStatus, status } = yield* JobOperator.run(Job.make(`inside ${step.name}`, { flow: step }), {})
            assert.strictEqual(status, "FAILED")
            assert.include(exitStatus.messages.join(), "Step.job")
          }
          assert.strictEqual(yield* none, 0)
        }))

      it.effect("is refused in a fiber that was forked there (OWN-13)", () =>
        Effect.gen(function*() {
          const { launch, none } = launches("forked")
          const parent = Job.make("forked", {
            flow: Step.tasklet("fork", Effect.flatMap(Effect.fork(launch), Fiber.join))
          })
          assert.strictEqual((yield* JobOperator.run(parent, {})).status, "FAILED")
          assert.strictEqual(yield* none, 0)
        }))

      it.effect("works as a step, beside the chunk, and after the transaction (OWN-13)", () =>
        Effect.gen(function*() {
          const { child, launch } = launches("beside")
          const later = yield* Deferred.make<Fiber.Fiber<unknown, unknown>>()
          const go = yield* Deferred.make<void>()
          const parent = Job.make("beside", {
            flow: Step.chunk("chunk", {
              reader: ItemReader.fromIterable([1]),
              writer: ItemWriter.discard,
              chunkSize: 1
            }).pipe(
              Step.listen(Listener.step({ afterChunk: () => launch })),
              Flow.andThen(Step.tasklet(
                "fork",
                Effect.flatMap(
                  Effect.forkDaemon(Effect.zipRight(Deferred.await(go), Effect.exit(launch))),
                  (fiber) => Deferred.succeed(later, fiber)
                )
              ))
            )
          })
          assert.strictEqual((yield* JobOperator.run(parent, {})).status, "COMPLETED")
          assert.lengthOf(yield* JobOperator.executions({ jobName: child.name }), 1)
          yield* Deferred.succeed(go, undefined)
          const exit = yield* Fiber.join(yield* Deferred.await(later))
          assert.include(JSON.stringify(exit), "JobInstanceAlreadyComplete")
        }))

      for (const [name, client] of [["SQLite", Sqlite.layer], ["PostgreSQL", Postgres.layer]] as const) {
        it.effect(`is refused in SqlClient.withTransaction of the user's own on ${name} (OWN-13)`, () =>
          Effect.gen(function*() {
            const { launch, none } = launches(`own ${name}`)
            const sql = yield* SqlClient
            const error = yield* Effect.flip(sql.withTransaction(launch))
            assert.strictEqual(error._tag, "LaunchInTransaction")
            assert.strictEqual(yield* none, 0)
          }).pipe(Effect.provide(client)))
      }
    })
  })

  describe(`an operation inside of a step that fails (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.effect("stays when it has said that it was done (OWN-13)", () =>
        Effect.gen(function*() {
          const fails = Step.tasklet("fail", Effect.fail("no"))
          const other = yield* JobOperator.run(Job.make("operated inside", { flow: fails }), {})
          let answer: string | undefined
          const failed = yield* JobOperator.run(
            Job.make("operates inside", {
              flow: Step.tasklet(
                "operate",
                Effect.either(JobOperator.abandon(other.id)).pipe(
                  Effect.tap(({ _tag }) => Effect.sync(() => answer = _tag)),
                  Effect.zipRight(Effect.fail("no"))
                )
              )
            }),
            {}
          )
          assert.strictEqual(failed.status, "FAILED")
          assert.strictEqual(answer, "Right")
          assert.strictEqual((yield* JobOperator.execution(other.id)).status, "ABANDONED")
        }))

      it.scoped("a request to stop another one stays, too (OWN-13)", () =>
        Effect.gen(function*() {
          const { requestStop } = yield* JobRepository.JobRepository
          const running = yield* JobOperator.start(
            Job.make("to be stopped", { flow: Step.tasklet("wait", Effect.never) }),
            {}
          )
          // As one of another process: the session in this one is not told.
          const asks = Step.tasklet("ask", Effect.zipRight(requestStop(running.execution.id), Effect.fail("no")))
          assert.strictEqual((yield* JobOperator.run(Job.make("asks", { flow: asks }), {})).status, "FAILED")
          // PostgreSQL tells its session at once.
          assert.include(["STOPPING", "STOPPED"], (yield* JobOperator.execution(running.execution.id)).status)
        }))
    })
  })

  describe(`a tasklet that waits (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.scoped("sees a stop of its own process at once (OWN-12)", () =>
        Effect.gen(function*() {
          const polling = yield* Deferred.make<void>()
          const poll: Effect.Effect<void, never, StepScope.StepScope> = Effect.flatMap(
            StepScope.stopRequested,
            (isRequested) =>
              isRequested
                ? Effect.void
                : Effect.zipRight(Deferred.succeed(polling, undefined), Effect.zipRight(Effect.sleep(100), poll))
          )
          const job = Job.make("polls", { flow: Step.tasklet("poll", poll) })
          const running = yield* JobOperator.start(job, {})
          yield* Deferred.await(polling)
          yield* JobOperator.stop(running.execution.id)
          yield* TestClock.adjust(100)
          assert.strictEqual((yield* running.await).status, "STOPPED")
        }))
    })
  })
}

for (const driver of sqlDrivers) {
  describe(`what is asked for behind a statement of a step that fails (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.scoped("stays: a request to stop, and once what is kept for people who look (OWN-13)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient
          yield* sql`create table before_it (id int)`
          const { audit, notices, recordAudit, recordNotice, requestStop } = yield* JobRepository.JobRepository
          for (const nested of [false, true]) {
            const name = `stopped ${nested}`
            const running = yield* JobOperator.start(
              Job.make(name, { flow: Step.tasklet("wait", Effect.never) }),
              {}
            )
            const { id } = running.execution
            const entry = { executionId: id, jobName: name, who: "ann", what: "stop", outcome: "done" }
            const asked = Effect.all([
              requestStop(id),
              recordAudit({ ...entry, createTime: yield* DateTime.now }),
              recordNotice({ subject: name, kind: "stopped" })
            ])
            const within = Effect.all([
              sql`insert into before_it values (1)`,
              nested
                ? Effect.exit(sql.withTransaction(Effect.zipRight(asked, Effect.fail("savepoint"))))
                : Effect.zipRight(asked, Effect.fail("no"))
            ])
            const job = Job.make(`asks ${nested}`, { flow: Step.tasklet("ask", within) })
            assert.strictEqual((yield* JobOperator.run(job, {})).status, nested ? "COMPLETED" : "FAILED")
            assert.include(["STOPPING", "STOPPED"], (yield* JobOperator.execution(id)).status)
            assert.lengthOf(yield* audit({ executionId: id }), 1)
            assert.lengthOf(yield* notices([name]), 1)
          }
          assert.lengthOf(yield* sql`select id from before_it`, 1)
        }))

      it.scoped("stays, or is refused, in a transaction of the user's own (OWN-13)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient
          const { requestStop } = yield* JobRepository.JobRepository
          const running = yield* JobOperator.start(
            Job.make("stopped by hand", { flow: Step.tasklet("wait", Effect.never) }),
            {}
          )
          const { id } = running.execution
          const answer = yield* Effect.exit(sql.withTransaction(
            Effect.flatMap(Effect.either(requestStop(id)), (answer) => Effect.fail(answer))
          ))
          const said = Effect.flip(answer)
          const { _tag } = (yield* said) as Either.Either<unknown, unknown>
          assert.strictEqual(_tag, driver.name === "SQLite" ? "Left" : "Right")
          const { status } = yield* JobOperator.execution(id)
          assert.strictEqual(status === "STOPPING" || status === "STOPPED", _tag === "Right")
        }))
    })
  })

  describe(`a tasklet that waits (${driver.name})`, () => {
    it.layer(driver.layer, { timeout: 300_000 })((it) => {
      it.scoped("for an hour holds no connection (OWN-12)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient
          yield* sql`create table written (id int)`
          const waiting = yield* Deferred.make<void>()
          const wait = Effect.zipRight(Deferred.succeed(waiting, undefined), Effect.sleep("1 hour"))
          const job = Job.make("waits", {
            flow: Step.tasklet("wait", Effect.zipRight(wait, sql`insert into written values (1)`))
          })
          const ownership = yield* JobOperator.Ownership
          // No heartbeat within the hour, which passes at once: no database could answer in time.
          const running = yield* JobOperator.start(job, {}).pipe(
            Effect.provideService(JobOperator.Ownership, { ...ownership, lease: "1 day" })
          )
          yield* Deferred.await(waiting)
          // On SQLite this would wait for the only connection.
          yield* sql`insert into written values (2)`
          if (driver.name === "PostgreSQL") {
            assert.deepStrictEqual(
              yield* sql`select pid from pg_stat_activity where datname = current_database()
                and state like 'idle in transaction%'`,
              []
            )
          }
          yield* TestClock.adjust("1 hour")
          assert.strictEqual((yield* running.await).status, "COMPLETED")
          assert.lengthOf(yield* sql`select id from written`, 2)
        }))

      it.effect("and fails has not undone what an operation on another execution said it had done (OWN-13)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient
          yield* sql`create table operated (id int)`
          const other = yield* JobOperator.run(
            Job.make("operated on", { flow: Step.tasklet("fail", Effect.fail("no")) }),
            {}
          )
          let answer: string | undefined
          const job = Job.make("operates", {
            flow: Step.tasklet(
              "operate",
              sql`insert into operated values (1)`.pipe(
                Effect.zipRight(Effect.either(JobOperator.abandon(other.id))),
                Effect.tap(({ _tag }) => Effect.sync(() => answer = _tag)),
                Effect.zipRight(Effect.fail("no"))
              )
            )
          })
          assert.strictEqual((yield* JobOperator.run(job, {})).status, "FAILED")
          // On SQLite there is no other connection for it.
          assert.strictEqual(answer, driver.name === "SQLite" ? "Left" : "Right")
          const { status } = yield* JobOperator.execution(other.id)
          assert.strictEqual(status, driver.name === "SQLite" ? "FAILED" : "ABANDONED")
        }))

      it.scoped("with the connection in its hands still sees a stop of its own process at once (OWN-12)", () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient
          yield* sql`create table held (id int)`
          const polling = yield* Deferred.make<void>()
          const poll: Effect.Effect<void, never, StepScope.StepScope> = Effect.flatMap(
            StepScope.stopRequested,
            (isRequested) =>
              isRequested
                ? Effect.void
                : Effect.zipRight(Deferred.succeed(polling, undefined), Effect.zipRight(Effect.sleep(100), poll))
          )
          const job = Job.make("holds", {
            flow: Step.tasklet("hold", Effect.zipRight(sql`insert into held values (1)`, poll))
          })
          const running = yield* JobOperator.start(job, {})
          yield* Deferred.await(polling)
          const stop = yield* Effect.fork(JobOperator.stop(running.execution.id))
          yield* Effect.yieldNow()
          yield* TestClock.adjust(100)
          assert.strictEqual((yield* running.await).status, "STOPPED")
          yield* Fiber.join(stop)
          assert.lengthOf(yield* sql`select id from held`, 1)
        }))
    })
  })
}

describe("a tasklet that writes and then waits (PostgreSQL)", () => {
  it.scopedLive("for longer than its idle timeout is told so (OWN-12)", () =>
    Effect.gen(function*() {
      const url = yield* Postgres.freshUrl
      const repository = Layer.provideMerge(
        SqlJobRepository.layerWith({ idleTimeout: "1 second" }),
        Postgres.layerUrl(url)
      )
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient
        yield* sql`create table idle (id int)`
        const job = Job.make("idles", {
          flow: Step.tasklet("idle", Effect.zipRight(sql`insert into idle values (1)`, Effect.sleep("2500 millis")))
        })
        const { exitStatus, status } = yield* JobOperator.run(job, {})
        assert.strictEqual(status, "FAILED")
        assert.include(exitStatus.messages.join(), "its idleTimeout of 1s")
        assert.lengthOf(yield* sql`select id from idle`, 0)
      }).pipe(Effect.provide(repository))
    }))
})

describe("a database whose default is serializable (PostgreSQL)", () => {
  it.scoped(
    "of a hundred jobs that have nothing to do with each other, twenty at a time, all complete (OWN-14)",
    () =>
      Effect.gen(function*() {
        const url = yield* Postgres.freshUrl
        const name = new URL(url).pathname.slice(1)
        const alter = Effect.flatMap(
          SqlClient,
          (sql) => sql`alter database ${sql(name)} set default_transaction_isolation = 'serializable'`
        )
        yield* Effect.provide(alter, Postgres.layerUrl(url))
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient
          yield* sql`create table done (job int primary key)`
          const plain = Step.tasklet("nothing", Effect.void)
          const asked = Step.tasklet("asked", Effect.void).pipe(Step.withTransaction({ isolation: "serializable" }))
          const statuses = yield* Effect.forEach(
            Array.from({ length: 100 }, (_, index) => index),
            (index) => {
              const load = Step.chunk("load", {
                reader: ItemReader.fromIterable([{ job: index }]),
                writer: SqlItemWriter.insertInto<{ readonly job: number }>("done"),
                chunkSize: 10
              })
              const flow = [load, plain, asked][index % 3]!
              return JobOperator.run(Job.make(`small ${index}`, { flow }), {})
            },
            { concurrency: 20 }
          )
          assert.deepStrictEqual([...new Set(statuses.map(({ status }) => status))], ["COMPLETED"])
          assert.lengthOf(yield* sql`select job from done`, 34)
        }).pipe(Effect.provide(Layer.provideMerge(SqlJobRepository.layer, Postgres.layerUrl(url))))
      }),
    300_000
  )
})

for (const [name, client] of [["SQLite", Sqlite.layer], ["PostgreSQL", Postgres.layer]] as const) {
  describe(`a table on ${name}, with the repository in memory`, () => {
    it.effect("keeps nothing of a chunk that has a bad row, and the counts are those of the table (OWN-11)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient
        yield* sql`create table small (id integer primary key check (id <> 9), other integer)`
        const items = Array.from({ length: 10 }, (_, index) => ({ id: index + 1, other: 1 }))
        const writers = {
          insert: SqlItemWriter.insertInto<typeof items[number]>("small"),
          statement: SqlItemWriter.statement(
            "one by one",
            (rows: ReadonlyArray<typeof items[number]>, sql) =>
              Effect.forEach(rows, (item) => sql`insert into small ${sql.insert(item)}`, { discard: true })
          )
        }
        for (const [title, writer] of Object.entries(writers)) {
          yield* sql`delete from small`
          const load = Step.chunk("load", {
            reader: ItemReader.fromIterable(items),
            writer: writer as typeof writers.insert,
            chunkSize: 10
          }).pipe(Step.skip("SqlDataError", { limit: 1 }))
          const execution = yield* JobOperator.run(Job.make(`${title} ${name}`, { flow: load }), {})
          const [step] = yield* JobOperator.steps(execution.id)
          assert.deepStrictEqual(
            [execution.status, step!.counts.write, step!.counts.writeSkip],
            ["COMPLETED", 9, 1],
            title
          )
          assert.lengthOf(yield* sql`select id from small`, 9)
        }
      }).pipe(Effect.provide(Layer.merge(JobRepository.layerMemory, client))))
  })
}
