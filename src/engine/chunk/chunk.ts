/**
 * A chunk at work, as a value: what was read for it, what was skipped of it, how much of it is durable, and what every
 * event makes of that. Pure.
 */
import * as Option from "effect/Option"
import { sameValue } from "../../base/sameValue.js"
import type { Position, Progress } from "../../item/ItemReader.js"
import * as Counts from "../../vocabulary/Counts.js"
import type { SkipPhase } from "../../vocabulary/SkippedItem.js"
import type { Item } from "../step/engine.js"
import type { Retries } from "./retries.js"

/** A record that was skipped and is not yet durable. */
export interface Skip {
  readonly phase: SkipPhase
  /** Which of the chunk's inputs it was; -1 when it could not be read. */
  readonly index: number
  /** The input in processing, the output in writing, nothing in reading. */
  readonly item: Option.Option<Item>
  readonly error: unknown
}

export interface Chunk {
  /** How many inputs were done before a crash in the middle of the chunk; `inputs` begins after them. */
  readonly offset: number
  readonly inputs: ReadonlyArray<Item>
  /** After the last record that was read for the chunk. */
  readonly position: Position
  /** Whether nothing follows. */
  readonly done: boolean
  /** How far the reader was then, if it tells: while this chunk is written, it may be ahead. */
  readonly progress: Progress | undefined
  /** Skipped, and not durable yet. */
  readonly skips: ReadonlyArray<Skip>
  /** How many of the inputs are durable. */
  readonly committed: number
  /** What the transaction that is open, or was refused last, writes. */
  readonly outputs: ReadonlyArray<Item>
  /**
   * Whether an error named by `noRollback` leaves the transaction open: it may; one has done so in this transaction,
   * while an item was processed or while the only output was written; or one has broken its transaction all the same,
   * so that none may any more.
   */
  readonly noRollback: "available" | "usedInProcess" | "usedInWrite" | "spent"
  readonly attempts: Attempts
}

/**
 * What is known from earlier transactions of a chunk whose items are processed, or read and processed, inside them.
 *
 * - `isRead`: whether one has read the whole chunk, so that it is known how many inputs it has.
 * - `readAgain`: inputs read in a transaction that has not committed: they are read again.
 * - `bad`: records that were skipped in reading and are not durable, in the order in which they are read.
 * - `seen`: those of them that the open transaction has read over.
 * - `itemRetries`: of the processing of each input, by its index. `readRetries`: of the read that failed last.
 */
export interface Attempts {
  readonly isRead: boolean
  readonly readAgain: number
  readonly bad: ReadonlyArray<Skip>
  readonly seen: ReadonlyArray<Skip>
  readonly itemRetries: ReadonlyMap<number, Retries>
  readonly readRetries: Retries | undefined
}

const noAttempts: Attempts = {
  isRead: false,
  readAgain: 0,
  bad: [],
  seen: [],
  itemRetries: new Map(),
  readRetries: undefined
}

export const make = (offset = 0): Chunk => ({
  offset,
  inputs: [],
  position: null,
  done: false,
  progress: undefined,
  skips: [],
  committed: 0,
  outputs: [],
  noRollback: "available",
  attempts: noAttempts
})

// -------------------------------------------------------------------------------------
// views
// -------------------------------------------------------------------------------------

/** Whether there is anything to commit. */
export const isEmpty = ({ inputs, skips }: Chunk): boolean => inputs.length === 0 && skips.length === 0

/** Infinite until a transaction has read the chunk. */
export const sizeRead = ({ attempts, inputs }: Chunk): number =>
  attempts.isRead ? inputs.length : Number.POSITIVE_INFINITY

/** Whether the transaction that is open was to be rolled back, and was not. */
export const isKeptOpen = ({ noRollback }: Chunk): boolean =>
  noRollback === "usedInProcess" || noRollback === "usedInWrite"

/** What is shown in the counts of the running step, because a later transaction makes it durable. */
export const awaiting = ({ attempts, skips }: Chunk): Counts.Counts => countsOf(skips, attempts.readAgain)

/** Whether a skip belongs to a transaction that makes so many inputs durable; bad records, if it has read over them. */
export const coversReadInside = ({ attempts: { bad, seen } }: Chunk, skip: Skip, inputs: number): boolean =>
  bad.includes(skip) ? seen.includes(skip) : skip.index < inputs

/** What the skips count, and how many inputs were read. */
export const countsOf = (skips: ReadonlyArray<Skip>, read: number): Counts.Counts => {
  const inPhase = (phase: SkipPhase): number =>
    skips.length === 0 ? 0 : skips.filter((skip) => skip.phase === phase).length
  return Counts.make({
    read,
    readSkip: inPhase("read"),
    processSkip: inPhase("process"),
    writeSkip: inPhase("write")
  })
}

export const badRecord = (error: unknown): Skip => ({ phase: "read", index: -1, item: Option.none(), error })

export const badInput = (index: number, item: Item, error: unknown): Skip => ({
  phase: "process",
  index,
  item: Option.some(item),
  error
})

/** `index` is that of the input from which the output came. */
export const badOutput = (index: number, item: Item, error: unknown): Skip => ({
  phase: "write",
  index,
  item: Option.some(item),
  error
})

// -------------------------------------------------------------------------------------
// reading
// -------------------------------------------------------------------------------------

