/**
 * One process of the cluster looks after all executions: it closes those whose process died and that nobody follows, and names
 * partitions that make no progress.
 */
import * as Singleton from "@effect/cluster/Singleton"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { quoted } from "../base/text.js"
import * as Running from "../engine/session/running.js"
import * as JobOperator from "../operator/JobOperator.js"
import { JobRepository } from "../ports/JobRepository.js"
import { describe } from "../vocabulary/failure.js"

/** - `jobs`: the names of those that it looks after.
 * - `every`: how often it looks.
 * - `quiet`: how long a partition that runs may commit nothing.
 */
export interface Options {
  readonly jobs: ReadonlySet<string>
  readonly every: Duration.DurationInput
  readonly quiet: Duration.DurationInput
}

export const layer = (options: Options) =>
  Singleton.make(
    "effect-batch/sweeper",
    Effect.suspend(() => {
      const named = new Set<number>()
      return Effect.forever(
        Effect.zipRight(
          Effect.catchAllCause(
            Effect.zipRight(recover(options), nameQuiet(options, named)),
            (cause) => Effect.logWarning(`The sweeper of the cluster could not look: ${describe(cause)}`)
          ),
          Effect.sleep(options.every)
        )
      )
    })
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** What is a part of another execution is dealt with by the process that has that one. */
const recover = ({ jobs }: Options) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const expired = yield* repository.expiredExecutions(yield* Running.witness)
    for (const { id, instance, parent, status } of expired) {
      if (parent === undefined && jobs.has(instance.jobName)) {
        yield* Effect.logWarning(
          `Execution ${id} of job "${instance.jobName}" has lost its process: it is closed as ${
            status === "STOPPING" ? "STOPPED" : "FAILED"
          }`
        )
        yield* Effect.catchTags(JobOperator.recover(id), {
          JobExecutionAlreadyRunning: () => Effect.void,
          NoSuchJobExecution: () => Effect.void
        })
      }
    }
  })

/** Each is named once. */
const nameQuiet = ({ jobs, quiet }: Options, named: Set<number>) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const running = (yield* repository.jobExecutions({ partitions: true, statuses: ["STARTED"], limit: 1000 }))
      .filter(({ parent }) => parent !== undefined)
    const steps = running.length === 0 ? [] : yield* repository.stepExecutionsOf(running.map(({ id }) => id))
    const newest = new Map<number, number>()
    for (const { jobExecutionId, lastUpdated } of steps) {
      newest.set(jobExecutionId, Math.max(newest.get(jobExecutionId) ?? 0, lastUpdated.epochMillis))
    }
    const { epochMillis: now } = yield* DateTime.now
    // The name of the job and that of the step; either may have slashes in it.
    const isOurs = (name: string) => [...jobs].some((job) => name.startsWith(`${job}/`))
    const since = now - Duration.toMillis(quiet)
    const silent = running.filter(({ id, instance, lastUpdated }) =>
      isOurs(instance.jobName) && Math.max(newest.get(id) ?? 0, lastUpdated.epochMillis) < since
    )
    const fresh = silent.filter(({ id }) => !named.has(id))
    named.clear()
    silent.forEach(({ id }) => named.add(id))
    if (fresh.length > 0) {
      yield* Effect.logWarning(
        `Partitions without progress for ${Duration.format(quiet)}: ${
          quoted(fresh.slice(0, 10).map(({ id, instance }) => `${instance.jobName}, execution ${id}`))
        }${fresh.length > 10 ? ` and ${fresh.length - 10} more` : ""}`
      )
    }
  })
