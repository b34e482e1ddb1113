import * as PgClient from "@effect/sql-pg/PgClient"
import { SqlClient } from "@effect/sql/SqlClient"
import * as Statement from "@effect/sql/Statement"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Pg from "pg"
import { JobRepository } from "../../src/ports/JobRepository.js"
import { Transactor } from "../../src/ports/Transactor.js"
import * as Contention from "../../src/sql/contention.js"
import * as SqlJobRepository from "../../src/sql/SqlJobRepository.js"
import * as Kit from "../../src/testing/jobRepository/kit.js"
import * as JobRepositorySuite from "../../src/testing/JobRepositorySuite.js"
import { JobRepositoryError, TransactionError } from "../../src/vocabulary/BatchError.js"
import * as ExitStatus from "../../src/vocabulary/ExitStatus.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

JobRepositorySuite.suite("PostgreSQL", Layer.provide(SqlJobRepository.layer, Postgres.layer))

JobRepositorySuite.suite("SQLite", Layer.provide(SqlJobRepository.layer, Sqlite.layer), {
  separateTransactions: false
})

const withRepository = <A, E>(client: Layer.Layer<A | SqlClient, E>, options: SqlJobRepository.Options = {}) =>
  Layer.provideMerge(SqlJobRepository.layerWith(options), client)

const postgres = { fresh: Postgres.freshUrl, client: (url: string) => Postgres.layerUrl(url) }
const sqlite = { fresh: Sqlite.freshFile, client: Sqlite.layerFile }

const countingStatements = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    let count = 0
    yield* Statement.withTransformer(effect, (statement) =>
      Effect.sync(() => {
        count++
        return statement
      }))
    return count
  })

