/**
 * Fills a chunk from the reader (CHUNK-2, CP-1). Bad records are skipped here without using up a place.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { CompletionPolicy } from "../../decisions/CompletionPolicy.js"
import type { AnyEffect } from "../../definition/tree.js"
import type { Page, Position } from "../../item/ItemReader.js"
import { unlessStopped } from "../session/stopping.js"
import { isDone } from "../step/hooks.js"
import * as Progress from "../step/progress.js"
import { advance, isStopping } from "../step/state.js"
import type { Chunk, ChunkEnv, Retries } from "./env.js"
import { failureOf, isSkippable, makeChunk, mayRetry, noRetries, skip } from "./env.js"

/** Reads until the completion policy says that the chunk is complete, or the source ends. */
export const readChunk = (env: ChunkEnv): Effect.Effect<Chunk, any, any> =>
  Effect.suspend(() => {
    const chunk = makeChunk()
    const filled = fill(env, env.body.completion, {
      // A stop must not wait for a source that has nothing to give; what was read before is committed.
      pull: (max, position) =>
        env.source.waits === false ?
          pull(env, max, position, chunk) :
          unlessStopped(env.state.session, pull(env, max, position, chunk), () => nothingRead(position)),
      bad: (error) => badRecord(env, error, chunk),
      counted: (read) => advance(env.state, Progress.count, { read }),
      bads: () => chunk.skips.length
    })
    return Effect.map(filled, ({ done, items, position }) => {
      chunk.inputs = items
      chunk.position = position
      chunk.done = done
      return chunk
    })
  })

export interface Filling {
  /** Reads from the position on. */
  readonly pull: (max: number, position: Position) => Effect.Effect<Page<any, any>, any, any>
  readonly bad: (error: unknown) => AnyEffect
  readonly counted: (read: number) => void
  /** How many bad records the chunk has. */
  readonly bads: () => number
}

/**
 * The loop of reading, with what to do about trouble left open. A chunk that meets nothing but bad records ends early
 * (FTC-4).
 */
export const fill = (
  env: ChunkEnv,
  completion: CompletionPolicy<any>,
  filling: Filling
): Effect.Effect<Filled, any, any> => {
  const { afterRead, beforeRead } = env.state.hooks
  const position = Option.getOrElse(env.position, () => null)
  return beforeRead === undefined && afterRead === undefined && Option.isNone(completion.until) &&
      Number.isFinite(completion.maxItems) && !Number.isFinite(completion.maxMillis)
    ? fillUpTo(env, completion.maxItems, filling, { items: [], position, done: false })
    : fillWatched(env, completion, filling, position)
}

/** A read that is not retried any more is skipped like a bad record, and then repeated: the reader has not moved. */
export const pull = (
  env: ChunkEnv,
  max: number,
  position: Position,
  chunk: Chunk,
  retries: Retries = noRetries()
): Effect.Effect<Page<any, any>, any, any> => {
  const { retry, skip: policy } = env.state.definition.settings
  const { onReadError } = env.state.hooks
  if (retry === undefined && policy === undefined && onReadError === undefined) {
    return env.source.pull(max)
  }
  return Effect.catchAllCause(env.source.pull(max), (cause) => {
    const failure = failureOf(cause)
    return Either.isLeft(failure) ? Effect.failCause(failure.left) : Effect.flatMap(
      mayRetry(env, retries, failure.right),
      (again) =>
        again
          ? pull(env, max, position, chunk, retries)
          : Effect.as(badRecord(env, failure.right, chunk), nothingRead(position))
    )
  })
}

/** Skips a record that cannot be read, or fails. */
export const badRecord = (env: ChunkEnv, error: unknown, chunk: Chunk): AnyEffect => {
  const { onReadError } = env.state.hooks
  const handled = isSkippable(env, error)
    ? skip(env, chunk, { phase: "read", index: -1, item: Option.none(), error })
    : Effect.fail(error)
  return onReadError === undefined ? handled : Effect.zipRight(onReadError(error), handled)
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Filled {
  readonly items: ReadonlyArray<any>
  readonly position: Position
  readonly done: boolean
}

/** Nobody is to be told of single items, so whole pages are taken. */
const fillUpTo = (
  env: ChunkEnv,
  size: number,
  filling: Filling,
  filled: Filled
): Effect.Effect<Filled, any, any> =>
  Effect.flatMap(filling.pull(size - filled.items.length, filled.position), (page) => {
    const items = filled.items.length === 0 ? page.items : filled.items.concat(page.items)
    filling.counted(page.items.length)
    const next = { items, position: page.position, done: page.done }
    const goOn = () =>
      next.done || items.length >= size || isFruitless(env, page, size, filling)
        ? Effect.succeed(next)
        : fillUpTo(env, size, filling, next)
    return Option.isSome(page.failure) ? Effect.flatMap(filling.bad(page.failure.value), goOn) : goOn()
  })

const fillWatched = (
  env: ChunkEnv,
  completion: CompletionPolicy<any>,
  filling: Filling,
  from: Position
): Effect.Effect<Filled, any, any> =>
  Effect.gen(function*() {
    const until = Option.getOrUndefined(completion.until)
    const timed = Number.isFinite(completion.maxMillis)
    const end = timed ? (yield* Clock.currentTimeMillis) + completion.maxMillis : Infinity
    const { afterRead, beforeRead } = env.state.hooks
    const single = timed || until !== undefined || beforeRead !== undefined || !Number.isFinite(completion.maxItems)
    let items: ReadonlyArray<any> = []
    let position = from
    let done = false
    let complete = false
    while (!complete) {
      if (beforeRead !== undefined) {
        yield* beforeRead()
      }
      const page: Page<any, any> = yield* filling.pull(single ? 1 : completion.maxItems - items.length, position)
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
        isFruitless(env, page, completion.maxItems, filling)
    }
    return { items, position, done }
  })

/** Whether to end a chunk that meets nothing but bad records, so that their skips become durable and a stop is seen. */
const isFruitless = (env: ChunkEnv, page: Page<any, any>, size: number, { bads }: Filling): boolean =>
  page.items.length === 0 && (isStopping(env.state) || bads() >= Math.max(100, size))

const nothingRead = (position: Position): Page<any, any> => ({
  items: [],
  position,
  failure: Option.none(),
  done: false
})

/** Calls a listener for every item; one that answers with a value costs no fiber work. */
const eachItem = (items: ReadonlyArray<any>, from: number, callback: (item: any) => AnyEffect): AnyEffect => {
  for (let i = from; i < items.length; i++) {
    const effect = callback(items[i])
    if (!isDone(effect)) {
      return Effect.zipRight(effect, Effect.suspend(() => eachItem(items, i + 1, callback)))
    }
  }
  return Effect.void
}
