/**
 * The domain side of the job repository: decisions, typing and error handling around an encoded driver.
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import type * as ClaimOver from "../decisions/claimOver.js"
import { isOver } from "../decisions/claimOver.js"
import * as RestartPolicy from "../decisions/RestartPolicy.js"
import { JobRepositoryError, NoSuchJobExecution, OwnershipLost } from "../vocabulary/BatchError.js"
import * as BatchMetrics from "../vocabulary/BatchMetrics.js"
import * as BatchStatus from "../vocabulary/BatchStatus.js"
import type { JobExecution } from "../vocabulary/JobExecution.js"
import * as JobParameters from "../vocabulary/JobParameters.js"
import { tokenOf } from "./claimToken.js"
import type { Encoded, Fence, JobExecutionRow, JobRepository, LaunchRequest, OwnerFailure } from "./JobRepository.js"
import { makePartitions } from "./partitions.js"
import * as Pipelining from "./pipelining.js"
import * as Rows from "./repositoryRows.js"

export const makeRepository = (driver: Encoded): Context.Tag.Service<JobRepository> => ({
  ...ownersSide(driver),
  ...ways(driver),
  ...operatorsSide(driver),
  ...queries(driver),
  ...views(driver),
  partitions: makePartitions(driver, launch)
})

type Service = Context.Tag.Service<JobRepository>

/** What the process that runs an execution does. */
const ownersSide = (
  driver: Encoded
): Pick<
  Service,
  | "launch"
  | "updateJobExecution"
  | "renewLease"
  | "beatsQueue"
  | "createStepExecution"
  | "updateStepExecution"
  | "addSkippedItems"
> => ({
  launch: (request) => Effect.flatten(transact(driver, "launch", launch(driver, request), request.leaseMillis)),
  updateJobExecution: (execution) =>
    owned(
      execution,
      "updateJobExecution",
      (now) =>
        driver.updateJobExecution(
          Rows.fromJobExecution(execution, now),
          fenceOf(execution),
          !BatchStatus.isRunning(execution.status)
        )
    ),
  renewLease: (execution, leaseMillis) =>
    owned(execution, "renewLease", () => driver.renewLease(execution.id, fenceOf(execution), leaseMillis)),
  beatsQueue: driver.beatsQueue,
  createStepExecution: (execution, step) =>
    Effect.gen(function*() {
      const now = yield* DateTime.now
      const started = Rows.newStepExecution(execution.id, step, now)
      const id = yield* driver.insertStepExecution(Rows.fromStepExecution(started, now), fenceOf(execution))
      return Option.isNone(id)
        ? yield* lost(execution)
        : Option.map(Option.fromNullable(id.value), (id) => ({ ...started, id }))
    }),
  updateStepExecution: pipelinable(driver, (execution, step, before) =>
    owned(
      execution,
      "updateStepExecution",
      (now) => driver.updateStepExecution(Rows.fromStepExecution(step, now), fenceOf(execution), before?.counts)
    )),
  addSkippedItems: (step, items) =>
    items.length === 0
      ? Effect.void
      : driver.insertSkippedItems(items.map((item) => Rows.fromSkippedItem(step.id, item)))
})

/** The way that the executions of an instance have gone. */
const ways = (driver: Encoded): Pick<Service, "flowHistory" | "stepExecution" | "recordAnswer"> => ({
  flowHistory: (instance) =>
    Effect.flatMap(driver.flowHistory(instance.id), ({ answers, steps }) =>
      Effect.map(
        Effect.forEach(steps, (row) => readable("flowHistory", Rows.toStepRecord(row))),
        (steps) => ({ steps, answers })
      )),
  stepExecution: (id) =>
    Effect.flatMap(driver.findStepExecution(id), (row) =>
      row === null
        ? Effect.succeedNone
        : Effect.asSome(readable("stepExecution", Rows.toStepExecution(row)))),
  recordAnswer: (execution, answer) =>
    Effect.flatMap(
      Effect.clockWith((clock) =>
        driver.insertAnswer(
          { ...answer, jobExecutionId: execution.id, createTime: clock.unsafeCurrentTimeMillis() },
          fenceOf(execution)
        )
      ),
      (stored) => Option.isSome(stored) ? Effect.void : lost(execution)
    )
})

