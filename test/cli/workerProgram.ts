/**
 * A program as people write it: one partitioned job that leaves its partitions to workers, and the command line. Its rows tell
 * which process wrote them.
 */
import { NodeContext } from "@effect/platform-node"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { BatchCli } from "../../src/cli/index.js"
import { ItemReader, ItemWriter, Job, JobOperator, Partition, Step } from "../../src/index.js"
import { SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import * as Postgres from "../support/Postgres.js"

const url = process.argv[2]!

interface Row {
  readonly part: string
  readonly id: number
  readonly process: number
}

const insert = SqlItemWriter.insertInto<Row>("part_row")
const pause = Number(process.env["PART_PAUSE"] ?? 40)

const slow = ItemWriter.fromFunction((_: ReadonlyArray<Row>) => Effect.sleep(pause), { name: "slow" })

const job = Job.make("spread", {
  flow: Step.partition("load", {
    plan: Partition.values(["a", "b", "c", "d", "e", "f", "g", "h"]),
    input: Schema.String,
    step: (part) =>
      Step.chunk("rows", {
        reader: ItemReader.fromIterable(Array.from({ length: 40 }, (_, id) => id)),
        processor: (id: number): Effect.Effect<Row> => Effect.succeed({ part, id, process: process.pid }),
        writer: ItemWriter.tee(insert, slow),
        chunkSize: 2
      }),
    concurrency: 0
  })
})

const cli = BatchCli.make({
  name: "spread",
  version: "1.0.0",
  jobs: [job],
  layer: Layer.provideMerge(SqlJobRepository.layer, Postgres.layerUrl(url, { maxConnections: 4 }))
})

/** Short where somebody waits until it is over: for what a worker has that is frozen. */
const ownership = {
  ...JobOperator.Ownership.defaultValue(),
  lease: process.argv[3] === "worker" ? "3 seconds" : "30 seconds"
} as const

BatchCli.runMain(
  (args) => Effect.provideService(cli([args[0]!, args[1]!, ...args.slice(3)]), JobOperator.Ownership, ownership),
  NodeContext.layer
)
