/**
 * One transaction of a chunk: its outputs, the skips that become durable with them, and the checkpoint.
 *
 * Each transaction covers some inputs of the chunk, from those that are durable up to a bound, and counts exactly what
 * became of these. So the counts and reports of all transactions add up to those of an undisturbed run, whatever
 * crashes in between (FTC-16, FTC-17).
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { Json } from "../../base/json.js"
import type { AnyEffect } from "../../definition/tree.js"
import { BatchEvent } from "../../vocabulary/BatchEvent.js"
import * as FaultPoint from "../session/faultPoint.js"
import type { CommitRecord } from "../step/progress.js"
import * as Progress from "../step/progress.js"
import { advance, commit, commitPipelined, current } from "../step/state.js"
import type { Checkpoint } from "./checkpoint.js"
import { encodeCheckpoint } from "./checkpoint.js"
import type { Chunk, ChunkEnv, Skip } from "./env.js"
import { canPipeline, describeCause, failureOf, heldCounts, isTolerated, Repairable, skip, Superseded } from "./env.js"
import type { Range } from "./machine.js"
import type { ChunkPipelining } from "./pipelining.js"
import { reportSkips } from "./skips.js"

/** Where the outputs of a chunk come from, and what its ranges count: outputs, or inputs that are not processed yet. */
export interface Work {
  /** Infinite until a transactional reader has read the chunk. */
  readonly size: () => number
  /** How many inputs are done when everything in front of a unit is. */
  readonly inputsBefore: (unit: number) => number
  /** Inside the transaction. */
  readonly outputs: (range: Range) => Effect.Effect<ReadonlyArray<any>, any, any>
  /** Whether a skip belongs to the transaction that makes so many inputs durable. */
  readonly covers: (skip: Skip, inputs: number) => boolean
  /** Whether the inputs outlive a rollback. Otherwise they are read again, from `rewind` on. */
  readonly buffered: boolean
  readonly rewind: AnyEffect
}

/** What a transaction was about to write, known also when it was refused. */
export interface Attempt {
  readonly range: Range
  /** Whether bad records are being searched, when nothing that may be skipped is retried (FT6-4). */
  readonly scanning: boolean
  outputs: ReadonlyArray<any>
  /** An error of the only item left the transaction open (FTC-13); its skip is granted. */
  tolerated: boolean
}

