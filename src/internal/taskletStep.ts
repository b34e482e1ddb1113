/**
 * The body of a tasklet step: calls the tasklet until it is finished, each call in a transaction of its own (TASK-1,
 * TASK-3).
 */
import * as Effect from "effect/Effect"
import { BatchEvent } from "../BatchEvent.js"
import * as ExitStatus from "../ExitStatus.js"
import type { RepeatStatus } from "../Tasklet.js"
import type { AnyEffect, TaskletBody } from "./definition.js"
import { describe, unwrap } from "./failure.js"
import * as FaultPoint from "./faultPoint.js"
import { chunkFailed } from "./hooks.js"
import type { StepState } from "./stepState.js"
import { commit, count, current, isStopping } from "./stepState.js"
import { makeBreather } from "./yielding.js"

export const runTaskletStep = (state: StepState, { tasklet }: TaskletBody): AnyEffect =>
  Effect.gen(function*() {
    const breathe = makeBreather()
    let again = true
    while (again && !isStopping(state)) {
      again = yield* call(state, tasklet)
      yield* breathe
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
    yield* FaultPoint.hit("beforeWrite")
    yield* listener(beforeChunk)
    status = toStatus(yield* tasklet)
    yield* listener(beforeCommit)
    yield* FaultPoint.hit("afterWrite")
    return { checkpoint: state.step.checkpoint, counts: { commit: 1 } }
  })
  return commit(state, work).pipe(
    Effect.onExit((exit) => exit._tag === "Failure" ? rolledBack(state, describe(unwrap(exit.cause))) : Effect.void),
    Effect.catchAllCause((cause) => chunkFailed(state.hooks, cause)),
    Effect.zipRight(Effect.suspend(() => {
      const { session, step } = state
      session.publish(BatchEvent.ChunkCommitted({ job: session.execution, step, progress: undefined }))
      if (status?._tag === "Finished" && status.exitCode !== undefined) {
        state.exitStatus = ExitStatus.and(state.exitStatus, ExitStatus.make(status.exitCode))
      }
      return listener(afterChunk)
    })),
    Effect.zipRight(FaultPoint.hit("afterCommit")),
    Effect.map(() => status?._tag === "Continuable")
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
    count(state, { rollback: 1 })
    const { session } = state
    session.publish(BatchEvent.ChunkRolledBack({ job: session.execution, step: current(state), message }))
  })
