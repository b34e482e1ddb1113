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
import { Fatal } from "../../vocabulary/failure.js"
import type { EngineFailure, Item } from "../step/engine.js"
import { tell, tellBefore } from "../step/hooks.js"
import type { Chunk, Skip } from "./chunk.js"
import { badInput } from "./chunk.js"
import type { OutputSource } from "./commit.js"
import type { Range } from "./machine.js"
import type { Retries } from "./policies.js"
import { isSkippable, mayRetry, noRetries, policyFailure, skip, staysOpen, whileReading } from "./policies.js"
import type { Recover } from "./process.js"
import { processItems } from "./process.js"
import type { Filling } from "./read.js"
import { badRecord, fill } from "./read.js"
import type { ChunkEffect } from "./rejection.js"
import { Repairable } from "./rejection.js"
import type { ChunkRun } from "./run.js"
import { showAwaiting } from "./run.js"

/** The inputs were read before; they are processed in each transaction that writes them. */
export const processedInside = (run: ChunkRun, chunk: Chunk): OutputSource => {
  const retries: RetriesOf = new Map()
  return {
    size: () => chunk.inputs.length,
    inputsBefore: (unit) => unit,
    outputs: (range) => process(run, chunk, range, retries),
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
export const readInside = (run: ChunkRun, chunk: Chunk): OutputSource => {
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
    outputs: (range) => Effect.zipRight(read(run, chunk, range, reading), process(run, chunk, range, reading.retries)),
    covers: (skipped, inputs) => reading.bad.includes(skipped) ? reading.seen.has(skipped) : skipped.index < inputs,
    buffered: false,
    rewind: Effect.suspend(() => {
      chunk.readAgain = 0
      showAwaiting(run, chunk)
      return run.env.source.reopen(run.cursor.position)
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
  run: ChunkRun,
  chunk: Chunk,
  { from, to }: Range,
  retries: RetriesOf
): ChunkEffect<ReadonlyArray<Item>> =>
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
      const failure = policyFailure(cause)
      return Either.isLeft(failure)
        ? Effect.failCause(failure.left)
        : itemFailed(run, chunk, { index: indexes[at]!, item, error: failure.right }, retries)
    }
    return Effect.map(processItems(run, inputs, recover), ({ items }) => items)
  })

interface Failed {
  readonly index: number
  readonly item: Item
  readonly error: EngineFailure
}

const itemFailed = (
  run: ChunkRun,
  chunk: Chunk,
  { error, index, item }: Failed,
  retriesOf: RetriesOf
): ChunkEffect<Option.Option<Item>> => {
  if (error instanceof Fatal) {
    return Effect.fail(error)
  }
  const { onProcessError } = run.state.hooks
  const leaveOut = Effect.suspend(() =>
    tellBefore(
      onProcessError,
      isSkippable(run, error) ? skip(run, chunk, badInput(index, item, error)) : Effect.fail(error),
      item,
      error
    )
  )
  if (staysOpen(run, chunk, error, false)) {
    chunk.noRollback = "used"
    return Effect.as(leaveOut, Option.none())
  }
  const retries = retriesOf.get(index) ?? noRetries()
  retriesOf.set(index, retries)
  return Effect.fail(
    new Repairable(
      error,
      Effect.flatMap(
        mayRetry(run, retries, error, { phase: "process", items: [item] }),
        (again) => again ? Effect.void : leaveOut
      )
    )
  )
}

const read = (run: ChunkRun, chunk: Chunk, { to }: Range, reading: Reading): ChunkEffect<void> =>
  Effect.gen(function*() {
    const first = reading.size === Number.POSITIVE_INFINITY
    const wanted = Math.min(to, reading.size) - chunk.committed
    reading.seen.clear()
    reading.bad = reading.bad.filter((skipped) => chunk.skips.includes(skipped))
    if (wanted === 0) {
      return
    }
    const completion = first ? run.env.body.completion : CompletionPolicy.count(wanted)
    const filler = filling(run, chunk, reading)
    const { done, items, position } = yield* fill(run, completion, filler)
    chunk.position = position
    chunk.done = done
    if (to >= reading.size) {
      yield* readOver(chunk, reading, filler)
    }
    if (first) {
      chunk.inputs = items
      reading.size = items.length
      yield* tell(run.state.hooks.beforeChunk, items)
    } else {
      reread(run, chunk, items)
      if (items.length < wanted) {
        reading.size = chunk.committed + items.length
        chunk.inputs = chunk.inputs.slice(0, reading.size)
      }
    }
    reading.readRetries = noRetries()
  })

/** The bad records behind the last input were part of the chunk when it was read first, so they still are. */
const readOver = (chunk: Chunk, reading: Reading, { bad, bads, pull }: Filling): ChunkEffect<void> =>
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

const forgetUnseen = (chunk: Chunk, { bad, seen }: Reading): ChunkEffect<void> =>
  Effect.suspend(() => {
    const gone = bad.filter((skipped) => !seen.has(skipped))
    chunk.skips = chunk.skips.filter((skipped) => !gone.includes(skipped))
    return Effect.void
  })

const filling = (run: ChunkRun, chunk: Chunk, reading: Reading): Filling => {
  let bads = 0
  return {
    pull: (max) =>
      Effect.catchAllCause(run.env.source.current().pull(max), (cause) => {
        const failure = policyFailure(cause)
        return Either.isLeft(failure) ? Effect.failCause(failure.left) : Effect.fail(
          new Repairable(failure.right, pullFailed(run, chunk, failure.right, reading))
        )
      }),
    bad: (error) => {
      const known = reading.bad[bads++]
      if (known !== undefined && isSame(known.error, error)) {
        reading.seen.add(known)
        return Effect.void
      }
      return Effect.map(badRecord(run, error, chunk), () => {
        const skipped = chunk.skips[chunk.skips.length - 1]!
        reading.bad = [...reading.bad, skipped]
        reading.seen.add(skipped)
      })
    },
    counted: (count) => {
      chunk.readAgain += count
      showAwaiting(run, chunk)
    },
    bads: () => bads
  }
}

/** A read that fails breaks the transaction, so it is retried, or skipped, by reading again from the beginning. */
const pullFailed = (run: ChunkRun, chunk: Chunk, error: EngineFailure, reading: Reading): ChunkEffect<void> =>
  Effect.flatMap(mayRetry(run, reading.readRetries, error, whileReading), (again) => {
    if (again) {
      return Effect.void
    }
    reading.readRetries = noRetries()
    return badRecord(run, error, chunk)
  })

/** Puts what was read now in the place of what was read before. */
const reread = (run: ChunkRun, chunk: Chunk, items: ReadonlyArray<Item>): void => {
  const before = chunk.inputs
  const inputs = before.slice()
  items.forEach((item, i) => {
    inputs[chunk.committed + i] = item
  })
  chunk.inputs = inputs
  chunk.skips = chunk.skips.filter(({ index }) => index < 0 || isSame(before[index], inputs[index]))
  showAwaiting(run, chunk)
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
