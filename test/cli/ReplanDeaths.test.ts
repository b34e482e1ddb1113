/**
 * A job that makes its plan anew, in real processes that are killed at the worst moments of that.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { JobRepository } from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Processes from "../chaos/processes.js"
import * as Postgres from "../support/Postgres.js"
import { createHeld, heldUp, holdUp, until } from "./held.js"

const prepared = Effect.gen(function*() {
  const program = yield* Processes.compile(new URL("replanProgram.ts", import.meta.url))
  const url = yield* Postgres.freshUrl
  const layer = Layer.provideMerge(SqlJobRepository.layer, Postgres.layerUrl(url, { maxConnections: 3 }))
  const run = (restart: "keep" | "replan", plan: string, names: string) =>
    Processes.spawn(program, [url, restart, plan, names])
  return { layer, run }
})

const rows = Effect.flatMap(SqlClient, (sql) =>
  Effect.map(
    sql<{ readonly plan: string; readonly part: string }>`select plan, part from part_row order by 1, 2`,
    (found) => found.map(({ part, plan }) => `${plan} ${part}`)
  ))

const stored = Effect.flatMap(SqlClient, (sql) =>
  Effect.map(
    sql<{ readonly size: number }>`select (
      select count(*)::int from batch_partition p where p.plan_id = l.id
    ) as size from batch_partition_plan l order by l.id`,
    (found) => found.map(({ size }) => size)
  ))

/** Kills a process at the moment at which the trigger fires, in the middle of its statement. */
const killedAt = <E, R>(trigger: string, run: Effect.Effect<Processes.Process, E, R>) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    yield* createHeld
    yield* sql.unsafe(`create trigger held ${trigger} execute function held()`)
    yield* sql.withTransaction(Effect.gen(function*() {
      yield* holdUp
      const process = yield* run
      yield* until(heldUp, (count) => count === 1)
      process.kill("SIGKILL")
      yield* process.ended
    }))
    // The server finds out that nobody is there when it has an answer.
    yield* until(heldUp, (count) => count === 0)
    const backends = Effect.map(
      sql<{ readonly count: number }>`select count(*)::int as count from pg_stat_activity
        where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()`,
      ([row]) => row!.count
    )
    yield* until(backends, (count) => count === 0)
    yield* sql.unsafe("drop function held() cascade")
  })

/** A first plan, all of which has completed in a job that failed. */
const failed = (run: Effect.Effect.Success<typeof prepared>["run"]) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    yield* JobRepository.JobRepository
    yield* sql`create table part_row (plan text not null, part text not null)`
    const first = yield* Effect.flatMap(run("replan", "failing", "a,b"), ({ ended }) => ended)
    assert.strictEqual(first.code, 1, first.errors)
    assert.deepStrictEqual([yield* rows, yield* stored], [["failing a", "failing b"], [2]])
  })

const completed = ({ ended }: Processes.Process) =>
  Effect.map(ended, ({ code, errors }) => assert.strictEqual(code, 0, errors))

describe("a job that makes its plan anew is killed", () => {
  it.scopedLive(
    "while it stores the new plan: nothing of that is there, and the next one makes its own (PART-3, PART-10)",
    () =>
      Effect.flatMap(prepared, ({ layer, run }) =>
        Effect.gen(function*() {
          yield* failed(run)
          yield* killedAt("after insert on batch_partition for each row", run("replan", "killed", "b,c"))
          assert.deepStrictEqual(yield* stored, [2])
          yield* Effect.flatMap(run("replan", "next", "c,d,e"), completed)
          assert.deepStrictEqual(yield* rows, ["failing a", "failing b", "next c", "next d", "next e"])
          assert.deepStrictEqual(yield* stored, [2, 3])
        }).pipe(Effect.provide(layer))),
    300_000
  )

  it.scopedLive(
    "just behind that: the new plan stays, is not replaced by another one, and is finished by whoever keeps it (PART-3, PART-4)",
    () =>
      Effect.flatMap(prepared, ({ layer, run }) =>
        Effect.gen(function*() {
          yield* failed(run)
          const sql = yield* SqlClient
          const [old] = yield* sql<{ readonly id: string }>`select id::text as id from batch_partition_plan`
          // Whoever has stored a plan resumes it.
          const isNew = `for each row when (new.id <> ${old!.id})`
          yield* killedAt(`before update on batch_partition_plan ${isNew}`, run("replan", "killed", "b,c"))
          assert.deepStrictEqual(yield* stored, [2, 2])
          const refused = yield* Effect.flatMap(run("replan", "next", "c,d,e"), ({ ended }) => ended)
          assert.strictEqual(refused.code, 1)
          assert.include(refused.errors, "2 of 2")
          assert.deepStrictEqual([yield* rows, yield* stored], [["failing a", "failing b"], [2, 2]])
          yield* Effect.flatMap(run("keep", "next", "c,d,e"), completed)
          assert.deepStrictEqual(yield* rows, ["failing a", "failing b", "killed b", "killed c"])
          assert.deepStrictEqual(yield* stored, [2, 2])
        }).pipe(Effect.provide(layer))),
    300_000
  )
})