/** Runs the transaction and gives what it wrote. */
export const runTransaction = (
  env: ChunkEnv,
  chunk: Chunk,
  work: Work,
  attempt: Attempt
): Effect.Effect<ReadonlyArray<any>, any, any> =>
  Effect.suspend(() => {
    let committed: Committed | undefined
    chunk.tolerated = false
    const done = (done: Committed) => {
      committed = done
      return {
        checkpoint: Option.some(encodeCheckpoint(done.checkpoint)),
        counts: done.counts,
        awaitingCommit: heldCounts(done.waiting, 0)
      }
    }
    const ends = {
      committed: () => {
        const { checkpoint, inputs, waiting, written } = committed!
        chunk.skips = waiting
        chunk.committed = inputs
        chunk.unread = 0
        env.writerState = checkpoint.writer
        if (Option.isNone(checkpoint.scan)) {
          env.position = checkpoint.reader
        }
        publishCommit(env)
        return env.sink.committed === undefined ? Effect.succeed(written) : Effect.as(env.sink.committed, written)
      },
      rolledBack: (cause: Cause.Cause<unknown>) => isSuperseded(cause) ? Effect.void : rolledBack(env, cause)
    }
    const { pipelining } = env
    if (pipelining !== undefined && canPipeline(env, chunk)) {
      const sent = Effect.map(
        pipelineRange(env, chunk, work, attempt, pipelining),
        ({ range, write }) => ({ ...done(range), write })
      )
      return commitPipelined(env.state, pipelining, sent, ends)
    }
    const transaction = commit(env.state, Effect.map(writeRange(env, chunk, work, attempt), done), ends)
    return env.state.session.faults === undefined
      ? transaction
      : Effect.zipLeft(transaction, FaultPoint.hit(env.state.session, "afterCommit"))
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Committed {
  readonly written: ReadonlyArray<any>
  /** How many inputs of the chunk are durable now. */
  readonly inputs: number
  readonly waiting: Array<Skip>
  readonly counts: CommitRecord["counts"]
  readonly checkpoint: Checkpoint
}

const writeRange = (
  env: ChunkEnv,
  chunk: Chunk,
  work: Work,
  attempt: Attempt
): Effect.Effect<Committed, any, any> => {
  const { session } = env.state
  const written = Effect.flatMap(work.outputs(attempt.range), (outputs) => {
    attempt.outputs = outputs
    return Effect.flatMap(writeItems(env, chunk, work, attempt), (isWritten) => {
      const done = settle(env, chunk, work, attempt, isWritten)
      const { flush } = env.sink
      const reported = done.durable.length === 0 ? Effect.void : reportSkips(env, done.durable)
      return flush === undefined
        ? Effect.as(reported, withWriter(env, chunk, work, done, Option.none()))
        : Effect.zipRight(
          reported,
          Effect.map(flush, (state) => withWriter(env, chunk, work, done, Option.some(state)))
        )
    })
  })
  return session.faults === undefined ? written : FaultPoint.hit(session, "beforeWrite").pipe(
    Effect.zipRight(written),
    Effect.zipLeft(FaultPoint.hit(session, "afterWrite"))
  )
}

const pipelineRange = (env: ChunkEnv, chunk: Chunk, work: Work, attempt: Attempt, { write }: ChunkPipelining) =>
  Effect.flatMap(work.outputs(attempt.range), (outputs) => {
    attempt.outputs = outputs
    const range = withWriter(env, chunk, work, settle(env, chunk, work, attempt, true), Option.none())
    return Effect.map(
      outputs.length === 0 ? Effect.succeed(undefined) : write.encode(outputs),
      (write) => ({ range, write })
    )
  })

/** What the transaction makes of the inputs in its range. */
interface Settled {
  readonly written: ReadonlyArray<any>
  readonly inputs: number
  readonly last: boolean
  readonly durable: ReadonlyArray<Skip>
  readonly waiting: Array<Skip>
}

const settle = (env: ChunkEnv, chunk: Chunk, work: Work, attempt: Attempt, isWritten: boolean): Settled => {
  const last = attempt.range.to >= work.size()
  const inputs = last ? chunk.inputs.length : work.inputsBefore(attempt.range.to)
  const [durable, waiting] = divide(chunk.skips, (skip) => work.covers(skip, inputs))
  return { written: isWritten ? attempt.outputs : [], inputs, last, durable, waiting }
}

const withWriter = (
  env: ChunkEnv,
  chunk: Chunk,
  work: Work,
  { durable, inputs, last, waiting, written }: Settled,
  writer: Option.Option<Json>
): Committed => ({
  written,
  inputs,
  waiting,
  checkpoint: checkpointOf(env, chunk, work, { last, inputs, writer }),
  counts: {
    ...heldCounts(durable, chunk.unread),
    write: written.length,
    filter: inputs - chunk.committed - written.length - durable.filter(({ index }) => index >= 0).length,
    commit: last && chunk.offset + chunk.inputs.length > 0 ? 1 : 0
  }
})

const divide = (
  skips: ReadonlyArray<Skip>,
  isDurable: (skip: Skip) => boolean
): readonly [durable: Array<Skip>, waiting: Array<Skip>] => {
  if (skips.length === 0) {
    return [[], []]
  }
  const ordered = [...skips].sort((one, other) => one.index - other.index)
  return [ordered.filter(isDurable), ordered.filter((skip) => !isDurable(skip))]
}

const checkpointOf = (
  env: ChunkEnv,
  chunk: Chunk,
  work: Work,
  { inputs, last, writer }: { readonly inputs: number; readonly last: boolean; readonly writer: Option.Option<Json> }
): Checkpoint =>
  last || !work.buffered ? { reader: Option.some(chunk.position), writer, scan: Option.none() } : {
    reader: env.position,
    writer,
    scan: Option.some({
      inputs: chunk.offset + chunk.inputs.length,
      done: chunk.offset + inputs,
      end: chunk.position,
      last: chunk.done
    })
  }

/** Whether the outputs were written; not so when the error of the only one was tolerated. */
const writeItems = (
  env: ChunkEnv,
  chunk: Chunk,
  work: Work,
  attempt: Attempt
): Effect.Effect<boolean, any, any> => {
  const { afterWrite, beforeCommit, beforeWrite } = env.state.hooks
  const { outputs, range } = attempt
  let write: Effect.Effect<boolean, any, any> = Effect.succeed(true)
  if (outputs.length > 0) {
    const single = Math.min(range.to, work.size()) - range.from === 1
    write = Effect.as(env.sink.write(outputs), true)
    if (single && env.state.definition.settings.noRollback !== undefined) {
      write = tolerating(env, chunk, work, attempt, write)
    }
    if (beforeWrite !== undefined) {
      write = Effect.zipRight(beforeWrite(outputs), write)
    }
    if (afterWrite !== undefined) {
      write = Effect.tap(write, (written) => written ? afterWrite(outputs) : Effect.void)
    }
  }
  return beforeCommit === undefined ? write : Effect.tap(write, (written) => beforeCommit(written ? outputs : []))
}

/** An error that may stay inside the transaction is skipped there, without a rollback (FTC-13, TXO-1). */
const tolerating = (
  env: ChunkEnv,
  chunk: Chunk,
  work: Work,
  attempt: Attempt,
  write: Effect.Effect<boolean, any, any>
): Effect.Effect<boolean, any, any> =>
  Effect.catchAllCause(write, (cause) => {
    const failure = failureOf(cause)
    if (Either.isLeft(failure) || !isTolerated(env, chunk, failure.right, attempt.scanning)) {
      return Effect.failCause(cause)
    }
    const skipped: Skip = {
      phase: "write",
      index: work.inputsBefore(attempt.range.from),
      item: Option.some(attempt.outputs[0]),
      error: failure.right
    }
    return Effect.map(skip(env, chunk, skipped), () => {
      attempt.tolerated = true
      chunk.tolerated = true
      return false
    })
  })

const publishCommit = (env: ChunkEnv): void => {
  const { progress, session } = env.state
  session.publish(
    BatchEvent.ChunkCommitted({
      job: session.execution,
      step: progress.step,
      progress: env.source.progress?.()
    })
  )
}

const isSuperseded = (cause: Cause.Cause<unknown>): boolean =>
  Option.exists(Cause.dieOption(cause), (defect) => defect instanceof Superseded) ||
  Option.exists(Cause.failureOption(cause), (error) => error instanceof Repairable && error.error instanceof Superseded)

const rolledBack = (env: ChunkEnv, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { session } = env.state
    advance(env.state, Progress.count, { rollback: 1 })
    session.publish(
      BatchEvent.ChunkRolledBack({ job: session.execution, step: current(env.state), message: describeCause(cause) })
    )
    // While nobody knows whether the commit happened, what was written must stay; a restart cuts it back if need be.
    return env.state.progress.doubt === undefined ? env.sink.rollback ?? Effect.void : Effect.void
  })
