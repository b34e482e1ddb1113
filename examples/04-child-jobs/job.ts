/**
 * The jobs of this example: a nightly one, and the import that it runs once per source.
 */
import { Console, Context, Data, Effect, Schema } from "effect"
import { Flow, Job, JobParameters, Step } from "effect-batch"

export class SourceDown extends Data.TaggedError("SourceDown")<{ readonly source: string }> {
  override get message(): string {
    return `${this.source} does not answer; run the command again when it does`
  }
}

export class Sources extends Context.Tag("Sources")<Sources, {
  readonly fetch: (source: string) => Effect.Effect<void, SourceDown>
}>() {}

export class Import extends JobParameters.Tag<Import>()("Import", { source: Schema.String, day: Schema.String }) {}

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

export class Nightly extends JobParameters.Tag<Nightly>()("Nightly", { day: Schema.String }) {}

const importOf = (source: string) =>
  Step.job(`import ${source}`, importJob, {
    parameters: Effect.map(Nightly, ({ day }) => ({ source, day }))
  })

export const nightly = Job.make("nightly", {
  parameters: Nightly,
  flow: importOf("customers").pipe(
    Flow.andThen(importOf("orders")),
    Flow.andThen(Step.tasklet("report", Console.log("  report printed")))
  )
})
