/** Asks the cluster to run an instance, from whatever process is connected to it. */
import type { Sharding } from "@effect/cluster/Sharding"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { randomUUID } from "node:crypto"
import type { Job } from "../definition/Job.js"
import { definitionOf } from "../definition/tree.js"
import * as Launch from "../engine/job/launch.js"
import { JobRepository } from "../ports/JobRepository.js"
import type { InvalidJobParameters } from "../vocabulary/BatchError.js"
import { JobRepositoryError } from "../vocabulary/BatchError.js"
import * as BatchStatus from "../vocabulary/BatchStatus.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import { jobKey } from "../vocabulary/jobKey.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import type { Refused } from "./messages.js"
import { entityIdOf, JobEntity, Run } from "./messages.js"

type Stored = ReadonlyArray<JobParameters.JobParameter>

/** The parameters as they are stored and sent. */
export const encode = <P>(
  job: Job<P, string, unknown, unknown>,
  parameters: P
): Effect.Effect<Stored, InvalidJobParameters> =>
  Launch.named(
    job,
    JobParameters.encodeGiven(definitionOf(job).parameters ?? JobParameters.none, parameters as object as {})
  )

/** The executions of an instance, newest first. */
export const executionsOf = (
  jobName: string,
  parameters: Stored
): Effect.Effect<ReadonlyArray<JobExecution>, JobRepositoryError, JobRepository> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const [instance] = yield* repository.jobInstances({ jobName, jobKey: jobKey(parameters), limit: 1 })
    return instance === undefined ? [] : yield* repository.jobExecutions({ instanceId: instance.id, limit: 1000 })
  })

/** The last one that has ended: what a request comes after. */
export const lastEnded = (executions: ReadonlyArray<JobExecution>): number =>
  executions.find(({ status }) => !BatchStatus.isRunning(status))?.id ?? 0

/** - `after`: see `decisions/hosting`. */
export interface Wanted {
  readonly job: string
  readonly parameters: Stored
  readonly after: number
  readonly restarts: number
}

/** Waits until the instance has ended, wherever it runs. */
export const ask = (wanted: Wanted) =>
  Effect.flatMap(request(wanted), ({ client, message }) => patiently(client.Run(message), wanted.job))

/** Only sees to it that the request is stored. */
export const tell = (wanted: Wanted): Effect.Effect<void, JobRepositoryError, Sharding> =>
  Effect.flatMap(
    request(wanted),
    ({ client, message }) => patiently(client.Run(message, { discard: true }), wanted.job)
  )

/** Whether nothing could be launched at all, now or later. */
export const isRefusal = (error: unknown): error is typeof Refused.Type =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "Refused"

/** Waits for room in an entity, and says what else is wrong in words of ours. */
export const patiently = <A, E extends { readonly _tag: string }, R>(
  sent: Effect.Effect<A, E, R>,
  about: string
): Effect.Effect<A, Exclude<E, Transport> | JobRepositoryError, R> =>
  sent.pipe(
    Effect.retry({
      while: ({ _tag }) => _tag === "MailboxFull" || _tag === "AlreadyProcessingMessage",
      schedule: Schedule.spaced("1 second")
    }),
    Effect.mapError((error) =>
      isTransport(error)
        ? new JobRepositoryError({
          operation: "cluster",
          reason: "transient",
          detail: `the request about "${about}" could not be stored (${error._tag})`,
          cause: error
        })
        : error as Exclude<E, Transport>
    )
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Transport =
  | { readonly _tag: "MailboxFull" }
  | { readonly _tag: "AlreadyProcessingMessage" }
  | { readonly _tag: "PersistenceError" }

const TRANSPORT = new Set<unknown>(["MailboxFull", "AlreadyProcessingMessage", "PersistenceError"])

const isTransport = (error: { readonly _tag: string }): boolean => TRANSPORT.has(error._tag)

const request = ({ after, job, parameters, restarts }: Wanted) =>
  Effect.map(JobEntity.client, (clientOf) => ({
    client: clientOf(entityIdOf(job, parameters)),
    message: new Run({ job, parameters, after, restarts, nonce: randomUUID() })
  }))
