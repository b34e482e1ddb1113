/**
 * The body of a chunk step: opens reader, processor and writer in the Scope of the step, and runs chunk after chunk
 * until the source ends or the step is asked to stop.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { makeBreather } from "../../base/yielding.js"
import type { Outcome } from "../../decisions/outcome.js"
import { passed } from "../../decisions/outcome.js"
import type { ChunkBody } from "../../definition/tree.js"
import type { Sink } from "../../item/ItemWriter.js"
import * as sinks from "../../item/sinks.js"
import { CurrentTransaction } from "../../ports/Transactor.js"
import { BatchEvent } from "../../vocabulary/BatchEvent.js"
import { waitOut } from "../session/saving.js"
import * as Telemetry from "../session/telemetry.js"
import type { Engine, Item, UserError, UserServices } from "../step/engine.js"
import { chunkFailed, tellBefore } from "../step/hooks.js"
import * as Progress from "../step/progress.js"
import type { StepState } from "../step/state.js"
import { advance, commit, current, isStopping, unnoticed } from "../step/state.js"
import type { AheadRun } from "./ahead.js"
import * as Ahead from "./ahead.js"
import type { Checkpoint, Scan } from "./checkpoint.js"
import { decodeCheckpoint, encodeCheckpoint } from "./checkpoint.js"
import * as Chunk from "./chunk.js"
import type { OutputSource } from "./commit.js"
import { unreached, watching } from "./commit.js"
import * as Cursor from "./cursor.js"
import { pipeliningOf } from "./pipelining.js"
import { mayRetry } from "./policies.js"
import { processChunk } from "./process.js"
import { pull, readChunk } from "./read.js"
import type { ChunkEffect, ChunkFailure } from "./rejection.js"
import { describeCause, Unreached } from "./rejection.js"
import type { Retries } from "./retries.js"
import { noRetries } from "./retries.js"
import type { ChunkEnv, ChunkRun } from "./run.js"
import { change, move } from "./run.js"
import * as ChunkSource from "./source.js"
import { processedInside, readInside } from "./transactional.js"
import { buffered, writeChunk } from "./write.js"

export const runChunkStep = (state: StepState, body: ChunkBody): Engine<Outcome | undefined, ChunkFailure> =>
  Effect.gen(function*() {
    const stored = decodeCheckpoint(state.progress.step.checkpoint)
    const run = Ahead.make(yield* open(state, body, stored), state, Cursor.make(stored))
    yield* storeFlushed(run)
    yield* abandoningFailed(run, Effect.zipRight(resumed(run, stored), allChunks(run)))
    const { complete } = run.env.sink
    if (run.cursor.done && complete !== undefined) {
      yield* storeFlushed(run)
      yield* complete
    }
    const checkpoint = Option.some(encodeCheckpoint(Cursor.checkpoint(run.cursor)))
    advance(state, Progress.amend, { checkpoint })
    return run.cursor.done ? passed : undefined
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const open = (state: StepState, body: ChunkBody, stored: Checkpoint): Engine<ChunkEnv> =>
  Effect.gen(function*() {
    const { name, settings } = state.definition
    const source = yield* ChunkSource.open(body.reader, stored.reader)
    const process = body.processor === undefined ? undefined : yield* body.processor.open
    yield* sinks.warnOfLess(body.writer, body.writer.delivery)
    const sink: Sink<Item, UserError, UserServices> = yield* body.writer.open(stored.writer)
    const pipelining = pipeliningOf(state, sink, yield* CurrentTransaction)
    if (Either.isLeft(pipelining)) {
      yield* Effect.logDebug(`Step "${name}" is not pipelined: ${pipelining.left}`)
    }
    return {
      body,
      source,
      process,
      sink,
      resumed: Option.isSome(stored.reader),
      from: source.current().progress?.().done ?? 0,
      retried: { times: 0 },
      skipRun: settings.skip === undefined ? undefined : yield* settings.skip.start,
      pipelining: Option.getOrUndefined(Either.getRight(pipelining))
    }
  })

/**
 * A writer with a state of its own has it stored before anything is written, such as the length of a file that it appends
 * to, or the name of a file that it is going to make: otherwise nobody could undo what a process left behind that died
 * before its first commit. It has it stored again before it completes, so that those who come next know what it has completed.
 */
const storeFlushed = (run: ChunkRun): ChunkEffect<void> => {
  const { committed, flush, rollback } = run.env.sink
  if (flush === undefined) {
    return Effect.void
  }
  const { state } = run
  const flushed = Effect.map(flush, (writer) => {
    move(run, Cursor.storeWriter, writer)
    const { scan } = decodeCheckpoint(state.progress.step.checkpoint)
    return { checkpoint: Option.some(encodeCheckpoint({ ...Cursor.checkpoint(run.cursor), scan })), counts: {} }
  })
  const watched = watching(flushed)
  const store = (tried: Retries): ChunkEffect<void> =>
    unreached(state, commit(state, watched.work, unnoticed), watched.isLost).pipe(
      Effect.onError(() => state.progress.doubt === undefined ? rollback ?? Effect.void : Effect.void),
      Effect.catchAll((error) =>
        error instanceof Unreached
          ? Effect.flatMap(waitOut(state.session), (again) => again ? store(tried) : Effect.failCause(error.cause))
          : Effect.flatMap(
            mayRetry(run, tried, error, { phase: "write", items: [] }),
            ({ again, retries }) => again ? store(retries) : Effect.fail(error)
          )
      )
    )
  return Effect.zipRight(Effect.suspend(() => store(noRetries)), committed ?? Effect.void)
}

