/**
 * What an operator does to single executions besides stopping them: abandon, recover. None of it touches a row while its owner may
 * write to it.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Running from "../engine/session/running.js"
import { JobRepository } from "../ports/JobRepository.js"
import type { JobRepositoryError, NoSuchJobExecution } from "../vocabulary/BatchError.js"
import { JobExecutionAlreadyRunning, JobInstanceAlreadyComplete } from "../vocabulary/BatchError.js"
import * as BatchStatus from "../vocabulary/BatchStatus.js"
import * as ExitStatus from "../vocabulary/ExitStatus.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import * as JobParameters from "../vocabulary/JobParameters.js"

type Unknown = NoSuchJobExecution | JobRepositoryError

/** ABANDON-1. What the execution said about its end stays. */
export const abandon = (
  executionId: number
): Effect.Effect<JobExecution, JobExecutionAlreadyRunning | JobInstanceAlreadyComplete | Unknown, JobRepository> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const execution = yield* repository.jobExecution(executionId)
    const { exitStatus, instance, parameters, status } = execution
    if (status === "COMPLETED") {
      return yield* Effect.fail(
        new JobInstanceAlreadyComplete({
          jobName: instance.jobName,
          parameters: JobParameters.format(parameters),
          executionId,
          status,
          abandoning: true
        })
      )
    }
    if (status === "STARTING" || status === "STARTED") {
      return yield* stillRunning(repository, execution)
    }
    if (status !== "ABANDONED") {
      yield* repository.close(executionId, {
        status: "ABANDONED",
        exitCode: exitStatus.code,
        message: ExitStatus.description(ExitStatus.addDescription(exitStatus, "abandoned by an operator"))
      })
    }
    return yield* repository.jobExecution(executionId)
  })

/** RECOVER-1, RECOVER-2. */
export const recover = (
  executionId: number,
  options: {
    readonly force: boolean
    readonly reason: string | undefined
  }
): Effect.Effect<JobExecution, JobExecutionAlreadyRunning | Unknown, JobRepository> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const execution = yield* repository.jobExecution(executionId)
    if (!BatchStatus.isRunning(execution.status)) {
      yield* Effect.logWarning(`Execution ${executionId} is ${execution.status}: there is nothing to recover`)
      return execution
    }
    const expired = yield* repository.expiredExecutions(yield* Running.witness)
    const isDead = expired.some(({ id }) => id === executionId)
    if (!isDead && !options.force) {
      return yield* stillRunning(repository, execution)
    }
    yield* bury(repository, execution, isDead ? "OWNER_DIED" : "RECOVERED", options.reason)
    return yield* repository.jobExecution(executionId)
  })

export const recoverExpired = (
  jobName: string | undefined
): Effect.Effect<ReadonlyArray<JobExecution>, JobRepositoryError, JobRepository> =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const expired = yield* repository.expiredExecutions(yield* Running.witness)
    const recovered = yield* Effect.forEach(
      expired.filter(({ instance }) => jobName === undefined || instance.jobName === jobName),
      (execution) =>
        Effect.zipRight(
          bury(repository, execution, "OWNER_DIED", undefined),
          repository.jobExecution(execution.id)
        ).pipe(
          Effect.map(Option.some),
          // deleted by somebody else meanwhile
          Effect.catchTag("NoSuchJobExecution", () => Effect.succeedNone)
        )
    )
    return recovered.flatMap(Option.toArray)
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const REASONS = {
  OWNER_DIED: "The process that ran it died without a word; a restart goes on from the last commit",
  RECOVERED: "An operator took it away from its process; a restart goes on from the last commit"
}

/** One that was asked to stop has stopped, so that partitions of it hear of that, and no cluster runs it again (D16). */
const bury = (
  repository: Effect.Effect.Success<typeof JobRepository>,
  { id, status }: JobExecution,
  exitCode: keyof typeof REASONS,
  reason: string | undefined
) =>
  repository.close(id, {
    status: status === "STOPPING" ? "STOPPED" : "FAILED",
    exitCode,
    message: reason === undefined ? REASONS[exitCode] : `${REASONS[exitCode]}: ${reason}`
  })

const stillRunning = (
  repository: Effect.Effect.Success<typeof JobRepository>,
  { createTime, id, instance, owner, startTime }: JobExecution
): Effect.Effect<never, JobExecutionAlreadyRunning> => {
  const error = new JobExecutionAlreadyRunning({
    jobName: instance.jobName,
    executionId: id,
    owner: Option.getOrUndefined(owner),
    since: Option.getOrElse(startTime, () => createTime)
  })
  return Effect.flatMap(Running.Running, (running) => Effect.fail(Running.located(running, repository, error)))
}
