/**
 * What the parts of a chunk step share: what was opened, and where the step has come to.
 */
import type { SkipRun } from "../../decisions/SkipPolicy.js"
import type { ChunkBody } from "../../definition/tree.js"
import type { Process } from "../../item/ItemProcessor.js"
import type { Sink } from "../../item/ItemWriter.js"
import type { Item, UserError, UserServices } from "../step/engine.js"
import * as Progress from "../step/progress.js"
import type { StepState } from "../step/state.js"
import { advance } from "../step/state.js"
import type { Chunk } from "./chunk.js"
import { awaiting } from "./chunk.js"
import type { Cursor } from "./cursor.js"
import type { ChunkPipelining } from "./pipelining.js"
import type { ChunkEffect } from "./rejection.js"
import type { ChunkSource } from "./source.js"

/** What was opened for the step. It does not change. */
export interface ChunkEnv {
  readonly body: ChunkBody
  readonly source: ChunkSource
  readonly process: Process<Item, Item, UserError, UserServices> | undefined
  readonly sink: Sink<Item, UserError, UserServices>
  /** Whether it goes on where an earlier execution has come to. */
  readonly resumed: boolean
  /** How much of the source was done when it was opened, if it can tell. */
  readonly from: number
  readonly skipRun: SkipRun<unknown, UserServices> | undefined
  /** How often an operation of this step execution was tried again: one count for all of its chunks, those beside each other too. */
  readonly retried: { times: number }
  /** How its transactions are sent in one message, if they can be. */
  readonly pipelining: ChunkPipelining | undefined
}

/** A chunk step at work: the step itself, or what writes one of its chunks beside the next one. */
export interface ChunkRun {
  readonly env: ChunkEnv
  readonly state: StepState
  /** Replaced as a whole, by `move` only. */
  cursor: Cursor
  /** The chunk at work, or the last one. Replaced as a whole, by `change` only. */
  chunk: Chunk
  /** Waits for the chunks in front that are still being written; nothing when there can be none. */
  readonly awaitEarlierChunks: ChunkEffect<void> | undefined
}

export const move = <Args extends ReadonlyArray<unknown>>(
  run: ChunkRun,
  event: (cursor: Cursor, ...args: Args) => Cursor,
  ...args: Args
): void => {
  run.cursor = event(run.cursor, ...args)
}

/** The one place where a chunk is replaced by what an event makes of it. */
export const change = <Args extends ReadonlyArray<unknown>>(
  run: ChunkRun,
  event: (chunk: Chunk, ...args: Args) => Chunk,
  ...args: Args
): void => {
  run.chunk = event(run.chunk, ...args)
}

/** Whether nothing belongs to the transaction of the chunk but what can be sent with it. */
export const canPipeline = ({ chunk, env: { pipelining }, state }: ChunkRun): boolean =>
  pipelining !== undefined && (pipelining.countsSkips || chunk.skips.length === 0) &&
  state.progress.jobChanges.length === 0

/** Shows in the counts of the running step what the chunk has not made durable yet. */
export const showAwaiting = ({ chunk, state }: ChunkRun): void => advance(state, Progress.showAwaiting, awaiting(chunk))
