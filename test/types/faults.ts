/**
 * What the compiler promises about fault tolerance. Every `@ts-expect-error` is a mistake that must not compile.
 */
import type { BatchError, ItemReader, ItemWriter, RetryPolicy } from "effect-batch"
import { Listener, SkipPolicy, Step } from "effect-batch"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const same = <A, B>(..._proof: Equals<A, B> extends true ? [] : [never]): void => {}

type ErrorOf<S> = S extends Step.ChunkStep<any, any, any, infer E, any> ? E : never
type NeedsOf<S> = S extends Step.ChunkStep<any, any, any, any, infer R> ? R : never

class BadRow extends Data.TaggedError("BadRow")<{ readonly line: number }> {}
class RateError extends Data.TaggedError("RateError")<{ readonly transient: boolean }> {}
class Refused extends Data.TaggedError("Refused")<{}> {}
class Clock extends Context.Tag("Clock")<Clock, { readonly now: number }>() {}

interface Row {
  readonly id: number
}
declare const rows: ItemReader.ItemReader<Row, BadRow>
declare const convert: (row: Row) => Effect.Effect<number, RateError>
declare const sink: ItemWriter.ItemWriter<number, Refused>

const load = Step.chunk("load", { reader: rows, processor: convert, writer: sink, chunkSize: 10 })
same<ErrorOf<typeof load>, BadRow | RateError | Refused | BatchError.TransactionError>()

// A skipped tag leaves the errors, and the limit joins them. Retries change nothing.

const skipped = load.pipe(Step.skip(["BadRow", "RateError"], { limit: 10 }))
same<ErrorOf<typeof skipped>, Refused | BatchError.TransactionError | BatchError.SkipLimitExceeded>()
const retried = load.pipe(Step.retry("RateError", { times: 3, while: (error) => error.transient }))
same<ErrorOf<typeof retried>, ErrorOf<typeof load>>()
const committed = load.pipe(Step.retry("TransactionError", { while: (error) => error.reason === "transient" }))
same<ErrorOf<typeof committed>, ErrorOf<typeof load>>()

// Tags that the step cannot fail with do not compile.

// @ts-expect-error misspelt
load.pipe(Step.skip("BadRwo", { limit: 10 }))
// @ts-expect-error one of them is misspelt
load.pipe(Step.skip(["BadRow", "RateEror"], { limit: 10 }))
// @ts-expect-error the limit is missing
load.pipe(Step.skip("BadRow"))
// @ts-expect-error skipped already
skipped.pipe(Step.retry("BadRow"))
// @ts-expect-error misspelt
load.pipe(Step.retry("RateEror"))
// @ts-expect-error a BadRow has no `transient`
load.pipe(Step.retry("BadRow", { while: (error) => error.transient }))
// @ts-expect-error misspelt
load.pipe(Step.noRollback("Refusd"))
// @ts-expect-error noRollback comes before skip, which takes the tag
load.pipe(Step.skip("Refused", { limit: 1 }), Step.noRollback("Refused"))
// @ts-expect-error there is no such order
load.pipe(Step.scan("random"))
// @ts-expect-error a tasklet has no items to skip
Step.tasklet("once", Effect.fail(new Refused())).pipe(Step.skip("Refused", { limit: 1 }))
// @ts-expect-error nor does it roll back less
Step.tasklet("once", Effect.fail(new Refused())).pipe(Step.noRollback("Refused"))
// @ts-expect-error there is no such isolation level
load.pipe(Step.withTransaction({ isolation: "snapshot" }))

// Refinements keep the type of the step.

const refined = load.pipe(
  Step.noRollback(["Refused", "RateError"]),
  Step.processInTransaction,
  Step.scan("one-by-one"),
  Step.withTransaction({ isolation: "serializable", timeout: "1 minute", propagation: "requiresNew" })
)
same<typeof refined, typeof load>()

// A whole policy has to understand every error of the step. What it needs, the step needs.

const everything = SkipPolicy.fromSchedule(Schedule.recurs(3))
same<
  ErrorOf<ReturnType<typeof withPolicy>>,
  BadRow | RateError | Refused | BatchError.TransactionError | BatchError.SkipLimitExceeded
>()
const withPolicy = () => load.pipe(Step.skipWith(everything))
declare const byClock: RetryPolicy.RetryPolicy<unknown, Clock>
const clocked = load.pipe(Step.retryWith(byClock))
same<NeedsOf<typeof clocked>, Clock>()
declare const rowsOnly: SkipPolicy.SkipPolicy<BadRow>
// @ts-expect-error the policy does not know RateError
load.pipe(Step.skipWith(rowsOnly))
declare const ratesOnly: RetryPolicy.RetryPolicy<RateError>
// @ts-expect-error the policy does not know BadRow
load.pipe(Step.retryWith(ratesOnly))
declare const scheduled: Schedule.Schedule<number, unknown, Clock>
const paused = load.pipe(Step.retry("RateError", { schedule: scheduled }))
same<NeedsOf<typeof paused>, Clock>()

// A listener must know the items; its errors and needs become those of the step.

const listened = load.pipe(
  Step.listen(Listener.step({
    onSkipInProcess: (row: Row) => Effect.zipRight(Clock, Effect.fail(`audit of ${row.id}` as const)),
    onSkipInWrite: (output: number) => Effect.log(output)
  }))
)
same<NeedsOf<typeof listened>, Clock>()
same<Extract<ErrorOf<typeof listened>, string>, `audit of ${number}`>()
// @ts-expect-error the step writes numbers
load.pipe(Step.listen(Listener.step({ onSkipInWrite: (output: string) => Effect.log(output) })))

// The schemas of the quarantine are those of the items.

load.pipe(Step.quarantine({ input: Schema.Struct({ id: Schema.Number }), output: Schema.Number }))
load.pipe(Step.quarantine())
// @ts-expect-error the step writes numbers
load.pipe(Step.quarantine({ output: Schema.String }))
