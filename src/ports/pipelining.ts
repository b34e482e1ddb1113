/**
 * Commands to a database as values, instead of effects that send them one by one.
 *
 * What a writer writes, the record of how far the step came and the commit can so travel together, in one round trip.
 * Only the database that a command is for understands it; for everybody else it is opaque.
 */
import type * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import { globalValue } from "effect/GlobalValue"
import type { JobRepositoryError, OwnershipLost, TransactionError } from "../vocabulary/BatchError.js"
import type { BatchStatus } from "../vocabulary/BatchStatus.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import type { StepExecution } from "../vocabulary/StepExecution.js"

/** Commands that belong together. */
export interface Sealed<out A, out E> {
  readonly commands: ReadonlyArray<unknown>
  /** What the first row of the last answer means, if there is one. */
  readonly answer: (row: ReadonlyArray<string | null> | undefined) => Either.Either<A, E>
  /** What the error means with which one of them was refused. */
  readonly refused: (error: any) => E
}

/** For which database something is: the same object for all who speak to it through the same client. */
interface Addressed {
  readonly database: object
}

/** Who can run sealed commands. */
export interface Port extends Addressed {
  /** A place for transactions that follow each other. */
  readonly lane: () => Lane
}

export interface Lane {
  /** Whether a transaction is on its way, so that one which is begun now leaves at once and comes right behind it. */
  readonly isBusy: () => boolean
  /**
   * Runs all commands in a transaction of their own, in one round trip. A command that is refused undoes them all and
   * fails with its own error. When nobody can tell whether the transaction has committed, it fails with a
   * `TransactionError` of the phase `commit`, or is interrupted; in both cases the database is through with it.
   */
  readonly transact: <A, E>(parts: ReadonlyArray<Sealed<A, E>>) => Effect.Effect<A, E | TransactionError>
}

/** `ItemWriter.Sink.write`; of no certain database when there is nothing to write. */
export interface Write extends Partial<Addressed> {
  readonly seal: (items: ReadonlyArray<any>) => Effect.Effect<Sealed<unknown, any> | undefined, any>
}

/** `JobRepository.updateStepExecution`. */
export interface SaveStep extends Addressed {
  /** Refused also when the row is not the one that `before` was. */
  readonly seal: (
    execution: JobExecution,
    step: StepExecution,
    before: StepExecution
  ) => Effect.Effect<Sealed<BatchStatus, OwnershipLost | JobRepositoryError>>
}

/*
 * The sealed form of a function is known by the function itself: whoever wraps the function, to watch or to change what
 * it does, is not passed by, as the wrapper has no sealed form.
 */

export const transacts = <F extends object>(transact: F, port: Port | undefined): F => attach(ports, transact, port)

export const portOf = (transact: object): Port | undefined => ports.get(transact)

export const writes = <F extends object>(write: F, sealed: Write | undefined): F => attach(writers, write, sealed)

export const writeOf = (write: object): Write | undefined => writers.get(write)

export const savesStep = <F extends object>(save: F, sealed: SaveStep): F => attach(savers, save, sealed)

export const saveStepOf = (save: object): SaveStep | undefined => savers.get(save)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const forms = <A>(name: string): WeakMap<object, A> =>
  globalValue(`effect-batch/sealed/${name}`, () => new WeakMap<object, A>())

const ports = forms<Port>("transact")
const writers = forms<Write>("write")
const savers = forms<SaveStep>("saveStep")

const attach = <A, F extends object>(known: WeakMap<object, A>, f: F, form: A | undefined): F => {
  if (form !== undefined) {
    known.set(f, form)
  }
  return f
}
