/**
 * What follows a step depends on how it ended: clean input is archived, input with bad lines is reviewed first, input
 * that is broken ends the job early. Leaving out one of the three does not compile.
 *
 *   npx tsx examples/02-conditional-flow/main.ts clean|dirty|broken
 *
 * After `broken`, mend the input and run the same command with `--mended`: the job goes on where it stopped.
 */
import { Console, Effect } from "effect"
import { Job, JobOperator } from "effect-batch"
import * as Database from "../support/Database.js"
import { runMain, UsageError } from "../support/Main.js"
import { importPoints } from "./job.js"

const program = Effect.gen(function*() {
  const [input, mended] = process.argv.slice(2)
  if (input !== "clean" && input !== "dirty" && input !== "broken") {
    return yield* new UsageError({ message: "usage: main.ts clean|dirty|broken [--mended]" })
  }
  const execution = yield* JobOperator.run(importPoints, { input, mended: mended === "--mended" })
  yield* Console.log(Job.toMermaid(importPoints, { execution, steps: yield* JobOperator.steps(execution.id) }))
  yield* Console.log(`${execution.status}, exit code ${execution.exitStatus.code}`)
  return execution.status
})

runMain(Effect.provide(program, Database.layer(Database.Target.Sqlite({ file: "flows.db" }))))