/** What was read, up to which position, and whether nothing follows. */
export interface Filled {
  readonly items: ReadonlyArray<Item>
  readonly position: Position
  readonly done: boolean
  readonly progress?: Progress | undefined
}

export const fill = (self: Chunk, { done, items, position, progress }: Filled): Chunk =>
  set(self, { inputs: items, position, done, progress })

export const addSkip = (self: Chunk, skip: Skip): Chunk => set(self, { skips: [...self.skips, skip] })

// -------------------------------------------------------------------------------------
// transactions
// -------------------------------------------------------------------------------------

export const beginTransaction = (self: Chunk): Chunk =>
  isKeptOpen(self) || self.outputs.length > 0
    ? set(self, { outputs: [], noRollback: isKeptOpen(self) ? "available" : self.noRollback })
    : self

export const write = (self: Chunk, outputs: ReadonlyArray<Item>): Chunk => set(self, { outputs })

/** An error was left inside the open transaction. */
export const keepOpen = (self: Chunk, phase: "process" | "write"): Chunk =>
  set(self, { noRollback: phase === "process" ? "usedInProcess" : "usedInWrite" })

/** The transaction could not commit because of an error that was left inside. */
export const spendNoRollback = (self: Chunk): Chunk => set(self, { noRollback: "spent" })

/** A transaction has made inputs durable, and the skips that belong to them; `waiting` are those that do not. */
export const commit = (self: Chunk, inputs: number, waiting: ReadonlyArray<Skip>): Chunk =>
  set(self, {
    skips: waiting,
    committed: inputs,
    attempts: self.attempts.readAgain === 0 ? self.attempts : { ...self.attempts, readAgain: 0 }
  })

// -------------------------------------------------------------------------------------
// transactions that read or process
// -------------------------------------------------------------------------------------

export const countReadAgain = (self: Chunk, count: number): Chunk =>
  attempt(self, { readAgain: self.attempts.readAgain + count })

/** What the transaction has read is read again. */
export const rewind = (self: Chunk): Chunk => attempt(self, { readAgain: 0 })

export const setItemRetries = (self: Chunk, index: number, retries: Retries): Chunk =>
  attempt(self, { itemRetries: new Map(self.attempts.itemRetries).set(index, retries) })

export const setReadRetries = (self: Chunk, readRetries: Retries | undefined): Chunk => attempt(self, { readRetries })

/** A transaction begins to read; bad records that are durable, or were forgotten, are not read over any more. */
export const beginReading = (self: Chunk): Chunk =>
  attempt(self, { seen: [], bad: self.attempts.bad.filter((skip) => self.skips.includes(skip)) })

/** A bad record was read that is known. */
export const readOver = (self: Chunk, skip: Skip): Chunk => attempt(self, { seen: [...self.attempts.seen, skip] })

/** The bad record that was read and skipped last is read over from now on. */
export const noteBad = (self: Chunk): Chunk => {
  const last = self.skips.slice(-1)
  return attempt(self, { bad: [...self.attempts.bad, ...last], seen: [...self.attempts.seen, ...last] })
}

export const moveTo = (self: Chunk, { done, position }: Omit<Filled, "items">): Chunk => set(self, { position, done })

/** The first transaction has read the chunk. */
export const readFirst = (self: Chunk, items: ReadonlyArray<Item>): Chunk =>
  attempt(set(self, { inputs: items }), { isRead: true })

/**
 * A later one has read these items after those that are durable. Where another one has come to the place of an input, what
 * was decided about that is forgotten; if fewer came than were `wanted`, the chunk ends there.
 */
export const readAgain = (self: Chunk, items: ReadonlyArray<Item>, wanted: number): Chunk => {
  const end = self.committed + items.length
  const inputs = [...self.inputs.slice(0, self.committed), ...items, ...self.inputs.slice(end)]
  return set(self, {
    inputs: items.length < wanted ? inputs.slice(0, end) : inputs,
    skips: self.skips.filter(({ index }) => index < 0 || isSame(self.inputs[index], inputs[index]))
  })
}

/** The reader has given other records: those that it has not given again are no longer skipped. */
export const forgetUnseen = (self: Chunk): Chunk => {
  const { bad, seen } = self.attempts
  return set(self, { skips: self.skips.filter((skip) => !bad.includes(skip) || seen.includes(skip)) })
}

/** A reader that is opened anew gives its records as new objects. */
export const isSame = (one: unknown, other: unknown): boolean => {
  if (sameValue(one, other)) {
    return true
  }
  try {
    return JSON.stringify(one) === JSON.stringify(other)
  } catch {
    return false
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Field by field, as in `step/progress`. */
const set = (self: Chunk, changes: Partial<Chunk>): Chunk => ({
  offset: changes.offset ?? self.offset,
  inputs: changes.inputs ?? self.inputs,
  position: changes.position === undefined ? self.position : changes.position,
  done: changes.done ?? self.done,
  progress: changes.progress ?? self.progress,
  skips: changes.skips ?? self.skips,
  committed: changes.committed ?? self.committed,
  outputs: changes.outputs ?? self.outputs,
  noRollback: changes.noRollback ?? self.noRollback,
  attempts: changes.attempts ?? self.attempts
})

const attempt = (self: Chunk, changes: Partial<Attempts>): Chunk =>
  set(self, { attempts: { ...self.attempts, ...changes } })
