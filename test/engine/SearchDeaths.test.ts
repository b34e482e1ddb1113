/**
 * A search for bad records that dies, goes on, and dies again in the same chunk: wherever that happens, and however
 * often, each record comes to what it comes to in a search that nobody disturbs.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as FaultPoint from "../../src/engine/session/faultPoint.js"
import { Job, JobOperator } from "../../src/index.js"
import * as World from "../../src/testing/crash/world.js"
import { drivers } from "../support/drivers.js"
import type { Plan } from "./faults/plan.js"
import { makeStep } from "./faults/plan.js"
import { reference } from "./faults/reference.js"

/** One chunk, or two, of records that are refused often, filtered often, and sometimes cannot be processed or read. */
const searched: FastCheck.Arbitrary<Plan> = FastCheck.record({
  records: FastCheck.array(
    FastCheck.constantFrom<Array<Plan["records"][number]>>(
      {},
      {},
      {},
      { filtered: true },
      { write: { kind: "Skippable", times: Infinity } },
      { write: { kind: "Skippable", times: Infinity } },
      { write: { kind: "Retryable", times: 1 } },
      { process: { kind: "Skippable", times: Infinity } },
      { bad: "Skippable" }
    ),
    { minLength: 7, maxLength: 11 }
  ),
  chunkSize: FastCheck.constantFrom(11, 11, 7),
  scan: FastCheck.constantFrom("bisect", "one-by-one"),
  skipLimit: FastCheck.constant(90),
  retries: FastCheck.constant(20),
  inside: FastCheck.constantFrom("nothing", "nothing", "process", "read"),
  prefetch: FastCheck.constantFrom(undefined, undefined, 1),
  stateful: FastCheck.boolean()
})

/** At which of its points each run dies. A run comes to its first transaction at the seventh, and commits eight later. */
const deaths = FastCheck.array(FastCheck.integer({ min: 7, max: 36 }), { minLength: 2, maxLength: 4 })

describe("a search for bad records that dies several times", () => {
  it.effect.prop(
    "writes, skips, reports and counts each record once (FTC-16, FT6-9, D18)",
    [searched, FastCheck.tuple(deaths, deaths, deaths)],
    ([plan, attempts]) =>
      Effect.gen(function*() {
        const make = Effect.sync(() => {
          const { skipped, step, written } = makeStep(plan)
          return {
            job: Job.make("searched", { flow: step }),
            parameters: {},
            observe: Effect.sync(() => ({ written, skipped: skipped.sort() }))
          }
        })
        const { counts, skipped, status, written } = reference(plan)
        const { commit: _, rollback: __, ...items } = counts
        const expected = { status, output: { written, skipped }, totals: { "searched/plan": items } }
        for (const kills of [[], ...attempts]) {
          const { output, status, totals } = yield* World.run(make, kills.map((at) => ({ _tag: "Kill", at })), {})
          assert.deepStrictEqual({ status, output, totals }, expected, `killed at ${kills}`)
        }
      }),
    { fastCheck: { numRuns: 60 }, timeout: 300_000 }
  )
})

/** Runs a plan until it is done, while each of the first runs breaks down at so many transactions, in or behind it. */
const brokenDown = (plan: Plan, breakdowns: ReadonlyArray<readonly [FaultPoint.Name, number]>) =>
  Effect.gen(function*() {
    const { skipped, step, written } = makeStep(plan)
    const job = Job.make(`broken ${broken++}`, { flow: step })
    for (const [place, at] of breakdowns) {
      let passed = 0
      const handler = (name: FaultPoint.Name) =>
        name === place && ++passed === at ? Effect.die("broken down") : Effect.void
      yield* Effect.provideService(Effect.exit(JobOperator.run(job, {})), FaultPoint.FaultPoint, handler)
    }
    const last = yield* Effect.exit(JobOperator.run(job, {}))
    const executions = yield* JobOperator.executions({ jobName: job.name })
    const steps = yield* Effect.forEach(executions, ({ id }) => JobOperator.steps(id))
    return {
      // A breakdown that never came leaves nothing to do.
      isDone: Exit.isSuccess(last) || executions[0]!.status === "COMPLETED",
      counted: steps.flat().reduce((sum, { counts }) => sum + counts.write, 0),
      written,
      skipped: skipped.sort()
    }
  })

let broken = 0

for (const { layer, name } of drivers) {
  it.layer(layer, { timeout: 300_000 })(`a search for bad records that breaks down several times (${name})`, (it) => {
    it.effect.prop(
      "writes, counts and reports each record once (FTC-16, D8)",
      [
        searched,
        FastCheck.array(
          FastCheck.tuple(
            FastCheck.constantFrom<Array<FaultPoint.Name>>("afterWrite", "beforeCheckpoint", "afterCommit"),
            FastCheck.integer({ min: 1, max: 3 })
          ),
          { minLength: 2, maxLength: 3 }
        )
      ],
      ([plan, breakdowns]) =>
        Effect.gen(function*() {
          const { skipped, written } = reference(plan)
          const outcome = yield* brokenDown(plan, breakdowns)
          assert.deepStrictEqual(outcome, { isDone: true, counted: written.length, written, skipped })
        }),
      { fastCheck: { numRuns: name === "memory" ? 50 : 10 }, timeout: 300_000 }
    )
  })
}
