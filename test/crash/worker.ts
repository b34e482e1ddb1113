/**
 * The process that is killed. Runs the job once and tells on standard output, a line at a time, where it is: the test
 * kills it behind some line. Small pauses at these places let the kill land everywhere.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import { FaultPoint } from "../../src/engine/session/faultPoint.js"
import { JobOperator } from "../../src/index.js"
import { SqlJobRepository } from "../../src/sql/index.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"
import { makeJob } from "./job.js"

export interface WorkerOptions {
  readonly database: { readonly sqlite: string } | { readonly postgres: string }
  readonly directory: string
  /** The longest pause at a fault point; without one the engine has no such points, and tells what was committed. */
  readonly pauseMillis: number | undefined
}

const { database, directory, pauseMillis }: WorkerOptions = JSON.parse(process.argv[2]!)

/** Synchronous, so that a line is out before the process can be killed behind it. */
const say = (line: string): void => void Fs.writeSync(1, `${line}\n`)

const client = "sqlite" in database ? Sqlite.layerFile(database.sqlite) : Postgres.layerUrl(database.postgres)

const live = Layer.mergeAll(Layer.provideMerge(SqlJobRepository.layer, client), NodeFileSystem.layer)

const told = Effect.fork(Stream.runForEach(JobOperator.events, ({ _tag }) => Effect.sync(() => say(_tag))))

const run = JobOperator.run(makeJob(directory), {})

const program = (pauseMillis === undefined ? Effect.zipRight(told, Effect.zipRight(Effect.yieldNow(), run)) : run).pipe(
  Effect.map(({ exitStatus, status }) => status === "COMPLETED" ? status : [status, ...exitStatus.messages].join(": ")),
  Effect.catchTag("JobInstanceAlreadyComplete", () => Effect.succeed("COMPLETED")),
  Effect.catchAll((error) => Effect.succeed(`${error._tag}: ${error.message}`)),
  Effect.provideService(
    FaultPoint,
    pauseMillis === undefined ? undefined : (name) =>
      Effect.suspend(() => {
        say(name)
        return pauseMillis === 0 ? Effect.void : Effect.sleep(Math.random() * pauseMillis)
      })
  ),
  // A restart on the same machine must not wait for the lease: this one would outlast the test.
  Effect.provideService(JobOperator.Ownership, {
    ...JobOperator.Ownership.defaultValue(),
    lease: "1 hour"
  }),
  Effect.provide(live)
)

Effect.runPromise(program as Effect.Effect<string, unknown>).then(
  (status) => say(`end ${status}`),
  (error) => {
    say(`end ${error}`)
    process.exitCode = 1
  }
)
