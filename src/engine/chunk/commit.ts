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
import * as Measure from "../../decisions/measure.js"
import type { PipelineConnection, Pipelined } from "../../ports/pipelining.js"
import type { Open } from "../../ports/Transactor.js"
import { CurrentTransaction, lostConnections } from "../../ports/Transactor.js"
import { BatchEvent } from "../../vocabulary/BatchEvent.js"
import * as Counts from "../../vocabulary/Counts.js"
import * as FaultPoint from "../session/faultPoint.js"
import { backAgain } from "../session/saving.js"
import type { Item } from "../step/engine.js"
import * as Hooks from "../step/hooks.js"
import type { CommitRecord } from "../step/progress.js"
import * as Progress from "../step/progress.js"
import type { StepState } from "../step/state.js"
import { advance, commit, commitPipelined, current } from "../step/state.js"
import type { Checkpoint } from "./checkpoint.js"
import { encodeCheckpoint } from "./checkpoint.js"
import type { Skip } from "./chunk.js"
import * as Chunk from "./chunk.js"
import * as Cursor from "./cursor.js"
import type { Range } from "./machine.js"
import type { ChunkPipelining } from "./pipelining.js"
import { policyFailure, skip, staysOpen } from "./policies.js"
import type { ChunkEffect, ChunkFailure, Superseded } from "./rejection.js"
import { describeCause, isSuperseded, Unreached } from "./rejection.js"
import type { ChunkRun } from "./run.js"
import { canPipeline, change, move } from "./run.js"
import { reportSkips } from "./skips.js"

/** Where the outputs of a chunk come from, and what its ranges count: outputs, or inputs that are not processed yet. */
export interface OutputSource {
  /** Infinite until a transactional reader has read the chunk. */
  readonly size: () => number
  /** How many inputs are done when everything in front of a unit is. */
  readonly inputsBefore: (unit: number) => number
  /** Inside the transaction. */
  readonly outputs: (range: Range) => ChunkEffect<ReadonlyArray<Item>>
  /** Whether a skip belongs to the transaction that makes so many inputs durable. */
  readonly covers: (skip: Skip, inputs: number) => boolean
  /** Whether the inputs outlive a rollback. Otherwise they are read again, from `rewind` on. */
  readonly buffered: boolean
  readonly rewind: ChunkEffect<void>
  /** The same without some of its units, where each output is a unit. */
  readonly without?: ((units: ReadonlySet<number>) => OutputSource) | undefined
}

/** The chunk of a run, that is being written. */
export interface ChunkWrite {
  readonly run: ChunkRun
  readonly source: OutputSource
  /** Where its transactions are sent that can be pipelined. */
  readonly connection: PipelineConnection<Superseded> | undefined
}

/** One range of it, in one transaction. */
export interface RangeWrite extends ChunkWrite {
  readonly range: Range
  /** Whether bad records are being searched, when nothing that may be skipped is retried (FT6-4). */
  readonly scanning: boolean
}

/** Runs the transaction and gives what it wrote. */
export const runTransaction = (write: RangeWrite): ChunkEffect<ReadonlyArray<Item>> =>
  Effect.suspend(() => {
    const { connection, run } = write
    const { env: { from, pipelining, source }, state } = run
    let result: RangeResult | undefined
    const { commit: timeCommit, now, write: timeWrite } = state.telemetry
    const began = now()
    let saving = began
    change(run, Chunk.beginTransaction)
    const record = (done: RangeResult): CommitRecord => {
      result = done
      saving = now()
      timeWrite(began)
      return {
        checkpoint: Option.some(
          encodeCheckpoint(done.checkpoint, Measure.make(run.chunk.progress ?? source.current().progress?.(), from))
        ),
        counts: done.counts,
        awaitingCommit: Chunk.countsOf(done.waiting, 0)
      }
    }
    const ends = {
      committed: () => {
        timeCommit(saving)
        return committed(run, result!)
      },
      rolledBack: (cause: Cause.Cause<unknown>) => isSuperseded(cause) ? Effect.void : rolledBack(run, cause)
    }
    if (pipelining !== undefined && connection !== undefined && canPipeline(run)) {
      const sent = Effect.map(pipelinedRange(write, pipelining), ({ commands, result }) => ({
        ...record(result),
        write: commands
      }))
      return unreached(state, commitPipelined(state, { connection, save: pipelining.save }, sent, ends), () => false)
    }
    const watched = watching(writtenRange(write))
    return FaultPoint.around(
      state.session,
      undefined,
      unreached(state, commit(state, Effect.map(watched.work, record), ends), watched.isLost),
      "afterCommit"
    )
  })

