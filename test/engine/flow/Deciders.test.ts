/** What a decider is told of the way that led to it. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { ExecutionContext, Flow, Job, JobOperator, JobRepository, JobScope, Step } from "../../../src/index.js"

const key = ExecutionContext.key("answer", Schema.String)

it.effect("a decider knows the step in front of it, or all that ended the split, and what they have put in the context, and is asked once (FLOW-50, FLOW-41)", () =>
  Effect.gen(function*() {
    const told: Array<unknown> = []
    let isBroken = true
    const step = (name: string) => Step.tasklet(name, JobScope.set(key, name))
    const decide = (name: string) =>
      Flow.decide(name, ["GO"], ({ branches, job, last }) =>
        Effect.gen(function*() {
          told.push([
            name,
            Option.match(last, { onNone: () => "none", onSome: ({ status, stepName }) => `${stepName} ${status}` }),
            branches.map(({ stepName }) => stepName),
            Option.getOrNull(yield* ExecutionContext.get(job.context, key))
          ])
          return "GO" as const
        }))
    const flow = step("first").pipe(
      Flow.andThen(decide("one")),
      Flow.andThen(Flow.split([step("left"), step("right")], { concurrency: 1 })),
      Flow.andThen(decide("two")),
      Flow.andThen(step("last")),
      Flow.andThen(decide("three")),
      Flow.andThen(Step.tasklet("fails", Effect.suspend(() => isBroken ? Effect.fail("broken") : Effect.void)))
    )
    const job = Job.make("deciding", { flow })
    assert.strictEqual((yield* JobOperator.run(job, {})).status, "FAILED")
    assert.deepStrictEqual(told, [
      ["one", "first COMPLETED", [], "first"],
      ["two", "none", ["left", "right"], "right"],
      ["three", "last COMPLETED", [], "last"]
    ])
    told.length = 0
    isBroken = false
    assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
    assert.deepStrictEqual(told, [], "the answers of before hold")
  }).pipe(Effect.provide(JobRepository.layerMemory)))

it.effect("a decider that answers FAILED is not asked again once a step has dealt with that, and is where nothing has (FLOW-25, FLOW-41)", () =>
  Effect.gen(function*() {
    for (const isHandled of [true, false]) {
      const seen: Array<string> = []
      let isBroken = true
      const note = (name: string) => Step.tasklet(name, Effect.sync(() => void seen.push(name)))
      const broken = Step.tasklet("broken", Effect.suspend(() => isBroken ? Effect.fail("broken") : Effect.void))
      const ask = Flow.decide("ask", ["FAILED", "GO"], () =>
        Effect.sync(() => {
          seen.push("asked")
          return isBroken ? "FAILED" : "GO"
        }))
      const states = {
        go: { run: note("go"), on: { COMPLETED: "broken" } },
        broken: { run: broken, on: { COMPLETED: "END" } }
      } as const
      const mend = { run: note("mend"), on: { COMPLETED: "broken" } } as const
      const flow = isHandled
        ? Flow.graph("ask", { ask: { run: ask, on: { FAILED: "mend", GO: "go" } }, mend, ...states })
        : Flow.graph("ask", { ask: { run: ask, on: { GO: "go" } }, ...states })
      const job = Job.make(`handled ${isHandled}`, { flow })
      assert.strictEqual((yield* JobOperator.run(job, {})).status, "FAILED")
      isBroken = false
      assert.strictEqual((yield* JobOperator.run(job, {})).status, "COMPLETED")
      assert.deepStrictEqual(seen, isHandled ? ["asked", "mend"] : ["asked", "asked", "go"])
    }
  }).pipe(Effect.provide(JobRepository.layerMemory)))
