/**
 * The life of a step execution (STEP-1 to STEP-28): start, listeners, body, final status, listeners, end. It ends
 * with durable rows whatever happens inside; only a lost repository or lost ownership is an error here.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as DurableEnd from "../../decisions/durableEnd.js"
import * as Outcome from "../../decisions/outcome.js"
import type { Erased } from "../../definition/erased.js"
import type { StepDefinition } from "../../definition/tree.js"
import type { OwnerFailure } from "../../ports/JobRepository.js"
import { BatchEvent } from "../../vocabulary/BatchEvent.js"
import * as BatchStatus from "../../vocabulary/BatchStatus.js"
import type * as Counts from "../../vocabulary/Counts.js"
import type * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import { describe, unwrap } from "../../vocabulary/failure.js"
import type { StepExecution } from "../../vocabulary/StepExecution.js"
import * as FaultPoint from "../session/faultPoint.js"
import { saving } from "../session/saving.js"
import type { Session } from "../session/session.js"
import { owned, requestStop, stepBegins, stepEnded, stepRefused } from "../session/session.js"
import { withinGrace } from "../session/stopping.js"
import * as Telemetry from "../session/telemetry.js"
import { couldNotBegin } from "./doubt.js"
import * as Hooks from "./hooks.js"
import * as Progress from "./progress.js"
import type { StepState } from "./state.js"
import * as State from "./state.js"

/** A step that ended, and why it failed. */
export interface StepResult {
  readonly step: StepExecution
  readonly cause: Option.Option<Cause.Cause<unknown>>
  /** Something in the flow of the step was interrupted because something beside it failed. */
  readonly unfinished: boolean
  /** Somebody in the step asked for its end, in `afterStep` perhaps (FLOW-34). */
  readonly stopRequested: boolean
}

/**
 * How a step begins, and what it does.
 *
 * - `place`, `round`: where it stands, and which visit this is.
 * - `from`: the execution whose context and checkpoint it goes on with; without it the step starts anew (HAND-9).
 * - `fresh`: the context of a step that starts anew.
 */
export interface StepStart {
  readonly place: string
  readonly round: string
  readonly from: Option.Option<StepExecution>
  readonly fresh: ExecutionContext.ExecutionContext
  readonly body: Body
  /** What the counts begin with when an earlier execution has committed all of the work; nothing by default. */
  readonly counted?: ((state: StepState) => Erased<Counts.Counts>) | undefined
}

/** The work of a step: what it came to, or nothing when it was to stop before its end. */
export type Body = (state: StepState) => Erased<Outcome.Outcome | undefined, unknown, Scope.Scope>

/** None when the execution was asked to stop before the step could begin. */
export const runStep = (
  session: Session,
  definition: StepDefinition,
  { body, counted, fresh, from, place, round }: StepStart
): Erased<Option.Option<StepResult>, OwnerFailure> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      stepBegins(session)
      // May be tried again: a place is visited once in a round.
      const begun = yield* saving(
        session,
        session.repository.createStepExecution(owned(session), {
          stepName: definition.name,
          place,
          round,
          context: Option.match(from, { onNone: () => fresh, onSome: (last) => last.context }),
          checkpoint: Option.flatMap(from, (last) => last.checkpoint)
        })
      )
      if (Option.isNone(begun)) {
        stepRefused(session)
        requestStop(session)
        return Option.none()
      }
      const step = begun.value
      const { stop, telemetry } = yield* Telemetry.step(session, step, definition.body._tag)
      const state = State.make(session, definition, Hooks.compile(definition.settings.listeners), step, telemetry)
      const result = yield* Effect.onExit(live(state, restore, { body, counted, from }), (exit) =>
        Effect.sync(() =>
          Exit.isSuccess(exit) ? stop(state.progress.step, exit.value.cause) : stop(undefined, Option.some(exit.cause))
        ))
      if (!BatchStatus.isRunning(result.step.status)) {
        stepEnded(session)
      }
      return Option.some(result)
    })
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** Whatever happens, what the step has opened is closed. */
const live = (
  state: StepState,
  restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
  start: Pick<StepStart, "body" | "counted" | "from">
): Erased<StepResult, OwnerFailure> =>
  Effect.flatMap(Scope.make(), (scope) =>
    Effect.onExit(
      liveIn(state, scope, restore, start),
      (exit) => Exit.isSuccess(exit) ? Effect.void : close(state, scope, exit)
    ))

