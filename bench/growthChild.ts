/**
 * A job in a process of its own, so that its peak memory is not that of another: `growthChild.ts engine|csv COUNT
 * DIRECTORY` runs it and prints what it took.
 */
import { Effect, Option, Schema } from "effect"
import { ItemProcessor, ItemReader, ItemWriter, JobRepository, Step } from "effect-batch"
import { CsvItemReader } from "effect-batch/file"
import { SqlItemWriter } from "effect-batch/sql"
import * as database from "./database.js"
import { time } from "./measure.js"

/** What `growth` reads from a child. */
export interface Grown {
  readonly wall: number
  /** In bytes, from the start of the process on. */
  readonly peak: number
}

const [kind, text, directory] = process.argv.slice(2)
const count = Number(text)

const numbers = ItemReader.paged({
  name: "numbers",
  cursor: Schema.Number,
  initial: 0,
  fetch: (first, max) => {
    const size = Math.min(max, count - first)
    return Effect.succeed({
      items: Array.from({ length: size }, (_, i) => ({ id: first + i, amount: i / 100 })),
      next: first + size < count ? Option.some(first + size) : Option.none()
    })
  }
})

const engine = database.runStep(Step.chunk("grow", {
  reader: numbers,
  processor: ItemProcessor.map(({ amount, id }: { readonly id: number; readonly amount: number }) => ({
    id,
    cents: Math.round(amount * 100)
  })),
  writer: ItemWriter.discard,
  chunkSize: 1000
})).pipe(Effect.provide(JobRepository.layerMemory))

const csv = database.runStep(Step.chunk("grow", {
  reader: CsvItemReader.make(`${directory}/${count}.csv`),
  writer: SqlItemWriter.insertInto("grown"),
  chunkSize: 1000
}))

const run = async (): Promise<void> => {
  if (kind === "engine") {
    return Effect.runPromise(engine)
  }
  const runtime = database.sqlite(`${directory}/grown.db`)
  await runtime.runPromise(csv)
  await runtime.dispose()
}

const { wall } = await time(run)
const grown: Grown = { wall, peak: process.resourceUsage().maxRSS * 1024 }
process.stdout.write(JSON.stringify(grown))