const resumed = (run: ChunkRun, { scan }: Checkpoint): ChunkEffect<void> =>
  Option.isSome(scan) ? oneChunk(run, resumeScan(run, scan.value)) : Effect.void

const allChunks = (run: AheadRun): ChunkEffect<void> =>
  Ahead.isAhead(run) ? Ahead.chunksAhead(run) : oneAfterTheOther(run)

const oneAfterTheOther = (run: ChunkRun): ChunkEffect<void> => {
  const breathe = makeBreather()
  return Effect.whileLoop({
    while: () => !run.cursor.done && !isStopping(run.state),
    body: () => {
      const chunk = oneChunk(run, Effect.suspend(() => nextChunk(run)))
      const breath = breathe()
      return breath === undefined ? chunk : Effect.zipRight(breath, chunk)
    },
    step: () => {}
  })
}

/** The outputs of a chunk that were written; none when there was nothing to commit. */
type WrittenChunk = ReadonlyArray<Item> | undefined

const nextChunk = (run: ChunkRun): ChunkEffect<WrittenChunk> => {
  const { transactional } = run.state.definition.settings
  return transactional.includes("read") ? transactionalChunk(run) : Effect.flatMap(readChunk(run), () => {
    if (!Chunk.isEmpty(run.chunk)) {
      return writeInputs(run)
    }
    move(run, Cursor.pass, run.chunk)
    return Effect.succeed(undefined)
  })
}

const transactionalChunk = (run: ChunkRun): ChunkEffect<WrittenChunk> => {
  change(run, () => Chunk.make())
  return Effect.map(write(run, readInside(run)), (written) => {
    move(run, Cursor.finish, run.chunk.done)
    return run.chunk.inputs.length > 0 ? written : undefined
  })
}

const writeInputs = (run: ChunkRun): ChunkEffect<WrittenChunk> => {
  const { definition: { settings }, hooks } = run.state
  const source: ChunkEffect<OutputSource> = settings.transactional.length > 0
    ? Effect.sync(() => processedInside(run))
    : Effect.map(processChunk(run), buffered)
  return Effect.flatMap(
    tellBefore(hooks.beforeChunk, source, run.chunk.inputs),
    (source) =>
      Effect.map(write(run, source), (written) => {
        move(run, Cursor.pass, run.chunk)
        return written
      })
  )
}

const write = (run: ChunkRun, source: OutputSource): ChunkEffect<ReadonlyArray<Item>> =>
  writeChunk({ run, source, connection: run.env.pipelining?.connection })

/**
 * Reads the inputs of a half-written chunk again and goes on behind those that are done (FTC-16). What was counted and
 * reported for them is not counted again; bad records among them were reported with the first of them.
 */
const resumeScan = (run: ChunkRun, scan: Scan): ChunkEffect<WrittenChunk> =>
  Effect.gen(function*() {
    change(run, () => Chunk.make(scan.done))
    const inputs: Array<Item> = []
    let done = false
    while (inputs.length < scan.inputs && !done) {
      const page = yield* pull(run, scan.inputs - inputs.length, null)
      inputs.push(...page.items)
      done = page.done
    }
    change(run, Chunk.fill, { items: inputs.slice(scan.done), position: scan.end, done: scan.last })
    // The position of the open source may differ from the stored one by bad records behind the last input.
    if (!scan.last) {
      yield* run.env.source.reopen(Option.some(scan.end))
    }
    return yield* writeInputs(run)
  })

/** A chunk, and the listener that hears of its end: when that fails, the chunk is committed nevertheless. */
const oneChunk = (run: ChunkRun, chunk: ChunkEffect<WrittenChunk>): ChunkEffect<unknown> =>
  Effect.suspend(() => {
    const { afterChunk } = run.state.hooks
    move(run, Cursor.begin, run.state.progress)
    return Effect.flatMap(traced(run, chunk), (written) => {
      move(run, Cursor.end)
      return written === undefined || afterChunk === undefined ? Effect.void : afterChunk(written)
    })
  })

/** A look at the source that found nothing is no chunk. */
const traced = ({ state: { progress, telemetry } }: ChunkRun, chunk: ChunkEffect<WrittenChunk>) => {
  const span = Telemetry.chunkSpan(telemetry, progress.step)
  return span === undefined ? chunk : Effect.onExit(Telemetry.below(span, chunk), (exit) =>
    Effect.sync(() => {
      if (Exit.isFailure(exit) || exit.value !== undefined) {
        Telemetry.endChunk(telemetry, span, exit, Exit.isSuccess(exit) ? { written: exit.value!.length } : {})
      }
    }))
}

/**
 * A chunk that fails before its transaction opens is a rollback all the same (V6C-9): its context changes are
 * forgotten, and the listeners hear of it.
 */
const abandoningFailed = (run: AheadRun, chunks: ChunkEffect<void>): ChunkEffect<void> =>
  Effect.onExit(
    chunks,
    (exit) =>
      exit._tag === "Failure"
        ? Effect.map(Ahead.cancelAll(run), () => abandon(run, describeCause(exit.cause)))
        : Effect.void
  ).pipe(
    Effect.catchAllCause((cause) =>
      run.cursor.began === undefined ? Effect.failCause(cause) : chunkFailed(run.state.hooks, cause)
    )
  )

const abandon = ({ cursor: { began }, state }: ChunkRun, message: string): void => {
  if (began === undefined) {
    return
  }
  const before = Progress.rollbacks(state.progress)
  advance(state, Progress.abandon, began)
  if (Progress.rollbacks(state.progress) > before) {
    state.session.publish(BatchEvent.ChunkRolledBack({ job: state.session.execution, step: current(state), message }))
  }
}
