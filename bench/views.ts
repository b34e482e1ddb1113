/**
 * What the pages of the dashboard cost with 10,000 executions and 100,000 skipped records, beside an empty database.
 */
import { HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { SqliteClient } from "@effect/sql-sqlite-node"
import * as SqlClient from "@effect/sql/SqlClient"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { Job, JobRegistry, Step } from "effect-batch"
import { Dashboard } from "effect-batch/dashboard"
import { SqlJobRepository } from "effect-batch/sql"
import * as Fs from "node:fs"
import { createServer } from "node:http"
import * as Os from "node:os"
import * as Path from "node:path"
import * as measure from "./measure.js"
import * as options from "./options.js"

const job = Job.make("nightly", { flow: Step.tasklet("load", Effect.void) })

const EXECUTIONS = 10_000
const SKIPPED = 100_000

/** Ten instances of each of a thousand runs, one of which has skipped a lot. */
const filled = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const numbers = (count: number) =>
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count})`
  yield* sql.unsafe(`${numbers(EXECUTIONS)} insert into batch_job_instance (job_name, job_key, create_time)
    select 'nightly', 'key ' || i, i * 1000 from n`)
  yield* sql.unsafe(
    `${numbers(EXECUTIONS)} insert into batch_job_execution (job_instance_id, status, exit_code, exit_message,
      create_time, start_time, end_time, last_updated, context, epoch, lease_millis)
    select i, case when i % 50 = 0 then 'FAILED' else 'COMPLETED' end, 'COMPLETED', '', i * 1000, i * 1000, i * 1000 + 500,
      i * 1000 + 500, '{}', 1, 30000 from n`
  )
  yield* sql.unsafe(
    `${numbers(EXECUTIONS)} insert into batch_step_execution (job_execution_id, step_name, status, exit_code,
      exit_message, create_time, start_time, end_time, last_updated, context, epoch, read_count, write_count)
    select i, 'load', 'COMPLETED', 'COMPLETED', '', i * 1000, i * 1000, i * 1000 + 500, i * 1000 + 500, '{}', 1, 1000, 900 from n`
  )
  yield* sql.unsafe(
    `${numbers(SKIPPED)} insert into batch_skipped_item (step_execution_id, phase, error_tag, message, item,
      create_time)
    select ${EXECUTIONS}, 'process', 'BadRow', 'no amount in column ' || (i % 40), '{"line": ' || i || '}', i from n`
  )
})

const served = (file: string) =>
  Effect.gen(function*() {
    const context = yield* Layer.build(
      Dashboard.layer().pipe(
        Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })),
        Layer.provideMerge(JobRegistry.layer([job])),
        Layer.provideMerge(SqlJobRepository.layer),
        Layer.provideMerge(SqliteClient.layer({ filename: file }))
      )
    )
    const { address } = Context.get(context, HttpServer.HttpServer)
    return { context, url: address._tag === "TcpAddress" ? `http://127.0.0.1:${address.port}` : "" }
  })

const fetched = async (url: string): Promise<void> => {
  const answer = await fetch(url)
  await answer.text()
  if (!answer.ok) {
    throw new Error(`${url} answered with ${answer.status}`)
  }
}

export const views = async (): Promise<void> => {
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "views-"))
  const scope = Effect.runSync(Scope.make())
  const serve = (name: string) => Effect.runPromise(Scope.extend(served(Path.join(directory, `${name}.db`)), scope))
  try {
    const full = await serve("full")
    const empty = await serve("empty")
    await Effect.runPromise(Effect.provide(filled, full.context))
    const pages = {
      "now": "/",
      "executions": "/executions",
      "executions that failed": "/executions?status=FAILED",
      "a job": "/jobs/nightly",
      "the execution with 100,000 skipped records": `/executions/${EXECUTIONS}`,
      "its skipped records": `/executions/${EXECUTIONS}/skipped`,
      "one group of them, in the middle":
        `/executions/${EXECUTIONS}/skipped?tag=BadRow&message=no%20amount%20in%20column%207&after=50000`
    }
    const rows: Array<ReadonlyArray<string>> = []
    for (const [name, path] of Object.entries(pages)) {
      const beside = path.startsWith(`/executions/${EXECUTIONS}`) ? "/executions" : path
      const samples = await measure.rounds(
        { full: () => fetched(full.url + path), empty: () => fetched(empty.url + beside) },
        options.roundsOr(15)
      )
      const [slow, quick] = [measure.wall(samples.full) / 1e6, measure.wall(samples.empty) / 1e6]
      rows.push([name, slow.toFixed(1), quick.toFixed(1), (slow / quick).toFixed(1)])
    }
    measure.print("Pages", ["page", "ms", "ms, empty database", "ratio"], rows)
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    Fs.rmSync(directory, { recursive: true, force: true })
  }
}
