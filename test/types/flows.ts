/**
 * What must and what must not compile about flows, and what is inferred. Compiled, never run.
 */
import type { JobScope } from "effect-batch"
import { Flow, Job, JobOperator, JobParameters, Step, Tasklet } from "effect-batch"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { TransactionError } from "../../src/vocabulary/BatchError.js"

class Broken extends Data.TaggedError("Broken")<{}> {}
class Calendar extends Context.Tag("Calendar")<Calendar, { readonly isMonthEnd: Effect.Effect<boolean, Broken> }>() {}
class Params extends JobParameters.Tag<Params>()("Params", { day: Schema.String }) {}
class ChildParams extends JobParameters.Tag<ChildParams>()("ChildParams", { file: Schema.String }) {}

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const same = <A, B>(_: Equals<A, B>): void => undefined

const load = Step.tasklet("load", Effect.as(Effect.void, Tasklet.finishedWith("COMPLETED WITH SKIPS")))
const archive = Step.tasklet("archive", Effect.void)
const review = Step.tasklet("review", Effect.void)
const choose = Flow.decide("choose", ["LEFT", "RIGHT"], () => Effect.succeed("LEFT" as const))

// -- match is exhaustive -------------------------------------------------------------------------

load.pipe(Flow.match({ COMPLETED: archive, "COMPLETED WITH SKIPS": review }))
load.pipe(Flow.match({ FAILED: review, "COMPLETED*": archive }))
load.pipe(Flow.match({ "*": archive }))
Flow.match(load, { "COMPLETED*": archive })
choose.pipe(Flow.match({ LEFT: archive, RIGHT: review }))
Flow.decide("number", ["1", "2"], () => Effect.succeed("1" as const)).pipe(Flow.match({ 1: archive, 2: review }))

// @ts-expect-error "COMPLETED WITH SKIPS" has no transition
load.pipe(Flow.match({ COMPLETED: archive, FAILED: review }))
// @ts-expect-error a `?` pattern does not prove coverage
load.pipe(Flow.match({ COMPLETED: archive, "COMPLETED???????????": review }))
// @ts-expect-error a misspelt key
load.pipe(Flow.match({ "COMPLETED*": archive, FIALED: review }))
// @ts-expect-error a pattern that no code can match
load.pipe(Flow.match({ "COMPLETED*": archive, "SKIPPED*": review }))
// @ts-expect-error a decider that never says FAILED
choose.pipe(Flow.match({ LEFT: archive, RIGHT: review, FAILED: review }))
// @ts-expect-error RIGHT has no transition
Flow.match(choose, { LEFT: archive })
// @ts-expect-error a case that is no flow
choose.pipe(Flow.match({ LEFT: archive, RIGHT: "archive" }))

// Codes that only turn up at run time need no key, or one that is declared.
declare const dynamic: Flow.Flow<string>
dynamic.pipe(Flow.match({ ONE: archive }))
archive.pipe(Flow.withCodes(["LATE"]), Flow.match({ COMPLETED: review, LATE: load }))
// @ts-expect-error a declared code needs a transition
archive.pipe(Flow.withCodes(["LATE"]), Flow.match({ COMPLETED: review }))

// -- what a flow ends with -----------------------------------------------------------------------

const matched = choose.pipe(Flow.match({ LEFT: archive, RIGHT: Flow.end("EARLY") }))
// What has ended for good needs no key any more.
matched.pipe(Flow.match({ COMPLETED: review }))
// @ts-expect-error it has left the flow
matched.pipe(Flow.match({ COMPLETED: review, EARLY: review }))
// @ts-expect-error so has a stop
Flow.stop("LUNCH").pipe(Flow.match({ COMPLETED: review, LUNCH: review }))

// FAILED is a code of the flow only while it is not taken.
const recovered = archive.pipe(Flow.match({ COMPLETED: choose, FAILED: choose }))
same<Flow.Flow.Code<typeof recovered>, "LEFT" | "RIGHT">(true)
const failing = archive.pipe(Flow.match({ COMPLETED: choose }))
same<Flow.Flow.Code<typeof failing>, "LEFT" | "RIGHT" | "FAILED">(true)

const codesOfJob = <C extends string>(_: Job.Job<{}, C, any, never>): C => null as never
const ended = codesOfJob(Job.make("ended", { flow: Flow.andThen(matched, choose) }))
same<typeof ended, "EARLY" | "LEFT" | "RIGHT" | "FAILED">(true)
const stopped = codesOfJob(Job.make("stopped", { flow: Flow.stopAndRestart(choose, "LUNCH") }))
same<typeof stopped, "LUNCH" | "LEFT" | "RIGHT">(true)
const split = codesOfJob(Job.make("split", { flow: Flow.split([matched, load], { concurrency: 2 }) }))
same<typeof split, "COMPLETED" | "FAILED">(true)

