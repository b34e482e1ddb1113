/**
 * Walks the graph of a flow: which step runs, is skipped, is refused, where its outcome leads, and how the flow ends
 * (SIMPLE-1 to SIMPLE-5, HAND-1 to HAND-13, FLOW-20 to FLOW-66).
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Outcome from "../../decisions/outcome.js"
import * as RestartPolicy from "../../decisions/RestartPolicy.js"
import type { FlowGraph, FlowState, StateKind } from "../../definition/graph.js"
import type { StepDefinition } from "../../definition/tree.js"
import { UnroutedExitCode } from "../../vocabulary/BatchError.js"
import { BatchEvent } from "../../vocabulary/BatchEvent.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import type { StepExecution } from "../../vocabulary/StepExecution.js"
import { runChunkStep } from "../chunk/step.js"
import type { Session } from "../session/session.js"
import { jobScope, noteStatus, requestStop, saveJob } from "../session/session.js"
import { withinGrace } from "../session/stopping.js"
import { runStep } from "../step/runner.js"
import { runTaskletStep } from "../step/tasklet.js"
import { runFlowStep } from "./flowStep.js"
import { runJobStep } from "./jobStep.js"
import { runBranches } from "./split.js"
import * as Stops from "./stops.js"

/** Walks the flow of a job. Fails only when the store does. */
export const runFlow = (session: Session, graph: FlowGraph): Effect.Effect<Outcome.Outcome, any, any> =>
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

/** Where a walk is: `last`, the step that ran or was skipped last; `came`, the outcome that led here. */
interface Position {
  readonly last: StepExecution | undefined
  readonly came: Outcome.Outcome
}

type At<Tag extends FlowState["_tag"]> = Extract<StateKind, { readonly _tag: Tag }> & { readonly name: string }

const runGraph = (walk: Walk, graph: FlowGraph): Effect.Effect<Outcome.Outcome, any, any> =>
  Effect.gen(function*() {
    let at = graph.start
    let position: Position = { last: undefined, came: Outcome.passed }
    while (true) {
      const state = graph.states[at]!
      if (state._tag === "End") {
        return Outcome.endAt(state, position.came)
      }
      position = yield* arrive(walk, graph, state, position)
      const next = Outcome.follow(state.ways, position.came, {
        stopRequested: walk.session.stopRequested,
        isGoodEnd: (to) => isGoodEnd(graph.states[to]!)
      })
      switch (next._tag) {
        case "Unrouted": {
          const { code } = position.came.exitStatus
          return Outcome.failedFor(Cause.fail(new UnroutedExitCode({ state: state.name, code })))
        }
        case "Leave":
          return next.outcome
        case "GoTo":
          at = next.at
      }
    }
  })

const isGoodEnd = (state: FlowState): boolean => state._tag === "End" && state.status === "COMPLETED"

/** A job that is asked to stop begins nothing new (HAND-1). */
const arrive = (
  walk: Walk,
  graph: FlowGraph,
  state: Exclude<FlowState, { readonly _tag: "End" }>,
  position: Position
): Effect.Effect<Position, any, any> => {
  const { last } = position
  if (walk.session.stopRequested) {
    return Effect.succeed({ last, came: Outcome.stoppedOnRequest })
  }
  switch (state._tag) {
    case "Step":
      return handleStep(walk, state, position)
    case "Decide":
      return Effect.map(decide(walk.session, state, last), (came) => ({ last, came }))
    case "Split":
      return Effect.zipRight(
        abandon(walk.session, last),
        Effect.map(split(walk, state), (came) => ({ last: undefined, came }))
      )
    case "Stop":
      return Effect.map(stop(walk, graph, state, position), (came) => ({ last, came }))
  }
}

/**
 * What a decider puts in the job's context is saved before its answer is followed (CTX-7). One that fails, or throws, fails
 * the flow; one that is still at it when the grace time after a request to stop is over, is stopped (OWN-8).
 */
const decide = (
  session: Session,
  { decider }: At<"Decide">,
  last: StepExecution | undefined
): Effect.Effect<Outcome.Outcome, any, any> =>
  Effect.gen(function*() {
    const before = session.context
    const asked = Effect.suspend(() =>
      decider.decide({
        job: { ...session.execution, context: before },
        last: Option.fromNullable(last)
      })
    )
    const answered: Exit.Exit<string, unknown> = yield* Effect.exit(
      withinGrace(session, Effect.provide(asked, jobScope(session)))
    )
    if (Exit.isFailure(answered)) {
      return Outcome.brokenOff(answered.cause, false)
    }
    if (session.context !== before) {
      yield* session.contextLock.withPermits(1)(saveJob(session, {}))
    }
    const code = answered.value
    return {
      status: code === "FAILED" ? "FAILED" : "COMPLETED",
      exitStatus: ExitStatus.make(code),
      cause: Option.none()
    }
  })

const split = (walk: Walk, { branches, name, settings }: At<"Split">): Effect.Effect<Outcome.Outcome, any, any> =>
  Effect.map(
    runBranches(
      branches.map((branch, index) =>
        Effect.map(runGraph({ ...walk, path: `${walk.path}${name}/${index}/` }, branch), (outcome) => ({ outcome }))
      ),
      settings,
      (outcome) => ({ outcome })
    ),
    (ended) => Outcome.join(ended.map(({ outcome }) => outcome))
  )

/**
 * Stops the flow, or passes because it has stopped here before, and what leads here has completed since (FLOW-22, FLOW-23,
 * FLOW-43, OWN-3).
 */
const stop = (
  walk: Walk,
  graph: FlowGraph,
  state: FlowState & { readonly _tag: "Stop" },
  { came, last }: Position
): Effect.Effect<Outcome.Outcome, any, any> =>
  Effect.gen(function*() {
    const { met, path, session } = walk
    const place = `${path}${state.name}`
    const seen = met.has(place)
    met.add(place)
    if (!seen && Outcome.passesStop(came) && (yield* Stops.isRecorded(session.context, place))) {
      return Outcome.passed
    }
    const way = Outcome.resolve(state.ways, { status: "COMPLETED", code: "COMPLETED" })
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

const handleStep = (walk: Walk, state: At<"Step">, { last }: Position): Effect.Effect<Position, any, any> =>
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
        return { last, came: Outcome.failedFor(Cause.fail(plan.error)) }
      case "Skip":
        session.publish(BatchEvent.StepSkipped({ job: session.execution, step: plan.last }))
        return { last: plan.last, came: outcomeOf(plan.last) }
      case "Start":
      case "Resume": {
        const { cause, step, terminated, unfinished } = yield* runStep(session, definition, {
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
        const came = terminated && step.status === "COMPLETED" ? Outcome.stoppedOnRequest : outcomeOf(step)
        return { last: step, came: { ...came, cause, ...(unfinished ? { unfinished } : {}) } }
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

const outcomeOf = ({ exitStatus, status }: StepExecution): Outcome.Outcome => ({
  status,
  exitStatus,
  cause: Option.none()
})
