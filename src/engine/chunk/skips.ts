/**
 * Tells the listeners and the quarantine about skips, in the transaction that makes them durable (D8).
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Json from "../../base/json.js"
import type { AnyEffect } from "../../definition/tree.js"
import { describeError, Fatal, tagOf } from "../../vocabulary/failure.js"
import type { SkippedItem } from "../../vocabulary/SkippedItem.js"
import type { ChunkEnv, Skip } from "./env.js"

export const reportSkips = (env: ChunkEnv, skips: ReadonlyArray<Skip>): AnyEffect =>
  skips.length === 0 ? Effect.void : Effect.zipRight(tellListeners(env, skips), store(env, skips))

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const tellListeners = (env: ChunkEnv, skips: ReadonlyArray<Skip>): AnyEffect => {
  const { onSkipInProcess, onSkipInRead, onSkipInWrite } = env.state.hooks
  return Effect.forEach(skips, ({ error, item, phase }) => {
    const listener = phase === "process" ? onSkipInProcess : onSkipInWrite
    return (phase === "read" ? onSkipInRead?.(error) : listener?.(Option.getOrUndefined(item), error)) ?? Effect.void
  }, { discard: true })
}

/** The store refusing a report is not the fault of a record. */
const store = (env: ChunkEnv, skips: ReadonlyArray<Skip>): AnyEffect => {
  const { quarantine } = env.state.definition.settings
  return quarantine === undefined ? Effect.void : Effect.flatMap(DateTime.now, (now) =>
    Effect.mapError(
      env.state.session.repository.addSkippedItems(
        env.state.progress.step,
        skips.map((skipped) => quarantined(env, skipped, quarantine, now))
      ),
      (error) => new Fatal(error)
    ))
}

const quarantined = (
  env: ChunkEnv,
  { error, item, phase }: Skip,
  encode: (item: unknown, phase: "process" | "write") => unknown,
  createTime: DateTime.Utc
): SkippedItem => ({
  stepName: env.state.definition.name,
  phase,
  position: env.position,
  errorTag: tagOf(error),
  message: describeError(error),
  item: phase === "read"
    ? Option.none()
    : Option.flatMap(item, (value) => Either.getRight(Json.fromUnknown(encode(value, phase)))),
  createTime
})
