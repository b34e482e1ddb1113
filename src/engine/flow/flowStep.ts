/**
 * The body of a step that runs a flow: the step ends as the flow does (FLOW-80).
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { AnyEffect } from "../../definition/tree.js"
import type { ExecutionContext } from "../../vocabulary/ExecutionContext.js"
import * as Progress from "../step/progress.js"
import type { StepState } from "../step/state.js"
import { advance } from "../step/state.js"
import type { Outcome } from "./runner.js"

/** `run` walks the flow; steps in it that start anew get a copy of the context of this step. */
export const runFlowStep = (
  state: StepState,
  run: (fresh: ExecutionContext) => Effect.Effect<Outcome, any, any>
): AnyEffect =>
  Effect.gen(function*() {
    const { cause, exitStatus, status } = yield* run(state.progress.context)
    advance(state, Progress.addExitStatus, exitStatus)
    advance(state, Progress.upgradeStatus, status)
    if (Option.isSome(cause)) {
      yield* Effect.failCause(cause.value)
    }
  })
