/**
 * The listeners of a step, compiled once: one function per callback, or none when nobody listens.
 *
 * A listener that fails, fails the step (LISTEN-4, FT6-10): its failure says nothing about a record, so no policy may
 * skip or retry it, or a broken listener would quietly throw away good records.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { StepListener } from "../../definition/Listener.js"
import type { StepSettings } from "../../definition/tree.js"
import { errorOf, Fatal, unwrap } from "../../vocabulary/failure.js"
import type { Engine, EngineFailure } from "./engine.js"

/** No callback has more than two arguments. */
type Callback = (first?: unknown, second?: unknown) => Engine<unknown>
type Name = Exclude<keyof StepListener, "afterStep">

/** `afterStep` is not here: each of its calls sees the result of the one before (STEP-14). */
export type Hooks = { readonly [K in Name]: Callback | undefined }

type Listeners = StepSettings["listeners"]

/** `before*` and skip callbacks in the order of registration, all others in reverse order (LISTEN-1). */
export const compile = (listeners: Listeners): Hooks => {
  const inOrder = (name: Name): Callback | undefined => sequence(listeners, name)
  const reversed = (name: Name): Callback | undefined => sequence([...listeners].reverse(), name)
  return {
    beforeStep: inOrder("beforeStep"),
    beforeChunk: inOrder("beforeChunk"),
    beforeCommit: inOrder("beforeCommit"),
    afterChunk: reversed("afterChunk"),
    afterChunkError: reversed("afterChunkError"),
    beforeRead: inOrder("beforeRead"),
    afterRead: reversed("afterRead"),
    onReadError: reversed("onReadError"),
    beforeProcess: inOrder("beforeProcess"),
    afterProcess: reversed("afterProcess"),
    onProcessError: reversed("onProcessError"),
    beforeWrite: inOrder("beforeWrite"),
    afterWrite: reversed("afterWrite"),
    onWriteError: reversed("onWriteError"),
    onSkipInRead: inOrder("onSkipInRead"),
    onSkipInProcess: inOrder("onSkipInProcess"),
    onSkipInWrite: inOrder("onSkipInWrite"),
    onRetry: inOrder("onRetry"),
    onPartitionBegun: inOrder("onPartitionBegun"),
    onPartitionEnded: reversed("onPartitionEnded"),
    onPartitionFailed: reversed("onPartitionFailed")
  }
}

/** Whether the effect is a value already, so that nothing needs to run. */
export const isDone = (effect: Effect.Effect<unknown, unknown, unknown>): boolean =>
  effect === Effect.void || (Exit.isExit(effect) && Exit.isSuccess(effect))

/** What listeners have to do; nothing when nobody listens. */
export const tell = (callback: Callback | undefined, first?: unknown, second?: unknown): Engine<unknown> =>
  callback === undefined ? Effect.void : callback(first, second)

/** Tells listeners before the effect; it is the effect itself when nobody listens. */
export const tellBefore = <A, E, R>(
  callback: Callback | undefined,
  effect: Effect.Effect<A, E, R>,
  first?: unknown,
  second?: unknown
) => callback === undefined ? effect : Effect.zipRight(callback(first, second), effect)

/**
 * After the rollback that fails the step. An interruption is no failure; a listener that fails as well does not hide
 * what happened first.
 */
export const chunkFailed = <E>(hooks: Hooks, cause: Cause.Cause<E>): Engine<never, E | EngineFailure> => {
  const { afterChunkError } = hooks
  const error = errorOf(unwrap(cause))
  const asBefore: Effect.Effect<never, E | EngineFailure> = Effect.failCause(cause)
  return afterChunkError === undefined || Option.isNone(error) ? asBefore : Effect.matchCauseEffect(
    Effect.suspend(() => afterChunkError(error.value)),
    {
      onSuccess: () => asBefore,
      onFailure: (failed) => Effect.failCause(Cause.sequential(cause as Cause.Cause<E | EngineFailure>, failed))
    }
  )
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const sequence = (listeners: Listeners, name: Name): Callback | undefined => {
  const callbacks = listeners.flatMap((listener) => {
    const callback = listener[name] as Callback | undefined
    return callback === undefined ? [] : [callback]
  })
  const [only] = callbacks
  return callbacks.length < 2 ? only && failingFatally(only) : (first, second) => runFrom(callbacks, 0, first, second)
}

/** Item callbacks run per item, so an effect that is a value already stays one. */
const failingFatally = (callback: Callback): Callback => (first, second) => {
  const effect = callback(first, second)
  return isDone(effect) ? effect : Effect.mapError(effect, fatal)
}

const runFrom = (
  callbacks: ReadonlyArray<Callback>,
  from: number,
  first: unknown,
  second: unknown
): Engine<unknown> => {
  for (let i = from; i < callbacks.length; i++) {
    const effect = callbacks[i]!(first, second)
    if (!isDone(effect)) {
      return Effect.flatMap(Effect.mapError(effect, fatal), () => runFrom(callbacks, i + 1, first, second))
    }
  }
  return Effect.void
}

const fatal = (error: unknown): Fatal => new Fatal(error)
