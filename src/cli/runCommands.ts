/**
 * The commands that are about one job by name: `run`, `next`, `explain`, `graph`. Each job is a subcommand of its own, with flags from
 * its parameters.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Terminal from "@effect/platform/Terminal"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Job from "../definition/Job.js"
import * as JobOperator from "../operator/JobOperator.js"
import * as JobRegistry from "../operator/JobRegistry.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import type { Answer, CliContext, Services } from "./context.js"
import { answering, jsonFlag } from "./context.js"
import * as Format from "./format.js"
import * as Json from "./json.js"
import * as Flags from "./parameterFlags.js"
import * as Progress from "./progress.js"

/** @internal */
export type AnyCommand = Command.Command<any, any, any, any>

/** Flags that are not parameters. */
const RESERVED = ["json", "help", "h", "version", "completions", "wizard", "log-level"]

/** @internal */
export const run = (context: CliContext): AnyCommand =>
  perJob(context, "run", "Run a job, or go on with one that did not complete", (job, flags) =>
    Command.make(
      job.name,
      { parameters: Flags.options(flags, true), json: jsonFlag },
      ({ json, parameters }) => answering(context, json, watched(json, JobRegistry.run(job.name, parameters)))
    ))

/** @internal */
export const next = (context: CliContext): AnyCommand =>
  perJob(
    context,
    "next",
    "Run the next instance of a job, by its incrementer or a run.id that counts up; the other parameters are kept",
    (job, flags) =>
      Command.make(
        job.name,
        { parameters: Flags.options(flags, false), json: jsonFlag },
        ({ json, parameters }) =>
          answering(context, json, watched(json, JobRegistry.runNext(job.name, { overrides: parameters })))
      )
  )

/** @internal */
export const explain = (context: CliContext): AnyCommand =>
  perJob(context, "explain", "Tell what a run would do now, without doing anything", (job, flags) =>
    Command.make(
      job.name,
      { parameters: Flags.options(flags, true), json: jsonFlag },
      ({ json, parameters }) => answering(context, json, explained(job, parameters))
    ))

/** @internal */
export const graph = (context: CliContext): AnyCommand =>
  Command.make(
    "graph",
    { job: Args.text({ name: "job" }), id: Args.optional(Args.integer({ name: "id" })), json: jsonFlag },
    ({ id, job: name, json }) =>
      answering(
        context,
        json,
        Effect.gen(function*() {
          const registry = yield* JobRegistry.JobRegistry
          const { job } = yield* registry.get(name)
          const executed = Option.isNone(id) ? undefined : {
            execution: yield* JobOperator.execution(id.value),
            steps: yield* JobOperator.steps(id.value)
          }
          const text = Job.toMermaid(job, executed)
          return { text, json: { ...Job.describe(job), mermaid: text } }
        })
      )
  ).pipe(Command.withDescription("Draw a job as a Mermaid flowchart, with an execution in colours"))

/** Runs something that ends an execution, and tells how it went. @internal */
export const watched = <E>(
  isJson: boolean,
  running: Effect.Effect<JobOperator.EndedJobExecution<string, unknown>, E, Services>
): Effect.Effect<
  Answer,
  E | Effect.Effect.Error<ReturnType<typeof JobOperator.summary>>,
  Services | Terminal.Terminal
> =>
  Effect.gen(function*() {
    const terminal = yield* Terminal.Terminal
    const ended = yield* isJson ? running : Progress.shown(terminal, running)
    const { execution, steps, text } = yield* JobOperator.summary(ended.id)
    const failures = Format.failures(execution, steps.map(({ step }) => step))
    return {
      text: [text, ...failures.map((failure) => `  ${failure}`)].join("\n"),
      json: { ...Json.execution(execution), steps: steps.map(({ step }) => Json.step(step)) },
      ended: execution
    }
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const perJob = (
  context: CliContext,
  name: string,
  description: string,
  make: (job: Job.Job.Any, flags: ReadonlyArray<Flags.Flag>) => AnyCommand
): AnyCommand => {
  const commands = context.jobs.map((job) =>
    Command.withDescription(
      make(job, Flags.flags(job.definition.parameters ?? JobParameters.none, RESERVED)),
      `The job ${job.name}`
    )
  )
  const [first, ...rest] = commands
  const command = Command.withDescription(Command.make(name), description)
  return first === undefined ? command : Command.withSubcommands(command, [first, ...rest])
}

const explained = (job: Job.Job.Any, parameters: unknown): Effect.Effect<Answer, unknown, Services> =>
  Effect.gen(function*() {
    const declaration = job.definition.parameters ?? JobParameters.none
    const decoded = yield* JobParameters.decodeUnknown(declaration, parameters)
    const explanation = yield* JobOperator.explain(job, decoded)
    const { lines } = explanation
    return {
      text: lines.map((line, index) => index === 0 ? line : `  ${line}`).join("\n"),
      json: {
        jobName: job.name,
        plan: explanation._tag,
        lines,
        ...(explanation._tag === "Refused" ? Json.error(explanation.error) : {
          steps: explanation.steps.map(({ certain, plan, step }) => ({ step, plan, certain }))
        })
      }
    }
  })
