/**
 * Statements that PostgreSQL keeps under a name.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as Statement from "@effect/sql/Statement"
import { assert, describe, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { JobExecution } from "../../src/index.js"
import { JobRepository } from "../../src/index.js"
import type { Database } from "../../src/sql/database.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as PgQuery from "../../src/sql/pgQuery.js"
import * as Kit from "../../src/testing/jobRepository/kit.js"
import * as ExecutionContext from "../../src/vocabulary/ExecutionContext.js"
import * as Postgres from "../support/Postgres.js"

/** With one connection, so that the names of all statements are on it. */
const live = <E>(title: string, test: Effect.Effect<void, E, SqlClient.SqlClient | JobRepository.JobRepository>) =>
  it.scopedLive(title, () =>
    Effect.flatMap(Postgres.freshUrl, (url) =>
      Effect.provide(
        test,
        Layer.fresh(Layer.provideMerge(SqlJobRepository.layer, Postgres.layerUrl(url, { maxConnections: 1 })))
      )))

const kept = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.map(
    sql<{ readonly statement: string }>`select statement from pg_prepared_statements order by prepare_time`,
    (rows) => rows.map(({ statement }) => statement.trimStart().split(/\s+/).slice(0, 3).join(" "))
  ))

/** What a partition is for the database, in place `place`; the counts that are stored then. */
const lived = (execution: JobExecution.JobExecution, place: string) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository.JobRepository
    const step = Option.getOrThrow(
      yield* repository.createStepExecution(execution, {
        stepName: "step",
        place,
        round: "1",
        context: ExecutionContext.empty,
        checkpoint: Option.none()
      })
    )
    const saved = { ...step, counts: { ...step.counts, read: 3, commit: 1 } }
    assert.strictEqual(yield* repository.updateStepExecution(execution, saved, step), "STARTED")
    assert.strictEqual(yield* repository.updateJobExecution(execution), "STARTED")
    return Option.map(yield* repository.stepExecution(step.id), ({ counts }) => [counts.read, counts.commit])
  })

const started = Effect.flatMap(Kit.launchFresh(), (launched) => Kit.setStatus(launched, "STARTED"))

describe("what runs again and again on PostgreSQL", () => {
  live(
    "is kept by its name on a connection, however often it runs",
    Effect.gen(function*() {
      const execution = yield* started
      for (let at = 0; at < 20; at++) {
        assert.deepStrictEqual(yield* lived(execution, `place ${at}`), Option.some([3, 1]))
      }
      const names = yield* kept
      assert.deepStrictEqual([...new Set(names)], names, "each of them once")
      assert.lengthOf(names, 3)
    })
  )

  live(
    "goes on without names where the server has forgotten them, as behind a pooler",
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const execution = yield* started
      yield* lived(execution, "before")
      yield* sql.unsafe("deallocate all")
      for (const place of ["behind", "later"]) {
        assert.deepStrictEqual(yield* lived(execution, place), Option.some([3, 1]))
      }
      assert.deepStrictEqual(yield* kept, [])
    })
  )

  live(
    "goes on when the tables were altered meanwhile",
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const execution = yield* started
      yield* lived(execution, "before")
      yield* sql.unsafe("alter table batch_job_execution alter column status type varchar(50)")
      assert.deepStrictEqual(yield* lived(execution, "behind"), Option.some([3, 1]))
    })
  )

  live(
    "passes nobody by who transforms statements",
    Effect.gen(function*() {
      const execution = yield* started
      const before = yield* kept
      const seen: Array<string> = []
      yield* lived(execution, "seen").pipe(
        Effect.locally(
          Statement.currentTransformer,
          Option.some((statement) => {
            seen.push(statement.compile()[0])
            return Effect.succeed(statement)
          })
        )
      )
      assert.isAbove(seen.filter((text) => text.includes("step_execution")).length, 1)
      assert.deepStrictEqual(yield* kept, before)
    })
  )
})

/** A server that answers with a flag, and says what it was sent. */
const played = () => {
  const heard: Array<string> = []
  const wire = {
    stream: { cork: () => {}, uncork: () => {} },
    close: () => void heard.push("close"),
    parse: ({ text }: { readonly text: string }) => void heard.push(`parse ${text}`),
    bind: ({ values }: { readonly values: ReadonlyArray<string | null> }) => void heard.push(`bind ${values.join()}`),
    describe: () => void heard.push("describe"),
    execute: () => void heard.push("execute"),
    sendCopyFromChunk: () => {},
    endCopyFrom: () => {},
    sync: () => {}
  }
  const connection = {
    executeRaw: (sql: unknown) => {
      const query = sql as PgQuery.PipelinedQuery
      return Effect.async<unknown, SqlError>((resume) => {
        const from = heard.length
        query.callback = (error, result) =>
          resume(error === null ? Effect.succeed(result) : Effect.fail(new SqlError({ cause: error, message: "no" })))
        query.submit(wire)
        if (heard.slice(from).includes("describe")) {
          query.handleRowDescription({ fields: [{ name: "isOpen", dataTypeID: 16 }, { name: "id", dataTypeID: 701 }] })
        }
        query.handleDataRow({ fields: ["f", "7"] })
        query.handleCommandComplete()
        query.handleReadyForQuery()
      })
    }
  } as unknown as Connection
  const ask = (about: unknown) =>
    PgQuery.byName(
      { prepares: true } as Database,
      connection,
      { text: "select", parameters: ["1"], about },
      Effect.die("it has a name")
    )
  return { ask, heard }
}

describe("a statement that has a name", () => {
  it.scoped("is planned once, and again for another plan of partitions, or some seconds later", () =>
    Effect.gen(function*() {
      const { ask, heard } = played()
      const clock = yield* Effect.acquireRelease(
        Effect.sync(() => vi.spyOn(performance, "now")),
        (clock) => Effect.sync(() => clock.mockRestore())
      )
      const planned = ["close", "parse select", "bind 1", "describe", "execute"]
      const moments = [
        [0, 1, planned],
        [4000, 1, ["bind 1", "execute"]],
        [4001, 2, planned],
        [9001, 2, ["bind 1", "execute"]],
        [9002, 2, planned]
      ] as const
      for (const [millis, about, sent] of moments) {
        clock.mockReturnValue(millis)
        assert.deepStrictEqual(yield* ask(about), [{ isOpen: false, id: "7" }])
        assert.deepStrictEqual(heard.splice(0), sent)
      }
    }))
})
