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
import { alone, csv, spread } from "./partitionJobs.js"
import { looks } from "./partitionLooks.js"

const COUNTS = options.large ? [100, 1000, 10_000] : [100, 1000]

type Runtime = ManagedRuntime.ManagedRuntime<JobRepository.JobRepository, unknown>

const run = (runtime: Runtime, job: typeof alone, partitions: number, chunks: number): Promise<unknown> =>
  (runtime as ReturnType<typeof database.postgres>).runPromise(
    JobOperator.runOrFail(job, { run: randomUUID(), partitions, chunks })
  )

/** Empty partitions in four slots of one process; the first ones warm up. */
const perPartition = async (name: string, runtime: Runtime): Promise<ReadonlyArray<string>> => {
  await run(runtime, alone, 50, 0)
  const millis: Array<number> = []
  for (const count of COUNTS) {
    const { wall } = await measure.time(() => run(runtime, alone, count, 0))
    millis.push(wall / 1e6 / count)
  }
  return [name, ...millis.map((each) => each.toFixed(2)), (millis[millis.length - 1]! / millis[0]!).toFixed(2)]
}

const worker = (url: string, slots: number): Promise<() => Promise<void>> =>
  new Promise((resolve, reject) => {
    const script = fileURLToPath(new URL("./partitionWorker.ts", import.meta.url))
    const child = spawn(process.execPath, [...process.execArgv, script, url, String(slots)], {
      stdio: ["ignore", "pipe", 2]
    })
    child.once("error", reject)
    child.stdout!.once("data", () =>
      resolve(() =>
        new Promise((ended) => {
          child.once("close", () => ended())
          child.kill("SIGTERM")
        })
      ))
  })

const withWorkers = async <A>(url: string, count: number, slots: number, work: () => Promise<A>): Promise<A> => {
  const stops = await Promise.all(Array.from({ length: count }, () => worker(url, slots)))
  try {
    return await work()
  } finally {
    await Promise.all(stops.map((stop) => stop()))
  }
}

/** Processes that have just begun compile their code, on processors that they share; then they run as they go on to. */
const coldAndWarm = async (work: () => Promise<unknown>): Promise<readonly [number, number]> => {
  const cold = await measure.time(work)
  const warm = await measure.time(work)
  return [cold.wall, warm.wall]
}

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
  await database.withServer(async ({ url }) => {
    const postgres = database.postgres(url)
    rows.push(await perPartition("PostgreSQL", postgres as unknown as Runtime))
    measure.print(
      "Milliseconds per empty partition, four slots of one process",
      ["repository", ...COUNTS.map((count) => `${measure.thousands(count)} partitions`), "ratio"],
      rows
    )
    const spreading = (partitions: number, chunks: number) => () =>
      run(postgres as unknown as Runtime, spread as typeof alone, partitions, chunks)
    const waiting: Array<readonly [number, readonly [number, number]]> = []
    for (const processes of [1, 2, 4, 8]) {
      waiting.push([processes, await withWorkers(url, processes, 1, () => coldAndWarm(spreading(32, 25)))])
    }
    const [, one] = waiting[0]!
    measure.print(
      "32 partitions of 25 chunks that wait 20 ms, on processes of one slot each",
      ["processes", "seconds, first job", "÷ linear", "seconds, second job", "÷ linear"],
      waiting.map(([processes, walls]) => [
        String(processes),
        ...walls.flatMap((wall, at) => [(wall / 1e9).toFixed(1), (one[at]! / wall / processes).toFixed(2)])
      ])
    )
    const walls = await withWorkers(url, 2, 4, () => coldAndWarm(spreading(1000, 0)))
    process.stdout.write(
      `1,000 empty partitions on two processes of four slots, first and second job: ${
        walls.map((wall) => (wall / 1e9).toFixed(1)).join(" and ")
      } s\n\n`
    )
    await looks(postgres)
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
    await postgres.dispose()
  })
}
