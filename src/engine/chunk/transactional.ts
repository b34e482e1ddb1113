/**
 * Chunks whose items are processed, or read and processed, inside their transaction: for processors that write, and for
 * readers that take what they read, as from a queue.
 *
 * Each attempt does again what the rollback has undone. What was decided about an item stays decided: a skip is asked
 * for and reported once, and the retries of an item are counted over all attempts (FTC-5, FTC-6, FTC-19).
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as CompletionPolicy from "../../decisions/CompletionPolicy.js"
import { Fatal } from "../../vocabulary/failure.js"
import type { EngineFailure, Item } from "../step/engine.js"
import { tell, tellBefore } from "../step/hooks.js"
import * as Chunk from "./chunk.js"
import type { OutputSource } from "./commit.js"
import { failAt } from "./itemPlace.js"
import type { Range } from "./machine.js"
import { isSkippable, mayRetry, policyFailure, skip, staysOpen, whileReading } from "./policies.js"
import type { Recover } from "./process.js"
import { processItems } from "./process.js"
import type { Filling } from "./read.js"
import { badRecord, fill } from "./read.js"
import type { ChunkEffect } from "./rejection.js"
import { Repairable } from "./rejection.js"
import { noRetries } from "./retries.js"
import type { ChunkRun } from "./run.js"
import { change, showAwaiting } from "./run.js"

/** The inputs were read before; they are processed in each transaction that writes them. */
export const processedInside = (run: ChunkRun): OutputSource => ({
  size: () => run.chunk.inputs.length,
  inputsBefore: (unit) => unit,
  outputs: (range) => process(run, range),
  covers: ({ index }, inputs) => index < inputs,
  buffered: true,
  rewind: Effect.void
})

/**
 * The inputs are read in each transaction, too (FTC-20). After a rollback the reader is opened again in front of them;
 * it is expected to give the same records. A record that was skipped is read over; if another one has come to its place,
 * that is processed, and the skip is forgotten.
 */
export const readInside = (run: ChunkRun): OutputSource => ({
  size: () => Chunk.sizeRead(run.chunk),
  inputsBefore: (unit) => unit,
  outputs: (range) => Effect.zipRight(read(run, range), process(run, range)),
  covers: (skipped, inputs) => Chunk.coversReadInside(run.chunk, skipped, inputs),
  buffered: false,
  rewind: Effect.suspend(() => {
    change(run, Chunk.rewind)
    showAwaiting(run)
    return run.env.source.reopen(run.cursor.position)
  })
})

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const process = (run: ChunkRun, { from, to }: Range): ChunkEffect<ReadonlyArray<Item>> =>
  Effect.suspend(() => {
    const { inputs, skips } = run.chunk
    const skipped = new Set(skips.map(({ index }) => index))
    const indexes: Array<number> = []
    for (let index = from; index < Math.min(to, inputs.length); index++) {
      if (!skipped.has(index)) {
        indexes.push(index)
      }
    }
    const recover: Recover = (at, item, cause) => {
      const failure = policyFailure(cause)
      return Either.isLeft(failure)
        ? failAt(run, failure.left, { phase: "process", index: indexes[at]!, item: Option.some(item) })
        : itemFailed(run, { index: indexes[at]!, item, error: failure.right })
    }
    return Effect.map(processItems(run, indexes.map((index) => inputs[index]), recover), ({ items }) => items)
  })

interface Failed {
  readonly index: number
  readonly item: Item
  readonly error: EngineFailure
}

const itemFailed = (run: ChunkRun, { error, index, item }: Failed): ChunkEffect<Option.Option<Item>> => {
  const failed = failAt(run, Cause.fail(error), { phase: "process", index, item: Option.some(item) })
  if (error instanceof Fatal) {
    return failed
  }
  const { onProcessError } = run.state.hooks
  const leaveOut = Effect.suspend(() =>
    tellBefore(
      onProcessError,
      isSkippable(run, error) ? skip(run, Chunk.badInput(index, item, error)) : failed,
      item,
      error
    )
  )
  if (staysOpen(run, error, false)) {
    change(run, Chunk.keepOpen, "process")
    return Effect.as(leaveOut, Option.none())
  }
  const asked = Effect.suspend(() => {
    const tried = run.chunk.attempts.itemRetries.get(index) ?? noRetries
    return mayRetry(run, tried, error, { phase: "process", items: [item] })
  })
  return Effect.fail(
    new Repairable(
      error,
      Effect.flatMap(asked, ({ again, retries }) => {
        change(run, Chunk.setItemRetries, index, retries)
        return again ? Effect.void : leaveOut
      })
    )
  )
}

const read = (run: ChunkRun, { to }: Range): ChunkEffect<void> =>
  Effect.gen(function*() {
    const { attempts, committed } = run.chunk
    const wanted = Math.min(to, Chunk.sizeRead(run.chunk)) - committed
    change(run, Chunk.beginReading)
    if (wanted === 0) {
      return
    }
    const filler = filling(run)
    const { done, items, position } = yield* fill(
      run,
      attempts.isRead ? CompletionPolicy.count(wanted) : run.env.body.completion,
      filler
    )
    change(run, Chunk.moveTo, { position, done })
    if (to >= Chunk.sizeRead(run.chunk)) {
      yield* readOver(run, filler)
    }
    if (attempts.isRead) {
      change(run, Chunk.readAgain, items, wanted)
      showAwaiting(run)
    } else {
      change(run, Chunk.readFirst, items)
      yield* tell(run.state.hooks.beforeChunk, items)
    }
    change(run, Chunk.setReadRetries, undefined)
  })

/** The bad records after the last input were part of the chunk when it was read first, so they still are. */
const readOver = (run: ChunkRun, { bad, bads, pull }: Filling): ChunkEffect<void> =>
  Effect.gen(function*() {
    while (!run.chunk.done && bads() < run.chunk.attempts.bad.length) {
      const page = yield* pull(1, run.chunk.position)
      if (Option.isNone(page.failure) && !page.done) {
        return yield* Effect.fail(
          new Repairable("the reader gave other records", Effect.sync(() => change(run, Chunk.forgetUnseen)))
        )
      }
      change(run, Chunk.moveTo, page)
      if (Option.isSome(page.failure)) {
        yield* bad(page.failure.value)
      }
    }
  })

const filling = (run: ChunkRun): Filling => {
  let bads = 0
  return {
    pull: (max) =>
      Effect.catchAllCause(run.env.source.current().pull(max), (cause) => {
        const failure = policyFailure(cause)
        return Either.isLeft(failure) ? Effect.failCause(failure.left) : Effect.fail(
          new Repairable(failure.right, pullFailed(run, failure.right))
        )
      }),
    bad: (error) => {
      const known = run.chunk.attempts.bad[bads++]
      if (known !== undefined && Chunk.isSame(known.error, error)) {
        change(run, Chunk.readOver, known)
        return Effect.void
      }
      return Effect.map(badRecord(run, error), () => change(run, Chunk.noteBad))
    },
    counted: (count) => {
      change(run, Chunk.countReadAgain, count)
      showAwaiting(run)
    },
    bads: () => bads
  }
}

/** A read that fails breaks the transaction, so it is retried, or skipped, by reading again from the beginning. */
const pullFailed = (run: ChunkRun, error: EngineFailure): ChunkEffect<void> =>
  Effect.suspend(() => mayRetry(run, run.chunk.attempts.readRetries ?? noRetries, error, whileReading)).pipe(
    Effect.flatMap(({ again, retries }) => {
      change(run, Chunk.setReadRetries, again ? retries : undefined)
      return again ? Effect.void : badRecord(run, error)
    })
  )
