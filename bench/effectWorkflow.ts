/**
 * The load as a workflow of `@effect/workflow` on the engine that `@effect/cluster` keeps in PostgreSQL: one activity for
 * each chunk. An activity's rows and the reply that says they are in are two transactions, so after a crash between them
 * the chunk is inserted again.
 */
import * as ClusterWorkflowEngine from "@effect/cluster/ClusterWorkflowEngine"
import * as SingleRunner from "@effect/cluster/SingleRunner"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Activity from "@effect/workflow/Activity"
import * as Workflow from "@effect/workflow/Workflow"
import { Effect, Layer, ManagedRuntime, Redacted, Schema } from "effect"
import { randomUUID } from "node:crypto"
import * as durable from "./durable.js"
import type { Files, Row } from "./payments.js"

const Load = Workflow.make({
  name: "Load",
  payload: { id: Schema.String, csv: Schema.String },
  idempotencyKey: (payload) => payload.id
})

const insert = (index: number, rows: ReadonlyArray<Row>) =>
  Activity.make({
    name: `insert ${index}`,
    execute: Effect.flatMap(SqlClient.SqlClient, (sql) =>
      Effect.orDie(sql.unsafe(durable.insert, durable.parameters(rows)))).pipe(Effect.asVoid)
  })

const LoadLive = Load.toLayer(({ csv }) =>
  Effect.gen(function*() {
    const chunks = durable.chunks(csv)
    for (let index = 0;; index++) {
      const next = yield* Effect.promise(() => chunks.next())
      if (next.done === true) {
        return
      }
      yield* insert(index, next.value)
    }
  })
)

/** Starts a runner, the only one of its cluster, on the database of the rows. */
export const start = async (url: string, files: Files): Promise<durable.Engine> => {
  const runtime = ManagedRuntime.make(
    LoadLive.pipe(
      Layer.provideMerge(ClusterWorkflowEngine.layer),
      Layer.provideMerge(SingleRunner.layer()),
      Layer.provideMerge(PgClient.layer({ url: Redacted.make(url) }))
    )
  )
  await runtime.runtime()
  return {
    variants: {
      "@effect/workflow on @effect/cluster: parse by hand, an activity per 1,000": () =>
        runtime.runPromise(Load.execute({ id: randomUUID(), csv: files.csv }))
    },
    stop: () => runtime.dispose()
  }
}
