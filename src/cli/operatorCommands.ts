/**
 * The commands that are about executions: list, show, partitions, restart, stop, abandon, recover, skipped.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Decision from "../decisions/partition.js"
import type { Job } from "../definition/Job.js"
import { definitionOf } from "../definition/tree.js"
import * as JobOperator from "../operator/JobOperator.js"
import * as JobRegistry from "../operator/JobRegistry.js"
import { JobRepository } from "../ports/JobRepository.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import { audited } from "./audit.js"
import type { Command } from "./command.js"
import { command } from "./command.js"
import type { Answer, CliContext, Services, Work } from "./context.js"
import { answering, answeringAlone, ENDED, jsonFlag } from "./context.js"
import { anyText, argument, integer, oneOf, optional, optionalArgument, repeated, toggle, withDefault } from "./flag.js"
import * as Format from "./format.js"
import * as Json from "./json.js"
import { table } from "./layout.js"
import { waitFlag } from "./runCommands.js"
import { patiently, watched } from "./watched.js"

const ID = "The id of a job execution"

const jobFlag = optional("job", "name", "Only this job", anyText)

type Group = "Look" | "Operate"

/** A command about one execution. */
const about = (
  context: CliContext,
  name: string,
  group: Group,
  summary: string,
  work: (executionId: number) => Effect.Effect<Answer, unknown, Services>
): Command<Work> =>
  command(
    { words: [name], group, summary, flags: { json: jsonFlag }, args: { id: argument("id", ID, integer) } },
    ({ id, json }) => answering(context, json, work(id))
  )

/** @internal */
export const listJobs = ({ jobs }: CliContext): Command<Work> =>
  command(
    {
      words: ["list", "jobs"],
      group: "Look",
      summary: "The jobs of this program, with their parameters; those in brackets do not identify an instance",
      flags: { json: jsonFlag },
      args: {}
    },
    ({ json }) => answeringAlone(json, Effect.sync(() => jobsAnswer(jobs)))
  )

/** @internal */
export const listExecutions = (context: CliContext): Command<Work> =>
  command(
    {
      words: ["list", "executions"],
      group: "Look",
      summary: "The executions of all jobs, newest first",
      flags: {
        job: jobFlag,
        status: repeated("status", "status", "Only executions with this status", oneOf(STATUSES), STATUSES),
        limit: withDefault(optional("limit", "number", "At most so many", integer), 20),
        json: jsonFlag
      },
      args: {}
    },
    ({ job, json, limit, status }) =>
      answering(
        context,
        json,
        Effect.map(
          JobOperator.executions({
            jobName: Option.getOrUndefined(job),
            statuses: status.length === 0 ? undefined : status,
            limit
          }),
          (rows) => ({ text: (width) => Format.executions(rows, width), json: rows.map((row) => Json.execution(row)) })
        )
      )
  )

/** @internal */
export const show = (context: CliContext): Command<Work> =>
  command(
    {
      words: ["show"],
      group: "Look",
      summary: "Show an execution: steps, counts, what failed and what was skipped",
      flags: { full: toggle("full", "Every error with its fields, its place and all of its causes"), json: jsonFlag },
      args: { id: argument("id", ID, integer) }
    },
    ({ full, id, json }) => answering(context, json, shown(id, full))
  )

