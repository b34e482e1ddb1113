/**
 * The commands that are about one job by name: `run`, `next`, `explain`, `graph`. For the first three each job is a word
 * of its own, with flags from its parameters.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Job from "../definition/Job.js"
import { definitionOf } from "../definition/tree.js"
import * as JobOperator from "../operator/JobOperator.js"
import * as JobRegistry from "../operator/JobRegistry.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import type { Command } from "./command.js"
import { command } from "./command.js"
import type { Answer, CliContext, Services, Work } from "./context.js"
import { answering, jsonFlag } from "./context.js"
import { anyText, argument, integer, optionalArgument, toggle } from "./flag.js"
import * as Json from "./json.js"
import * as Flags from "./parameterFlags.js"
import { patiently, watched } from "./watched.js"

/** Flags that are not parameters. */
const RESERVED = ["json", "wait", "help", "h", "version", "completions", "log-level"]

/** @internal */
export const GROUP = "Run"

/** @internal */
export const waitFlag = toggle("wait", "If it runs elsewhere, wait for that, then go on as if it had not")

/** @internal */
export const perJob = (context: CliContext): ReadonlyArray<Command<Work>> =>
  context.jobs.flatMap((job) => {
    const flags = Flags.flags(definitionOf(job).parameters ?? JobParameters.none, RESERVED)
    return [run(context, job, flags), next(context, job, flags), explain(context, job, flags)]
  })

/** @internal */
export const graph = (context: CliContext): Command<Work> =>
  command(
    {
      words: ["graph"],
      group: "Look",
      summary: "Draw a job as a Mermaid flowchart, with an execution in colours",
      flags: { json: jsonFlag },
      args: {
        name: { ...argument("job", "The name of a job", anyText), choices: context.jobs.map((job) => job.name) },
        id: optionalArgument("id", "The id of a job execution", integer)
      }
    },
    ({ id, json, name }) =>
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
          return { text: () => text, json: { ...Job.describe(job), mermaid: text } }
        })
      )
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type OfJob = (context: CliContext, job: Job.Job.Any, flags: ReadonlyArray<Flags.ParameterFlag>) => Command<Work>

const run: OfJob = (context, job, flags) =>
  command(
    {
      words: ["run", job.name],
      group: GROUP,
      summary: `Run "${job.name}", or go on with one that did not complete`,
      flags: { ...Flags.toFlags(flags, true), wait: waitFlag, json: jsonFlag },
      args: {}
    },
    (input) => {
      const running = JobRegistry.run(job.name, Flags.parametersOf(flags, input))
      return answering(
        context,
        input.json,
        watched(context.name, input.json, input.wait ? patiently(input.json, running) : running)
      )
    }
  )

const next: OfJob = (context, job, flags) =>
  command(
    {
      words: ["next", job.name],
      group: GROUP,
      summary: `Run the next instance of "${job.name}", by its incrementer or a run.id that counts up`,
      flags: { ...Flags.toFlags(flags, false), json: jsonFlag },
      args: {}
    },
    (input) =>
      answering(
        context,
        input.json,
        watched(
          context.name,
          input.json,
          JobRegistry.runNext(job.name, { overrides: Flags.parametersOf(flags, input) })
        )
      )
  )

const explain: OfJob = (context, job, flags) =>
  command(
    {
      words: ["explain", job.name],
      group: GROUP,
      summary: `Tell what a run of "${job.name}" would do now, without doing anything`,
      flags: { ...Flags.toFlags(flags, true), json: jsonFlag },
      args: {}
    },
    (input) => answering(context, input.json, explained(job, Flags.parametersOf(flags, input)))
  )

/** Ends with the exit code of the refusal if a run would be refused. */
const explained = (job: Job.Job.Any, parameters: unknown): Effect.Effect<Answer, unknown, Services> =>
  Effect.gen(function*() {
    const declaration = definitionOf(job).parameters ?? JobParameters.none
    const decoded = yield* JobParameters.decodeUnknown(declaration, parameters)
    const explanation = yield* JobOperator.explain(job, decoded)
    const { lines } = explanation
    return {
      text: () => lines.map((line, index) => index === 0 ? line : `  ${line}`).join("\n"),
      json: {
        jobName: job.name,
        plan: explanation._tag,
        lines,
        ...(explanation._tag === "Refused" ? Json.error(explanation.error) : {
          steps: explanation.steps.map(({ certain, plan, step }) => ({ step, plan, certain }))
        })
      },
      outcome: explanation._tag === "Refused" ? { refusal: explanation.error } : undefined
    }
  })
