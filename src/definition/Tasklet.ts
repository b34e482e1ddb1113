/**
 * What a tasklet answers after each call: that it is finished, with which exit code, or that it wants to be called
 * again. Each call runs in a transaction of its own.
 *
 * @see TASK-1, TASK-3
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import type * as Layer from "effect/Layer"
import { provideOnce } from "../item/provided.js"

/**
 * @since 0.1.0
 * @category models
 */
export type RepeatStatus<Code extends string = never> = Continuable | Finished<Code>

/**
 * Commit, and call the tasklet again.
 *
 * @see REPEAT-1
 * @since 0.1.0
 * @category models
 */
export interface Continuable {
  readonly _tag: "Continuable"
}

/**
 * Commit, and end the step with this exit code.
 *
 * @see TASK-10
 * @since 0.1.0
 * @category models
 */
export interface Finished<out Code extends string = never> {
  readonly _tag: "Finished"
  readonly exitCode: Code | undefined
}

/**
 * Asks for another call, in a new transaction.
 *
 * @since 0.1.0
 * @category constructors
 */
export const continuable: Continuable = { _tag: "Continuable" }

/**
 * Ends the step. A tasklet that answers nothing is finished too.
 *
 * @since 0.1.0
 * @category constructors
 */
export const finished: Finished = { _tag: "Finished", exitCode: undefined }

/**
 * Ends the step with an exit code of its own; the batch status is COMPLETED whatever the code.
 *
 * @see TASK-10
 * @since 0.1.0
 * @category constructors
 */
export const finishedWith = <const Code extends string>(exitCode: Code): Finished<Code> => ({
  _tag: "Finished",
  exitCode
})

/**
 * CONTINUABLE only while the condition holds.
 *
 * @see REPEAT-1
 * @since 0.1.0
 * @category constructors
 */
export const continueIf = (condition: boolean): RepeatStatus => condition ? continuable : finished

/**
 * Gives a tasklet what it needs: services, or a layer that is built once per step and not once per call. With another
 * `SqlClient` the tasklet works on that database, outside of the transaction of the step: at least once.
 *
 * @example
 * ```ts
 * import { Step, Tasklet } from "effect-batch"
 * import { SqlClient } from "@effect/sql"
 * import { PgClient } from "@effect/sql-pg"
 * import { Config, Effect } from "effect"
 *
 * const warehouse = PgClient.layerConfig({ url: Config.redacted("WAREHOUSE_URL") })
 *
 * const refresh = Step.tasklet(
 *   "refresh",
 *   Effect.flatMap(SqlClient.SqlClient, (sql) => sql`refresh materialized view totals`).pipe(Tasklet.provide(warehouse))
 * )
 * ```
 *
 * @since 0.1.0
 * @category combinators
 * @see OWN-10
 */
export const provide: {
  <ROut, E2, RIn>(
    layer: Layer.Layer<ROut, E2, RIn>
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | E2, RIn | Exclude<R, ROut>>
  <ROut>(
    context: Context.Context<ROut>
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, ROut>>
  <A, E, R, ROut, E2, RIn>(
    self: Effect.Effect<A, E, R>,
    layer: Layer.Layer<ROut, E2, RIn>
  ): Effect.Effect<A, E | E2, RIn | Exclude<R, ROut>>
  <A, E, R, ROut>(
    self: Effect.Effect<A, E, R>,
    context: Context.Context<ROut>
  ): Effect.Effect<A, E, Exclude<R, ROut>>
} = dual(2, provideOnce)
