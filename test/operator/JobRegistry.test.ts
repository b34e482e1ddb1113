import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Job, JobOperator, JobParameters, JobRegistry, JobRepository, Step } from "../../src/index.js"

class Greeting extends Context.Tag("test/Greeting")<Greeting, string>() {}

class Params extends JobParameters.Tag<Params>()("Params", { name: Schema.String, times: Schema.NumberFromString }) {}

const said: Array<string> = []

const greet = Job.make("greet", {
  parameters: Params,
  flow: Step.tasklet(
    "say",
    Effect.zipWith(Greeting, Params, (greeting, { name, times }) => void said.push(`${greeting} ${name} ${times}`))
  )
})

const tidy = Job.make("tidy", { flow: Step.tasklet("tidy", Effect.void) })

const live = JobRegistry.layer([tidy, greet]).pipe(
  Layer.provide(Layer.succeed(Greeting, "Hello")),
  Layer.merge(JobRepository.layerMemory)
)

describe("JobRegistry", () => {
  it.effect("names are sorted, a second job of one name is refused, an unknown name is answered with the known ones (REG-1)", () =>
    Effect.gen(function*() {
      const registry = yield* JobRegistry.JobRegistry
      assert.deepStrictEqual(yield* JobRegistry.names, ["greet", "tidy"])
      assert.deepInclude(yield* Effect.flip(registry.register(tidy)), { _tag: "DuplicateJob", name: "tidy" })
      const error = yield* Effect.flip(JobRegistry.run("tidi", {}))
      assert.deepInclude(error, { _tag: "NoSuchJob", name: "tidi" })
      assert.include(error.message, "did you mean \"tidy\"")
      yield* registry.unregister("tidy")
      assert.strictEqual((yield* Effect.flip(registry.get("tidy")))._tag, "NoSuchJob")
      yield* registry.register(tidy)
      assert.strictEqual((yield* registry.get("tidy")).job.name, "tidy")
    }).pipe(Effect.provide(live)))

  it.effect("two jobs of one name do not make a registry (REG-1)", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Layer.build(JobRegistry.layer([tidy, tidy])))
      assert.strictEqual(error._tag, "DuplicateJob")
    }).pipe(Effect.scoped))

  it.effect("runs, restarts and starts the next instance by name, from encoded parameters", () =>
    Effect.gen(function*() {
      const first = yield* JobRegistry.run("greet", { name: "Ada", times: "2" })
      assert.deepStrictEqual([first.status, said.at(-1)], ["COMPLETED", "Hello Ada 2"])
      const complete = yield* Effect.flip(JobRegistry.restart(first.id))
      assert.strictEqual(complete._tag, "JobInstanceAlreadyComplete")
      const next = yield* JobRegistry.runNext("greet", { overrides: { times: "3" } })
      assert.strictEqual(JobParameters.format(next.parameters), "name=Ada times=3 run.id=1")
      assert.strictEqual(said.at(-1), "Hello Ada 3")
      const invalid = yield* Effect.flip(JobRegistry.run("greet", { name: "Ada", times: "many", tmies: 1 }))
      assert.include(invalid.message, "of job \"greet\"")
      assert.strictEqual((yield* JobOperator.executions({ jobName: "greet" })).length, 2)
    }).pipe(Effect.provide(live)))
})
