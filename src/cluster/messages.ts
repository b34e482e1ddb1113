/**
 * What the processes of a cluster tell each other: that an instance of a job is wanted, and that a schedule has a tick.
 *
 * Each job and each schedule has a shard group of its own, which only processes with their code take part in: so a message never
 * comes to one that could not do anything with it.
 */
import * as ClusterSchema from "@effect/cluster/ClusterSchema"
import * as DeliverAt from "@effect/cluster/DeliverAt"
import * as Entity from "@effect/cluster/Entity"
import * as Rpc from "@effect/rpc/Rpc"
import type * as Cron from "effect/Cron"
import * as PrimaryKey from "effect/PrimaryKey"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { jobKey } from "../vocabulary/jobKey.js"
import * as JobParameters from "../vocabulary/JobParameters.js"

/** Names of groups are part of a column of 50 characters, and names of jobs may be longer. */
export const groupOfJob = (name: string): string => `job-${digest(name)}`

/** With other times it is another schedule: a process that has the old ones could only lose the ticks of the new ones. */
export const groupOfSchedule = (job: string, schedule: string, cron: Cron.Cron): string =>
  `tick-${digest(JSON.stringify([job, schedule, cron]))}`

/** All executions of an instance are dealt with in one place at a time, as long as nobody dies. */
export const entityIdOf = (job: string, parameters: ReadonlyArray<JobParameters.JobParameter>): string =>
  `${groupOfJob(job)}/${jobKey(parameters)}`

/**
 * - `after`: see `decisions/hosting`.
 * - `nonce`: of this very request; what was answered to another one does not count.
 */
export class Run extends Schema.Class<Run>("effect-batch/cluster/Run")({
  job: Schema.String,
  parameters: Schema.Array(JobParameters.JobParameter),
  after: Schema.Number,
  restarts: Schema.Number,
  nonce: Schema.String
}) {
  [PrimaryKey.symbol]() {
    return this.nonce
  }
}

/** The execution that has ended. */
export const Ended = Schema.Struct({ executionId: Schema.Number })

/** Why nothing could be launched at all. */
export const Refused = Schema.TaggedStruct("Refused", { reason: Schema.String, problem: Schema.String })

/** A caller that goes away takes nothing with it. */
export const JobEntity = Entity.make("effect-batch/Job", [
  Rpc.make("Run", { payload: Run, success: Ended, error: Refused })
    .annotate(ClusterSchema.Persisted, true)
    .annotate(ClusterSchema.Uninterruptible, "client")
]).annotate(ClusterSchema.ShardGroup, (entityId) => entityId.split("/")[0]!)

/** One for each tick, whoever sends it and however often. */
export class Tick extends Schema.Class<Tick>("effect-batch/cluster/Tick")({
  at: Schema.DateTimeUtc
}) {
  [PrimaryKey.symbol]() {
    return String(this.at.epochMillis)
  }
  [DeliverAt.symbol]() {
    return this.at
  }
}

export const TickRpc = Rpc.make("Tick", { payload: Tick })
  .annotate(ClusterSchema.Persisted, true)
  .annotate(ClusterSchema.Uninterruptible, "client")

/** The id of the entity is the group of the schedule. */
export const ScheduleEntity = Entity.make("effect-batch/Schedule", [TickRpc]).annotate(
  ClusterSchema.ShardGroup,
  (entityId) => entityId
)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 24)
