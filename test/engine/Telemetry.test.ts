/** What a tracer and the metrics of the program see of a job. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import * as Tracer from "effect/Tracer"
import {
  BatchError,
  BatchMetrics,
  ExecutionContext,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  Step
} from "../../src/index.js"
import { drivers } from "../support/drivers.js"

interface Seen {
  readonly name: string
  readonly spanId: string
  readonly traceId: string
  readonly parent: string | undefined
  readonly attributes: ReadonlyMap<string, unknown>
  readonly links: ReadonlyArray<Tracer.SpanLink>
  readonly exit: Exit.Exit<unknown, unknown>
}

const unreachable = new BatchError.JobRepositoryError({
  operation: "renewLease",
  reason: "transient",
  detail: "unplugged"
})

/** Keeps the spans that have ended, in the order of their ends. */
const recording = (seen: Array<Seen>) =>
  Tracer.make({
    context: (f) => f(),
    span: (name, parent, _context, links, startTime, kind) => {
      const attributes = new Map<string, unknown>()
      const spanId = `span-${Math.random()}`
      const traceId = Option.match(parent, { onNone: () => `trace-of-${spanId}`, onSome: (span) => span.traceId })
      return {
        _tag: "Span",
        name,
        spanId,
        traceId,
        parent,
        context: Context.empty(),
        status: { _tag: "Started", startTime },
        attributes,
        links,
        sampled: true,
        kind,
        attribute: (key, value) => void attributes.set(key, value),
        event: () => {},
        addLinks: () => {},
        end: (_, exit) =>
          void seen.push({
            name,
            spanId,
            traceId,
            parent: Option.getOrUndefined(Option.map(parent, ({ spanId }) => spanId)),
            attributes,
            links,
            exit
          })
      }
    }
  })

/** Each ended span with the names of those above it. */
const paths = (seen: ReadonlyArray<Seen>): ReadonlyArray<string> => {
  const pathOf = (span: Seen): string => {
    const above = seen.find(({ spanId }) => spanId === span.parent)
    return above === undefined ? span.name : `${pathOf(above)} > ${span.name}`
  }
  return seen.map(pathOf).sort()
}

class BadRow extends Data.TaggedError("BadRow")<{ readonly line: number }> {
  override get message() {
    return `line ${this.line} makes no sense`
  }
}

const load = (options: { readonly prefetch?: boolean; readonly fail?: () => boolean } = {}) =>
  Step.chunk("load", {
    reader: ItemReader.fromIterable([1, 2, 3]),
    processor: (n: number) => Effect.withSpan(Effect.succeed(n), "look up"),
    writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
      Effect.withSpan(
        items.includes(3) && options.fail?.() === true ? Effect.fail(new BadRow({ line: 3 })) : Effect.void,
        "insert"
      )
    ),
    chunkSize: 2,
    ...(options.prefetch === true ? { prefetch: true } : {})
  })

type Tags = Readonly<Record<string, string>>

const tagged = <Type, In, Out>(metric: Metric.Metric<Type, In, Out>, tags: Tags) =>
  Object.entries(tags).reduce((tagged, [key, tag]) => Metric.tagged(tagged, key, tag), metric)

const value = (metric: Metric.Metric.Counter<number>, tags: Tags) =>
  Effect.map(Metric.value(tagged(metric, tags)), ({ count }) => count)

const observed = (metric: Metric.Metric.Histogram<number>, tags: Tags) =>
  Metric.value(tagged(metric, { ...tags, unit: "s" }))

