/**
 * How a chunk step asks the policies about a failure.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { RetryRun } from "../../decisions/RetryPolicy.js"
import { SkipLimitExceeded } from "../../vocabulary/BatchError.js"
import { BatchEvent } from "../../vocabulary/BatchEvent.js"
import * as Counts from "../../vocabulary/Counts.js"
import { describeError, Fatal } from "../../vocabulary/failure.js"
import type { SkipPhase } from "../../vocabulary/SkippedItem.js"
import type { Item, UserServices } from "../step/engine.js"
import { tell } from "../step/hooks.js"
import { current } from "../step/state.js"
import type { Chunk, Skip } from "./chunk.js"
import type { ChunkEffect } from "./rejection.js"
import type { ChunkRun } from "./run.js"
import { showAwaiting } from "./run.js"

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
export const staysOpen = (run: ChunkRun, chunk: Chunk, error: unknown, scanning: boolean): boolean => {
  const { noRollback, retry } = run.state.definition.settings
  return chunk.noRollback !== "spent" && noRollback?.(error) === true && isSkippable(run, error) &&
    (scanning || retry?.matches(error) !== true)
}

/** Counts and reports one skip, or fails when it is one too many. The listeners hear of it when it becomes durable. */
export const skip = (run: ChunkRun, chunk: Chunk, skipped: Skip): ChunkEffect<void> => {
  const { env: { skipRun }, state } = run
  return Effect.flatMap(behindEarlierChunks(run, skipRun!.next(skipped.error)), (allowed) => {
    if (!allowed) {
      return Effect.fail(
        new Fatal(
          new SkipLimitExceeded({
            step: state.definition.name,
            limit: skipRun!.limit,
            skips: Counts.skips(current(state).counts),
            cause: skipped.error
          })
        )
      )
    }
    chunk.skips.push(skipped)
    showAwaiting(run, chunk)
    state.session.publish(BatchEvent.ItemSkipped({
      job: state.session.execution,
      step: current(state),
      phase: skipped.phase,
      message: describeError(skipped.error)
    }))
    return Effect.void
  })
}

/** The retries of one operation: one read, the processing of one item, one write. */
export interface Retries {
  run: RetryRun<unknown, UserServices> | undefined
  count: number
}

export const noRetries = (): Retries => ({ run: undefined, count: 0 })

/** What failed, and what it was about. */
export interface Operation {
  readonly phase: SkipPhase
  readonly items: ReadonlyArray<Item>
}

export const whileReading: Operation = { phase: "read", items: [] }

/** Asks the retry policy after a failure. The run of the policy is started at the first failure of an operation. */
export const mayRetry = (
  run: ChunkRun,
  retries: Retries,
  error: unknown,
  operation: Operation
): ChunkEffect<boolean> => {
  const { definition, hooks } = run.state
  const { retry: policy, retryLimit } = definition.settings
  const { retried } = run.env
  if (policy === undefined || error instanceof Fatal || !policy.matches(error)) {
    return Effect.succeed(false)
  }
  return behindEarlierChunks(
    run,
    Effect.gen(function*() {
      if (retried.times >= retryLimit) {
        return false
      }
      retries.run ??= yield* policy.start
      const again = yield* retries.run.next(error)
      if (again) {
        retried.times++
        run.state.telemetry.retried()
        retries.count++
        yield* tell(hooks.onRetry, error, { ...operation, attempt: retries.count })
      }
      return again
    })
  )
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** What a policy decides depends on all chunks in front. */
const behindEarlierChunks = <A>({ awaitEarlierChunks }: ChunkRun, asked: ChunkEffect<A>): ChunkEffect<A> =>
  awaitEarlierChunks === undefined ? asked : Effect.zipRight(awaitEarlierChunks, asked)
