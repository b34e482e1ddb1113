/**
 * The partitioned jobs of `partitions`, for its own process and for its workers.
 */
import { Effect, Schema } from "effect"
import { ItemReader, ItemWriter, Job, JobParameters, Step } from "effect-batch"
import { CsvItemReader, FilePartition } from "effect-batch/file"

/** Of `partitions`, with `chunks` that wait `pause` milliseconds each; without chunks a partition does nothing. */
class Size extends JobParameters.Tag<Size>()("Size", {
  run: Schema.String,
  partitions: Schema.Int,
  chunks: Schema.Int,
  pause: Schema.Int
}) {}

const make = (name: string, concurrency: number) =>
  Job.make(name, {
    parameters: Size,
    flow: Step.partition("load", {
      plan: Effect.map(Size, ({ chunks, partitions, pause }) =>
        Array.from({ length: partitions }, (_, at) => ({ name: `p${at}`, input: { chunks, pause } }))),
      input: Schema.Struct({ chunks: Schema.Int, pause: Schema.Int }),
      step: ({ chunks, pause }) =>
        chunks === 0 ? Step.tasklet("nothing", Effect.void) : Step.chunk("waiting", {
          reader: ItemReader.fromIterable(Array.from({ length: chunks }, (_, at) =>
            at)),
          writer: ItemWriter.fromFunction((_: ReadonlyArray<number>) =>
            Effect.sleep(pause)
          ),
          chunkSize: 1
        }),
      concurrency,
      version: "1"
    })
  })

/** In four slots of the process that runs it. */
export const alone = make("alone", 4)

/** In other processes. */
export const spread = make("spread", 0)

class File extends JobParameters.Tag<File>()("File", { run: Schema.String, path: Schema.String }) {}

const rows = {
  schema: Schema.Struct({ id: Schema.NumberFromString, name: Schema.String, cents: Schema.NumberFromString })
}

/** One large file, in eight ranges, in other processes. */
export const csv = Job.make("csv", {
  parameters: File,
  flow: Step.partition("load", {
    plan: Effect.flatMap(File, ({ path }) => FilePartition.csvRanges(path, { ...rows, partitions: 8 })),
    input: FilePartition.FileRange,
    step: (range) =>
      Step.chunk("rows", {
        reader: CsvItemReader.make(range.path, { ...rows, range }),
        writer: ItemWriter.discard,
        chunkSize: 1000
      }),
    concurrency: 0,
    version: "1"
  })
})
