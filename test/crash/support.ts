/**
 * A database with the tables and the input of the job, and what has to be true of both when the job is done, however
 * often it was killed.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Record from "effect/Record"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import { Counts, JobOperator, JobRepository } from "../../src/index.js"
import * as Postgres from "../support/Postgres.js"
import * as Sqlite from "../support/Sqlite.js"
import * as Job from "./job.js"
import * as Processes from "./processes.js"
import type { WorkerOptions } from "./worker.js"

const ROWS = 230
/** So many lines pass at most before a kill; a run that nobody kills has about ten times as many. */
export const LINES = 60
/** The same, of a run that tells only what it has committed and skipped. */
export const EVENTS = 25

/** The same in every run, although never the same moments; the variable strikes elsewhere. */
export const SEED = Number(process.env["EFFECT_BATCH_CRASH_SEED"] ?? 1)

export interface Database {
  readonly options: WorkerOptions["database"]
  readonly client: Layer.Layer<SqlClient.SqlClient, unknown>
}

export const sqlite: Effect.Effect<Database, never, Scope.Scope> = Effect.map(Sqlite.freshFile, (file) => ({
  options: { sqlite: file },
  client: Sqlite.layerFile(file)
}))

export const postgres: Effect.Effect<Database, Error, Scope.Scope> = Effect.map(Postgres.freshUrl, postgresAt)

export function postgresAt(url: string): Database {
  return { options: { postgres: url }, client: Postgres.layerUrl(url) }
}

/** A database with empty tables, a directory with the input, and the worker for both. */
export const prepare = (database: Database) =>
  Effect.gen(function*() {
    const directory = yield* Processes.directory
    Fs.writeFileSync(Job.outputs(directory).csvIn, Job.input(ROWS))
    yield* Effect.provide(Job.tables, database.client)
    return { database: database.options, directory, pauseMillis: 2 } satisfies WorkerOptions
  })

type Counted = ReadonlyArray<{ readonly stepName: string; readonly counts: Counts.Counts }>

/** The counts of items, step by step, added up. */
const counting = (steps: Counted): Record<string, Partial<Counts.Counts>> => {
  const totals: Record<string, Partial<Counts.Counts>> = {}
  for (const { counts, stepName } of steps) {
    const { commit: _, rollback: __, ...items } = Counts.add(Counts.make(totals[stepName] ?? {}), counts)
    totals[stepName] = items
  }
  return totals
}

const countingWrites = (steps: Counted): Record<string, number> =>
  Record.map(counting(steps), ({ write }) => write ?? 0)

const expectedTotals = (): Counted => {
  const { rows, skipped } = Job.expected(ROWS)
  const passedOn = Counts.make({ read: rows.length, write: rows.length })
  const loaded = Counts.make({
    read: ROWS - skipped.read,
    write: rows.length,
    readSkip: skipped.read,
    processSkip: skipped.process,
    writeSkip: skipped.write
  })
  return [
    { stepName: "load", counts: loaded },
    { stepName: "export", counts: passedOn },
    { stepName: "archive", counts: passedOn }
  ]
}

/**
 * Everything that a job which was killed must have in common with one that was not. `ends` are the exit codes of the
 * executions before the last one.
 */
export const check = (directory: string, ends: ReadonlyArray<string> = ["OWNER_DIED"]) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const expected = Job.expected(ROWS)
    const files = Job.outputs(directory)
    assert.deepStrictEqual(yield* sql`select id, cents from account order by id`, expected.rows, "the table account")
    assert.deepStrictEqual(yield* sql`select id, cents from archive order by id`, expected.rows, "the table archive")
    assert.strictEqual(Fs.readFileSync(files.ndjson, "utf8"), expected.ndjson, "the NDJSON file")
    assert.strictEqual(Fs.readFileSync(files.csvOut, "utf8"), expected.csv, "the CSV file")

    const [last, ...before] = yield* JobOperator.executions({ jobName: Job.jobName, limit: 1000 })
    // A kill between the last commit and the end of the job leaves nothing to do but to say so (LIFE-10, LIFE-18).
    const ending = (yield* JobOperator.steps(last!.id)).length === 0 ? "NOOP" : "COMPLETED"
    assert.deepStrictEqual([last?.status, last?.exitStatus.code], ["COMPLETED", ending])
    for (const execution of before) {
      assert.deepStrictEqual([execution.status, execution.endTime._tag], ["FAILED", "Some"])
      assert.include(ends, execution.exitStatus.code)
    }
    const executions = [...before.reverse(), last!]
    assert.strictEqual(new Set(executions.map((execution) => execution.instance.id)).size, 1)
    const steps = (yield* Effect.forEach(executions, (execution) => JobOperator.steps(execution.id))).flat()
    for (const { endTime, exitStatus, status } of steps) {
      assert.include(["COMPLETED COMPLETED", ...ends.map((code) => `FAILED ${code}`)], `${status} ${exitStatus.code}`)
      assert.strictEqual(endTime._tag, "Some")
    }
    // A step that could save how it failed has counted the items of its last chunk, which are read again.
    const counted = ends.length === 1 ? counting : countingWrites
    assert.deepStrictEqual(counted(steps), counted(expectedTotals()), "the counts over all executions")

    const repository = yield* JobRepository.JobRepository
    const quarantined = (yield* Effect.forEach(executions, (execution) => repository.skippedItems(execution.id))).flat()
    const { process, read, write } = expected.skipped
    const of = (phase: string) => quarantined.filter((item) => item.phase === phase).length
    assert.deepStrictEqual([of("read"), of("process"), of("write")], [read, process, write], "the quarantine")
    return executions.length
  })

export const hint = (self: Effect.Effect<void, unknown, Scope.Scope>) =>
  Effect.tapErrorCause(
    self,
    () => Effect.sync(() => process.stderr.write(`The kills were made with EFFECT_BATCH_CRASH_SEED=${SEED}\n`))
  )

/** Kills and starts the worker until the job is done; the number of kills that hit it. */
export const untilDone = (worker: string, options: WorkerOptions, nextKill: () => Processes.Strike | undefined) =>
  Effect.gen(function*() {
    let kills = 0
    while (true) {
      const { errors, status } = yield* Processes.run(worker, options, nextKill())
      if (status === "COMPLETED") {
        return kills
      }
      assert.strictEqual(status, undefined, `the worker ended with "${status}" ${errors}`)
      assert.strictEqual(errors, "")
      kills++
    }
  })
