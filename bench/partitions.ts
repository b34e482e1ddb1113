/**
 * What a partition costs, and what more processes gain.
 */
import { NodeContext } from "@effect/platform-node"
import { Effect, ManagedRuntime } from "effect"
import { JobOperator, JobRepository } from "effect-batch"
import { spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import * as database from "./database.js"
import * as measure from "./measure.js"
import * as options from "./options.js"
import { sender } from "./partitionEntity.js"
import { alone, csv, spread } from "./partitionJobs.js"
import { looks } from "./partitionLooks.js"

const COUNTS = options.large ? [100, 1000, 10_000] : [100, 1000]

type Runtime = ManagedRuntime.ManagedRuntime<JobRepository.JobRepository, unknown>

const run = (
  runtime: Runtime,
  job: typeof alone,
  size: { readonly partitions: number; readonly chunks: number; readonly pause: number }
): Promise<unknown> =>
  (runtime as ReturnType<typeof database.postgres>).runPromise(
    JobOperator.runOrFail(job, { run: randomUUID(), ...size })
  )

const empty = (partitions: number) => ({ partitions, chunks: 0, pause: 0 })

/** Empty partitions in four slots of one process; the first ones warm up. */
const perPartition = async (name: string, runtime: Runtime): Promise<ReadonlyArray<string>> => {
  await run(runtime, alone, empty(50))
  const millis: Array<number> = []
  for (const count of COUNTS) {
    const { wall } = await measure.time(() => run(runtime, alone, empty(count)))
    millis.push(wall / 1e6 / count)
  }
  return [name, ...millis.map((each) => each.toFixed(2)), (millis[millis.length - 1]! / millis[0]!).toFixed(2)]
}

interface Worker {
  readonly pid: number
  readonly stop: () => Promise<void>
}

const worker = (url: string, slots: number, program: string): Promise<Worker> =>
  new Promise((resolve, reject) => {
    const script = fileURLToPath(new URL(program, import.meta.url))
    const child = spawn(process.execPath, [...process.execArgv, script, url, String(slots)], {
      stdio: ["ignore", "pipe", 2]
    })
    child.once("error", reject)
    child.stdout!.once("data", () =>
      resolve({
        pid: child.pid!,
        stop: () =>
          new Promise((ended) => {
            child.once("close", () => ended())
            child.kill("SIGTERM")
          })
      }))
  })

const withWorkers = async <A>(
  url: string,
  count: number,
  slots: number,
  work: (pids: ReadonlyArray<number>) => Promise<A>,
  program = "./partitionWorker.ts"
): Promise<A> => {
  const workers = await Promise.all(Array.from({ length: count }, () => worker(url, slots, program)))
  try {
    return await work(workers.map(({ pid }) => pid))
  } finally {
    await Promise.all(workers.map(({ stop }) => stop()))
  }
}

/** Processes that have just begun compile their code, on processors that they share; then they run as they go on to. */
const coldAndWarm = async (
  work: () => Promise<unknown>,
  others: ReadonlyArray<number>
): Promise<readonly [measure.Sample, measure.Sample]> => [
  await measure.time(work, others),
  await measure.time(work, others)
]

/** How many processors were at work, with the database, all of the time: no more than there are. */
const busy = ({ cpu, serverCpu, wall }: measure.Sample): string => ((cpu + serverCpu) / wall).toFixed(2)

/** The same waiting on more and more processes, in chunks that wait longer or shorter, or in more of them. */
const waiting = async (
  url: string,
  server: number,
  runtime: Runtime,
  size: { readonly chunks: number; readonly pause: number },
  counts: ReadonlyArray<number> = [1, 2, 4, 8]
): Promise<void> => {
  const work = () => run(runtime, spread as typeof alone, { partitions: 32, ...size })
  const found: Array<readonly [number, readonly [measure.Sample, measure.Sample]]> = []
  for (const processes of counts) {
    found.push([processes, await withWorkers(url, processes, 1, (pids) => coldAndWarm(work, [server, ...pids]))])
  }
  const [, one] = found[0]!
  measure.print(
    `32 partitions of ${size.chunks} chunks that wait ${size.pause} ms, on processes of one slot each`,
    ["processes", ...["first", "second"].flatMap((job) => [`seconds, ${job} job`, "÷ linear", "processors busy"])],
    found.map(([processes, samples]) => [
      String(processes),
      ...samples.flatMap((sample, at) => [
        (sample.wall / 1e9).toFixed(1),
        (one[at]!.wall / sample.wall / processes).toFixed(2),
        busy(sample)
      ])
    ])
  )
}

/** As many empty partitions as messages to entities; those that are not counted wait until the runners have found each other. */
const messages = (url: string, server: number): Promise<readonly [measure.Sample, measure.Sample]> =>
  withWorkers(url, 2, 4, async (pids) => {
    const { send, stop } = sender(url)
    const some = (count: number) => () => send(Array.from({ length: count }, () => randomUUID()))
    await some(100)()
    const found = await coldAndWarm(some(1000), [server, ...pids])
    await stop()
    return found
  }, "./partitionRunner.ts")

const ROWS = options.large ? 4_000_000 : 1_000_000

/** One file on one process and on two of one slot each, in nanoseconds. */
const csvOn = (url: string, runtime: Runtime): Promise<ReadonlyArray<readonly [number, number]>> =>
  database.inDirectory(async (directory) => {
    const path = `${directory}/rows.csv`
    const lines = Array.from({ length: ROWS }, (_, id) => `${id},name of ${id},${id % 9973}`)
    await writeFile(path, `id,name,cents\n${lines.join("\n")}\n`)
    const load = () =>
      (runtime as ReturnType<typeof database.postgres>).runPromise(
        Effect.provide(JobOperator.runOrFail(csv, { run: randomUUID(), path }), NodeContext.layer)
      )
    const found: Array<readonly [number, number]> = []
    for (const processes of [1, 2]) {
      const { wall } = await withWorkers(url, processes, 1, () => measure.time(load))
      found.push([processes, wall])
    }
    return found
  })

export const partitions = async (): Promise<void> => {
  const memory = ManagedRuntime.make(JobRepository.layerMemory)
  const rows = [await perPartition("memory", memory)]
  await memory.dispose()
  await database.inDirectory(async (directory) => {
    const sqlite = database.sqlite(`${directory}/bench.db`)
    rows.push(await perPartition("SQLite", sqlite as unknown as Runtime))
    await sqlite.dispose()
  })
  await database.withServer(async ({ pid, url }) => {
    const postgres = database.postgres(url)
    rows.push(await perPartition("PostgreSQL", postgres as unknown as Runtime))
    measure.print(
      "Milliseconds per empty partition, four slots of one process",
      ["repository", ...COUNTS.map((count) => `${measure.thousands(count)} partitions`), "ratio"],
      rows
    )
    const runtime = postgres as unknown as Runtime
    await waiting(url, pid, runtime, { chunks: 25, pause: 20 })
    await waiting(url, pid, runtime, { chunks: 5, pause: 100 })
    await waiting(url, pid, runtime, { chunks: 100, pause: 20 }, [1, 8])
    const jobs = await withWorkers(
      url,
      2,
      4,
      (pids) => coldAndWarm(() => run(runtime, spread as typeof alone, empty(1000)), [pid, ...pids])
    )
    const sent = await messages(url, pid)
    for (const [what, samples] of [["partitions", jobs], ["messages to entities of @effect/cluster", sent]] as const) {
      process.stdout.write(
        `1,000 empty ${what} on two processes of four slots, first and second job: ${
          samples.map((sample) => `${(sample.wall / 1e9).toFixed(1)} s (${busy(sample)} processors busy)`).join(" and ")
        }\n\n`
      )
    }
    const loads = await csvOn(url, postgres as unknown as Runtime)
    measure.print(
      `A CSV file of ${measure.thousands(ROWS)} rows in eight ranges, on processes of one slot each`,
      ["processes", "seconds", "÷ one"],
      loads.map(([processes, wall]) => [
        String(processes),
        (wall / 1e9).toFixed(1),
        (loads[0]![1] / wall).toFixed(2)
      ])
    )
    // Last: it writes rows with ids of its own choice, which those of a job behind it could meet.
    await looks(postgres)
    await postgres.dispose()
  })
}
