/**
 * A process that runs partitions of jobs which other processes run.
 *
 * Any number of them, over one repository: PostgreSQL, or SQLite for the processes of one machine. They may come and go at any
 * time. Which partition runs where is decided by the claim of its execution, so nothing runs twice.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { repeated } from "../base/repeated.js"
import * as Decision from "../decisions/partition.js"
import { steps } from "../definition/defects.js"
import type { Erased } from "../definition/erased.js"
import type { Job } from "../definition/Job.js"
import type { PartitionBody } from "../definition/tree.js"
import { definitionOf } from "../definition/tree.js"
import * as Launch from "../engine/job/launch.js"
import * as Slots from "../engine/partition/slots.js"
import * as Step from "../engine/partition/step.js"
import * as Running from "../engine/session/running.js"
import { retrying } from "../engine/session/saving.js"
import { requestStop } from "../engine/session/session.js"
import type { Requirements } from "../operator/JobRegistry.js"
import type { OwnerFailure } from "../ports/JobRepository.js"
import { JobRepository } from "../ports/JobRepository.js"
import type { PartitionPlan } from "../ports/partitions.js"
import type { Transactor } from "../ports/Transactor.js"
import { JobDefinitionError, PartitionCodeDiffers } from "../vocabulary/BatchError.js"
import { describe } from "../vocabulary/failure.js"
import * as JobParameters from "../vocabulary/JobParameters.js"

/**
 * How often a worker looks for partitions to run, and a partitioned step for those that run elsewhere. On PostgreSQL both are
 * woken at once as well, by the notifications that stops use. Default: 1 second.
 *
 * @since 0.1.0
 * @category references
 */
export const Poll: typeof Step.Poll = Step.Poll

/**
 * - `slots`: how many partitions run at once in this process: a whole number from 1 on, default 1. Another one, and two jobs of
 *   one name, are refused with `JobDefinitionError`.
 * - `onRefusal`: hears, once for each execution of a job, that its code of a step differs from this worker's, which therefore
 *   leaves its partitions to others. By default a warning is logged.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<out R = never> {
  readonly slots?: number | undefined
  readonly onRefusal?: ((refusal: PartitionCodeDiffers) => Effect.Effect<void, never, R>) | undefined
}

/**
 * Runs partitions of these jobs as long as the layer lives. Steps that these jobs do not have are left to other workers, so
 * versions may run side by side. So are, with a warning, those of an execution whose parameters these jobs do not understand.
 *
 * When the layer is closed, or the process is told to end, no further partition begins. Those that run commit their chunk and
 * are handed over: another worker, or the process of the job, goes on from there, without a restart.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { Job, JobRepository, Partition, PartitionWorker, Step } from "effect-batch"
 *
 * const job = Job.make("import", {
 *   flow: Step.partition("load", {
 *     plan: Partition.values(["de", "fr"]),
 *     input: Schema.String,
 *     step: (country) => Step.tasklet("rows", Effect.log(`loading ${country}`)),
 *     concurrency: 0
 *   })
 * })
 *
 * const worker = PartitionWorker.layer([job], { slots: 8 }).pipe(Layer.provide(JobRepository.layerMemory))
 * assert.ok(Layer.isLayer(worker))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = <const Jobs extends ReadonlyArray<Job.Any>, R = never>(
  jobs: Jobs,
  options: Options<R> = {}
): Layer.Layer<never, never, JobRepository | Transactor | Requirements<Jobs> | R> =>
  Layer.scopedDiscard(start(checked(jobs, options), options)) as Layer.Layer<never, never, any>

/**
 * The same as an effect that never ends: for the main program of a worker.
 *
 * @since 0.1.0
 * @category utils
 */
export const run = <const Jobs extends ReadonlyArray<Job.Any>, R = never>(
  jobs: Jobs,
  options: Options<R> = {}
): Effect.Effect<never, never, JobRepository | Transactor | Requirements<Jobs> | R> =>
  Effect.scoped(Effect.zipRight(start(checked(jobs, options), options), Effect.never)) as Effect.Effect<
    never,
    never,
    any
  >

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** A plan that this process has the code for. */
interface Work {
  readonly plan: PartitionPlan
  readonly job: Job.Any
  readonly body: PartitionBody
}