for (const [name, { client, fresh }] of Object.entries({ postgres, sqlite })) {
  describe(`SqlJobRepository: ${name}`, () => {
    it.scoped("of ten launches from three processes' pools one wins (LAUNCH-8)", () =>
      Effect.gen(function*() {
        const database = yield* fresh
        const pools = yield* Effect.all(
          Array.from({ length: 3 }, () => Layer.build(withRepository(client(database)))),
          { concurrency: "unbounded" }
        )
        for (let round = 0; round < 5; round++) {
          const results = yield* Effect.all(
            Array.from(
              { length: 10 },
              (_, index) => Effect.either(Effect.provide(Kit.launch(`job ${round}`), pools[index % 3]!))
            ),
            { concurrency: "unbounded" }
          )
          const losers = results.filter(Either.isLeft).map(({ left }) => left._tag)
          assert.deepStrictEqual(losers, Array(9).fill("JobExecutionAlreadyRunning"))
        }
      }))

    it.scoped("exit messages are cut to 2500 characters and lose what a database cannot store (REPO-5)", () =>
      Effect.gen(function*() {
        const repository = yield* JobRepository
        const execution = yield* Kit.launchFresh()
        const exitStatus = ExitStatus.make("FAILED", `a\0b${"x".repeat(5000)}`)
        yield* repository.updateJobExecution({ ...execution, status: "FAILED", exitStatus })
        const [message] = (yield* repository.jobExecution(execution.id)).exitStatus.messages
        assert.strictEqual(message, `a\uFFFDb${"x".repeat(2497)}`)
      }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(fresh, (database) => withRepository(client(database)))))))

    it.scoped("an execution that is over has no lease, even when a last heartbeat comes late", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient
        const repository = yield* JobRepository
        const execution = yield* Kit.launchFresh()
        const leases = sql`select count(lease_until) as n from batch_job_execution`.pipe(
          Effect.map(([row]) => Number(row?.n))
        )
        assert.strictEqual(yield* leases, 1)
        yield* Kit.setStatus(execution, "FAILED")
        assert.strictEqual(yield* leases, 0)
        assert.strictEqual(yield* repository.renewLease(execution, 60_000), "FAILED")
        assert.strictEqual(yield* leases, 0)
      }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(fresh, (database) => withRepository(client(database)))))))

    it.scoped("a step leaves the lease alone until a quarter of it is gone: others write the same row (REPO-20)", () =>
      Effect.gen(function*() {
        const repository = yield* JobRepository
        const execution = yield* Kit.launchFresh({ leaseMillis: 100_000 })
        const step = yield* Kit.createStep(execution, "load")
        yield* repository.renewLease(execution, 80_000)
        yield* repository.updateStepExecution(execution, step)
        assert.isAtMost(yield* Kit.leaseLeftMillis(execution), 80_000)
        yield* repository.renewLease(execution, 70_000)
        yield* repository.updateStepExecution(execution, step)
        assert.isAbove(yield* Kit.leaseLeftMillis(execution), 90_000)
      }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(fresh, (database) => withRepository(client(database)))))))

    it.scoped("the database itself refuses a second running execution of an instance (JOB-6)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient
        const first = yield* Kit.launchFresh()
        yield* sql`update batch_job_execution set status = 'FAILED'`
        const { id: second } = yield* Effect.map(
          sql<
            { readonly id: number }
          >`insert into batch_job_execution (job_instance_id, status, exit_code, exit_message,
            create_time, last_updated, context, epoch, lease_millis)
            select job_instance_id, 'STARTED', '', '', create_time, create_time, '{}', 1, 1 from batch_job_execution
            returning id`,
          (rows) => rows[0]!
        )
        const error = yield* Effect.flip(Kit.setStatus(first, "STARTED"))
        assert.deepStrictEqual([error._tag, error._tag === "JobRepositoryError" && error.reason], [
          "JobRepositoryError",
          "conflict"
        ])
        assert.isAbove(Number(second), first.id)
      }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(fresh, (database) => withRepository(client(database)))))))

    it.scoped("a fiber that outlives the transaction it was forked in does not write into another one", () =>
      Effect.gen(function*() {
        const repository = yield* JobRepository
        const { transact } = yield* Transactor
        const execution = yield* Kit.launchFresh()
        const step = yield* Kit.createStep(execution, "load")
        const go = yield* Deferred.make<void>()
        const late = yield* transact(
          Effect.forkDaemon(Effect.zipRight(
            Deferred.await(go),
            repository.addSkippedItems(step, [
              yield* Kit.skipped(step, "late")
            ])
          ))
        )
        const other = transact(Effect.gen(function*() {
          yield* repository.addSkippedItems(step, [yield* Kit.skipped(step, "rolled back")])
          yield* Deferred.succeed(go, undefined)
          yield* Effect.yieldNow()
          return yield* Effect.fail("no")
        }))
        yield* Effect.exit(other)
        yield* Fiber.join(late)
        assert.deepStrictEqual(yield* Kit.messages(execution.id), ["late"])
      }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(fresh, (database) => withRepository(client(database)))))))

    it.scoped("inside a transaction of another database the repository stays in its own", () =>
      Effect.gen(function*() {
        const repository = yield* JobRepository
        const execution = yield* Kit.launchFresh()
        const step = yield* Kit.createStep(execution, "load")
        const foreign = yield* Effect.provide(SqlClient, yield* Layer.build(client(yield* fresh)))
        const jobName = yield* Kit.freshName
        yield* Effect.exit(foreign.withTransaction(Effect.gen(function*() {
          yield* repository.addSkippedItems(step, [yield* Kit.skipped(step, "kept")])
          yield* repository.updateStepExecution(execution, { ...step, checkpoint: Option.some(1) })
          yield* Kit.launch(jobName)
          assert.lengthOf(yield* repository.stepExecutions(execution.id), 1)
          return yield* Effect.fail("no")
        })))
        assert.deepStrictEqual(yield* Kit.messages(execution.id), ["kept"])
        assert.lengthOf(yield* repository.jobExecutions({ jobName }), 1)
      }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(fresh, (database) => withRepository(client(database)))))))
  })
}

