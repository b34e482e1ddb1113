/**
 * What the cases of the job repository suite are made of.
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Json } from "../../base/json.js"
import type { LaunchRequest } from "../../ports/JobRepository.js"
import { JobRepository } from "../../ports/JobRepository.js"
import type { Transactor } from "../../ports/Transactor.js"
import type { BatchStatus } from "../../vocabulary/BatchStatus.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import type { JobExecution } from "../../vocabulary/JobExecution.js"
import type { JobParameter } from "../../vocabulary/JobParameters.js"
import type { SkippedItem } from "../../vocabulary/SkippedItem.js"
import type { StepExecution } from "../../vocabulary/StepExecution.js"

/**
 * Tests by title.
 *
 * @internal
 */
export type Cases = Readonly<Record<string, Effect.Effect<unknown, unknown, JobRepository | Transactor>>>

/** @internal */
export const freshName: Effect.Effect<string> = Effect.sync(() => `suite-${globalThis.crypto.randomUUID()}`)

/** @internal */
export const parameter = (name: string, value: Json, identifying = true): JobParameter => ({ name, value, identifying })

/** @internal */
export const request = (jobName: string, ask: Partial<LaunchRequest> = {}): LaunchRequest => ({
  jobName,
  parameters: [],
  restartable: true,
  owner: "suite",
  leaseMillis: 60_000,
  isOwnerGone: () => false,
  ...ask
})

/** @internal */
export const launch = (jobName: string, ask?: Partial<LaunchRequest>) =>
  Effect.flatMap(JobRepository, (repository) => repository.launch(request(jobName, ask)))

/** @internal */
export const launchFresh = (ask?: Partial<LaunchRequest>) =>
  Effect.flatMap(freshName, (jobName) => launch(jobName, ask))

/**
 * Writes a status as the owner does.
 *
 * @internal
 */
export const setStatus = (execution: JobExecution, status: BatchStatus) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const now = yield* DateTime.now
    const running = status === "STARTING" || status === "STARTED" || status === "STOPPING"
    const changed: JobExecution = {
      ...execution,
      status,
      exitStatus: running ? execution.exitStatus : ExitStatus.make(status),
      endTime: running ? Option.none() : Option.some(now)
    }
    yield* repository.updateJobExecution(changed)
    return changed
  })

/**
 * In the next round of its place, unless one is given.
 *
 * @internal
 */
export const createStep = (
  execution: JobExecution,
  stepName: string,
  from: {
    readonly context?: ExecutionContext.ExecutionContext
    readonly checkpoint?: Json
    readonly place?: string
    readonly round?: string
  } = {}
) =>
  Effect.gen(function*() {
    const repository = yield* JobRepository
    const before = from.round === undefined ? yield* repository.stepExecutions(execution.id) : []
    return Option.getOrThrow(
      yield* repository.createStepExecution(execution, {
        stepName,
        place: from.place,
        round: from.round ?? String(1 + before.filter((step) => step.stepName === stepName).length),
        context: from.context ?? ExecutionContext.empty,
        checkpoint: Option.fromNullable(from.checkpoint)
      })
    )
  })

/**
 * Makes an owner dead: its lease ends in the past, by whatever clock the store uses.
 *
 * @internal
 */
export const expireLease = (execution: JobExecution) =>
  Effect.flatMap(JobRepository, (repository) => repository.renewLease(execution, -1000))

/**
 * Runs the effect an hour later, by the clock of this process.
 *
 * @internal
 */
export const later = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.clockWith((clock) => {
    const millis = () => clock.unsafeCurrentTimeMillis() + 3_600_000
    return Effect.withClock(effect, {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: millis,
      unsafeCurrentTimeNanos: () => clock.unsafeCurrentTimeNanos(),
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanos: clock.currentTimeNanos,
      sleep: (duration) => clock.sleep(duration)
    })
  })

/**
 * How much is left of the lease of a running execution, as somebody is told who would take it over.
 *
 * @internal
 */
export const leaseLeftMillis = (execution: JobExecution) =>
  Effect.map(
    Effect.flip(launch(execution.instance.jobName)),
    (error) => error._tag === "JobExecutionAlreadyRunning" ? error.leaseLeftMillis ?? 0 : Number.NaN
  )

/** @internal */
export const skipped = (step: StepExecution, message: string, item?: Json): Effect.Effect<SkippedItem> =>
  Effect.map(DateTime.now, (createTime) => ({
    stepName: step.stepName,
    phase: "process" as const,
    position: step.checkpoint,
    errorTag: "BadRow",
    message,
    item: Option.fromNullable(item),
    createTime
  }))

/** @internal */
export const messages = (executionId: number) =>
  Effect.flatMap(
    JobRepository,
    (repository) => Effect.map(repository.skippedItems(executionId), (items) => items.map((item) => item.message))
  )

/**
 * A claimed execution as others read it.
 *
 * @internal
 */
export const asRead = ({ token: _, ...execution }: JobExecution): JobExecution => execution

/** @internal */
export const storedStep = (step: StepExecution) =>
  Effect.flatMap(
    JobRepository,
    (repository) =>
      Effect.map(repository.stepExecutions(step.jobExecutionId), (steps) => steps.find(({ id }) => id === step.id))
  )
