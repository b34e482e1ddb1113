/**
 * The body of a tasklet step: calls the tasklet until it is finished, each call in a transaction of its own (TASK-1,
 * TASK-3).
 *
 * The last call leaves behind, in its transaction, that the tasklet has finished and how. The step drops that when it ends
 * COMPLETED: it is for a restart behind a crash, a stop or a failing listener, when the call must not be made once more
 * (OWN-4).
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Json from "../../base/json.js"
import { makeBreather } from "../../base/yielding.js"
import * as DurableEnd from "../../decisions/durableEnd.js"
import * as Outcome from "../../decisions/outcome.js"
import type { RepeatStatus } from "../../definition/Tasklet.js"
import type { AnyEffect, TaskletBody } from "../../definition/tree.js"
import { BatchEvent } from "../../vocabulary/BatchEvent.js"
import * as BatchStatus from "../../vocabulary/BatchStatus.js"
import * as Counts from "../../vocabulary/Counts.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import { describe, unwrap } from "../../vocabulary/failure.js"
import * as FaultPoint from "../session/faultPoint.js"
import * as Telemetry from "../session/telemetry.js"
import type { Engine } from "./engine.js"
import { chunkFailed } from "./hooks.js"
import * as Progress from "./progress.js"
import type { StepState } from "./state.js"
import { advance, commit, completedCode, current, isStopping } from "./state.js"

export const runTaskletStep = (
  state: StepState,
  { tasklet }: TaskletBody
): Engine<Outcome.Outcome | undefined> =>
  Effect.gen(function*() {
    const breathe = makeBreather()
    let again = true
    while (again && !isStopping(state)) {
      again = yield* traced(state, call(state, tasklet))
      yield* breathe() ?? Effect.void
    }
    return again ? undefined : Outcome.passed
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** A call is the chunk of a tasklet. */
const traced = ({ progress, telemetry }: StepState, called: Engine<boolean>): Engine<boolean> => {
  const span = Telemetry.chunkSpan(telemetry, progress.step)
  return span === undefined ? called : Effect.onExit(
    Telemetry.below(span, called),
    (exit) => Effect.sync(() => Telemetry.endChunk(telemetry, span, exit))
  )
}

/** One call, and whether the tasklet wants another one. */
const call = (state: StepState, tasklet: AnyEffect): Engine<boolean> => {
  const { afterChunk, beforeChunk, beforeCommit } = state.hooks
  let status: RepeatStatus<string> | undefined
  const listener = (callback: ((items: ReadonlyArray<never>) => AnyEffect) | undefined): AnyEffect =>
    callback?.([]) ?? Effect.void
  const work = Effect.gen(function*() {
    yield* FaultPoint.hit(state.session, "beforeWrite")
    yield* listener(beforeChunk)
    status = toStatus(yield* tasklet)
    yield* listener(beforeCommit)
    yield* FaultPoint.hit(state.session, "afterWrite")
    const checkpoint = status?._tag === "Continuable" ? Option.none() : finished(state, status?.exitCode)
    return { checkpoint, counts: { commit: 1 } }
  })
  const ends = {
    committed: () => Effect.void,
    rolledBack: (cause: Cause.Cause<unknown>) => rolledBack(state, describe(unwrap(cause)))
  }
  return commit(state, work, ends).pipe(
    Effect.catchAllCause((cause) => chunkFailed(state.hooks, cause)),
    Effect.zipRight(Effect.suspend(() => {
      const { progress, session } = state
      session.publish(
        BatchEvent.ChunkCommitted({ job: session.execution, step: progress.step, progress: undefined })
      )
      if (status?._tag === "Finished" && status.exitCode !== undefined) {
        advance(state, Progress.addExitStatus, ExitStatus.make(status.exitCode))
      }
      return listener(afterChunk)
    })),
    Effect.zipRight(FaultPoint.hit(state.session, "afterCommit")),
    Effect.map(() => status?._tag === "Continuable")
  )
}

/**
 * How a tasklet that finished left the step, its own exit code included, so that it is not called again. One that has
 * given the step a bad status on the way has not finished well, and is.
 */
const finished = (state: StepState, exitCode: string | undefined): Option.Option<Json.Json> => {
  const { progress } = state
  if (BatchStatus.upgradeTo(progress.status, "COMPLETED") !== "COMPLETED") {
    return Option.none()
  }
  const exitStatus = exitCode === undefined
    ? progress.exitStatus
    : ExitStatus.and(progress.exitStatus, ExitStatus.make(exitCode))
  const step = current(state)
  const code = completedCode(state, { ...step, counts: Counts.add(step.counts, Counts.make({ commit: 1 })) })
  return DurableEnd.mark(
    Option.none(),
    Either.isLeft(code) ? { exitStatus, decided: false } : {
      exitStatus: Outcome.endingOf(
        Exit.void,
        { status: progress.status, exitStatus, stopping: false },
        () => code.right
      ).exitStatus,
      decided: true
    }
  )
}

/** A tasklet that answers anything else than a repeat status is finished (TASK-1). */
const toStatus = (answer: unknown): RepeatStatus<string> | undefined =>
  typeof answer === "object" && answer !== null && "_tag" in answer &&
    (answer._tag === "Continuable" || answer._tag === "Finished")
    ? answer as RepeatStatus<string>
    : undefined

const rolledBack = (state: StepState, message: string): Effect.Effect<void> =>
  Effect.sync(() => {
    advance(state, Progress.count, { rollback: 1 })
    const { session } = state
    session.publish(BatchEvent.ChunkRolledBack({ job: session.execution, step: current(state), message }))
  })
