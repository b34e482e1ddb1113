/**
 * Fills a chunk from the reader (CHUNK-2, CP-1). Bad records are skipped here without using up a place.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { CompletionPolicy } from "../../decisions/CompletionPolicy.js"
import type { Page, Position } from "../../item/ItemReader.js"
import { unlessStopped } from "../session/stopping.js"
import type { Engine, EngineFailure, Item, UserError } from "../step/engine.js"
import { isDone, tell, tellBefore } from "../step/hooks.js"
import * as Progress from "../step/progress.js"
import { advance, isStopping } from "../step/state.js"
import * as Chunk from "./chunk.js"
import type { Filled } from "./chunk.js"
import { isSkippable, mayRetry, policyFailure, skip, whileReading } from "./policies.js"
import type { ChunkEffect } from "./rejection.js"
import type { Retries } from "./retries.js"
import { noRetries } from "./retries.js"
import type { ChunkRun } from "./run.js"
import { change } from "./run.js"

/** Reads the next chunk of the run, until the completion policy says that it is complete, or the source ends. */
export const readChunk = (run: ChunkRun): ChunkEffect<void> =>
  Effect.suspend(() => {
    change(run, () => Chunk.make())
    const { now, read } = run.state.telemetry
    const began = now()
    const filled = fill(run, run.env.body.completion, {
      // A stop must not wait for a source that has nothing to give; what was read before is committed.
      pull: (max, position) =>
        run.env.source.current().waits === false ?
          pull(run, max, position) :
          unlessStopped(run.state.session, pull(run, max, position), () => nothingRead(position)),
      bad: (error) => badRecord(run, error),
      counted: (read) => advance(run.state, Progress.count, { read }),
      bads: () => run.chunk.skips.length
    })
    return Effect.map(filled, (filled) => {
      read(began)
      const { done, items, position } = filled
      change(run, Chunk.fill, { done, items, position, progress: run.env.source.current().progress?.() })
    })
  })

export interface Filling {
  /** Reads from the position on. */
  readonly pull: (max: number, position: Position) => ChunkEffect<Page<Item, UserError>>
  readonly bad: (error: UserError) => ChunkEffect<void>
  readonly counted: (read: number) => void
  /** How many bad records the chunk has. */
  readonly bads: () => number
}

/**
 * The loop of reading, with what to do about trouble left open. A chunk that meets nothing but bad records ends early
 * (FTC-4).
 */
export const fill = (
  run: ChunkRun,
  completion: CompletionPolicy<Item>,
  filling: Filling
): ChunkEffect<Filled> => {
  const { afterRead, beforeRead } = run.state.hooks
  const position = Option.getOrElse(run.cursor.position, () => null)
  return beforeRead === undefined && afterRead === undefined && Option.isNone(completion.until) &&
      Number.isFinite(completion.maxItems) && !Number.isFinite(completion.maxMillis)
    ? fillUpTo(run, completion.maxItems, filling, { items: [], position, done: false })
    : fillWatched(run, completion, filling, position)
}

/** A read that is not retried any more is skipped like a bad record, and then repeated: the reader has not moved. */
export const pull = (
  run: ChunkRun,
  max: number,
  position: Position,
  retries: Retries = noRetries
): ChunkEffect<Page<Item, UserError>> => {
  const { retry, skip: policy } = run.state.definition.settings
  const { onReadError } = run.state.hooks
  if (retry === undefined && policy === undefined && onReadError === undefined) {
    return run.env.source.current().pull(max)
  }
  return Effect.catchAllCause(run.env.source.current().pull(max), (cause) => {
    const failure = policyFailure(cause)
    return Either.isLeft(failure) ? Effect.failCause(failure.left) : Effect.flatMap(
      mayRetry(run, retries, failure.right, whileReading),
      ({ again, retries }) =>
        again
          ? pull(run, max, position, retries)
          : Effect.as(badRecord(run, failure.right), nothingRead(position))
    )
  })
}

/** Skips a record that cannot be read, or fails. */
export const badRecord = (run: ChunkRun, error: EngineFailure): ChunkEffect<void> => {
  const handled: ChunkEffect<void> = isSkippable(run, error)
    ? skip(run, Chunk.badRecord(error))
    : Effect.fail(error)
  return tellBefore(run.state.hooks.onReadError, handled, error)
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Nobody is to be told of single items, so whole pages are taken. */
const fillUpTo = (
  run: ChunkRun,
  size: number,
  filling: Filling,
  filled: Filled
): ChunkEffect<Filled> =>
  Effect.flatMap(filling.pull(size - filled.items.length, filled.position), (page) => {
    const items = filled.items.length === 0 ? page.items : filled.items.concat(page.items)
    filling.counted(page.items.length)
    const next = { items, position: page.position, done: page.done }
    const goOn = () =>
      next.done || items.length >= size || isFruitless(run, page, size, filling)
        ? Effect.succeed(next)
        : fillUpTo(run, size, filling, next)
    return Option.isSome(page.failure) ? Effect.flatMap(filling.bad(page.failure.value), goOn) : goOn()
  })

const fillWatched = (
  run: ChunkRun,
  completion: CompletionPolicy<Item>,
  filling: Filling,
  from: Position
): ChunkEffect<Filled> =>
  Effect.gen(function*() {
    const until = Option.getOrUndefined(completion.until)
    const timed = Number.isFinite(completion.maxMillis)
    const end = timed ? (yield* Clock.currentTimeMillis) + completion.maxMillis : Infinity
    const { afterRead, beforeRead } = run.state.hooks
    const single = timed || until !== undefined || beforeRead !== undefined || !Number.isFinite(completion.maxItems)
    let items: ReadonlyArray<Item> = []
    let position = from
    let done = false
    let complete = false
    while (!complete) {
      yield* tell(beforeRead)
      const page: Page<Item, UserError> = yield* filling.pull(single ? 1 : completion.maxItems - items.length, position)
      items = items.length === 0 ? page.items : items.concat(page.items)
      filling.counted(page.items.length)
      position = page.position
      done = page.done
      if (afterRead !== undefined) {
        yield* eachItem(page.items, 0, afterRead)
      }
      if (Option.isSome(page.failure)) {
        yield* filling.bad(page.failure.value)
      }
      complete = done || items.length >= completion.maxItems ||
        (page.items.length > 0 && until !== undefined && until(items[items.length - 1], items.length)) ||
        (timed && (yield* Clock.currentTimeMillis) >= end) ||
        isFruitless(run, page, completion.maxItems, filling)
    }
    return { items, position, done }
  })

/** Whether to end a chunk that meets nothing but bad records, so that their skips become durable and a stop is seen. */
const isFruitless = (run: ChunkRun, page: Page<Item, UserError>, size: number, { bads }: Filling): boolean =>
  page.items.length === 0 && (isStopping(run.state) || bads() >= Math.max(100, size))

const nothingRead = (position: Position): Page<Item, UserError> => ({
  items: [],
  position,
  failure: Option.none(),
  done: false
})

/** Calls a listener for every item; one that answers with a value costs no fiber work. */
const eachItem = (
  items: ReadonlyArray<Item>,
  from: number,
  callback: (item: Item) => Engine<unknown>
): Engine<unknown> => {
  for (let i = from; i < items.length; i++) {
    const effect = callback(items[i])
    if (!isDone(effect)) {
      return Effect.zipRight(effect, Effect.suspend(() => eachItem(items, i + 1, callback)))
    }
  }
  return Effect.void
}
