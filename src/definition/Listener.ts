/**
 * Listeners: records of optional effects that the engine runs around jobs, steps, chunks and items.
 *
 * `before*` run in the order of registration, `after*` and `on*Error` in the reverse order, skip listeners in the order
 * of registration. A callback that is absent costs nothing.
 *
 * Listeners combine: two of them are one listener, and registering that one is the same as registering both.
 *
 * @see LISTEN-1
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import type * as Option from "effect/Option"
import * as Monoid from "../base/monoid.js"
import * as ExitStatus_ from "../vocabulary/ExitStatus.js"
import type { ExitStatus } from "../vocabulary/ExitStatus.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import type { SkipPhase } from "../vocabulary/SkippedItem.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"

/**
 * Callbacks around a job.
 *
 * - `beforeJob` failing fails the job; no step runs.
 * - `afterJob` always runs. It may return an exit status to combine with that of the job. Its failure is logged.
 *
 * @see LIFE-4, LIFE-12
 * @since 0.1.0
 * @category models
 */
export interface JobListener<out E = never, out R = never> {
  readonly beforeJob?: ((execution: JobExecution) => Effect.Effect<void, E, R>) | undefined
  readonly afterJob?: ((execution: JobExecution) => Effect.Effect<ExitStatus | void, E, R>) | undefined
}

/**
 * Callbacks around a step, its chunks and its items.
 *
 * A failure fails the step, and no policy skips or retries it: it says nothing about a record. Only that of `afterStep`
 * is logged instead when the step says `onListenerFailure: "log"`.
 *
 * @see LISTEN-4, FT6-10, STEP-15
 * @since 0.1.0
 * @category models
 */
export interface StepListener<in In = unknown, in Out = unknown, out E = never, out R = never> {
  /** Before the reader, processor and writer are opened. */
  readonly beforeStep?: ((step: StepExecution) => Effect.Effect<void, E, R>) | undefined
  /**
   * Always runs; may return an exit status to combine with that of the step.
   *
   * @see STEP-14
   */
  readonly afterStep?: ((step: StepExecution) => Effect.Effect<ExitStatus | void, E, R>) | undefined
  /** With the items of a chunk, before they are processed; before each call of a tasklet, with none. */
  readonly beforeChunk?: ((items: ReadonlyArray<In>) => Effect.Effect<void, E, R>) | undefined
  /** Inside the transaction, after the write; without outputs when there are none. */
  readonly beforeCommit?: ((outputs: ReadonlyArray<Out>) => Effect.Effect<void, E, R>) | undefined
  /** After the commit of the whole chunk, with all outputs that were written. */
  readonly afterChunk?: ((outputs: ReadonlyArray<Out>) => Effect.Effect<void, E, R>) | undefined
  /** After the rollback of the chunk, or call of a tasklet, that fails the step; with its error, or its defect. */
  readonly afterChunkError?: ((error: unknown) => Effect.Effect<void, E, R>) | undefined
  /** Before each read. A step that listens to it reads one record at a time. */
  readonly beforeRead?: (() => Effect.Effect<void, E, R>) | undefined
  readonly afterRead?: ((item: In) => Effect.Effect<void, E, R>) | undefined
  readonly onReadError?: ((error: unknown) => Effect.Effect<void, E, R>) | undefined
  readonly beforeProcess?: ((item: In) => Effect.Effect<void, E, R>) | undefined
  /** With none when the item was filtered out. */
  readonly afterProcess?: ((item: In, output: Option.Option<Out>) => Effect.Effect<void, E, R>) | undefined
  readonly onProcessError?: ((item: In, error: unknown) => Effect.Effect<void, E, R>) | undefined
  /** Inside the transaction. */
  readonly beforeWrite?: ((outputs: ReadonlyArray<Out>) => Effect.Effect<void, E, R>) | undefined
  /** Inside the transaction. */
  readonly afterWrite?: ((outputs: ReadonlyArray<Out>) => Effect.Effect<void, E, R>) | undefined
  /**
   * After the rollback, when the retries of a chunk are exhausted. While its bad records are searched, only when one of
   * them may not be skipped.
   */
  readonly onWriteError?: ((error: unknown, outputs: ReadonlyArray<Out>) => Effect.Effect<void, E, R>) | undefined
  /** Exactly once per durable skip, in the transaction that makes it durable; so are the next two. */
  readonly onSkipInRead?: ((error: unknown) => Effect.Effect<void, E, R>) | undefined
  readonly onSkipInProcess?: ((item: In, error: unknown) => Effect.Effect<void, E, R>) | undefined
  readonly onSkipInWrite?: ((item: Out, error: unknown) => Effect.Effect<void, E, R>) | undefined
  /** Before a failed read, process or write is tried again. */
  readonly onRetry?: ((error: unknown, retry: Retry) => Effect.Effect<void, E, R>) | undefined
  /**
   * In the process of the job, when it has seen that a partition began, in whichever process: within `PartitionWorker.Poll`, so
   * it may have ended by then. Once for each execution of a partition, one that takes over from a dead process included. When the
   * process of the job dies, its restart tells of what happened since, and of what was told last perhaps once more; of what this
   * callback failed at it does not.
   */
  readonly onPartitionBegun?: ((partition: PartitionRun) => Effect.Effect<void, E, R>) | undefined
  /** As `onPartitionBegun`, when one ended, whatever its status. */
  readonly onPartitionEnded?: ((partition: PartitionRun) => Effect.Effect<void, E, R>) | undefined
  /** Before that, when it failed. */
  readonly onPartitionFailed?: ((partition: PartitionRun) => Effect.Effect<void, E, R>) | undefined
}

