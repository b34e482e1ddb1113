/**
 * Chunks whose items are processed, or read and processed, inside their transaction: for processors that write, and for
 * readers that take what they read, as from a queue.
 *
 * Each attempt does again what the rollback has undone. What was decided about an item stays decided: a skip is asked
 * for and reported once, and the retries of an item are counted over all attempts (FTC-5, FTC-6, FTC-19).
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { sameValue } from "../../base/sameValue.js"
import * as CompletionPolicy from "../../decisions/CompletionPolicy.js"
import type { AnyEffect } from "../../definition/tree.js"
import { Fatal } from "../../vocabulary/failure.js"
import type { Work } from "./commit.js"
import type { Chunk, ChunkEnv, Retries, Skip } from "./env.js"
import { failureOf, hold, isSkippable, isTolerated, mayRetry, noRetries, openSource, Repairable, skip } from "./env.js"
import type { Range } from "./machine.js"
import type { Recover } from "./process.js"
import { processItems } from "./process.js"
import type { Filling } from "./read.js"
import { badRecord, fill } from "./read.js"

/** The inputs were read before; they are processed in each transaction that writes them. */
export const processedInside = (env: ChunkEnv, chunk: Chunk): Work => {
  const retries: RetriesOf = new Map()
  return {
    size: () => chunk.inputs.length,
    inputsBefore: (unit) => unit,
    outputs: (range) => process(env, chunk, range, retries),
    covers: ({ index }, inputs) => index < inputs,
    buffered: true,
    rewind: Effect.void
  }
}

/**
 * The inputs are read in each transaction, too (FTC-20). After a rollback the reader is opened again in front of them;
 * it is expected to give the same records. A record that was skipped is read over; if another one has come to its place,
 * that is processed, and the skip is forgotten.
 */