/** Not `Effect.never`, which keeps a timer, and with it the process, for as long as anybody waits. */
const noHint: Effect.Effect<never> = Effect.async<never>(() => {})

/** What anybody may do to an execution from outside. */
const operatorsSide = (
  driver: Encoded
): Pick<Service, "requestStop" | "stopHint" | "close" | "expiredExecutions" | "deleteJobExecutions"> => ({
  requestStop: (executionId) =>
    Effect.flatMap(
      driver.requestStop(executionId),
      (status): Effect.Effect<BatchStatus.BatchStatus, NoSuchJobExecution | JobRepositoryError> =>
        Option.isSome(status) ? readStatus("requestStop", status.value) : unknownExecution(executionId)
    ),
  stopHint: driver.stopHint ?? (() => noHint),
  close: (executionId, end) =>
    Effect.gen(function*() {
      yield* findOne(driver, executionId)
      const now = yield* DateTime.now
      yield* transact(
        driver,
        "close",
        driver.close([executionId], {
          status: end.status,
          exitCode: end.exitCode,
          exitMessage: end.message,
          endTime: DateTime.toEpochMillis(now)
        })
      )
    }),
  expiredExecutions: (witness) =>
    Effect.flatMap(
      Effect.zipRight(driver.limitLeases, driver.findClaims),
      (rows) =>
        Effect.forEach(
          rows.filter((row) => isExpired(row, witness)),
          (row) => readable("expiredExecutions", Rows.toJobExecution(row))
        )
    ),
  deleteJobExecutions: (executionIds) =>
    executionIds.length === 0
      ? Effect.succeed(0)
      : transact(driver, "deleteJobExecutions", driver.deleteJobExecutions(executionIds))
})

const queries = (
  driver: Encoded
): Pick<
  Service,
  "leases" | "jobNames" | "jobInstances" | "jobExecutions" | "jobExecution" | "stepExecutions" | "stepExecutionsOf"
> => ({
  leases: driver.findLeases,
  jobNames: driver.findJobNames,
  jobInstances: (filter) => Effect.map(driver.findJobInstances(filter), (rows) => rows.map(Rows.toJobInstance)),
  jobExecutions: ({ changedSince, createdFrom, createdTo, partitions, ...filter }) =>
    Effect.flatMap(
      driver.findJobExecutions({
        ...filter,
        changedSince: changedSince && DateTime.toEpochMillis(changedSince),
        createdFrom: createdFrom && DateTime.toEpochMillis(createdFrom),
        createdTo: createdTo && DateTime.toEpochMillis(createdTo),
        partitions: partitions ??
          [filter.jobName, filter.instanceId, filter.parentId].some((given) => given !== undefined)
      }),
      Effect.forEach((row) => readable("jobExecutions", Rows.toJobExecution(row)))
    ),
  jobExecution: (executionId) => findOne(driver, executionId),
  stepExecutions: (executionId) =>
    Effect.flatMap(
      driver.findStepExecutions(executionId),
      Effect.forEach((row) => readable("stepExecutions", Rows.toStepExecution(row)))
    ),
  stepExecutionsOf: (executionIds) =>
    executionIds.length === 0 ? Effect.succeed([]) : Effect.flatMap(
      driver.findStepExecutionsOf(executionIds),
      Effect.forEach((row) => readable("stepExecutionsOf", Rows.toStepExecution(row)))
    )
})

/** What is kept for people who look. */
const views = (
  driver: Encoded
): Pick<
  Service,
  | "skippedItems"
  | "skippedPage"
  | "skippedGroups"
  | "recordAudit"
  | "audit"
  | "recordNotice"
  | "notices"
  | "forgetNotices"
