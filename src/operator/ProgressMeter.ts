/**
 * How fast a step is, and when it will be done, from the events of the engine. Pure: pass it events with the times at
 * which they came.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type { BatchEvent, Progress } from "../vocabulary/BatchEvent.js"

/**
 * What is known of one step: the newest measurement, and older ones to compare it with.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProgressMeter {
  readonly stepName: string
  /** Oldest first; of the last ten seconds, and always at least two once there are two. */
  readonly samples: ReadonlyArray<Sample>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Sample {
  readonly atMillis: number
  /** Items read so far, skipped ones included. */
  readonly items: number
  /** In units of the reader, when it knows the size of its source. */
  readonly progress: Progress | undefined
}

/**
 * A meter before the first event of its step.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (stepName: string): ProgressMeter => ({ stepName, samples: [] })

/**
 * The meter after an event; events of other steps change nothing.
 *
 * @example
 * ```ts
 * import type { BatchEvent } from "effect-batch"
 * import { ProgressMeter } from "effect-batch"
 *
 * declare const events: ReadonlyArray<readonly [event: BatchEvent.BatchEvent, atMillis: number]>
 *
 * const meter = () =>
 *   events.reduce((meter, [event, at]) => ProgressMeter.update(meter, event, at), ProgressMeter.make("load"))
 * const itemsPerSecond = () => ProgressMeter.rate(meter())
 * assert.strictEqual(typeof itemsPerSecond, "function")
 * ```
 *
 * @since 0.1.0
 * @category combinators
 */
export const update = (self: ProgressMeter, event: BatchEvent, atMillis: number): ProgressMeter => {
  if ((event._tag !== "StepStarted" && event._tag !== "ChunkCommitted") || event.step.stepName !== self.stepName) {
    return self
  }
  const { counts } = event.step
  const sample: Sample = {
    atMillis,
    items: counts.read + counts.readSkip,
    progress: event._tag === "ChunkCommitted" ? event.progress : undefined
  }
  // A step that starts again, or goes backwards, is another one.
  const before = event._tag === "StepStarted" ? [] : self.samples
  const recent = before.filter(({ atMillis: at }) => atMillis - at <= WINDOW_MILLIS)
  return { ...self, samples: [...(recent.length === 0 ? before.slice(-1) : thinned(recent)), sample] }
}

/**
 * Items per second over the last ten seconds; none before there are two measurements.
 *
 * @since 0.1.0
 * @category utils
 */
export const rate = (self: ProgressMeter): Option.Option<number> =>
  Option.map(ends(self), ([first, last]) => 1000 * (last.items - first.items) / (last.atMillis - first.atMillis))

/**
 * The part of the source that has been read, from 0 to 1; none when the reader does not know its size.
 *
 * @since 0.1.0
 * @category utils
 */
export const share = (self: ProgressMeter): Option.Option<number> =>
  Option.map(latest(self), ({ done, total }) => total <= 0 ? 1 : Math.min(1, Math.max(0, done / total)))

/**
 * The time that is left at the present rate; none when the reader does not know its size, or nothing moves.
 *
 * @since 0.1.0
 * @category utils
 */
export const eta = (self: ProgressMeter): Option.Option<Duration.Duration> => {
  const measured = self.samples.filter(({ progress }) => progress !== undefined)
  return Option.flatMap(ends({ ...self, samples: measured }), ([first, last]) => {
    const from = first.progress!
    const to = last.progress!
    const perMilli = (to.done - from.done) / (last.atMillis - first.atMillis)
    return perMilli > 0
      ? Option.some(Duration.millis(Math.max(0, to.total - to.done) / perMilli))
      : Option.none()
  })
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const WINDOW_MILLIS = 10_000

const MOST_SAMPLES = 64

/** Every second one, when there are too many; the first and the last stay. */
const thinned = (samples: ReadonlyArray<Sample>): ReadonlyArray<Sample> =>
  samples.length < MOST_SAMPLES
    ? samples
    : samples.filter((_, index) => index % 2 === 0 || index === samples.length - 1)

const ends = ({ samples }: ProgressMeter): Option.Option<readonly [Sample, Sample]> => {
  const first = samples[0]
  const last = samples[samples.length - 1]
  return first !== undefined && last !== undefined && last.atMillis > first.atMillis
    ? Option.some([first, last])
    : Option.none()
}

const latest = ({ samples }: ProgressMeter): Option.Option<Progress> =>
  Option.fromNullable(samples[samples.length - 1]?.progress)
