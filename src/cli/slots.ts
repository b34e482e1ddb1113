/**
 * The partitions that run in this process, as a few lines that stand still: a bar for each slot, slowest first. Pure.
 */
import * as Meter from "../operator/ProgressMeter.js"
import { countsText } from "../operator/summary.js"
import { isPartition } from "../ports/partitions.js"
import type { BatchEvent } from "../vocabulary/BatchEvent.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import * as Format from "./format.js"
import { inCell } from "./layout.js"

/** @internal */
export interface Slots {
  /** By execution, in the order in which they began. */
  readonly running: ReadonlyMap<number, Slot>
  readonly ended: number
  /** Of those that have ended, how many did not complete. */
  readonly bad: number
}

/** @internal */
export interface Slot {
  readonly partition: string
  readonly begunAt: number
  /** Of the step that the partition is at. */
  readonly meter: Meter.ProgressMeter
  readonly counts: string
}

/** @internal */
export const empty: Slots = { running: new Map(), ended: 0, bad: 0 }

/** After an event of a partition. @internal */
export const update = (self: Slots, event: BatchEvent, now: number): Slots => {
  const { id, status } = event.job
  const running = new Map(self.running)
  if (event._tag === "JobEnded") {
    running.delete(id)
    return { running, ended: self.ended + 1, bad: self.bad + (status === "COMPLETED" ? 0 : 1) }
  }
  const slot = self.running.get(id) ??
    { partition: partitionOf(event.job), begunAt: now, meter: Meter.make(""), counts: "" }
  if (event._tag === "StepStarted") {
    running.set(id, { ...slot, meter: Meter.update(Meter.make(event.step.stepName), event, now) })
  } else if (event._tag === "ChunkCommitted") {
    running.set(id, { ...slot, meter: Meter.update(slot.meter, event, now), counts: countsText(event.step.counts) })
  } else {
    running.set(id, slot)
  }
  return { ...self, running }
}

/** How a partition is called; empty for an execution that is none. @internal */
export const partitionOf = (job: JobExecution): string =>
  isPartition(job) ? String(job.parameters.find(({ name }) => name === "partition")?.value) : ""

/** How all of them are doing, in one line. @internal */
export const summary = ({ bad, ended, running }: Slots): string =>
  [
    `${Format.number(running.size)} running`,
    `${Format.number(ended)} ended`,
    ...(bad === 0 ? [] : [`${Format.number(bad)} of them without completing`])
  ].join(", ")

/** One line for each of the slowest, with how long it has been running; and what there is besides. @internal */
export const lines = (self: Slots, now: number, draw: (meter: Meter.ProgressMeter, text: string) => string) => {
  const slots = [...self.running.values()]
  return [
    ...slots.slice(0, SHOWN).map(({ begunAt, counts, meter, partition }) =>
      draw(
        { ...meter, stepName: inCell(partition) },
        [
          ...(counts === "" ? [] : [counts]),
          Format.duration(now - begunAt)
        ].join(", ")
      )
    ),
    `  partitions: ${summary(self)}${slots.length > SHOWN ? `; the slowest ${SHOWN} are shown` : ""}`
  ]
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** More bars than this move faster than people read. */
const SHOWN = 8
