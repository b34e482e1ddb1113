/**
 * The job of the chaos test: 200 chunks into a table without a key, so that a row that is written twice shows up. Each
 * row tells which execution wrote it.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ItemReader, ItemWriter, Job, JobParameters, Step, StepScope } from "../../src/index.js"
import { SqlItemWriter } from "../../src/sql/index.js"

export const chunks = 200
export const chunkSize = 3
export const rows = chunks * chunkSize

class Params extends JobParameters.Tag<Params>()("ChaosParams", { job: Schema.Int }) {}

interface Row {
  readonly job: number
  readonly id: number
  readonly execution: number
}

/** Some chunks keep their transaction open for a while, so that faults land inside of it too. */
const dawdle = ItemWriter.fromFunction("dawdle", (_: ReadonlyArray<Row>) => Effect.sleep(Math.random() * 8))

export const chaosJob = Job.make("chaos", {
  parameters: Params,
  flow: Step.chunk("load", {
    reader: ItemReader.fromIterable(Array.from({ length: rows }, (_, index) => index + 1)),
    processor: (id: number) =>
      Effect.zipWith(Params, StepScope.execution, ({ job }, { jobExecutionId: execution }): Row => ({
        job,
        id,
        execution
      })),
    writer: ItemWriter.tee(SqlItemWriter.insertInto<Row>("chaos_row"), dawdle),
    chunkSize
  })
})
