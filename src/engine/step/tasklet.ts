/**
 * The body of a tasklet step: calls the tasklet until it is finished, each call in a transaction of its own (TASK-1,
 * TASK-3).
 *
 * The last call leaves behind, in its transaction, that the tasklet has finished and how. The end of the step removes
 * that, so it is found only after a crash in between, when the call must not be made once more.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Json from "../../base/json.js"
import { makeBreather } from "../../base/yielding.js"
import type { RepeatStatus } from "../../definition/Tasklet.js"
import type { AnyEffect, TaskletBody } from "../../definition/tree.js"
import { BatchEvent } from "../../vocabulary/BatchEvent.js"
import * as BatchStatus from "../../vocabulary/BatchStatus.js"
import * as ExitStatus from "../../vocabulary/ExitStatus.js"
import { describe, unwrap } from "../../vocabulary/failure.js"
import * as FaultPoint from "../session/faultPoint.js"
import { chunkFailed } from "./hooks.js"
import * as Progress from "./progress.js"
import type { StepState } from "./state.js"
import { advance, commit, current, isStopping, unnoticed } from "./state.js"

export const runTaskletStep = (state: StepState, { tasklet }: TaskletBody): AnyEffect =>
  Effect.gen(function*() {
    const breathe = makeBreather()
    let again = !Option.exists(state.progress.step.checkpoint, (left) => resumeFinished(state, left))
    while (again && !isStopping(state)) {
      again = yield* call(state, tasklet)
      yield* breathe() ?? Effect.void
    }
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/** One call, and whether the tasklet wants another one. */
const call = (state: StepState, tasklet: AnyEffect): Effect.Effect<boolean, any, any> => {
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
    const checkpoint = status?._tag === "Continuable" ? Option.none() : Option.some(finished(state, status?.exitCode))
    return { checkpoint, counts: { commit: 1 } }
  })
  return commit(state, work, unnoticed).pipe(
    Effect.onExit((exit) => exit._tag === "Failure" ? rolledBack(state, describe(unwrap(exit.cause))) : Effect.void),
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

/** How a tasklet that finished left the step, its own exit code included. */
const finished = ({ progress }: StepState, exitCode: string | undefined): Json.Json => {
  const { code, messages } = exitCode === undefined
    ? progress.exitStatus
    : ExitStatus.and(progress.exitStatus, ExitStatus.make(exitCode))
  return { finished: { code, messages, status: progress.status } }
}

const Finished = Schema.Struct({
  finished: Schema.Struct({
    code: Schema.String,
    messages: Schema.Array(Schema.String),
    status: BatchStatus.BatchStatus
  })
})

const decodeFinished = Schema.decodeUnknownOption(Finished)

/** Whether the tasklet had finished; if so, the step is as it left it. */
const resumeFinished = (state: StepState, left: Json.Json): boolean =>
  Option.match(decodeFinished(left), {
    onNone: () => false,
    onSome: ({ finished: { code, messages, status } }) => {
      advance(state, Progress.addExitStatus, ExitStatus.make(code, ...messages))
      advance(state, Progress.upgradeStatus, status)
      return true
    }
  })

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
