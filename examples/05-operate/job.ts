/**
 * The job that this example operates.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { Data, Effect, Schema } from "effect"
import { Flow, ItemReader, ItemWriter, Job, JobParameters, Step } from "effect-batch"
import { SqlItemWriter } from "effect-batch/sql"

class OrderParams extends JobParameters.Tag<OrderParams>()("OrderParams", {
  day: Schema.DateFromString.annotations({ description: "The day whose orders are billed" }),
  orders: JobParameters.nonIdentifying(
    Schema.optionalWith(Schema.Int, { exact: true, default: () => 1000 }).annotations({
      description: "How many orders that day has"
    })
  ),
  pause: JobParameters.nonIdentifying(
    Schema.optionalWith(Schema.Int, { exact: true, default: () => 20 }).annotations({
      description: "Milliseconds to rest after each chunk, to have time to look"
    })
  )
}) {}

class NoAddress extends Data.TaggedError("NoAddress")<{ readonly order: number }> {
  override get message(): string {
    return `Order ${this.order} has no address`
  }
}

const createTable = Step.tasklet(
  "create-table",
  Effect.flatMap(
    SqlClient,
    (sql) => sql`create table if not exists bill (day text not null, id integer not null, cents integer not null)`
  )
)

const orders = ItemReader.unwrap(
  Effect.map(OrderParams, ({ orders }) => ItemReader.fromIterable(Array.from({ length: orders }, (_, i) => i + 1)))
)

const rest = ItemWriter.unwrap(
  Effect.map(
    OrderParams,
    ({ pause }) => ItemWriter.fromFunction((_: ReadonlyArray<unknown>) => Effect.sleep(pause), { name: "rest" })
  )
)

const bill = Step.chunk("bill", {
  reader: orders,
  processor: (id) =>
    id % 350 === 0
      ? Effect.fail(new NoAddress({ order: id }))
      : Effect.map(
        OrderParams,
        ({ day }) => ({ day: day.toISOString().slice(0, 10), id, cents: (id * 7919) % 10_007 })
      ),
  writer: ItemWriter.tee(SqlItemWriter.insertInto<{ day: string; id: number; cents: number }>("bill"), rest),
  chunkSize: 10
}).pipe(Step.skip("NoAddress", { limit: 10 }), Step.quarantine())

/** Bills the orders of a day; those without an address are skipped, and kept for somebody to look at. */
export const billing = Job.make("billing", {
  parameters: OrderParams,
  flow: createTable.pipe(Flow.andThen(bill))
})
