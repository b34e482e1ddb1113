/**
 * Listeners: records of optional effects that the engine runs around jobs, steps, chunks and items.
 *
 * `before*` run in the order of registration, `after*` and `on*Error` in the reverse order, skip listeners in the
 * order of registration (LISTEN-1). A callback that is absent costs nothing.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { ExitStatus } from "./ExitStatus.js"
import type { JobExecution } from "./JobExecution.js"
import type { StepExecution } from "./StepExecution.js"

/**
 * Callbacks around a job (LIFE-4, LIFE-12).
 *
 * - `beforeJob` failing fails the job; no step runs.
 * - `afterJob` always runs. It may give an exit status to combine with that of the job. Its failure is logged.
 *
 * @since 0.1.0
 * @category models
 */
export interface JobListener<out E = never, out R = never> {
  readonly beforeJob?: ((execution: JobExecution) => Effect.Effect<void, E, R>) | undefined
  readonly afterJob?: ((execution: JobExecution) => Effect.Effect<ExitStatus | void, E, R>) | undefined
}

/**
 * Callbacks around a step, its chunks and its items. A failure fails the step, except in `afterStep` when the step
 * says `onListenerFailure: "log"` (LISTEN-4, STEP-15).
 *
 * @since 0.1.0
 * @category models
 */
export interface StepListener<in In = unknown, in Out = unknown, out E = never, out R = never> {
  /** Before the reader, processor and writer are opened. */
  readonly beforeStep?: ((step: StepExecution) => Effect.Effect<void, E, R>) | undefined
  /** Always runs; may give an exit status to combine with that of the step (STEP-14). */
  readonly afterStep?: ((step: StepExecution) => Effect.Effect<ExitStatus | void, E, R>) | undefined
  /** With the items of a chunk, before they are processed; before each call of a tasklet, with none. */
  readonly beforeChunk?: ((items: ReadonlyArray<In>) => Effect.Effect<void, E, R>) | undefined
  /** Inside the transaction, after the write. */
  readonly beforeCommit?: ((outputs: ReadonlyArray<Out>) => Effect.Effect<void, E, R>) | undefined
  /** After the commit. */
  readonly afterChunk?: ((outputs: ReadonlyArray<Out>) => Effect.Effect<void, E, R>) | undefined
  /** After the rollback of a chunk that fails the step. */
  readonly afterChunkError?: ((error: unknown) => Effect.Effect<void, E, R>) | undefined
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
  /** After the rollback. */
  readonly onWriteError?: ((error: unknown, outputs: ReadonlyArray<Out>) => Effect.Effect<void, E, R>) | undefined
  /** Exactly once per durable skip, in the transaction that makes it durable (D8); so are the next two. */
  readonly onSkipInRead?: ((error: unknown) => Effect.Effect<void, E, R>) | undefined
  readonly onSkipInProcess?: ((item: In, error: unknown) => Effect.Effect<void, E, R>) | undefined
  readonly onSkipInWrite?: ((item: Out, error: unknown) => Effect.Effect<void, E, R>) | undefined
  /** Before a failed read, process or write is tried again; `attempt` counts the retries from 1. */
  readonly onRetry?: ((error: unknown, attempt: number) => Effect.Effect<void, E, R>) | undefined
}
