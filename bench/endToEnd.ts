/**
 * A whole job: a CSV file, checked by a Schema and transformed, into a table, with the checkpoint of every chunk in the
 * transaction of its rows. Beside it, in the same rounds: the fastest way to load the rows at all, a program written by
 * hand for just this file, what a tutorial would tell to do, and durable engines that checkpoint every chunk as well.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import Sqlite from "better-sqlite3"
import { parse as csvParse } from "csv-parse"
import { Effect, type ManagedRuntime, Schema } from "effect"
import { ItemProcessor, Step } from "effect-batch"
import { CsvItemReader } from "effect-batch/file"
import { SqlItemWriter } from "effect-batch/sql"
import { spawn, spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import * as Pg from "pg"
import { from as copyFrom } from "pg-copy-streams"
import * as database from "./database.js"
import * as dbos from "./dbos.js"
import * as effectWorkflow from "./effectWorkflow.js"
import * as measure from "./measure.js"
import * as options from "./options.js"
import type { Files, Row } from "./payments.js"
import * as payments from "./payments.js"

type Runtime = ReturnType<typeof database.postgres> | ReturnType<typeof database.sqlite>
type Services = ManagedRuntime.ManagedRuntime.Context<Runtime>

const load = (files: Files, writer: "insertInto" | "copyInto", chunkSize: number) =>
  database.runStep(Step.chunk("load", {
    reader: CsvItemReader.make(files.csv, { schema: payments.Payment }),
    processor: ItemProcessor.map(payments.toRow),
    writer: SqlItemWriter[writer]<Row>("payment", { columns: payments.columns }),
    chunkSize
  }))

/** csv-parse, the Schema row by row, and one insert per thousand rows. */
const tutorial = (files: Files) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const decode = Schema.decodeUnknownSync(payments.Payment)
    const rows = Fs.createReadStream(files.csv).pipe(csvParse({ columns: true }))[Symbol.asyncIterator]()
    while (true) {
      const batch: Array<Row> = []
      yield* Effect.promise(async () => {
        for (let next; batch.length < 1000 && !(next = await rows.next()).done;) {
          batch.push(payments.toRow(decode(next.value)))
        }
      })
      if (batch.length === 0) {
        return
      }
      yield* sql`insert into payment ${sql.insert(batch as ReadonlyArray<{}>)}`
    }
  })

const copyStream = async (url: string, rows: Readable): Promise<void> => {
  const client = new Pg.Client({ connectionString: url })
  await client.connect()
  await client.query("begin")
  await pipeline(rows, client.query(copyFrom("copy payment from stdin")))
  await client.query("commit")
  await client.end()
}

async function* copyBlocks(files: Files): AsyncGenerator<string> {
  for await (const rows of payments.parsed(files.csv)) {
    yield rows.map(payments.copyLine).join("")
  }
}

const psql = (url: string, files: Files): Promise<void> =>
  new Promise((resolve, reject) =>
    spawn("psql", ["-X", "-q", "-c", `\\copy payment from '${files.copy}'`, url], { stdio: ["ignore", 1, 2] })
      .once("error", reject)
      .once("exit", (code) => code === 0 ? resolve() : reject(new Error(`psql ended with ${code}`)))
  )

const byHand = async (filename: string, files: Files): Promise<void> => {
  const db = new Sqlite(filename)
  db.pragma("journal_mode = wal")
  db.pragma("synchronous = full")
  const insert = db.prepare("insert into payment values (?, ?, ?, ?, ?, ?)")
  let open = 0
  for await (const rows of payments.parsed(files.csv)) {
    for (const row of rows) {
      if (open++ === 0) {
        db.exec("begin immediate")
      }
      insert.run(row.id, row.email, row.amount_cents, row.currency, row.created_at, row.batch)
      if (open === 1000) {
        db.exec("commit")
        open = 0
      }
    }
  }
  if (open > 0) {
    db.exec("commit")
  }
  db.close()
}

