/**
 * A chunk at work: what was read for it, what was skipped of it, and how much of it is durable.
 */
import * as Option from "effect/Option"
import type { Position } from "../../item/ItemReader.js"
import * as Counts from "../../vocabulary/Counts.js"
import type { SkipPhase } from "../../vocabulary/SkippedItem.js"
import type { Item } from "../step/engine.js"

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
  /** How many inputs were done before a crash in the middle of the chunk; `inputs` begins behind them. */
  readonly offset: number
  inputs: ReadonlyArray<Item>
  /** Behind the last record that was read for the chunk. */
  position: Position
  /** Whether nothing follows. */
  done: boolean
  /** Skipped, and not durable yet. */
  skips: Array<Skip>
  /** Inputs read in a transaction that has not committed: a transactional reader reads them again. */
  readAgain: number
  /** How many of the inputs are durable. */
  committed: number
  /**
   * Whether errors named by `noRollback` leave the transaction open: they may, one is in the transaction that is open, or
   * one has broken its transaction, so that they may not any more.
   */
  noRollback: "available" | "used" | "spent"
}

export const make = (offset = 0): Chunk => ({
  offset,
  inputs: [],
  position: null,
  done: false,
  skips: [],
  readAgain: 0,
  committed: 0,
  noRollback: "available"
})

/** Whether there is anything to commit. */
export const isEmpty = ({ inputs, skips }: Chunk): boolean => inputs.length === 0 && skips.length === 0

/** What the skips count, and how many inputs were read. */
export const countsOf = (skips: ReadonlyArray<Skip>, read: number): Counts.Counts => {
  const counts = { ...Counts.empty, read }
  for (const { phase } of skips) {
    counts[`${phase}Skip`]++
  }
  return counts
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