> => ({
  skippedItems: (executionId) =>
    Effect.flatMap(
      driver.findSkippedItems(executionId),
      Effect.forEach((row) => readable("skippedItems", Rows.toSkippedItem(row)))
    ),
  skippedPage: (filter) =>
    Effect.flatMap(
      driver.findSkippedPage(filter),
      Effect.forEach((row) =>
        Effect.map(readable("skippedPage", Rows.toSkippedItem(row)), (item) => ({ ...item, id: row.id }))
      )
    ),
  skippedGroups: (executionId, limit = 100) => driver.findSkippedGroups(executionId, limit),
  recordAudit: (entry) =>
    driver.insertAudit({
      ...entry,
      executionId: entry.executionId ?? null,
      createTime: DateTime.toEpochMillis(entry.createTime)
    }),
  audit: ({ executionId, limit = 100 }) =>
    Effect.map(driver.findAudit(executionId, limit), (rows) =>
      rows.map((row) => ({
        ...row,
        executionId: row.executionId ?? undefined,
        createTime: DateTime.unsafeMake(row.createTime)
      }))),
  recordNotice: (notice) => Effect.flatMap(Clock.currentTimeMillis, (now) => driver.insertNotice(notice, now)),
  notices: (subjects) => subjects.length === 0 ? Effect.succeed([]) : driver.findNotices(subjects),
  forgetNotices: ({ before, ...filter }) => driver.deleteNotices({ ...filter, before: DateTime.toEpochMillis(before) })
})

/**
 * Answers with an effect instead of failing, so that the burial of a dead execution commits even when the launch is
 * then refused.
 */
const launch = (driver: Encoded, request: LaunchRequest) =>
  Effect.gen(function*() {
    const now = yield* DateTime.now
    const millis = DateTime.toEpochMillis(now)
    const instance = yield* driver.lockInstance({
      jobName: request.jobName,
      jobKey: JobParameters.jobKey(request.parameters),
      createTime: millis
    })
    const history = yield* currentHistory(driver, instance.id, request)
    const plan = RestartPolicy.planLaunch({
      jobName: request.jobName,
      parameters: JobParameters.format(request.parameters.filter((parameter) => parameter.identifying)),
      restartable: request.restartable,
      executions: history.map((row) => ({
        id: row.id,
        status: row.status as BatchStatus.BatchStatus,
        owner: row.owner ?? undefined,
        since: DateTime.unsafeMake(row.startTime ?? row.createTime),
        leaseLeftMillis: row.leaseLeftMillis ?? undefined,
        leaseExpired: isExpired(row, request),
        hasUnknownStep: row.hasUnknownStep
      }))
    })
    if (plan.expired.length > 0) {
      yield* driver.close(plan.expired, { ...OWNER_DIED, endTime: millis })
    }
    const takenOver = plan.expired.length === 0
      ? Effect.void
      : Metric.incrementBy(Metric.tagged(BatchMetrics.takeovers, "job", request.jobName), plan.expired.length)
    if (plan._tag === "Refuse") {
      return Effect.zipRight(takenOver, Effect.fail(plan.error))
    }
    const previous = history[0]
    const row = {
      ...Rows.newJobExecution(instance, request, millis),
      context: previous?.context ?? request.context ?? "{}",
      restartOf: previous?.id ?? null
    }
    const token = tokenOf(driver)
    request.onToken?.(token)
    const id = yield* driver.insertJobExecution(row, request.leaseMillis, token)
    const claimed = Rows.toJobExecution({ ...row, id, leaseLeftMillis: request.leaseMillis })
    return Effect.as(takenOver, { ...(yield* readable("launch", claimed)), token })
  })

/** Before a lease keeps anybody out, it is one that can be believed (OWN-20). */
const currentHistory = (driver: Encoded, instanceId: number, request: LaunchRequest) =>
  Effect.flatMap(
    driver.launchHistory(instanceId),
    (history) =>
      history.some((row) => isRunning(row) && !isExpired(row, request))
        ? Effect.zipRight(driver.limitLeases, driver.launchHistory(instanceId))
        : Effect.succeed(history)
  )