/** Work inside of a transaction, and whether that lost its connection. */
export const watching = <A>(
  work: ChunkEffect<A>
): { readonly work: ChunkEffect<A>; readonly isLost: () => boolean } => {
  let open: Open | undefined
  return {
    work: Effect.withFiberRuntime((fiber) => {
      open = fiber.getFiberRef(CurrentTransaction)
      return work
    }),
    isLost: () => open?.isLost === true
  }
}

/**
 * Tells a transaction that has certainly not happened, because its connection was lost, from one that was refused. Of a commit
 * that nobody could look up nothing is certain.
 */
export const unreached = <A>(
  state: StepState,
  transaction: ChunkEffect<A>,
  isLost: () => boolean
): ChunkEffect<A> =>
  Effect.catchAllCause(transaction, (cause) => {
    const error = Option.getOrUndefined(Cause.failureOption(cause))
    const isMarked = typeof error === "object" && error !== null && lostConnections.has(error)
    return (isLost() || isMarked) && !Cause.isInterrupted(cause) && state.progress.doubt === undefined
      ? Effect.fail(new Unreached(cause))
      : Effect.failCause(cause)
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** What a transaction makes of the inputs in its range. */
interface Account {
  readonly written: ReadonlyArray<Item>
  /** How many inputs of the chunk are durable with it. */
  readonly inputs: number
  readonly isLast: boolean
  readonly durable: ReadonlyArray<Skip>
  readonly waiting: Array<Skip>
}

/** The same as what is stored. */
interface RangeResult {
  readonly written: ReadonlyArray<Item>
  readonly inputs: number
  readonly waiting: Array<Skip>
  readonly counts: CommitRecord["counts"]
  readonly checkpoint: Checkpoint
}

const committed = (run: ChunkRun, result: RangeResult): Effect.Effect<ReadonlyArray<Item>> => {
  const { checkpoint, inputs, waiting, written } = result
  const { sink, source } = run.env
  const { progress, session } = run.state
  change(run, Chunk.commit, inputs, waiting)
  move(run, Cursor.commit, checkpoint)
  session.publish(
    BatchEvent.ChunkCommitted({
      job: session.execution,
      step: progress.step,
      progress: source.current().progress?.()
    })
  )
  const told = sink.committed === undefined ? Effect.succeed(written) : Effect.as(sink.committed, written)
  return session.outage === undefined ? told : Effect.zipLeft(told, backAgain(session))
}

const rolledBack = ({ env: { sink }, state }: ChunkRun, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { session } = state
    advance(state, Progress.count, { rollback: 1 })
    session.publish(
      BatchEvent.ChunkRolledBack({ job: session.execution, step: current(state), message: describeCause(cause) })
    )
    // While nobody knows whether the commit happened, what was written must stay; a restart cuts it back if need be.
    return state.progress.doubt === undefined ? sink.rollback ?? Effect.void : Effect.void
  })

const writtenRange = (write: RangeWrite): ChunkEffect<RangeResult> => {
  const { env: { sink: { flush } }, state: { session } } = write.run
  const written = Effect.flatMap(write.source.outputs(write.range), (outputs) => {
    change(write.run, Chunk.write, outputs)
    return Effect.flatMap(writeItems(write), (isWritten) => {
      const account = accountFor(write, isWritten)
      const reported = account.durable.length === 0 ? Effect.void : reportSkips(write.run, account.durable)
      return flush === undefined
        ? Effect.as(reported, resultOf(write, account, Option.none()))
        : Effect.zipRight(reported, Effect.map(flush, (state) => resultOf(write, account, Option.some(state))))
    })
  })
  return FaultPoint.around(session, "beforeWrite", written, "afterWrite")
}

const pipelinedRange = (write: RangeWrite, pipelining: ChunkPipelining): ChunkEffect<{
  readonly commands: Pipelined<unknown, ChunkFailure> | undefined
  readonly result: RangeResult
}> =>
  Effect.flatMap(write.source.outputs(write.range), (outputs) => {
    change(write.run, Chunk.write, outputs)
    const result = resultOf(write, accountFor(write, true), Option.none())
    return Effect.map(
      outputs.length === 0 ? Effect.succeed(undefined) : pipelining.write.encode(outputs),
      (commands) => ({ commands, result })
    )
  })

const accountFor = ({ range, run: { chunk }, source }: RangeWrite, isWritten: boolean): Account => {
  const isLast = range.to >= source.size()
  const inputs = isLast ? chunk.inputs.length : source.inputsBefore(range.to)
  const [durable, waiting] = divide(chunk.skips, (skip) => source.covers(skip, inputs))
  return { written: isWritten ? chunk.outputs : [], inputs, isLast, durable, waiting }
}

const resultOf = (write: RangeWrite, account: Account, writer: Option.Option<Json>): RangeResult => {
  const { durable, inputs, isLast, waiting, written } = account
  const { chunk } = write.run
  return {
    written,
    inputs,
    waiting,
    checkpoint: checkpointOf(write, account, writer),
    counts: Counts.add(
      Chunk.countsOf(durable, chunk.attempts.readAgain),
      Counts.make({
        write: written.length,
        filter: inputs - chunk.committed - written.length - durable.filter(({ index }) => index >= 0).length,
        commit: isLast && chunk.inputs.length > 0 ? 1 : 0
      })
    )
  }
}

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
  { run: { chunk, cursor }, source }: RangeWrite,
  { inputs, isLast }: Account,
  writer: Option.Option<Json>
): Checkpoint =>
  isLast || !source.buffered ? { reader: Option.some(chunk.position), writer, scan: Option.none() } : {
    reader: cursor.position,
    writer,
    scan: Option.some({
      inputs: chunk.offset + chunk.inputs.length,
      done: chunk.offset + inputs,
      end: chunk.position,
      last: chunk.done
    })
  }

