/**
 * Reads and processes the next chunk while one is written.
 *
 * Nobody can tell the result from that of a step that does one after the other. What the policies decide depends on what
 * came before, so before one is asked about the next chunk, the chunk in front has ended. If that fails the step, the
 * next one has never been read: its counts and contexts are forgotten, and no position behind it was stored.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Tracer from "effect/Tracer"
import { turn } from "../../base/yielding.js"
import type { PipelineConnection } from "../../ports/pipelining.js"
import * as Telemetry from "../session/telemetry.js"
import { mayHaveCommitted } from "../step/doubt.js"
import * as Progress from "../step/progress.js"
import type { StepState } from "../step/state.js"
import { advance, isStopping, services } from "../step/state.js"
import * as Chunk from "./chunk.js"
import type { OutputSource } from "./commit.js"
import * as Cursor from "./cursor.js"
import { processChunk } from "./process.js"
import { readChunk } from "./read.js"
import type { ChunkEffect, ChunkFailure } from "./rejection.js"
import { Superseded } from "./rejection.js"
import type { ChunkEnv, ChunkRun } from "./run.js"
import { canPipeline, move } from "./run.js"
import { buffered, writeChunk } from "./write.js"

/** A chunk that is being written beside the next one. */
interface InFlight {
  readonly fiber: Fiber.Fiber<unknown, ChunkFailure>
  /** What the step was when the ways parted. */
  readonly parted: Progress.Progress
  /** Of the chunk, with a state and a cursor of its own. */
  readonly run: ChunkRun
}

/** A chunk step that may do so. */
export interface AheadRun extends ChunkRun {
  /** The chunks that are being written beside the next one, in their order. Replaced by `setInFlight` only. */
  inFlight: ReadonlyArray<InFlight>
}

export const make = (env: ChunkEnv, state: StepState, cursor: Cursor.Cursor): AheadRun => {
  const run: AheadRun = {
    env,
    state,
    cursor,
    chunk: Chunk.make(),
    inFlight: [],
    awaitEarlierChunks: Effect.suspend(() => awaitAll(run))
  }
  return run
}

/**
 * Whether the step does so. By itself only when a chunk is one message to a database, as there is nothing to do meanwhile,
 * and when nobody could notice: the source is independent of what is written, and the processor is a plain function.
 * Listeners want to see the chunks one after the other.
 */
export const isAhead = ({ env: { body, pipelining, process, source }, state }: ChunkRun): boolean => {
  const { beforeStep: _, onSkipInProcess: _process, onSkipInRead: _read, onSkipInWrite: _write, ...hooks } = state.hooks
  const isUnnoticed = pipelining !== undefined && source.current().independent === true &&
    (process === undefined || process._tag === "Sync")
  return (body.prefetch ?? isUnnoticed) &&
    state.definition.settings.transactional.length === 0 &&
    Object.values(hooks).every((callback) => callback === undefined)
}

/** All chunks up to the end of the source, or to a request to stop. */
export const chunksAhead = (run: AheadRun): ChunkEffect<void> =>
  Effect.zipRight(
    Effect.whileLoop({
      while: () => !run.cursor.done && !isStopping(run.state),
      body: () =>
        Effect.flatMap(
          Effect.exit(prepared(run)),
          (next) => Effect.flatMap(awaitRoom(run, next), () => send(run, next))
        ),
      step: () => {}
    }),
    awaitAll(run)
  )

