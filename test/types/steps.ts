/**
 * What must and what must not compile about steps, jobs and running them. Compiled, never run.
 */
import type { BatchError, JobRepository, Transactor } from "effect-batch"
import {
  Flow,
  ItemProcessor,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobParameters,
  Step,
  StepScope
} from "effect-batch"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

class BadRow extends Data.TaggedError("BadRow")<{ readonly line: number }> {}
class RateUnavailable extends Data.TaggedError("RateUnavailable")<{ readonly transient: boolean }> {}
class Refused extends Data.TaggedError("Refused")<{}> {}
class Rates extends Context.Tag("Rates")<Rates, {
  readonly toCents: (amount: number) => Effect.Effect<number, RateUnavailable>
}>() {}
class Params extends JobParameters.Tag<Params>()("Params", { file: Schema.String, day: Schema.DateFromString }) {}

interface Row {
  readonly id: string
  readonly amount: number
}
declare const rows: ItemReader.ItemReader<Row, BadRow>
declare const cents: ItemWriter.ItemWriter<{ readonly id: string; readonly cents: number }, Refused>

const load = Step.chunk("load", {
  reader: ItemReader.unwrap(Effect.map(Params, ({ file }) => file === "" ? rows : rows)),
  processor: (row) =>
    Rates.pipe(
      Effect.flatMap((rates) => rates.toCents(row.amount)),
      Effect.map((cents) => ({ id: row.id, cents }))
    ),
  writer: cents,
  chunkSize: 100
})

const refined = load.pipe(
  Step.retry("RateUnavailable", {
    while: (error) => error.transient,
    schedule: Schedule.exponential("50 millis").pipe(Schedule.intersect(Schedule.recurs(3)))
  }),
  Step.skip("BadRow", { limit: 100 }),
  Step.exitCode(
    ["COMPLETED", "COMPLETED WITH SKIPS"],
    (step) => step.counts.read > 0 ? "COMPLETED WITH SKIPS" : "COMPLETED"
  ),
  Step.startLimit(3),
  Step.allowStartIfComplete
)

// A skipped tag leaves E; codes are literals.
const typed: Step.ChunkStep<
  Row,
  { readonly id: string; readonly cents: number },
  "FAILED" | "COMPLETED" | "COMPLETED WITH SKIPS",
  | RateUnavailable
  | Refused
  | BatchError.SkipLimitExceeded
  | BatchError.TransactionError
  | BatchError.UnreadablePosition,
  Params | Rates
> = refined
void typed

// @ts-expect-error the step cannot fail with "BadRwo"
load.pipe(Step.skip("BadRwo", { limit: 1 }))
// @ts-expect-error what was skipped is no longer an error of the step
load.pipe(Step.skip("BadRow", { limit: 1 }), Step.skip("BadRow", { limit: 1 }))
// @ts-expect-error the step cannot fail with "Timeout"
load.pipe(Step.retry("Timeout", { times: 1 }))
// @ts-expect-error "NONE" is not among the codes
load.pipe(Step.exitCode(["SOME"], () => "NONE"))

Step.chunk("mismatch", {
  reader: ItemReader.fromIterable(["a", "b"]),
  processor: ItemProcessor.map((s: string) => s.length),
  // @ts-expect-error the writer wants strings, the processor makes numbers
  writer: ItemWriter.fromFunction((_: ReadonlyArray<string>) => Effect.void),
  chunkSize: 10
})

Step.chunk("mismatch", {
  reader: ItemReader.fromIterable(["a", "b"]),
  // @ts-expect-error the processor wants numbers, the reader gives strings
  processor: ItemProcessor.map((n: number) => n + 1),
  writer: ItemWriter.fromFunction((_: ReadonlyArray<number>) => Effect.void),
  chunkSize: 10
})

const job = Job.make("import", { parameters: Params, flow: refined })
const scoped = Job.make("scoped", { flow: Step.tasklet("t", StepScope.requestStop) })

// A job discharges its parameters and the scopes.
const needsNothing: Job.Job<{}, "COMPLETED" | "FAILED", any, never> = scoped
void needsNothing

declare const repository: Layer.Layer<JobRepository.JobRepository | Transactor.Transactor>
const execution = JobOperator.run(job, { file: "payments.csv", day: new Date() })

// @ts-expect-error Rates is missing
const missing: Effect.Effect<unknown, unknown, never> = execution.pipe(Effect.provide(repository))
void missing

// @ts-expect-error a parameter is missing
JobOperator.run(job, { file: "payments.csv" })
// @ts-expect-error a parameter has the wrong type
JobOperator.run(job, { file: "payments.csv", day: "2026-01-31" })
// @ts-expect-error an unknown parameter
JobOperator.run(job, { file: "payments.csv", day: new Date(), dya: 1 })

class Dated extends JobParameters.Tag<Dated>()("Dated", { day: Schema.DateFromString }) {}
class Numbered extends JobParameters.Tag<Numbered>()("Numbered", { day: Schema.Number }) {}
const today = JobParameters.incrementer(Dated, () => ({ day: new Date() }))
JobOperator.runNext(Job.make("next", { parameters: Params, flow: refined, incrementer: today }))
JobOperator.runNext(Job.make("next", { parameters: Params, flow: refined, incrementer: JobParameters.runId }))
JobOperator.runNext(job, { incrementer: today, overrides: { file: "payments.csv" } })
const other = JobParameters.incrementer(Numbered, () => ({ day: 1 }))
// @ts-expect-error the incrementer is one of other parameters
Job.make("next", { parameters: Params, flow: refined, incrementer: other })
// @ts-expect-error so it is here
JobOperator.runNext(job, { incrementer: other })
// @ts-expect-error a job without parameters has no day
Job.make("next", { flow: Step.tasklet("t", Effect.void), incrementer: today })
// @ts-expect-error a parameter has the wrong type
JobParameters.incrementer(Dated, () => ({ day: "2026-01-31" }))

void Flow.andThen(refined, scoped as never)

/** Settings shared by several steps are a plain function (the seeds' parent steps). */
const standard = <In, Out, C extends string, E, R>(self: Step.ChunkStep<In, Out, C, E | BadRow | RateUnavailable, R>) =>
  self.pipe(Step.retry("RateUnavailable", { times: 3 }), Step.skip("BadRow", { limit: 10 }), Step.startLimit(5))
export const withStandard = load.pipe(standard)

// A processor that may be there or not: the writer has to take what it makes and what it would be given.

declare const maybe:
  | ItemProcessor.ItemProcessor<Row, { readonly id: string; readonly cents: number }, RateUnavailable>
  | undefined
declare const anything: ItemWriter.ItemWriter<{ readonly id: string }, Refused>
const optional = Step.chunk("optional", { reader: rows, processor: maybe, writer: anything, chunkSize: 1 })
type Parts = typeof optional extends Step.ChunkStep<infer In, infer Out, infer _Code, infer E, infer R>
  ? [In, Out, E, R]
  : never
const parts: Parts extends [
  Row,
  Row | { readonly id: string; readonly cents: number },
  BadRow | RateUnavailable | Refused | BatchError.TransactionError,
  never
] ? true :
  false = true
void parts

// @ts-expect-error the writer does not take rows
Step.chunk("optional", { reader: rows, processor: maybe, writer: cents, chunkSize: 1 })
// @ts-expect-error nor does a step take an option that it has not
Step.chunk("more", { reader: rows, writer: anything, chunkSize: 1, retries: 3 })
