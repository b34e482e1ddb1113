/**
 * The body of a step that runs another job and waits for it (JOBSTEP-1 to JOBSTEP-7).
 *
 * The child's parameters are stored with the step before the child starts, so a restart addresses the same instance.
 * No transaction is open while the child runs.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Outcome } from "../../decisions/outcome.js"
import type { Erased } from "../../definition/erased.js"
import type { JobBody } from "../../definition/tree.js"
import { definitionOf } from "../../definition/tree.js"
import { JobRepository } from "../../ports/JobRepository.js"
import { JobInstanceAlreadyComplete, JobNotCompleted } from "../../vocabulary/BatchError.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import { describe } from "../../vocabulary/failure.js"
import type { JobExecution } from "../../vocabulary/JobExecution.js"
import * as JobParameters from "../../vocabulary/JobParameters.js"
import type { EndedJobExecution } from "../session/launched.js"
import { stop } from "../session/running.js"
import { saving } from "../session/saving.js"
import { awaitStop } from "../session/stopping.js"
import * as Progress from "../step/progress.js"
import type { StepState } from "../step/state.js"
import { advance, finish } from "../step/state.js"

/** Reserved in the context of every job step. */
export const key: ExecutionContext.Key<ReadonlyArray<JobParameters.JobParameter>> = ExecutionContext.key(
  "batch.job.parameters",
  Schema.Array(JobParameters.JobParameter)
)

export const runJobStep = (state: StepState, body: JobBody): Erased<Outcome> =>
  Effect.gen(function*() {
    const { job } = body
    const declaration = definitionOf(job).parameters ?? JobParameters.none
    const stored = yield* ExecutionContext.get(state.progress.context, key)
    if (Option.isNone(stored)) {
      const encoded = yield* JobParameters.encodeGiven(declaration, yield* body.parameters)
      advance(state, Progress.changeContext, ExecutionContext.unsafeSet(key, encoded))
      yield* finish(state, () => ({}))
    }
    const encoded = Option.getOrThrow(yield* ExecutionContext.get(state.progress.context, key))
    const parameters = yield* JobParameters.decode(declaration, encoded)
    const run = runChild(state, body, parameters)
    const ended: Ended = yield* Option.isSome(stored) ? adopting(state, run) : run
    return outcomeOf(ended)
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

type Ended = Pick<JobExecution, "status" | "exitStatus"> & { readonly failure: Option.Option<Cause.Cause<unknown>> }

/** Stops the child when its scope closes early, and when the parent is asked to stop. */
const runChild = (state: StepState, { job }: JobBody, parameters: unknown): Erased<Ended> =>
  Effect.scoped(
    Effect.gen(function*() {
      const { session } = state
      const child = yield* session.startJob(job as Parameters<typeof session.startJob>[0], parameters)
      yield* Effect.forkScoped(passOnStop(state, child.execution.id))
      const ended = yield* child.await
      return { ...ended, failure: Option.some(failureOf(ended)) }
    })
  )

/**
 * The process may have died after the end of the child and before that of this step: then the child's result is
 * there already. This is asked only for parameters that an earlier execution of this step has stored (JOBSTEP-5).
 */
const adopting = (state: StepState, run: Erased<Ended>): Erased<Ended> =>
  Effect.catchIf(
    run,
    (error) => error instanceof JobInstanceAlreadyComplete,
    (error): Erased<Ended> =>
      error.status === "COMPLETED"
        ? Effect.map(
          saving(state.session, state.session.repository.jobExecution(error.executionId)),
          (execution): Ended => ({ ...execution, failure: Option.none() })
        )
        : Effect.fail(error)
  )

const passOnStop = (state: StepState, childId: number): Effect.Effect<void> =>
  Effect.zipRight(awaitStop(state.session), stop(childId)).pipe(
    Effect.provideService(JobRepository, state.session.repository),
    Effect.ignoreLogged
  )

/**
 * The step ends as its job did: with the code of that, and with the reason if it failed. A child in which nothing was left
 * to run has completed all the same.
 */
const outcomeOf = ({ exitStatus, failure, status }: Ended): Outcome => {
  switch (status) {
    case "COMPLETED":
      return {
        status,
        exitStatus: exitStatus.code === "NOOP" ? ExitStatus.make("COMPLETED", ...exitStatus.messages) : exitStatus,
        cause: Option.none()
      }
    case "STOPPED":
      return { status, exitStatus, cause: Option.none() }
    default:
      return {
        status: "FAILED",
        exitStatus: ExitStatus.make(
          status === "FAILED" ? exitStatus.code : "FAILED",
          ...exitStatus.messages,
          ...Option.match(failure, { onNone: () => [], onSome: (cause) => [describe(cause)] })
        ),
        cause: failure
      }
  }
}

const failureOf = (ended: EndedJobExecution<string, unknown>): Cause.Cause<unknown> =>
  Exit.isFailure(ended.exit)
    ? ended.exit.cause
    : Cause.fail(
      new JobNotCompleted({
        jobName: ended.instance.jobName,
        executionId: ended.id,
        status: ended.status,
        exitCode: ended.exitStatus.code
      })
    )
