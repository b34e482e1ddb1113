/**
 * The lock of the job's context, for the length of one transaction: branches that run at the same time write the same
 * row, and each has to see what the others have committed, so that none writes over it.
 */
import * as Effect from "effect/Effect"

export interface JobContextLock {
  /** Waits until nobody else holds it. Taking it again changes nothing. */
  readonly take: () => Effect.Effect<void>
  /** To be called when the transaction has ended; nothing when the lock was not taken. */
  readonly release: () => Effect.Effect<void> | undefined
}

export const make = (semaphore: Effect.Semaphore): JobContextLock => {
  let isHeld = false
  return {
    take: () =>
      Effect.uninterruptibleMask((restore) =>
        isHeld ? Effect.void : Effect.map(restore(semaphore.take(1)), () => {
          isHeld = true
        })
      ),
    release: () => {
      if (!isHeld) {
        return undefined
      }
      isHeld = false
      return Effect.asVoid(semaphore.release(1))
    }
  }
}
