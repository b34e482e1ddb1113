import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Partition from "../../src/decisions/partition.js"
import { JobRepository } from "../../src/ports/JobRepository.js"
import * as Migrations from "../../src/sql/Migrations.js"
import { migrations } from "../../src/sql/schema.js"
import * as SqlJobRepository from "../../src/sql/SqlJobRepository.js"
import { request } from "../../src/testing/jobRepository/kit.js"
import type { JobRepositoryError } from "../../src/vocabulary/BatchError.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

const postgres = { dialect: "pg", fresh: Postgres.freshUrl, client: Postgres.layerUrl } as const
const sqlite = { dialect: "sqlite", fresh: Sqlite.freshFile, client: Sqlite.layerFile } as const

const names = migrations.map(({ name }) => name)

const launchOnce = Effect.flatMap(JobRepository, (repository) => repository.launch(request("migrated")))

const execute = (statements: ReadonlyArray<string>) =>
  Effect.flatMap(
    SqlClient,
    (sql) => Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
  )

const tableNames = Effect.flatMap(SqlClient, (sql) =>
  sql.onDialectOrElse({
    pg: () => sql<{ readonly name: string }>`select tablename as name from pg_tables where schemaname = 'public'`,
    orElse: () =>
      sql<{ readonly name: string }>`select name from sqlite_master where type = 'table' and name not like 'sqlite_%'`
  })).pipe(Effect.map((rows) => rows.map(({ name }) => name).sort()))

const buildFails = (options: SqlJobRepository.Options): Effect.Effect<JobRepositoryError, unknown, SqlClient> =>
  Effect.flip(Effect.asVoid(Effect.scoped(Layer.build(SqlJobRepository.layerWith(options)))))

