/**
 * A worker in a process of its own: `partitionWorker.ts URL SLOTS`. Ends when it is told to.
 */
import { NodeContext } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { PartitionWorker } from "effect-batch"
import * as database from "./database.js"
import { csv, spread } from "./partitionJobs.js"

const [url, slots] = process.argv.slice(2)

const runtime = database.postgres(url!)
await runtime.runPromise(Effect.scoped(Effect.zipRight(
  Layer.build(Layer.provide(PartitionWorker.layer([spread, csv], { slots: Number(slots) }), NodeContext.layer)),
  Effect.async<void>((resume) => {
    process.once("SIGTERM", () => resume(Effect.void))
    process.stdout.write("ready\n")
  })
)))
await runtime.dispose()
process.exit(0)
