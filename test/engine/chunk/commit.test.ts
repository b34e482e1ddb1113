/** When a transaction of a chunk is known not to have happened, and may simply be sent again. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import { unreached, watching } from "../../../src/engine/chunk/commit.js"
import { Unreached } from "../../../src/engine/chunk/rejection.js"
import type { Candidate } from "../../../src/engine/step/progress.js"
import type { StepState } from "../../../src/engine/step/state.js"
import { CurrentTransaction, lostConnections } from "../../../src/ports/Transactor.js"
import { TransactionError } from "../../../src/vocabulary/BatchError.js"

describe("a transaction whose connection was lost", () => {
  it.effect("is sent again only if it has certainly not happened: not one in doubt, and not one that was interrupted (D18)", () =>
    Effect.gen(function*() {
      for (const isLost of [true, false]) {
        for (const isMarked of [true, false]) {
          for (const isInterrupted of [true, false]) {
            for (const doubt of [undefined, {} as Candidate]) {
              const error = new TransactionError({ phase: "body", reason: "transient", cause: "gone" })
              if (isMarked) lostConnections.add(error)
              const cause = isInterrupted
                ? Cause.sequential(Cause.fail(error), Cause.interrupt(FiberId.none))
                : Cause.fail(error)
              const state = { progress: { doubt } } as StepState
              const exit = yield* Effect.exit(
                unreached(state, Effect.failCause(cause), () => isLost) as Effect.Effect<never, unknown>
              )
              const failed = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
              const isUnreached = (isLost || isMarked) && !isInterrupted && doubt === undefined
              assert.strictEqual(failed instanceof Unreached, isUnreached)
              if (failed instanceof Unreached) assert.strictEqual(failed.cause, cause)
              else assert.deepStrictEqual(exit, Exit.failCause(cause))
            }
          }
        }
      }
    }))

  it.effect("is known by what its work ran in, from the moment it began", () =>
    Effect.gen(function*() {
      const open = { isOver: false, outer: undefined, isLost: false }
      const watched = watching(Effect.sync(() => {
        open.isLost = true
      }))
      assert.isFalse(watched.isLost())
      yield* Effect.locally(watched.work as Effect.Effect<void>, CurrentTransaction, open as never)
      assert.isTrue(watched.isLost())
    }))
})
