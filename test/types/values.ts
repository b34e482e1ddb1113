/**
 * The helper types that take a value's type apart, and combinators with the step in front. Compiled, never run.
 */
import type { BatchError, ItemProcessor, ItemReader, ItemWriter } from "effect-batch"
import { Flow, Job, JobParameters, SkipPolicy, Step } from "effect-batch"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const same = <A, B>(..._proof: Equals<A, B> extends true ? [] : [never]): void => {}

class Bad extends Data.TaggedError("Bad")<{}> {}
class Late extends Data.TaggedError("Late")<{}> {}
class Refused extends Data.TaggedError("Refused")<{}> {}
class Rates extends Context.Tag("Rates")<Rates, { readonly rate: number }>() {}
class Disk extends Context.Tag("Disk")<Disk, {}>() {}
class Params extends JobParameters.Tag<Params>()("Params", { file: Schema.String }) {}

declare const reader: ItemReader.ItemReader<string, Bad, Disk>
declare const processor: ItemProcessor.ItemProcessor<string, number, Late, Rates>
declare const writer: ItemWriter.ItemWriter<number, Refused>
const load = Step.chunk("load", { reader, processor, writer, chunkSize: 10 })

same<ItemReader.ItemReader.Item<typeof reader>, string>()
same<ItemReader.ItemReader.Error<typeof reader>, Bad>()
same<ItemReader.ItemReader.Context<typeof reader>, Disk>()
same<ItemProcessor.ItemProcessor.Input<typeof processor>, string>()
same<ItemProcessor.ItemProcessor.Output<typeof processor>, number>()
same<ItemProcessor.ItemProcessor.Error<typeof processor>, Late>()
same<ItemProcessor.ItemProcessor.Context<typeof processor>, Rates>()
same<ItemWriter.ItemWriter.Item<typeof writer>, number>()
same<ItemWriter.ItemWriter.Error<typeof writer>, Refused>()
same<ItemWriter.ItemWriter.Context<typeof writer>, never>()

same<Step.Step.Input<typeof load>, string>()
same<Step.Step.Output<typeof load>, number>()
same<Step.Step.Code<typeof load>, "COMPLETED" | "FAILED">()
same<Step.Step.Error<typeof load>, Bad | Late | Refused | BatchError.TransactionError>()
same<Step.Step.Context<typeof load>, Disk | Rates>()
same<Step.Step.Input<Step.Step<"COMPLETED">>, never>()
same<Flow.Flow.Code<typeof load>, "COMPLETED" | "FAILED">()

const job = Job.make("import", { parameters: Params, flow: load })
same<Job.Job.Parameters<typeof job>, { readonly file: string }>()
same<Job.Job.Code<typeof job>, "COMPLETED" | "FAILED">()
same<Job.Job.Error<typeof job>, Bad | Late | Refused | BatchError.TransactionError>()
same<Job.Job.Context<typeof job>, Disk | Rates>()

// With the step in front, a combinator makes the same type as in a pipe, and refuses the same mistakes.

const skipped = Step.skip(load, ["Bad", "Late"], { limit: 1 })
const piped = load.pipe(Step.skip(["Bad", "Late"], { limit: 1 }))
same<typeof skipped, typeof piped>()
same<Step.Step.Error<typeof skipped>, Refused | BatchError.TransactionError | BatchError.SkipLimitExceeded>()
const coded = Step.exitCode(load, ["COMPLETED", "LATE"], () => "LATE")
same<Step.Step.Code<typeof coded>, "COMPLETED" | "FAILED" | "LATE">()
const skippedWith = Step.skipWith(load, SkipPolicy.always)
const pipedWith = load.pipe(Step.skipWith(SkipPolicy.always))
same<typeof skippedWith, typeof pipedWith>()
const retried = Step.retry(load, "Late", { while: (error) => error._tag === "Late" })
same<typeof retried, typeof load>()

// @ts-expect-error misspelt
Step.skip(load, "Bda", { limit: 1 })
// @ts-expect-error misspelt
Step.retry(load, "Bda")
// @ts-expect-error a tasklet has no items to skip
Step.skip(Step.tasklet("once", Effect.fail(new Bad())), "Bad", { limit: 1 })
// @ts-expect-error the listener expects other items
Step.listen(load, { afterRead: (_item: number) => Effect.void })

// Guards narrow.

declare const anything: unknown
if (Step.isChunkStep(anything)) {
  const name: string = anything.name
  void name
}
if (Flow.isFlow(anything)) {
  void Flow.andThen(anything, load)
}
// @ts-expect-error the tree of a flow is nobody's business
void load.node
// @ts-expect-error nor is that of a job
void job.definition
// @ts-expect-error phantom types are no fields
void load._In
