/**
 * Jobs on several machines that replace each other: a process that dies is replaced by another one without a person, partitions
 * run on all of them, and schedules have each tick run once.
 *
 * It is built on `@effect/cluster`, which finds a process for what is wanted. What may run is decided by the job repository and
 * by nothing else: whatever is delivered twice, or by a process that was thought to be dead, runs once. It needs PostgreSQL, and
 * the packages `@effect/cluster`, `@effect/rpc`, `@effect/workflow`, `@effect/sql-pg` and `@effect/platform-node`.
 *
 * @since 0.1.0
 */
import type { Sharding } from "@effect/cluster/Sharding"
import type { ShardingConfig } from "@effect/cluster/ShardingConfig"
import type { SocketServerError } from "@effect/platform/SocketServer"
import type { SqlClient } from "@effect/sql/SqlClient"
import * as Cron from "effect/Cron"
import type * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Types from "effect/Types"
import { repeated } from "../base/repeated.js"
import type { Misfire } from "../decisions/ticks.js"
import type { Job } from "../definition/Job.js"
import type { Requirements } from "../operator/JobRegistry.js"
import { JobRepository } from "../ports/JobRepository.js"
import type { Transactor } from "../ports/Transactor.js"
import type { InvalidJobParameters, JobRepositoryError, PartitionCodeDiffers } from "../vocabulary/BatchError.js"
import { JobDefinitionError } from "../vocabulary/BatchError.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import * as PartitionWorker from "../worker/PartitionWorker.js"
import * as Host from "./host.js"
import { groupOfJob, JobEntity } from "./messages.js"
import * as Node from "./node.js"
import * as Requests from "./requests.js"
import * as Schedules from "./schedules.js"
import * as Sweeper from "./sweeper.js"

/**
 * Represents a job that the cluster could not launch at all: `reason` is the tag of the error that `JobOperator.run` would have
 * failed with, such as `JobRestartRefused`.
 *
 * @since 0.1.0
 * @category errors
 */
export class RunRefused extends Schema.TaggedError<RunRefused>()("RunRefused", {
  jobName: Schema.String,
  reason: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `The cluster cannot run job "${this.jobName}": ${this.problem}`
  }
}

/**
 * Where the other processes reach this one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Address {
  readonly host: string
  readonly port: number
}

/**
 * - `prefix`: what the names of the cluster's tables begin with: at most 30 letters, digits and underscores, and no schema. Give it
 *   the one of the repository; default `batch_`, which makes `batch_cluster_messages` and others. Clusters that share a database
 *   have prefixes of their own, and do not see each other.
 * - `restarts`: how many times a job is launched again because its process died. Default 3.
 * - `sharding`: settings of `@effect/cluster` that differ from ours, such as `shardLockExpiration`: how long a process is silent
 *   until others take its place. Default 10 seconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClientOptions {
  readonly prefix?: string | undefined
  readonly restarts?: number | undefined
  readonly sharding?: Partial<ShardingConfig["Type"]> | undefined
}

/**
 * - `slots`: how many partitions run at once in this process. Default 1.
 * - `jobs`: how many jobs run at once in this process, those that their own process runs as a part of themselves not counted.
 *   Default 16.
 * - `schedules`: see {@link schedule}.
 * - `address`: default port 34431 of `localhost`, which is enough for one process on one machine.
 * - `listen`: where it listens, if that is not its `address`, as in a container.
 * - `quiet`: how long a partition may commit nothing before a warning names it. Default 15 minutes.
 * - `onRefusal`: as that of `PartitionWorker.layer`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<out R = never> extends ClientOptions {
  readonly slots?: number | undefined
  readonly jobs?: number | undefined
  readonly schedules?: ReadonlyArray<Schedule> | undefined
  readonly address?: Address | undefined
  readonly listen?: Address | undefined
  readonly quiet?: Duration.DurationInput | undefined
  readonly onRefusal?: ((refusal: PartitionCodeDiffers) => Effect.Effect<void, never, R>) | undefined
}

/**
 * Which job runs when; see {@link schedule}.
 *
 * @since 0.1.0
 * @category models
 */
