/**
 * Walks the graph of a flow: which step runs, is skipped, is refused, where its outcome leads, and how the flow ends
 * (SIMPLE-1 to SIMPLE-5, HAND-1 to HAND-13, FLOW-20 to FLOW-66).
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as History from "../../decisions/flowHistory.js"
import * as Outcome from "../../decisions/outcome.js"
import * as RestartPolicy from "../../decisions/RestartPolicy.js"
import type { Erased } from "../../definition/erased.js"
import type { FlowGraph, FlowState, StateKind } from "../../definition/graph.js"
import type { Place, Places } from "../../definition/places.js"
import { placesOf, standings } from "../../definition/places.js"
import type { Decider, StepDefinition } from "../../definition/tree.js"
import type { OwnerFailure } from "../../ports/JobRepository.js"
import type { UnreadableContextKey } from "../../vocabulary/BatchError.js"
import { JobRepositoryError, UnroutedExitCode } from "../../vocabulary/BatchError.js"
import { BatchEvent } from "../../vocabulary/BatchEvent.js"
import * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import type { StepExecution } from "../../vocabulary/StepExecution.js"
import { runChunkStep } from "../chunk/step.js"
import { countPartitions, runPartitionStep } from "../partition/step.js"
import { saving, savingAnswer, savingStep } from "../session/saving.js"
import type { Session } from "../session/session.js"
import { jobScope, requestStop, saveJob, setContext } from "../session/session.js"
import { withinGrace } from "../session/stopping.js"
import type { Body, StepResult } from "../step/runner.js"
import { runStep } from "../step/runner.js"
import { runTaskletStep } from "../step/tasklet.js"
import { runFlowStep } from "./flowStep.js"
import { runJobStep } from "./jobStep.js"
import { runBranches } from "./split.js"
import * as Stops from "./stops.js"

/** Walks the flow of a job, along the way that earlier executions of its instance have recorded. Fails only when the store does. */
export const runFlow = (session: Session, graph: FlowGraph): Walking<Outcome.Outcome> =>
  Effect.gen(function*() {
    const { execution, repository } = session
    const { answers, steps } = Option.isNone(execution.restartOf)
      ? { answers: [], steps: [] }
      : yield* saving(session, repository.flowHistory(execution.instance))
    const walk: Walk = {
      session,
      history: History.make(steps, answers),
      standings: standings(graph),
      started: new Map(),
      places: placesOf(graph),
      outer: [],
      visits: new Map(),
      fresh: ExecutionContext.empty,
      passing: false
    }
    return (yield* runGraph(walk, graph, beginning)).came
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/**
 * - `history`: what earlier executions left behind.
 * - `standings`: in how many places each step stands.
 * - `started`: how often this execution has started the step at a place.
 * - `places`: of the states of the graph.
 * - `outer`: the rounds of the splits and flow steps around the graph; `visits`: how often each place was visited in them.
 * - `fresh`: the context of steps that start anew (FLOW-80).
 * - `passing`: nothing may be begun any more, as a branch beside this one has failed.
 */
interface Walk {
  readonly session: Session
  readonly history: History.History
  readonly standings: ReadonlyMap<string, number>
  readonly started: Map<string, number>
  readonly places: Places
  readonly outer: ReadonlyArray<number>
  readonly visits: Map<string, number>
  readonly fresh: ExecutionContext.ExecutionContext
  readonly passing: boolean
}

/**
 * Where a walk is.
 *
 * - `last`: the steps that ran or were skipped last, more than one behind a split.
 * - `came`: the outcome that led here.
 * - `ran`: whether a step in front has run in this execution.
 * - `began`: whether anything of this flow was begun in this execution, of which the first one begins everything.
 * - `failed`: failures that led here; what follows next has dealt with them (FLOW-25).
 * - `passed`: rows of 0.1 that were found on the way.
 */
interface Position {
  readonly last: ReadonlyArray<StepExecution>
  readonly isBehindSplit: boolean
  readonly came: Outcome.Outcome
  readonly ran: boolean
  readonly began: boolean
  readonly failed: ReadonlyArray<StepExecution | History.AnswerRecord>
  readonly passed: ReadonlyArray<History.StepRecord>
}

const beginning: Position = {
  last: [],
  isBehindSplit: false,
  came: Outcome.passed,
  ran: false,
  began: false,
  failed: [],
  passed: []
}

/** Fails only when the store does: what fails in a state is the outcome of that. */
type Walking<A> = Erased<A, OwnerFailure | UnreadableContextKey>

/** A state in a round. */
interface Here extends Place {
  readonly visit: number
  readonly round: string
}

type At<Tag extends FlowState["_tag"]> = Extract<StateKind, { readonly _tag: Tag }> & { readonly name: string }

/** Gives the position behind the flow: where it ended, and as what. */
const runGraph = (walk: Walk, graph: FlowGraph, from: Position): Walking<Position> =>
  Effect.gen(function*() {
    let at = graph.start
    const began = Option.isNone(walk.session.execution.restartOf)
    let position: Position = { ...beginning, ran: from.ran, passed: from.passed, began }
    while (true) {
      const state = graph.states[at]!
      if (state._tag === "End") {
        return { ...position, came: Outcome.endAt(state, position.came) }
      }
      position = yield* arrive(walk, graph, state, visit(walk, at), position)
      const next = Outcome.follow(state.ways, position.came, {
        stopRequested: walk.session.stopRequested,
        isGoodEnd: (to) => isGoodEnd(graph.states[to]!)
      })
      switch (next._tag) {
        case "Unrouted": {
          const { code } = position.came.exitStatus
          const came = Outcome.failedFor(Cause.fail(new UnroutedExitCode({ state: state.name, code })))
          return { ...position, came }
        }
        case "Leave":
          return { ...position, came: next.outcome }
        case "GoTo":
          at = next.at
      }
    }
  })

const isGoodEnd = (state: FlowState): boolean => state._tag === "End" && state.status === "COMPLETED"

const visit = ({ outer, places, visits }: Walk, at: number): Here => {
  const place = places[at]!
  const visit = (visits.get(place.place) ?? 0) + 1
  visits.set(place.place, visit)
  return { ...place, visit, round: History.roundOf(outer, visit) }
}

/** The walk of a flow inside a state. */
const inside = (walk: Walk, { inner, visit }: Here, index: number): Walk => ({
  ...walk,
  places: inner[index]!,
  outer: [...walk.outer, visit],
  visits: new Map()
})

/** A job that is asked to stop begins nothing new (HAND-1). */
const arrive = (
  walk: Walk,
  graph: FlowGraph,
  state: Exclude<FlowState, { readonly _tag: "End" }>,
  here: Here,
  position: Position
): Walking<Position> => {
  if (walk.session.stopRequested) {
    return Effect.succeed({ ...position, came: Outcome.stoppedOnRequest })
  }
  switch (state._tag) {
    case "Step":
      return handleStep(walk, state, here, position)
    case "Decide":
      return decide(walk, state, here, position)
    case "Split":
      return split(walk, state, here, position)
    case "Stop":
      return Effect.map(stop(walk, graph, state, here, position), (came) => ({ ...position, came }))
  }
}

/**
 * What is known of a state that is no step from an earlier execution: it was left with that code, and nothing in front of it
 * has run again. Otherwise what was known does not hold any more, in no later execution either (OWN-5).
 */
const recorded = (
  { history, passing, session }: Walk,
  { place, round }: Here,
  { ran }: Position
): Walking<Outcome.Outcome | undefined> => {
  const code = History.answerOf(history, place, round)
  return code === undefined || (ran && passing)
    ? Effect.succeed(undefined)
    : ran
    ? Effect.as(savingAnswer(session, History.noAnswer(place, round)), undefined)
    : Effect.succeed({
      status: code === "FAILED" ? "ABANDONED" : "COMPLETED",
      exitStatus: ExitStatus.make(code),
      cause: Option.none()
    })
}

/** An answer is recorded before it is followed, a failure only when something else has dealt with it. */
const decide = (
  walk: Walk,
  { decider }: At<"Decide">,
  here: Here,
  position: Position
): Walking<Position> =>
  Effect.gen(function*() {
    const { place, round } = here
    const known = yield* recorded(walk, here, position)
    if (known !== undefined || walk.passing) {
      return { ...position, came: known ?? Outcome.interruptedByBranch }
    }
    const came = yield* ask(walk.session, decider, position)
    const { code } = came.exitStatus
    if (came.status === "COMPLETED") {
      yield* savingAnswer(walk.session, { place, round, code })
    }
    const failed = came.status === "FAILED" && came.final !== true ? [{ place, round, code }] : []
    return { ...position, came, began: true, failed: [...position.failed, ...failed] }
  })

/**
 * What a decider puts in the job's context is saved before its answer is followed (CTX-7). One that fails, or throws, fails
 * the flow; one that is still at it when the grace time after a request to stop is over, is stopped (OWN-8).
 */
const ask = (
  session: Session,
  decider: Decider,
  { isBehindSplit, last }: Position
): Walking<Outcome.Outcome> =>
  Effect.gen(function*() {
    const before = session.context
    const asked = Effect.suspend(() =>
      decider.decide({
        job: { ...session.execution, context: before },
        last: isBehindSplit ? Option.none() : Option.fromNullable(last[0]),
        branches: isBehindSplit ? last : []
      })
    )
    const answered: Exit.Exit<string, unknown> = yield* Effect.exit(
      withinGrace(session, Effect.provide(asked, jobScope(session)))
    )
    if (Exit.isFailure(answered)) {
      return Outcome.brokenOff(answered.cause, false)
    }
    if (session.context !== before) {
      yield* session.contextLock.withPermits(1)(saving(session, saveJob(session, {})))
    }
    const code = answered.value
    return {
      status: code === "FAILED" ? "FAILED" : "COMPLETED",
      exitStatus: ExitStatus.make(code),
      cause: Option.none()
    }
  })

const split = (
  walk: Walk,
  { branches, settings }: At<"Split">,
  here: Here,
  position: Position
): Walking<Position> =>
  Effect.gen(function*() {
    yield* dealWith(walk.session, position.failed)
    const known = yield* recorded(walk, here, position)
    if (known !== undefined) {
      return { ...position, last: [], isBehindSplit: true, came: known, failed: [] }
    }
    const from: Position = { ...position, failed: [] }
    const walkOf = (branch: FlowGraph, index: number, passing: boolean) =>
      Effect.suspend(() => runGraph({ ...inside(walk, here, index), passing: walk.passing || passing }, branch, from))
    const ended = yield* runBranches(
      branches.map((branch, index) => ({ run: walkOf(branch, index, false), pass: walkOf(branch, index, true) })),
      settings
    )
    const came = Outcome.join(ended.map((branch) => branch.came))
    const { place, round } = here
    return {
      last: ended.flatMap(({ last }) => last),
      isBehindSplit: true,
      came,
      ran: ended.some(({ ran }) => ran),
      began: position.began || ended.some(({ began }) => began),
      failed: came.status === "FAILED" && came.final !== true ? [{ place, round, code: came.exitStatus.code }] : [],
      passed: [...new Set(ended.flatMap(({ passed }) => passed))]
    }
  })

/**
 * Stops the flow, or passes because it has stopped here before, and what leads here has completed since (FLOW-22, FLOW-23,
 * FLOW-43, OWN-3).
 */
const stop = (
  { passing, places, session }: Walk,
  graph: FlowGraph,
  state: FlowState & { readonly _tag: "Stop" },
  here: Here,
  { came, failed }: Position
): Walking<Outcome.Outcome> =>
  Effect.gen(function*() {
    if (Outcome.passesStop(came) && (yield* Stops.isRecorded(session.context, here))) {
      return Outcome.passed
    }
    if (passing) {
      return Outcome.interruptedByBranch
    }
    const way = Outcome.resolve(state.ways, { status: "COMPLETED", code: "COMPLETED" })
    const next = way._tag === "GoTo" ? graph.states[way.at] : undefined
    if (state.abandon) {
      const again = next?._tag === "Step" ? next.definition.name : undefined
      // What a split did is done again: its branches have to complete before the stop is passed.
      yield* dealWith(
        session,
        failed.filter((failure) =>
          "stepName" in failure ? failure.stepName !== again : !isSplit(graph, places, failure)
        )
      )
    }
    const resumeAt = way._tag === "GoTo" ? places[way.at]!.place : "end"
    // In one go, as a branch beside this one may change the context too.
    yield* Effect.suspend(() =>
      Either.map(Stops.record(session.context, here, resumeAt), (context) => setContext(session, context))
    )
    return { status: "STOPPED" as const, exitStatus: ExitStatus.make(state.code), cause: Option.none() }
  })

const isSplit = ({ states }: FlowGraph, places: Places, { place }: History.AnswerRecord): boolean =>
  states[places.findIndex((other) => other.place === place)]?._tag === "Split"

const handleStep = (
  walk: Walk,
  { definition }: At<"Step">,
  here: Here,
  position: Position
): Walking<Position> =>
  Effect.gen(function*() {
    const { session } = walk
    yield* dealWith(session, position.failed)
    const { last, plan } = planStep(walk, definition, here, position)
    const passed = last !== undefined && last.place === null ? [...position.passed, last] : position.passed
    switch (plan._tag) {
      case "Refuse":
        return { ...position, failed: [], came: Outcome.failedFor(Cause.fail(plan.error)) }
      case "Skip": {
        const step = yield* stored(session, plan.last)
        session.publish(BatchEvent.StepSkipped({ job: session.execution, step }))
        return { ...position, last: [step], isBehindSplit: false, came: outcomeOf(step), failed: [], passed }
      }
      case "Start":
      case "Resume": {
        if (walk.passing) {
          return { ...position, came: Outcome.interruptedByBranch }
        }
        walk.started.set(here.place, (walk.started.get(here.place) ?? 0) + 1)
        const from = plan._tag === "Resume" ? Option.some(yield* stored(session, plan.last)) : Option.none()
        const result = yield* runStep(session, definition, {
          place: here.place,
          round: here.round,
          from,
          fresh: walk.fresh,
          body: bodyOf(walk, definition, here, position),
          counted: definition.body._tag === "Partition" ? countPartitions : undefined
        })
        return Option.match(result, {
          onNone: () => ({ ...position, came: Outcome.stoppedOnRequest }),
          onSome: (result) => behind({ ...position, passed }, result, session)
        })
      }
    }
  })

const bodyOf = (walk: Walk, { body }: StepDefinition, here: Here, position: Position): Body => (state) => {
  switch (body._tag) {
    case "Chunk":
      return runChunkStep(state, body)
    case "Tasklet":
      return runTaskletStep(state, body)
    case "Flow":
      return runFlowStep(
        state,
        (fresh) => Effect.map(runGraph({ ...inside(walk, here, 0), fresh }, body.graph, position), ({ came }) => came)
      )
    case "Job":
      return runJobStep(state, body)
    case "Partition":
      return runPartitionStep(state, body)
  }
}

/** The position behind a step that has run. */
const behind = (
  position: Position,
  { cause, step, stopRequested, unfinished }: StepResult,
  session: Session
): Position => {
  if (stopRequested || step.status === "STOPPED" || step.status === "STOPPING") {
    requestStop(session)
  }
  const came = stopRequested && step.status === "COMPLETED" ? Outcome.stoppedOnRequest : outcomeOf(step)
  return {
    ...position,
    last: [step],
    isBehindSplit: false,
    came: { ...came, cause, ...(unfinished ? { unfinished } : {}) },
    ran: true,
    began: true,
    failed: step.status === "FAILED" ? [step] : []
  }
}

const planStep = (
  { history, session, standings, started }: Walk,
  { name, settings }: StepDefinition,
  { place, round }: Here,
  { passed }: Position
) => {
  const visited = { place, round, stepName: name, shared: (standings.get(name) ?? 1) > 1, passed }
  const last = History.lastOf(history, visited)
  const plan = RestartPolicy.planStep({
    jobName: session.execution.instance.jobName,
    stepName: name,
    last: Option.map(Option.fromNullable(last), (step) => ({ ...step, startedInThisExecution: false })),
    starts: History.startsOf(history, visited) + (started.get(place) ?? 0),
    startLimit: settings.startLimit,
    allowStartIfComplete: settings.allowStartIfComplete
  })
  return { last, plan }
}

/** The whole row of a step execution that the history knows. */
const stored = (session: Session, { id, stepName }: History.StepRecord) =>
  Effect.flatMap(
    saving(session, session.repository.stepExecution(id)),
    Option.match({
      onNone: () =>
        Effect.fail(
          new JobRepositoryError({
            operation: "stepExecution",
            reason: "data",
            detail: `step execution ${id} of "${stepName}" was deleted while its job ran`
          })
        ),
      onSome: Effect.succeed
    })
  )

/**
 * A failure that something else follows has been dealt with: a restart must not repeat what failed, but follow the same way
 * (FLOW-25). This is stored before anything else starts: in the row of a step, or as the answer of a decider or a split.
 */
const dealWith = (session: Session, failed: Position["failed"]): Walking<void> =>
  Effect.forEach(failed, (failure) =>
    "stepName" in failure
      ? savingStep(session, { ...failure, status: "ABANDONED" })
      : savingAnswer(session, failure), { discard: true })

const outcomeOf = ({ exitStatus, status }: StepExecution): Outcome.Outcome => ({
  status,
  exitStatus,
  cause: Option.none()
})
