/**
 * What others have to see at once, in whatever transaction it is asked for: requests to stop, and heartbeats.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { JobRepository } from "../../src/ports/JobRepository.js"
import { Transactor } from "../../src/ports/Transactor.js"
import type { Control } from "../../src/sql/control.js"
import * as Database from "../../src/sql/database.js"
import * as Env from "../../src/sql/env.js"
import * as JobRows from "../../src/sql/jobRows.js"
import * as SqlJobRepository from "../../src/sql/SqlJobRepository.js"
import * as Kit from "../../src/testing/jobRepository/kit.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

const alone = <A, E>(client: Layer.Layer<A | SqlClient, E>) =>
  Layer.fresh(Layer.provideMerge(SqlJobRepository.layerWith({ control: false }), client))

const poolOf = (maxConnections: number) =>
  alone(Layer.unwrapScoped(Effect.map(Postgres.freshUrl, (url) => Postgres.layerUrl(url, { maxConnections }))))

const repositories = {
  "SQLite": alone(Sqlite.layer),
  "PostgreSQL, with one connection": poolOf(1),
  "PostgreSQL, with more": poolOf(3)
}

const SHORT = 30_000
const LONG = 60_000

describe("without a connection beside the pool", () => {
  for (const [name, layer] of Object.entries(repositories)) {
    const hasMore = name.endsWith("more")

    it.effect(`a stop that a step asks for stays when the step rolls back, and where others can write, so does a heartbeat: ${name} (STOP-2, OWN-13)`, () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient
        const repository = yield* JobRepository
        const { transact } = yield* Transactor
        const execution = yield* Kit.launchFresh()
        yield* repository.renewLease(execution, SHORT)
        const failed = yield* Effect.flip(transact(Effect.all([
          sql`create table mine (id integer)`,
          repository.requestStop(execution.id),
          repository.renewLease(execution, LONG),
          Effect.fail("no")
        ])))
        assert.strictEqual(failed, "no")
        assert.strictEqual((yield* repository.jobExecution(execution.id)).status, "STOPPING")
        const left = yield* Kit.leaseLeftMillis(execution)
        assert.strictEqual(left > SHORT, hasMore, String(left))
        // The rest of the transaction is gone.
        yield* sql`create table mine (id integer)`
      }).pipe(Effect.provide(layer)))

    it.effect(`a stop stays when only a nested transaction rolls back in which it was asked for: ${name} (STOP-2, OWN-13)`, () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient
        const repository = yield* JobRepository
        const { transact } = yield* Transactor
        const execution = yield* Kit.launchFresh()
        yield* transact(Effect.zipRight(
          sql`create table mine (id integer)`,
          Effect.exit(sql.withTransaction(Effect.all([
            sql`insert into mine values (1)`,
            repository.requestStop(execution.id),
            Effect.fail("no")
          ])))
        ))
        assert.strictEqual((yield* repository.jobExecution(execution.id)).status, "STOPPING")
        assert.deepStrictEqual(yield* sql`select id from mine`, [])
      }).pipe(Effect.provide(layer)))
  }
})

describe("with a connection beside the pool that cannot be used", () => {
  const failing = (code: string): Control => {
    const error = new SqlError({ cause: Object.assign(new Error("no"), { code }), message: "no" })
    return { run: () => Effect.fail(error), line: Effect.fail(error) }
  }

  it.effect("stops and heartbeats go over the pool when it is out of reach, and fail when the database refuses them (OWN-18)", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository
      const env = Env.make(yield* Database.make, "batch_")
      const execution = yield* Kit.launchFresh()
      const fence = { epoch: execution.epoch, token: execution.token! }
      yield* repository.renewLease(execution, SHORT)
      const away = failing("ECONNREFUSED")
      assert.isTrue(Option.isSome(yield* JobRows.renewLease(env, away)(execution.id, fence, LONG)))
      assert.isAbove(yield* Kit.leaseLeftMillis(execution), SHORT)
      yield* JobRows.requestStop(env, away)(execution.id)
      assert.strictEqual((yield* repository.jobExecution(execution.id)).status, "STOPPING")
      const refuses = failing("42501")
      const errors = yield* Effect.all([
        Effect.flip(JobRows.renewLease(env, refuses)(execution.id, fence, LONG)),
        Effect.flip(JobRows.requestStop(env, refuses)(execution.id))
      ])
      assert.deepStrictEqual(errors.map(({ operation, reason }) => [operation, reason]), [
        ["renewLease", "fatal"],
        ["requestStop", "fatal"]
      ])
    }).pipe(Effect.provide(repositories["PostgreSQL, with more"])))
})