export const readInside = (env: ChunkEnv, chunk: Chunk): Work => {
  const reading: Reading = {
    size: Number.POSITIVE_INFINITY,
    bad: [],
    seen: new Set(),
    retries: new Map(),
    readRetries: noRetries()
  }
  return {
    size: () => reading.size,
    inputsBefore: (unit) => unit,
    outputs: (range) => Effect.zipRight(read(env, chunk, range, reading), process(env, chunk, range, reading.retries)),
    covers: (skipped, inputs) => reading.bad.includes(skipped) ? reading.seen.has(skipped) : skipped.index < inputs,
    buffered: false,
    rewind: Effect.suspend(() => {
      chunk.unread = 0
      hold(env, chunk)
      return openSource(env, env.position)
    })
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** By the index of the input. */
type RetriesOf = Map<number, Retries>

interface Reading {
  size: number
  /** Skipped and not durable, in the order in which they are read. */
  bad: ReadonlyArray<Skip>
  /** Those that the open transaction has read over. */
  readonly seen: Set<Skip>
  readonly retries: RetriesOf
  readRetries: Retries
}

const process = (
  env: ChunkEnv,
  chunk: Chunk,
  { from, to }: Range,
  retries: RetriesOf
): Effect.Effect<ReadonlyArray<any>, any, any> =>
  Effect.suspend(() => {
    const skipped = new Set(chunk.skips.map(({ index }) => index))
    const indexes: Array<number> = []
    for (let index = from; index < Math.min(to, chunk.inputs.length); index++) {
      if (!skipped.has(index)) {
        indexes.push(index)
      }
    }
    const inputs = indexes.map((index) => chunk.inputs[index])
    const recover: Recover = (at, item, cause) => {
      const failure = failureOf(cause)
      return Either.isLeft(failure)
        ? Effect.failCause(failure.left)
        : itemFailed(env, chunk, { index: indexes[at]!, item, error: failure.right }, retries)
    }
    return Effect.map(processItems(env, inputs, recover), ({ items }) => items)
  })

interface Failed {
  readonly index: number
  readonly item: unknown
  readonly error: unknown
}

const itemFailed = (
  env: ChunkEnv,
  chunk: Chunk,
  { error, index, item }: Failed,
  retriesOf: RetriesOf
): Effect.Effect<Option.Option<any>, any, any> => {
  if (error instanceof Fatal) {
    return Effect.fail(error)
  }
  const { onProcessError } = env.state.hooks
  const leaveOut = Effect.suspend(() =>
    Effect.zipRight(
      onProcessError?.(item, error) ?? Effect.void,
      isSkippable(env, error)
        ? skip(env, chunk, { phase: "process", index, item: Option.some(item), error })
        : Effect.fail(error)
    )
  )
  if (isTolerated(env, chunk, error, false)) {
    chunk.tolerated = true
    return Effect.as(leaveOut, Option.none())
  }
  const retries = retriesOf.get(index) ?? noRetries()
  retriesOf.set(index, retries)
  return Effect.fail(
    new Repairable(error, Effect.flatMap(mayRetry(env, retries, error), (again) => again ? Effect.void : leaveOut))
  )
}

const read = (env: ChunkEnv, chunk: Chunk, { to }: Range, reading: Reading): AnyEffect =>
  Effect.gen(function*() {
    const first = reading.size === Number.POSITIVE_INFINITY
    const wanted = Math.min(to, reading.size) - chunk.committed
    reading.seen.clear()
    reading.bad = reading.bad.filter((skipped) => chunk.skips.includes(skipped))
    if (wanted === 0) {
      return
    }
    const completion = first ? env.body.completion : CompletionPolicy.count(wanted)
    const filler = filling(env, chunk, reading)
    const { done, items, position } = yield* fill(env, completion, filler)
    chunk.position = position
    chunk.done = done
    if (to >= reading.size) {
      yield* readOver(chunk, reading, filler)
    }
    if (first) {
      chunk.inputs = items
      reading.size = items.length
      yield* env.state.hooks.beforeChunk?.(items) ?? Effect.void
    } else {
      reread(env, chunk, items)
      if (items.length < wanted) {
        reading.size = chunk.committed + items.length
        chunk.inputs = chunk.inputs.slice(0, reading.size)
      }
    }
    reading.readRetries = noRetries()
  })

/** The bad records behind the last input were part of the chunk when it was read first, so they still are. */
const readOver = (chunk: Chunk, reading: Reading, { bad, bads, pull }: Filling): AnyEffect =>
  Effect.gen(function*() {
    while (!chunk.done && bads() < reading.bad.length) {
      const page = yield* pull(1, chunk.position)
      if (Option.isNone(page.failure) && !page.done) {
        return yield* Effect.fail(new Repairable("the reader gave other records", forgetUnseen(chunk, reading)))
      }
      chunk.position = page.position
      chunk.done = page.done
      if (Option.isSome(page.failure)) {
        yield* bad(page.failure.value)
      }
    }
  })

const forgetUnseen = (chunk: Chunk, { bad, seen }: Reading): AnyEffect =>
  Effect.suspend(() => {
    const gone = bad.filter((skipped) => !seen.has(skipped))
    chunk.skips = chunk.skips.filter((skipped) => !gone.includes(skipped))
    return Effect.void
  })

const filling = (env: ChunkEnv, chunk: Chunk, reading: Reading): Filling => {
  let bads = 0
  return {
    pull: (max) =>
      Effect.catchAllCause(env.source.pull(max), (cause) => {
        const failure = failureOf(cause)
        return Either.isLeft(failure) ? Effect.failCause(failure.left) : Effect.fail(
          new Repairable(failure.right, pullFailed(env, chunk, failure.right, reading))
        )
      }),
    bad: (error) => {
      const known = reading.bad[bads++]
      if (known !== undefined && isSame(known.error, error)) {
        reading.seen.add(known)
        return Effect.void
      }
      return Effect.map(badRecord(env, error, chunk), () => {
        const skipped = chunk.skips[chunk.skips.length - 1]!
        reading.bad = [...reading.bad, skipped]
        reading.seen.add(skipped)
      })
    },
    counted: (count) => {
      chunk.unread += count
      hold(env, chunk)
    },
    bads: () => bads
  }
}

/** A read that fails breaks the transaction, so it is retried, or skipped, by reading again from the beginning. */
const pullFailed = (env: ChunkEnv, chunk: Chunk, error: unknown, reading: Reading): AnyEffect =>
  Effect.flatMap(mayRetry(env, reading.readRetries, error), (again) => {
    if (again) {
      return Effect.void
    }
    reading.readRetries = noRetries()
    return badRecord(env, error, chunk)
  })

/** Puts what was read now in the place of what was read before. */
const reread = (env: ChunkEnv, chunk: Chunk, items: ReadonlyArray<any>): void => {
  const before = chunk.inputs
  const inputs = before.slice()
  items.forEach((item, i) => {
    inputs[chunk.committed + i] = item
  })
  chunk.inputs = inputs
  chunk.skips = chunk.skips.filter(({ index }) => index < 0 || isSame(before[index], inputs[index]))
  hold(env, chunk)
}

const isSame = (one: unknown, other: unknown): boolean => {
  if (sameValue(one, other)) {
    return true
  }
  try {
    return JSON.stringify(one) === JSON.stringify(other)
  } catch {
    return false
  }
}
