/**
 * The command that forgets old job instances. It deletes, so it wants to be told what is old, and leaves alone the jobs
 * that this program does not know.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { plural } from "../base/text.js"
import * as JobOperator from "../operator/JobOperator.js"
import * as JobRegistry from "../operator/JobRegistry.js"
import type { Command } from "./command.js"
import { command } from "./command.js"
import type { CliContext, Work } from "./context.js"
import { answering, answeringAlone, ENDED, jsonFlag } from "./context.js"
import { anyText, integer, oneOf, optional, repeated, toggle } from "./flag.js"
import { UsageError } from "./usageError.js"

/** @internal */
export const purge = (context: CliContext): Command<Work> =>
  command(
    {
      words: ["purge"],
      group: "Operate",
      summary: "Forget old job instances with all of their executions",
      flags: {
        olderThan: optional("older-than", "duration", "Only what ended longer ago, such as \"30 days\"", duration),
        keepLast: optional("keep-last", "number", "Keep so many of the newest instances of each job", count),
        all: toggle("all", "Whatever its age; instead of --older-than and --keep-last"),
        status: repeated(
          "status",
          "status",
          "How it ended; by default COMPLETED and ABANDONED",
          oneOf(ENDED),
          ENDED
        ),
        job: optional(
          "job",
          "name",
          "Only this job, even if this program does not know it; by default all jobs of this program",
          anyText
        ),
        dryRun: toggle("dry-run", "Only tell what would go"),
        json: jsonFlag
      },
      args: {}
    },
    (given) => {
      const problem = problemOf(given)
      return problem === undefined
        ? answering(context, given.json, purging(given))
        : answeringAlone(given.json, Effect.fail(new UsageError({ problem, help: `${context.name} purge --help` })))
    }
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Given {
  readonly olderThan: Option.Option<Duration.Duration>
  readonly keepLast: Option.Option<number>
  readonly all: boolean
  readonly status: ReadonlyArray<(typeof ENDED)[number]>
  readonly job: Option.Option<string>
  readonly dryRun: boolean
}

const duration = (text: string): Either.Either<Duration.Duration, string> =>
  Either.try({
    try: () => Duration.decode(text as Duration.DurationInput),
    catch: () => "must be a duration, such as \"30 days\" or \"12 hours\""
  })

const count = (text: string): Either.Either<number, string> =>
  Either.filterOrLeft(integer(text), (number) => number >= 0, () => "must be 0 or more")

const problemOf = ({ all, keepLast, olderThan }: Given): string | undefined => {
  const isLimited = Option.isSome(olderThan) || Option.isSome(keepLast)
  return all && isLimited
    ? "--all forgets whatever the age: give either it, or --older-than and --keep-last"
    : !all && !isLimited
    ? "purge deletes, so say what is to go: --older-than \"30 days\", --keep-last 10, both, or --all; look with " +
      "--dry-run first"
    : undefined
}

const purging = ({ dryRun, job, keepLast, olderThan, status }: Given) =>
  Effect.gen(function*() {
    const jobNames = Option.isSome(job) ? [job.value] : yield* JobRegistry.names
    const reports = yield* Effect.forEach(jobNames, (jobName) =>
      JobOperator.purge({
        keepLast: Option.getOrUndefined(keepLast),
        olderThan: Option.getOrUndefined(olderThan),
        dryRun,
        jobName,
        statuses: status.length === 0 ? undefined : status
      }))
    const report = {
      instances: reports.flatMap(({ instances }) => instances),
      deleted: reports.reduce((sum, { deleted }) => sum + deleted, 0)
    }
    return { text: () => purged(report, dryRun), json: report }
  })

const purged = ({ deleted, instances }: JobOperator.PurgeReport, dryRun: boolean): string => {
  const executions = instances.reduce((sum, { executionIds }) => sum + executionIds.length, 0)
  const what = `${plural(instances.length, "instance")} with ${plural(dryRun ? executions : deleted, "execution")}`
  return `${what} ${dryRun ? "would go" : "deleted"}.`
}
