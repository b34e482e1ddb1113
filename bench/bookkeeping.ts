/**
 * What a chunk costs besides its items: commits per second with chunks that write nothing, beside a bare loop of
 * transactions with one update; and what a chunk sends over the wire.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import Sqlite from "better-sqlite3"
import { Effect } from "effect"
import { ItemReader, ItemWriter, Step } from "effect-batch"
import { SqlItemWriter } from "effect-batch/sql"
import * as Pg from "pg"
import * as database from "./database.js"
import * as measure from "./measure.js"
import * as options from "./options.js"
import { proxy, type Traffic } from "./wire.js"

const CHUNKS = 2000

const items = (count: number) => Array.from({ length: count }, (_, id) => ({ id, name: `name ${id}` }))

const emptyChunks = database.runStep(Step.chunk("empty", {
  reader: ItemReader.fromIterable(items(CHUNKS)),
  writer: ItemWriter.discard,
  chunkSize: 1
}))

const setUp = "create table bare (id int primary key, version int not null, position text not null)"
const seed = "insert into bare values (1, 0, '0')"
const position = JSON.stringify({ count: 123456, offset: 123456789, line: 123456 })

const report = (title: string, samples: Readonly<Record<string, ReadonlyArray<measure.Sample>>>, bare: string): void =>
  measure.print(
    `${title}, ${measure.thousands(CHUNKS)} commits, median of ${options.roundsOr(5)} rounds`,
    ["variant", "commits per second", "time ÷ bare loop", "CPU µs per commit: Node", "server"],
    Object.entries(samples).map(([name, runs]) => [
      name,
      measure.thousands(CHUNKS / (measure.wall(runs) / 1e9)),
      measure.ratio(samples[bare]!, runs).toFixed(2),
      measure.thousands(measure.median(runs.map((run) => run.cpu)) / CHUNKS / 1e3),
      measure.thousands(measure.median(runs.map((run) => run.serverCpu)) / CHUNKS / 1e3)
    ])
  )

const commitsOnPostgres = async (url: string, server: number): Promise<void> => {
  const client = new Pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`${setUp}; ${seed}`)
  const runtime = database.postgres(url)
  const bare = "begin; update; commit, awaited one by one"
  const update = "update bare set version = version + 1, position = $1 where id = 1"
  const samples = await measure.rounds(
    {
      [bare]: async () => {
        for (let i = 0; i < CHUNKS; i++) {
          await client.query("begin")
          await client.query(update, [position])
          await client.query("commit")
        }
      },
      "begin, update and commit in one message": async () => {
        for (let i = 0; i < CHUNKS; i++) {
          await client.query(`begin; ${update.replace("$1", `'${position}'`)}; commit`)
        }
      },
      "chunks that write nothing": () => runtime.runPromise(emptyChunks)
    },
    options.roundsOr(5),
    { server }
  )
  await runtime.dispose()
  await client.end()
  report("PostgreSQL", samples, bare)
}

const commitsOnSqlite = async (filename: string): Promise<void> => {
  const runtime = database.sqlite(filename)
  await runtime.runPromise(
    Effect.flatMap(SqlClient.SqlClient, (sql) => Effect.zipRight(sql.unsafe(setUp), sql.unsafe(seed)))
  )
  const db = new Sqlite(filename)
  db.pragma("synchronous = full")
  const update = db.prepare("update bare set version = version + 1, position = ? where id = 1")
  const bare = "begin; update; commit with better-sqlite3"
  const samples = await measure.rounds(
    {
      [bare]: () => {
        for (let i = 0; i < CHUNKS; i++) {
          db.exec("begin immediate")
          update.run(position)
          db.exec("commit")
        }
      },
      "chunks that write nothing": () => runtime.runPromise(emptyChunks)
    },
    options.roundsOr(5)
  )
  db.close()
  await runtime.dispose()
  report("SQLite", samples, bare)
}

const WIRE_CHUNKS = 50

/** What a chunk adds to the traffic: the difference between a job and one with twice as many chunks. */
const perChunk = async (
  traffic: () => Traffic,
  run: (chunks: number) => Promise<void>
): Promise<{ readonly [K in keyof Traffic]: number }> => {
  const spent = async (chunks: number) => {
    const before = traffic()
    await run(chunks)
    const after = traffic()
    return (key: keyof Traffic) => after[key] - before[key]
  }
  await spent(WIRE_CHUNKS)
  const once = await spent(WIRE_CHUNKS)
  const twice = await spent(2 * WIRE_CHUNKS)
  const chunk = (key: keyof Traffic) => (twice(key) - once(key)) / WIRE_CHUNKS
  return {
    statements: chunk("statements"),
    roundTrips: chunk("roundTrips"),
    messages: chunk("messages"),
    bytesSent: chunk("bytesSent")
  }
}

const onTheWire = async (url: string): Promise<void> => {
  const { close, traffic, url: proxied } = await proxy(url)
  const runtime = database.postgres(proxied)
  await runtime.runPromise(
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe("create table named (id int, name text)"))
  )
  const writers = {
    "that writes nothing": ItemWriter.discard,
    "insertInto": SqlItemWriter.insertInto("named"),
    "copyInto": SqlItemWriter.copyInto("named")
  }
  const rows: Array<ReadonlyArray<string>> = []
  for (const [name, writer] of Object.entries(writers)) {
    const spent = await perChunk(traffic, (chunks) =>
      runtime.runPromise(database.runStep(Step.chunk("wire", {
        reader: ItemReader.fromIterable(items(100 * chunks)),
        writer,
        chunkSize: 100
      }))))
    const shown = [spent.roundTrips, spent.statements, spent.messages, spent.bytesSent]
    rows.push([name, ...shown.map((value) => value.toFixed(1))])
  }
  await runtime.dispose()
  close()
  measure.print(
    "On the wire, per chunk of 100 items",
    ["chunk", "round trips", "statements", "messages, both ways", "bytes sent"],
    rows
  )
}

export const bookkeeping = (): Promise<void> =>
  database.inDirectory(async (directory) => {
    await database.withServer(async ({ pid, url }) => {
      await commitsOnPostgres(url, pid)
      await onTheWire(url)
    })
    await commitsOnSqlite(`${directory}/bench.db`)
  })
