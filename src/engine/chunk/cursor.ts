/**
 * Where a chunk step is, as a value, and what every event makes of that. Pure.
 */
import * as Option from "effect/Option"
import type { Json } from "../../base/json.js"
import type { Position } from "../../item/ItemReader.js"
import type { Progress } from "../step/progress.js"
import type { Checkpoint } from "./checkpoint.js"

export interface Cursor {
  /** Behind the last chunk that is written or given to be written; none at the beginning. */
  readonly position: Option.Option<Position>
  /** What the writer stored with its last commit. */
  readonly writerState: Option.Option<Json>
  /** Whether nothing follows. */
  readonly done: boolean
  /** What the step was when the chunk that is at work began. */
  readonly began: Progress | undefined
}

/** As the last execution left it. */
export const make = ({ reader, writer }: Checkpoint): Cursor => ({
  position: reader,
  writerState: writer,
  done: false,
  began: undefined
})

/** What is stored when no chunk is at work. */
export const checkpoint = ({ position, writerState }: Cursor): Checkpoint => ({
  reader: position,
  writer: writerState,
  scan: Option.none()
})

/** The writer has stored a state before anything is written. */
export const storeWriter = (self: Cursor, state: Json): Cursor => set(self, { writerState: Option.some(state) })

export const begin = (self: Cursor, progress: Progress): Cursor => set(self, { began: progress })

/** No chunk is at work: what fails from now on is none of its concern. */
export const end = (self: Cursor): Cursor => set(self, { began: undefined })

/** A transaction has stored this. In the middle of a search for bad records the position stays in front of the chunk. */
export const commit = (self: Cursor, { reader, scan, writer }: Checkpoint): Cursor =>
  set(self, {
    writerState: writer,
    position: Option.isSome(scan) ? self.position : reader
  })

/** Goes behind a chunk. */
export const pass = (
  self: Cursor,
  { done, position }: { readonly position: Position; readonly done: boolean }
): Cursor => set(self, { position: Option.some(position), done })

/** Whether nothing follows, as a chunk says whose position is stored already. */
export const finish = (self: Cursor, done: boolean): Cursor => set(self, { done })

/**
 * A chunk that was written beside the next one is durable: the next one follows it. `progress` is that of the step now,
 * and what the next chunk falls back to, should it fail.
 */
export const rejoin = (beside: Cursor, written: Cursor, progress: Progress): Cursor =>
  set(beside, {
    writerState: written.writerState,
    began: beside.began && progress
  })

/** That chunk failed: nothing was read behind it. */
export const fallBack = (beside: Cursor, written: Cursor): Cursor => set(written, { done: beside.done })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Field by field, as in `step/progress`. */
const set = (self: Cursor, changes: Partial<Cursor>): Cursor => ({
  position: changes.position ?? self.position,
  writerState: changes.writerState ?? self.writerState,
  done: changes.done ?? self.done,
  began: "began" in changes ? changes.began : self.began
})
