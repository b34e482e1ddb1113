/**
 * The job of this example: the end of a business day, which is more work at the end of a month.
 */
import { Console, Context, Effect, Schema } from "effect"
import { Flow, Job, JobParameters, Step } from "effect-batch"

export class Closing extends JobParameters.Tag<Closing>()("Closing", { day: Schema.DateFromString }) {}

export class Calendar extends Context.Tag("Calendar")<Calendar, { readonly isMonthEnd: (day: Date) => boolean }>() {}

const say = (name: string) => Step.tasklet(name, Console.log(`  ${name}`))

const isMonthEnd = Flow.decide("month end?", ["MONTH_END", "ORDINARY"], () =>
  Effect.gen(function*() {
    const { day } = yield* Closing
    const calendar = yield* Calendar
    return calendar.isMonthEnd(day) ? "MONTH_END" : "ORDINARY"
  }))

export const dayEnd = Job.make("day-end", {
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
