/**
 * Which job instances are old enough to be forgotten. An instance goes with all of its executions or stays with all of
 * them: a restart needs what the earlier ones left, and one that completed must not look as if it had failed.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { JobRepository } from "../ports/JobRepository.js"
import type { JobRepositoryError } from "../vocabulary/BatchError.js"
import * as BatchStatus from "../vocabulary/BatchStatus.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"

export interface Rules {
  readonly jobName?: string | undefined
  readonly olderThan?: Duration.DurationInput | undefined
  readonly keepLast?: number | undefined
  readonly statuses: ReadonlyArray<BatchStatus.BatchStatus>
}

/**
 * An instance, as far as the decision needs it: how its last execution ended, and when. `isPart`: another instance has launched
 * it as a part of itself, a job step or a partition; it goes with that one, since the restart of a root runs nothing again that
 * had completed.
 */
export interface Candidate {
  readonly jobName: string
  readonly instanceId: number
  readonly status: BatchStatus.BatchStatus
  readonly running: boolean
  readonly isPart: boolean
  readonly endMillis: number
  readonly executionIds: ReadonlyArray<number>
}

/** Executions of one job, newest first, become its instances, newest first. */
export const candidates = (executions: Iterable<JobExecution>): ReadonlyArray<Candidate> => {
  const found = new Map<number, Candidate>()
  for (const execution of executions) {
    const known = found.get(execution.instance.id)
    const running = BatchStatus.isRunning(execution.status)
    found.set(
      execution.instance.id,
      known === undefined
        ? {
          jobName: execution.instance.jobName,
          instanceId: execution.instance.id,
          status: execution.status,
          running,
          isPart: execution.parent !== undefined,
          endMillis: DateTime.toEpochMillis(Option.getOrElse(execution.endTime, () => execution.lastUpdated)),
          executionIds: [execution.id]
        }
        : {
          ...known,
          running: known.running || running,
          isPart: known.isPart || execution.parent !== undefined,
          executionIds: [...known.executionIds, execution.id]
        }
    )
  }
  return [...found.values()]
}

/** Those of the instances of one job, newest first, that the rules give up. A running one never is, nor a part of another one. */
export const select = (instances: ReadonlyArray<Candidate>, rules: Rules, now: number): ReadonlyArray<Candidate> => {
  const before = rules.olderThan === undefined ? Infinity : now - Duration.toMillis(rules.olderThan)
  return instances.filter(({ isPart }) => !isPart).filter((instance, index) =>
    index >= (rules.keepLast ?? 0) && !instance.running && instance.endMillis < before &&
    rules.statuses.includes(instance.status)
  )
}

/** How many instances go in one transaction, and how many executions are read at once. */
export interface Portions {
  readonly batch: number
  readonly page: number
}

/** Selects in every job, and deletes batch by batch; the number of executions that were deleted. */
export const purge = (
  rules: Rules,
  dryRun: boolean,
  { batch, page }: Portions = PORTIONS
): Effect.Effect<
  { readonly selected: ReadonlyArray<Candidate>; readonly deleted: number },
  JobRepositoryError,
  JobRepository
> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const now = DateTime.toEpochMillis(yield* DateTime.now)
    const names = rules.jobName === undefined ? yield* repository.jobNames : [rules.jobName]
    const selected: Array<Candidate> = []
    let deleted = 0
    for (const jobName of names) {
      const doomed = select(candidates(yield* allExecutions(repository, jobName, page)), rules, now)
      selected.push(...doomed)
      for (let i = 0; !dryRun && i < doomed.length; i += batch) {
        deleted += yield* repository.deleteJobExecutions(
          doomed.slice(i, i + batch).flatMap(({ executionIds }) => executionIds)
        )
      }
    }
    return { selected, deleted }
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Few enough instances not to keep a launch waiting for long. */
const PORTIONS: Portions = { batch: 200, page: 1000 }

const allExecutions = (
  repository: Effect.Effect.Success<typeof JobRepository>,
  jobName: string,
  limit: number
): Effect.Effect<ReadonlyArray<JobExecution>, JobRepositoryError> =>
  Effect.gen(function*() {
    const all: Array<JobExecution> = []
    let before: number | undefined
    while (true) {
      const page = yield* repository.jobExecutions({ jobName, before, limit })
      all.push(...page)
      if (page.length < limit) {
        return all
      }
      before = page[page.length - 1]!.id
    }
  })
