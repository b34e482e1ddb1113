/**
 * `worker` as it is operated: processes that are killed, and told to end, while a job needs them.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Processes from "../chaos/processes.js"
import * as Postgres from "../support/Postgres.js"

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** The processes that have written rows so far. */
const writers = Effect.flatMap(SqlClient, (sql) =>
  Effect.map(
    sql<{ readonly process: number }>`select distinct process from part_row order by process`,
    (rows) => rows.map(({ process }) => process)
  ))

const countOf = Effect.flatMap(SqlClient, (sql) =>
  Effect.map(
    sql<{ readonly all: number; readonly each: number }>`
      select count(*)::int as all, count(distinct (part, id))::int as each from part_row`,
    ([count]) => count
  ))

/** The processes that a worker has said are at work. */
const forksOf = (worker: Processes.Process): ReadonlyArray<number> =>
  worker.said().flatMap((line) => /^Process (\d+) is at work/.exec(line)?.[1] ?? []).map(Number)

/** Looks again and again, as somebody would who waits for it. */
const until = <A, E, R>(effect: Effect.Effect<A, E, R>, holds: (value: A) => boolean): Effect.Effect<A, E, R> =>
  Effect.flatMap(
    effect,
    (value) => holds(value) ? Effect.succeed(value) : Effect.delay(until(effect, holds), "20 millis")
  )

describe("worker", () => {
  it.scopedLive(
    "a process is killed and another one replaces it, all are told to end, others come: every row once (PART-5, PART-16)",
    () =>
      Effect.gen(function*() {
        const program = yield* Processes.compile(new URL("workerProgram.ts", import.meta.url))
        const url = yield* Postgres.freshUrl
        yield* Effect.gen(function*() {
          const sql = yield* SqlClient
          yield* sql`create table part_row (part text not null, id integer not null, process integer not null)`
          const job = yield* Processes.spawn(program, [url, "run", "spread"])

          // Slow, so that the second of its processes finds something to do, however long it takes to start.
          const first = yield* Processes.spawn(
            program,
            [url, "worker", "--slots", "2", "--processes", "2"],
            undefined,
            { PART_PAUSE: "400" }
          )
          assert.include(
            yield* first.line((line) => line.startsWith("spread works on")),
            "\"spread\" with 2 processes of 2 slots each"
          )
          const [victim] = yield* until(writers, ({ length }) => length === 2)
          process.kill(victim!, "SIGKILL")
          yield* first.line(() => forksOf(first).length === 3)
          assert.include(first.said().join("\n"), `Worker process ${victim} was ended by SIGKILL`)
          first.kill("SIGTERM")
          assert.strictEqual((yield* first.ended).code, 143)
          assert.deepStrictEqual(forksOf(first).filter(isAlive), [])

          const second = yield* Processes.spawn(program, [url, "worker", "--slots", "4", "--processes", "2"])
          const ended = yield* job.ended
          assert.strictEqual(ended.code, 0, ended.errors)
          assert.deepStrictEqual(yield* countOf, { all: 320, each: 320 })

          yield* second.line(() => forksOf(second).length === 2)
          second.kill("SIGKILL")
          yield* until(Effect.sync(() => forksOf(second).filter(isAlive)), ({ length }) => length === 0)
        }).pipe(Effect.provide(Postgres.layerUrl(url, { maxConnections: 2 })))
      }),
    300_000
  )
})
