/**
 * Tests of one step alone, and of code that is meant to run inside a step.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Types from "effect/Types"
import * as Job from "../definition/Job.js"
import type { Step } from "../definition/Step.js"
import type { Session } from "../engine/session/session.js"
import { compile } from "../engine/step/hooks.js"
import * as StepState from "../engine/step/state.js"
import * as JobOperator from "../operator/JobOperator.js"
import * as JobRepository from "../ports/JobRepository.js"
import type { JobScope } from "../ports/JobScope.js"
import type { StepScope } from "../ports/StepScope.js"
import type { Transactor } from "../ports/Transactor.js"
import type { EngineError, InvalidJobParameters } from "../vocabulary/BatchError.js"
import type { ExecutionContext } from "../vocabulary/ExecutionContext.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import type { Declaration } from "../vocabulary/JobParameters.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"
import * as Fixture from "./Fixture.js"

/**
 * What a step finds when it starts, empty by default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Contexts {
  /** What steps before it would have left for it. */
  readonly jobContext?: ExecutionContext | undefined
  /** What an earlier execution of it would have left. */
  readonly stepContext?: ExecutionContext | undefined
}

/**
 * What came of a step: its execution, that of the synthetic job around it, and what the job ended with.
 *
 * @since 0.1.0
 * @category models
 */
export interface StepRun<out Code extends string, out E> {
  readonly execution: JobExecution
  readonly step: StepExecution
  readonly exit: Exit.Exit<Code, E | EngineError>
}

/**
 * Runs one step alone, in a job `TestJob` made for it, on a repository in memory that is gone afterwards. A step that
 * fails is a result, not a failure.
 *
 * The step's transactions are those of the repository in memory: what it writes to a database is not rolled back by
 * them.
 *
 * @param options.parameters the class made with `JobParameters.Tag`, when the step uses parameters
 * @param options.values their values
 *
 * @example
 * ```ts
 * import { ItemReader, ItemWriter, JobParameters, Step } from "effect-batch"
 * import { Expect, StepTest } from "effect-batch/testing"
 * import { Effect, Schema } from "effect"
 *
 * class Params extends JobParameters.Tag<Params>()("Params", { last: Schema.Int }) {}
 *
 * const step = Step.chunk("count", {
 *   reader: ItemReader.unwrap(
 *     Effect.map(Params, ({ last }) => ItemReader.fromIterable(Array.from({ length: last }, (_, i) => i + 1)))
 *   ),
 *   writer: ItemWriter.discard,
 *   chunkSize: 10
 * })
 *
 * const test = Effect.gen(function*() {
 *   const run = yield* StepTest.runStep(step, { parameters: Params, values: { last: 25 } })
 *   yield* Expect.status(run.step, "COMPLETED")
 *   yield* Expect.counts(run.step, { read: 25, write: 25, commit: 3 })
 * })
 * Effect.runPromise(test)
 * ```
 *
 * @see TEST-1
 * @since 0.1.0
 * @category utils
 */
export const runStep: {
  <Self, P, Code extends string, E, R>(
    step: Step<Code, E, R>,
    options: Contexts & {
      readonly parameters: Context.Tag<Self, P> & Declaration<P, any>
      readonly values: Types.NoInfer<P>
    }
  ): Effect.Effect<StepRun<string, E>, InvalidJobParameters, Exclude<R, Self | Provided>>
  <Code extends string, E, R>(
    step: Step<Code, E, R>,
    options?: Contexts
  ): Effect.Effect<StepRun<string, E>, never, Exclude<R, Provided>>
} = (
  step: Step<string, any, any>,
  options: Contexts & {
    readonly parameters?: (Context.Tag<any, any> & Declaration<any, any>) | undefined
    values?: any
  } = {}
): any =>
  Effect.gen(function*() {
    const repository = yield* JobRepository.JobRepository
    const job = options.parameters === undefined
      ? Job.make(JOB_NAME, { flow: step })
      : Job.make(JOB_NAME, { flow: step, parameters: options.parameters })
    const execution = yield* JobOperator.run(job, options.values ?? {}).pipe(
      Effect.provideService(JobRepository.JobRepository, beginningWith(repository, step.name, options))
    )
    const steps = yield* repository.stepExecutions(execution.id)
    return { execution, step: steps.find(({ stepName }) => stepName === step.name)!, exit: execution.exit }
  }).pipe(
    // Nothing else can go wrong with a new repository in memory.
    Effect.catchAll((error) => error._tag === "InvalidJobParameters" ? Effect.fail(error) : Effect.die(error)),
    Effect.provide(Layer.fresh(JobRepository.layerMemory))
  )

/**
 * - `step`, `job`: the executions that the code finds itself in; those of `Fixture` by default.
 * - `stepContext`, `jobContext`: what is in their contexts; by default what these executions have.
 * - `stopRequested`: whether the step was asked to stop. Default false.
 *
 * @since 0.1.0
 * @category models
 */
export interface ScopeOptions extends Contexts {
  readonly step?: StepExecution | undefined
  readonly job?: JobExecution | undefined
  readonly stopRequested?: boolean | undefined
}

/**
 * Runs code as if it ran inside a step: gives it the `StepScope` and `JobScope` that the engine gives to a step. No
 * transaction is open, and nothing is stored; what the code counts and sets, it finds in `StepScope.execution`.
 *
 * @example
 * ```ts
 * import { StepScope } from "effect-batch"
 * import { Fixture, StepTest } from "effect-batch/testing"
 * import { Effect } from "effect"
 *
 * const report = Effect.zipRight(StepScope.contribute({ write: 2 }), StepScope.execution)
 *
 * const step = Effect.runSync(StepTest.stepScope(report, { step: Fixture.stepExecution({ stepName: "report" }) }))
 * assert.deepStrictEqual([step.stepName, step.counts.write], ["report", 2])
 * ```
 *
 * @see TEST-4
 * @since 0.1.0
 * @category utils
 */
export const stepScope = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: ScopeOptions = {}
): Effect.Effect<A, E, Exclude<R, StepScope | JobScope>> =>
  Effect.suspend(() => {
    const step = options.step ?? Fixture.stepExecution()
    const execution = options.job ?? Fixture.jobExecution({ id: step.jobExecutionId })
    const state = StepState.make(
      sessionOf(execution, options),
      undefined as never,
      compile([]),
      { ...step, context: options.stepContext ?? step.context },
      undefined as never
    )
    return Effect.provide(effect, StepState.services(state))
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const JOB_NAME = "TestJob"

type Provided = JobRepository.JobRepository | Transactor | StepScope | JobScope

type Repository = Context.Tag.Service<JobRepository.JobRepository>

const beginningWith = (repository: Repository, stepName: string, contexts: Contexts): Repository => ({
  ...repository,
  launch: (request) =>
    Effect.flatMap(repository.launch(request), (launched) => {
      const execution = { ...launched, context: contexts.jobContext ?? launched.context }
      return Effect.as(Effect.orDie(repository.updateJobExecution(execution)), execution)
    }),
  createStepExecution: (execution, step) =>
    repository.createStepExecution(
      execution,
      step.stepName === stepName ? { ...step, context: contexts.stepContext ?? step.context } : step
    )
})

/** As much of a session as the scopes of a step look at. */
const sessionOf = (execution: JobExecution, options: ScopeOptions): Session =>
  ({
    execution,
    context: options.jobContext ?? execution.context,
    stopRequested: options.stopRequested ?? false
  }) satisfies Partial<Session> as Session