for (const { client, dialect, fresh } of [postgres, sqlite]) {
  describe(`Migrations: ${dialect}`, () => {
    it.scoped("six first boots at once on an empty database all succeed, five times", () =>
      Effect.gen(function*() {
        for (let round = 0; round < 5; round++) {
          const database = yield* fresh
          const applied = yield* Effect.all(
            Array.from({ length: 6 }, () => Effect.provide(Migrations.run(), client(database))),
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(applied.flat(), names)
        }
      }))

    it.scoped("a second run changes nothing", () =>
      Effect.gen(function*() {
        yield* Migrations.run()
        const before = yield* Effect.flatMap(SqlClient, (sql) => sql`select * from batch_migrations`)
        assert.deepStrictEqual(yield* Migrations.run(), [])
        assert.deepStrictEqual(yield* Effect.flatMap(SqlClient, (sql) => sql`select * from batch_migrations`), before)
        assert.lengthOf(before, names.length)
      }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(fresh, (database) => client(database))))))

    it.scoped("tables made by hand from the statements serve a layer that does not migrate", () =>
      Effect.gen(function*() {
        const client_ = client(yield* fresh)
        yield* Effect.provide(execute(Migrations.statements(dialect, "by_hand_")), client_)
        const repository = SqlJobRepository.layerWith({ prefix: "by_hand_", migrate: false })
        const execution = yield* Effect.provide(launchOnce, Layer.provide(repository, client_))
        assert.strictEqual(execution.status, "STARTING")
      }))

    it.scoped("tables of version 0.1 get their column, and what ran there can be taken over (OWN-16)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient
        const all = Migrations.statements(dialect)
        yield* execute(all.slice(0, all.findIndex((text) => text.includes("column token"))))
        const now = dialect === "pg" ? "clock_timestamp()" : "0"
        yield* execute([
          `insert into batch_job_instance (job_name, job_key, create_time) values ('old', 'key', ${now})`,
          `insert into batch_job_execution (job_instance_id, status, exit_code, exit_message, create_time, last_updated,
            context, epoch, lease_millis) select id, 'STARTED', '', '', ${now}, ${now}, '{}', 1, 1000 from batch_job_instance`
        ])
        assert.deepStrictEqual(yield* Migrations.run(), names.slice(names.indexOf("add_token")))
        assert.deepStrictEqual(yield* sql`select token from batch_job_execution`, [{ token: "" }])
      }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(fresh, (database) => client(database))))))

    it.scoped("a row that an insert without an answer has left in the place of another one stands in no restart's way (OWN-21)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient
        const all = Migrations.statements(dialect)
        const last = all.findIndex((text) => text.includes("set round = round"))
        yield* execute(all.slice(0, last))
        const now = dialect === "pg" ? "clock_timestamp()" : "0"
        yield* execute([
          `insert into batch_job_instance (job_name, job_key, create_time) values ('old', 'key', ${now})`,
          `insert into batch_job_execution (job_instance_id, status, exit_code, exit_message, create_time, last_updated,
            context, epoch, lease_millis) select id, 'STARTED', '', '', ${now}, ${now}, '{}', 1, 1000 from batch_job_instance`,
          ...[0, 2, 0].map((commits) =>
            `insert into batch_step_execution (job_execution_id, step_name, place, round, status, exit_code, exit_message,
              create_time, last_updated, context, epoch, commit_count)
            select id, 'load', 'load', '1', 'STARTED', '', '', ${now}, ${now}, '{}', 1, ${commits}
            from batch_job_execution`
          )
        ])
        assert.deepStrictEqual(yield* Migrations.run(), names.slice(names.indexOf("visit_places_once")))
        const rows = yield* sql<{ round: string; commit_count: unknown }>`
          select round, commit_count from batch_step_execution order by id`
        assert.deepStrictEqual(
          rows.map(({ commit_count, round }) => `${round} ${commit_count}`),
          ["1#1 0", "1 2", "1#3 0"]
        )
      }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(fresh, (database) => client(database))))))

    it.scoped("tables of version 7 get an index of what has not completed, and what they hold is listed by it (PART-5)", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient
        const all = Migrations.statements(dialect)
        yield* execute(all.slice(0, all.findIndex((text) => text.includes("job_execution_unsettled"))))
        const now = dialect === "pg" ? "clock_timestamp()" : "0"
        const insert = (id: number, status: string, parent: string) =>
          `insert into batch_job_execution (job_instance_id, status, exit_code, exit_message, create_time, last_updated,
            context, epoch, lease_millis, parent_execution_id, parent_instance_id) values (${id}, '${status}', '', '', ${now}, ${now}, '{}', 1, 1000, ${parent})`
        yield* execute([
          ...["job", "job/load", "job/load"].map((name, at) =>
            `insert into batch_job_instance (job_name, job_key, create_time) values ('${name}', 'key ${at}', ${now})`
          ),
          insert(1, "STARTED", "null, null"),
          insert(2, "COMPLETED", "1, 1"),
          insert(3, "FAILED", "1, 1"),
          `insert into batch_partition_plan (id, job_instance_id, job_execution_id, step_execution_id, step_name,
            fingerprint, size, is_open) values (7, 1, 1, 7, 'load', 'code', 2, true)`,
          ...[2, 3].map((id) =>
            `insert into batch_partition (plan_id, ordinal, name, input, job_instance_id) values (7, ${id}, 'p${id}', '1', ${id})`
          )
        ])
        assert.deepStrictEqual(yield* Migrations.run(), names.slice(names.indexOf("index_unsettled")))
        const catalog = dialect === "pg"
          ? sql`select indexname as name from pg_indexes`
          : sql`select name from sqlite_master`
        const indexes = (yield* catalog).map((row) => row.name)
        assert.include(indexes, "batch_job_execution_unsettled")
        yield* Effect.gen(function*() {
          const { partitions } = yield* JobRepository
          const put = yield* partitions.putUp(7, { isOwnerGone: () => false })
          // It failed in the run that still goes on.
          assert.strictEqual(put, 0)
          assert.deepStrictEqual(yield* partitions.tally(7, { isOwnerGone: () => false }), {
            ...Partition.emptyTally,
            completed: 1,
            failed: 1
          })
        }).pipe(Effect.provide(SqlJobRepository.layer))
      }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(fresh, (database) => client(database))))))

    it.scoped("a layer that does not migrate says that the tables are missing", () =>
      Effect.gen(function*() {
        const error = yield* buildFails({ migrate: false })
        assert.deepStrictEqual([error._tag, error.reason], ["JobRepositoryError", "fatal"])
        assert.include(error.message, "Migrations.statements")
        assert.deepStrictEqual(yield* tableNames, [])
      }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(fresh, (database) => client(database))))))

    it.scoped("tables that are newer than the library are refused", () =>
      Effect.gen(function*() {
        yield* Migrations.run()
        yield* Effect.flatMap(
          SqlClient,
          (sql) => sql`update batch_migrations set id = id + 1000`
        )
        for (const migrate of [true, false]) {
          const error = yield* buildFails({ migrate })
          assert.strictEqual(error.reason, "fatal")
          assert.include(error.message, "upgrade effect-batch")
        }
      }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(fresh, (database) => client(database))))))

    it.scoped("a migration that fails is a typed error and leaves nothing behind", () =>
      Effect.gen(function*() {
        yield* Effect.flatMap(SqlClient, (sql) => sql`create table batch_step_execution (mine integer)`)
        const error = yield* Effect.flip(Migrations.run())
        assert.deepStrictEqual([error.operation, error.reason], ["migrate", "fatal"])
        assert.deepStrictEqual(yield* tableNames, ["batch_step_execution"])
      }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(fresh, (database) => client(database))))))

    it.scoped("a prefix that cannot be part of a name is refused before anything is sent", () =>
      Effect.gen(function*() {
        for (const prefix of [`x"; drop table y; --`, "1st_", "a b", "a.b.c_", "x".repeat(31)]) {
          const error = yield* Effect.flip(Migrations.run({ prefix }))
          assert.include(error.message, JSON.stringify(prefix))
          assert.throws(() => Migrations.statements(dialect, prefix), /cannot be part of a table name/)
        }
      }).pipe(Effect.provide(Layer.unwrapScoped(Effect.map(fresh, (database) => client(database))))))

    it.scoped("two prefixes in one database are two repositories", () =>
      Effect.gen(function*() {
        const database = client(yield* fresh)
        const [one, two] = ["one_", "Two_"].map((prefix) =>
          Layer.provide(SqlJobRepository.layerWith({ prefix }), database)
        )
        yield* Effect.provide(launchOnce, one!)
        yield* Effect.provide(launchOnce, two!)
        const names = yield* Effect.provide(tableNames, database)
        assert.isTrue(names.includes("one_job_execution") && names.includes("Two_job_execution"))
      }))
  })
}

