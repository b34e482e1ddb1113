/**
 * Purging piece by piece: neither the size of a page nor that of a batch shows in what is left.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { Job, JobOperator, JobParameters, JobRepository, Step } from "../../src/index.js"
import { purge } from "../../src/operator/purging.js"
import { drivers } from "../support/drivers.js"

/** Instances of one job, by how often each was started; the last start of each completes. */
const run = (name: string, starts: ReadonlyArray<number>) =>
  Effect.forEach(starts, (times, index) =>
    Effect.gen(function*() {
      let left = times
      const step = Step.tasklet("work", Effect.suspend(() => --left === 0 ? Effect.void : Effect.fail("not yet")))
      const job = Job.make(name, { parameters: Run, flow: step })
      for (let start = 0; start < times; start++) {
        yield* JobOperator.run(job, { run: index })
      }
    }), { discard: true })

class Run extends JobParameters.Tag<Run>()("Run", { run: Schema.Int }) {}

let jobs = 0

for (const { layer, name } of drivers) {
  it.layer(layer, { timeout: 300_000 })(`a purge (${name})`, (it) => {
    it.effect.prop(
      "deletes what its rules give up, in batches of instances and from pages of executions of any size (PURGE-1)",
      [
        FastCheck.array(FastCheck.integer({ min: 1, max: 3 }), { maxLength: 7 }),
        FastCheck.integer({ min: 0, max: 3 }),
        FastCheck.integer({ min: 1, max: 4 }),
        FastCheck.integer({ min: 1, max: 4 })
      ],
      ([starts, keepLast, batch, page]) =>
        Effect.gen(function*() {
          const repository = yield* JobRepository.JobRepository
          const jobName = `purged ${jobs++}`
          yield* run(jobName, starts)
          const batches: Array<number> = []
          const watched = {
            ...repository,
            deleteJobExecutions: (ids: ReadonlyArray<number>) => {
              batches.push(ids.length)
              return repository.deleteJobExecutions(ids)
            }
          }
          const rules = { jobName, keepLast, statuses: ["COMPLETED" as const] }
          const asked = purge(rules, true, { batch, page })
          const done = purge(rules, false, { batch, page })
          const expected = starts.slice(0, Math.max(0, starts.length - keepLast))
          const executions = expected.reduce((sum, times) => sum + times, 0)
          const dry = yield* Effect.provideService(asked, JobRepository.JobRepository, watched)
          assert.deepStrictEqual([dry.selected.length, dry.deleted, batches], [expected.length, 0, []])
          const { deleted, selected } = yield* Effect.provideService(done, JobRepository.JobRepository, watched)
          assert.deepStrictEqual([selected.length, deleted], [expected.length, executions])
          // The newest instances first.
          const sizes = Array.from({ length: Math.ceil(expected.length / batch) }, (_, index) =>
            [...expected].reverse().slice(index * batch, (index + 1) * batch).reduce((sum, times) =>
              sum + times, 0))
          assert.deepStrictEqual(batches, sizes)
          const left = yield* repository.jobInstances({ jobName })
          assert.strictEqual(left.length, starts.length - expected.length)
        }),
      { fastCheck: { numRuns: name === "memory" ? 25 : 5 }, timeout: 300_000 }
    )
  })
}