interface Worker {
  readonly repository: JobRepository["Type"]
  readonly jobs: ReadonlyMap<string, { readonly job: Job.Any; readonly steps: ReadonlyMap<string, PartitionBody> }>
  readonly options: Options<unknown>
  readonly refused: Set<string>
  /** The executions that it runs. */
  readonly executions: Set<number>
  readonly pool: Slots.Pool
  /** Of the fibers in which partitions run: closed only when they had the time to hand over. */
  readonly scope: Scope.CloseableScope
  readonly running: Running.RunningSessions
  draining: boolean
}

/** A worker without slots would look like one that has nothing to do. */
const checked = (jobs: ReadonlyArray<Job.Any>, { slots = 1 }: Options<any>): ReadonlyArray<Job.Any> => {
  const defects = [
    ...(Number.isSafeInteger(slots) && slots >= 1
      ? []
      : [`a worker has ${slots} slots, give a whole number from 1 on`]),
    ...repeated(jobs.map(({ name }) => name)).map((name) => `a worker has two jobs called "${name}"`)
  ]
  if (defects.length > 0) {
    throw new JobDefinitionError({ defects })
  }
  return jobs
}

const start = (
  jobs: ReadonlyArray<Job.Any>,
  options: Options<any>
): Erased<void, never, JobRepository | Transactor | Scope.Scope> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const worker: Worker = {
      repository,
      jobs: new Map(jobs.map((job) => [job.name, { job, steps: partitioned(job) }])),
      options,
      refused: new Set(),
      executions: new Set(),
      pool: yield* Slots.makePool(options.slots ?? 1),
      scope: yield* Scope.make(),
      running: yield* Running.Running,
      draining: false
    }
    yield* Effect.forkScoped(Effect.interruptible(loop(worker)))
    yield* Effect.addFinalizer(() => drain(worker))
  })

const partitioned = (job: Job.Any): ReadonlyMap<string, PartitionBody> =>
  new Map(
    steps(definitionOf(job).graph).flatMap(({ body, name }) => body._tag === "Partition" ? [[name, body] as const] : [])
  )

const isLeaving = (worker: Worker): boolean => worker.draining || worker.running.closing

/** A repository that is away is waited for. */
const loop = (worker: Worker): Erased<never, never, JobRepository | Transactor> =>
  Effect.gen(function*() {
    while (true) {
      if (!isLeaving(worker)) {
        yield* Effect.catchAllCause(
          look(worker),
          (cause) => Effect.logWarning(`A worker can't look for partitions: ${describe(cause)}`)
        )
      }
      yield* Effect.raceFirst(
        worker.repository.partitions.awaken(0),
        Effect.flatMap(Poll, (poll) => Effect.sleep(poll))
      )
    }
  })

const look = (worker: Worker): Erased<void, OwnerFailure, JobRepository | Transactor> =>
  Effect.gen(function*() {
    const witness = yield* Running.witness
    const { partitions } = worker.repository
    const plans = yield* partitions.openPlans([...worker.jobs.keys()])
    const found: Array<Work> = []
    for (const plan of plans) {
      const known = worker.jobs.get(plan.jobName)!
      const body = known.steps.get(plan.stepName)
      const fitness = Decision.fitnessOf(plan.fingerprint, body?.fingerprint)
      if (fitness === "Refuse") {
        yield* refuse(worker, plan, body!)
      } else if (fitness === "Take") {
        yield* partitions.putUp(plan.id, witness)
        found.push({ plan, job: known.job, body: body! })
      }
    }
    if (found.length > 0) {
      const working = Effect.forEach(found, (work) =>
        Effect.catchAllCause(
          workOn(worker, work),
          (cause) => isOfPlan(cause) ? leave(worker, work.plan, cause) : Effect.failCause(cause)
        ), { discard: true })
      yield* Effect.provideService(Slots.fill(worker.pool, working), Scope.Scope, worker.scope)
    }
  })

