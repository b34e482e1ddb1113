/**
 * What monitoring sees of an execution: a span per job, step and chunk, and the metrics of `BatchMetrics`.
 *
 * Everything about a step is looked up once, when it begins: whether anybody traces, and where its metrics are kept. A chunk
 * then costs a few additions. The tracer that a program has when it chose none keeps its spans to itself, so for that one
 * there are none.
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as Metric from "effect/Metric"
import * as MetricLabel from "effect/MetricLabel"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import * as BatchMetrics from "../../vocabulary/BatchMetrics.js"
import type * as Counts from "../../vocabulary/Counts.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import { describe, errorOf, tagOf, unwrap } from "../../vocabulary/failure.js"
import type { JobExecution } from "../../vocabulary/JobExecution.js"
import type { StepExecution } from "../../vocabulary/StepExecution.js"
import type { Session } from "./session.js"
import { setContext } from "./session.js"

/** Who traces, if anybody does. */
export interface Tracing {
  readonly tracer: Tracer.Tracer
  readonly clock: Clock.Clock
}

/** What one step execution reports. */
export interface StepTelemetry {
  readonly tracing: Tracing | undefined
  /** Of the step; chunks are below it. */
  readonly span: Tracer.Span | undefined
  /** Seconds, from an arbitrary beginning. */
  readonly now: () => number
  readonly read: Timer
  readonly process: Timer
  readonly write: Timer
  readonly commit: Timer
  readonly retried: () => void
  /** The counts that are stored now. What is new about them is counted. */
  readonly stored: (counts: Counts.Counts) => void
}

/** Takes the time that has passed since `began`. */
export type Timer = (began: number) => void

// -------------------------------------------------------------------------------------
// jobs
// -------------------------------------------------------------------------------------

/** A launch has claimed an execution. */
export const launched = (jobName: string): Effect.Effect<void> =>
  Metric.increment(Metric.tagged(BatchMetrics.launches, "job", jobName))

/** Runs an execution in its span, with its measurements and the annotations of its logs. */
export const job = <A extends { readonly cause: Option.Option<Cause.Cause<unknown>> }, E, R>(
  session: Session,
  running: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const { execution } = session
      const { instance } = execution
      const clock = yield* Effect.clock
      const parent = yield* Effect.option(Effect.currentParentSpan)
      const tracing = yield* tracingOf
      const began = clock.unsafeCurrentTimeNanos()
      const labels = yield* labelled({ job: instance.jobName })
      const span = tracing && start(tracing, "batch.job", parent, {
        ...attributesOf(execution),
        "batch.restart_of": Option.getOrUndefined(execution.restartOf)
      }, previousSpan(execution))
      if (span !== undefined) {
        setContext(
          session,
          ExecutionContext.unsafeSet(session.context, SPAN, { traceId: span.traceId, spanId: span.spanId })
        )
      }
      BatchMetrics.jobsActive.unsafeModify(1, labels())
      const exit = yield* Effect.exit(restore(annotated(execution, below(span, running))))
      BatchMetrics.jobsActive.unsafeModify(-1, labels())
      const ended = Exit.isSuccess(exit) ? session.execution : undefined
      const status = MetricLabel.make("status", ended?.status ?? "UNKNOWN")
      BatchMetrics.jobDuration.unsafeUpdate(secondsSince(clock, began), labels(status, SECONDS))
      if (span !== undefined) {
        end(span, clock, ended, Exit.isSuccess(exit) ? exit.value.cause : Option.some(exit.cause))
      }
      return yield* exit
    })
  )

/** Tells what is left of the lease, in milliseconds. */
export const lease = (jobName: string): Effect.Effect<(millis: number) => void> =>
  Effect.map(labelled({ job: jobName }), (labels) => {
    const all = labels(SECONDS)
    return (millis) => BatchMetrics.leaseRemaining.unsafeUpdate(millis / 1000, all)
  })

// -------------------------------------------------------------------------------------
// steps
// -------------------------------------------------------------------------------------