const liveIn = (
  state: StepState,
  scope: Scope.CloseableScope,
  restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
  { body, counted, from }: Pick<StepStart, "body" | "counted" | "from">
): Erased<StepResult, OwnerFailure> =>
  Effect.gen(function*() {
    const { progress: { step }, session } = state
    session.publish(BatchEvent.StepStarted({ job: session.execution, step, resumed: Option.isSome(from) }))
    const ended = DurableEnd.read(step.checkpoint)
    const work = Option.match(ended, { onNone: () => body, onSome: (end) => resumeEnded(end, counted) })
    const told = yield* Effect.exit(restore(inScope(state, scope, withinGrace(session, withBeforeStep(state, work)))))
    const exit = Exit.mapErrorCause(told, unwrap)
    const toEnd = end(state, told, Option.exists(ended, ({ decided }) => decided))
    yield* Effect.catchIf(
      toEnd,
      // What the step has opened may be what its end waits for: a stream that keeps the only connection of a pool.
      (error) => couldNotBegin(error) && !session.isLost,
      () => Effect.zipRight(close(state, scope, exit), toEnd)
    )
    const failed = yield* inScope(state, scope, afterStep(state))
    yield* close(state, scope, exit)
    session.publish(BatchEvent.StepEnded({ job: session.execution, step: state.progress.step }))
    const inside = Exit.isSuccess(exit) ? exit.value : undefined
    yield* FaultPoint.hit(session, "afterStepEnd")
    return {
      step: state.progress.step,
      cause: failed.pipe(
        Option.orElse(() => Exit.causeOption(exit)),
        Option.orElse(() => inside?.cause ?? Option.none())
      ),
      unfinished: inside?.unfinished === true,
      stopRequested: state.progress.stopRequested
    }
  })

/** What code of the step logs and traces says of which execution and step. */
const inScope = <A, E, R>(state: StepState, scope: Scope.Scope, effect: Effect.Effect<A, E, R>) => {
  return Telemetry.below(state.telemetry.span, effect).pipe(
    Effect.annotateLogs("batch.step", state.definition.name),
    Effect.provide(Context.add(State.services(state), Scope.Scope, scope))
  )
}

const withBeforeStep = (state: StepState, body: Body): ReturnType<Body> => {
  const { beforeStep } = state.hooks
  return beforeStep === undefined
    ? Effect.suspend(() => body(state))
    : Effect.zipRight(Effect.suspend(() => beforeStep(State.current(state))), Effect.suspend(() => body(state)))
}

/** An earlier execution has committed all of the work: only what comes behind it is left (OWN-4). */
const resumeEnded = ({ exitStatus }: DurableEnd.DurableEnd, counted: StepStart["counted"]): Body => (state) =>
  Effect.gen(function*() {
    State.advance(state, Progress.addExitStatus, exitStatus)
    if (counted !== undefined) {
      State.advance(state, Progress.count, yield* counted(state))
    }
    return Outcome.passed
  })

/**
 * Saves how the body ended, before the listeners hear of it (STEP-13). But a step counts as complete only when its
 * listeners have heard of it: otherwise a crash in between would lose what they do, such as promoting to the job. That
 * its work has ended is durable from here on.
 */
const end = (
  state: StepState,
  exit: Exit.Exit<Outcome.Outcome | undefined, unknown>,
  decided: boolean
): Effect.Effect<void, OwnerFailure> =>
  Effect.gen(function*() {
    yield* FaultPoint.hit(state.session, "beforeStepEnd")
    const now = yield* DateTime.now
    if (!isDone(exit)) {
      State.advance(state, Progress.forgetUncommitted)
    }
    const { ending, mark } = endingOf(state, exit, decided)
    State.advance(state, Progress.setStatus, ending.status)
    const open = ending.status === "COMPLETED" && afterStepsOf(state).length > 0
    const ended = { ...ending, endTime: Option.some(now), lastUpdated: now }
    // A commit in doubt is decided before the end is saved, so the checkpoint is that of then, and not of now.
    yield* State.finish(state, ({ checkpoint }) => ({
      ...(open ? { lastUpdated: now } : ended),
      checkpoint: ending.status === "COMPLETED" && !open
        ? DurableEnd.unmark(checkpoint)
        // What an earlier commit has marked stays so, whatever failed behind it.
        : mark === undefined
        ? checkpoint
        : DurableEnd.mark(checkpoint, mark)
    }))
    State.advance(state, Progress.amend, ended)
  })

