/**
 * Walks a flow: which step runs, is skipped, is refused, and how the flow ends (SIMPLE-1 to SIMPLE-5, HAND-1 to
 * HAND-13).
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { JobRestartRefused, StepStartLimitExceeded } from "../BatchError.js"
import { BatchEvent } from "../BatchEvent.js"
import type { BatchStatus } from "../BatchStatus.js"
import * as ExitStatus from "../ExitStatus.js"
import type { OwnerFailure } from "../JobRepository.js"
import * as RestartPolicy from "../RestartPolicy.js"
import type { StepExecution } from "../StepExecution.js"
import type { FlowNode, StepDefinition } from "./definition.js"
import type { Session } from "./session.js"
import { runStep } from "./stepRunner.js"

/** How a flow, or the part of it that was walked, ended. */
export interface Outcome {
  readonly status: BatchStatus
  readonly exitStatus: ExitStatus.ExitStatus
  readonly cause: Option.Option<Cause.Cause<unknown>>
  /** The step that ran or was skipped last. */
  readonly last: StepExecution | undefined
}

export type FlowFailure = OwnerFailure | JobRestartRefused | StepStartLimitExceeded

export const runFlow = (session: Session, node: FlowNode): Effect.Effect<Outcome, FlowFailure, any> => {
  switch (node._tag) {
    case "Step":
      return handleStep(session, node.definition)
    case "AndThen":
      return Effect.flatMap(
        runFlow(session, node.self),
        (outcome) => outcome.status === "COMPLETED" ? runFlow(session, node.that) : Effect.succeed(outcome)
      )
  }
}

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const handleStep = (session: Session, definition: StepDefinition): Effect.Effect<Outcome, FlowFailure, any> =>
  Effect.gen(function*() {
    if (session.stopRequested) {
      return stopped
    }
    const { allowStartIfComplete, startLimit } = definition.settings
    const history = yield* session.repository.stepHistory(session.execution.instance, definition.name)
    const plan = RestartPolicy.planStep({
      jobName: session.execution.instance.jobName,
      stepName: definition.name,
      last: Option.map(history.last, (step) => ({
        ...step,
        startedInThisExecution: step.jobExecutionId === session.execution.id
      })),
      starts: history.starts,
      startLimit,
      allowStartIfComplete
    })
    switch (plan._tag) {
      case "Refuse":
        return yield* Effect.fail(plan.error)
      case "Skip":
        session.publish(BatchEvent.StepSkipped({ job: session.execution, step: plan.last }))
        return outcomeOf(plan.last, Option.none())
      case "Start":
      case "Resume": {
        const from = plan._tag === "Resume" ? Option.some(plan.last) : Option.none()
        const { cause, step } = yield* runStep(session, definition, from)
        if (step.status === "STOPPED" || step.status === "STOPPING") {
          session.stopRequested = true
        }
        return outcomeOf(step, cause)
      }
    }
  })

const outcomeOf = (step: StepExecution, cause: Option.Option<Cause.Cause<unknown>>): Outcome => ({
  status: step.status,
  exitStatus: step.exitStatus,
  cause,
  last: step
})

/** A step that is not started because the job is stopping (HAND-1). */
const stopped: Outcome = {
  status: "STOPPED",
  exitStatus: ExitStatus.addDescription(ExitStatus.STOPPED, "stopped on request"),
  cause: Option.none(),
  last: undefined
}
