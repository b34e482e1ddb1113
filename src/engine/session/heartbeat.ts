/**
 * Proves that the owner of an execution lives, and learns what others ask of it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { OwnershipLost } from "../../vocabulary/BatchError.js"
import type { Session } from "./session.js"
import { noteStatus } from "./session.js"
import * as Telemetry from "./telemetry.js"

/**
 * Renews the lease four times per lease, for ever, and at once when the repository hints at a request to stop: what it
 * answers is the truth. Fails with `OwnershipLost` when another process took over, and when
 * the repository has been out of reach for three quarters of the lease: from then on somebody else may take over.
 */
export const heartbeat = (session: Session, leaseMillis: number): Effect.Effect<never, OwnershipLost> =>
  Effect.gen(function*() {
    let proven = yield* Clock.currentTimeMillis
    const left = yield* Telemetry.lease(session.execution.instance.jobName)
    left(leaseMillis)
    while (true) {
      yield* Effect.raceFirst(Effect.sleep(leaseMillis / 4), session.repository.stopHint(session.execution.id))
      const asked = yield* Clock.currentTimeMillis
      const answer = yield* Effect.either(session.repository.renewLease(session.execution, leaseMillis))
      if (answer._tag === "Right") {
        proven = asked
        left(leaseMillis)
        noteStatus(session, answer.right)
      } else if (answer.left._tag === "OwnershipLost") {
        return yield* Effect.fail(answer.left)
      } else {
        left(leaseMillis - (asked - proven))
        if (asked - proven >= leaseMillis * 0.75) {
          const { epoch, id } = session.execution
          return yield* Effect.fail(new OwnershipLost({ executionId: id, epoch }))
        }
      }
    }
  })
