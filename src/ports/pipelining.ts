/**
 * Commands to a database as values, instead of effects that send them one by one.
 *
 * What a writer writes, the record of how far the step came and the commit can so travel together, in one round trip, as
 * in the pipeline mode of PostgreSQL. Only the database that a command is for understands it; for everybody else it is
 * opaque.
 */
import type * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import { globalValue } from "effect/GlobalValue"
import type { JobRepositoryError, OwnershipLost, TransactionError } from "../vocabulary/BatchError.js"
import type { BatchStatus } from "../vocabulary/BatchStatus.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"

/** Commands that belong together. */
export interface Pipelined<out A, out E> {
  readonly commands: ReadonlyArray<unknown>
  /** What the first row of the last answer means, if there is one. */
  readonly answer: (row: ReadonlyArray<string | null> | undefined) => Either.Either<A, E>
  /** What the error means with which the database refused one of them; it alone knows the type of that error. */
  readonly refused: (error: never) => E
  /** In the place of `refused`, when everything is undone, for who has to ask the database what exactly it refused. */
  readonly examine?: ((error: never, ask: never) => Effect.Effect<E>) | undefined
}

/** For which database something is: the same object for all who speak to it through the same client. */
interface Addressed {
  readonly database: object
}

/** A database that takes commands without waiting for the answer to the one before. */
export interface Pipeline extends Addressed {
  /** For transactions that follow each other. */
  readonly connect: () => PipelineConnection
}

/** `F`: how else it fails, when somebody stands between the caller and the database. */
export interface PipelineConnection<out F = never> {
  /** Whether a transaction is on its way, so that one which is begun now leaves at once and comes right behind it. */
  readonly isBusy: () => boolean
  /**
   * Runs all commands in a transaction of their own, in one round trip. A command that is refused undoes them all and
   * fails with its own error. When nobody can tell whether the transaction has committed, it fails with a
   * `TransactionError` of the phase `commit`, or is interrupted; in both cases the database is through with it.
   */
  readonly transact: <A, E>(
    first: ReadonlyArray<Pipelined<unknown, E>>,
    last: Pipelined<A, E>
  ) => Effect.Effect<A, E | F | TransactionError>
}

/** `ItemWriter.Sink.write`; of no certain database when there is nothing to write. */
export interface PipelinedWrite<in A, out E> extends Partial<Addressed> {
  readonly encode: (items: ReadonlyArray<A>) => Effect.Effect<Pipelined<unknown, E> | undefined, E>
}

/** `JobRepository.updateStepExecution`. */
export interface PipelinedSave extends Addressed {
  /** Refused also when the row is not the one that `before` was. */
  readonly encode: (
    execution: JobExecution,
    step: StepExecution,
    before: StepExecution
  ) => Effect.Effect<Pipelined<BatchStatus, OwnershipLost | JobRepositoryError>>
}

/*
 * The pipelined form of a function is known by the function itself. So whoever wraps `transact`, `write` or
 * `updateStepExecution`, to watch or to change what it does, is not passed by: the wrapper has no pipelined form, and the
 * step sends its statements one by one, through the wrapper. A step logs at DEBUG level why it is not pipelined.
 */

export const withPipeline = <F extends object>(transact: F, pipeline: Pipeline | undefined): F =>
  attach(pipelines, transact, pipeline)

export const pipelineOf = (transact: object): Pipeline | undefined => pipelines.get(transact)

type Write<A, E, R> = (items: ReadonlyArray<A>) => Effect.Effect<void, E, R>

export const withPipelinedWrite = <A, E, R>(
  write: Write<A, E, R>,
  pipelined: PipelinedWrite<A, E> | undefined
): Write<A, E, R> => attach(writes, write, pipelined)

// What is found was attached to this very function, so its types are those of the function.
export const pipelinedWriteOf = <A, E, R>(write: Write<A, E, R>): PipelinedWrite<A, E> | undefined =>
  writes.get(write) as PipelinedWrite<A, E> | undefined

export const withPipelinedSave = <F extends object>(save: F, pipelined: PipelinedSave): F =>
  attach(saves, save, pipelined)

export const pipelinedSaveOf = (save: object): PipelinedSave | undefined => saves.get(save)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const forms = <A>(name: string): WeakMap<object, A> =>
  globalValue(`effect-batch/pipelining/${name}`, () => new WeakMap<object, A>())

const pipelines = forms<Pipeline>("transact")
const writes = forms<PipelinedWrite<never, unknown>>("write")
const saves = forms<PipelinedSave>("saveStep")

const attach = <A, F extends object>(known: WeakMap<object, A>, f: F, form: A | undefined): F => {
  if (form !== undefined) {
    known.set(f, form)
  }
  return f
}
