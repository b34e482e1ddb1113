/**
 * A record that was skipped, as kept in the quarantine of a step.
 *
 * @since 0.1.0
 */
import type * as DateTime from "effect/DateTime"
import type * as Option from "effect/Option"
import type { Json } from "../base/json.js"

/**
 * Where in the chunk the record was skipped.
 *
 * @see SKIP-12
 * @since 0.1.0
 * @category models
 */
export type SkipPhase = "read" | "process" | "write"

/**
 * @since 0.1.0
 * @category models
 */
export interface SkippedItem {
  readonly stepName: string
  readonly phase: SkipPhase
  /** The position of the chunk that held the record, when the reader knows it. */
  readonly position: Option.Option<Json>
  readonly errorTag: string
  readonly message: string
  /** The item as JSON, sensitive fields masked; absent when it could not be read. */
  readonly item: Option.Option<Json>
  readonly createTime: DateTime.Utc
}

/**
 * Skipped records of one step, phase and error that say the same.
 *
 * - `count`: how many there are. `firstId`: the first of them, as `JobRepository.skippedPage` counts.
 *
 * @since 0.1.0
 * @category models
 */
export interface SkippedGroup {
  readonly stepName: string
  readonly phase: SkipPhase
  readonly errorTag: string
  readonly message: string
  readonly count: number
  readonly firstId: number
}
