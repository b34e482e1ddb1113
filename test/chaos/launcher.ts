/**
 * One of many processes that launch the same instance at once: gets ready, waits for SIGUSR2, launches, and tells what
 * came of it. The one that runs goes on until SIGTERM.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import { ItemReader, ItemWriter, Job, JobOperator, JobRepository, Step } from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"

const [kind, where] = process.argv.slice(2) as [string, string]

const say = (line: string): void => void Fs.writeSync(1, `${line}\n`)

const signalled = (signal: NodeJS.Signals) =>
  Effect.async<void>((resume) => {
    process.once(signal, () => resume(Effect.void))
  })

/** It waits where no transaction is open: on SQLite that would keep everybody else from asking. */
const holding = ItemReader.make<number>(
  "holding",
  () => Effect.succeed({ pull: () => Effect.zipRight(Effect.sync(() => say("holds")), Effect.never) })
)

const job = Job.make("contended", {
  flow: Step.chunk("hold", { reader: holding, writer: ItemWriter.discard, chunkSize: 1 })
})

const program = Effect.gen(function*() {
  yield* JobRepository.JobRepository
  const go = yield* Effect.fork(signalled("SIGUSR2"))
  yield* Effect.yieldNow()
  say("ready")
  yield* go
  const result = yield* Effect.either(Effect.scoped(Effect.gen(function*() {
    const running = yield* JobOperator.start(job, {})
    yield* signalled("SIGTERM")
    yield* running.stop
    return yield* running.await
  })))
  say(`end ${Either.match(result, { onLeft: ({ _tag }) => _tag, onRight: ({ status }) => status })}`)
}).pipe(
  Effect.provide(Layer.provideMerge(
    SqlJobRepository.layer,
    kind === "SQLite" ? Sqlite.layerFile(where) : Postgres.layerUrl(where, { maxConnections: 4 })
  ))
)

// Waiting for a signal keeps no process alive.
setInterval(() => {}, 60_000)

Effect.runPromise(program as Effect.Effect<void, unknown>).then(
  () => process.exit(0),
  (error) => {
    say(`end ${error}`)
    process.exit(1)
  }
)