describe("Migrations: pg", () => {
  it.scoped("the prefix may name a schema", () =>
    Effect.gen(function*() {
      yield* Effect.flatMap(SqlClient, (sql) => sql`create schema jobs`)
      const { jobName } = (yield* Effect.provide(launchOnce, SqlJobRepository.layerWith({ prefix: "jobs.batch_" })))
        .instance
      const rows = yield* Effect.flatMap(SqlClient, (sql) => sql`select job_name from jobs.batch_job_instance`)
      assert.deepStrictEqual(rows, [{ job_name: jobName }])
      assert.deepStrictEqual(yield* tableNames, [])
      const error = yield* Effect.flip(Migrations.run({ prefix: "nowhere.batch_" }))
      assert.include(error.message, "create it")
    }).pipe(Effect.provide(Postgres.layer)))

  it.scoped("a user who may not create tables can use existing ones, and is told which are missing", () =>
    Effect.gen(function*() {
      const url = new URL(yield* Postgres.freshUrl)
      const role = `limited_${url.pathname.slice(1)}`
      yield* Effect.acquireRelease(
        Effect.provide(
          Effect.zipRight(Migrations.run(), execute([`create role ${role} login password 'limited'`])),
          Postgres.layerUrl(url.href)
        ),
        () =>
          Effect.orDie(
            Effect.provide(execute([`drop owned by ${role}`, `drop role ${role}`]), Postgres.layerUrl(url.href))
          )
      )
      const limited = new URL(url)
      limited.username = role
      limited.password = "limited"
      const build = Effect.provide(launchOnce, Layer.provide(SqlJobRepository.layer, Postgres.layerUrl(limited.href)))
      const error = yield* Effect.flip(build)
      assert.strictEqual(error._tag, "JobRepositoryError")
      assert.include(error.message, "grant")
      yield* Effect.provide(
        execute([`grant select, insert, update, delete on all tables in schema public to ${role}`]),
        Postgres.layerUrl(url.href)
      )
      assert.strictEqual((yield* build).status, "STARTING")
    }))
})