export interface Schedule {
  readonly jobName: string
  readonly name: string
  readonly cron: Cron.Cron
  /** @internal */
  readonly definition: Schedules.Schedule
}

/**
 * - `name`: of the schedule, one of its job. Default: the text of the cron, or `default`.
 * - `timeZone`: of a cron that is given as text. Default UTC, as for a `Cron` without one. When clocks are set back, a cron of every
 *   hour ticks in the repeated one as well, and one that names hours once, at the first; when they are set forward, a time that is
 *   skipped comes as much later.
 * - `misfire`: what becomes of ticks that are more than `tolerance` late. `once`, the default: of all that are due the latest
 *   runs. `skip`: none of them does.
 * - `tolerance`: default 1 minute, so that the loss of a process is no misfire. Above 0, as no tick comes at its very moment.
 * - `overlap`: whether a tick may begin while the one before still runs. By default it waits for that, and is late then.
 *
 * @since 0.1.0
 * @category models
 */
export interface ScheduleOptions {
  readonly name?: string | undefined
  readonly timeZone?: string | undefined
  readonly misfire?: Misfire | undefined
  readonly tolerance?: Duration.DurationInput | undefined
  readonly overlap?: boolean | undefined
}

/**
 * Has a job run at the times of a cron. Each tick is one instance, whose parameters are made of the tick: it is launched exactly
 * once, whichever process dies meanwhile. One that fails is not launched again by its schedule; that is for an operator, or for
 * `BatchCluster.run` with its parameters.
 *
 * Refused with `JobDefinitionError`: text that is no cron or no time zone, a cron that never comes, parameters that are the
 * same for two of its first ticks or cannot be made of one, and a tolerance of 0.
 *
 * @example
 * ```ts
 * import { DateTime, Effect, Schema } from "effect"
 * import { Job, JobParameters, Step } from "effect-batch"
 * import { BatchCluster } from "effect-batch/cluster"
 *
 * class Day extends JobParameters.Tag<Day>()("Day", { day: Schema.String }) {}
 *
 * const report = Job.make("report", {
 *   parameters: Day,
 *   flow: Step.tasklet("write", Effect.flatMap(Day, ({ day }) => Effect.log(`the report of ${day}`)))
 * })
 *
 * const nightly = BatchCluster.schedule(
 *   report,
 *   "0 30 2 * * *",
 *   (tick) => ({ day: DateTime.formatIsoDate(tick) }),
 *   { timeZone: "Europe/Berlin", misfire: "once" }
 * )
 * assert.strictEqual(nightly.jobName, "report")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const schedule = <P, Code extends string, E, R>(
  job: Job<P, Code, E, R>,
  cron: Cron.Cron | string,
  parameters: (tick: DateTime.Zoned) => Types.NoInfer<P>,
  options: ScheduleOptions = {}
): Schedule => {
  const name = options.name ?? (typeof cron === "string" ? cron : "default")
  const parsed = typeof cron === "string" ? Cron.parse(cron, options.timeZone ?? "UTC") : Either.right(cron)
  if (Either.isLeft(parsed)) {
    throw new JobDefinitionError({
      jobName: job.name,
      defects: [`the schedule "${name}" is not one: ${parsed.left.message}`]
    })
  }
  const definition: Schedules.Schedule = {
    job: job as Job.Any,
    name,
    cron: parsed.right,
    parameters: parameters as (tick: DateTime.Zoned) => object,
    policy: {
      misfire: options.misfire ?? "once",
      toleranceMillis: Duration.toMillis(options.tolerance ?? "1 minute")
    },
    overlap: options.overlap ?? false
  }
  Schedules.check(definition)
  return { jobName: job.name, name, cron: parsed.right, definition }
}

/**
 * A process of the cluster: it takes its share of the jobs that are wanted, of the partitions and of the schedules, and takes over
 * from those that die. Processes may come and go at any time; those with other jobs, or other versions, may be among them.
 *
 * When the layer is closed, or the process told to end, jobs and partitions commit their chunk and are handed over within
 * `JobOperator.StopGrace`; others go on from there.
 *
 * @example
 * ```ts
 * import { NodeRuntime } from "@effect/platform-node"
 * import { PgClient } from "@effect/sql-pg"
 * import { Config, Effect, Layer } from "effect"
 * import { Job, Step } from "effect-batch"
 * import { BatchCluster } from "effect-batch/cluster"
 * import { SqlJobRepository } from "effect-batch/sql"
 *
 * const job = Job.make("import", { flow: Step.tasklet("rows", Effect.log("loading")) })
 *
 * const runner = BatchCluster.layer([job], { slots: 8, address: { host: "10.0.0.7", port: 34431 } }).pipe(
 *   Layer.provide(SqlJobRepository.layer),
 *   Layer.provide(PgClient.layerConfig({ url: Config.redacted("DATABASE_URL") }))
 * )
 *
 * const main = () => NodeRuntime.runMain(Layer.launch(runner))
 * assert.strictEqual(typeof main, "function")
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <const Jobs extends ReadonlyArray<Job.Any>, R = never>(
  jobs: Jobs,
  options: Options<R> = {}
): Layer.Layer<
  Sharding,
  JobRepositoryError | SocketServerError,
  SqlClient | JobRepository | Transactor | Requirements<Jobs> | R
> => {
  const node = Node.layer({
    prefix: options.prefix ?? PREFIX,
    address: options.address ?? { host: "localhost", port: 34431 },
    listen: options.listen,
    groups: groupsOf(jobs, options),
    sharding: options.sharding ?? {}
  })
  return Layer.provideMerge(layerHost(jobs, options), node) as Layer.Layer<any, any, any>
}

/**
 * A connection to the cluster for a process that runs nothing itself: a web server, a command line.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerClient = (
  options: ClientOptions = {}
): Layer.Layer<Sharding, JobRepositoryError | SocketServerError, SqlClient> =>
  Node.layer({
    prefix: options.prefix ?? PREFIX,
    address: undefined,
    listen: undefined,
    groups: [],
    sharding: options.sharding ?? {}
  })

/**
 * What {@link layer} does, on a `Sharding` of your own: over HTTP, or in memory for tests. It has to be made with
 * {@link shardingConfig}.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerHost = <const Jobs extends ReadonlyArray<Job.Any>, R = never>(
  jobs: Jobs,
  options: Options<R> = {}
): Layer.Layer<never, never, Sharding | JobRepository | Transactor | Requirements<Jobs> | R> => {
  const { onRefusal, quiet = "15 minutes", schedules = [], slots } = options
  const restarts = options.restarts ?? RESTARTS
  const { jobs: atOnce = 16 } = options
  refuseSettings({ atOnce, restarts, schedules })
  const hosting = Layer.unwrapScoped(
    Effect.gen(function*() {
      const host = yield* Host.make(jobs, atOnce)
      const context = yield* Effect.context<JobRepository | Transactor>()
      return JobEntity.toLayer({
        Run: ({ payload }) => Effect.provide(Host.follow(host, payload), context) as any
      }, { concurrency: "unbounded", disableFatalDefects: true })
    })
  )
  return Layer.mergeAll(
    hosting,
    Schedules.layer(schedules.map(({ definition }) => definition), restarts),
    Sweeper.layer({ jobs: new Set(jobs.map(({ name }) => name)), every: "5 seconds", quiet }),
    PartitionWorker.layer(jobs, { slots, onRefusal })
  ) as Layer.Layer<never, never, any>
}

/**
 * The settings of a `Sharding` on which {@link layerHost} works: the shard groups of these jobs and schedules, and how fast
 * processes replace each other.
 *
 * @since 0.1.0
 * @category utils
 */
