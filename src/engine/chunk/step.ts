/**
 * The body of a chunk step: opens reader, processor and writer in the Scope of the step, and runs chunk after chunk
 * until the source ends or the step is asked to stop.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { Json } from "../../base/json.js"
import { makeBreather } from "../../base/yielding.js"
import type { Outcome } from "../../decisions/outcome.js"
import { passed } from "../../decisions/outcome.js"
import type { AnyEffect, ChunkBody } from "../../definition/tree.js"
import { CurrentTransaction } from "../../ports/Transactor.js"
import { BatchEvent } from "../../vocabulary/BatchEvent.js"
import { chunkFailed } from "../step/hooks.js"
import * as Progress from "../step/progress.js"
import type { StepState } from "../step/state.js"
import { advance, commit, current, isStopping, unnoticed } from "../step/state.js"
import { chunksAhead, ground, isAhead } from "./ahead.js"
import type { Checkpoint, Scan } from "./checkpoint.js"
import { decodeCheckpoint, encodeCheckpoint } from "./checkpoint.js"
import type { Work } from "./commit.js"
import type { Chunk, ChunkEnv } from "./env.js"
import { describeCause, makeChunk, mayRetry, noRetries, openSource } from "./env.js"
import { pipeliningOf } from "./pipelining.js"
import { processChunk } from "./process.js"
import { pull, readChunk } from "./read.js"
import { processedInside, readInside } from "./transactional.js"
import { buffered, writeChunk } from "./write.js"

export const runChunkStep = (state: StepState, body: ChunkBody): Effect.Effect<Outcome | undefined, any, any> =>
  Effect.gen(function*() {
    const stored = decodeCheckpoint(state.progress.step.checkpoint)
    const env = yield* open(state, body, stored)
    yield* storeOpened(env, stored)
    yield* guarded(env, Effect.zipRight(resumed(env, stored), allChunks(env)))
    if (env.done && env.sink.complete !== undefined) {
      yield* env.sink.complete
    }
    advance(state, Progress.amend, {
      checkpoint: Option.some(
        encodeCheckpoint({ reader: env.position, writer: env.writerState, scan: Option.none() })
      )
    })
    return env.done ? passed : undefined
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const open = (
  state: StepState,
  body: ChunkBody,
  stored: Checkpoint
): Effect.Effect<ChunkEnv, any, any> =>
  Effect.gen(function*() {
    const { skip } = state.definition.settings
    const scope = yield* Effect.scope
    const sourceScope = yield* Scope.fork(scope, ExecutionStrategy.sequential)
    const source = yield* Scope.extend(body.reader.open(stored.reader), sourceScope)
    const process = body.processor === undefined ? undefined : yield* body.processor.open
    const sink = yield* body.writer.open(stored.writer)
    const pipelining = pipeliningOf(state, sink, yield* CurrentTransaction)
    if (Either.isLeft(pipelining)) {
      yield* Effect.logDebug(`Step "${state.definition.name}" is not pipelined: ${pipelining.left}`)
    }
    return {
      state,
      body,
      scope,
      sourceScope,
      source,
      process,
      sink,
      pipelining: Option.getOrUndefined(Either.getRight(pipelining)),
      skipRun: skip === undefined ? undefined : yield* skip.start,
      position: stored.reader,
      writerState: stored.writer,
      done: false,
      begun: undefined,
      settle: undefined,
      flights: []
    }
  })

/**
 * A writer that starts with a state of its own, such as the length of a file that it appends to, has it stored before
 * anything is written: otherwise nobody could undo what a process left behind that died before its first commit.
 */
const storeOpened = (env: ChunkEnv, stored: Checkpoint): AnyEffect => {
  const { committed, flush, rollback } = env.sink
  if (flush === undefined || Option.isSome(stored.writer)) {
    return Effect.void
  }
  const retries = noRetries()
  const opened = Effect.map(flush, (state: Json) => {
    env.writerState = Option.some(state)
    return { checkpoint: Option.some(encodeCheckpoint({ ...stored, writer: env.writerState })), counts: {} }
  })
  const store: AnyEffect = Effect.suspend(() => commit(env.state, opened, unnoticed)).pipe(
    Effect.onError(() => env.state.progress.doubt === undefined ? rollback ?? Effect.void : Effect.void),
    Effect.catchAll((error) =>
      Effect.flatMap(mayRetry(env, retries, error), (again) => again ? store : Effect.fail(error))
    )
  )
  return Effect.zipRight(store, committed ?? Effect.void)
}

const resumed = (env: ChunkEnv, { scan }: Checkpoint): AnyEffect =>
  Option.isSome(scan) ? oneChunk(env, resumeScan(env, scan.value)) : Effect.void

