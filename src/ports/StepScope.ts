/**
 * The ambient step: its execution, its execution context, and the ways in which code inside a step talks to the
 * engine (counts, exit status, stop).
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { UnreadableContextKey } from "../vocabulary/BatchError.js"
import type { BatchStatus } from "../vocabulary/BatchStatus.js"
import type { Key } from "../vocabulary/ExecutionContext.js"
import type { ExitStatus } from "../vocabulary/ExitStatus.js"
import type { Counts, StepExecution } from "../vocabulary/StepExecution.js"

/**
 * Provided by the engine while a step runs; a job discharges it.
 *
 * @see SCOPE-1
 * @since 0.1.0
 * @category services
 */
export class StepScope extends Context.Tag("effect-batch/StepScope")<StepScope, {
  /** The step execution as it is now, counts of the current chunk included. */
  readonly execution: Effect.Effect<StepExecution>
  readonly get: <A>(key: Key<A>) => Effect.Effect<Option.Option<A>, UnreadableContextKey>
  /**
   * Stored with the next commit of the step; forgotten when that transaction rolls back.
   *
   * @see CTX-9
   */
  readonly set: <A>(key: Key<A>, value: A) => Effect.Effect<void, UnreadableContextKey>
  /**
   * Changes a value by what it is when the change becomes durable: nothing that others do in between is lost. Beside a
   * chunk that is being written the function may be called once more.
   */
  readonly update: <A>(key: Key<A>, f: (current: Option.Option<A>) => A) => Effect.Effect<void, UnreadableContextKey>
  readonly remove: <A>(key: Key<A>) => Effect.Effect<void>
  /**
   * Adds to the counts of the step; forgotten when the transaction rolls back.
   *
   * @see TASK-4, OWN-9
   */
  readonly contribute: (counts: Partial<Counts>) => Effect.Effect<void>
  /**
   * Combines the given exit status with the one of the step.
   *
   * @see EXIT-4
   */
  readonly addExitStatus: (status: ExitStatus) => Effect.Effect<void>
  /**
   * Raises the batch status of the step, never lowers it; FAILED or STOPPED in `afterStep` ends the job there.
   *
   * @see ENUM-5, STEP-16
   */
  readonly upgradeStatus: (status: BatchStatus) => Effect.Effect<void>
  /** Whether the step was asked to stop, by an operator or by `requestStop`. */
  readonly stopRequested: Effect.Effect<boolean>
  /**
   * Ends the step as STOPPED after the chunk or tasklet call that is running.
   *
   * @see STEP-9
   */
  readonly requestStop: Effect.Effect<void>
}>() {}

/**
 * The step execution as it is now.
 *
 * @since 0.1.0
 * @category utils
 */
export const execution: Effect.Effect<StepExecution, never, StepScope> = Effect.flatMap(
  StepScope,
  (scope) => scope.execution
)

/**
 * Reads a value of the step's execution context, which a restart brings back. Fails with `UnreadableContextKey` when
 * the stored value does not fit the key's schema.
 *
 * @see CTX-12
 * @since 0.1.0
 * @category utils
 */
export const get = <A>(key: Key<A>): Effect.Effect<Option.Option<A>, UnreadableContextKey, StepScope> =>
  Effect.flatMap(StepScope, (scope) => scope.get(key))

/**
 * Writes a value of the step's execution context. It is stored with the next commit of the step.
 *
 * @since 0.1.0
 * @category utils
 */
export const set = <A>(key: Key<A>, value: A): Effect.Effect<void, UnreadableContextKey, StepScope> =>
  Effect.flatMap(StepScope, (scope) => scope.set(key, value))

/**
 * Changes a value of the step's execution context by what it is now: atomic, also between the chunk that is written and
 * the next one that is read and processed beside it.
 *
 * `get` and then `set` may lose what another fiber of the step did in between; this does not. With `prefetch` the function
 * may be called more than once: it must do nothing else.
 *
 * @see OWN-7
 * @since 0.1.0
 * @category utils
 */
export const update = <A>(
  key: Key<A>,
  f: (current: Option.Option<A>) => A
): Effect.Effect<void, UnreadableContextKey, StepScope> => Effect.flatMap(StepScope, (scope) => scope.update(key, f))

/**
 * Removes a key from the step's execution context.
 *
 * @since 0.1.0
 * @category utils
 */
export const remove = <A>(key: Key<A>): Effect.Effect<void, never, StepScope> =>
  Effect.flatMap(StepScope, (scope) => scope.remove(key))

/**
 * Adds to the counts of the step: how a tasklet reports what it read and wrote.
 *
 * @since 0.1.0
 * @category utils
 */
export const contribute = (counts: Partial<Counts>): Effect.Effect<void, never, StepScope> =>
  Effect.flatMap(StepScope, (scope) => scope.contribute(counts))

/**
 * Combines an exit status with the one that the step will end with. It can raise the severity, never lower it.
 *
 * @since 0.1.0
 * @category utils
 */
export const addExitStatus = (status: ExitStatus): Effect.Effect<void, never, StepScope> =>
  Effect.flatMap(StepScope, (scope) => scope.addExitStatus(status))

/**
 * Raises the batch status of the step.
 *
 * @since 0.1.0
 * @category utils
 */
export const upgradeStatus = (status: BatchStatus): Effect.Effect<void, never, StepScope> =>
  Effect.flatMap(StepScope, (scope) => scope.upgradeStatus(status))

/**
 * Whether the step was asked to stop. A long tasklet checks it between two pieces of work.
 *
 * @since 0.1.0
 * @category utils
 */
export const stopRequested: Effect.Effect<boolean, never, StepScope> = Effect.flatMap(
  StepScope,
  (scope) => scope.stopRequested
)

/**
 * Ends the step as STOPPED after the chunk or tasklet call that is running; the job stops with it and can be
 * restarted.
 *
 * @since 0.1.0
 * @category utils
 */
export const requestStop: Effect.Effect<void, never, StepScope> = Effect.flatMap(
  StepScope,
  (scope) => scope.requestStop
)