/** How the step ends, and with what it would complete, or will, if its work has ended. */
const endingOf = (
  state: StepState,
  exit: Exit.Exit<Outcome.Outcome | undefined, unknown>,
  decided: boolean
): { readonly ending: Outcome.Ending; readonly mark: DurableEnd.DurableEnd | undefined } => {
  const { exitStatus, status } = state.progress
  const made = { status, exitStatus, stopping: State.isStopping(state) }
  if (!isDone(exit)) {
    return { ending: Outcome.endingOf(exit, made, () => "COMPLETED"), mark: undefined }
  }
  const code = decided ? Either.right("COMPLETED") : State.completedCode(state, State.current(state))
  const unhindered = Outcome.endingOf(
    exit,
    { ...made, stopping: false },
    () => Either.getOrElse(code, () => "COMPLETED")
  )
  const mark = {
    exitStatus: Either.isRight(code) ? unhindered.exitStatus : made.exitStatus,
    decided: Either.isRight(code)
  }
  return {
    ending: Either.isLeft(code)
      ? Outcome.endingOf(Exit.die(code.left), made, () => "COMPLETED")
      : made.stopping
      ? Outcome.endingOf(exit, made, () => "COMPLETED")
      : unhindered,
    mark: unhindered.status === "COMPLETED" ? mark : undefined
  }
}

const isDone = (exit: Exit.Exit<Outcome.Outcome | undefined, unknown>): boolean =>
  Exit.isSuccess(exit) && exit.value?.status === "COMPLETED"

const afterStepsOf = ({ definition }: StepState) =>
  definition.settings.listeners.flatMap(({ afterStep }) => afterStep === undefined ? [] : [afterStep]).reverse()

/**
 * Runs the `afterStep` callbacks, last listener first, each with the result of the one before (STEP-14), and saves
 * what they made of it (STEP-17). Gives the failure that fails the step, if there is one (STEP-15). A stop ends them
 * within the grace time, like the step.
 */
const afterStep = (state: StepState): Erased<Option.Option<Cause.Cause<unknown>>, OwnerFailure> =>
  Effect.gen(function*() {
    const { name, settings } = state.definition
    const callbacks = afterStepsOf(state)
    if (callbacks.length === 0) {
      return Option.none()
    }
    let ending: Outcome.Ending = {
      status: state.progress.status,
      exitStatus: state.progress.step.exitStatus,
      ...(state.progress.step.causes === undefined ? {} : { causes: state.progress.step.causes })
    }
    let failure = Option.none<Cause.Cause<unknown>>()
    for (const callback of callbacks) {
      State.advance(state, Progress.setExitStatus, ending.exitStatus)
      const seen = { ...State.current(state), ...ending }
      const called = yield* Effect.exit(
        withinGrace(state.session, Effect.interruptible(Effect.suspend(() => callback(seen))))
      )
      if (Exit.isFailure(called)) {
        yield* Effect.logWarning(`afterStep of "${name}" failed: ${describe(called.cause)}`)
        const raised = Outcome.heard(ending, {
          status: state.progress.status,
          exitStatus: ending.exitStatus,
          given: undefined
        })
        failure = ending.status === "COMPLETED" && settings.onListenerFailure === "fail"
          ? Option.some(called.cause)
          : Option.none()
        ending = settings.onListenerFailure === "fail" ? Outcome.unheard(raised, called.cause) : raised
        break
      }
      ending = Outcome.heard(ending, {
        status: state.progress.status,
        exitStatus: state.progress.exitStatus,
        given: called.value ?? undefined
      })
      State.advance(state, Progress.setStatus, ending.status)
    }
    State.advance(state, Progress.setStatus, ending.status)
    yield* State.finish(state, ({ checkpoint }) => ({
      ...ending,
      checkpoint: ending.status === "COMPLETED" ? DurableEnd.unmark(checkpoint) : checkpoint
    }))
    return ending.status === "FAILED" ? failure : Option.none()
  })

/** A finalizer that fails changes nothing about the result, but somebody has to hear of it (STEP-18). */
const close = (
  state: StepState,
  scope: Scope.CloseableScope,
  exit: Exit.Exit<unknown, unknown>
): Effect.Effect<void> =>
  Scope.close(scope, exit).pipe(
    Effect.catchAllCause((cause) =>
      Effect.logWarning(`Closing step "${state.definition.name}" failed: ${describe(cause)}`)
    )
  )
