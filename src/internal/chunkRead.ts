/**
 * Fills a chunk from the reader (CHUNK-2, CP-1). Bad records are skipped here without using up a place.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Page, Position } from "../ItemReader.js"
import type { Chunk, ChunkEnv, Retries, Skip } from "./chunkEnv.js"
import { isSkippable, mayRetry, noRetries, skip } from "./chunkEnv.js"
import type { AnyEffect } from "./definition.js"
import { isDone } from "./hooks.js"
import { count, isStopping } from "./stepState.js"

/** Reads until the completion policy says that the chunk is complete, or the source ends. */
export const readChunk = (env: ChunkEnv): Effect.Effect<Chunk, any, any> =>
  Effect.gen(function*() {
    const { completion } = env.body
    const skips: Array<Skip> = []
    const until = Option.getOrUndefined(completion.until)
    const timed = Number.isFinite(completion.maxMillis)
    const end = timed ? (yield* Clock.currentTimeMillis) + completion.maxMillis : Infinity
    const single = timed || until !== undefined || !Number.isFinite(completion.maxItems)
    let items: ReadonlyArray<any> = []
    let position: Position = null
    let done = false
    let complete = false
    while (!complete) {
      const page: Page<any, any> = yield* pull(env, single ? 1 : completion.maxItems - items.length, { skips })
      items = items.length === 0 ? page.items : items.concat(page.items)
      count(env.state, { read: page.items.length })
      position = page.position
      done = page.done
      yield* afterRead(env, page.items)
      if (Option.isSome(page.failure)) {
        yield* badRecord(env, page.failure.value, { skips })
      }
      complete = done || items.length >= completion.maxItems ||
        (page.items.length > 0 && until !== undefined && until(items[items.length - 1], items.length)) ||
        (timed && (yield* Clock.currentTimeMillis) >= end) ||
        (page.items.length === 0 && isStopping(env.state))
    }
    return { items, position, done, skips }
  })

/** A skip of a failing pull pulls again, so a source that is broken for good runs into the skip limit. */
const pull = (
  env: ChunkEnv,
  max: number,
  chunk: { readonly skips: Array<Skip> },
  retries: Retries = noRetries()
): Effect.Effect<Page<any, any>, any, any> => {
  const { retry, skip: policy } = env.state.definition.settings
  const { onReadError } = env.state.hooks
  if (retry === undefined && policy === undefined && onReadError === undefined) {
    return env.source.pull(max)
  }
  return Effect.catchAll(env.source.pull(max), (error) =>
    Effect.flatMap(mayRetry(env, retries, error), (again) =>
      again
        ? pull(env, max, chunk, retries)
        : Effect.zipRight(badRecord(env, error, chunk), Effect.suspend(() => pull(env, max, chunk)))))
}

const badRecord = (env: ChunkEnv, error: unknown, chunk: { readonly skips: Array<Skip> }): AnyEffect => {
  const { onReadError } = env.state.hooks
  const handled = isSkippable(env, error)
    ? skip(env, chunk, { phase: "read", item: Option.none(), error })
    : Effect.fail(error)
  return onReadError === undefined ? handled : Effect.zipRight(onReadError(error), handled)
}

const afterRead = (env: ChunkEnv, items: ReadonlyArray<any>): AnyEffect => {
  const { afterRead } = env.state.hooks
  return afterRead === undefined ? Effect.void : eachItem(items, 0, afterRead)
}

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