export const shardingConfig = (jobs: ReadonlyArray<Job.Any>, options: Options<any> = {}): ShardingConfig["Type"] =>
  Node.config({
    address: options.address,
    listen: options.listen,
    groups: groupsOf(jobs, options),
    sharding: options.sharding ?? {}
  })

/**
 * Has a job run somewhere in the cluster, and waits until it has ended, wherever it runs and through however many processes.
 *
 * It is idempotent by instance: one that runs is waited for, one that completed is the answer at once, and of many callers all get
 * the same execution. One that had failed or was stopped before is restarted. When its process dies, another one goes on, at most
 * `restarts` times; each is an execution of its own, and is written down in the audit.
 *
 * Interrupting it only ends the waiting: `JobOperator.stop` stops the job. While no process of the cluster has the job, it waits.
 *
 * @since 0.1.0
 * @category utils
 */
export const run = <P, Code extends string, E, R>(
  job: Job<P, Code, E, R>,
  parameters: Types.NoInfer<P>,
  options: { readonly restarts?: number | undefined } = {}
): Effect.Effect<
  JobExecution,
  InvalidJobParameters | RunRefused | JobRepositoryError,
  JobRepository | Sharding
> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const { execution, wanted } = yield* want(job, parameters, options.restarts)
    if (execution?.status === "COMPLETED") {
      return execution
    }
    const { executionId } = yield* Effect.catchIf(
      Requests.ask(wanted),
      Requests.isRefusal,
      ({ problem, reason }) => Effect.fail(new RunRefused({ jobName: job.name, reason, problem }))
    )
    return yield* Effect.orDie(repository.jobExecution(executionId))
  }) as Effect.Effect<JobExecution, InvalidJobParameters | RunRefused | JobRepositoryError, JobRepository | Sharding>

