/**
 * How steps follow each other. A flow is a value: a step is a flow, and flows are composed by combinators.
 *
 * @since 0.1.0
 */
import { dual } from "effect/Function"
import type { Pipeable } from "effect/Pipeable"
import { pipeArguments } from "effect/Pipeable"
import type * as Types from "effect/Types"
import type { FlowNode } from "./internal/definition.js"

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: unique symbol = Symbol.for("effect-batch/Flow")

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = typeof TypeId

/**
 * A flow that ends with one of the exit codes `Code`, may fail with `E` and needs `R`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Flow<out Code extends string, out E = never, out R = never> extends Pipeable {
  readonly [TypeId]: {
    readonly _Code: Types.Covariant<Code>
    readonly _E: Types.Covariant<E>
    readonly _R: Types.Covariant<R>
  }
  readonly node: FlowNode
}

/**
 * @since 0.1.0
 */
export declare namespace Flow {
  /**
   * Any flow.
   *
   * @since 0.1.0
   * @category models
   */
  export type Any = Flow<string, any, any>

  /**
   * The exit codes of a flow.
   *
   * @since 0.1.0
   * @category models
   */
  export type Code<F> = F extends Flow<infer C, any, any> ? C : never

  /**
   * The errors of a flow.
   *
   * @since 0.1.0
   * @category models
   */
  export type Error<F> = F extends Flow<any, infer E, any> ? E : never

  /**
   * What a flow needs.
   *
   * @since 0.1.0
   * @category models
   */
  export type Context<F> = F extends Flow<any, any, infer R> ? R : never
}

/**
 * Goes on with `that` when the batch status of `self` is COMPLETED, whatever its exit code (SIMPLE-1); otherwise the
 * flow ends as `self` did.
 *
 * @since 0.1.0
 * @category combinators
 */
export const andThen: {
  <C2 extends string, E2, R2>(
    that: Flow<C2, E2, R2>
  ): <C extends string, E, R>(self: Flow<C, E, R>) => Flow<C2 | "FAILED", E | E2, R | R2>
  <C extends string, E, R, C2 extends string, E2, R2>(
    self: Flow<C, E, R>,
    that: Flow<C2, E2, R2>
  ): Flow<C2 | "FAILED", E | E2, R | R2>
} = dual(
  2,
  (self: Flow.Any, that: Flow.Any): Flow.Any => fromNode({ _tag: "AndThen", self: self.node, that: that.node })
)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** @internal */
export const fromNode = (node: FlowNode): Flow<any, any, any> => Object.assign(Object.create(Proto), { node })

/** @internal */
export const Proto = {
  [TypeId]: {},
  pipe() {
    return pipeArguments(this, arguments)
  }
}