/** Whether the outputs were written; not so when the only one was left out. */
const writeItems = (write: RangeWrite): ChunkEffect<boolean> => {
  const { range, run, source } = write
  const { outputs } = run.chunk
  const { definition, hooks } = run.state
  let written: ChunkEffect<boolean> = Effect.succeed(true)
  if (outputs.length > 0) {
    const isSingle = Math.min(range.to, source.size()) - range.from === 1
    written = Effect.as(run.env.sink.write(outputs), true)
    if (isSingle && definition.settings.noRollback !== undefined) {
      written = leavingOut(write, written)
    }
    written = Hooks.tellBefore(hooks.beforeWrite, written, outputs)
    if (hooks.afterWrite !== undefined) {
      written = Effect.tap(written, (isWritten) => isWritten ? Hooks.tell(hooks.afterWrite, outputs) : Effect.void)
    }
  }
  return hooks.beforeCommit === undefined
    ? written
    : Effect.tap(written, (isWritten) => Hooks.tell(hooks.beforeCommit, isWritten ? outputs : []))
}

/** An error that may stay inside the transaction is skipped there, without a rollback (FTC-13, TXO-1). */
const leavingOut = (write: RangeWrite, written: ChunkEffect<boolean>): ChunkEffect<boolean> =>
  Effect.catchAllCause(written, (cause): ChunkEffect<boolean> => {
    const { range, run, scanning, source } = write
    const failure = policyFailure(cause)
    if (Either.isLeft(failure) || !staysOpen(run, failure.right, scanning)) {
      return Effect.failCause(cause)
    }
    const skipped = Chunk.badOutput(source.inputsBefore(range.from), run.chunk.outputs[0], failure.right)
    return Effect.map(skip(run, skipped), () => {
      change(run, Chunk.keepOpen, "write")
      return false
    })
  })
