/**
 * The life of a step execution (STEP-1 to STEP-28): start, listeners, body, final status, listeners, end. It ends
 * with durable rows whatever happens inside; only a lost repository or lost ownership is an error here.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { AnyEffect, StepDefinition } from "../../definition/tree.js"
import type { OwnerFailure } from "../../ports/JobRepository.js"
import { BatchEvent } from "../../vocabulary/BatchEvent.js"
import type * as ExecutionContext from "../../vocabulary/ExecutionContext.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import { describe, unwrap } from "../../vocabulary/failure.js"
import type { StepExecution } from "../../vocabulary/StepExecution.js"
import * as FaultPoint from "../session/faultPoint.js"
import { saving } from "../session/saving.js"
import type { Session } from "../session/session.js"
import { withinGrace } from "../session/stopping.js"
import * as Hooks from "./hooks.js"
import { endingOf } from "./outcome.js"
import * as Progress from "./progress.js"
import type { StepState } from "./state.js"
import * as State from "./state.js"

/** A step that ended, and why it failed. */
export interface StepResult {
  readonly step: StepExecution
  readonly cause: Option.Option<Cause.Cause<unknown>>
  /** Somebody in the step asked it to stop, in `afterStep` perhaps (FLOW-34). */
  readonly terminated: boolean
}

/**
 * How a step begins, and what it does.
 *
 * - `from`: the execution whose context and checkpoint it goes on with; without it the step starts anew (HAND-9).
 * - `fresh`: the context of a step that starts anew.
 */
export interface StepStart {
  readonly from: Option.Option<StepExecution>
  readonly fresh: ExecutionContext.ExecutionContext
  readonly body: (state: StepState) => AnyEffect
}

export const runStep = (
  session: Session,
  definition: StepDefinition,
  { body, fresh, from }: StepStart
): Effect.Effect<StepResult, OwnerFailure, any> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const step = yield* session.repository.createStepExecution(session.execution, {
        stepName: definition.name,
        context: Option.match(from, { onNone: () => fresh, onSome: (last) => last.context }),
        checkpoint: Option.flatMap(from, (last) => last.checkpoint)
      })
      const state = State.make(session, definition, Hooks.compile(definition.settings.listeners), step)
      session.publish(BatchEvent.StepStarted({ job: session.execution, step, resumed: Option.isSome(from) }))
      const scope = yield* Scope.make()
      const exit = Exit.mapErrorCause(
        yield* Effect.exit(restore(inScope(state, scope, withinGrace(session, withBeforeStep(state, body))))),
        unwrap
      )
      yield* end(state, exit)
      const failed = yield* inScope(state, scope, afterStep(state, exit))
      yield* close(state, scope, exit)
      session.publish(BatchEvent.StepEnded({ job: session.execution, step: state.progress.step }))
      yield* FaultPoint.hit(session, "afterStepEnd")
      return {
        step: state.progress.step,
        cause: Option.orElse(failed, () => Exit.causeOption(exit)),
        terminated: state.progress.stopRequested
      }
    })
  )

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

const inScope = <A, E, R>(state: StepState, scope: Scope.Scope, effect: Effect.Effect<A, E, R>) =>
  Effect.provide(effect, Context.add(State.services(state), Scope.Scope, scope))

const withBeforeStep = (state: StepState, body: StepStart["body"]): AnyEffect => {
  const { beforeStep } = state.hooks
  return beforeStep === undefined
    ? Effect.suspend(() => body(state))
    : Effect.zipRight(Effect.suspend(() => beforeStep(State.current(state))), Effect.suspend(() => body(state)))
}

/**
 * Saves how the body ended, before the listeners hear of it (STEP-13). But a step counts as complete only when its
 * listeners have heard of it: otherwise a crash in between would lose what they do, such as promoting to the job.
 */
const end = (state: StepState, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void, OwnerFailure> =>
  Effect.gen(function*() {
    yield* FaultPoint.hit(state.session, "beforeStepEnd")
    const now = yield* DateTime.now
    const { exitCode } = state.definition.settings
    const { exitStatus, status } = endingOf(
      exit,
      { stopping: State.isStopping(state), status: state.progress.status, exitStatus: state.progress.exitStatus },
      () => exitCode === undefined ? "COMPLETED" : exitCode.decide(State.current(state))
    )
    State.advance(state, Progress.setStatus, status)
    const ended = { status, exitStatus, endTime: Option.some(now), lastUpdated: now, ...withoutMark(state) }
    const open = status === "COMPLETED" && afterStepsOf(state).length > 0
    yield* saving(State.finish(state, open ? { lastUpdated: now } : ended))
    State.advance(state, Progress.amend, ended)
  })

/** Whatever a tasklet has finished, the next execution of its step calls it again (TASK-1). */
const withoutMark = ({ definition }: StepState): Partial<StepExecution> =>
  definition.body._tag === "Tasklet" ? { checkpoint: Option.none() } : {}

const afterStepsOf = ({ definition }: StepState) =>
  definition.settings.listeners.flatMap(({ afterStep }) => afterStep === undefined ? [] : [afterStep]).reverse()

/**
 * Runs the `afterStep` callbacks, last listener first, each with the result of the one before (STEP-14), and saves
 * what they made of it (STEP-17). Gives the failure that fails the step, if there is one (STEP-15).
 */
const afterStep = (
  state: StepState,
  exit: Exit.Exit<unknown, unknown>
): Effect.Effect<Option.Option<Cause.Cause<unknown>>, OwnerFailure, any> =>
  Effect.gen(function*() {
    const { onListenerFailure } = state.definition.settings
    const callbacks = afterStepsOf(state)
    if (callbacks.length === 0) {
      return Option.none()
    }
    let result = state.progress.step.exitStatus
    let failure = Option.none<Cause.Cause<unknown>>()
    State.advance(state, Progress.setExitStatus, result)
    for (const callback of callbacks) {
      const seen = { ...State.current(state), exitStatus: result, status: state.progress.status }
      const called = yield* Effect.exit(Effect.suspend(() => callback(seen)))
      if (Exit.isFailure(called)) {
        yield* Effect.logWarning(`afterStep of "${state.definition.name}" failed: ${describe(called.cause)}`)
        failure = Option.some(called.cause)
        break
      }
      result = ExitStatus.and(ExitStatus.and(result, state.progress.exitStatus), called.value ?? result)
    }
    if (Option.isSome(failure) && onListenerFailure === "fail" && Exit.isSuccess(exit)) {
      State.advance(state, Progress.setStatus, "FAILED")
      result = ExitStatus.and(result, ExitStatus.addDescription(ExitStatus.FAILED, describe(failure.value)))
    } else {
      failure = Option.none()
    }
    yield* saving(State.finish(state, { status: state.progress.status, exitStatus: result }))
    return failure
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