/**
 * As {@link run}, but succeeds as soon as the request is stored. From then on it is carried out, also when all processes end and
 * others begin.
 *
 * @since 0.1.0
 * @category utils
 */
export const submit = <P, Code extends string, E, R>(
  job: Job<P, Code, E, R>,
  parameters: Types.NoInfer<P>,
  options: { readonly restarts?: number | undefined } = {}
): Effect.Effect<void, InvalidJobParameters | JobRepositoryError, JobRepository | Sharding> =>
  Effect.flatMap(
    want(job, parameters, options.restarts),
    ({ execution, wanted }) => execution?.status === "COMPLETED" ? Effect.void : Requests.tell(wanted)
  )

/**
 * Creates the tables of the cluster, as {@link layer} does. Any number of processes may do it at once.
 *
 * @since 0.1.0
 * @category utils
 */
export const migrate = (
  options: { readonly prefix?: string | undefined } = {}
): Effect.Effect<void, JobRepositoryError, SqlClient> => Node.migrate(options.prefix ?? PREFIX)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const PREFIX = "batch_"

const RESTARTS = 3

/** What would run nothing, or break when the first job is wanted. */
const refuseSettings = (settings: {
  readonly atOnce: number
  readonly restarts: number
  readonly schedules: ReadonlyArray<Schedule>
}): void => {
  const { atOnce, restarts, schedules } = settings
  const twice = new Set(repeated(schedules.map(({ definition }) => Schedules.groupOf(definition))))
  const defects = [
    ...(Number.isSafeInteger(atOnce) && atOnce >= 1
      ? []
      : [`a process of the cluster runs ${atOnce} jobs at once, give a whole number from 1 on`]),
    ...(Number.isSafeInteger(restarts) && restarts >= 0
      ? []
      : [`jobs are launched again ${restarts} times, give a whole number from 0 on`]),
    ...schedules.flatMap(({ definition, jobName, name }) =>
      twice.delete(Schedules.groupOf(definition))
        ? [`job "${jobName}" has two schedules called "${name}" with the same times: give one of them another name`]
        : []
    )
  ]
  if (defects.length > 0) {
    throw new JobDefinitionError({ defects })
  }
}

const groupsOf = (jobs: ReadonlyArray<Job.Any>, { schedules = [] }: Options<any>): ReadonlyArray<string> => [
  ...jobs.map(({ name }) => groupOfJob(name)),
  ...schedules.map(({ definition }) => Schedules.groupOf(definition))
]

/** The newest execution of the instance, and what is wanted after those that have ended. */
const want = <P>(job: Job<P, string, unknown, unknown>, given: P, restarts = RESTARTS) =>
  Effect.gen(function*() {
    const parameters = yield* Requests.encode(job, given)
    const executions = yield* Requests.executionsOf(job.name, parameters)
    const wanted: Requests.Wanted = { job: job.name, parameters, after: Requests.lastEnded(executions), restarts }
    return { execution: executions[0], wanted }
  })
