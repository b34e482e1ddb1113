import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import * as FaultPoint from "../../src/engine/session/faultPoint.js"
import { BatchMetrics, Job, JobOperator, JobRepository } from "../../src/index.js"
import * as Counts from "../../src/vocabulary/Counts.js"
import type { Outcome, Plan } from "./faults/plan.js"
import { makeStep, plan } from "./faults/plan.js"
import { reference } from "./faults/reference.js"

/** What the counters of the job say so far, in the words of the stored counts. */
const counted: Effect.Effect<Counts.Counts> = Effect.map(
  Effect.all({
    read: outcome(BatchMetrics.items, "read"),
    write: outcome(BatchMetrics.items, "written"),
    filter: outcome(BatchMetrics.items, "filtered"),
    readSkip: outcome(BatchMetrics.items, "read_skipped"),
    processSkip: outcome(BatchMetrics.items, "process_skipped"),
    writeSkip: outcome(BatchMetrics.items, "write_skipped"),
    commit: outcome(BatchMetrics.chunks, "committed"),
    rollback: outcome(BatchMetrics.chunks, "rolled_back")
  }),
  Counts.make
)

function outcome(counter: Metric.Metric.Counter<number>, name: string): Effect.Effect<number> {
  const tagged = counter.pipe(
    Metric.tagged("job", "plan"),
    Metric.tagged("step", "plan"),
    Metric.tagged("outcome", name)
  )
  return Effect.map(Metric.value(tagged), ({ count }) => count)
}

/** Runs a plan, and once more after each crash; the counts are those of all executions. */
const run = (plan: Plan, crashAt = Infinity): Effect.Effect<Outcome> =>
  Effect.gen(function*() {
    const { skipped, step, written } = makeStep(plan)
    const before = yield* counted
    const job = Job.make("plan", { flow: step })
    const crashed = yield* Deferred.make<void>()
    let commits = 0
    const handler = (name: FaultPoint.Name) =>
      name === "afterCommit" && ++commits === crashAt
        ? Effect.zipRight(Deferred.succeed(crashed, undefined), Effect.never)
        : Effect.void
    const first = yield* Effect.fork(
      Effect.provideService(Effect.exit(JobOperator.run(job, {})), FaultPoint.FaultPoint, handler)
    )
    yield* Effect.race(Deferred.await(crashed), Fiber.join(first))
    if (commits >= crashAt) {
      yield* Effect.provideService(JobOperator.run(job, {}), JobOperator.Ownership, {
        lease: "30 seconds",
        owner: "second",
        isOwnerGone: () => true
      })
      yield* Fiber.interrupt(first)
    }
    const executions = yield* JobOperator.executions()
    const steps = yield* Effect.forEach(executions, ({ id }) => JobOperator.steps(id))
    const counts = Counts.combineAll(steps.flat().map(({ counts }) => counts))
    assert.deepStrictEqual(yield* counted, Counts.add(before, counts), "the counters of BatchMetrics")
    return {
      status: executions[0]!.status,
      counts,
      written,
      skipped: skipped.sort()
    }
  }).pipe(Effect.orDie, Effect.provide(JobRepository.layerMemory))

describe("a fault tolerant step, any records, faults and policies", () => {
  it.effect.prop(
    "status, counts, outputs and skip reports follow the rules",
    [plan(true)],
    ([plan]) => Effect.map(run(plan), (outcome) => assert.deepStrictEqual(outcome, reference(plan))),
    { fastCheck: { numRuns: 1200 }, timeout: 300_000 }
  )

  it.effect.prop(
    "neither a crash after any commit nor reading and processing inside the transaction changes " +
      "outputs, reports or the counts of records (FTC-16, D5, D18)",
    [plan(false), FastCheck.integer({ min: 1, max: 12 })],
    ([plan, crashAt]) =>
      Effect.gen(function*() {
        const expected = reference(plan)
        assert.strictEqual(expected.status, "COMPLETED")
        const { counts, ...outcome } = yield* run(plan, crashAt)
        const { commit, rollback } = counts
        assert.deepStrictEqual({ ...outcome, counts: { ...counts, commit, rollback } }, {
          ...expected,
          counts: { ...expected.counts, commit, rollback }
        })
      }),
    { fastCheck: { numRuns: 600 }, timeout: 300_000 }
  )
})
