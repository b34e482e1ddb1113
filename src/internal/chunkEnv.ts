/**
 * What the parts of a chunk step share: the opened reader, processor and writer, and where the step has come to.
 */
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import { SkipLimitExceeded } from "../BatchError.js"
import { BatchEvent } from "../BatchEvent.js"
import * as Counts from "../Counts.js"
import type { Process } from "../ItemProcessor.js"
import type { Position, Source } from "../ItemReader.js"
import type { Sink } from "../ItemWriter.js"
import type { RetryRun } from "../RetryPolicy.js"
import type { SkipPhase } from "../SkippedItem.js"
import type { SkipRun } from "../SkipPolicy.js"
import type { AnyEffect, ChunkBody } from "./definition.js"
import { describeError, Fatal } from "./failure.js"
import type { Json } from "./json.js"
import type { StepState } from "./stepState.js"
import { count, current } from "./stepState.js"

/** A record that was skipped and is not yet durable. */
export interface Skip {
  readonly phase: SkipPhase
  /** The input in processing, the output in writing, nothing in reading. */
  readonly item: Option.Option<unknown>
  readonly error: unknown
}

export interface ChunkEnv {
  readonly state: StepState
  readonly body: ChunkBody
  readonly source: Source<any, any, any>
  readonly process: Process<any, any, any, any> | undefined
  readonly sink: Sink<any, any, any>
  readonly skipRun: SkipRun<any, any> | undefined
  /** Behind the last committed chunk; none at the beginning. */
  position: Option.Option<Position>
  writerState: Option.Option<Json>
  done: boolean
}

/** The items of one chunk, before they are processed. */
export interface Chunk {
  readonly items: ReadonlyArray<any>
  /** Behind the last record that was read for the chunk. */
  readonly position: Position
  readonly done: boolean
  readonly skips: Array<Skip>
}

/** Whether errors of this kind may be skipped at all. */
export const isSkippable = (env: ChunkEnv, error: unknown): boolean =>
  !(error instanceof Fatal) && env.state.definition.settings.skip?.matches(error) === true

/** Counts and reports one skip, or fails when it is one too many. The listeners hear of it when it becomes durable. */
export const skip = (env: ChunkEnv, chunk: { readonly skips: Array<Skip> }, skipped: Skip): AnyEffect =>
  Effect.flatMap(env.skipRun!.next(skipped.error), (allowed) => {
    const { state } = env
    if (!allowed) {
      return Effect.fail(
        new Fatal(
          new SkipLimitExceeded({
            step: state.definition.name,
            limit: env.skipRun!.limit,
            skips: Counts.skips(current(state).counts),
            cause: skipped.error
          })
        )
      )
    }
    chunk.skips.push(skipped)
    count(state, { [`${skipped.phase}Skip`]: 1 })
    state.session.publish(BatchEvent.ItemSkipped({
      job: state.session.execution,
      step: current(state),
      phase: skipped.phase,
      message: describeError(skipped.error)
    }))
    return Effect.void
  })

/**
 * Asks the retry policy after a failure. The run of the policy is started at the first failure of an operation and
 * given back, so that the operation can hand it in again.
 */
export const mayRetry = (
  env: ChunkEnv,
  retries: Retries,
  error: unknown
): Effect.Effect<boolean, any, any> => {
  const policy = env.state.definition.settings.retry
  if (policy === undefined || error instanceof Fatal || !policy.matches(error)) {
    return Effect.succeed(false)
  }
  return Effect.gen(function*() {
    retries.run ??= yield* policy.start
    const again = yield* retries.run.next(error)
    if (again && env.state.hooks.onRetry !== undefined) {
      retries.attempt++
      yield* env.state.hooks.onRetry(error, retries.attempt)
    }
    return again
  })
}

/** The retries of one operation: one read, the processing of one item, one write. */
export interface Retries {
  run: RetryRun<any, any> | undefined
  attempt: number
}

export const noRetries = (): Retries => ({ run: undefined, attempt: 0 })
