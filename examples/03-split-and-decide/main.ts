/**
 * Two branches side by side, a decision that asks for a parameter and a service, and a stop at which somebody looks at
 * the result before the job goes on.
 *
 *   npx tsx examples/03-split-and-decide/main.ts 2026-01-30
 *   npx tsx examples/03-split-and-decide/main.ts 2026-01-31     stops for approval; run it again to approve
 */
import { Console, Context, Effect, Schema } from "effect"
import { Flow, Job, JobOperator, JobParameters, Step } from "effect-batch"
import * as Database from "../support/Database.js"
import { runMain } from "../support/Main.js"

class Closing extends JobParameters.Tag<Closing>()("Closing", { day: Schema.DateFromString }) {}

class Calendar extends Context.Tag("Calendar")<Calendar, { readonly isMonthEnd: (day: Date) => boolean }>() {}

const say = (name: string) => Step.tasklet(name, Console.log(`  ${name}`))

const isMonthEnd = Flow.decide("month end?", ["MONTH_END", "ORDINARY"], () =>
  Effect.gen(function*() {
    const { day } = yield* Closing
    const calendar = yield* Calendar
    return calendar.isMonthEnd(day) ? "MONTH_END" : "ORDINARY"
  }))

const job = Job.make("day-end", {
  parameters: Closing,
  flow: say("load").pipe(
    Flow.andThen(
      Flow.split([
        say("post ledger").pipe(Flow.andThen(say("check balance"))),
        say("reindex search")
      ], { concurrency: 2, onBranchFailure: "interrupt" })
    ),
    Flow.andThen(isMonthEnd),
    Flow.match({
      MONTH_END: say("statements").pipe(Flow.andThen(Flow.stopAndRestart(say("send"), "TO BE APPROVED"))),
      ORDINARY: Flow.end("NOTHING TO SEND")
    })
  )
})

const program = Effect.gen(function*() {
  const parameters = { day: new Date(process.argv[2] ?? "2026-01-31") }
  const { lines } = yield* JobOperator.explain(job, parameters)
  yield* Console.log(lines.join("\n"))
  const execution = yield* JobOperator.run(job, parameters)
  yield* Console.log(`${execution.status}, exit code ${execution.exitStatus.code}`)
  return execution.status
})

runMain(program.pipe(
  Effect.provideService(Calendar, {
    isMonthEnd: (day) => new Date(day.getTime() + 24 * 60 * 60 * 1000).getUTCDate() === 1
  }),
  Effect.provide(Database.layer(Database.Target.Sqlite({ file: "flows.db" })))
))
