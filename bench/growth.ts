/**
 * What must not grow: memory with the number of items, the time of a restart with what was committed before, the time of
 * a launch with the executions that were. And what must grow in proportion: the time with the number of items.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { Effect, type ManagedRuntime } from "effect"
import { ItemReader, ItemWriter, Job, JobOperator, Step } from "effect-batch"
import { CsvItemReader } from "effect-batch/file"
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"
import * as database from "./database.js"
import type { Grown } from "./growthChild.js"
import * as measure from "./measure.js"
import * as options from "./options.js"

type Runtime = ReturnType<typeof database.postgres> | ReturnType<typeof database.sqlite>
type Services = ManagedRuntime.ManagedRuntime.Context<Runtime>

const child = (...args: ReadonlyArray<string>): Promise<Grown> =>
  new Promise((resolve, reject) => {
    const script = fileURLToPath(new URL("./growthChild.ts", import.meta.url))
    // The options with which this process can run TypeScript.
    const started = spawn(process.execPath, [...process.execArgv, script, ...args], { stdio: ["ignore", "pipe", 2] })
    let output = ""
    started.stdout!.on("data", (bytes) => output += bytes)
    started.once("error", reject).once(
      "close",
      (code) => code === 0 ? resolve(JSON.parse(output)) : reject(new Error(`growthChild ended with ${code}`))
    )
  })

const writeCsv = (directory: string, count: number): void => {
  const file = Fs.openSync(`${directory}/${count}.csv`, "w")
  Fs.writeSync(file, "id,name,amount\n")
  for (let from = 0; from < count; from += 10_000) {
    const rows = Array.from({ length: Math.min(10_000, count - from) }, (_, i) => `${from + i},name ${i},${i}.50\n`)
    Fs.writeSync(file, rows.join(""))
  }
  Fs.closeSync(file)
}

const items = async (directory: string): Promise<void> => {
  const runtime = database.sqlite(`${directory}/grown.db`)
  const rows: Array<ReadonlyArray<string>> = []
  for (const kind of ["engine", "csv"]) {
    for (const count of [1e4, 1e5, 1e6, ...(options.large ? [1e7] : [])]) {
      if (kind === "csv") {
        writeCsv(directory, count)
        await runtime.runPromise(
          Effect.flatMap(SqlClient.SqlClient, (sql) =>
            Effect.forEach(
              ["drop table if exists grown", "create table grown (id integer primary key, name text, amount real)"],
              (text) => sql.unsafe(text)
            ))
        )
      }
      const runs: Array<Grown> = []
      for (let round = 0; round < options.roundsOr(3); round++) {
        if (kind === "csv") {
          await runtime.runPromise(Effect.flatMap(SqlClient.SqlClient, (sql) => sql`delete from grown`))
        }
        runs.push(await child(kind, String(count), directory))
      }
      const wall = measure.median(runs.map((run) => run.wall))
      const peak = measure.median(runs.map((run) => run.peak))
      rows.push([
        kind === "csv" ? "CSV file into SQLite" : "engine only",
        measure.thousands(count),
        (wall / 1e9).toFixed(2),
        measure.thousands(wall / count),
        `${(peak / 2 ** 20).toFixed(0)} MiB`
      ])
    }
  }
  await runtime.dispose()
  measure.print(
    "Items: time and peak memory of a process of its own, median of " + options.roundsOr(3),
    ["job", "items", "seconds", "ns per item", "peak memory"],
    rows
  )
}

/** A job that has committed so many chunks of one row and fails at the next one, each time it is restarted. */
const stuck = (directory: string, committed: number) => {
  writeCsv(directory, committed + 1)
  return Job.make(`stuck after ${committed}`, {
    flow: Step.chunk("stuck", {
      reader: CsvItemReader.make(`${directory}/${committed + 1}.csv`),
      writer: ItemWriter.fromFunction(([row]: ReadonlyArray<{ readonly [column: string]: string }>) =>
        row!["id"] === String(committed) ? Effect.fail("stuck") : Effect.void
      ),
      chunkSize: 1
    })
  })
}

