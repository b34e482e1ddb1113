/**
 * What the parts of a chunk step share: the opened reader, processor and writer, where the step has come to, and how it
 * asks the policies.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Json } from "../../base/json.js"
import type { RetryRun } from "../../decisions/RetryPolicy.js"
import type { SkipRun } from "../../decisions/SkipPolicy.js"
import type { AnyEffect, ChunkBody } from "../../definition/tree.js"
import type { Process } from "../../item/ItemProcessor.js"
import type { Position, Source } from "../../item/ItemReader.js"
import type { Sink } from "../../item/ItemWriter.js"
import { SkipLimitExceeded } from "../../vocabulary/BatchError.js"
import { BatchEvent } from "../../vocabulary/BatchEvent.js"
import * as Counts from "../../vocabulary/Counts.js"
import { describe, describeError, Fatal, unwrap } from "../../vocabulary/failure.js"
import type { SkipPhase } from "../../vocabulary/SkippedItem.js"
import * as Progress from "../step/progress.js"
import type { StepState } from "../step/state.js"
import { advance, current } from "../step/state.js"
import type { ChunkPipelining } from "./pipelining.js"

export interface ChunkEnv {
  readonly state: StepState
  readonly body: ChunkBody
  readonly scope: Scope.Scope
  readonly process: Process<any, any, any, any> | undefined
  readonly sink: Sink<any, any, any>
  readonly skipRun: SkipRun<any, any> | undefined
  /** How its transactions are sent in one message, if they can be. */
  pipelining: ChunkPipelining | undefined
  source: Source<any, any, any>
  /** Where the source is closed before the step ends, when it has to be opened anew. */
  sourceScope: Scope.CloseableScope
  /** Behind the last committed chunk; none at the beginning. */
  position: Option.Option<Position>
  writerState: Option.Option<Json>
  done: boolean
  /** What the step was when the chunk that is at work began. */
  begun: Progress.Progress | undefined
  /** Waits for the chunks that are written beside this one, when that is done. */
  settle: AnyEffect | undefined
  /** Chunks that are being written beside the next one, in their order. */
  flights: ReadonlyArray<Flight>
}

/** A chunk that is being written beside the next one. */
export interface Flight {
  readonly fiber: Fiber.Fiber<unknown, any>
  /** What the step was when the ways parted. */
  readonly parted: Progress.Progress
  /** Of the chunk, with a state of its own. */
  readonly env: ChunkEnv
}

/** Says of a transaction that it was sent behind one that failed, so that it says nothing about its own chunk. */
export class Superseded {}

/** Whether nothing belongs to the transaction of the chunk but what can be sent with it. */
export const canPipeline = ({ pipelining, state }: ChunkEnv, chunk: Chunk): boolean =>
  pipelining !== undefined && (pipelining.countsSkips || chunk.skips.length === 0) &&
  state.progress.jobChanges.length === 0

/** A record that was skipped and is not yet durable. */
export interface Skip {
  readonly phase: SkipPhase
  /** Which of the chunk's inputs it was; -1 when it could not be read. */
  readonly index: number
  /** The input in processing, the output in writing, nothing in reading. */
  readonly item: Option.Option<unknown>
  readonly error: unknown
}

export interface Chunk {
  /** How many inputs were done before a crash in the middle of the chunk; `inputs` begins behind them. */
  readonly offset: number
  inputs: ReadonlyArray<any>
  /** Behind the last record that was read for the chunk. */
  position: Position
  done: boolean
  /** Skipped, and not durable yet. */
  skips: Array<Skip>
  /** Inputs read by an attempt that has not committed: a transactional reader reads again. */
  unread: number
  /** How many of the inputs are durable. */
  committed: number
  /** Whether errors named by `noRollback` leave the transaction open: not again, once that has broken one. */
  tolerant: boolean
  /** Whether such an error is in the transaction that is open. */
  tolerated: boolean
}