/** Leaves nothing in flight when the step ends in the middle: whoever is still writing is interrupted. */
export const cancelAll = (run: AheadRun): Effect.Effect<void> =>
  Effect.suspend(() => {
    const [first, ...others] = run.inFlight
    return first === undefined ? Effect.void : Effect.flatMap(Fiber.interrupt(first.fiber), (exit) => {
      conclude(run, first, exit)
      return Exit.isSuccess(exit) ? cancelAll(run) : discard(run, others)
    })
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

interface Prepared {
  readonly source: OutputSource
  readonly span: Tracer.Span | undefined
}

/** None when there is nothing to write. */
const prepared = (run: AheadRun): ChunkEffect<Prepared | undefined> =>
  Effect.suspend(() => {
    const { progress, telemetry } = run.state
    move(run, Cursor.begin, progress)
    const span = Telemetry.chunkSpan(telemetry, progress.step)
    const prepared = Effect.flatMap(readChunk(run), () => {
      if (Chunk.isEmpty(run.chunk)) {
        move(run, Cursor.pass, run.chunk)
        return Effect.succeed(undefined)
      }
      return Effect.map(processChunk(run), (outputs) => ({ source: buffered(outputs), span }))
    })
    return span === undefined ? prepared : Effect.onError(
      Telemetry.below(span, prepared),
      (cause) => Effect.sync(() => Telemetry.endChunk(telemetry, span, Exit.failCause(cause)))
    )
  })

type Next = Exit.Exit<Prepared | undefined, ChunkFailure>

/** A chunk waits for those in front of it, unless it can be sent behind the only one. */
const awaitRoom = (run: AheadRun, next: Next): ChunkEffect<void> =>
  Effect.suspend(() => {
    const [first, second] = run.inFlight
    const isReady = Exit.isSuccess(next) && next.value !== undefined
    if (first === undefined || (second === undefined && isReady && canFollow(run, first))) {
      return Effect.void
    }
    return Effect.flatMap(awaitFirst(run, first), () => awaitRoom(run, next))
  })

const canFollow = (run: ChunkRun, front: InFlight): boolean =>
  canPipeline(run) && run.env.pipelining?.connection.isBusy() === true &&
  front.run.state.progress.sent !== undefined

/** Begins to write, and gives the first commands the time to leave. */
const send = (run: AheadRun, next: Next): ChunkEffect<void> => {
  if (Exit.isFailure(next)) {
    return next
  }
  if (next.value === undefined) {
    move(run, Cursor.end)
    return Effect.void
  }
  const { env, state } = run
  const { chunk } = run
  const { source, span } = next.value
  const parted = state.progress
  const own: StepState = { ...state }
  const [front] = run.inFlight
  const following = front && follow(own, env.pipelining!.connection, front)
  const written: ChunkRun = {
    env,
    state: own,
    cursor: run.cursor,
    chunk,
    awaitEarlierChunks: following?.awaitFront
  }
  advance(state, Progress.branch)
  move(run, Cursor.pass, chunk)
  move(run, Cursor.end)
  const connection = following?.connection ?? env.pipelining?.connection
  const write = writeChunk({ run: written, source, connection })
  const aware = env.pipelining === undefined ? Effect.provide(write, services(own)) : write
  return Effect.forkDaemon(Effect.interruptible(traced(own, span, aware))).pipe(
    Effect.map((fiber) => {
      setInFlight(run, [...run.inFlight, { fiber, parted, run: written }])
    }),
    Effect.uninterruptible,
    Effect.zipRight(turn)
  )
}

const traced = (
  { telemetry }: StepState,
  span: Tracer.Span | undefined,
  write: ChunkEffect<ReadonlyArray<unknown>>
): ChunkEffect<ReadonlyArray<unknown>> =>
  span === undefined ?
    write :
    Effect.onExit(Telemetry.below(span, write), (exit) =>
      Effect.sync(() =>
        Telemetry.endChunk(telemetry, span, exit, Exit.isSuccess(exit) ? { written: exit.value.length } : {})
      ))

interface Following {
  /** For all transactions of the chunk. */
  readonly connection: PipelineConnection<Superseded>
  /** From then on the step is what the chunk in front has made of it. */
  readonly awaitFront: Effect.Effect<void, Superseded>
}

/**
 * Sends the first transaction of a chunk right behind that of the chunk in front, as what follows if that succeeds. If it
 * does not, the database refuses this one too, which then is sent again behind whatever became of the chunk in front.
 */
const follow = (state: StepState, connection: PipelineConnection, front: InFlight): Following => {
  const hoped = front.run.state.progress.sent!
  let hasEnded = false
  advance(state, Progress.assume, hoped)
  const awaitFront = Effect.suspend(() =>
    hasEnded ? Effect.void : Effect.flatMap(Fiber.await(front.fiber), (exit): Effect.Effect<void, Superseded> => {
      hasEnded = true
      if (Exit.isFailure(exit)) {
        return Effect.fail(new Superseded(false))
      }
      advance(state, Progress.assume, front.run.state.progress.step)
      return Effect.void
    })
  )
  const isAsHoped = () => front.run.state.progress.step === hoped
  /** The early answer counts only if the chunk in front has become what was hoped for. */
  const answered = <A, E>(early: Exit.Exit<A, E>): Effect.Effect<A, E | Superseded> =>
    Effect.flatMap(
      awaitFront,
      (): Effect.Effect<A, E | Superseded> =>
        isAsHoped() && (Exit.isSuccess(early) || mayHaveCommitted(early.cause))
          ? early
          : Effect.fail(new Superseded(true))
    )
  return {
    awaitFront,
    connection: {
      isBusy: connection.isBusy,
      transact: (first, last) =>
        hasEnded
          ? connection.transact(first, last)
          : Effect.flatMap(Effect.exit(connection.transact(first, last)), answered)
    }
  }
}

const awaitAll = (run: AheadRun): ChunkEffect<void> =>
  Effect.suspend(() => {
    const [first] = run.inFlight
    return first === undefined ? Effect.void : Effect.flatMap(awaitFirst(run, first), () => awaitAll(run))
  })

const awaitFirst = (run: AheadRun, first: InFlight): ChunkEffect<void> =>
  Effect.flatMap(Fiber.await(first.fiber), (exit) => {
    const [, ...others] = run.inFlight
    conclude(run, first, exit)
    return Exit.isSuccess(exit) ? Effect.void : Effect.zipRight(Effect.uninterruptible(discard(run, others)), exit)
  })

/** The one place where what is in flight is replaced. */
const setInFlight = (run: AheadRun, inFlight: AheadRun["inFlight"]): void => {
  run.inFlight = inFlight
}

/** What was sent behind a chunk that failed has come to nothing. */
const discard = (run: AheadRun, chunks: ReadonlyArray<InFlight>): Effect.Effect<void> => {
  setInFlight(run, [])
  return Effect.forEach(chunks, ({ fiber }) => Fiber.interrupt(fiber), { discard: true })
}

/** What the end of the first chunk in flight makes of the step. */
const conclude = (
  run: AheadRun,
  { parted, run: { cursor, state } }: InFlight,
  exit: Exit.Exit<unknown, unknown>
): void => {
  setInFlight(run, run.inFlight.slice(1))
  if (Exit.isSuccess(exit)) {
    advance(run.state, Progress.rejoin, parted, state.progress)
    move(run, Cursor.rejoin, cursor, Progress.rollBack(run.state.progress, state.progress))
  } else {
    advance(run.state, Progress.fallBack, state.progress)
    move(run, Cursor.fallBack, cursor)
  }
}
