/**
 * Jobs on PostgreSQL behind PgBouncer in transaction mode, which gives each transaction another connection of the server.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ItemReader, Job, JobOperator, Step } from "../../src/index.js"
import { SqlItemWriter, SqlJobRepository } from "../../src/sql/index.js"
import * as PgBouncer from "../support/PgBouncer.js"
import * as Postgres from "../support/Postgres.js"

if (!PgBouncer.isInstalled) {
  process.stderr.write("PgBouncer is not installed: what runs behind it is not tested\n")
}

interface Row {
  readonly n: number
}

const COUNT = 100

const writers = {
  insertInto: SqlItemWriter.insertInto<Row>("pooled"),
  copyInto: SqlItemWriter.copyInto<Row>("pooled"),
  upsertInto: SqlItemWriter.upsertInto<Row>("pooled", { key: ["n"] })
}

const live = Layer.unwrapScoped(
  Effect.map(
    Effect.flatMap(Postgres.freshUrl, PgBouncer.before),
    (url) => Layer.fresh(SqlJobRepository.layer).pipe(Layer.provideMerge(Postgres.layerUrl(url, { maxConnections: 6 })))
  )
)

describe.skipIf(!PgBouncer.isInstalled)("behind PgBouncer in transaction mode", () => {
  for (const [name, writer] of Object.entries(writers)) {
    for (const prefetch of [true, false]) {
      it.scopedLive(`a job writes every row once: ${name}, prefetch ${prefetch}`, () =>
        Effect.gen(function*() {
          const sql = yield* SqlClient.SqlClient
          yield* sql`create table pooled (n int primary key)`
          const job = Job.make("pooled", {
            flow: Step.chunk("load", {
              reader: ItemReader.fromIterable(Array.from({ length: COUNT }, (_, n): Row => ({ n }))),
              writer,
              chunkSize: 5,
              prefetch
            })
          })
          const ended = yield* Effect.timeout(JobOperator.run(job, {}), "30 seconds")
          assert.strictEqual(ended.status, "COMPLETED", ended.exitStatus.messages.join())
          const rows = yield* sql<Row>`select n from pooled order by n`
          assert.deepStrictEqual(rows.map(({ n }) => n), Array.from({ length: COUNT }, (_, n) => n))
        }).pipe(Effect.provide(live)), 300_000)
    }
  }
})
