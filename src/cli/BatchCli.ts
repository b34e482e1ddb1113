/**
 * A program that runs, stops, restarts and shows the jobs of an application: give it the jobs and the layers, and get a
 * command line with help, completion, progress and exit codes.
 *
 * ```text
 * run JOB [flags]            run a job, or go on with one that did not complete
 * next JOB [flags]           run the next instance, by the job's incrementer or a run.id that counts up
 * explain JOB [flags]        say what a run would do now; exits as that run would if it were refused
 * worker                     run partitions of jobs that other processes run, until a signal
 * cluster run                be a process of the cluster, where the program has one; list schedules
 * list jobs | executions     show ID      skipped ID      partitions ID      graph JOB [ID]
 * restart ID    stop ID      abandon ID   recover [ID]    purge
 * ```
 *
 * Every command takes `--json`. The flags of `run`, `next` and `explain` are the parameters of the job.
 *
 * @since 0.1.0
 */
import * as Terminal from "@effect/platform/Terminal"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Predicate from "effect/Predicate"
import { visible } from "../base/text.js"
import type { Job } from "../definition/Job.js"
import * as BatchRuntime from "../operator/BatchRuntime.js"
import * as JobRegistry from "../operator/JobRegistry.js"
import type { JobRepository } from "../ports/JobRepository.js"
import type { Transactor } from "../ports/Transactor.js"
import { NoSuchJob } from "../vocabulary/BatchError.js"
import type { BatchStatus } from "../vocabulary/BatchStatus.js"
import * as Cluster_ from "./clusterCommands.js"
import type { Asked, Command, Misuse } from "./command.js"
import { read, wantsJson } from "./command.js"
import { completion } from "./completion.js"
import type { CliContext, Work } from "./context.js"
import { columns, print, telling } from "./context.js"
import { dashboard } from "./dashboardCommand.js"
import type { Program } from "./help.js"
import { help, usage } from "./help.js"
import * as Operator from "./operatorCommands.js"
import { purge } from "./purgeCommand.js"
import * as Run from "./runCommands.js"
import * as Usage from "./usageError.js"
import { worker } from "./workerCommand.js"

/**
 * How a command line ended: with the execution that it ran (`status`), with why a run would be refused if that was what
 * it was asked (`refusal`), or with neither.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome = { readonly status: BatchStatus } | { readonly refusal: unknown } | undefined

/**
 * Represents a command line that the program does not understand: nothing was run. `problem` says what is wrong with
 * it, `usage` how the command is called that was meant, and `help` which command line tells more.
 *
 * @since 0.1.0
 * @category errors
 */
export const UsageError: typeof Usage.UsageError = Usage.UsageError

/**
 * What `cluster run` was given: how many partitions (`slots`, 1 by default) and jobs (`jobs`, 16) run at once in this process,
 * where others reach it (`address`, `localhost:34431`) and where it listens, if that is elsewhere. As `BatchCluster.layer` takes it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClusterSettings extends Cluster_.Settings {}

/**
 * The cluster that the program is part of, for `cluster run` and `list schedules`.
 *
 * - `process`: makes this process one of the cluster, for as long as the layer lives: `BatchCluster.layer`.
 * - `schedules`: those that it gives to `BatchCluster.layer`, to be listed; none by default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cluster<out R> extends Cluster_.Cluster<R> {}

/**
 * A command line: takes the arguments of the process, its own name included. `exitCodeOf` makes an exit code of how it
 * ended. A command line that makes no sense fails with `UsageError`.
 *
 * @since 0.1.0
 * @category models
 */
export interface BatchCli {
  (args: ReadonlyArray<string>): Effect.Effect<Outcome, unknown, Terminal.Terminal>
}