/**
 * An execution of a partition, by the name that the plan gives it.
 *
 * @see PART-12
 * @since 0.1.0
 * @category models
 */
export interface PartitionRun {
  readonly name: string
  readonly execution: JobExecution
}

/**
 * What is about to be tried again.
 *
 * - `phase`: `read`, `process` or `write`.
 * - `items`: the item that is processed, the outputs that are written together; none while reading.
 * - `attempt`: the retries of this very operation, from 1.
 *
 * @see OWN-28
 * @since 0.1.0
 * @category models
 */
export interface Retry {
  readonly phase: SkipPhase
  readonly items: ReadonlyArray<unknown>
  readonly attempt: number
}

/**
 * A job listener whose error and service types are read off its callbacks. A name that is not a callback does not
 * compile.
 *
 * @example
 * ```ts
 * import { Listener } from "effect-batch"
 * import { Effect } from "effect"
 *
 * const announce = Listener.job({
 *   beforeJob: (execution) => Effect.log(`${execution.instance.jobName} begins`),
 *   afterJob: (execution) => Effect.log(`${execution.instance.jobName} is ${execution.status}`)
 * })
 *
 * assert.deepStrictEqual(Object.keys(announce), ["beforeJob", "afterJob"])
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const job = <L extends JobListener<unknown, unknown>>(
  listener: L & NoOther<L, keyof JobListener>
): L extends JobListener<infer E, infer R> ? JobListener<E, R> : never => listener as any

/**
 * A step listener whose item, error and service types are read off its callbacks. A name that is not a callback does
 * not compile.
 *
 * @example
 * ```ts
 * import { Listener } from "effect-batch"
 * import { Effect } from "effect"
 *
 * interface Payment {
 *   readonly id: number
 * }
 *
 * const audit = Listener.step({
 *   onSkipInProcess: (payment: Payment, error) => Effect.logWarning(`payment ${payment.id} skipped`, error)
 * })
 *
 * assert.deepStrictEqual(Object.keys(audit), ["onSkipInProcess"])
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const step = <L extends StepListener<never, never, unknown, unknown>>(
  listener: L & NoOther<L, keyof StepListener>
): L extends StepListener<infer In, infer Out, infer E, infer R> ? StepListener<In, Out, E, R> : never =>
  listener as any

/**
 * The job listener that does nothing: the identity of `combineJob`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const emptyJob: JobListener = {}

/**
 * The step listener that does nothing: the identity of `combineStep`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const emptyStep: StepListener = {}

/**
 * Two job listeners as one: `beforeJob` of `self` runs first, then that of `that`; `afterJob` the other way round. The
 * second `afterJob` sees the exit status of the first one. When a callback fails, those after it are not
 * called. Associative.
 *
 * @see LISTEN-1
 * @since 0.1.0
 * @category combinators
 */
export const combineJob: {
  <E2, R2>(that: JobListener<E2, R2>): <E, R>(self: JobListener<E, R>) => JobListener<E | E2, R | R2>
  <E, R, E2, R2>(self: JobListener<E, R>, that: JobListener<E2, R2>): JobListener<E | E2, R | R2>
} = dual(
  2,
  <E, R, E2, R2>(self: JobListener<E, R>, that: JobListener<E2, R2>): JobListener<E | E2, R | R2> => ({
    ...present("beforeJob", inOrder(self.beforeJob, that.beforeJob)),
    ...present("afterJob", accumulate(that.afterJob, self.afterJob))
  })
)

/**
 * Two step listeners as one: `before*`, skip and retry callbacks of `self` run first, then those of `that`; `after*`
 * and `on*Error` the other way round. The second `afterStep` sees the exit status of the first one. When a
 * callback fails, those after it are not called. A callback that neither has stays absent. Associative.
 *
 * @example
 * ```ts
 * import { Listener } from "effect-batch"
 * import { Effect } from "effect"
 *
 * const calls: Array<string> = []
 * const named = (name: string) =>
 *   Listener.step({
 *     beforeChunk: () => Effect.sync(() => calls.push(`before ${name}`)),
 *     afterChunk: () => Effect.sync(() => calls.push(`after ${name}`))
 *   })
 *
 * const both = Listener.combineStep(named("a"), named("b"))
 * Effect.runSync(Effect.zipRight(both.beforeChunk!([]), both.afterChunk!([])))
 *
 * assert.deepStrictEqual(calls, ["before a", "before b", "after b", "after a"])
 * ```
 *
 * @see LISTEN-1, STEP-14
 * @since 0.1.0
 * @category combinators
 */
