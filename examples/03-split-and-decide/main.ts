/**
 * Two branches side by side, a decision that asks for a parameter and a service, and a stop at which somebody looks at
 * the result before the job goes on.
 *
 *   npx tsx examples/03-split-and-decide/main.ts 2026-01-30
 *   npx tsx examples/03-split-and-decide/main.ts 2026-01-31     stops for approval; run it again to approve
 */
import { Console, Effect } from "effect"
import { JobOperator } from "effect-batch"
import * as Database from "../support/Database.js"
import { runMain } from "../support/Main.js"
import { Calendar, dayEnd } from "./job.js"

const program = Effect.gen(function*() {
  const parameters = { day: new Date(process.argv[2] ?? "2026-01-31") }
  const { lines } = yield* JobOperator.explain(dayEnd, parameters)
  yield* Console.log(lines.join("\n"))
  const execution = yield* JobOperator.run(dayEnd, parameters)
  yield* Console.log(`${execution.status}, exit code ${execution.exitStatus.code}`)
  return execution.status
})

runMain(program.pipe(
  Effect.provideService(Calendar, {
    isMonthEnd: (day) => new Date(day.getTime() + 24 * 60 * 60 * 1000).getUTCDate() === 1
  }),
  Effect.provide(Database.layer(Database.Target.Sqlite({ file: "flows.db" })))
))
