/**
 * More rows than one statement takes.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { JobRepository } from "../../src/index.js"
import * as Kit from "../../src/testing/jobRepository/kit.js"
import { sqlDrivers } from "../support/drivers.js"

const MANY = 2001

for (const { layer, name } of sqlDrivers) {
  it.layer(layer, { timeout: 300_000 })(`more rows than one statement takes (${name})`, (it) => {
    it.effect("are deleted, and only they", () =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const repository = yield* JobRepository.JobRepository
        const execution = yield* Effect.flatMap(Kit.launchFresh(), (launched) => Kit.setStatus(launched, "FAILED"))
        yield* sql`insert into batch_job_execution (
            job_instance_id, status, exit_code, exit_message, create_time, last_updated, context, epoch, lease_millis
          ) with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${
          sql.literal(`${MANY}`)
        })
          select e.job_instance_id, e.status, e.exit_code, e.exit_message, e.create_time, e.last_updated, e.context,
            e.epoch, e.lease_millis from batch_job_execution e, numbers where e.id = ${execution.id}`
        const all = yield* repository.jobExecutions({ jobName: execution.instance.jobName, limit: 10_000 })
        assert.strictEqual(all.length, MANY + 1)
        const [newest, ...others] = all.map(({ id }) => id)
        assert.strictEqual(yield* repository.deleteJobExecutions(others), MANY)
        const left = yield* repository.jobExecutions({ jobName: execution.instance.jobName, limit: 10_000 })
        assert.deepStrictEqual(left.map(({ id }) => id), [newest])
      }))

    it.effect("of skipped items are stored in their order", () =>
      Effect.gen(function*() {
        const repository = yield* JobRepository.JobRepository
        const execution = yield* Kit.launchFresh()
        const step = yield* Kit.createStep(execution, "load")
        const messages = Array.from({ length: 1001 }, (_, index) => `item ${index}`)
        yield* repository.addSkippedItems(
          step,
          yield* Effect.forEach(messages, (message) => Kit.skipped(step, message))
        )
        assert.deepStrictEqual(yield* Kit.messages(execution.id), messages)
      }))

    it.effect("of parameters are stored in their order", () =>
      Effect.gen(function*() {
        const repository = yield* JobRepository.JobRepository
        const parameters = Array.from({ length: 1002 }, (_, index) => Kit.parameter(`p${index}`, index))
        const { id } = yield* Kit.launchFresh({ parameters })
        assert.deepStrictEqual(
          (yield* repository.jobExecution(id)).parameters.map(({ value }) => value),
          parameters.map(({ value }) => value)
        )
      }))
  })
}