const refuse = (worker: Worker, plan: PartitionPlan, body: PartitionBody): Erased<void, never> => {
  const key = `${plan.executionId} ${plan.fingerprint}`
  if (worker.refused.has(key)) {
    return Effect.void
  }
  worker.refused.add(key)
  const refusal = new PartitionCodeDiffers({
    jobName: plan.jobName,
    step: plan.stepName,
    executionId: plan.executionId,
    planned: plan.fingerprint,
    own: body.fingerprint
  })
  return (worker.options.onRefusal?.(refusal) ?? Effect.logWarning(refusal.message)) as Erased<void, never>
}

/** A defect, as of parameters that are not understood, or stored rows that are damaged; not a repository that is away. */
const isOfPlan = (cause: Cause.Cause<OwnerFailure>): boolean =>
  !Cause.isInterrupted(cause) &&
  Option.match(Cause.failureOption(cause), {
    onNone: () => true,
    onSome: (error) => error._tag === "JobRepositoryError" && error.reason === "data"
  })

/** What this worker cannot do anything about keeps it from no other plan. It is told once, as the next look finds it again. */
const leave = (
  worker: Worker,
  { executionId, jobName, stepName }: PartitionPlan,
  cause: Cause.Cause<unknown>
): Effect.Effect<void> => {
  const key = `${executionId} ${stepName}`
  if (worker.refused.has(key)) {
    return Effect.void
  }
  worker.refused.add(key)
  return Effect.logWarning(
    `A worker leaves the partitions of step "${stepName}" of execution ${executionId} of job "${jobName}" to others: ` +
      describe(cause)
  )
}

/** The process of the job is told when there is nothing left here. */
const workOn = (worker: Worker, { body, job, plan }: Work): Erased<void, OwnerFailure, JobRepository | Transactor> =>
  Effect.gen(function*() {
    const { repository } = worker
    const services = yield* parametersOf(worker, job, plan)
    const transactional = yield* Effect.context<JobRepository | Transactor>()
    const leaving = { handsOver: () => isLeaving(worker), isLeaving: () => isLeaving(worker) }
    const ran = yield* Slots.work({
      repository,
      plan,
      body,
      isStopping: () => isLeaving(worker),
      save: retrying,
      run: (child, execution) =>
        Effect.acquireUseRelease(
          Effect.sync(() => worker.executions.add(execution.id)),
          () =>
            Launch.runClaimed(child, execution, leaving).pipe(
              Effect.provide(services),
              Effect.provide(transactional)
            ),
          () => Effect.sync(() => worker.executions.delete(execution.id))
        )
    })
    yield* ran > 0 ? repository.partitions.wake(plan.id) : Effect.void
  })

/** The parameters of the job, as its own steps see them. */
const parametersOf = (
  { repository }: Worker,
  job: Job.Any,
  { executionId }: PartitionPlan
): Erased<Context.Context<never>, OwnerFailure> => {
  const { parameters } = definitionOf(job)
  return parameters === undefined
    ? Effect.succeed(Context.empty())
    : Effect.flatMap(Effect.orDie(repository.jobExecution(executionId)), (execution) =>
      Effect.map(
        Effect.orDie(JobParameters.decode(parameters, execution.parameters)),
        (decoded) => Context.make(parameters, decoded) as Context.Context<never>
      ))
}

/** Lets every partition reach its next commit, within the grace time of stops; what is left then is interrupted. */
const drain = (worker: Worker): Effect.Effect<void> =>
  Effect.gen(function*() {
    worker.draining = true
    for (const id of worker.executions) {
      Running.find(worker.running, worker.repository, id).forEach(requestStop)
    }
    yield* Slots.awaitIdle(worker.pool)
    yield* Scope.close(worker.scope, Exit.void)
  })
