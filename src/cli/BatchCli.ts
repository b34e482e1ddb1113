/**
 * A program that runs, stops, restarts and shows the jobs of an application: give it the jobs and the layers, and get a
 * command line with help, completion, progress and exit codes.
 *
 * ```text
 * run JOB [flags]            run a job, or go on with one that did not complete
 * next JOB [flags]           run the next instance, by the job's incrementer or a run.id that counts up
 * explain JOB [flags]        tell what a run would do now
 * list jobs | executions     show ID      skipped ID      graph JOB [ID]
 * restart ID    stop ID      abandon ID   recover [ID]    purge
 * ```
 *
 * Every command takes `--json`. The flags of `run`, `next` and `explain` are the parameters of the job.
 *
 * @since 0.1.0
 */
import type * as CliApp from "@effect/cli/CliApp"
import * as Command from "@effect/cli/Command"
import * as ValidationError from "@effect/cli/ValidationError"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type { Job } from "../definition/Job.js"
import * as BatchRuntime from "../operator/BatchRuntime.js"
import * as JobRegistry from "../operator/JobRegistry.js"
import type { JobRepository } from "../ports/JobRepository.js"
import type { Transactor } from "../ports/Transactor.js"
import { NoSuchJob } from "../vocabulary/BatchError.js"
import type { BatchStatus } from "../vocabulary/BatchStatus.js"
import { optionsFirst, unknownJob } from "./arguments.js"
import type { CliContext } from "./context.js"
import { telling } from "./context.js"
import * as Operator from "./operatorCommands.js"
import { purge } from "./purgeCommand.js"
import * as Run from "./runCommands.js"

/**
 * A command line: takes the arguments of the process, its own name included, and succeeds with the execution that it
 * ran, if it ran one. `BatchRuntime.exitCodeOf` makes an exit code of either outcome.
 *
 * @since 0.1.0
 * @category models
 */
export interface BatchCli {
  (args: ReadonlyArray<string>): Effect.Effect<
    { readonly status: BatchStatus } | undefined,
    unknown,
    CliApp.CliApp.Environment
  >
}

/**
 * Makes the command line of these jobs.
 *
 * - `name`, `version`: of the program.
 * - `jobs`: what it can run.
 * - `layer`: the repository, and all that the jobs need. It is built when a command needs it, not for help.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Job, JobRepository, Step } from "effect-batch"
 * import { BatchCli } from "effect-batch/cli"
 *
 * const tidy = Job.make("tidy", { flow: Step.tasklet("tidy", Effect.void) })
 *
 * const cli = BatchCli.make({ name: "my-batch", version: "1.0.0", jobs: [tidy], layer: JobRepository.layerMemory })
 * assert.strictEqual(typeof cli, "function")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <const Jobs extends ReadonlyArray<Job.Any>, E>(options: {
  readonly name: string
  readonly version: string
  readonly jobs: Jobs
  readonly layer: Layer.Layer<JobRepository | Transactor | JobRegistry.Requirements<Jobs>, E>
}): BatchCli => {
  const { jobs, layer, name, version } = options
  const live = Layer.provideMerge(
    JobRegistry.layer(jobs) as Layer.Layer<any, unknown, any>,
    layer
  ) as CliContext["live"]
  const known = jobs.map((job) => job.name).sort()
  return (args) =>
    Effect.suspend(() => {
      const unknown = unknownJob(args.slice(2), known)
      if (unknown !== undefined) {
        return telling(args.includes("--json"), Effect.fail(new NoSuchJob({ name: unknown, known })))
      }
      const context: CliContext = { jobs, live, ended: undefined }
      const commands = [...PER_JOB, ...OPERATING].map((command) => command(context)) as [
        Run.AnyCommand,
        ...Array<Run.AnyCommand>
      ]
      const root = Command.withSubcommands(Command.make(name), commands)
      const parsed = Command.run(root, { name, version, executable: name })
      return Effect.map(
        parsed([...args.slice(0, 2), ...optionsFirst(args.slice(2))]) as Effect.Effect<
          void,
          unknown,
          CliApp.CliApp.Environment
        >,
        () => context.ended
      )
    })
}

/**
 * Runs the command line with the arguments of this process, and exits: with the codes of `BatchRuntime`, and with that of
 * a refusal when the arguments make no sense. Signals stop a job that runs as `BatchRuntime.runMain` does.
 *
 * - `environment`: files, paths and terminal of the platform: `NodeContext.layer` of `@effect/platform-node`.
 *
 * @example
 * ```ts
 * import { NodeContext } from "@effect/platform-node"
 * import { Effect } from "effect"
 * import { Job, JobRepository, Step } from "effect-batch"
 * import { BatchCli } from "effect-batch/cli"
 *
 * const tidy = Job.make("tidy", { flow: Step.tasklet("tidy", Effect.void) })
 *
 * const main = () =>
 *   BatchCli.runMain(
 *     BatchCli.make({ name: "my-batch", version: "1.0.0", jobs: [tidy], layer: JobRepository.layerMemory }),
 *     NodeContext.layer
 *   )
 * assert.strictEqual(typeof main, "function")
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const runMain = (
  cli: BatchCli,
  environment: Layer.Layer<CliApp.CliApp.Environment>,
  options: BatchRuntime.Options<{ readonly status: BatchStatus } | undefined, unknown> = {}
): void =>
  BatchRuntime.runMain(Effect.provide(cli(process.argv), environment), {
    ...options,
    exitCode: options.exitCode ?? ((exit, signal) => exitCodeOf(exit, { signal, exitCodes: options.exitCodes })),
    // The parser has told already what was wrong with the arguments.
    report: options.report ?? ((cause) => isUsage(cause) ? undefined : BatchRuntime.report(cause))
  })

/**
 * As `BatchRuntime.exitCodeOf`; arguments that make no sense are a refusal.
 *
 * @since 0.1.0
 * @category utils
 */
export const exitCodeOf = (
  exit: Exit.Exit<unknown, unknown>,
  options: {
    readonly signal?: BatchRuntime.Signal | undefined
    readonly exitCodes?: Partial<BatchRuntime.ExitCodes> | undefined
  } = {}
): number =>
  Exit.isFailure(exit) && isUsage(exit.cause)
    ? { ...BatchRuntime.exitCodes, ...options.exitCodes }.refused
    : BatchRuntime.exitCodeOf(exit, options)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const PER_JOB = [Run.run, Run.next, Run.explain, Run.graph]

const OPERATING = [
  Operator.list,
  Operator.show,
  Operator.restart,
  Operator.stop,
  Operator.abandon,
  Operator.recover,
  Operator.skipped,
  purge
]

const isUsage = (cause: Cause.Cause<unknown>): boolean =>
  cause._tag === "Fail" && ValidationError.isValidationError(cause.error)
