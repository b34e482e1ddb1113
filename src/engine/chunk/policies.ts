/**
 * How a chunk step asks the policies about a failure.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { SkipLimitExceeded } from "../../vocabulary/BatchError.js"
import { BatchEvent } from "../../vocabulary/BatchEvent.js"
import * as Counts from "../../vocabulary/Counts.js"
import { describeError, Fatal } from "../../vocabulary/failure.js"
import type { SkipPhase } from "../../vocabulary/SkippedItem.js"
import type { Item } from "../step/engine.js"
import { tell } from "../step/hooks.js"
import { current } from "../step/state.js"
import type { Skip } from "./chunk.js"
import * as Chunk from "./chunk.js"
import { failAt, placeOf } from "./itemPlace.js"
import type { ChunkEffect } from "./rejection.js"
import type { Retries } from "./retries.js"
import type { ChunkRun } from "./run.js"
import { change, showAwaiting } from "./run.js"

/**
 * The failure that policies are asked about. A cause that holds a defect, or only an interruption, has none: it goes on
 * as it is (LIFE-14).
 */
export const policyFailure = <E>(cause: Cause.Cause<E>): Either.Either<E, Cause.Cause<never>> =>
  Option.isSome(Cause.dieOption(cause))
    ? Either.left(cause as Cause.Cause<never>)
    : Either.flip(Cause.failureOrCause(cause))

/** Whether errors of this kind may be skipped at all. */
export const isSkippable = ({ state }: ChunkRun, error: unknown): boolean =>
  !(error instanceof Fatal) && state.definition.settings.skip?.matches(error) === true

/** Whether the transaction may go on after this error (TXO-1). What is retried first, is rolled back first. */
export const staysOpen = (run: ChunkRun, error: unknown, scanning: boolean): boolean => {
  const { noRollback, retry } = run.state.definition.settings
  return run.chunk.noRollback !== "spent" && noRollback?.(error) === true && isSkippable(run, error) &&
    (scanning || retry?.matches(error) !== true)
}

/** Counts and reports one skip, or fails when it is one too many. The listeners hear of it when it becomes durable. */
export const skip = (run: ChunkRun, skipped: Skip): ChunkEffect<void> => {
  const { env: { skipRun }, state } = run
  return Effect.flatMap(behindEarlierChunks(run, skipRun!.next(skipped.error)), (allowed) => {
    if (!allowed) {
      const exceeded = new SkipLimitExceeded({
        step: state.definition.name,
        limit: skipRun!.limit,
        skips: Counts.skips(current(state).counts),
        cause: skipped.error
      })
      return failAt(run, Cause.fail(new Fatal(exceeded)), skipped)
    }
    change(run, Chunk.addSkip, skipped)
    showAwaiting(run)
    state.session.publish(BatchEvent.ItemSkipped({
      job: state.session.execution,
      step: current(state),
      phase: skipped.phase,
      place: placeOf(run, skipped),
      message: describeError(skipped.error)
    }))
    return Effect.void
  })
}

/** What failed, and what it was about. */
export interface Operation {
  readonly phase: SkipPhase
  readonly items: ReadonlyArray<Item>
}

export const whileReading: Operation = { phase: "read", items: [] }

/** Whether the operation is to be tried again, and its retries with the one that was asked for. */
export interface Retry {
  readonly again: boolean
  readonly retries: Retries
}

/** Asks the retry policy after a failure. The run of the policy is started at the first failure of an operation. */
export const mayRetry = (
  run: ChunkRun,
  retries: Retries,
  error: unknown,
  operation: Operation
): ChunkEffect<Retry> => {
  const { definition, hooks } = run.state
  const { retry: policy, retryLimit } = definition.settings
  const { retried } = run.env
  if (policy === undefined || error instanceof Fatal || !policy.matches(error)) {
    return Effect.succeed({ again: false, retries })
  }
  return behindEarlierChunks(
    run,
    Effect.gen(function*() {
      if (retried.times >= retryLimit) {
        return { again: false, retries }
      }
      const asked = retries.run ?? (yield* policy.start)
      if (!(yield* asked.next(error))) {
        return { again: false, retries: { run: asked, count: retries.count } }
      }
      retried.times++
      run.state.telemetry.retried()
      const count = retries.count + 1
      yield* tell(hooks.onRetry, error, { ...operation, attempt: count })
      return { again: true, retries: { run: asked, count } }
    })
  )
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** What a policy decides depends on all chunks in front. */
const behindEarlierChunks = <A>({ awaitEarlierChunks }: ChunkRun, asked: ChunkEffect<A>): ChunkEffect<A> =>
  awaitEarlierChunks === undefined ? asked : Effect.zipRight(awaitEarlierChunks, asked)