const restarts = async (directory: string): Promise<void> => {
  const runtime = database.sqlite(`${directory}/restarts.db`)
  // 100,000 forced writes would measure nothing but the disk.
  await runtime.runPromise(Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe("pragma synchronous = off")))
  const rows: Array<ReadonlyArray<string>> = []
  for (const committed of [10, 1e3, 1e5]) {
    const job = stuck(directory, committed)
    const fail = () => runtime.runPromise(JobOperator.run(job, {}))
    const first = await fail()
    const restarts: Array<number> = []
    for (let i = 0; i < 30; i++) {
      restarts.push((await measure.time(fail)).wall)
    }
    const [step] = await runtime.runPromise(JobOperator.steps(first.id))
    if (step?.counts.commit !== committed) {
      throw new Error(`${step?.counts.commit} chunks were committed instead of ${committed}`)
    }
    rows.push([measure.thousands(committed), (measure.median(restarts) / 1e6).toFixed(1)])
  }
  await runtime.dispose()
  measure.print("Restarts on SQLite, median of 30", ["chunks committed before", "ms for a restart that fails"], rows)
}

/** So many instances of the job `launched` that have completed, and as many of other jobs, put there by SQL. */
const history = (count: number) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => {
    const [from, now] = sql.onDialectOrElse({
      sqlite: () => [
        `from (with recursive s(n) as (select 1 union all select n + 1 from s where n < ${count})
        select n from s)`,
        "0"
      ],
      orElse: () => [`from generate_series(1, ${count}) as s(n)`, "now()"]
    })
    const job = "case when n % 2 = 0 then 'launched' else 'other ' || n % 100 end"
    const ended = `'COMPLETED', 'COMPLETED', '', ${now}, ${now}, ${now}, ${now}, '{}'`
    return Effect.forEach([
      `insert into batch_job_instance (job_name, job_key, create_time) select ${job}, 'key ' || n, ${now} ${from}`,
      `insert into batch_job_execution (job_instance_id, status, exit_code, exit_message, create_time, start_time,
        end_time, last_updated, context, epoch, lease_millis)
        select id, ${ended}, 1, 60000 from batch_job_instance where job_key like 'key %'`,
      `insert into batch_step_execution (job_execution_id, step_name, status, exit_code, exit_message, create_time,
        start_time, end_time, last_updated, context, epoch)
        select e.id, 'step', ${ended}, 1 from batch_job_execution e
        join batch_job_instance i on i.id = e.job_instance_id where job_key like 'key %'`,
      "analyze"
    ], (text) =>
      sql.unsafe(text), { discard: true })
  })

const launch = Step.chunk("step", { reader: ItemReader.empty, writer: ItemWriter.discard, chunkSize: 1 })

const launches = async (name: string, runtime: Runtime): Promise<ReadonlyArray<ReadonlyArray<string>>> => {
  const effect: Effect.Effect<void, unknown, Services> = database.runStep(launch, "launched")
  const sample = async (): Promise<number> => {
    const runs: Array<number> = []
    for (let i = 0; i < 60; i++) {
      runs.push((await measure.time(() => runtime.runPromise(effect))).wall)
    }
    return measure.median(runs.slice(20))
  }
  const before = await sample()
  await runtime.runPromise(history(1e5))
  const after = await sample()
  await runtime.dispose()
  return [[name, (before / 1e6).toFixed(2), (after / 1e6).toFixed(2), (after / before).toFixed(2)]]
}

export const growth = (): Promise<void> =>
  database.inDirectory(async (directory) => {
    await items(directory)
    await restarts(directory)
    measure.print(
      "Launches of a job with an empty step, median of 40",
      ["repository", "ms with no history", "ms behind 100,000 executions", "ratio"],
      [
        ...await launches("SQLite", database.sqlite(`${directory}/launches.db`)),
        ...await database.withServer(({ url }) => launches("PostgreSQL", database.postgres(url)))
      ]
    )
  })
