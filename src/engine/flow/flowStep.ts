/**
 * The body of a step that runs a flow: the step ends as the flow does (FLOW-80).
 */
import * as Effect from "effect/Effect"
import type { Outcome } from "../../decisions/outcome.js"
import type { ExecutionContext } from "../../vocabulary/ExecutionContext.js"
import type { StepState } from "../step/state.js"

/** `run` walks the flow; steps in it that start anew get a copy of the context of this step. */
export const runFlowStep = <E, R>(
  state: StepState,
  run: (fresh: ExecutionContext) => Effect.Effect<Outcome, E, R>
): Effect.Effect<Outcome, E, R> => Effect.suspend(() => run(state.progress.context))
