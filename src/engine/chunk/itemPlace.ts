/**
 * Which item a failure or a skip is about, in words: its number among all that the step has read, and what quarantine shows
 * of it.
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Json from "../../base/json.js"
import { visible } from "../../base/text.js"
import { atItem } from "../../vocabulary/failure.js"
import type { SkipPhase } from "../../vocabulary/SkippedItem.js"
import type { EngineFailure, Item } from "../step/engine.js"
import { current } from "../step/state.js"
import type { ChunkEffect } from "./rejection.js"
import type { ChunkRun } from "./run.js"

/** `index` is that of the chunk's input; the item is the input in processing, the output in writing. */
export interface Placed {
  readonly phase: SkipPhase
  readonly index: number
  readonly item: Option.Option<Item>
}

/** `item 12 {"id":12,"iban":"<sensitive>"}`. A record that could not be read has the place in its error. */
export const placeOf = (run: ChunkRun, { index, item, phase }: Placed): string | undefined => {
  if (phase === "read" || index < 0) {
    return undefined
  }
  const { quarantine } = run.state.definition.settings
  // Without its schema nobody knows which parts of the item are secret: what quarantine stores as it is, is not told.
  const shown = Option.flatMap(item, (value) => {
    const masked = quarantine === undefined ? value : quarantine[phase].shown(value)
    return masked === value ? Option.none() : Either.getRight(Json.fromUnknown(masked))
  })
  return Option.match(shown, {
    onNone: () => itemOf(run, index),
    onSome: (json) => `${itemOf(run, index)} ${bounded(visible(JSON.stringify(json)))}`
  })
}

/** `items 11 to 20`, of which nobody knows which one it was. */
export const placeOfRange = (run: ChunkRun, from: number, to: number): string | undefined =>
  to <= from
    ? undefined
    : to === from + 1
    ? itemOf(run, from)
    : `items ${numberOf(run, from)} to ${numberOf(run, to - 1)}${sinceRestart(run)}`

/** Ends the step for what failed at an item. How many were read before is known when the chunks in front have ended. */
export const failAt = (run: ChunkRun, cause: Cause.Cause<EngineFailure>, placed: Placed): ChunkEffect<never> => {
  const failed = Effect.suspend(() => Effect.failCause(atItem(cause, placeOf(run, placed))))
  return run.awaitEarlierChunks === undefined ? failed : Effect.zipRight(run.awaitEarlierChunks, failed)
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const LONGEST = 160

const itemOf = (run: ChunkRun, index: number): string => `item ${numberOf(run, index)}${sinceRestart(run)}`

/** A restart counts from its own first item. */
const sinceRestart = ({ env }: ChunkRun): string => env.resumed ? " since the restart" : ""

/** What was read counts the whole chunk, however much of it is durable; only what is read in its transaction counts with that. */
const numberOf = ({ chunk, state }: ChunkRun, index: number): number => {
  const before = state.definition.settings.transactional.includes("read")
    ? state.progress.step.counts.read - chunk.committed
    : current(state).counts.read - chunk.inputs.length
  return before + index + 1
}

const bounded = (text: string): string => text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