describe("SqlJobRepository: contention", () => {
  const attempts = (cause: unknown, times: number) => {
    let count = 0
    const effect = Effect.suspend(() =>
      ++count <= times
        ? Effect.fail(new JobRepositoryError({ operation: "launch", reason: "transient", detail: "", cause }))
        : Effect.succeed(count)
    )
    return Effect.map(Effect.either(Contention.retry(effect)), (result) => [Either.isRight(result), count])
  }

  it.effect("a transaction that lost against another one begins again, others do not (LAUNCH-8)", () =>
    Effect.gen(function*() {
      for (const code of ["40001", "40P01", "55P03", "SQLITE_BUSY"]) {
        assert.deepStrictEqual(yield* attempts({ code }, 2), [true, 3])
      }
      assert.deepStrictEqual(yield* attempts({ code: "40001" }, 100), [false, 6])
      for (const code of ["23505", "ECONNRESET", "42P01"]) {
        assert.deepStrictEqual(yield* attempts({ code }, 1), [false, 1])
      }
      const error = new TransactionError({ phase: "begin", reason: "transient", cause: { code: "SQLITE_BUSY" } })
      assert.strictEqual(yield* Effect.flip(Contention.retry(Effect.fail(error))), error)
    }))
})

describe("SqlJobRepository: postgres", () => {
  const layer = withRepository(Postgres.layer)

  it.effect("a chunk costs one statement of bookkeeping (REPO-20)", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository
      const execution = yield* Kit.launchFresh()
      const step = yield* Kit.createStep(execution, "load")
      yield* Kit.expireLease(execution)
      assert.strictEqual(yield* countingStatements(repository.updateStepExecution(execution, step)), 1)
    }).pipe(Effect.provide(layer)))

  it.effect("launches, heartbeats and stop requests are kept when the transaction rolls back (LAUNCH-9, STOP-2)", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository
      const { transact } = yield* Transactor
      const execution = yield* Kit.launchFresh()
      const step = yield* Kit.createStep(execution, "load")
      const jobName = yield* Kit.freshName
      yield* Effect.exit(transact(Effect.gen(function*() {
        yield* repository.addSkippedItems(step, [yield* Kit.skipped(step, "rolled back")])
        yield* Kit.launch(jobName)
        yield* repository.renewLease(execution, 60_000)
        yield* repository.requestStop(execution.id)
        return yield* Effect.fail("no")
      })))
      assert.lengthOf(yield* repository.jobExecutions({ jobName }), 1)
      assert.strictEqual((yield* repository.jobExecution(execution.id)).status, "STOPPING")
      assert.deepStrictEqual(yield* Kit.messages(execution.id), [])
    }).pipe(Effect.provide(layer)))

  it.effect("steps that run in parallel do not wait for each other's chunks", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository
      const { transact } = yield* Transactor
      const execution = yield* Kit.launchFresh()
      const [one, two] = yield* Effect.all([Kit.createStep(execution, "one"), Kit.createStep(execution, "two")])
      yield* Kit.expireLease(execution)
      const second = transact(repository.updateStepExecution(execution, two), { propagation: "requiresNew" })
      const status = yield* transact(Effect.zipRight(repository.updateStepExecution(execution, one), second))
      assert.strictEqual(status, "STARTING")
      const error = yield* Effect.flip(Kit.launch(execution.instance.jobName))
      assert.strictEqual(error._tag, "JobExecutionAlreadyRunning")
    }).pipe(Effect.provide(layer)))

  it.effect("a process frozen between its last statement and the commit does not keep its execution", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository
      const { transact } = yield* Transactor
      const dead = yield* Kit.launchFresh()
      const step = yield* Kit.createStep(dead, "load")
      yield* Kit.expireLease(dead)
      const frozen = yield* Deferred.make<void>()
      const zombie = yield* Effect.fork(transact(
        repository.updateStepExecution(dead, { ...step, checkpoint: Option.some("never committed") }).pipe(
          Effect.zipRight(Deferred.succeed(frozen, undefined)),
          Effect.zipRight(Effect.never)
        )
      ))
      yield* Deferred.await(frozen)
      const live = yield* Kit.launch(dead.instance.jobName)
      assert.deepStrictEqual(live.restartOf, Option.some(dead.id))
      assert.deepStrictEqual((yield* Kit.storedStep(step))?.checkpoint, Option.none())
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(zombie)))
    }).pipe(Effect.provide(withRepository(Postgres.layer, { idleTimeout: "1 second" }))))

  it.scoped("a stop request wakes its listeners (STOP-2)", () =>
    Effect.gen(function*() {
      const url = yield* Postgres.freshUrl
      const listener = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const client = new Pg.Client({ connectionString: url })
          await client.connect()
          await client.query(`listen "batch_stop"`)
          return client
        }),
        (client) => Effect.promise(() => client.end())
      )
      const heard = yield* Deferred.make<string | undefined>()
      listener.on("notification", ({ payload }) => Deferred.unsafeDone(heard, Effect.succeed(payload)))
      const execution = yield* Effect.flatMap(JobRepository, (repository) =>
        Effect.tap(Kit.launchFresh(), ({ id }) => repository.requestStop(id))).pipe(
          Effect.provide(withRepository(Postgres.layerUrl(url)))
        )
      assert.strictEqual(yield* Deferred.await(heard), String(execution.id))
    }))

  it.scoped("serializable as the default of the database changes nothing", () =>
    Effect.gen(function*() {
      const url = yield* Postgres.freshUrl
      const name = new URL(url).pathname.slice(1)
      yield* Effect.provide(
        Effect.flatMap(
          SqlClient,
          (sql) => sql`alter database ${sql(name)} set default_transaction_isolation = 'serializable'`
        ),
        Postgres.layerUrl(url)
      )
      yield* Effect.gen(function*() {
        const jobName = yield* Kit.freshName
        const results = yield* Effect.all(
          Array.from({ length: 10 }, () => Effect.flip(Kit.launch(jobName))).map(Effect.either),
          { concurrency: "unbounded" }
        )
        const losers = results.filter(Either.isRight).map(({ right }) => right._tag)
        assert.deepStrictEqual(losers, Array(9).fill("JobExecutionAlreadyRunning"))
      }).pipe(Effect.provide(withRepository(Postgres.layerUrl(url))))
    }))

  it.scoped("name transformations and type parsers of the user's client change nothing", () =>
    Effect.gen(function*() {
      const url = yield* Postgres.freshUrl
      const strange = new Set([20, 114, 1114, 1184, 1700, 3802])
      const client = PgClient.layer({
        url: Redacted.make(url),
        transformQueryNames: (name) => name.toUpperCase(),
        transformResultNames: (name) => name.toLowerCase(),
        types: {
          getTypeParser: ((oid: number, format: "text") =>
            strange.has(oid)
              ? () => Symbol("parsed")
              : Pg.types.getTypeParser(oid, format)) as never
        }
      })
      yield* Effect.gen(function*() {
        const repository = yield* JobRepository
        const execution = yield* Kit.launchFresh({ parameters: [Kit.parameter("someName", { someKey: 1 })] })
        const step = yield* Kit.createStep(execution, "load", { checkpoint: { someKey: 1 } })
        assert.deepStrictEqual(yield* repository.jobExecution(execution.id), Kit.asRead(execution))
        assert.deepStrictEqual(yield* repository.stepExecutions(execution.id), [step])
      }).pipe(Effect.provide(withRepository(client)))
    }))

  it.effect("a database that is gone is a typed error that says what to look at", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const server = yield* Scope.extend(Postgres.dedicated({ fsync: false }), scope)
      yield* Effect.gen(function*() {
        const repository = yield* JobRepository
        const { transact } = yield* Transactor
        const execution = yield* Kit.launchFresh()
        yield* Scope.close(scope, Exit.void)
        const error = yield* Effect.flip(repository.jobNames)
        assert.deepStrictEqual([error._tag, error.reason, error.operation], [
          "JobRepositoryError",
          "transient",
          "findJobNames"
        ])
        assert.include(error.message, "cannot be reached")
        const failed = yield* Effect.all([
          Effect.flip(Kit.launch(execution.instance.jobName)),
          Effect.flip(repository.deleteJobExecutions([execution.id]))
        ])
        assert.deepStrictEqual(
          failed.map((error) => error._tag === "JobRepositoryError" ? [error.reason, error.operation] : error._tag),
          [["transient", "launch"], ["transient", "deleteJobExecutions"]]
        )
        const sql = yield* SqlClient
        const begun = yield* Effect.flip(transact(sql`select 1`))
        assert.instanceOf(begun, TransactionError)
        assert.deepStrictEqual([begun.phase, begun.reason], ["begin", "transient"])
      }).pipe(Effect.provide(withRepository(Postgres.layerUrl(server.info.url))))
    }), 300_000)

  it.effect("a table that is missing is a typed error that says how to get it", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient
      const repository = yield* JobRepository
      yield* sql`drop table batch_skipped_item`
      const error = yield* Effect.flip(repository.skippedItems(1))
      assert.deepStrictEqual([error.reason, error.operation], ["fatal", "findSkippedItems"])
      assert.include(error.message, "Migrations.statements")
    }).pipe(Effect.provide(layer)))
})

