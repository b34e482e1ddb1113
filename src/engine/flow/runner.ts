/**
 * Walks the graph of a flow: which step runs, is skipped, is refused, where its outcome leads, and how the flow ends
 * (SIMPLE-1 to SIMPLE-5, HAND-1 to HAND-13, FLOW-20 to FLOW-66).
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as RestartPolicy from "../../decisions/RestartPolicy.js"
import type { FlowGraph, FlowState, StateKind } from "../../definition/graph.js"
import { resolve } from "../../definition/routes.js"
import type { StepDefinition } from "../../definition/tree.js"
import { UnroutedExitCode } from "../../vocabulary/BatchError.js"
import { BatchEvent } from "../../vocabulary/BatchEvent.js"
import type { BatchStatus } from "../../vocabulary/BatchStatus.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import type { StepExecution } from "../../vocabulary/StepExecution.js"
import { runChunkStep } from "../chunk/step.js"
import type { Session } from "../session/session.js"
import { jobScope, noteStatus, requestStop, saveJob } from "../session/session.js"
import { runStep } from "../step/runner.js"
import { runTaskletStep } from "../step/tasklet.js"
import { runFlowStep } from "./flowStep.js"
import { runJobStep } from "./jobStep.js"
import { runBranches } from "./split.js"
import * as Stops from "./stops.js"

/** How a state, or a whole flow, ended. */
export interface Outcome {
  readonly status: BatchStatus
  readonly exitStatus: ExitStatus.ExitStatus
  readonly cause: Option.Option<Cause.Cause<unknown>>
}

/** Walks the flow of a job. Fails with what no step is to blame for: a decider, a code without a way on, the store. */
export const runFlow = (session: Session, graph: FlowGraph): Effect.Effect<Outcome, any, any> =>
  runGraph({ session, met: new Set(), path: "", fresh: ExecutionContext.empty }, graph)

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/**
 * - `met`: the states that this execution has met, by path and name; one that it meets again runs again (HAND-3).
 * - `path`: where the graph is, seen from the job.
 * - `fresh`: the context of steps that start anew (FLOW-80).
 */
interface Walk {
  readonly session: Session
  readonly met: Set<string>
  readonly path: string
  readonly fresh: ExecutionContext.ExecutionContext
}

/** Where a walk is: `last`, the step that ran or was skipped last; `result`, what came out of the last work done. */
interface Position {
  readonly last: StepExecution | undefined
  readonly result: Outcome
}

type At<Tag extends FlowState["_tag"]> = Extract<StateKind, { readonly _tag: Tag }> & { readonly name: string }

const runGraph = (walk: Walk, graph: FlowGraph): Effect.Effect<Outcome, any, any> =>
  Effect.gen(function*() {
    let at = graph.start
    let position: Position = { last: undefined, result: nothingRan }
    while (true) {
      const state = graph.states[at]!
      if (state._tag === "End") {
        return endAt(state, position)
      }
      const next: Arrival = yield* arrive(walk, graph, state, position)
      const { outcome } = next
      if (outcome.status === "STOPPED" || outcome.status === "STOPPING") {
        return outcome
      }
      const way = resolve(state.ways, { status: outcome.status, code: outcome.exitStatus.code })
      switch (way._tag) {
        case "Unrouted":
          return yield* Effect.fail(new UnroutedExitCode({ state: state.name, code: outcome.exitStatus.code }))
        case "Ended":
          return { ...outcome, status: way.status === "ABANDONED" ? "FAILED" : way.status }
        case "GoTo":
          at = way.at
          position = next.position
      }
    }
  })

interface Arrival {
  readonly outcome: Outcome
  readonly position: Position
}

/** A job that is asked to stop begins nothing new (HAND-1). */
const arrive = (
  walk: Walk,
  graph: FlowGraph,
  state: Exclude<FlowState, { readonly _tag: "End" }>,
  position: Position
): Effect.Effect<Arrival, any, any> => {
  if (walk.session.stopRequested) {
    return Effect.succeed({ outcome: stoppedOnRequest, position })
  }
  switch (state._tag) {
    case "Step":
      return handleStep(walk, state, position)
    case "Decide":
      return Effect.map(decide(walk.session, state, position.last), (outcome) => ({ outcome, position }))
    case "Split":
      return Effect.zipRight(
        abandon(walk.session, position.last),
        Effect.map(split(walk, state), (result) => ({ outcome: result, position: { last: undefined, result } }))
      )
    case "Stop":
      return Effect.map(stop(walk, graph, state, position.last), (outcome) => ({ outcome, position }))
  }
}

/** The code of the end that was reached, and why the flow failed if it did (FLOW-20, FLOW-21, FLOW-26, FLOW-31). */
const endAt = ({ code, status }: At<"End">, { last, result }: Position): Outcome => {
  if (last?.status === "UNKNOWN") {
    return { ...result, status: "UNKNOWN", exitStatus: ExitStatus.UNKNOWN }
  }
  return status === "COMPLETED"
    ? { status, exitStatus: ExitStatus.make(code), cause: Option.none() }
    : { status, exitStatus: ExitStatus.make(code, ...result.exitStatus.messages), cause: result.cause }
}

