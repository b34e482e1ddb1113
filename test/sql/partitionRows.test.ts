import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Database from "../../src/sql/database.js"
import * as Env from "../../src/sql/env.js"
import * as Migrations from "../../src/sql/Migrations.js"
import { partitions } from "../../src/sql/partitionRows.js"
import * as Postgres from "../support/Postgres.js"

const SIZE = 1000

/** A plan of which half has completed, eight partitions run, and the rest is put up, in tables that nobody has analyzed. */
const halfDone = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* Migrations.run()
  const at = "now(), now(), '{}', 'o', 1, 30000, now() + interval '30 s', 't'"
  const columns =
    "status, exit_code, exit_message, create_time, last_updated, context, owner, epoch, lease_millis, lease_until, token"
  for (
    const text of [
      "alter table batch_partition set (autovacuum_enabled = false)",
      "alter table batch_job_execution set (autovacuum_enabled = false)",
      "insert into batch_job_instance (job_name, job_key, create_time) values ('j', 'k', now())",
      `insert into batch_job_execution (job_instance_id, ${columns}) values (1, 'STARTED', '', '', ${at})`,
      `insert into batch_partition_plan values (1, 1, 1, 1, 'load', 'f', ${SIZE}, true)`,
      `insert into batch_partition (plan_id, ordinal, name, input, waiting, job_key)
        select 1, i, 'p' || i, '1', 1, 'k' || i from generate_series(0, ${SIZE - 1}) i`,
      `insert into batch_job_instance (job_name, job_key, create_time)
        select 'j/load', 'k' || i, now() from generate_series(0, ${SIZE / 2 - 1}) i`,
      `insert into batch_job_execution (job_instance_id, ${columns}, parent_execution_id, parent_instance_id)
        select i + 2, 'STARTED', '', '', ${at}, 1, 1 from generate_series(0, ${SIZE / 2 - 1}) i`,
      `update batch_job_execution set status = 'COMPLETED', lease_until = null
        where parent_instance_id = 1 and job_instance_id < ${SIZE / 2 - 6}`,
      `update batch_partition set waiting = null, job_instance_id = ordinal + 2 where ordinal < ${SIZE / 2}`
    ]
  ) {
    yield* sql.unsafe(text)
  }
  // What has ended for good is no longer in the indexes; of the values that are, the server knows nothing.
  yield* sql`vacuum batch_partition, batch_job_execution`
  return { sql, driver: partitions(Env.make(yield* Database.make, "batch_")) }
})

/** How many rows of tables, and entries of their indexes, the server looks at. */
const looks = <A, E, R>(sql: SqlClient.SqlClient, effect: Effect.Effect<A, E, R>) =>
  sql.withTransaction(Effect.gen(function*() {
    const seen = sql<{ readonly seen: string }>`
      select sum(pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid)) as seen
      from pg_class c where c.relname like 'batch_%' and c.relkind in ('r', 'i')`
    const [before] = yield* seen
    const answer = yield* effect
    const [after] = yield* seen
    return { answer, seen: Number(after!.seen) - Number(before!.seen) }
  }))

const claim = { at: 0, token: "t", exitCode: "UNKNOWN", owner: "o", leaseMillis: 1000 }

describe("in a plan of many partitions, whatever the server knows of them", () => {
  it.scopedLive("who looks for lost ones, asks whether there is something to do, or takes one, does not look through all (P2)", () =>
    Effect.gen(function*() {
      const { driver, sql } = yield* halfDone
      const lost = yield* looks(sql, driver.findStates(1, { after: -1, limit: 1000, unsettled: true }))
      assert.deepStrictEqual(lost.answer.map(({ status }) => status), Array.from({ length: 8 }, () => "STARTED"))
      const groups = yield* looks(sql, driver.unsettledGroups(1))
      assert.deepStrictEqual(groups.answer.map(({ count, status }) => [status, count]), [["STARTED", 8], [null, 1]])
      const taken = yield* looks(sql, driver.take(1))
      assert.strictEqual(taken.answer?.partition.name, `p${SIZE / 2}`)
      const claimed = yield* looks(sql, driver.claimFirst!(1, claim))
      assert.include(claimed.answer, { jobKey: `k${SIZE / 2 + 1}` })
      for (const { seen } of [lost, groups, taken, claimed]) {
        assert.isBelow(seen, SIZE / 5)
      }
    }).pipe(Effect.provide(Postgres.layer)))
})
