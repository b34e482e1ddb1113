/**
 * What one look at a plan costs that is larger and larger: half of it has completed, eight partitions run, the rest waits. The
 * server has no statistics of the tables, as when a plan has just been made.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Effect } from "effect"
import { JobRepository } from "effect-batch"
import type * as database from "./database.js"
import * as measure from "./measure.js"
import * as options from "./options.js"

const SIZES = [1000, 10_000, 100_000]

const COLUMNS =
  "status, exit_code, exit_message, create_time, last_updated, context, owner, epoch, lease_millis, lease_until, token"
const VALUES = "'', '', now(), now(), '{}', 'bench', 1, 3600000, now() + interval '1 hour', 'secret'"

/** The id of a plan of so many partitions, of which half has completed. */
const planned = (size: number) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient
    const half = size / 2
    const one = (text: string) => Effect.map(sql.unsafe<{ readonly id: string }>(text), ([row]) => Number(row!.id))
    const instance = yield* one(`insert into batch_job_instance (job_name, job_key, create_time)
      values ('looks', 'looks ${size}', now()) returning id`)
    const execution = yield* one(`insert into batch_job_execution (job_instance_id, ${COLUMNS})
      values (${instance}, 'STARTED', ${VALUES}) returning id`)
    const plan = execution
    yield* sql.unsafe(
      `insert into batch_partition_plan (id, job_instance_id, job_execution_id, step_execution_id, step_name,
      fingerprint, size, is_open) values (${plan}, ${instance}, ${execution}, ${plan}, 'load', '1', ${size}, true)`
    )
    yield* sql.unsafe(`with instances as (
        insert into batch_job_instance (job_name, job_key, create_time)
        select 'looks/load', '${size} ' || i, now() from generate_series(1, ${half}) i returning id
      ) insert into batch_job_execution (job_instance_id, ${COLUMNS}, parent_execution_id, parent_instance_id)
        select id, case when row_number() over (order by id) > ${
      half - 8
    } then 'STARTED' else 'COMPLETED' end, ${VALUES},
          ${execution}, ${instance} from instances`)
    yield* sql.unsafe(`insert into batch_partition (plan_id, ordinal, name, input, waiting, job_instance_id)
      select ${plan}, row_number() over (order by id) - 1, 'p' || id, '0', null, job_instance_id
      from batch_job_execution where parent_execution_id = ${execution}`)
    yield* sql.unsafe(`insert into batch_partition (plan_id, ordinal, name, input, waiting, job_key)
      select ${plan}, ${half} + i, 'q' || i, '0', 1, '${size} waiting ' || i from generate_series(0, ${half - 1}) i`)
    return plan
  })

const median = (look: () => Promise<unknown>): Promise<string> =>
  Array.from({ length: options.roundsOr(7) }).reduce<Promise<ReadonlyArray<number>>>(
    async (before, _) => [...await before, (await measure.time(look)).wall],
    Promise.resolve([])
  ).then((all) => (measure.median(all) / 1e6).toFixed(1))

const alive = { isOwnerGone: () => false }

export const looks = async (runtime: ReturnType<typeof database.postgres>): Promise<void> => {
  const rows: Array<ReadonlyArray<string>> = []
  for (const size of SIZES) {
    const plan = await runtime.runPromise(planned(size))
    const { partitions } = await runtime.runPromise(JobRepository.JobRepository)
    const run = (effect: Effect.Effect<unknown, unknown>) => median(() => runtime.runPromise(effect))
    rows.push([
      measure.thousands(size),
      await run(partitions.putUp(plan, alive)),
      await run(partitions.glance(plan, alive)),
      await run(partitions.claim(plan, { owner: "bench", leaseMillis: 3_600_000, ...alive })),
      await run(partitions.tally(plan, alive))
    ])
  }
  measure.print(
    "Milliseconds of one look at a plan of which half has completed (PostgreSQL)",
    ["partitions", "for lost ones", "whether there is something to do", "claim of one", "counts of all"],
    rows
  )
}
