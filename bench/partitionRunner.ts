/**
 * A runner of entities in a process of its own: `partitionRunner.ts URL SLOTS`. Ends when it is told to.
 */
import { Effect } from "effect"
import { freePort } from "../test/support/freePort.mjs"
import { runner } from "./partitionEntity.js"

const [url, slots] = process.argv.slice(2)

await Effect.runPromise(Effect.scoped(Effect.zipRight(
  runner(url!, await freePort(), Number(slots)),
  Effect.async<void>((resume) => {
    process.once("SIGTERM", () => resume(Effect.void))
    process.stdout.write("ready\n")
  })
)))
process.exit(0)
