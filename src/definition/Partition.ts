/**
 * What `Step.partition` is made of: plans, and what a partition is told about itself.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { JobScope } from "../ports/JobScope.js"
import type {
  EngineError,
  InvalidPartitionPlan,
  NestedPartition,
  PartitionsFailed,
  ReplanRefused,
  UnreadableContextKey
} from "../vocabulary/BatchError.js"

/**
 * A partition as it is planned: a name, unique in its plan, and the input of the step that runs it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Planned<out A> {
  readonly name: string
  readonly input: A
}

/**
 * What the step of a partition is given beside its input.
 *
 * - `name`: of the partition.
 * - `result`: gives the result of the partition; durable with the next commit of the step that gives it. The last one counts.
 *
 * @since 0.1.0
 * @category models
 */
export interface Scope<in B> {
  readonly name: string
  readonly result: (value: B) => Effect.Effect<void, UnreadableContextKey, JobScope>
}

/**
 * What a partition that completed gave; none when it gave nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Result<out B> {
  readonly name: string
  readonly value: Option.Option<B>
}

/**
 * What a partitioned step can fail with beside its plan and its `collect`. Why each partition failed is recorded with that
 * partition.
 *
 * @since 0.1.0
 * @category models
 */
export type PartitionError = EngineError | InvalidPartitionPlan | PartitionsFailed | ReplanRefused | NestedPartition

/**
 * One partition per value, named after it.
 *
 * @example
 * ```ts
 * import { Partition } from "effect-batch"
 *
 * assert.deepStrictEqual(Partition.values(["de", "fr"]), [{ name: "de", input: "de" }, { name: "fr", input: "fr" }])
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const values = <const A>(
  values: Iterable<A>,
  nameOf: (value: A) => string = String
): ReadonlyArray<Planned<A>> => Array.from(values, (input) => ({ name: nameOf(input), input }))
