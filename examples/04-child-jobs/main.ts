/**
 * A job whose steps are jobs: each child has executions of its own, and can be run, restarted and looked at alone. Its
 * parameters are made of those of the parent, checked by the compiler.
 *
 *   npx tsx examples/04-child-jobs/main.ts 2026-01-31 --broken    the second import fails
 *   npx tsx examples/04-child-jobs/main.ts 2026-01-31             goes on with it, in the same instance
 */
import { Console, Effect } from "effect"
import { JobOperator, JobParameters } from "effect-batch"
import * as Database from "../support/Database.js"
import { runMain } from "../support/Main.js"
import { nightly, SourceDown, Sources } from "./job.js"

const program = Effect.gen(function*() {
  const execution = yield* JobOperator.run(nightly, { day: process.argv[2] ?? "2026-01-31" })
  const children = yield* JobOperator.executions({ jobName: "import" })
  for (const child of [...children].reverse()) {
    yield* Console.log(`import ${JobParameters.format(child.parameters)}: ${child.status}`)
  }
  yield* Console.log(`nightly: ${execution.status}`)
  return execution.status
})

const sources = {
  fetch: (source: string) =>
    source === "orders" && process.argv.includes("--broken")
      ? Effect.fail(new SourceDown({ source }))
      : Console.log(`  ${source} fetched`)
}

runMain(program.pipe(
  Effect.provideService(Sources, sources),
  Effect.provide(Database.layer(Database.Target.Sqlite({ file: "flows.db" })))
))
