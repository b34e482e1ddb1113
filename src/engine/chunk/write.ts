/**
 * Carries out what `chunkMachine` decides about a chunk: transaction after transaction, until all of its outputs are
 * written or skipped.
 *
 * While bad records are searched, the stored position stays in front of the chunk and the checkpoint holds how many of
 * its inputs are done, so that a crash in the middle loses and repeats nothing (FT6-9). What the processor put into the
 * execution context becomes durable with the first of these transactions.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type { AnyEffect } from "../../definition/tree.js"
import { Fatal, refusedItem } from "../../vocabulary/failure.js"
import type { Attempt, Work } from "./commit.js"
import { runTransaction } from "./commit.js"
import type { Chunk, ChunkEnv, Retries } from "./env.js"
import { failureOf, isSkippable, mayRetry, noRetries, Repairable, skip } from "./env.js"
import * as ChunkMachine from "./machine.js"
import type { Outputs } from "./process.js"
import { originOf } from "./process.js"

/** The outputs of a chunk that was processed before: processed once, whatever happens to the write (D5). */
export const buffered = (outputs: Outputs): Work => ({
  size: () => outputs.items.length,
  inputsBefore: (unit) => originOf(outputs, unit),
  outputs: ({ from, to }) =>
    Effect.succeed(from === 0 && to === outputs.items.length ? outputs.items : outputs.items.slice(from, to)),
  covers: ({ index }, inputs) => index < inputs,
  buffered: true,
  rewind: Effect.void
})

/** Writes a chunk, or what a crash in the middle has left of it, and gives the outputs that were written. */
export const writeChunk = (env: ChunkEnv, chunk: Chunk, work: Work): Effect.Effect<ReadonlyArray<any>, any, any> => {
  const { scan } = env.state.definition.settings
  return writeFrom(env, chunk, work, {
    machine: chunk.offset > 0 ? ChunkMachine.resume(work.size(), scan, 0) : ChunkMachine.start(work.size(), scan),
    retries: noRetries(),
    written: []
  })
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Writing {
  readonly machine: ChunkMachine.State
  readonly retries: Retries
  readonly written: ReadonlyArray<any>
}

/** One transaction, and whatever has to follow it. */
const writeFrom = (
  env: ChunkEnv,
  chunk: Chunk,
  work: Work,
  { machine, retries, written }: Writing
): Effect.Effect<ReadonlyArray<any>, any, any> => {
  const size = work.size()
  const attempt: Attempt = {
    range: machine.current ?? { from: size, to: size },
    scanning: machine.mode === "Scan",
    outputs: [],
    tolerated: false
  }
  const goOn = (next: ChunkMachine.State, items: ReadonlyArray<any>) =>
    writeFrom(env, chunk, work, {
      machine: next,
      retries: isSameWrite(machine, next) ? retries : noRetries(),
      written: items
    })
  return Effect.matchCauseEffect(runTransaction(env, chunk, work, attempt), {
    onSuccess: (items) => {
      const all = written.length === 0 ? items : written.concat(items)
      return attempt.range.to >= work.size()
        ? Effect.succeed(all)
        : goOn(ChunkMachine.step(machine, "committed").state, all)
    },
    onFailure: (cause) =>
      Effect.flatMap(
        Effect.zipLeft(refused(env, chunk, work, { machine, attempt, retries, cause }), work.rewind),
        (next) => goOn(next, written)
      )
  })
}

const isSameWrite = (before: ChunkMachine.State, after: ChunkMachine.State): boolean =>
  before.mode === after.mode &&
  (after.mode === "Bulk" ||
    before.current?.from === after.current?.from && before.current?.to === after.current?.to)

interface Refusal {
  readonly machine: ChunkMachine.State
  readonly attempt: Attempt
  readonly retries: Retries
  readonly cause: Cause.Cause<any>
}

/** What comes after a rollback: the same range again, a smaller one, or the end of the step. */
const refused = (
  env: ChunkEnv,
  chunk: Chunk,
  work: Work,
  refusal: Refusal
): Effect.Effect<ChunkMachine.State, any, any> => {
  const { attempt, cause } = refusal
  const failure = failureOf(cause)
  if (Either.isLeft(failure)) {
    return Effect.failCause(failure.left)
  }
  const machine = refusal.machine.mode === "Bulk"
    ? ChunkMachine.start(work.size(), refusal.machine.order)
    : refusal.machine
  const error = failure.right
  if (chunk.tolerant && chunk.tolerated) {
    chunk.tolerant = false
    return Effect.succeed(attempt.tolerated ? ChunkMachine.step(machine, "refused").state : machine)
  }
  return error instanceof Repairable
    ? Effect.as(error.repair, refusal.machine)
    : writeRefused(env, chunk, work, { ...refusal, machine }, error)
}

const writeRefused = (
  env: ChunkEnv,
  chunk: Chunk,
  work: Work,
  { attempt, machine, retries }: Refusal,
  error: unknown
): Effect.Effect<ChunkMachine.State, any, any> =>
  Effect.gen(function*() {
    const { outputs, scanning } = attempt
    const skippable = outputs.length > 0 && isSkippable(env, error)
    if (!(scanning && skippable) && (yield* mayRetry(env, retries, error))) {
      return machine
    }
    const { onWriteError } = env.state.hooks
    const told: AnyEffect = onWriteError === undefined || outputs.length === 0 || error instanceof Fatal
      ? Effect.void
      : onWriteError(error, outputs)
    if (!skippable) {
      return yield* Effect.zipRight(told, Effect.fail(error))
    }
    const next = ChunkMachine.step(machine, "refused", namedBy(error, attempt))
    if (!scanning) {
      yield* told
    }
    if (next.skip !== undefined) {
      const index = work.inputsBefore(next.skip)
      const skipped = skip(env, chunk, { phase: "write", index, item: Option.some(outputs[0]), error })
      yield* scanning ? Effect.tapError(skipped, () => told) : skipped
    }
    return next.state
  })

/** The output that an error is about, when it says so, as that of a COPY does, which knows its line. */
const namedBy = (error: unknown, { outputs, range }: Attempt): number | undefined => {
  const item = Predicate.hasProperty(error, refusedItem) ? Number(error[refusedItem]) : Number.NaN
  return item >= 0 && item < outputs.length ? range.from + item : undefined
}
