/**
 * The events of a running job, for progress displays, tests and dashboards.
 *
 * Events are a view, never the truth: that is in the repository.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import type { JobExecution } from "./JobExecution.js"
import type { SkipPhase } from "./SkippedItem.js"
import type { StepExecution } from "./StepExecution.js"

/**
 * How far a step has come in its source, in units of the reader (bytes, rows, items).
 *
 * @since 0.1.0
 * @category models
 */
export interface Progress {
  readonly done: number
  readonly total: number
}

/**
 * - `JobStarted`, `JobEnded`: around the execution of a job.
 * - `StepStarted`: `resumed` when it continues from a checkpoint of an earlier execution.
 * - `StepSkipped`: the step was complete already and is not run.
 * - `ChunkCommitted`: after each commit of a chunk, or of a tasklet's call, with the counts so far.
 * - `ChunkRolledBack`: after each rollback, with the cause in one line.
 * - `ItemSkipped`: a bad record was skipped; it becomes durable with the next commit. `place` is the number of the item
 *   among all that the step has read, with what quarantine shows of it: `item 12 {"id":7}`. None for a record that could not
 *   be read, whose message says where it stands.
 * - `StepEnded`: with the final status and counts.
 * - `HeartbeatLate`: a warning. The repository has left the heartbeat without an answer for more than a quarter of the
 *   lease; after three quarters the execution ends with `OwnershipLost`. Once per heartbeat, in milliseconds.
 *
 * @see HAND-5, OWN-18
 * @since 0.1.0
 * @category models
 */
export type BatchEvent = Data.TaggedEnum<{
  JobStarted: { readonly job: JobExecution }
  StepStarted: { readonly job: JobExecution; readonly step: StepExecution; readonly resumed: boolean }
  StepSkipped: { readonly job: JobExecution; readonly step: StepExecution }
  ChunkCommitted: {
    readonly job: JobExecution
    readonly step: StepExecution
    readonly progress: Progress | undefined
  }
  ChunkRolledBack: { readonly job: JobExecution; readonly step: StepExecution; readonly message: string }
  ItemSkipped: {
    readonly job: JobExecution
    readonly step: StepExecution
    readonly phase: SkipPhase
    readonly place: string | undefined
    readonly message: string
  }
  StepEnded: { readonly job: JobExecution; readonly step: StepExecution }
  HeartbeatLate: { readonly job: JobExecution; readonly millis: number; readonly leaseMillis: number }
  JobEnded: { readonly job: JobExecution }
}>

/**
 * Constructors and matchers of the events.
 *
 * @since 0.1.0
 * @category constructors
 */
export const BatchEvent: Data.TaggedEnum.Constructor<BatchEvent> = Data.taggedEnum<BatchEvent>()
