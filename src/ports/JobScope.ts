/**
 * The ambient job: what a step, a decider or a listener may ask about the job execution that it runs in, and the
 * job's execution context, through which steps hand data to later steps.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { UnreadableContextKey } from "../vocabulary/BatchError.js"
import type { Key } from "../vocabulary/ExecutionContext.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"

/**
 * Provided by the engine while a job runs; a job discharges it.
 *
 * @see SCOPE-1
 * @since 0.1.0
 * @category services
 */
export class JobScope extends Context.Tag("effect-batch/JobScope")<JobScope, {
  /** The execution as it is now. */
  readonly execution: Effect.Effect<JobExecution>
  readonly get: <A>(key: Key<A>) => Effect.Effect<Option.Option<A>, UnreadableContextKey>
  /** Inside a step the change becomes visible to others, and durable, with the step's next commit. */
  readonly set: <A>(key: Key<A>, value: A) => Effect.Effect<void, UnreadableContextKey>
  /** Changes a value by what it is when the change becomes durable: nothing that others do in between is lost. */
  readonly update: <A>(key: Key<A>, f: (current: Option.Option<A>) => A) => Effect.Effect<void, UnreadableContextKey>
  readonly remove: <A>(key: Key<A>) => Effect.Effect<void>
}>() {}

/**
 * The job execution as it is now.
 *
 * @since 0.1.0
 * @category utils
 */
export const execution: Effect.Effect<JobExecution, never, JobScope> = Effect.flatMap(
  JobScope,
  (scope) => scope.execution
)

/**
 * Reads a value of the job's execution context. Fails with `UnreadableContextKey` when the stored value does not
 * fit the key's schema.
 *
 * @since 0.1.0
 * @category utils
 */
export const get = <A>(key: Key<A>): Effect.Effect<Option.Option<A>, UnreadableContextKey, JobScope> =>
  Effect.flatMap(JobScope, (scope) => scope.get(key))

/**
 * Writes a value of the job's execution context. Inside a step it is stored with the step's next commit, and forgotten
 * when that transaction rolls back.
 *
 * @see CTX-9
 * @since 0.1.0
 * @category utils
 */
export const set = <A>(key: Key<A>, value: A): Effect.Effect<void, UnreadableContextKey, JobScope> =>
  Effect.flatMap(JobScope, (scope) => scope.set(key, value))

/**
 * Changes a value of the job's execution context by what it is now: atomic, also between branches of a split.
 *
 * Branches that run side by side see only what the others have committed, so `get` and then `set` may lose what another one
 * did in between; this does not. Inside a step the function may be called more than once: it must do nothing else.
 *
 * @see OWN-7
 * @since 0.1.0
 * @category utils
 */
export const update = <A>(
  key: Key<A>,
  f: (current: Option.Option<A>) => A
): Effect.Effect<void, UnreadableContextKey, JobScope> => Effect.flatMap(JobScope, (scope) => scope.update(key, f))

/**
 * Removes a key from the job's execution context.
 *
 * @since 0.1.0
 * @category utils
 */
export const remove = <A>(key: Key<A>): Effect.Effect<void, never, JobScope> =>
  Effect.flatMap(JobScope, (scope) => scope.remove(key))