// -- errors and needs ----------------------------------------------------------------------------

const monthEnd = Flow.decide(
  "month-end",
  ["YES", "NO"],
  () => Effect.flatMap(Calendar, (calendar) => Effect.map(calendar.isMonthEnd, (is) => is ? "YES" : "NO"))
)
const asking = Flow.split([archive, monthEnd.pipe(Flow.match({ YES: review, NO: Flow.end() }))])
same<Flow.Flow.Error<typeof asking>, TransactionError | Broken>(true)
same<Flow.Flow.Context<typeof asking>, Calendar>(true)

const needsCalendar: Job.Job<{}, "COMPLETED" | "FAILED", TransactionError | Broken, Calendar> = Job.make("asking", {
  flow: asking
})
// @ts-expect-error Calendar is missing
const needsNothing: Job.Job<{}, "COMPLETED" | "FAILED", TransactionError | Broken, never> = needsCalendar
void needsNothing

Flow.decide("told", ["A"], ({ job, last }) => Effect.succeed(job.id > 0 && last._tag === "None" ? "A" : "A"))
// @ts-expect-error "B" is not among the codes
Flow.decide("wrong", ["A"], () => Effect.succeed("B"))
// @ts-expect-error an answer, not an effect
Flow.decide("plain", ["A"], () => "A")
// @ts-expect-error there is no such behaviour
Flow.split([archive], { onBranchFailure: "ignore" })

// -- graphs --------------------------------------------------------------------------------------

const poll = Flow.decide("poll", ["READY", "WAIT"], () => Effect.succeed("READY" as const))
const wait = Step.tasklet("wait", Effect.void)
const graph = Flow.graph("poll", {
  poll: { run: poll, on: { READY: "load", WAIT: "wait" } },
  wait: { run: wait, on: { COMPLETED: "poll" } },
  load: { run: load }
})
same<Flow.Flow.Code<typeof graph>, "COMPLETED" | "COMPLETED WITH SKIPS" | "FAILED">(true)
Flow.graph("load", { load: { run: load, on: { "COMPLETED*": "archive", FAILED: "END" } }, archive: { run: archive } })

Flow.graph("poll", {
  // @ts-expect-error no state is called "laod"
  poll: { run: poll, on: { READY: "laod", WAIT: "wait" } },
  wait: { run: wait, on: { COMPLETED: "poll" } },
  load: { run: load }
})
Flow.graph("poll", {
  // @ts-expect-error WAIT is not routed
  poll: { run: poll, on: { READY: "load" } },
  load: { run: load }
})
Flow.graph("poll", {
  // @ts-expect-error a misspelt code
  poll: { run: poll, on: { READY: "load", WAIT: "load", WIAT: "load" } },
  load: { run: load }
})
// @ts-expect-error an unknown start state
Flow.graph("pol", { poll: { run: poll, on: { READY: "END", WAIT: "END" } } })

// -- flow steps and job steps --------------------------------------------------------------------

const inner = Step.flow("inner", Flow.andThen(matched, Flow.stopAndRestart(choose, "LUNCH")))
same<Flow.Flow.Code<typeof inner>, "EARLY" | "LEFT" | "RIGHT" | "FAILED">(true)

const child = Job.make("child", { parameters: ChildParams, flow: matched })
const byDay = Step.job("child", child, { parameters: Effect.map(Params, ({ day }) => ({ file: `${day}.csv` })) })
same<Flow.Flow.Code<typeof byDay>, "COMPLETED" | "EARLY" | "FAILED">(true)
same<Flow.Flow.Context<typeof byDay>, Params>(true)
byDay.pipe(Flow.match({ COMPLETED: archive, EARLY: review }))
Step.job("without", Job.make("without", { flow: archive }))

// @ts-expect-error the child's parameters are missing
Step.job("child", child)
// @ts-expect-error the child has no such parameter type
Step.job("child", child, { parameters: Effect.succeed({ file: 1 }) })
// @ts-expect-error EARLY is a code of the child
byDay.pipe(Flow.match({ COMPLETED: archive }))

const parent = Job.make("parent", { parameters: Params, flow: byDay })
const run = JobOperator.run(parent, { day: "2026-01-31" })
void run
// The parent discharges its own parameters, the child its own.
const discharged: Job.Job<{ readonly day: string }, "COMPLETED" | "EARLY" | "FAILED", any, never> = parent
void discharged
// @ts-expect-error without its parameters the parent can't provide them to the step
const undischarged: Job.Job<{}, string, any, never> = Job.make("undischarged", { flow: byDay })
void undischarged

export type Unused = JobScope.JobScope