/** Begins to report about a step; `stop` says how it ended, or that nobody can tell. */
export const step = (session: Session, execution: StepExecution, kind: string): Effect.Effect<{
  readonly telemetry: StepTelemetry
  readonly stop: (ended: StepExecution | undefined, cause: Option.Option<Cause.Cause<unknown>>) => void
}> =>
  Effect.gen(function*() {
    const clock = yield* Effect.clock
    const parent = yield* Effect.option(Effect.currentParentSpan)
    const tracing = yield* tracingOf
    const began = clock.unsafeCurrentTimeNanos()
    const labels = yield* labelled({ job: session.execution.instance.jobName, step: execution.stepName })
    const span = tracing && start(tracing, "batch.step", parent, {
      ...attributesOf(session.execution),
      ...stepAttributes(execution),
      "batch.kind": kind
    })
    BatchMetrics.stepsActive.unsafeModify(1, labels())
    return {
      telemetry: reporting({ tracing, span, clock, labels, counts: execution.counts }),
      stop: (ended, cause) => {
        BatchMetrics.stepsActive.unsafeModify(-1, labels())
        const status = MetricLabel.make("status", ended?.status ?? "UNKNOWN")
        BatchMetrics.stepDuration.unsafeUpdate(secondsSince(clock, began), labels(status, SECONDS))
        if (span !== undefined) {
          end(span, clock, ended, cause)
        }
      }
    }
  })

