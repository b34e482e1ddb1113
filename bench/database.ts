/**
 * The databases that the benches use: a PostgreSQL of their own that forces every commit to the disk, and SQLite files.
 */
import { NodeFileSystem } from "@effect/platform-node"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Effect, Layer, ManagedRuntime, Redacted, Schema } from "effect"
import { Job, JobOperator, JobParameters, type Step } from "effect-batch"
import { SqlJobRepository } from "effect-batch/sql"
import { randomUUID } from "node:crypto"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { startServer } from "../test/support/postgresProcess.js"

/** A directory that is gone when the work is done. */
export const inDirectory = async <A>(work: (directory: string) => Promise<A>): Promise<A> => {
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-batch-bench-"))
  try {
    return await work(directory)
  } finally {
    Fs.rmSync(directory, { recursive: true, force: true })
  }
}

/** A server with default settings and `fsync` on, for the time of the work. */
export const withServer = async <A>(work: (server: { url: string; pid: number }) => Promise<A>): Promise<A> => {
  const server = await startServer({ fsync: true })
  try {
    return await work({ url: server.info.url, pid: server.info.pid })
  } finally {
    await server.stop()
  }
}

/** A repository and the client of its database, opened once for all runs. */
export const postgres = (url: string) =>
  ManagedRuntime.make(
    Layer.mergeAll(SqlJobRepository.layer, NodeFileSystem.layer).pipe(
      Layer.provideMerge(PgClient.layer({ url: Redacted.make(url) }))
    )
  )

/** As `postgres`; the repository has SQLite force every commit to the disk. */
export const sqlite = (filename: string) =>
  ManagedRuntime.make(
    Layer.mergeAll(SqlJobRepository.layer, NodeFileSystem.layer).pipe(
      Layer.provideMerge(SqliteClient.layer({ filename }))
    )
  )

class Run extends JobParameters.Tag<Run>()("Run", { run: Schema.String }) {}

/** Runs a step as a job instance of its own, and fails when it does not complete. */
export const runStep = <E, R>(step: Step.Step<string, E, R>, job = "bench") =>
  Effect.suspend(() =>
    Effect.asVoid(JobOperator.runOrFail(Job.make(job, { parameters: Run, flow: step }), { run: randomUUID() }))
  )
