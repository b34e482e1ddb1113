/**
 * What the compiler promises about policies and listeners. Every `@ts-expect-error` is a mistake that must not compile.
 */
import type { BatchError, JobScope, StepScope } from "effect-batch"
import { ExitStatus, Listener, RetryPolicy, SkipPolicy, StandardListeners } from "effect-batch"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const same = <A, B>(..._proof: Equals<A, B> extends true ? [] : [never]): void => {}

interface CsvError {
  readonly _tag: "CsvError"
  readonly line: number
}
interface RateError {
  readonly _tag: "RateError"
  readonly transient: boolean
}
type LoadError = CsvError | RateError

declare class Clock {
  readonly now: number
}

// A policy that is about every error fits every step.

const anySkip: SkipPolicy.SkipPolicy<LoadError> = SkipPolicy.limit(10)
const anyRetry: RetryPolicy.RetryPolicy<LoadError> = RetryPolicy.recurs(3)
same<typeof SkipPolicy.always, SkipPolicy.SkipPolicy<unknown>>()
void [anySkip, anyRetry]

// A policy for some errors does not fit a step that fails with others.

declare const csvOnly: SkipPolicy.SkipPolicy<CsvError>
// @ts-expect-error RateError is not handled
const forLoad: SkipPolicy.SkipPolicy<LoadError> = csvOnly
void forLoad

// Tags are those of the error type, once it is known.

SkipPolicy.limit<LoadError>(10).pipe(SkipPolicy.tags("CsvError"))
SkipPolicy.limit(10).pipe(SkipPolicy.tags<LoadError>("CsvError", "RateError"))
SkipPolicy.limit(10).pipe(SkipPolicy.tags("NotKnownYet"))
// @ts-expect-error misspelt
SkipPolicy.limit<LoadError>(10).pipe(SkipPolicy.tags("CsvEror"))
// @ts-expect-error misspelt
SkipPolicy.limit(10).pipe(SkipPolicy.tags<LoadError>("CsvEror"))
// @ts-expect-error misspelt
SkipPolicy.tags(SkipPolicy.limit<LoadError>(10), "CsvEror")
RetryPolicy.tags(RetryPolicy.recurs<LoadError>(10), "RateError")
// @ts-expect-error misspelt
RetryPolicy.recurs<LoadError>(10).pipe(RetryPolicy.tags("RateEror"))

// Predicates get the error type, or bring it.

const late = SkipPolicy.limit<LoadError>(10).pipe(SkipPolicy.when((error) => error._tag === "CsvError"))
same<typeof late, SkipPolicy.SkipPolicy<LoadError>>()
const brought = RetryPolicy.recurs(3).pipe(RetryPolicy.when((error: RateError) => error.transient))
same<typeof brought, RetryPolicy.RetryPolicy<RateError>>()
SkipPolicy.limit<LoadError>(10).pipe(
  SkipPolicy.classify({ include: ["CsvError", (error) => error._tag === "RateError" && error.transient] })
)
SkipPolicy.limit(10).pipe(SkipPolicy.classify({ include: [Error, TypeError, "Any"], exclude: [RangeError] }))
// @ts-expect-error misspelt
SkipPolicy.limit<LoadError>(10).pipe(SkipPolicy.classify({ exclude: ["CsvEror"] }))

// What a schedule needs and what it reads show up in the policy.

declare const schedule: Schedule.Schedule<number, RateError, Clock>
const scheduled = RetryPolicy.fromSchedule(schedule)
same<typeof scheduled, RetryPolicy.RetryPolicy<RateError, Clock>>()
const bounded = SkipPolicy.fromSchedule(Schedule.recurs(3))
same<typeof bounded, SkipPolicy.SkipPolicy<unknown>>()

// Policies for different errors combine to one for errors that both understand; needs add up.

declare const byClock: SkipPolicy.SkipPolicy<LoadError, Clock>
const either = SkipPolicy.or(csvOnly, byClock)
const forCsv: SkipPolicy.SkipPolicy<CsvError, Clock> = either
// @ts-expect-error csvOnly was not made for RateError
const forBoth: SkipPolicy.SkipPolicy<LoadError, Clock> = either
// @ts-expect-error the clock is needed
const withoutClock: SkipPolicy.SkipPolicy<CsvError> = either
void [forCsv, forBoth, withoutClock]

// A listener is typed by its callbacks: items intersect, errors and needs add up.

declare const clock: Effect.Effect<void, "late", Clock>
declare const rates: Effect.Effect<void, RateError>

const listener = Listener.step({
  beforeStep: () => clock,
  afterStep: (step) => Effect.succeed(step.counts.read === 0 ? ExitStatus.FAILED : undefined),
  afterRead: (_: { readonly id: number }) => rates,
  onSkipInProcess: (_: { readonly iban: string }, error) => Effect.logWarning(error),
  onSkipInWrite: (_: CsvError) => Effect.void
})
same<
  typeof listener,
  Listener.StepListener<{ readonly id: number } & { readonly iban: string }, CsvError, "late" | RateError, Clock>
>()
const quiet = Listener.step({ beforeStep: (step) => Effect.log(step.stepName) })
same<typeof quiet, Listener.StepListener>()
const combined = Listener.combineStep(quiet, listener)
same<typeof combined, typeof listener>()

const jobListener = Listener.job({ beforeJob: () => clock, afterJob: () => Effect.succeed(ExitStatus.NOOP) })
same<typeof jobListener, Listener.JobListener<"late", Clock>>()

// @ts-expect-error misspelt
Listener.step({ beforeStap: () => Effect.void })
// @ts-expect-error misspelt
Listener.job({ beforeStep: () => Effect.void })
// @ts-expect-error an exit status is expected
Listener.step({ afterStep: () => Effect.succeed("FAILED") })

// A listener for some items does not fit a step with others.

// @ts-expect-error the items of the step have no iban
const forIds: Listener.StepListener<{ readonly id: number }, CsvError, unknown, unknown> = listener
void forIds

// Promotion can miss a key only when it is strict.

const lenient = StandardListeners.promoteToJob([])
same<
  typeof lenient,
  Listener.StepListener<
    unknown,
    unknown,
    BatchError.UnreadableContextKey,
    StepScope.StepScope | JobScope.JobScope
  >
>()
const strict = StandardListeners.promoteToJob([], { strict: true })
same<
  typeof strict,
  Listener.StepListener<
    unknown,
    unknown,
    BatchError.UnreadableContextKey | StandardListeners.ContextKeyMissing,
    StepScope.StepScope | JobScope.JobScope
  >
>()