/**
 * Makes the command line of these jobs.
 *
 * - `name`, `version`: of the program.
 * - `jobs`: what it can run.
 * - `layer`: the repository, and all that the jobs need. It is built when a command needs it, not for help.
 * - `cluster`: adds `cluster run` and `list schedules`: see {@link Cluster}.
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
export const make = <const Jobs extends ReadonlyArray<Job.Any>, E, S = never>(options: {
  readonly name: string
  readonly version: string
  readonly jobs: Jobs
  readonly layer: Layer.Layer<JobRepository | Transactor | JobRegistry.Requirements<Jobs> | S, E>
  readonly cluster?: Cluster<JobRepository | Transactor | JobRegistry.Requirements<Jobs> | S> | undefined
}): BatchCli => {
  const { cluster, jobs, layer, name, version } = options
  const live = Layer.provideMerge(
    JobRegistry.layer(jobs) as Layer.Layer<any, unknown, any>,
    layer
  ) as CliContext["live"]
  const context: CliContext = { name, jobs, live }
  const program: Program = { name, version, commands: commandsOf(context, cluster) }
  return (args) =>
    Effect.suspend(() => {
      const given = args.slice(2)
      const asked = read(program.commands as ReadonlyArray<Command<Work>>, given)
      return Either.isRight(asked)
        ? answer(program, asked.right)
        : telling(wantsJson(given), Effect.fail(refusalOf(program, jobs.map((job) => job.name).sort(), asked.left)))
    })
}

/**
 * Runs the command line with the arguments of this process, and exits: with the codes of `BatchRuntime`, and with that
 * of a refusal when the arguments make no sense. Signals stop a job that runs as `BatchRuntime.runMain` does.
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
  environment: Layer.Layer<Terminal.Terminal>,
  options: BatchRuntime.Options<Outcome, unknown> = {}
): void =>
  BatchRuntime.runMain(Effect.provide(cli(process.argv), environment), {
    ...options,
    exitCode: options.exitCode ?? ((exit, signal) => exitCodeOf(exit, { signal, exitCodes: options.exitCodes })),
    report: options.report ?? report
  })

/**
 * As `BatchRuntime.exitCodeOf`; arguments that make no sense are a refusal, and so is the answer of `explain` that a
 * run would be refused.
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
  Exit.isSuccess(exit) && Predicate.hasProperty(exit.value, "refusal")
    ? BatchRuntime.exitCodeOf(Exit.fail(exit.value.refusal), options)
    : Exit.isFailure(exit) && usageOf(exit.cause) !== undefined
    ? { ...BatchRuntime.exitCodes, ...options.exitCodes }.refused
    : BatchRuntime.exitCodeOf(exit, options)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const commandsOf = (context: CliContext, cluster: Cluster<any> | undefined): ReadonlyArray<Command<Work>> => [
  ...Run.perJob(context),
  worker(context),
  ...(cluster === undefined ? [] : Cluster_.clusterCommands(context, cluster)),
  Operator.listJobs(context),
  Operator.listExecutions(context),
  Operator.show(context),
  Operator.partitions(context),
  Operator.skipped(context),
  Operator.report(context),
  dashboard(context),
  Run.graph(context),
  Operator.restart(context),
  Operator.replay(context),
  Operator.stop(context),
  Operator.abandon(context),
  Operator.recover(context),
  purge(context)
]

const answer = (program: Program, asked: Asked<Work>): Effect.Effect<Outcome, unknown, Terminal.Terminal> => {
  switch (asked._tag) {
    case "Help":
      return Effect.as(
        Effect.flatMap(screen, (screen) => print(help(program, asked.within, screen))),
        undefined
      )
    case "Version":
      return Effect.as(print(program.version), undefined)
    case "Completions":
      return Effect.as(print(completion(program, asked.shell)), undefined)
    case "Run":
      return asked.logLevel === undefined ? asked.do : Logger.withMinimumLogLevel(asked.do, levelOf(asked.logLevel))
  }
}

/** Help is never wider than can be read; bold only where somebody looks and has not asked for plain text. */
const screen = Effect.gen(function*() {
  const terminal = yield* Terminal.Terminal
  const isTTY = yield* terminal.isTTY
  const plain = (process.env["NO_COLOR"] ?? "") !== "" || process.env["TERM"] === "dumb"
  return { width: Math.min(yield* columns, 100), isStyled: isTTY && !plain }
})

const levelOf = (name: string): LogLevel.LogLevel =>
  LogLevel.fromLiteral(`${name[0]!.toUpperCase()}${name.slice(1)}` as LogLevel.Literal)

const refusalOf = (
  program: Program,
  jobs: ReadonlyArray<string>,
  { noSuchJob, problem, within }: Misuse
): NoSuchJob | Usage.UsageError => {
  const command = program.commands.find(({ words }) => words.join(" ") === within.join(" "))
  return noSuchJob !== undefined ? new NoSuchJob({ name: noSuchJob, known: jobs }) : new Usage.UsageError({
    problem,
    usage: command === undefined ? undefined : usage(program, command),
    help: [program.name, ...within, "--help"].join(" ")
  })
}

/** A mistake on the command line is told with how the command is called. */
const report = (cause: Cause.Cause<unknown>): void => {
  const error = usageOf(cause)
  if (error === undefined) {
    return BatchRuntime.report(cause)
  }
  const lines = [error.problem, ...(error.usage === undefined ? [] : [`Usage: ${error.usage}`]), `Help:  ${error.help}`]
  process.stderr.write(`${visible(lines.join("\n"))}\n`)
}

const usageOf = (cause: Cause.Cause<unknown>): Usage.UsageError | undefined =>
  cause._tag === "Fail" && cause.error instanceof Usage.UsageError ? cause.error : undefined