const shown = (executionId: number, full: boolean): Effect.Effect<Answer, unknown, Services> =>
  Effect.gen(function*() {
    const { execution, steps: told, text } = yield* JobOperator.summary(executionId)
    const steps = told.map(({ step }) => step)
    const skipped = yield* JobOperator.skipped(executionId)
    const partitions = yield* JobOperator.partitions(executionId, { limit: SHOWN })
    const audit = yield* Effect.flatMap(JobRepository, (repository) => repository.audit({ executionId }))
    const now = yield* DateTime.now
    const failures = Format.failures(execution, steps)
    const causes = full ? Format.causes(execution, steps) : Format.causesHint(execution, steps)
    return {
      text: (width) =>
        [
          text,
          ...Option.match(execution.restartOf, {
            onNone: () => [],
            onSome: (of) => [`restart of execution ${of}`]
          }),
          "",
          Format.steps(steps, width),
          ...partitions.flatMap((step) => [
            "",
            Format.partitions(step, now, width),
            ...(Decision.total(step.tally) > SHOWN ? [`The slowest ${SHOWN}; others: partitions ${executionId}`] : [])
          ]),
          ...(failures.length === 0 ? [] : ["", ...failures]),
          ...(causes.length === 0 ? [] : ["", ...causes]),
          ...(skipped.length === 0 ? [] : [
            "",
            Format.skipped(skipped.slice(0, 10), width),
            ...(skipped.length > 10 ? [`and ${skipped.length - 10} more: skipped ${executionId}`] : [])
          ]),
          ...(audit.length === 0 ? [] : ["", ...Format.audit(audit)])
        ].join("\n"),
      json: {
        ...Json.execution(execution, full),
        steps: steps.map((step) => Json.step(step, full)),
        ...(partitions.length === 0 ? {} : { partitions: partitions.map(Json.partitions) }),
        skipped: skipped.map(Json.skipped),
        ...(audit.length === 0 ? {} : { audit: audit.map(Json.audit) })
      }
    }
  })

/** Partitions of each step. */
const SHOWN = 10

/** @internal */
export const partitions = (context: CliContext): Command<Work> =>
  command(
    {
      words: ["partitions"],
      group: "Look",
      summary: "List the partitions of an execution, slowest first: where each stands, and why it failed",
      flags: {
        standing: repeated("standing", "standing", "Only those that stand so", oneOf(STANDINGS), STANDINGS),
        planned: toggle("planned", "In the order of the plan"),
        limit: withDefault(optional("limit", "number", "At most so many of each step", integer), 100),
        json: jsonFlag
      },
      args: { id: argument("id", ID, integer) }
    },
    ({ id, json, limit, planned, standing }) =>
      answering(
        context,
        json,
        Effect.zipWith(
          JobOperator.partitions(id, {
            standings: standing.length === 0 ? undefined : standing,
            order: planned ? "plan" : "slowest",
            limit
          }),
          DateTime.now,
          (steps, now) => ({
            text: (width) =>
              steps.length === 0
                ? `Execution ${id} has planned no partitions.`
                : steps.map((step) => Format.partitions(step, now, width)).join("\n\n"),
            json: steps.map(Json.partitions)
          })
        )
      )
  )

/** @internal */
export const report = (context: CliContext): Command<Work> =>
  about(
    context,
    "report",
    "Look",
    "Print an execution as one page of HTML, to be mailed and kept: report 7 > run.html",
    (executionId) =>
      Effect.gen(function*() {
        const { instance } = yield* JobOperator.execution(executionId)
        const job = context.jobs.find(({ name }) => name === instance.jobName)
        const text = yield* JobOperator.report(executionId, { job })
        return { text: () => text.trimEnd(), json: { id: executionId, html: text } }
      })
  )

/** @internal */
export const restart = (context: CliContext): Command<Work> =>
  command(
    {
      words: ["restart"],
      group: "Operate",
      summary: "Run an execution that failed or was stopped again, from its last commit",
      flags: { wait: waitFlag, json: jsonFlag },
      args: { id: argument("id", ID, integer) }
    },
    ({ id, json, wait }) => {
      const running = JobRegistry.restart(id)
      return answering(
        context,
        json,
        audited(id, "restart", watched(context.name, json, wait ? patiently(json, running) : running))
      )
    }
  )

/** @internal */
export const replay = (context: CliContext): Command<Work> =>
  command(
    {
      words: ["replay"],
      group: "Operate",
      summary: "Run the records that an execution skipped again, and nothing else",
      flags: {
        "dry-run": toggle("dry-run", "Only tell what would be run"),
        wait: waitFlag,
        json: jsonFlag
      },
      args: { id: argument("id", ID, integer) }
    },
    ({ "dry-run": isDry, id, json, wait }) => {
      const running = JobRegistry.replay(id)
      return answering(
        context,
        json,
        isDry
          ? Effect.map(JobRegistry.explainReplay(id), forecast)
          : audited(id, "replay", watched(context.name, json, wait ? patiently(json, running) : running))
      )
    }
  )

