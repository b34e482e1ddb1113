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

/**
 * Some chunks keep their transaction open for a while, so that faults land inside of it too. The chunks of every other job
 * are one message each, with two on their way; there the database takes its time.
 */
const dawdle = ItemWriter.fromFunction((_: ReadonlyArray<Row>) => Effect.sleep(Math.random() * 8), { name: "dawdle" })

const insert = SqlItemWriter.insertInto<Row>("chaos_row")

export const table = [
  "create table chaos_row (job integer not null, id integer not null, execution integer not null)",
  "create function dawdle() returns trigger language plpgsql as $$ begin " +
  "if new.job % 2 = 0 then perform pg_sleep(random() * 0.003); end if; return new; end $$",
  "create trigger dawdles before insert on chaos_row for each row execute function dawdle()"
]

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
    writer: ItemWriter.unwrap(Effect.map(Params, ({ job }) => job % 2 === 0 ? insert : ItemWriter.tee(insert, dawdle))),
    chunkSize,
    prefetch: true
  })
})
