/**
 * Proves that the owner of an execution lives, and learns what others ask of it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Beats from "../../decisions/heartbeat.js"
import type { OwnerFailure } from "../../ports/JobRepository.js"
import { JobRepositoryError, OwnershipLost } from "../../vocabulary/BatchError.js"
import { BatchEvent } from "../../vocabulary/BatchEvent.js"
import type { BatchStatus } from "../../vocabulary/BatchStatus.js"
import type { Session } from "./session.js"
import { lose, noteStatus, owned } from "./session.js"
import * as Telemetry from "./telemetry.js"

/** Milliseconds of a clock that nobody sets. */
export const monotonic: Effect.Effect<number> = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

/**
 * Renews the lease four times per lease, for ever, and at once when the repository hints at a request to stop: what it
 * answers is the truth. Fails with `OwnershipLost` when another process took over, and when no attempt was answered for
 * three quarters of the lease, whatever the network does: somebody else may take over soon (OWN-18).
 */
export const heartbeat = (session: Session): Effect.Effect<never, OwnershipLost> =>
  Effect.flatMap(Telemetry.lease(session.execution.instance.jobName), (left) => {
    let beats = Beats.begin(session.leaseMillis, session.claimedAt)
    left(session.leaseMillis)
    let isWorried = false
    const beat = (limitMillis: number) =>
      Effect.gen(function*() {
        const asked = yield* monotonic
        const answer = yield* renewal(session, limitMillis)
        const now = yield* monotonic
        if (Either.isLeft(answer) && answer.left._tag === "OwnershipLost") {
          return yield* Effect.fail(answer.left)
        }
        const worry = Beats.worry(beats, asked, now)
        if (worry !== undefined && !isWorried) {
          isWorried = true
          yield* tell(session, worry)
        }
        if (Either.isRight(answer)) {
          isWorried = false
          beats = Beats.answered(beats, asked)
          left(session.leaseMillis)
          noteStatus(session, answer.right)
        } else {
          beats = Beats.failed(beats, asked)
          left(session.leaseMillis - (now - beats.provenAt))
          yield* Effect.sleep(Beats.pauseMillis(beats, now))
        }
      })
    const step = Effect.flatMap(monotonic, (now) => {
      const next = Beats.next(beats, now)
      switch (next._tag) {
        case "Rest":
          return Effect.raceFirst(
            Effect.as(Effect.sleep(next.millis), false),
            Effect.as(session.repository.stopHint(session.execution.id), true)
          ).pipe(Effect.flatMap((isHinted) => isHinted ? beat(session.leaseMillis / 4) : Effect.void))
        case "Try":
          return beat(next.limitMillis)
        case "GiveUp": {
          const { epoch, id } = session.execution
          lose(session)
          return Effect.fail(new OwnershipLost({ executionId: id, epoch }))
        }
      }
    })
    return Effect.forever(step)
  })

// -------------------------------------------------------------------------------------
// internal
// -------------------------------------------------------------------------------------

/**
 * One attempt. It is left behind when its time is over: to take back what a silent network has swallowed takes time, too.
 * Where it waits behind the transactions of this very process, which keep everybody else out, it waits as long as they take.
 */
const renewal = (session: Session, limitMillis: number): Effect.Effect<Either.Either<BatchStatus, OwnerFailure>> => {
  const { leaseMillis, repository } = session
  const renewed = Effect.suspend(() => repository.renewLease(owned(session), leaseMillis))
  return Effect.either(
    repository.beatsQueue === true ? renewed : Effect.timeoutFail(Effect.disconnect(renewed), {
      duration: limitMillis,
      onTimeout: () =>
        new JobRepositoryError({
          operation: "renewLease",
          reason: "transient",
          detail: `there was no answer within ${Math.round(limitMillis)} ms`
        })
    })
  )
}

const tell = (session: Session, millis: number): Effect.Effect<void> => {
  const { execution, leaseMillis } = session
  session.publish(BatchEvent.HeartbeatLate({ job: execution, millis: Math.round(millis), leaseMillis }))
  return Effect.logWarning(
    `The heartbeat of execution ${execution.id} has waited ${Math.round(millis)} ms for the job repository, and with ` +
      `a lease of ${leaseMillis} ms it may wait ${
        Math.round(leaseMillis * 0.75)
      }: look at the database and the network, ` +
      "or lengthen the lease"
  )
}