describe("spans", () => {
  for (const prefetch of [false, true]) {
    it.effect(`one per job, step, chunk and call, with the user's own below them${prefetch ? ", with prefetch" : ""}`, () =>
      Effect.gen(function*() {
        const seen: Array<Seen> = []
        const job = Job.make("traced", {
          flow: load({ prefetch }).pipe(
            Flow.andThen(Step.tasklet("report", Effect.withSpan(Effect.void, "mail")))
          )
        })
        const { id, instance } = yield* Effect.withTracer(JobOperator.runOrFail(job, {}), recording(seen)).pipe(
          Effect.withSpan("cron"),
          Effect.withTracer(recording(seen))
        )
        const chunk = "cron > batch.job > batch.step > batch.chunk"
        assert.deepStrictEqual(paths(seen), [
          "cron",
          "cron > batch.job",
          "cron > batch.job > batch.step",
          "cron > batch.job > batch.step",
          chunk,
          chunk,
          chunk,
          `${chunk} > insert`,
          `${chunk} > insert`,
          `${chunk} > look up`,
          `${chunk} > look up`,
          `${chunk} > look up`,
          `${chunk} > mail`
        ])
        const [step] = yield* JobOperator.steps(id)
        const of = (name: string) => Object.fromEntries(seen.find((span) => span.name === name)!.attributes)
        assert.deepStrictEqual(of("batch.job"), {
          "batch.job": "traced",
          "batch.instance": instance.id,
          "batch.execution": id,
          "batch.status": "COMPLETED",
          "batch.exit_code": "COMPLETED"
        })
        assert.deepStrictEqual(of("batch.step"), {
          "batch.job": "traced",
          "batch.instance": instance.id,
          "batch.execution": id,
          "batch.step": "load",
          "batch.step_execution": step!.id,
          "batch.kind": "Chunk",
          "batch.status": "COMPLETED",
          "batch.exit_code": "COMPLETED"
        })
        assert.deepStrictEqual(of("batch.chunk"), {
          "batch.step": "load",
          "batch.step_execution": step!.id,
          "batch.chunk.written": 2
        })
      }).pipe(Effect.provide(JobRepository.layerMemory)))
  }

  for (const { layer, name } of drivers) {
    it.effect(`a restart links to the execution that it restarts, on ${name}`, () =>
      Effect.gen(function*() {
        const seen: Array<Seen> = []
        let fail = true
        const job = Job.make(`linked-${name}`, { flow: load({ fail: () => fail }) })
        const failed = yield* Effect.withTracer(JobOperator.run(job, {}), recording(seen))
        fail = false
        const restarted = yield* Effect.withTracer(JobOperator.run(job, {}), recording(seen))
        assert.deepStrictEqual([failed.status, restarted.status], ["FAILED", "COMPLETED"])
        const [first, second] = seen.filter((span) => span.name === "batch.job")
        assert.lengthOf(first!.links, 0)
        assert.deepStrictEqual(second!.links.map(({ span }) => [span.traceId, span.spanId]), [
          [first!.traceId, first!.spanId]
        ])
        assert.strictEqual(second!.attributes.get("batch.restart_of"), failed.id)
      }).pipe(Effect.provide(layer)))
  }

  it.effect("a failure is on its chunk, its step and its job, in the words of the exit message", () =>
    Effect.gen(function*() {
      const seen: Array<Seen> = []
      const job = Job.make("failing", { flow: load({ fail: () => true }) })
      const { id } = yield* Effect.withTracer(JobOperator.run(job, {}), recording(seen))
      const [step] = yield* JobOperator.steps(id)
      const failed = seen.filter(({ attributes }) => attributes.get("error.type") === "BadRow")
      assert.deepStrictEqual(failed.map(({ name }) => name), ["batch.chunk", "batch.step", "batch.job"])
      for (const { exit } of failed) {
        const error = Option.getOrThrow(Exit.causeOption(exit))
        assert.include(String(error), "BadRow: line 3 makes no sense")
        // Not the stack of who ends the span.
        const [told] = Cause.failures(error)
        assert.strictEqual((told as Error).stack, `BadRow: ${(told as Error).message}`)
      }
      assert.include(step!.exitStatus.messages.join(), "line 3 makes no sense")
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.effect("nothing is remembered of spans when nobody traces, or tracing is switched off", () =>
    Effect.gen(function*() {
      const seen: Array<Seen> = []
      const key = ExecutionContext.key("batch.span", Schema.Unknown as unknown as Schema.Schema<unknown, never>)
      const quiet = yield* JobOperator.runOrFail(Job.make("quiet", { flow: load() }), {})
      const off = yield* JobOperator.runOrFail(Job.make("off", { flow: load() }), {}).pipe(
        Effect.withTracerEnabled(false),
        Effect.withTracer(recording(seen))
      )
      for (const { context } of [quiet, off]) {
        assert.isFalse(Object.hasOwn(JSON.parse(ExecutionContext.toJson(context)), key.name))
      }
      assert.deepStrictEqual(seen.map(({ name }) => name).filter((name) => name.startsWith("batch.")), [])
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})

describe("metrics", () => {
  it.effect("durations by status, times per chunk, launches and what is active, with the labels of the program", () =>
    Effect.gen(function*() {
      const active: Array<number> = []
      const slow = Step.chunk("slow", {
        reader: ItemReader.fromIterable([1, 2, 3]),
        processor: (n: number) => Effect.as(Effect.sleep("1 seconds"), n),
        writer: ItemWriter.fromFunction(() =>
          Effect.flatMap(
            Metric.value(tagged(BatchMetrics.stepsActive, { job: "measured", step: "slow" })),
            ({ value }) => Effect.zipRight(Effect.sync(() => active.push(value)), Effect.sleep("10 seconds"))
          )
        ),
        chunkSize: 2
      })
      const running = yield* Effect.fork(JobOperator.runOrFail(Job.make("measured", { flow: slow }), {}))
      yield* TestClock.adjust("60 seconds")
      yield* running
      assert.deepStrictEqual(active, [1, 1])
      const tags = { job: "measured" }
      const stepTags = { ...tags, step: "slow" }
      const process = yield* observed(BatchMetrics.chunkProcess, stepTags)
      const write = yield* observed(BatchMetrics.chunkWrite, stepTags)
      const commit = yield* observed(BatchMetrics.chunkCommit, stepTags)
      const read = yield* observed(BatchMetrics.chunkRead, stepTags)
      const step = yield* observed(BatchMetrics.stepDuration, { ...stepTags, status: "COMPLETED" })
      const job = yield* observed(BatchMetrics.jobDuration, { ...tags, status: "COMPLETED" })
      assert.deepStrictEqual([process.count, process.max, process.sum], [2, 2, 3])
      assert.deepStrictEqual([write.count, write.sum], [2, 20])
      assert.deepStrictEqual([commit.count, read.count], [2, 2])
      assert.deepStrictEqual([step.count, step.sum, job.count, job.sum], [1, 23, 1, 23])
      assert.strictEqual(yield* value(BatchMetrics.launches, tags), 1)
      assert.strictEqual(yield* value(BatchMetrics.items, { ...stepTags, outcome: "written" }), 3)
      assert.strictEqual((yield* Metric.value(tagged(BatchMetrics.jobsActive, tags))).value, 0)
    }).pipe(Effect.tagMetrics("region", "north"), Effect.provide(JobRepository.layerMemory)))

  it.effect("retries and takeovers are counted, and what is left of the lease falls while the repository is away", () =>
    Effect.gen(function*() {
      const repository = yield* JobRepository.JobRepository
      const lease = BatchMetrics.leaseRemaining.pipe(
        Metric.tagged("job", "cut from its repository"),
        Metric.tagged("unit", "s")
      )
      const left: Array<number> = []
      const job = Job.make("cut from its repository", { flow: Step.tasklet("wait", Effect.sleep("1 hours")) })
      let isAway = false
      const unlessAway =
        <A extends ReadonlyArray<any>, B, E>(f: (...args: A) => Effect.Effect<B, E | BatchError.JobRepositoryError>) =>
        (...args: A) => Effect.suspend(() => isAway ? Effect.fail(unreachable) : f(...args))
      const plugged = {
        ...repository,
        renewLease: unlessAway(repository.renewLease),
        updateJobExecution: unlessAway(repository.updateJobExecution)
      }
      const first = yield* Effect.fork(Effect.exit(
        Effect.provideService(JobOperator.run(job, {}), JobRepository.JobRepository, plugged)
      ))
      yield* TestClock.adjust("1 seconds")
      isAway = true
      for (let beat = 0; beat < 3; beat++) {
        yield* TestClock.adjust("7.5 seconds")
        left.push((yield* Metric.value(lease)).value)
      }
      yield* TestClock.adjust("60 seconds")
      assert.isTrue(Exit.isFailure(yield* Effect.flatten(first.await)))
      // As of the last attempt, so no less than what is left now.
      left.forEach((seconds, beat) => {
        const now = 30 - 1 - 7.5 * (beat + 1)
        assert.isTrue(seconds >= now && seconds <= now + 3, `${seconds} s left instead of ${now} s`)
      })
      let tries = 0
      const flaky = Step.chunk("flaky", {
        reader: ItemReader.fromIterable([1]),
        writer: ItemWriter.fromFunction(() => ++tries < 3 ? Effect.fail(new BadRow({ line: 1 })) : Effect.void),
        chunkSize: 1
      }).pipe(Step.retry("BadRow", { times: 5 }))
      yield* JobOperator.runOrFail(Job.make("cut from its repository", { flow: flaky }), {})
      assert.strictEqual(yield* value(BatchMetrics.takeovers, { job: "cut from its repository" }), 1)
      assert.strictEqual(yield* value(BatchMetrics.launches, { job: "cut from its repository" }), 2)
      assert.strictEqual(yield* value(BatchMetrics.retries, { job: "cut from its repository", step: "flaky" }), 2)
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})
