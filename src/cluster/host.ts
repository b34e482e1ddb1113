/**
 * What a process of the cluster does for the jobs that are wanted: it follows their instances, and runs those that nobody runs.
 *
 * A job runs in the process, not in the entity that was asked for it. So it stays when shards move to a process that has joined;
 * whoever follows the instance then sees that it runs. Only the death of its process, or its end, hands it over.
 */
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Hosting from "../decisions/hosting.js"
import type { Erased } from "../definition/erased.js"
import type { Job } from "../definition/Job.js"
import * as Launch from "../engine/job/launch.js"
import { Ownership } from "../engine/session/ownership.js"
import * as Running from "../engine/session/running.js"
import { requestStop } from "../engine/session/session.js"
import * as JobOperator from "../operator/JobOperator.js"
import { JobRepository } from "../ports/JobRepository.js"
import type { Transactor } from "../ports/Transactor.js"
import type { JobRepositoryError, LaunchError } from "../vocabulary/BatchError.js"
import * as BatchStatus from "../vocabulary/BatchStatus.js"
import { describe } from "../vocabulary/failure.js"
import * as PartitionWorker from "../worker/PartitionWorker.js"
import type { Ended, Refused, Run } from "./messages.js"
import * as Requests from "./requests.js"

/** The jobs of this process, and what they need. */
export interface Host {
  readonly jobs: ReadonlyMap<string, Job.Any>
  readonly room: Effect.Semaphore
  readonly running: Running.RunningSessions
  readonly repository: JobRepository["Type"]
  /** Of the fibers in which jobs run. */
  readonly scope: Scope.CloseableScope
  /** The executions that it runs, each with what is known when it has ended. */
  readonly executions: Map<number, Deferred.Deferred<void>>
  /** Who the audit says that it was. */
  readonly name: string
  draining: boolean
}

/** Until its Scope is closed: then it hands over what it runs, within the grace time of stops. */
export const make = (
  jobs: ReadonlyArray<Job.Any>,
  atOnce: number
): Effect.Effect<Host, never, JobRepository | Scope.Scope> =>
  Effect.gen(function*() {
    const { owner } = yield* Ownership
    const host: Host = {
      jobs: new Map(jobs.map((job) => [job.name, job])),
      room: yield* Effect.makeSemaphore(atOnce),
      running: yield* Running.Running,
      repository: yield* JobRepository,
      scope: yield* Scope.make(),
      executions: new Map(),
      name: `cluster ${owner}`,
      draining: false
    }
    yield* Effect.addFinalizer(() => drain(host))
    return host
  })

/** Sees to it that the instance ends, and says how: wherever it runs, and however often this is asked. */
export const follow = (
  host: Host,
  request: Run
): Erased<typeof Ended.Type, typeof Refused.Type, JobRepository | Transactor> =>
  Effect.gen(function*() {
    while (true) {
      const action = yield* patiently(decide(request))
      switch (action._tag) {
        case "End":
          if (action.gaveUp) {
            yield* patiently(giveUp(host, request, action.id))
          }
          return { executionId: action.id }
        case "Recover":
          yield* patiently(recover(action.id))
          break
        case "Wait":
          yield* awaitChange
          break
        case "Launch":
          yield* isLeaving(host) ? awaitChange : launch(host, request)
      }
    }
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const isLeaving = (host: Host): boolean => host.draining || host.running.closing

const awaitChange = Effect.flatMap(PartitionWorker.Poll, (poll) => Effect.sleep(poll))

/** A repository that is away is waited for: what it knows is all that counts. */
const patiently = <A, R>(effect: Effect.Effect<A, JobRepositoryError, R>): Effect.Effect<A, never, R> =>
  Effect.catchAll(
    effect,
    (error) =>
      Effect.logWarning(`A process of the cluster waits for the repository: ${error.message}`).pipe(
        Effect.zipRight(awaitChange),
        Effect.zipRight(Effect.suspend(() => patiently(effect)))
      )
  )

const decide = (request: Run): Effect.Effect<Hosting.Action, JobRepositoryError, JobRepository> =>
  Effect.gen(function*() {
    const executions = yield* Requests.executionsOf(request.job, request.parameters)
    const isAlive = executions[0] === undefined || !BatchStatus.isRunning(executions[0].status)
    const expired = isAlive ? new Set<number>() : yield* expiredIds
    const attempts = executions.map(({ exitStatus, id, status }) => ({
      id,
      status,
      exitCode: exitStatus.code,
      isExpired: expired.has(id)
    }))
    return Hosting.decide(attempts, request)
  })

const expiredIds = Effect.gen(function*() {
  const repository = yield* JobRepository
  return new Set((yield* repository.expiredExecutions(yield* Running.witness)).map(({ id }) => id))
})

/** Somebody else may have done it, or the owner may have come back: the next decision sees. */
const recover = (id: number): Effect.Effect<void, JobRepositoryError, JobRepository> =>
  JobOperator.recover(id).pipe(
    Effect.asVoid,
    Effect.catchTags({ JobExecutionAlreadyRunning: () => Effect.void, NoSuchJobExecution: () => Effect.void })
  )

const giveUp = (host: Host, { job, restarts }: Run, executionId: number) =>
  note(
    host,
    { job, executionId },
    `give up`,
    `its process died, and ${restarts} ${restarts === 1 ? "restart was" : "restarts were"} not enough; ` +
      "see why processes die of it, then run it again"
  )

const note = (
  { name, repository }: Host,
  about: { readonly job: string; readonly executionId: number },
  what: string,
  outcome: string
): Effect.Effect<void, JobRepositoryError> =>
  Effect.flatMap(DateTime.now, (createTime) =>
    Effect.zipRight(
      Effect.logWarning(`Job "${about.job}", execution ${about.executionId}: ${what}: ${outcome}`),
      repository.recordAudit({
        executionId: about.executionId,
        jobName: about.job,
        who: name,
        what,
        outcome,
        createTime
      })
    ))

/** Waits for room, looks again, and if it is still wanted runs it; waits until it has ended. */
const launch = (
  host: Host,
  request: Run
): Erased<void, typeof Refused.Type, JobRepository | Transactor> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      yield* restore(host.room.take(1))
      const action = yield* Effect.onError(restore(patiently(decide(request))), () => host.room.release(1))
      if (action._tag !== "Launch" || isLeaving(host)) {
        yield* host.room.release(1)
        return
      }
      const ended = yield* Effect.onError(begin(host, request, action.deaths), () => host.room.release(1))
      yield* restore(Deferred.await(ended))
    })
  )

