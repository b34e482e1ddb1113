/**
 * What the engine measures, as metrics of Effect: whoever exports those of the program, exports these.
 *
 * Everything is updated once per chunk, never per item. All of them carry the tag `job`; those about steps and chunks
 * `step` as well, durations of jobs and steps their `status`, and counters of several kinds their `outcome`. No tag is as
 * many-valued as an execution or a parameter. Times are in seconds, which the tag `unit` says to exporters.
 *
 * The counters of items and chunks count what became durable, when it became durable, so that their sums are the stored
 * counts of the executions that ran in this process.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"

/** From a tenth of a second to a day. */
const long = MetricBoundaries.exponential({ start: 0.1, factor: 2, count: 21 })

/** From a tenth of a millisecond to a minute. */
const short = MetricBoundaries.exponential({ start: 0.0001, factor: 2, count: 21 })

/**
 * How long executions took, by `job` and `status`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const jobDuration: Metric.Metric.Histogram<number> = Metric.histogram(
  "batch.job.duration",
  long,
  "Duration of job executions"
)

/**
 * How long step executions took, by `job`, `step` and `status`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const stepDuration: Metric.Metric.Histogram<number> = Metric.histogram(
  "batch.step.duration",
  long,
  "Duration of step executions"
)

/**
 * The time that it takes to read the inputs of one chunk.
 *
 * @since 0.1.0
 * @category metrics
 */
export const chunkRead: Metric.Metric.Histogram<number> = Metric.histogram(
  "batch.chunk.read",
  short,
  "Reading the inputs of a chunk"
)

/**
 * The time that it takes to process the inputs of one chunk; none for a step without a processor.
 *
 * @since 0.1.0
 * @category metrics
 */
export const chunkProcess: Metric.Metric.Histogram<number> = Metric.histogram(
  "batch.chunk.process",
  short,
  "Processing the inputs of a chunk"
)

/**
 * The time that it takes to write the outputs of one transaction, from its beginning to its last statement. A pipelined
 * chunk only encodes them.
 *
 * @since 0.1.0
 * @category metrics
 */
export const chunkWrite: Metric.Metric.Histogram<number> = Metric.histogram(
  "batch.chunk.write",
  short,
  "Writing the outputs of a chunk"
)

/**
 * The time from there to the answer of the commit: the record of the step and the COMMIT, for a pipelined chunk the whole
 * message.
 *
 * @since 0.1.0
 * @category metrics
 */
export const chunkCommit: Metric.Metric.Histogram<number> = Metric.histogram(
  "batch.chunk.commit",
  short,
  "Committing a chunk"
)

/**
 * Executions that run in this process.
 *
 * @since 0.1.0
 * @category metrics
 */
export const jobsActive: Metric.Metric.Gauge<number> = Metric.gauge("batch.job.active", {
  description: "Job executions that run in this process"
})

/**
 * Step executions that run in this process.
 *
 * @since 0.1.0
 * @category metrics
 */
export const stepsActive: Metric.Metric.Gauge<number> = Metric.gauge("batch.step.active", {
  description: "Step executions that run in this process"
})

/**
 * What is left of the lease of an execution after its last sign of life. Falls when the repository is out of reach: at a
 * quarter of the lease the process gives the execution up. Of several executions of one job it is that of the last sign.
 *
 * @since 0.1.0
 * @category metrics
 */
export const leaseRemaining: Metric.Metric.Gauge<number> = Metric.gauge("batch.lease.remaining", {
  description: "What is left of the lease"
})

/**
 * Items by `outcome`: `read`, `written`, `filtered`, `read_skipped`, `process_skipped`, `write_skipped`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const items: Metric.Metric.Counter<number> = Metric.counter("batch.items", {
  description: "Items by what became of them",
  incremental: true
})

/**
 * Chunks, and calls of tasklets, by `outcome`: `committed`, `rolled_back`. Counted when the row of the step says so, and a
 * rollback therefore with the next commit or with the end of the step.
 *
 * @since 0.1.0
 * @category metrics
 */
export const chunks: Metric.Metric.Counter<number> = Metric.counter("batch.chunks", {
  description: "Chunks by outcome",
  incremental: true
})

/**
 * Operations that were tried again because a policy said so.
 *
 * @since 0.1.0
 * @category metrics
 */
export const retries: Metric.Metric.Counter<number> = Metric.counter("batch.retries", {
  description: "Operations tried again",
  incremental: true
})

/**
 * Executions that were claimed, by `job`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const launches: Metric.Metric.Counter<number> = Metric.counter("batch.launches", {
  description: "Job executions claimed",
  incremental: true
})

/**
 * Executions whose owner was dead when a launch of this process came by, by `job`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const takeovers: Metric.Metric.Counter<number> = Metric.counter("batch.takeovers", {
  description: "Executions taken from a dead owner",
  incremental: true
})
