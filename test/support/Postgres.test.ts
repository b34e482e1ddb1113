import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { existsSync } from "node:fs"
import * as Postgres from "./Postgres.js"
import { startServer } from "./postgresProcess.js"
import * as Sqlite from "./Sqlite.js"

const databaseName = Effect.flatMap(
  SqlClient,
  (sql) => sql<{ readonly name: string }>`select current_database() as name`
)
  .pipe(Effect.map((rows) => rows[0]?.name))

const isRunning = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe("test support: PostgreSQL", () => {
  it.effect("every use of the layer has a database of its own, dropped afterwards", () =>
    Effect.gen(function*() {
      const first = yield* Effect.provide(databaseName, Postgres.layer)
      const second = yield* Effect.provide(databaseName, Postgres.layer)
      assert.match(first ?? "", /^batch_[0-9a-f]{16}$/)
      assert.notStrictEqual(first, second)
      const left = yield* Effect.provide(
        Effect.flatMap(SqlClient, (sql) => sql`select datname from pg_database where datname in (${first}, ${second})`),
        Postgres.layer
      )
      assert.deepStrictEqual(left, [])
    }))

  it.scoped("a child process can be given a fresh database by its URL", () =>
    Effect.gen(function*() {
      const url = yield* Postgres.freshUrl
      const name = yield* Effect.provide(databaseName, Postgres.layerUrl(url))
      assert.strictEqual(`/${name}`, new URL(url).pathname)
    }))

  it.scoped("a dedicated server keeps committed rows through a crash", () =>
    Effect.gen(function*() {
      const server = yield* Postgres.dedicated()
      const client = Postgres.layerUrl(server.info.url)
      const setting = yield* Effect.flatMap(SqlClient, (sql) =>
        Effect.zipRight(
          sql`create table kept as select 42 as answer`,
          sql`select current_setting('fsync') as fsync, current_setting('max_connections')::int as connections`
        )).pipe(Effect.provide(client))
      assert.deepStrictEqual(setting, [{ fsync: "on", connections: 400 }])
      yield* server.crash
      const rows = yield* Effect.provide(Effect.flatMap(SqlClient, (sql) => sql`select answer from kept`), client)
      assert.deepStrictEqual(rows, [{ answer: 42 }])
    }))

  it("a stopped server leaves neither its process nor its files behind", async () => {
    const server = await startServer({ fsync: false })
    assert.isTrue(isRunning(server.info.pid))
    assert.isTrue(existsSync(server.info.directory))
    await server.stop()
    assert.isFalse(isRunning(server.info.pid))
    assert.isFalse(existsSync(server.info.directory))
  })
})

describe("test support: SQLite", () => {
  it.effect("every use of the layer has a file of its own, in WAL mode, removed afterwards", () =>
    Effect.gen(function*() {
      const describeFile = Effect.flatMap(SqlClient, (sql) =>
        Effect.zip(
          sql<{ readonly journal_mode: string }>`pragma journal_mode`,
          sql<{ readonly file: string }>`select file from pragma_database_list`
        ))
      const [[mode], [first]] = yield* Effect.provide(describeFile, Sqlite.layer)
      const [, [second]] = yield* Effect.provide(describeFile, Sqlite.layer)
      assert.deepStrictEqual(mode, { journal_mode: "wal" })
      assert.notStrictEqual(first?.file, second?.file)
      assert.isFalse(existsSync(first?.file ?? ""))
    }))
})