const begin = (
  host: Host,
  { job, parameters, restarts }: Run,
  deaths: number
): Erased<Deferred.Deferred<void>, typeof Refused.Type, JobRepository | Transactor> =>
  Effect.gen(function*() {
    const ended = yield* Deferred.make<void>()
    const started = yield* Launch.startHosted(host.jobs.get(job)!, parameters, () => isLeaving(host)).pipe(
      Effect.provideService(Scope.Scope, host.scope),
      Effect.either
    )
    if (started._tag === "Left") {
      yield* refuse(started.left)
      yield* host.room.release(1)
      yield* Effect.forkIn(Effect.zipRight(awaitChange, Deferred.succeed(ended, undefined)), host.scope)
      return ended
    }
    const { await: awaited, execution } = started.right
    host.executions.set(execution.id, ended)
    if (deaths > 0) {
      yield* Effect.ignoreLogged(
        note(host, { job, executionId: execution.id }, "restart", `${deaths} of ${restarts}: its process had died`)
      )
    }
    yield* Effect.forkIn(
      Effect.flatMap(Effect.exit(Effect.interruptible(awaited)), (exit) =>
        Effect.zipRight(
          Exit.isFailure(exit)
            ? Effect.logWarning(`Job "${job}", execution ${execution.id}: ${describe(exit.cause)}`)
            : Effect.void,
          Effect.zipRight(host.room.release(1), leave(host, execution.id, ended))
        )),
      host.scope
    )
    return ended
  })

const leave = (host: Host, executionId: number, ended: Deferred.Deferred<void>) =>
  Effect.suspend(() => {
    host.executions.delete(executionId)
    return Deferred.succeed(ended, undefined)
  })

/** What others do, or have done, about the instance is no refusal; nor is a repository that is away. */
const refuse = (error: LaunchError | JobRepositoryError): Effect.Effect<void, typeof Refused.Type> => {
  switch (error._tag) {
    case "JobExecutionAlreadyRunning":
    case "JobInstanceAlreadyComplete":
      return Effect.void
    case "JobRepositoryError":
      return Effect.logWarning(error.message)
    default:
      return Effect.fail({ _tag: "Refused", reason: error._tag, problem: error.message })
  }
}

const drain = (host: Host): Effect.Effect<void> =>
  Effect.gen(function*() {
    host.draining = true
    for (const id of host.executions.keys()) {
      Running.find(host.running, host.repository, id).forEach(requestStop)
    }
    yield* Effect.forEach([...host.executions.values()], Deferred.await, { discard: true })
    yield* Scope.close(host.scope, Exit.void)
  })
