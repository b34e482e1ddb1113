/**
 * A step whose processor only computes: in the thread of the process, and in one and two threads of `workerThreads`. The heart
 * beat column says how long the process did not come to anything else, leases included.
 */
import { Effect, Schema } from "effect"
import { ItemProcessor, ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step } from "effect-batch"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { print, ratio, rounds, thousands, wall } from "./measure.js"
import * as options from "./options.js"
import { work } from "./threadsWork.js"

const ITEMS = 2000

const Result = Schema.Struct({ id: Schema.Number, hash: Schema.Number })

const inThreads = (threads: number) =>
  ItemProcessor.workerThreads(new URL("./threadsWork.js", import.meta.url), { threads, schema: Result })

const delays = new Map<string, number>()

const run = async (name: string, processor: ItemProcessor.ItemProcessor<number, typeof Result.Type, unknown>) => {
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const flow = Step.chunk("compute", {
    reader: ItemReader.fromIterable(Array.from({ length: ITEMS }, (_, id) => id)),
    processor,
    writer: ItemWriter.discard,
    chunkSize: 500
  })
  await Effect.runPromise(
    Effect.provide(JobOperator.runOrFail(Job.make("bench", { flow }), {}), JobRepository.layerMemory)
  )
  delay.disable()
  delays.set(name, Math.max(delays.get(name) ?? 0, delay.max / 1e6))
}

/** Items per second and how they grow with the threads; starting these is part of it. */
export const threads = async (): Promise<void> => {
  const count = options.roundsOr(5)
  const variants = {
    "in the process": ItemProcessor.map(work),
    "1 thread": inThreads(1),
    "2 threads": inThreads(2)
  }
  const samples = await rounds(
    Object.fromEntries(Object.entries(variants).map(([name, processor]) => [name, () => run(name, processor)])),
    count
  )
  print(
    `${thousands(ITEMS)} items of about a millisecond, chunk size 500, median of ${count} rounds`,
    ["", "items per second", "× 1 thread", "longest heartbeat delay, ms"],
    Object.entries(samples).map(([name, runs]) => [
      name,
      thousands(ITEMS * 1e9 / wall(runs)),
      ratio(runs, samples["1 thread"]!).toFixed(2),
      delays.get(name)!.toFixed(0)
    ])
  )
}
