/**
 * The life of a job execution (LIFE-3 to LIFE-20), from the claimed row to the final one.
 */
import * as Cause from "effect/Cause"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Outcome } from "../../decisions/outcome.js"
import { brokenOff, causesOf } from "../../decisions/outcome.js"
import type { Erased } from "../../definition/erased.js"
import type { AnyEffect, JobDefinition } from "../../definition/tree.js"
import type { OwnerFailure } from "../../ports/JobRepository.js"
import { OwnershipLost } from "../../vocabulary/BatchError.js"
import { BatchEvent } from "../../vocabulary/BatchEvent.js"
import * as BatchStatus from "../../vocabulary/BatchStatus.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import { describe } from "../../vocabulary/failure.js"
import type { StepExecution } from "../../vocabulary/StepExecution.js"
import { runFlow } from "../flow/runner.js"
import * as FaultPoint from "../session/faultPoint.js"
import { saving } from "../session/saving.js"
import type { Session } from "../session/session.js"
import { decide, jobScope, owned, saveJob, stoppedAs } from "../session/session.js"
import { withinGrace } from "../session/stopping.js"

/** A job that ended, and why it failed. */
export interface JobResult {
  readonly cause: Option.Option<Cause.Cause<unknown>>
}

/**
 * Runs the job of a claimed execution to its durable end. Fails only when the end could not be written: the
 * repository is out of reach, or another process took the execution over.
 */
export const runJob = (session: Session, job: JobDefinition): Erased<JobResult, OwnerFailure> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const ran = yield* Effect.exit(restore(begin(session, job)))
      if (Exit.isFailure(ran) && isLost(session, ran.cause)) {
        return yield* Effect.failCause(ran.cause as Cause.Cause<OwnerFailure>)
      }
      const outcome = Exit.isSuccess(ran) ? ran.value : brokenOff(ran.cause, session.stopRequested)
      yield* end(session, outcome)
      yield* afterJob(session, job)
      session.publish(BatchEvent.JobEnded({ job: session.execution }))
      yield* FaultPoint.hit(session, "afterJobEnd")
      return { cause: outcome.cause }
    })
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** A stop that came before the job had begun starts nothing (LIFE-5). A partition is begun by its claim. */
const begin = (session: Session, job: JobDefinition): Erased<Outcome> =>
  Effect.gen(function*() {
    if (session.execution.status !== "STARTED") {
      const now = yield* DateTime.now
      yield* saving(session, saveJob(session, { status: "STARTED", startTime: Option.some(now) }))
    }
    session.publish(BatchEvent.JobStarted({ job: session.execution }))
    if (session.stopRequested) {
      return { status: "STOPPED" as const, exitStatus: ExitStatus.COMPLETED, cause: Option.none() }
    }
    for (const listener of job.listeners) {
      yield* listening(session, () => listener.beforeJob?.(session.execution) ?? Effect.void)
    }
    return yield* runFlow(session, job.graph)
  })

/** A callback that throws has failed; after a request to stop it ends within the grace time, like a step (LIFE-12, OWN-8). */
const listening = (session: Session, callback: () => AnyEffect): AnyEffect =>
  withinGrace(session, Effect.interruptible(Effect.provide(Effect.suspend(callback), jobScope(session))))

/** LIFE-10, LIFE-11. */
const end = (session: Session, outcome: Outcome): Effect.Effect<void, OwnerFailure> =>
  Effect.gen(function*() {
    yield* FaultPoint.hit(session, "beforeJobEnd")
    const now = yield* DateTime.now
    const { begun, open } = session.steps
    // Of steps that have ended as they should there is nothing to look up, and none of their commits is in doubt.
    const steps = open === 0 ? [] : yield* saving(session, session.repository.stepExecutions(session.execution.id))
    steps.forEach((step) => decide(session, step))
    yield* closeSteps(session, steps, now)
    const idle = begun === 0 && (outcome.status === "COMPLETED" || outcome.status === "STOPPED")
    const exitStatus = idle ? ExitStatus.and(outcome.exitStatus, NOTHING_TO_DO) : outcome.exitStatus
    yield* saving(
      session,
      saveJob(session, {
        status: outcome.status,
        exitStatus: outcome.status === "STOPPED" ? stoppedAs(session, exitStatus) : exitStatus,
        ...causesOf(outcome.cause),
        endTime: Option.some(now),
        lastUpdated: now
      })
    )
  })

/** A step whose end could not be saved when it came must not look as if it still ran. */
const closeSteps = (
  session: Session,
  steps: ReadonlyArray<StepExecution>,
  now: DateTime.Utc
): Effect.Effect<void, OwnerFailure> =>
  Effect.forEach(
    steps.filter(({ status }) => BatchStatus.isRunning(status)),
    (step) =>
      saving(
        session,
        session.repository.updateStepExecution(owned(session), {
          ...step,
          status: "FAILED",
          exitStatus: ExitStatus.addDescription(ExitStatus.FAILED, "how it ended could not be saved"),
          endTime: Option.some(now),
          lastUpdated: now
        })
      ),
    { discard: true }
  )

const NOTHING_TO_DO = ExitStatus.addDescription(
  ExitStatus.NOOP,
  "All steps already completed or no steps configured for this job."
)

/** In reverse order, always, with a second save for what the listeners changed, the context included (LIFE-12, CTX-7). */
const afterJob = (session: Session, job: JobDefinition): Erased<void, OwnerFailure> =>
  Effect.gen(function*() {
    const callbacks = job.listeners.flatMap(({ afterJob }) => afterJob === undefined ? [] : [afterJob]).reverse()
    if (callbacks.length === 0) {
      return
    }
    let exitStatus = session.execution.exitStatus
    for (const callback of callbacks) {
      const told = { ...session.execution, exitStatus }
      const called = yield* Effect.exit(listening(session, () => callback(told)))
      if (Exit.isFailure(called)) {
        yield* Effect.logWarning(
          `afterJob of "${session.execution.instance.jobName}" failed: ${describe(called.cause)}`
        )
        break
      }
      exitStatus = ExitStatus.and(exitStatus, called.value ?? exitStatus)
    }
    yield* saving(session, saveJob(session, { exitStatus }))
  })

/**
 * Without ownership there is nothing left that could be written. That of another job, which a listener or a decider may
 * have run, does not count.
 */
const isLost = (session: Session, cause: Cause.Cause<unknown>): boolean => {
  const failure = Cause.failureOption(cause)
  return Option.isSome(failure) && failure.value instanceof OwnershipLost &&
    failure.value.executionId === session.execution.id
}
