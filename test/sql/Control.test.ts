/**
 * The connection beside the pool, when many ask it at the same time.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Control from "../../src/sql/control.js"
import * as Database from "../../src/sql/database.js"
import * as StopHints from "../../src/sql/stopHints.js"
import * as Postgres from "../support/Postgres.js"

/** What Node says to the process, once for each kind of warning: so this stands alone in its file. */
const warnings = Effect.acquireRelease(
  Effect.sync(() => {
    const heard: Array<string> = []
    const listener = ({ message }: Error) => void heard.push(message)
    process.on("warning", listener)
    return { heard, listener }
  }),
  ({ listener }) => Effect.sync(() => process.off("warning", listener))
)

describe("the connection beside the pool of PostgreSQL", () => {
  it.scopedLive("is asked for one thing after the other, however many heartbeats and watches of stops meet (OWN-18)", () =>
    Effect.gen(function*() {
      const { heard } = yield* warnings
      const sql = yield* SqlClient.SqlClient
      const database = yield* Database.make
      const control = yield* Control.make(sql, database)
      assert.isDefined(control)
      // It leads to the server itself, so chunks may go in one message, and statements be prepared.
      assert.deepStrictEqual([database.isPooled, database.prepares], [false, true])
      const hints = yield* StopHints.make(control!, "batch_")
      yield* Effect.fork(hints!(1))
      const beat = (n: number) => control!.run(sql<{ readonly n: number }>`select cast(${n} as integer) as n`, 10_000)
      const refused = control!.run(sql`select nonsense`, 10_000)
      const answers = yield* Effect.all(
        [beat(1), beat(2), Effect.flip(refused), beat(3), beat(4)],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([answers[0], answers[1], answers[3], answers[4]].map(([row]) => row?.n), [1, 2, 3, 4])
      assert.strictEqual(answers[2]._tag, "SqlError")
      // Whom the connection leaves in the lurch is told so, also those who wait for their turn.
      const lost = yield* Effect.all(
        [sql`select pg_terminate_backend(pg_backend_pid())`, sql`select 1`, sql`select 2`].map((statement) =>
          Effect.flip(control!.run(statement, 10_000))
        ),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(lost.map(({ _tag }) => _tag), ["SqlError", "SqlError", "SqlError"])
      assert.deepStrictEqual((yield* beat(5)).map(({ n }) => n), [5])
      // Who is not answered in time gives the connection up: what comes next would wait behind it.
      const pid = Effect.map(
        control!.run(sql<{ readonly pid: number }>`select pg_backend_pid() as pid`, 10_000),
        ([row]) => row!.pid
      )
      const before = yield* pid
      assert.strictEqual((yield* Effect.flip(control!.run(sql`select pg_sleep(600)`, 50)))._tag, "SqlError")
      assert.notStrictEqual(yield* pid, before)
      // Warnings are said when the process is next at leisure.
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      assert.deepStrictEqual(heard.filter((message) => message.includes("client.query")), [])
    }).pipe(Effect.provide(Postgres.layer)))
})