export const combineStep: {
  <In2, Out2, E2, R2>(that: StepListener<In2, Out2, E2, R2>): <In, Out, E, R>(
    self: StepListener<In, Out, E, R>
  ) => StepListener<In & In2, Out & Out2, E | E2, R | R2>
  <In, Out, E, R, In2, Out2, E2, R2>(
    self: StepListener<In, Out, E, R>,
    that: StepListener<In2, Out2, E2, R2>
  ): StepListener<In & In2, Out & Out2, E | E2, R | R2>
} = dual(2, (self: AnyStepListener, that: AnyStepListener): AnyStepListener => {
  const out: Record<string, Callback> = present("afterStep", accumulate(that.afterStep, self.afterStep))
  for (const [name, order] of PLAIN) {
    const [first, second] = order === "forward" ? [self, that] : [that, self]
    Object.assign(out, present(name, inOrder(first[name], second[name])))
  }
  return out
})

/**
 * All these job listeners as one, in the order of registration.
 *
 * @since 0.1.0
 * @category combinators
 */
export const combineAllJob = <E = never, R = never>(listeners: Iterable<JobListener<E, R>>): JobListener<E, R> =>
  Monoid.combineAll<JobListener<E, R>>(combineJob, emptyJob)(listeners)

/**
 * All these step listeners as one, in the order of registration.
 *
 * @since 0.1.0
 * @category combinators
 */
export const combineAllStep = <In = unknown, Out = unknown, E = never, R = never>(
  listeners: Iterable<StepListener<In, Out, E, R>>
): StepListener<In, Out, E, R> => Monoid.combineAll<StepListener<In, Out, E, R>>(combineStep, emptyStep)(listeners)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type NoOther<L, Names> = { readonly [K in Exclude<keyof L, Names>]: never }

type AnyStepListener = StepListener<any, any, any, any>
type Callback = (...args: ReadonlyArray<any>) => Effect.Effect<any, any, any>

/** A record, so that the compiler asks for the place of every new callback. */
const ORDER: { readonly [K in Exclude<keyof StepListener, "afterStep">]-?: "forward" | "reverse" } = {
  beforeStep: "forward",
  beforeChunk: "forward",
  beforeCommit: "forward",
  afterChunk: "reverse",
  afterChunkError: "reverse",
  beforeRead: "forward",
  afterRead: "reverse",
  onReadError: "reverse",
  beforeProcess: "forward",
  afterProcess: "reverse",
  onProcessError: "reverse",
  beforeWrite: "forward",
  afterWrite: "reverse",
  onWriteError: "reverse",
  onSkipInRead: "forward",
  onSkipInProcess: "forward",
  onSkipInWrite: "forward",
  onRetry: "forward",
  onPartitionBegun: "forward",
  onPartitionEnded: "reverse",
  onPartitionFailed: "reverse"
}

const PLAIN = Object.entries(ORDER) as unknown as ReadonlyArray<
  readonly [Exclude<keyof StepListener, "afterStep">, "forward" | "reverse"]
>

const present = <C>(name: string, callback: C | undefined): Record<string, C> =>
  callback === undefined ? {} : { [name]: callback }

/** Item callbacks run per item, so an effect that is a value already is not wrapped in another one. */
const inOrder = (first: Callback | undefined, second: Callback | undefined): Callback | undefined => {
  if (first === undefined || second === undefined) {
    return first ?? second
  }
  return (...args) => {
    const effect = first(...args)
    return Exit.isExit(effect) && Exit.isSuccess(effect)
      ? second(...args)
      : Effect.flatMap(effect, () => second(...args))
  }
}

type After<X, E, R> = (execution: X) => Effect.Effect<ExitStatus | void, E, R>

const accumulate = <X extends { readonly exitStatus: ExitStatus }, E, R, E2, R2>(
  first: After<X, E, R> | undefined,
  second: After<X, E2, R2> | undefined
): After<X, E | E2, R | R2> | undefined => {
  if (first === undefined || second === undefined) {
    return first ?? second
  }
  return (execution) =>
    Effect.flatMap(first(execution), (given) =>
      given === undefined ? second(execution) : Effect.map(
        second({ ...execution, exitStatus: ExitStatus_.and(execution.exitStatus, given) }),
        (more) => more === undefined ? given : ExitStatus_.and(given, more)
      ))
}
