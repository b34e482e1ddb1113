/**
 * A batch program as its operators know it: jobs by name, stopped, inspected, restarted and cleaned up from a terminal.
 * README.md walks through it.
 *
 *   npx tsx examples/05-operate/main.ts --help
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { SqlClient } from "@effect/sql/SqlClient"
import { Data, Effect, Schema } from "effect"
import { Flow, ItemReader, ItemWriter, Job, JobParameters, Step } from "effect-batch"
import { BatchCli } from "effect-batch/cli"
import { SqlItemWriter } from "effect-batch/sql"
import * as Database from "../support/Database.js"

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
    ({ pause }) => ItemWriter.fromFunction("rest", (_: ReadonlyArray<unknown>) => Effect.sleep(pause))
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

const billing = Job.make("billing", {
  parameters: OrderParams,
  flow: createTable.pipe(Flow.andThen(bill))
})

const tidy = Job.make("tidy", { flow: Step.tasklet("remove-drafts", Effect.sleep("10 millis")) })

const url = process.env["DATABASE_URL"]

BatchCli.runMain(
  BatchCli.make({
    name: "shop-batch",
    version: "1.0.0",
    jobs: [billing, tidy],
    layer: Database.layer(
      url === undefined ? Database.Target.Sqlite({ file: "shop.db" }) : Database.Target.Postgres({ url })
    )
  }),
  NodeContext.layer
)
