/**
 * What is told of a job while it runs, in which order, and about what (HAND-5).
 */
import { assert, describe, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import {
  type BatchEvent,
  Flow,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  Step
} from "../../src/index.js"

/** Runs a job and gives each event as one word, with the name of its step and what is special about it. */
const told = <E, R>(running: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function*() {
    const hub = yield* PubSub.unbounded<BatchEvent.BatchEvent>()
    const published = yield* PubSub.subscribe(hub)
    yield* Effect.exit(Effect.provideService(running, JobOperator.Events, hub))
    return [...yield* Queue.takeAll(published)].map(say)
  })

const say = (event: BatchEvent.BatchEvent): string => {
  switch (event._tag) {
    case "JobStarted":
    case "JobEnded":
      return `${event._tag} ${event.job.status}`
    case "StepStarted":
      return `${event._tag} ${event.step.stepName}${event.resumed ? " resumed" : ""}`
    case "StepSkipped":
      return `${event._tag} ${event.step.stepName}`
    case "StepEnded":
      return `${event._tag} ${event.step.stepName} ${event.step.status}`
    case "ChunkCommitted":
      return `${event._tag} ${event.step.counts.read} ${event.step.counts.write}`
    case "ChunkRolledBack":
      return `${event._tag} ${event.message}`
    case "ItemSkipped":
      return `${event._tag} ${event.phase} ${event.message}`
    case "HeartbeatLate":
      return event._tag
  }
}

class Refused extends Data.TaggedError("Refused")<{}> {
  override readonly message = "refused"
}

const writing = (refused: () => number | undefined) =>
  Step.chunk("load", {
    reader: ItemReader.fromIterable([1, 2, 3]),
    writer: ItemWriter.fromFunction((items: ReadonlyArray<number>) =>
      items.some((item) => item === refused()) ? new Refused() : Effect.void
    ),
    chunkSize: 2
  })

describe("events", () => {
  it.scoped("tell of a job, its steps and its commits in their order", () =>
    Effect.gen(function*() {
      const after = Step.tasklet("after", Effect.void)
      const job = Job.make("told", { flow: writing(() => undefined).pipe(Flow.andThen(after)) })
      assert.deepStrictEqual(yield* told(JobOperator.run(job, {})), [
        "JobStarted STARTED",
        "StepStarted load",
        "ChunkCommitted 2 2",
        "ChunkCommitted 3 3",
        "StepEnded load COMPLETED",
        "StepStarted after",
        "ChunkCommitted 0 0",
        "StepEnded after COMPLETED",
        "JobEnded COMPLETED"
      ])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.scoped("tell of a failure, and in a restart of what is complete and of what goes on", () =>
    Effect.gen(function*() {
      let refused: number | undefined = 3
      const before = Step.tasklet("before", Effect.void)
      const job = Job.make("failing", { flow: before.pipe(Flow.andThen(writing(() => refused))) })
      const first = yield* told(JobOperator.run(job, {}))
      assert.deepStrictEqual(first.slice(4), [
        "StepStarted load",
        "ChunkCommitted 2 2",
        "ChunkRolledBack Refused: refused",
        "StepEnded load FAILED",
        "JobEnded FAILED"
      ])
      refused = undefined
      assert.deepStrictEqual(yield* told(JobOperator.run(job, {})), [
        "JobStarted STARTED",
        "StepSkipped before",
        "StepStarted load resumed",
        "ChunkCommitted 1 1",
        "StepEnded load COMPLETED",
        "JobEnded COMPLETED"
      ])
    }).pipe(Effect.provide(JobRepository.layerMemory)))

  it.scoped("tell of each record that is skipped before the commit that makes it durable", () =>
    Effect.gen(function*() {
      const step = writing(() => 1).pipe(Step.skip("Refused", { limit: 1 }))
      const job = Job.make("skipping", { flow: step })
      const events = yield* told(JobOperator.run(job, {}))
      const skipped = events.findIndex((event) => event.startsWith("ItemSkipped write"))
      assert.isAbove(skipped, events.findIndex((event) => event.startsWith("ChunkRolledBack")))
      assert.match(events[skipped + 1] ?? "", /^ChunkCommitted/)
    }).pipe(Effect.provide(JobRepository.layerMemory)))
})