/** What a decider puts in the job's context is saved before its answer is followed (CTX-7). */
const decide = (
  session: Session,
  { decider }: At<"Decide">,
  last: StepExecution | undefined
): Effect.Effect<Outcome, any, any> =>
  Effect.gen(function*() {
    const before = session.context
    const asked = Effect.suspend(() =>
      decider.decide({
        job: { ...session.execution, context: before },
        last: Option.fromNullable(last)
      })
    )
    const code: string = yield* Effect.provide(asked, jobScope(session))
    if (session.context !== before) {
      yield* session.contextLock.withPermits(1)(saveJob(session, {}))
    }
    return {
      status: code === "FAILED" ? "FAILED" : "COMPLETED",
      exitStatus: ExitStatus.make(code),
      cause: Option.none()
    }
  })

const split = (walk: Walk, { branches, name, settings }: At<"Split">): Effect.Effect<Outcome, any, any> =>
  runBranches(
    branches.map((branch, index) => runGraph({ ...walk, path: `${walk.path}${name}/${index}/` }, branch)),
    settings
  )

/** Stops the flow, or passes because it has stopped here before (FLOW-22, FLOW-23, FLOW-43). */
const stop = (
  walk: Walk,
  graph: FlowGraph,
  state: FlowState & { readonly _tag: "Stop" },
  last: StepExecution | undefined
): Effect.Effect<Outcome, any, any> =>
  Effect.gen(function*() {
    const { met, path, session } = walk
    const place = `${path}${state.name}`
    const seen = met.has(place)
    met.add(place)
    const failedHere = last !== undefined && last.status === "FAILED" && last.jobExecutionId === session.execution.id
    if (!seen && !failedHere && (yield* Stops.isRecorded(session.context, place))) {
      return passed
    }
    const way = resolve(state.ways, { status: "COMPLETED", code: "COMPLETED" })
    const next = way._tag === "GoTo" ? graph.states[way.at] : undefined
    if (state.abandon && !(next?._tag === "Step" && next.definition.name === last?.stepName)) {
      yield* abandon(session, last)
    }
    const resumeAt = next === undefined ? "end" : `${path}${next.name}`
    // In one go, as a branch beside this one may change the context too.
    yield* Effect.suspend(() =>
      Either.map(Stops.record(session.context, { stoppedAt: place, resumeAt }), (context) => {
        session.context = context
      })
    )
    return { status: "STOPPED" as const, exitStatus: ExitStatus.make(state.code), cause: Option.none() }
  })

const handleStep = (walk: Walk, state: At<"Step">, { last }: Position): Effect.Effect<Arrival, any, any> =>
  Effect.gen(function*() {
    const { met, session } = walk
    const { definition } = state
    const place = `${walk.path}${state.name}`
    if (last?.stepName !== definition.name) {
      yield* abandon(session, last)
    }
    const plan = yield* planStep(session, definition, met.has(place))
    met.add(place)
    switch (plan._tag) {
      case "Refuse":
        return yield* Effect.fail(plan.error)
      case "Skip":
        session.publish(BatchEvent.StepSkipped({ job: session.execution, step: plan.last }))
        return arrivalOf(plan.last, outcomeOf(plan.last, Option.none()))
      case "Start":
      case "Resume": {
        const { cause, step, terminated } = yield* runStep(session, definition, {
          from: plan._tag === "Resume" ? Option.some(plan.last) : Option.none(),
          fresh: walk.fresh,
          body: (stepState) => {
            const { body } = definition
            switch (body._tag) {
              case "Chunk":
                return runChunkStep(stepState, body)
              case "Tasklet":
                return runTaskletStep(stepState, body)
              case "Flow":
                return runFlowStep(stepState, (fresh) => runGraph({ ...walk, path: `${place}/`, fresh }, body.graph))
              case "Job":
                return runJobStep(stepState, body)
            }
          }
        })
        if (terminated || step.status === "STOPPED" || step.status === "STOPPING") {
          requestStop(session)
        }
        return arrivalOf(
          step,
          terminated && step.status === "COMPLETED" ? stoppedOnRequest : outcomeOf(step, cause)
        )
      }
    }
  })

const planStep = (session: Session, definition: StepDefinition, metBefore: boolean) =>
  Effect.map(
    session.repository.stepHistory(session.execution.instance, definition.name),
    (history) =>
      RestartPolicy.planStep({
        jobName: session.execution.instance.jobName,
        stepName: definition.name,
        last: Option.map(history.last, (step) => ({
          ...step,
          startedInThisExecution: metBefore || step.jobExecutionId === session.execution.id
        })),
        starts: history.starts,
        startLimit: definition.settings.startLimit,
        allowStartIfComplete: definition.settings.allowStartIfComplete
      })
  )

/**
 * A failed step that something else follows has been dealt with: a restart must not run it again (FLOW-25). Its row
 * says so before the next step starts.
 */
const abandon = (session: Session, last: StepExecution | undefined): Effect.Effect<void, any> =>
  last === undefined || last.status !== "FAILED"
    ? Effect.void
    : Effect.map(
      session.repository.updateStepExecution(session.execution, { ...last, status: "ABANDONED" }),
      (status) => noteStatus(session, status)
    )

const outcomeOf = (step: StepExecution, cause: Option.Option<Cause.Cause<unknown>>): Outcome => ({
  status: step.status,
  exitStatus: step.exitStatus,
  cause
})

const arrivalOf = (last: StepExecution, outcome: Outcome): Arrival => ({ outcome, position: { last, result: outcome } })

const passed: Outcome = { status: "COMPLETED", exitStatus: ExitStatus.COMPLETED, cause: Option.none() }

const nothingRan: Outcome = passed

const stoppedOnRequest: Outcome = {
  status: "STOPPED",
  exitStatus: ExitStatus.addDescription(ExitStatus.STOPPED, "stopped on request"),
  cause: Option.none()
}
