/**
 * Work that does nothing to the database: what is recorded of it needs no transaction, and is there once whatever becomes of
 * the answer.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { proxy } from "../../bench/wire.js"
import {
  BatchError,
  ItemReader,
  ItemWriter,
  Job,
  JobOperator,
  JobRepository,
  Partition,
  PartitionWorker,
  Step
} from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import { sqlDrivers } from "../support/drivers.js"
import * as Postgres from "../support/Postgres.js"

const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, at) => at)

/** As many partitions, one after the other. */
const partitions = (count: number) =>
  Job.make(`${count} partitions`, {
    flow: Step.partition("load", {
      plan: Partition.values(numbers(count)),
      input: Schema.Int,
      step: () => Step.tasklet("nothing", Effect.void),
      concurrency: 1,
      version: "1"
    })
  })

const chunks = (count: number) =>
  Job.make(`${count} chunks`, {
    flow: Step.chunk("load", {
      reader: ItemReader.fromIterable(numbers(count)),
      writer: ItemWriter.fromFunction((_: ReadonlyArray<number>) => Effect.void),
      chunkSize: 1
    })
  })

/** What the 30 last ones of 40 cost. */
const traffic = (job: typeof partitions | typeof chunks) =>
  Effect.gen(function*() {
    const counted = yield* Effect.acquireRelease(
      Effect.flatMap(Postgres.freshUrl, (url) => Effect.promise(() => proxy(url))),
      ({ close }) => Effect.sync(close)
    )
    const repository = Layer.fresh(SqlJobRepository.layerWith({ control: false })).pipe(
      Layer.provideMerge(Postgres.layerUrl(counted.url))
    )
    const run = (count: number) =>
      Effect.map(JobOperator.runOrFail((job as typeof chunks)(count), {}), () => counted.traffic())
    const [first, second, third] = yield* Effect.all([run(9), run(10), run(40)]).pipe(
      // Nobody looks for partitions meanwhile, and no lease is renewed.
      Effect.provideService(PartitionWorker.Poll, "1 hour"),
      Effect.provideService(JobOperator.Ownership, { ...JobOperator.Ownership.defaultValue(), lease: "1 hour" }),
      Effect.provide(repository)
    )
    const more = (of: "roundTrips" | "statements") => third[of] - second[of] - (second[of] - first[of])
    return [more("statements") / 30, more("roundTrips") / 30]
  })

describe("where nothing is done to the database", () => {
  it.scopedLive("a partition is five statements: its claim, its step, what that did, and the two ends (P2)", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* traffic(partitions), [5, 5])
    }))

  it.scopedLive("a chunk is one statement (P2)", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* traffic(chunks), [1, 1])
    }))

  for (const { layer, name } of sqlDrivers) {
    for (const isStored of [true, false]) {
      const answer = `has no answer, and was ${isStored ? "" : "not "}stored`
      it.scopedLive(`a tasklet counts once, and is called once, when the record of it ${answer} (${name}) (OWN-21)`, () =>
        Effect.gen(function*() {
          const repository = yield* JobRepository.JobRepository
          let [calls, saves] = [0, 0]
          const lost = new BatchError.JobRepositoryError({
            operation: "save",
            reason: "transient",
            detail: "no answer"
          })
          const { id } = yield* JobOperator.runOrFail(
            Job.make("told", { flow: Step.tasklet("once", Effect.sync(() => void calls++)) }),
            {}
          ).pipe(Effect.provideService(JobRepository.JobRepository, {
            ...repository,
            updateStepExecution: (...save) =>
              Effect.suspend(() =>
                ++saves > 1
                  ? repository.updateStepExecution(...save)
                  : Effect.zipRight(isStored ? repository.updateStepExecution(...save) : Effect.void, Effect.fail(lost))
              )
          }))
          const [step] = yield* JobOperator.steps(id)
          assert.deepStrictEqual([calls, step!.counts.commit, step!.counts.rollback, step!.status], [
            1,
            1,
            0,
            "COMPLETED"
          ])
          // The record, once more, and the end.
          assert.strictEqual(saves, 3)
        }).pipe(Effect.provide(layer)))
    }
  }
})
