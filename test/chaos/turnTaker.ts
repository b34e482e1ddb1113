/** One of several processes on one SQLite file: writes slow chunks, and tells how its job ended. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
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

const program = Effect.gen(function*() {
  yield* JobRepository.JobRepository
  yield* SqlClient
  const go = new Promise((resolve) => process.once("SIGUSR2", resolve))
  say("ready")
  yield* Effect.promise(() => go)
  const { status } = yield* JobOperator.run(job, {})
  say(`end ${status}`)
}).pipe(Effect.provide(Layer.provideMerge(SqlJobRepository.layer, Sqlite.layerFile(where))))

// Waiting for a signal keeps no process alive.
setInterval(() => {}, 60_000)

Effect.runPromise(program as Effect.Effect<void, unknown>).then(
  () => process.exit(0),
  (error) => {
    say(`end ${error}`)
    process.exit(1)
  }
)
