/**
 * A job whose steps are jobs: each child has executions of its own, and can be run, restarted and looked at alone. Its
 * parameters are made of those of the parent, checked by the compiler.
 *
 *   npx tsx examples/04-child-jobs/main.ts 2026-01-31 --broken    the second import fails
 *   npx tsx examples/04-child-jobs/main.ts 2026-01-31             goes on with it, in the same instance
 */
import { Console, Context, Data, Effect, Schema } from "effect"
import { Flow, Job, JobOperator, JobParameters, Step } from "effect-batch"
import * as Database from "../support/Database.js"
import { runMain } from "../support/Main.js"

class SourceDown extends Data.TaggedError("SourceDown")<{ readonly source: string }> {
  override get message(): string {
    return `${this.source} does not answer; run the command again when it does`
  }
}

class Sources extends Context.Tag("Sources")<Sources, {
  readonly fetch: (source: string) => Effect.Effect<void, SourceDown>
}>() {}

class Import extends JobParameters.Tag<Import>()("Import", { source: Schema.String, day: Schema.String }) {}

const fetch = Step.tasklet(
  "fetch",
  Effect.gen(function*() {
    const { source } = yield* Import
    const sources = yield* Sources
    yield* sources.fetch(source)
  })
)
const store = Step.tasklet("store", Effect.flatMap(Import, ({ source }) => Console.log(`  ${source} stored`)))

const importJob = Job.make("import", { parameters: Import, flow: fetch.pipe(Flow.andThen(store)) })

class Nightly extends JobParameters.Tag<Nightly>()("Nightly", { day: Schema.String }) {}

const importOf = (source: string) =>
  Step.job(`import ${source}`, importJob, {
    parameters: Effect.map(Nightly, ({ day }) => ({ source, day }))
  })

const nightly = Job.make("nightly", {
  parameters: Nightly,
  flow: importOf("customers").pipe(
    Flow.andThen(importOf("orders")),
    Flow.andThen(Step.tasklet("report", Console.log("  report printed")))
  )
})

const program = Effect.gen(function*() {
  const execution = yield* JobOperator.run(nightly, { day: process.argv[2] ?? "2026-01-31" })
  const children = yield* JobOperator.executions({ jobName: "import" })
  for (const child of [...children].reverse()) {
    yield* Console.log(`import ${JobParameters.format(child.parameters)}: ${child.status}`)
  }
  yield* Console.log(`nightly: ${execution.status}`)
  return execution.status
})

const sources = {
  fetch: (source: string) =>
    source === "orders" && process.argv.includes("--broken")
      ? Effect.fail(new SourceDown({ source }))
      : Console.log(`  ${source} fetched`)
}

runMain(program.pipe(
  Effect.provideService(Sources, sources),
  Effect.provide(Database.layer(Database.Target.Sqlite({ file: "flows.db" })))
))
