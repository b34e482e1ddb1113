/**
 * The walk through examples/05-operate/README.md, command by command, as processes of their own.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Path from "node:path"
import * as Sqlite from "../support/Sqlite.js"
import * as Examples from "./examples.js"

const ORDERS = 3000

const walk = Effect.gen(function*() {
  const cwd = yield* Examples.directory
  const program = yield* Examples.compiled("05-operate/main.ts")
  const shop = (...args: ReadonlyArray<string>) => Examples.run({ program, args, cwd })
  const executions = Effect.map(
    shop("list", "executions", "--json"),
    ({ exit, stdout }): ReadonlyArray<{ readonly id: number; readonly status: string }> =>
      exit === 0 ? JSON.parse(stdout) : []
  )
  return { cwd, shop, executions }
})

const bills = (cwd: string) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql<{ readonly id: number }>`select id from bill order by id`).pipe(
    Effect.map((rows) => rows.map(({ id }) => id)),
    Effect.provide(Sqlite.layerFile(Path.join(cwd, "shop.db")))
  )

describe("examples/05-operate", () => {
  it.scopedLive(
    "stop from a second process, look, restart, and every order is billed once",
    () =>
      Effect.gen(function*() {
        const { cwd, executions, shop } = yield* walk
        const billing = ["run", "billing", "--day", "2026-06-30", "--orders", String(ORDERS)]
        const running = yield* Effect.fork(shop(...billing))
        yield* Effect.repeat(executions, { until: (rows) => rows[0]?.status === "STARTED" })
        const asked = yield* shop("stop", "1")
        assert.deepStrictEqual([asked.exit, asked.stdout], [0, "Execution 1 was asked to stop.\n"], asked.stderr)
        const stopped = yield* Fiber.join(running)
        assert.strictEqual(stopped.exit, 143, stopped.stderr)
        assert.match(stopped.stdout, /bill STOPPED: \d+ read/)

        assert.match((yield* shop("show", "1")).stdout, /^bill +STOPPED +STOPPED/m)
        const explained = yield* shop("explain", "billing", "--day", "2026-06-30")
        assert.include(explained.stdout, "restart of execution 1")
        assert.include(explained.stdout, "create-table: skip")

        const restarted = yield* shop("restart", "1")
        assert.strictEqual(restarted.exit, 0, restarted.stderr)
        assert.include(restarted.stdout, "bill goes on from its last commit")
        const expected = Array.from({ length: ORDERS }, (_, i) => i + 1).filter((id) => id % 350 !== 0)
        assert.deepStrictEqual(yield* bills(cwd), expected)

        const refused = yield* shop(...billing)
        assert.deepStrictEqual([refused.exit, refused.stdout], [3, ""])
        assert.include(refused.stderr, "JobInstanceAlreadyComplete")
        assert.include((yield* shop("purge", "--all", "--dry-run")).stdout, "1 instance with 2 executions would go.")
      }),
    300_000
  )
})
