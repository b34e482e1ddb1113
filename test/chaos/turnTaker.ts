/**
 * One of several processes on one SQLite file: writes slow chunks, and tells how its job ended and how often its event loop
 * was blocked for a whole chunk while the machine had time for it.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import { Worker } from "node:worker_threads"
import { ItemReader, Job, JobOperator, JobRepository, Step } from "../../src/index.js"
import { SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import * as Sqlite from "../support/Sqlite.js"

const [where, name, chunks, chunkMillis] = process.argv.slice(2) as [string, string, string, string]

const say = (line: string): void => void Fs.writeSync(1, `${line}\n`)

const job = Job.make(name, {
  flow: Step.chunk("write", {
    reader: ItemReader.fromIterable(Array.from({ length: Number(chunks) }, (_, index) => index)),
    writer: SqlItemWriter.statement(
      "turn",
      (_: ReadonlyArray<number>, sql) =>
        Effect.zipRight(sql`insert into turn (process) values (${name})`, Effect.sleep(Number(chunkMillis)))
    ),
    chunkSize: 1
  })
})

/** Ticks beside the event loop: when it misses its time as well, the process is not blocked but has no turn of the machine. */
const ticks = new Int32Array(new SharedArrayBuffer(4))
new Worker(
  "const { workerData } = require('node:worker_threads'); setInterval(() => Atomics.add(workerData, 0, 1), 10)",
  { eval: true, workerData: ticks }
).unref()

let blocked = 0
let last = { at: performance.now(), tick: 0 }
setInterval(() => {
  const now = { at: performance.now(), tick: Atomics.load(ticks, 0) }
  const isLong = now.at - last.at > Number(chunkMillis)
  blocked += isLong && (now.tick - last.tick) * 10 > Number(chunkMillis) / 2 ? 1 : 0
  last = now
}, 10)

const program = Effect.gen(function*() {
  yield* JobRepository.JobRepository
  yield* SqlClient
  const go = new Promise((resolve) => process.once("SIGUSR2", resolve))
  say("ready")
  yield* Effect.promise(() => go)
  last = { at: performance.now(), tick: Atomics.load(ticks, 0) }
  blocked = 0
  const { status } = yield* JobOperator.run(job, {})
  say(`end ${status} ${blocked}`)
}).pipe(Effect.provide(Layer.provideMerge(SqlJobRepository.layer, Sqlite.layerFile(where))))

Effect.runPromise(program as Effect.Effect<void, unknown>).then(
  () => process.exit(0),
  (error) => {
    say(`end ${error}`)
    process.exit(1)
  }
)
