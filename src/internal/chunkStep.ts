/**
 * The body of a chunk step: opens reader, processor and writer in the Scope of the step, and runs chunk after chunk
 * until the source ends or the step is asked to stop.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { BatchEvent } from "../BatchEvent.js"
import type { Chunk, ChunkEnv } from "./chunkEnv.js"
import { processChunk } from "./chunkProcess.js"
import { readChunk } from "./chunkRead.js"
import { decodeCheckpoint, encodeCheckpoint, writeChunk } from "./chunkWrite.js"
import type { AnyEffect, ChunkBody } from "./definition.js"
import { describe, Fatal } from "./failure.js"
import type { StepState } from "./stepState.js"
import { count, current, isStopping } from "./stepState.js"
import { makeBreather } from "./yielding.js"

export const runChunkStep = (state: StepState, body: ChunkBody): AnyEffect =>
  Effect.gen(function*() {
    const stored = decodeCheckpoint(state.step.checkpoint)
    const { skip } = state.definition.settings
    const env: ChunkEnv = {
      state,
      body,
      source: yield* body.reader.open(stored.reader),
      process: body.processor === undefined ? undefined : yield* body.processor.open,
      sink: yield* body.writer.open(stored.writer),
      skipRun: skip === undefined ? undefined : yield* skip.start,
      position: stored.reader,
      writerState: stored.writer,
      done: false
    }
    const breathe = makeBreather()
    if (Option.isSome(stored.scan)) {
      yield* orRollback(env, resumeScan(env, stored.scan.value))
    }
    while (!env.done && !isStopping(state)) {
      yield* orRollback(env, runChunk(env))
      yield* breathe
    }
    if (env.done && env.sink.complete !== undefined) {
      yield* env.sink.complete
    }
    state.step = {
      ...state.step,
      checkpoint: Option.some(
        encodeCheckpoint({ reader: env.position, writer: env.writerState, scan: Option.none() })
      )
    }
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const runChunk = (env: ChunkEnv): AnyEffect =>
  Effect.gen(function*() {
    const chunk = yield* readChunk(env)
    if (chunk.items.length === 0 && chunk.skips.length === 0) {
      env.position = Option.some(chunk.position)
      env.done = chunk.done
      return
    }
    yield* beforeChunk(env, chunk)
    const outputs = yield* processChunk(env, chunk)
    yield* writeChunk(env, chunk, outputs)
    env.done = chunk.done
  })

/**
 * Reads the items of a half-written chunk again and goes on behind those that are done. What was counted and reported
 * before the interruption is not counted again.
 */
const resumeScan = (
  env: ChunkEnv,
  scan: { readonly items: number; readonly done: number }
): AnyEffect =>
  Effect.gen(function*() {
    const items: Array<any> = []
    let position = Option.getOrNull(env.position)
    let done = false
    while (items.length < scan.items && !done) {
      const page = yield* env.source.pull(scan.items - items.length)
      items.push(...page.items)
      position = page.position
      done = page.done
    }
    const chunk: Chunk = { items, position, done, skips: [] }
    const before = env.state.pending
    const outputs = yield* processChunk(env, chunk)
    env.state.pending = before
    chunk.skips.length = 0
    yield* writeChunk(env, chunk, outputs, scan.done)
    env.done = done
  })

const beforeChunk = (env: ChunkEnv, chunk: Chunk): AnyEffect => {
  const { beforeChunk } = env.state.hooks
  return beforeChunk === undefined
    ? Effect.void
    : Effect.mapError(beforeChunk(chunk.items), (error) => new Fatal(error))
}

/**
 * A chunk that fails before its transaction opens is a rollback all the same (V6C-9): its context changes are
 * forgotten, and the listeners hear of it.
 */
const orRollback = (env: ChunkEnv, chunk: AnyEffect): AnyEffect =>
  Effect.suspend(() => {
    const { state } = env
    const { context, jobChanges } = state
    const rollbacks = current(state).counts.rollback
    return Effect.tapErrorCause(chunk, (cause) => {
      state.context = context
      state.jobChanges = jobChanges
      if (current(state).counts.rollback === rollbacks) {
        count(state, { rollback: 1 })
        state.session.publish(BatchEvent.ChunkRolledBack({
          job: state.session.execution,
          step: current(state),
          message: describe(cause)
        }))
      }
      const { afterChunkError } = state.hooks
      return afterChunkError === undefined ? Effect.void : afterChunkError(cause)
    })
  })
