/**
 * A program as people write it: a job that takes its time, and the command line. A part of a chunk is marked by a file.
 */
import { NodeContext } from "@effect/platform-node"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import { BatchCli } from "../../src/cli/index.js"
import { ItemReader, ItemWriter, Job, Step } from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Sqlite from "../support/Sqlite.js"

const file = process.argv[2]!

const writer = ItemWriter.fromFunction(
  (items: ReadonlyArray<number>) =>
    Effect.sync(() => Fs.writeFileSync(`${file}.at`, String(items[0]))).pipe(
      Effect.zipRight(Fs.existsSync(`${file}.fast`) ? Effect.void : Effect.sleep("300 millis"))
    ),
  { name: "slow" }
)

const load = (name: string) =>
  Job.make(name, {
    flow: Step.chunk("work", {
      reader: ItemReader.fromIterable(Array.from({ length: 200 }, (_, index) => index + 1)),
      writer,
      chunkSize: 10
    }),
    restartable: name !== "once"
  })

const cli = BatchCli.make({
  name: "nightly",
  version: "1.0.0",
  jobs: [load("load"), load("once")],
  layer: Layer.provideMerge(SqlJobRepository.layer, Sqlite.layerFile(file))
})

BatchCli.runMain((args) => cli([args[0]!, args[1]!, ...args.slice(3)]), NodeContext.layer)
