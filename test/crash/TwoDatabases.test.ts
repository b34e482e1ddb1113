/**
 * A process is killed when its steps have committed in the one database and not in the other, on all pairs of databases, and
 * the job is started again: what is exactly once is there once, and an upsert makes the rest as good as that.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { JobOperator } from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Processes from "../chaos/processes.js"
import type { Kind } from "../engine/twoDatabases.js"
import { cellsOf, counted, isRepeating, pairs, runAll, tables } from "../engine/twoDatabases.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"
import type { Database } from "./twoDatabasesWorker.js"
import { clientAt } from "./twoDatabasesWorker.js"

const fresh = (kind: Kind) =>
  Effect.map(kind === "SQLite" ? Sqlite.freshFile : Postgres.freshUrl, (at): Database => ({ kind, at }))

describe("a process that is killed between its two commits", () => {
  it.scopedLive(
    "leaves nothing out and nothing twice, but what is inserted plainly beside the repository (OWN-10)",
    () =>
      Effect.gen(function*() {
        const program = yield* Processes.compile(new URL("./twoDatabasesWorker.ts", import.meta.url))
        const strike = (pair: readonly [Kind, Kind]) =>
          Effect.gen(function*() {
            const databases = yield* Effect.all([fresh(pair[0]), fresh(pair[1])])
            const [a, b] = yield* Effect.all([clientAt(databases[0]), clientAt(databases[1])])
            yield* tables(a)
            yield* tables(b)
            const cells = cellsOf(pair)
            const found = Effect.forEach(
              cells,
              ({ title }) =>
                Effect.map(Effect.all([counted(a, title), counted(b, title)]), (rows) => [title, ...rows] as const)
            )
            const expected = (rows: (kind: string, isOwn: boolean) => readonly [number, number]) =>
              cells.map(({ kind, title, way }) =>
                [title, ...rows(kind, way === "the client of the repository")] as const
              )

            const { errors, signal } = yield* (yield* Processes.spawn(program, [JSON.stringify(databases)])).ended
            assert.deepStrictEqual([errors, signal], ["", "SIGKILL"])
            const written = (kind: string) => kind === "tasklet" ? 4 : 2
            assert.deepStrictEqual(yield* found, expected((kind, isOwn) => isOwn ? [0, 0] : [0, written(kind)]))

            const ended = yield* Effect.gen(function*() {
              const executions = yield* runAll(cells, a, b)
              return [
                ...executions.map(({ status }) => status),
                (yield* JobOperator.executions({ jobName: "own" })).length
              ]
            }).pipe(Effect.provide(SqlJobRepository.layer), Effect.provideService(SqlClient, a))
            assert.deepStrictEqual(ended, ["COMPLETED", "COMPLETED", 2])
            assert.deepStrictEqual(
              yield* found,
              expected((kind, isOwn) => isOwn ? [4, 0] : [0, isRepeating(kind) ? 4 + written(kind) : 4])
            )
          })
        yield* Effect.forEach(pairs, strike, { concurrency: 2 })
      }).pipe(Logger.withMinimumLogLevel(LogLevel.None)),
    300_000
  )
})
