/**
 * The commands that are about executions: list, show, restart, stop, abandon, recover, skipped.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as JobOperator from "../operator/JobOperator.js"
import * as JobRegistry from "../operator/JobRegistry.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import type { Answer, CliContext, Services } from "./context.js"
import { answering, ENDED, jsonFlag } from "./context.js"
import * as Format from "./format.js"
import * as Json from "./json.js"
import type { AnyCommand } from "./runCommands.js"
import { watched } from "./runCommands.js"

const id = Args.withDescription(Args.integer({ name: "id" }), "The id of a job execution")

const jobFlag = Options.optional(Options.withDescription(Options.text("job"), "Only this job"))

/** A command about one execution. */
const about = (
  context: CliContext,
  name: string,
  description: string,
  work: (executionId: number, isJson: boolean) => Effect.Effect<Answer, unknown, any>
): AnyCommand =>
  Command.make(name, { id, json: jsonFlag }, ({ id, json }) => answering(context, json, work(id, json))).pipe(
    Command.withDescription(description)
  )

/** @internal */
export const list = (context: CliContext): AnyCommand =>
  Command.make("list").pipe(
    Command.withDescription("List jobs or executions"),
    Command.withSubcommands([
      Command.make("jobs", { json: jsonFlag }, ({ json }) => answering(context, json, listJobs)).pipe(
        Command.withDescription("The jobs of this program, with their parameters")
      ),
      Command.make(
        "executions",
        {
          job: jobFlag,
          status: Options.repeated(Options.choice("status", STATUSES)).pipe(
            Options.withDescription("Only executions with this status; may be given several times")
          ),
          limit: Options.integer("limit").pipe(
            Options.withDefault(20),
            Options.withDescription("At most so many, the newest first")
          ),
          json: jsonFlag
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
              (rows) => ({ text: Format.executions(rows), json: rows.map(Json.execution) })
            )
          )
      ).pipe(Command.withDescription("The executions of all jobs, newest first"))
    ])
  )

/** @internal */
export const show = (context: CliContext): AnyCommand =>
  about(
    context,
    "show",
    "Show an execution: steps, counts, what failed and what was skipped",
    (executionId) =>
      Effect.gen(function*() {
        const { execution, steps: told, text } = yield* JobOperator.summary(executionId)
        const steps = told.map(({ step }) => step)
        const skipped = yield* JobOperator.skipped(executionId)
        const failures = Format.failures(execution, steps)
        return {
          text: [
            text,
            ...Option.match(execution.restartOf, { onNone: () => [], onSome: (of) => [`restart of execution ${of}`] }),
            "",
            Format.steps(steps),
            ...(failures.length === 0 ? [] : ["", ...failures]),
            ...(skipped.length === 0 ? [] : ["", Format.skipped(skipped.slice(0, 10))])
          ].join("\n"),
          json: { ...Json.execution(execution), steps: steps.map(Json.step), skipped: skipped.map(Json.skipped) }
        }
      })
  )

/** @internal */
export const restart = (context: CliContext): AnyCommand =>
  about(
    context,
    "restart",
    "Run an execution that failed or was stopped again, from its last commit",
    (executionId, json) => watched(json, JobRegistry.restart(executionId))
  )

/** @internal */
export const stop = (context: CliContext): AnyCommand =>
  about(
    context,
    "stop",
    "Ask a running execution to stop at its next commit",
    (executionId) =>
      Effect.as(JobOperator.stop(executionId), {
        text: `Execution ${executionId} was asked to stop.`,
        json: { id: executionId, stopRequested: true }
      })
  )

/** @internal */
export const abandon = (context: CliContext): AnyCommand =>
  about(
    context,
    "abandon",
    "Give an execution up for good: it can't be restarted",
    (executionId) =>
      Effect.map(JobOperator.abandon(executionId), (row) => ({
        text: `Execution ${executionId} is ${row.status}.`,
        json: Json.execution(row)
      }))
  )

/** @internal */
export const skipped = (context: CliContext): AnyCommand =>
  about(context, "skipped", "List the records that an execution skipped", (executionId) =>
    Effect.map(
      Effect.zipRight(JobOperator.execution(executionId), JobOperator.skipped(executionId)),
      (rows) => ({ text: Format.skipped(rows), json: rows.map(Json.skipped) })
    ))

/** @internal */
export const recover = (context: CliContext): AnyCommand =>
  Command.make(
    "recover",
    {
      id: Args.optional(id),
      force: Options.withDescription(
        Options.boolean("force"),
        "Take the execution from its process, even if that seems to live"
      ),
      reason: Options.optional(Options.withDescription(Options.text("reason"), "Kept with the execution")),
      job: jobFlag,
      json: jsonFlag
    },
    ({ force, id, job, json, reason }) =>
      answering(
        context,
        json,
        Effect.map(
          Option.isSome(id)
            ? Effect.map(
              JobOperator.recover(id.value, { force, reason: Option.getOrUndefined(reason) }),
              (row) => [row]
            )
            : JobOperator.recoverExpired({ jobName: Option.getOrUndefined(job) }),
          (rows) => ({ text: recovered(rows), json: rows.map(Json.execution) })
        )
      )
  ).pipe(
    Command.withDescription("Close executions whose process died, so that they can be restarted: one, or all of them")
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const STATUSES = ["STARTING", "STARTED", "STOPPING", ...ENDED] as const

const listJobs: Effect.Effect<Answer, unknown, Services> = Effect.gen(function*() {
  const registry = yield* JobRegistry.JobRegistry
  const jobs = yield* Effect.forEach(yield* registry.names, registry.get)
  const rows = jobs.map(({ job }) => {
    const { fields, identifying } = job.definition.parameters ?? JobParameters.none
    return {
      name: job.name,
      parameters: Object.keys(fields).map((name) => ({ name, identifying: identifying.includes(name) }))
    }
  })
  return {
    text: Format.table(
      ["JOB", "PARAMETERS"],
      rows.map(({ name, parameters }) => [
        name,
        parameters.map(({ identifying, name }) => identifying ? name : `(${name})`).join(" ")
      ])
    ),
    json: rows
  }
})

const recovered = (rows: ReadonlyArray<JobExecution>): string =>
  rows.length === 0
    ? "There is nothing to recover."
    : rows.map((row) => `Execution ${row.id} of ${row.instance.jobName} is ${row.status} (${row.exitStatus.code}).`)
      .join("\n")
