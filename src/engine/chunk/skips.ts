/**
 * Tells the listeners and the quarantine about skips, in the transaction that makes them durable (D8).
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Quarantine } from "../../definition/quarantine.js"
import { describeError, Fatal, tagOf } from "../../vocabulary/failure.js"
import type { SkippedItem } from "../../vocabulary/SkippedItem.js"
import type { Engine } from "../step/engine.js"
import { tell } from "../step/hooks.js"
import type { Skip } from "./chunk.js"
import type { ChunkRun } from "./run.js"

export const reportSkips = (run: ChunkRun, skips: ReadonlyArray<Skip>): Engine<void> =>
  skips.length === 0 ? Effect.void : Effect.zipRight(tellListeners(run, skips), store(run, skips))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const tellListeners = (run: ChunkRun, skips: ReadonlyArray<Skip>): Engine<void> => {
  const { onSkipInProcess, onSkipInRead, onSkipInWrite } = run.state.hooks
  return Effect.forEach(skips, ({ error, item, phase }) => {
    const listener = phase === "process" ? onSkipInProcess : onSkipInWrite
    return phase === "read" ? tell(onSkipInRead, error) : tell(listener, Option.getOrUndefined(item), error)
  }, { discard: true })
}

/** The store refusing a report is not the fault of a record. */
const store = (run: ChunkRun, skips: ReadonlyArray<Skip>): Engine<void> => {
  const { quarantine } = run.state.definition.settings
  return quarantine === undefined ? Effect.void : Effect.flatMap(DateTime.now, (now) =>
    Effect.mapError(
      run.state.session.repository.addSkippedItems(
        run.state.progress.step,
        skips.map((skipped) => quarantined(run, skipped, quarantine, now))
      ),
      (error) => new Fatal(error)
    ))
}

const quarantined = (
  run: ChunkRun,
  { error, item, phase }: Skip,
  kept: Quarantine,
  createTime: DateTime.Utc
): SkippedItem => ({
  stepName: run.state.definition.name,
  phase,
  position: run.cursor.position,
  errorTag: tagOf(error),
  message: describeError(error),
  item: phase === "read"
    ? Option.none()
    : Option.flatMap(item, kept[phase].stored),
  createTime
})