const report = (
  title: string,
  samples: Readonly<Record<string, ReadonlyArray<measure.Sample>>>,
  limit: string
): void => {
  const way = samples["tutorial: csv-parse, sql.insert of 1,000"]!
  const seconds = (runs: ReadonlyArray<measure.Sample>, by: "cpu" | "serverCpu") =>
    (measure.median(runs.map((run) => run[by])) / options.rows / 1e3).toFixed(2)
  measure.print(
    title,
    ["variant", "rows per second", "÷ limit", "× tutorial", "CPU µs per row: Node", "server"],
    Object.entries(samples).map(([name, runs]) => [
      name,
      measure.thousands(options.rows / (measure.wall(runs) / 1e9)),
      measure.ratio(runs, samples[limit]!).toFixed(2),
      measure.ratio(runs, way).toFixed(1),
      seconds(runs, "cpu"),
      seconds(runs, "serverCpu")
    ])
  )
}

/** Empties the table before each run, and counts it behind. */
const around = (runtime: Runtime, files: Files, empty: ReadonlyArray<string>): measure.Around => ({
  before: () =>
    runtime.runPromise(
      Effect.flatMap(SqlClient.SqlClient, (sql) => Effect.forEach(empty, (text) => sql.unsafe(text)))
    ),
  after: async () => {
    const [found] = await runtime.runPromise(
      Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select count(*) as n, sum(amount_cents) as cents from payment`)
    )
    if (Number(found!["n"]) !== options.rows || Number(found!["cents"]) !== files.cents) {
      throw new Error(`not all rows arrived: ${JSON.stringify(found)}`)
    }
  }
})

const intoPostgres = (files: Files, title: string) =>
  database.withServer(async ({ pid, url }) => {
    const runtime: Runtime = database.postgres(url)
    const job = (effect: Effect.Effect<void, unknown, Services>) => () => runtime.runPromise(effect)
    await runtime.runPromise(
      Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(payments.createTable("bigint", "timestamptz")))
    )
    const engines = [await dbos.start(url, files), await effectWorkflow.start(url, files)]
    const hasPsql = spawnSync("psql", ["--version"]).status === 0
    const limit = hasPsql
      ? "limit: psql \\copy of the finished rows, one transaction"
      : "limit: COPY of the finished rows from Node, one transaction"
    const samples = await measure.rounds(
      {
        [limit]: () => hasPsql ? psql(url, files) : copyStream(url, Fs.createReadStream(files.copy)),
        "by hand: parse, check and COPY, one transaction, no checkpoint": () =>
          copyStream(url, Readable.from(copyBlocks(files))),
        "insertInto, chunk 1,000": job(load(files, "insertInto", 1000)),
        "copyInto, chunk 1,000": job(load(files, "copyInto", 1000)),
        "insertInto, chunk 10,000": job(load(files, "insertInto", 10_000)),
        "copyInto, chunk 10,000": job(load(files, "copyInto", 10_000)),
        "tutorial: csv-parse, sql.insert of 1,000": job(tutorial(files)),
        ...Object.assign({}, ...engines.map((engine) => engine.variants))
      },
      options.roundsOr(5),
      { ...around(runtime, files, ["truncate payment", "checkpoint"]), server: pid }
    )
    await Promise.all(engines.map((engine) => engine.stop()))
    await runtime.dispose()
    report(`PostgreSQL, ${title}`, samples, limit)
  })

const intoSqlite = async (files: Files, directory: string, title: string) => {
  const filename = `${directory}/bench.db`
  const runtime: Runtime = database.sqlite(filename)
  const job = (effect: Effect.Effect<void, unknown, Services>) => () => runtime.runPromise(effect)
  await runtime.runPromise(
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe(payments.createTable("integer", "text")))
  )
  const limit = "by hand: parse, check and better-sqlite3, 1,000 per transaction, no checkpoint"
  const samples = await measure.rounds(
    {
      [limit]: () => byHand(filename, files),
      "insertInto, chunk 1,000": job(load(files, "insertInto", 1000)),
      "insertInto, chunk 10,000": job(load(files, "insertInto", 10_000)),
      "tutorial: csv-parse, sql.insert of 1,000": job(tutorial(files))
    },
    options.roundsOr(5),
    around(runtime, files, ["delete from payment", "pragma wal_checkpoint(truncate)"])
  )
  await runtime.dispose()
  report(`SQLite, ${title}`, samples, limit)
}

export const endToEnd = (): Promise<void> =>
  database.inDirectory(async (directory) => {
    const files = payments.generate(directory, options.rows)
    const title = `${measure.thousands(options.rows)} rows, ${(files.bytes / 1e6).toFixed(0)} MB, ` +
      `median of ${options.roundsOr(5)} rounds`
    await intoPostgres(files, title)
    await intoSqlite(files, directory, title)
  })
