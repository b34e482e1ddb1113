/**
 * One of several programs on one SQLite file: `turnsChild.ts FILE NAME CHUNKS MILLIS` writes slow chunks, and prints how it ended
 * and how long its event loop was held up.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { Effect } from "effect"
import { ItemReader, Job, JobOperator, Step } from "effect-batch"
import { SqlItemWriter } from "effect-batch/sql"
import { monitorEventLoopDelay } from "node:perf_hooks"
import * as database from "./database.js"

/** What `turns` reads from a child: times in milliseconds. */
export interface Turned {
  readonly status: string
  /** The longest delay of the event loop while the job ran, and what 99.9 % of all delays were below. */
  readonly delayMillis: number
  readonly highMillis: number
  /** The longest pause between two chunks: others had their turns. */
  readonly waitMillis: number
}

const [file, name, chunks, millis] = process.argv.slice(2) as [string, string, string, string]

const RESOLUTION = 5

const runtime = database.sqlite(file)

const told = await runtime.runPromise(Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`create table if not exists turn (id integer primary key, process text not null)`
  let waitMillis = 0
  let last: number | undefined
  const job = (name: string, chunks: number, millis: number) =>
    Job.make(name, {
      flow: Step.chunk("write", {
        reader: ItemReader.fromIterable(Array.from({ length: chunks }, (_, index) => index)),
        writer: SqlItemWriter.statement("turn", (_: ReadonlyArray<number>, sql) =>
          Effect.zipRight(
            sql`insert into turn (process) values (${name})`,
            Effect.zipRight(
              Effect.sync(() => {
                const now = performance.now()
                waitMillis = Math.max(waitMillis, now - (last ?? now))
              }),
              Effect.ensuring(
                Effect.sleep(millis),
                Effect.sync(() => {
                  last = performance.now()
                })
              )
            )
          )),
        chunkSize: 1
      })
    })
  // What Node does when it first meets the engine is not what is looked for.
  yield* JobOperator.run(job(`${name}, warming up`, 3, 0), {})
  waitMillis = 0
  last = undefined
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION })
  delay.enable()
  const { status } = yield* JobOperator.run(job(name, Number(chunks), Number(millis)), {})
  delay.disable()
  const over = (nanos: number) => Math.max(0, nanos / 1e6 - RESOLUTION)
  return { status, delayMillis: over(delay.max), highMillis: over(delay.percentile(99.9)), waitMillis } satisfies Turned
}))

process.stdout.write(JSON.stringify(told), () => process.exit(0))