/** @internal */
export const stop = (context: CliContext): Command<Work> =>
  about(
    context,
    "stop",
    "Operate",
    "Ask a running execution to stop at its next commit",
    (executionId) =>
      Effect.as(audited(executionId, "stop", JobOperator.stop(executionId)), {
        text: () => `Execution ${executionId} was asked to stop.`,
        json: { id: executionId, stopRequested: true }
      })
  )

/** @internal */
export const abandon = (context: CliContext): Command<Work> =>
  about(
    context,
    "abandon",
    "Operate",
    "Give an execution up for good: it can't be restarted",
    (executionId) =>
      Effect.map(audited(executionId, "abandon", JobOperator.abandon(executionId)), (row) => ({
        text: () => `Execution ${executionId} is ${row.status}.`,
        json: Json.execution(row)
      }))
  )

/** @internal */
export const skipped = (context: CliContext): Command<Work> =>
  about(context, "skipped", "Look", "List the records that an execution skipped", (executionId) =>
    Effect.map(
      Effect.zipRight(JobOperator.execution(executionId), JobOperator.skipped(executionId)),
      (rows) => ({ text: (width) => Format.skipped(rows, width), json: rows.map(Json.skipped) })
    ))

/** @internal */
export const recover = (context: CliContext): Command<Work> =>
  command(
    {
      words: ["recover"],
      group: "Operate",
      summary: "Close executions whose process died, so that they can be restarted: one, or all of them",
      flags: {
        force: toggle("force", "Take the execution from its process, even if that seems to live"),
        reason: optional("reason", "text", "Kept with the execution", anyText),
        job: jobFlag,
        json: jsonFlag
      },
      args: { id: optionalArgument("id", ID, integer) }
    },
    ({ force, id, job, json, reason }) =>
      answering(
        context,
        json,
        Effect.map(
          Option.isSome(id)
            ? Effect.map(
              audited(
                id.value,
                force ? "recover by force" : "recover",
                JobOperator.recover(id.value, { force, reason: Option.getOrUndefined(reason) })
              ),
              (row) => [row]
            )
            : JobOperator.recoverExpired({ jobName: Option.getOrUndefined(job) }),
          (rows) => ({ text: () => recovered(rows), json: rows.map((row) => Json.execution(row)) })
        )
      )
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const STANDINGS = ["waiting", "running", "completed", "failed", "stopped", "unknown", "abandoned"] as const

const STATUSES = ["STARTING", "STARTED", "STOPPING", ...ENDED] as const

const jobsAnswer = (jobs: ReadonlyArray<Job.Any>): Answer => {
  const rows = jobs.map((job) => {
    const { fields, identifying } = definitionOf(job).parameters ?? JobParameters.none
    return {
      name: job.name,
      parameters: Object.keys(fields).map((name) => ({ name, identifying: identifying.includes(name) }))
    }
  }).sort((self, that) => self.name < that.name ? -1 : 1)
  const inWords = rows.map(({ name, parameters }) => [
    name,
    parameters.map(({ identifying, name }) => identifying ? name : `(${name})`).join(" ")
  ])
  return { text: (width) => table(["JOB", "PARAMETERS"], inWords, width), json: rows }
}

const forecast = ({ executionId, goesOn, records, unread }: JobOperator.ReplayForecast): Answer => ({
  text: () =>
    [
      `${records} of the records that execution ${executionId} skipped would be run again`,
      ...(unread === 0 ? [] : [`${unread} could not be read`]),
      ...(goesOn === undefined ? [] : [`execution ${goesOn} has begun to, and would be restarted`])
    ].join("; ") + ".",
  json: { executionId, records, unread, goesOn: goesOn ?? null }
})

const recovered = (rows: ReadonlyArray<JobExecution>): string =>
  rows.length === 0
    ? "There is nothing to recover."
    : rows.map((row) => `Execution ${row.id} of ${row.instance.jobName} is ${row.status} (${row.exitStatus.code}).`)
      .join("\n")
