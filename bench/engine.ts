/**
 * What the engine itself costs: the chunk loop with a reader, a processor and a writer that do next to nothing, beside a
 * plain `for` loop over the same arrays.
 */
import { Context, Effect } from "effect"
import type { Step } from "effect-batch"
import { ItemProcessor, ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step as Steps } from "effect-batch"
import { median, rounds, table } from "./measure.js"

interface Input {
  readonly id: number
  readonly amount: number
}

interface Output {
  readonly id: number
  readonly cents: number
}

const ROUNDS = 7

const toCents = ({ amount, id }: Input): Output => ({ id, cents: Math.round(amount * 100) })

let written = 0

const writer = ItemWriter.fromFunction((outputs: ReadonlyArray<Output>) => {
  written += outputs.length
  return Effect.void
})

const plainLoop = (items: ReadonlyArray<Input>, chunkSize: number): void => {
  let outputs: Array<Output> = []
  for (const item of items) {
    outputs.push(toCents(item))
    if (outputs.length === chunkSize) {
      written += outputs.length
      outputs = []
    }
  }
  written += outputs.length
}

class Convert extends Context.Tag("Convert")<Convert, (item: Input) => Output>() {}

const listener = { afterProcess: () => Effect.void }

type Load = Step.ChunkStep<Input, Output, "COMPLETED" | "FAILED", any, Convert>

const variants = (
  items: ReadonlyArray<Input>,
  chunkSize: number
): Readonly<Record<string, Load>> => {
  const reader = ItemReader.fromIterable(items)
  const values = Steps.chunk("load", {
    reader,
    processor: (item) => Effect.succeed(toCents(item)),
    writer,
    chunkSize
  })
  return {
    "pure function": Steps.chunk("load", { reader, processor: ItemProcessor.map(toCents), writer, chunkSize }),
    "effects that are values": values,
    "… with two listeners": values.pipe(Steps.listen(listener), Steps.listen(listener)),
    "effects that run": Steps.chunk("load", {
      reader,
      processor: (item) => Effect.sync(() => toCents(item)),
      writer,
      chunkSize
    }),
    "a service from the context": Steps.chunk("load", {
      reader,
      processor: (item) => Effect.map(Convert, (convert) => convert(item)),
      writer,
      chunkSize
    })
  }
}

const runStep = (step: Load): Promise<void> =>
  JobOperator.runOrFail(Job.make("bench", { flow: step }), {}).pipe(
    Effect.asVoid,
    Effect.provideService(Convert, toCents),
    Effect.provide(JobRepository.layerMemory),
    Effect.runPromise
  )

/** Nanoseconds of processor time per item, and over the plain loop. */
export const engine = async (): Promise<void> => {
  for (const [chunkSize, count] of [[1000, 1_000_000], [100, 300_000], [10, 50_000]] as const) {
    const items = Array.from({ length: count }, (_, id): Input => ({ id, amount: id * 1.5 }))
    const steps = variants(items, chunkSize)
    const samples = await rounds({
      "plain for loop": () => plainLoop(items, chunkSize),
      ...Object.fromEntries(Object.entries(steps).map(([name, step]) => [name, () => runStep(step)]))
    }, ROUNDS)
    const plain = samples["plain for loop"]!
    const rows = Object.entries(samples).map(([name, runs]) => {
      const over = median(runs.map((run, round) => run.cpu - plain[round]!.cpu)) / count
      const perSecond = 1e9 * count / median(runs.map((run) => run.wall))
      return [
        name,
        (median(runs.map((run) => run.cpu)) / count).toFixed(1),
        name === "plain for loop" ? "" : over.toFixed(1),
        `${(perSecond / 1e6).toFixed(2)} M`
      ]
    })
    process.stdout.write(
      `Chunk size ${chunkSize}, ${count.toLocaleString("en")} items, median of ${ROUNDS} rounds:\n\n`
    )
    process.stdout.write(table(["processor", "CPU ns per item", "over the loop", "items per second"], rows) + "\n")
  }
}
