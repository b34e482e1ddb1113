/**
 * The command that forgets old job instances. It deletes, so it wants to be told what is old, and leaves alone the jobs
 * that this program does not know.
 */
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { plural } from "../base/text.js"
import * as JobOperator from "../operator/JobOperator.js"
import * as JobRegistry from "../operator/JobRegistry.js"
import type { CliContext } from "./context.js"
import { answering, ENDED, jsonFlag } from "./context.js"
import type { AnyCommand } from "./runCommands.js"

/** @internal */
export const purge = (context: CliContext): AnyCommand =>
  Command.make("purge", purgeFlags, ({ dryRun, job, json, rules, status }) =>
    answering(
      context,
      json,
      Effect.gen(function*() {
        const jobNames = Option.isSome(job) ? [job.value] : yield* JobRegistry.names
        const reports = yield* Effect.forEach(jobNames, (jobName) =>
          JobOperator.purge({ ...rules, dryRun, jobName, statuses: status.length === 0 ? undefined : status }))
        const report = {
          instances: reports.flatMap(({ instances }) =>
            instances
          ),
          deleted: reports.reduce((sum, { deleted }) => sum + deleted, 0)
        }
        return { text: purged(report, dryRun), json: report }
      })
    )).pipe(Command.withDescription("Forget old job instances with all of their executions"))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Given {
  readonly olderThan: Option.Option<Duration.Duration>
  readonly keepLast: Option.Option<number>
  readonly all: boolean
}

const given: Options.Options<Given> = Options.all({
  olderThan: Options.optional(
    Options.text("older-than").pipe(
      Options.withPseudoName("duration"),
      Options.withDescription("Only what ended longer ago, such as \"30 days\""),
      Options.mapTryCatch(
        (text) => Duration.decode(text as Duration.DurationInput),
        () => HelpDoc.p("--older-than must be a duration, such as \"30 days\" or \"12 hours\"")
      )
    )
  ),
  keepLast: Options.optional(
    Options.withDescription(Options.integer("keep-last"), "Keep so many of the newest instances of each job")
  ),
  all: Options.withDescription(Options.boolean("all"), "Whatever its age; instead of --older-than and --keep-last")
})

const problemOf = ({ all, keepLast, olderThan }: Given): string | undefined => {
  const isLimited = Option.isSome(olderThan) || Option.isSome(keepLast)
  if (all && isLimited) {
    return "--all forgets whatever the age: give either it, or --older-than and --keep-last"
  }
  if (!all && !isLimited) {
    return "purge deletes, so say what is to go: --older-than \"30 days\", --keep-last 10, both, or --all; look with " +
      "--dry-run first"
  }
  return Option.exists(keepLast, (count) => count < 0) ? "--keep-last must be 0 or more" : undefined
}

const purgeFlags = {
  rules: Options.mapEffect(given, (options) => {
    const problem = problemOf(options)
    return problem === undefined
      ? Effect.succeed({
        keepLast: Option.getOrUndefined(options.keepLast),
        olderThan: Option.getOrUndefined(options.olderThan)
      })
      : Effect.fail(ValidationError.invalidValue(HelpDoc.p(problem)))
  }),
  status: Options.repeated(Options.choice("status", ENDED)).pipe(
    Options.withDescription("How it ended; may be given several times. By default COMPLETED and ABANDONED")
  ),
  job: Options.optional(
    Options.withDescription(
      Options.text("job"),
      "Only this job, even if this program does not know it; by default all jobs of this program"
    )
  ),
  dryRun: Options.withDescription(Options.boolean("dry-run"), "Only tell what would go"),
  json: jsonFlag
}

const purged = ({ deleted, instances }: JobOperator.PurgeReport, dryRun: boolean): string => {
  const executions = instances.reduce((sum, { executionIds }) => sum + executionIds.length, 0)
  const what = `${plural(instances.length, "instance")} with ${plural(dryRun ? executions : deleted, "execution")}`
  return `${what} ${dryRun ? "would go" : "deleted"}.`
}