const allChunks = (env: ChunkEnv): AnyEffect => isAhead(env) ? chunksAhead(env) : oneByOne(env)

const oneByOne = (env: ChunkEnv): AnyEffect => {
  const breathe = makeBreather()
  return Effect.whileLoop({
    while: () => !env.done && !isStopping(env.state),
    body: () => {
      const chunk = oneChunk(env, Effect.suspend(() => nextChunk(env)))
      const breath = breathe()
      return breath === undefined ? chunk : Effect.zipRight(breath, chunk)
    },
    step: () => {}
  })
}

/** What a chunk came to; none when there was nothing to commit. */
type Written = ReadonlyArray<any> | undefined

const nextChunk = (env: ChunkEnv): Effect.Effect<Written, any, any> => {
  const { transactional } = env.state.definition.settings
  return transactional.includes("read") ? transactionalChunk(env) : Effect.flatMap(readChunk(env), (chunk) => {
    if (chunk.inputs.length > 0 || chunk.skips.length > 0) {
      return writeInputs(env, chunk)
    }
    env.position = Option.some(chunk.position)
    env.done = chunk.done
    return Effect.succeed(undefined)
  })
}

const transactionalChunk = (env: ChunkEnv): Effect.Effect<Written, any, any> => {
  const chunk = makeChunk()
  return Effect.map(writeChunk(env, chunk, readInside(env, chunk)), (written) => {
    env.done = chunk.done
    return chunk.inputs.length > 0 ? written : undefined
  })
}

const writeInputs = (env: ChunkEnv, chunk: Chunk): Effect.Effect<Written, any, any> => {
  const { beforeChunk } = env.state.hooks
  const inside = env.state.definition.settings.transactional.length > 0
  const work: Effect.Effect<Work, any, any> = inside
    ? Effect.sync(() => processedInside(env, chunk))
    : Effect.map(processChunk(env, chunk), buffered)
  return Effect.flatMap(
    beforeChunk === undefined ? work : Effect.zipRight(beforeChunk(chunk.inputs), work),
    (work) =>
      Effect.map(writeChunk(env, chunk, work), (written) => {
        env.position = Option.some(chunk.position)
        env.done = chunk.done
        return written
      })
  )
}

/**
 * Reads the inputs of a half-written chunk again and goes on behind those that are done (FTC-16). What was counted and
 * reported for them is not counted again; bad records among them were reported with the first of them.
 */
const resumeScan = (env: ChunkEnv, scan: Scan): Effect.Effect<Written, any, any> =>
  Effect.gen(function*() {
    const chunk = makeChunk(scan.done)
    const inputs: Array<any> = []
    let done = false
    while (inputs.length < scan.inputs && !done) {
      const page = yield* pull(env, scan.inputs - inputs.length, chunk.position, chunk)
      inputs.push(...page.items)
      done = page.done
    }
    chunk.inputs = inputs.slice(scan.done)
    chunk.position = scan.end
    chunk.done = scan.last
    // The position of the open source may differ from the stored one by bad records behind the last input.
    if (!scan.last) {
      yield* openSource(env, Option.some(scan.end))
    }
    return yield* writeInputs(env, chunk)
  })

/** A chunk, and the listener that hears of its end: when that fails, the chunk is committed nevertheless. */
const oneChunk = (env: ChunkEnv, chunk: Effect.Effect<Written, any, any>): AnyEffect =>
  Effect.suspend(() => {
    const { afterChunk } = env.state.hooks
    env.begun = env.state.progress
    return Effect.flatMap(chunk, (written) => {
      env.begun = undefined
      return written === undefined || afterChunk === undefined ? Effect.void : afterChunk(written)
    })
  })

/**
 * A chunk that fails before its transaction opens is a rollback all the same (V6C-9): its context changes are
 * forgotten, and the listeners hear of it.
 */
const guarded = (env: ChunkEnv, chunks: AnyEffect): AnyEffect =>
  Effect.onExit(
    chunks,
    (exit) =>
      exit._tag === "Failure" ? Effect.map(ground(env), () => forget(env, describeCause(exit.cause))) : Effect.void
  ).pipe(
    Effect.catchAllCause((cause) =>
      env.begun === undefined ? Effect.failCause(cause) : chunkFailed(env.state.hooks, cause)
    )
  )

const forget = ({ begun, state }: ChunkEnv, message: string): void => {
  if (begun === undefined) {
    return
  }
  const before = Progress.rollbacks(state.progress)
  advance(state, Progress.abandon, begun)
  if (Progress.rollbacks(state.progress) > before) {
    state.session.publish(BatchEvent.ChunkRolledBack({ job: state.session.execution, step: current(state), message }))
  }
}
