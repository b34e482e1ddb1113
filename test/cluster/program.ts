/**
 * A process of a cluster as people write it, with its command line: a job whose chunks take their time, and one that a schedule runs every second. Their
 * rows tell which process wrote them.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as SqlClient from "@effect/sql/SqlClient"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { BatchCli } from "../../src/cli/index.js"
import { BatchCluster } from "../../src/cluster/index.js"
import { ItemReader, ItemWriter, Job, JobOperator, JobParameters, Step } from "../../src/index.js"
import { SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import * as Postgres from "../support/Postgres.js"

interface Row {
  readonly id: number
  readonly process: number
}

const insert = SqlItemWriter.insertInto<Row>("job_row")
const slow = ItemWriter.fromFunction((_: ReadonlyArray<Row>) => Effect.sleep("50 millis"), { name: "slow" })

export const ROWS = 120

export const long = Job.make("long", {
  flow: Step.chunk("rows", {
    reader: ItemReader.fromIterable(Array.from({ length: ROWS }, (_, id) => id)),
    processor: (id: number): Effect.Effect<Row> => Effect.succeed({ id, process: process.pid }),
    writer: ItemWriter.tee(insert, slow),
    chunkSize: 2
  })
})

class Tick extends JobParameters.Tag<Tick>()("Tick", { at: Schema.String }) {}

export const ticking = Job.make("ticking", {
  parameters: Tick,
  flow: Step.tasklet(
    "note",
    Effect.flatMap(
      Tick,
      ({ at }) =>
        Effect.flatMap(
          SqlClient.SqlClient,
          (sql) => sql`insert into tick_row ${sql.insert({ at: new Date(at), process: process.pid })}`
        )
    )
  )
})

/** Faster than what people need, so that a test does not wait for it. */
export const sharding = {
  shardLockExpiration: "4 seconds",
  shardLockRefreshInterval: "1 second",
  runnerHealthCheckInterval: "1 second",
  refreshAssignmentsInterval: "250 millis",
  entityMessagePollInterval: "250 millis",
  entityReplyPollInterval: "250 millis"
} as const

export const ownership = { ...JobOperator.Ownership.defaultValue(), lease: "10 seconds" } as const

const [, file, url, port] = process.argv

if (file?.endsWith("program.mjs") === true) {
  const jobs = [long, ticking]
  const schedules = [
    BatchCluster.schedule(ticking, "* * * * * *", (tick) => ({ at: DateTime.formatIso(tick) }), { name: "seconds" })
  ]
  const cli = BatchCli.make({
    name: "program",
    version: "1.0.0",
    jobs,
    layer: Layer.provideMerge(SqlJobRepository.layer, Postgres.layerUrl(url!, { maxConnections: 6 })),
    cluster: {
      schedules,
      process: (settings) =>
        BatchCluster.layer(jobs, { ...settings, schedules, sharding }).pipe(
          Layer.tap(() => Effect.sync(() => process.stdout.write("ready\n")))
        )
    }
  })
  process.argv.splice(2, 2, "cluster", "run", "--address", `localhost:${port}`)
  BatchCli.runMain((args) => Effect.provideService(cli(args), JobOperator.Ownership, ownership), NodeContext.layer)
}