describe("SqlJobRepository: sqlite", () => {
  it.effect("every commit is synchronised to the disk", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient
      assert.deepStrictEqual(yield* sql`pragma synchronous`, [{ synchronous: 2 }])
      assert.deepStrictEqual(yield* sql`pragma busy_timeout`, [{ timeout: 1234 }])
      yield* Kit.launchFresh()
      assert.deepStrictEqual(yield* sql`pragma busy_timeout`.unprepared, [{ timeout: 1234 }])
    }).pipe(Effect.provide(withRepository(Sqlite.layer, { busyTimeout: 1234 }))))

  it.effect("inside of SqlClient.withTransaction the repository uses the only connection", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient
      const repository = yield* JobRepository
      const execution = yield* Kit.launchFresh()
      const jobName = yield* Kit.freshName
      yield* Effect.exit(sql.withTransaction(Effect.gen(function*() {
        yield* repository.requestStop(execution.id)
        yield* repository.renewLease(execution, 60_000)
        yield* Kit.launch(jobName)
        return yield* Effect.fail("no")
      })))
      assert.strictEqual((yield* repository.jobExecution(execution.id)).status, "STARTING")
      assert.lengthOf(yield* repository.jobExecutions({ jobName }), 0)
    }).pipe(Effect.provide(withRepository(Sqlite.layer))))

  it.scoped("an operation that cannot begin because another process is writing is named in the error", () =>
    Effect.gen(function*() {
      const file = yield* Sqlite.freshFile
      yield* Effect.gen(function*() {
        const repository = yield* JobRepository
        const { id } = yield* Kit.launchFresh()
        const end = { status: "ABANDONED", exitCode: "FAILED", message: "" } as const
        const other = yield* Effect.map(Layer.build(Sqlite.layerFile(file)), Context.get(SqlClient))
        const errors = yield* other.withTransaction(Effect.zipRight(
          other`update batch_job_instance set id = id`,
          Effect.all([
            Effect.flip(Kit.launchFresh()),
            Effect.flip(repository.close(id, end)),
            Effect.flip(repository.deleteJobExecutions([id])),
            Effect.flip(repository.requestStop(id))
          ])
        ))
        assert.deepStrictEqual(
          errors.map((error) => error._tag === "JobRepositoryError" ? [error.reason, error.operation] : error._tag),
          ["launch", "close", "deleteJobExecutions", "requestStop"].map((operation) => ["transient", operation])
        )
      }).pipe(Effect.provide(withRepository(Sqlite.layerFile(file), { busyTimeout: 1 })))
    }))
})