/** Runs the effect below a span, so that spans that it makes are part of it. */
export const below = <A, E, R>(
  span: Tracer.Span | undefined,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => span === undefined ? effect : Effect.withParentSpan(effect, span) as Effect.Effect<A, E, R>

// chunks
// -------------------------------------------------------------------------------------

/** The span of a chunk; none unless somebody traces. Nobody sees it before it ends. */
export const chunkSpan = ({ span, tracing }: StepTelemetry, execution: StepExecution): Tracer.Span | undefined =>
  tracing && start(tracing, "batch.chunk", Option.fromNullable(span), stepAttributes(execution))

/** Writes down how a chunk ended, and what it read and wrote. */
export const endChunk = (
  { tracing }: StepTelemetry,
  span: Tracer.Span | undefined,
  exit: Exit.Exit<unknown, unknown>,
  items: Readonly<Record<string, number>> = {}
): void => {
  if (span !== undefined && tracing !== undefined) {
    Object.entries(items).forEach(([name, count]) => span.attribute(`batch.chunk.${name}`, count))
    finish(span, tracing.clock, Exit.isFailure(exit) ? Option.some(unwrap(exit.cause)) : Option.none())
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Where the span of an execution is remembered in its context, for the execution that restarts it. */
const SPAN = ExecutionContext.key(
  "batch.span",
  Schema.Struct({ traceId: Schema.String, spanId: Schema.String })
)

const nobody = Context.get(DefaultServices.liveServices, Tracer.Tracer)

const systemClock = Context.get(DefaultServices.liveServices, Clock.Clock)

const tracingOf: Effect.Effect<Tracing | undefined> = Effect.withFiberRuntime((fiber) => {
  const services = fiber.getFiberRef(DefaultServices.currentServices)
  const tracer = Context.get(services, Tracer.Tracer)
  return Effect.succeed(
    tracer === nobody || !fiber.getFiberRef(FiberRef.currentTracerEnabled)
      ? undefined
      : { tracer, clock: Context.get(services, Clock.Clock) }
  )
})

const start = (
  { clock, tracer }: Tracing,
  name: string,
  parent: Option.Option<Tracer.AnySpan>,
  attributes: Readonly<Record<string, unknown>>,
  links: ReadonlyArray<Tracer.SpanLink> = []
): Tracer.Span => {
  const span = tracer.span(name, parent, Context.empty(), links, clock.unsafeCurrentTimeNanos(), "internal")
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) {
      span.attribute(key, value)
    }
  }
  return span
}

const end = (
  span: Tracer.Span,
  clock: Clock.Clock,
  ended: Pick<StepExecution, "status" | "exitStatus"> | undefined,
  cause: Option.Option<Cause.Cause<unknown>>
): void => {
  span.attribute("batch.status", ended?.status ?? "UNKNOWN")
  span.attribute("batch.exit_code", ended?.exitStatus.code)
  finish(span, clock, ended?.status === "COMPLETED" ? Option.none() : cause)
}

/** An error leaves the process in the words of the repository: masked, and without what a driver quotes of rows. */
const finish = (span: Tracer.Span, clock: Clock.Clock, cause: Option.Option<Cause.Cause<unknown>>): void => {
  const error = Option.flatMap(cause, errorOf)
  const at = clock.unsafeCurrentTimeNanos()
  if (Option.isNone(cause)) {
    return span.end(at, Exit.void)
  }
  if (Option.isNone(error)) {
    return span.end(at, Exit.failCause(cause.value))
  }
  const type = tagOf(error.value)
  const told = new Error(describe(cause.value))
  told.name = type
  told.stack = `${type}: ${told.message}`
  span.attribute("error.type", type)
  span.end(at, Exit.fail(told))
}

const previousSpan = (execution: JobExecution): ReadonlyArray<Tracer.SpanLink> =>
  Option.isNone(execution.restartOf) ? [] : Option.match(
    Option.flatten(Option.getRight(ExecutionContext.get(execution.context, SPAN))),
    {
      onNone: () => [],
      onSome: (previous) => [{
        _tag: "SpanLink",
        span: Tracer.externalSpan({ ...previous, sampled: true }),
        attributes: { "batch.restart_of": Option.getOrUndefined(execution.restartOf) }
      }]
    }
  )

const attributesOf = ({ id, instance }: JobExecution) => ({
  "batch.job": instance.jobName,
  "batch.instance": instance.id,
  "batch.execution": id
})

const stepAttributes = ({ id, stepName }: StepExecution) => ({ "batch.step": stepName, "batch.step_execution": id })

const annotated = <A, E, R>({ id, instance }: JobExecution, effect: Effect.Effect<A, E, R>) =>
  Effect.annotateLogs(effect, { "batch.job": instance.jobName, "batch.execution": id })

type Labels = (...more: ReadonlyArray<MetricLabel.MetricLabel>) => ReadonlyArray<MetricLabel.MetricLabel>

/** These, what else a metric says, and what the program says about all of its metrics, in the order of `Metric.tagged`. */
const labelled = (labels: Readonly<Record<string, string>>): Effect.Effect<Labels> =>
  Effect.map(FiberRef.get(FiberRef.currentMetricLabels), (around) => (...more) => [
    ...Object.entries(labels).map(([key, value]) => MetricLabel.make(key, value)),
    ...more,
    ...around
  ])

const secondsSince = (clock: Clock.Clock, began: bigint): number => Number(clock.unsafeCurrentTimeNanos() - began) / 1e9

const SECONDS = MetricLabel.make("unit", "s")

const { chunks, items } = BatchMetrics

const OUTCOMES = [
  { count: "read", counter: items, name: "read" },
  { count: "write", counter: items, name: "written" },
  { count: "filter", counter: items, name: "filtered" },
  { count: "readSkip", counter: items, name: "read_skipped" },
  { count: "processSkip", counter: items, name: "process_skipped" },
  { count: "writeSkip", counter: items, name: "write_skipped" },
  { count: "commit", counter: chunks, name: "committed" },
  { count: "rollback", counter: chunks, name: "rolled_back" }
] as const

// A metric finds what it keeps for an array of labels by the array itself, so each is made once and passed again.

const reporting = ({ clock, counts, labels, span, tracing }: {
  readonly tracing: Tracing | undefined
  readonly span: Tracer.Span | undefined
  readonly clock: Clock.Clock
  readonly labels: Labels
  readonly counts: Counts.Counts
}): StepTelemetry => {
  // Asked five times per chunk: the time of the system without the arithmetic of big integers.
  const now = clock === systemClock
    ? () => performance.now() / 1000
    : () => Number(clock.unsafeCurrentTimeNanos()) / 1e9
  const timed = labels(SECONDS)
  const timer = (histogram: Metric.Metric.Histogram<number>): Timer => (began) =>
    histogram.unsafeUpdate(now() - began, timed)
  const outcomes = OUTCOMES.map(({ count, counter, name }) => ({
    count,
    counter,
    labels: labels(MetricLabel.make("outcome", name))
  }))
  const plain = labels()
  let counted = counts
  return {
    tracing,
    span,
    now,
    read: timer(BatchMetrics.chunkRead),
    process: timer(BatchMetrics.chunkProcess),
    write: timer(BatchMetrics.chunkWrite),
    commit: timer(BatchMetrics.chunkCommit),
    retried: () => BatchMetrics.retries.unsafeUpdate(1, plain),
    stored: (counts) => {
      for (const { count, counter, labels } of outcomes) {
        if (counts[count] !== counted[count]) {
          counter.unsafeUpdate(counts[count] - counted[count], labels)
        }
      }
      counted = counts
    }
  }
}