export const makeChunk = (offset = 0): Chunk => ({
  offset,
  inputs: [],
  position: null,
  done: false,
  skips: [],
  unread: 0,
  committed: 0,
  tolerant: true,
  tolerated: false
})

/** Opens the reader, anew if it is open already. */
export const openSource = (env: ChunkEnv, from: Option.Option<Position>): AnyEffect =>
  Effect.gen(function*() {
    yield* Scope.close(env.sourceScope, Exit.void)
    env.sourceScope = yield* Scope.fork(env.scope, ExecutionStrategy.sequential)
    env.source = yield* Scope.extend(env.body.reader.open(from), env.sourceScope)
  })

/**
 * The failure of a record, which policies are asked about. A cause that holds a defect, or only an interruption, is
 * none: it goes on as it is (LIFE-14).
 */
export const failureOf = <E>(cause: Cause.Cause<E>): Either.Either<E, Cause.Cause<never>> =>
  Option.isSome(Cause.dieOption(cause))
    ? Either.left(cause as Cause.Cause<never>)
    : Either.flip(Cause.failureOrCause(cause))

/**
 * A failure in a transaction that is not that of the write: of the read or the processing of one item. When it is
 * repaired (a retry is due, or the item is skipped) the transaction runs once more, otherwise the step fails.
 */
export class Repairable {
  constructor(readonly error: unknown, readonly repair: AnyEffect) {}
}

/** One line for events, as the people outside know the error. */
export const describeCause = (cause: Cause.Cause<unknown>): string =>
  describe(unwrap(Cause.map(cause, (error) => error instanceof Repairable ? error.error : error)))

/** Whether errors of this kind may be skipped at all. */
export const isSkippable = (env: ChunkEnv, error: unknown): boolean =>
  !(error instanceof Fatal) && env.state.definition.settings.skip?.matches(error) === true

/** Whether the transaction may go on after this error (TXO-1). What is retried first, is rolled back first. */
export const isTolerated = (env: ChunkEnv, chunk: Chunk, error: unknown, scanning: boolean): boolean => {
  const { noRollback, retry } = env.state.definition.settings
  return chunk.tolerant && noRollback?.(error) === true && isSkippable(env, error) &&
    (scanning || retry?.matches(error) !== true)
}

/** What a policy decides depends on all chunks in front. */
const settled = (env: ChunkEnv): AnyEffect => env.settle ?? Effect.void

/** Counts and reports one skip, or fails when it is one too many. The listeners hear of it when it becomes durable. */
export const skip = (env: ChunkEnv, chunk: Chunk, skipped: Skip): AnyEffect =>
  Effect.flatMap(Effect.zipRight(settled(env), env.skipRun!.next(skipped.error)), (allowed) => {
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
    hold(env, chunk)
    state.session.publish(BatchEvent.ItemSkipped({
      job: state.session.execution,
      step: current(state),
      phase: skipped.phase,
      message: describeError(skipped.error)
    }))
    return Effect.void
  })

/** Shows in the counts of the running step what the chunk has not made durable yet. */
export const hold = (env: ChunkEnv, chunk: Chunk): void => {
  advance(env.state, Progress.showAwaiting, heldCounts(chunk.skips, chunk.unread))
}

export const heldCounts = (skips: ReadonlyArray<Skip>, read: number): Counts.Counts => {
  const held = { ...Counts.empty, read }
  for (const { phase } of skips) {
    held[`${phase}Skip`]++
  }
  return held
}

/** The retries of one operation: one read, the processing of one item, one write. */
export interface Retries {
  run: RetryRun<any, any> | undefined
  attempt: number
}

export const noRetries = (): Retries => ({ run: undefined, attempt: 0 })

/** Asks the retry policy after a failure. The run of the policy is started at the first failure of an operation. */
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
    yield* settled(env)
    retries.run ??= yield* policy.start
    const again = yield* retries.run.next(error)
    if (again && env.state.hooks.onRetry !== undefined) {
      retries.attempt++
      yield* env.state.hooks.onRetry(error, retries.attempt)
    }
    return again
  })
}
