/**
 * A job: a flow with a name and declared parameters. Building one performs nothing.
 *
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type { Inspectable } from "effect/Inspectable"
import type { Pipeable } from "effect/Pipeable"
import * as Predicate from "effect/Predicate"
import type * as Types from "effect/Types"
import { prototype } from "../base/values.js"
import type { JobScope } from "../ports/JobScope.js"
import type { StepScope } from "../ports/StepScope.js"
import { JobDefinitionError } from "../vocabulary/BatchError.js"
import type { Declaration, Incrementer } from "../vocabulary/JobParameters.js"
import { defects } from "./defects.js"
import * as Describe from "./describe.js"
import type { Flow } from "./Flow.js"
import { lower } from "./graph.js"
import type { JobListener } from "./Listener.js"
import * as Mermaid from "./mermaid.js"
import type { JobDefinition } from "./tree.js"
import { definitionOf, nodeOf, withTree } from "./tree.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-batch/Job")

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

/**
 * A job that takes the parameters `P`, ends with one of the exit codes `Code`, may fail with `E` and needs `R`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Job<in P, out Code extends string = string, out E = never, out R = never>
  extends Pipeable, Inspectable
{
  readonly [TypeId]: Job.Variance<P, Code, E, R>
  readonly name: string
}

/**
 * @since 0.1.0
 */
export declare namespace Job {
  /**
   * Any job.
   *
   * @since 0.1.0
   * @category models
   */
  export type Any = Job<any, string, any, any>

  /**
   * @since 0.1.0
   * @category models
   */
  export interface Variance<in P, out Code extends string, out E, out R> {
    readonly _P: Types.Contravariant<P>
    readonly _Code: Types.Covariant<Code>
    readonly _E: Types.Covariant<E>
    readonly _R: Types.Covariant<R>
  }

  /**
   * The parameters of a job.
   *
   * @since 0.1.0
   * @category models
   */
  export type Parameters<J> = J extends Job<infer P, any, any, any> ? P : never

  /**
   * The exit codes of a job.
   *
   * @since 0.1.0
   * @category models
   */
  export type Code<J> = J extends Job<any, infer C, any, any> ? C : never

  /**
   * The errors of a job.
   *
   * @since 0.1.0
   * @category models
   */
  export type Error<J> = J extends Job<any, any, infer E, any> ? E : never

  /**
   * What a job needs.
   *
   * @since 0.1.0
   * @category models
   */
  export type Context<J> = J extends Job<any, any, any, infer R> ? R : never
}

/**
 * Whether the value is a `Job`.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isJob = (value: unknown): value is Job.Any => Predicate.hasProperty(value, TypeId)

/**
 * Makes a job of a flow.
 *
 * - `parameters`: the class made with `JobParameters.Tag`. The job provides it, so it leaves `R`. Without it the job
 *   takes no parameters.
 * - `incrementer`: how `JobOperator.runNext` computes the parameters of the next instance unless it is given another
 *   one, such as `JobParameters.runId`. `run` does not ask it. Default: none.
 * - `restartable`: false when an instance may run only once, whatever its outcome. Default true.
 * - `listeners`: called around every execution, in this order before and in reverse order after it.
 *
 * A definition that can't work throws `JobDefinitionError`, which lists all of its defects.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Job, JobParameters, Step } from "effect-batch"
 *
 * class Params extends JobParameters.Tag<Params>()("Params", { name: Schema.String }) {}
 *
 * const greet = Step.tasklet("greet", Effect.flatMap(Params, ({ name }) => Effect.log(`Hello ${name}`)))
 *
 * assert.strictEqual(Job.make("greeting", { parameters: Params, flow: greet }).name, "greeting")
 * ```
 *
 * @see NEXT-1, LAUNCH-13, LAUNCH-5
 * @since 0.1.0
 * @category constructors
 */
export const make = <C extends string, E, R, Self = never, P = {}, EL = never, RL = never>(
  name: string,
  // One signature, so that the compiler says once what does not fit.
  options: {
    readonly flow: Flow<C, E, R>
    readonly parameters?: Context.Tag<Self, any> & Declaration<any, P>
    readonly incrementer?: Incrementer<Types.NoInfer<P>> | undefined
    readonly restartable?: boolean | undefined
    readonly listeners?: ReadonlyArray<JobListener<EL, RL>> | undefined
  }
): Job<P, Flow.Final<C>, E | EL, Exclude<Types.NoInfer<R | RL>, Self | StepScope | JobScope>> => {
  const definition: JobDefinition = {
    name,
    parameters: options.parameters,
    incrementer: options.incrementer,
    graph: lower(nodeOf(options.flow)),
    restartable: options.restartable ?? true,
    listeners: options.listeners ?? []
  }
  const found = defects(definition)
  if (found.length > 0) {
    throw new JobDefinitionError({ jobName: name, defects: found })
  }
  return withTree(Proto, { name }, definition) as any
}

/**
 * The job as a Mermaid flowchart: steps, deciders, splits and ends with their exit codes, for a README or a dashboard.
 * Names are escaped. That every step may fail the job is not drawn.
 *
 * With an execution and its steps it shows the outcome: each step is coloured by its status and says its counts. A
 * step that was not run, because it was complete before or because the flow went another way, stays plain.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Flow, Job, Step } from "effect-batch"
 *
 * const job = Job.make("import", {
 *   flow: Step.tasklet("load", Effect.log("loading")).pipe(Flow.match({ COMPLETED: Flow.end("DONE") }))
 * })
 *
 * assert.strictEqual(
 *   Job.toMermaid(job),
 *   [
 *     "flowchart TD",
 *     "  job([\"import\"])",
 *     "  s0[\"load\"]",
 *     "  s1([\"COMPLETED DONE\"])",
 *     "  s0 -->|\"COMPLETED\"| s1",
 *     "  job --> s0"
 *   ].join("\n")
 * )
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const toMermaid = (job: Job.Any, executed?: Executed): string => Mermaid.toMermaid(definitionOf(job), executed)

/**
 * What `toMermaid` colours a picture with: an execution, ended or not, and its step executions, as `JobOperator.run`
 * or `JobOperator.execution`, and `JobOperator.steps` return them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Executed extends Mermaid.Executed {}

/**
 * The job as plain data, fit for JSON: parameters, steps with their settings, exit codes, and where they lead.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Job, Step } from "effect-batch"
 *
 * const { flow } = Job.describe(Job.make("import", { flow: Step.tasklet("load", Effect.log("loading")) }))
 *
 * assert.deepStrictEqual(flow.codes, ["COMPLETED", "FAILED"])
 * ```
 *
 * @since 0.1.0
 * @category utils
 */
export const describe = (job: Job.Any): JobDescription => Describe.describe(definitionOf(job))

/**
 * What `describe` says about a job.
 *
 * @since 0.1.0
 * @category models
 */
export interface JobDescription extends Describe.JobDescription {}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const variance: Job.Variance<unknown, never, never, never> = {
  _P: (_) => _,
  _Code: (_) => _,
  _E: (_) => _,
  _R: (_) => _
}

const Proto = prototype<Job.Any>(TypeId, variance, (self) => ({ _id: "Job", name: self.name }))
