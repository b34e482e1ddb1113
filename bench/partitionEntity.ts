/**
 * What partitions would be without slots: each of them a message to an entity of `@effect/cluster`, kept in PostgreSQL until it is
 * answered, which the runners have shared out among themselves.
 */
import * as ClusterSchema from "@effect/cluster/ClusterSchema"
import * as Entity from "@effect/cluster/Entity"
import * as RunnerAddress from "@effect/cluster/RunnerAddress"
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import * as Rpc from "@effect/rpc/Rpc"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Layer, ManagedRuntime, Option, Redacted, Schema } from "effect"

/** One that does nothing. */
export const Partition = Entity.make("bench/Partition", [
  Rpc.make("Run", { payload: { name: Schema.String }, primaryKey: ({ name }) => name })
    .annotate(ClusterSchema.Persisted, true)
])

/** As tuned as those of `effect-batch/cluster`. */
const sharding = {
  shardLockExpiration: "10 seconds",
  shardLockRefreshInterval: "3 seconds",
  refreshAssignmentsInterval: "1 second",
  entityMessagePollInterval: "1 second",
  entityReplyPollInterval: "500 millis"
} as const

const client = (url: string) => PgClient.layer({ url: Redacted.make(url) })

/** Sends as many messages as there are names, and waits for all answers. */
export const sender = (url: string) => {
  const runtime = ManagedRuntime.make(Layer.provide(
    NodeClusterSocket.layer({ clientOnly: true, storage: "sql", shardingConfig: sharding }),
    client(url)
  ))
  const send = (names: ReadonlyArray<string>) =>
    runtime.runPromise(
      Effect.scoped(Effect.flatMap(Partition.client, (of) =>
        Effect.forEach(names, (name) =>
          of(name).Run({ name }), { concurrency: "unbounded", discard: true })))
    )
  return { send, stop: () => runtime.dispose() }
}

/** A runner at the port that runs so many at once. */
export const runner = (url: string, port: number, slots: number) => {
  return Effect.gen(function*() {
    const permits = yield* Effect.makeSemaphore(slots)
    yield* Layer.build(Layer.provide(
      Partition.toLayer({ Run: () => permits.withPermits(1)(Effect.void) }, { concurrency: "unbounded" }),
      Layer.provide(
        NodeClusterSocket.layer({
          storage: "sql",
          shardingConfig: { ...sharding, runnerAddress: Option.some(RunnerAddress.make("127.0.0.1", port)) }
        }),
        client(url)
      )
    ))
  })
}
