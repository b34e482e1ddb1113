/**
 * Why a transaction of a chunk came to nothing although its write was not refused.
 */
import * as Cause from "effect/Cause"
import * as Option from "effect/Option"
import { describe, unwrap } from "../../vocabulary/failure.js"
import type { Engine, EngineFailure } from "../step/engine.js"

/**
 * The read or the processing of one item failed. When that is repaired (a retry is due, or the item is skipped) the
 * transaction runs once more, otherwise the step fails.
 */
export class Repairable {
  readonly _tag = "Repairable"
  constructor(readonly error: EngineFailure | string, readonly repair: ChunkEffect<unknown>) {}
}

/**
 * It was sent behind one that did not become what was hoped for, so that this one says nothing about its own chunk. When
 * the chunk in front is durable all the same, the transaction is sent again.
 */
export class Superseded {
  readonly _tag = "Superseded"
  constructor(readonly isFrontDurable: boolean) {}
}

/** The connection was lost before its commit, or there was none: nothing of it has happened. */
export class Unreached {
  readonly _tag = "Unreached"
  constructor(readonly cause: Cause.Cause<ChunkFailure>) {}
}

export type Rejection = Repairable | Superseded | Unreached

/** Why something inside a chunk failed. */
export type ChunkFailure = EngineFailure | Rejection

export type ChunkEffect<A> = Engine<A, ChunkFailure>

export const isSuperseded = (cause: Cause.Cause<unknown>): boolean =>
  Option.exists(Cause.failureOption(cause), (error) => error instanceof Superseded)

/** One line for events, as the people outside know the error. */
export const describeCause = (cause: Cause.Cause<unknown>): string =>
  describe(unwrap(Cause.map(cause, (error) => error instanceof Repairable ? error.error : error)))