/** What the rows of a dead owner say (D16, RECOVER-1). */
const OWNER_DIED = {
  status: "FAILED",
  exitCode: "OWNER_DIED",
  exitMessage: "The process that ran it died without a word; a restart goes on from the last commit"
}

/** A driver cannot know what its transaction is for, and people look for what they asked for. */
const transact = <A, R>(
  driver: Encoded,
  operation: string,
  effect: Effect.Effect<A, JobRepositoryError, R>,
  patienceMillis?: number
) =>
  Effect.mapError(
    driver.transact(effect, patienceMillis),
    ({ blockedBy, cause, detail, reason }) =>
      new JobRepositoryError({ operation, reason, detail, cause, ...(blockedBy === undefined ? {} : { blockedBy }) })
  )

const isRunning = (row: JobExecutionRow): boolean => BatchStatus.isRunning(row.status as BatchStatus.BatchStatus)

const isExpired = (row: JobExecutionRow & ClaimOver.Claim, witness: ClaimOver.Witness): boolean =>
  isRunning(row) && isOver(row, witness)

const owned = (
  execution: JobExecution,
  operation: string,
  write: (now: DateTime.Utc) => Effect.Effect<Option.Option<string>, JobRepositoryError>
) =>
  Effect.flatMap(
    Effect.clockWith((clock) => write(DateTime.unsafeMake(clock.unsafeCurrentTimeMillis()))),
    (status): Effect.Effect<BatchStatus.BatchStatus, OwnershipLost | JobRepositoryError> =>
      Option.isSome(status) ? readStatus(operation, status.value) : lost(execution)
  )

const pipelinable = (
  { pipelinedUpdate }: Encoded,
  update: Service["updateStepExecution"]
): Service["updateStepExecution"] =>
  pipelinedUpdate === undefined ? update : Pipelining.withPipelinedSave(update, {
    database: pipelinedUpdate.database,
    encode: (execution, step, before) =>
      Effect.clockWith((clock) => {
        const now = DateTime.unsafeMake(clock.unsafeCurrentTimeMillis())
        const save = pipelinedUpdate.encode(Rows.fromStepExecution(step, now), fenceOf(execution), before.counts)
        const failure = Option.getOrElse(() => ownershipLost(execution))
        return Effect.succeed({
          ...save,
          answer: (row) =>
            Either.flatMap(
              Either.mapLeft(save.answer(row), failure),
              (status) => Either.mapLeft(Rows.toStatus(status), unreadable("updateStepExecution"))
            ),
          refused: (error) => failure(save.refused(error)),
          examine: undefined
        })
      })
  })

/** A record that was read instead of claimed has no token, and passes no fence. */
const fenceOf = ({ epoch, token = "" }: JobExecution): Fence => ({ epoch, token })

const ownershipLost = ({ epoch, id }: JobExecution): OwnerFailure => new OwnershipLost({ executionId: id, epoch })

const lost = (execution: JobExecution) => Effect.fail(ownershipLost(execution))

const unknownExecution = (executionId: number) => Effect.fail(new NoSuchJobExecution({ executionId }))

const findOne = (driver: Encoded, executionId: number) =>
  Effect.flatMap(
    driver.findJobExecutions({ ids: [executionId], limit: 1 }),
    ([row]): Effect.Effect<JobExecution, NoSuchJobExecution | JobRepositoryError> =>
      row === undefined ? unknownExecution(executionId) : readable("jobExecution", Rows.toJobExecution(row))
  )

const readable = <A>(operation: string, decoded: Either.Either<A, string>): Effect.Effect<A, JobRepositoryError> =>
  Either.isRight(decoded)
    ? Effect.succeed(decoded.right)
    : Effect.fail(unreadable(operation)(decoded.left))

const unreadable = (operation: string) => (detail: string) =>
  new JobRepositoryError({ operation, reason: "data", detail })

const readStatus = (operation: string, status: string): Effect.Effect<BatchStatus.BatchStatus, JobRepositoryError> =>
  readable(operation, Rows.toStatus(status))
